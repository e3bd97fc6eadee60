/* SPDX-License-Identifier: Apache-2.0 */
/* A guest's memory put to disk instead of shut down, and the start that goes on from there. */
#ifndef MEDIAKIT_CORE_SAVING_H
#define MEDIAKIT_CORE_SAVING_H

#include "io/hv.h"
#include "io/saves.h"
#include "model/state.h"
#include "policy/lifecycle.h"

#include <stdbool.h>

struct guest;

struct guest_saving {
	/* A save is under way: HV_SAVE is out, then its ticket is being written. */
	bool in_flight, keeping;
	bool asked; /* by us, or by a daemon before us, of the guest that is in GUEST_SAVING */
	bool over; /* QEMU is gone, the ticket written or not: take it up */
	bool kept; /* it is */
	usec_t began, abort_due;
	int error;
	char words[HV_ERROR_MAX]; /* why it failed, or why no ticket was kept; "" */

	/* A start is under way and waits for the ticket, with the lock held; its end makes
	 * NEWS_TICKET. */
	bool take_waits;
	bool refused;            /* the hypervisor would not restore it: the next attempt boots */
	struct save_news ticket; /* as it was taken; error -ENOENT: none */
	/* Looks and writes for a start that are out. While there are any the guest's lock is kept,
	 * though nothing runs: a ticket that is put back is written for the files as they are
	 * then. */
	unsigned at_disk;
	bool unlock; /* then it is to be given up */

	/* Of the present run: what it was started with. "" and 0: not known, and then it cannot be
	 * saved. */
	char xml_sha256[DIGEST_TEXT];
	uint64_t version;

	/* Of the present run, or the last. */
	enum start_kind kind;
	usec_t start_began;
	char start_words[256];   /* why a save was not used; "" for nothing to tell */
	usec_t kept_at_realtime; /* a save waits for the next start; 0: none */

	/* The clock of a guest that was restored: wrong by as long as it was away. */
	usec_t clock_due; /* USEC_INFINITY: nothing to do */
	usec_t clock_end; /* then it is given up */
	bool clock_out;   /* a command is with the agent */
	unsigned clock_sets;
	int64_t clock_lag_usec; /* as first seen */
};

void saving_init(struct guest *g);

/* Why it cannot be saved in the state it is in; NULL: it can. */
const char *saving_refusal(const struct guest *g);
/* GUEST_ACT_SAVE. Its end, however it ends, makes NEWS_SAVED. */
void saving_begin(struct guest *g, usec_t now);
/* A save is under way, or its ticket is: nothing that is read of the guest means anything. */
bool saving_busy(const struct guest *g);
/* NEWS_SAVED: what follows from it. */
void saving_ended(struct guest *g, usec_t now);

/* For the start that is under way. 1: take_waits, and NEWS_TICKET will come; 0: there are no
 * tickets. */
int saving_take(struct guest *g);
/* The start was called off while it waited: its save is as good as before. */
void saving_put_back(struct guest *g);
/* Whether the start of the domain so described goes on from the save; where not although there is
 * one, that is told and kept. */
bool saving_decide(struct guest *g, const char *xml);
/* The hypervisor would not restore it: true where the start is to be asked for once more, and then
 * boots. */
bool saving_refused(struct guest *g);
/* The guest's run began without us. */
void saving_adopt(struct guest *g, usec_t now);
/* "running (warm, 2.1s)", for who waits for the start. */
const char *saving_start_words(const struct guest *g, char *buf, size_t size, usec_t now);
/* A kill of a guest that is down throws its save away. True where there was one. */
bool saving_drop(struct guest *g);

/* Timers: the save's limit, the clock. Returns when to be called next. */
usec_t saving_run(struct guest *g, usec_t now);

void saving_to_state(const struct guest *g, struct state_record *ret);
void saving_from_state(struct guest *g, const struct state_record *r, usec_t now);

#endif
