/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the host gives a guest its CPU: hands policy/starve what comes in, and tells of what it
 * decides. */
#ifndef MEDIAKIT_CORE_STARVING_H
#define MEDIAKIT_CORE_STARVING_H

#include "policy/starve.h"
#include "policy/verdict.h"

struct guest;
struct service;

/* Statistics are asked for this long before a question's time-out, or at its half, so that they are
 * there when it is judged, and no judgement waits for them. */
#define STARVING_LOOK (1 * USEC_PER_SEC)

struct starving {
	struct starve policy;
	usec_t taken_at; /* the statistics that were taken last: guest->stats_at of then */
	usec_t since_realtime;
	bool told; /* what the operator was told last */
};

/* Another run: what was counted is of the one before. */
void starving_reset(struct guest *g);
/* Takes new statistics, if there are any. */
void starving_stats(struct guest *g, usec_t now);
/* Takes what a judged answer says of the guest's clock. */
void starving_answer(const struct service *s, const struct judgement *j, usec_t now);
/* The question to `s` that is due at `due` was missed. True: for want of CPU; *ret_why, valid until
 * the next call, says so. */
bool starving_excuses(const struct service *s, usec_t due, usec_t now, const char **ret_why);
/* When a question with this time-out, asked then, is worth a look at the statistics. */
usec_t starving_look_at(usec_t asked, usec_t timeout);
/* Ends what is over; returns when to look again. */
usec_t starving_run(struct guest *g, usec_t now);

#endif
