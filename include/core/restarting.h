/* SPDX-License-Identifier: Apache-2.0 */
/* From an end to the next start: policy/restart, asked and told about. */
#ifndef MEDIAKIT_CORE_RESTARTING_H
#define MEDIAKIT_CORE_RESTARTING_H

#include "policy/restart.h"

struct guest;

/* Of the guest's present configuration. */
struct restart_policy restarting_policy(const struct guest *g);
/* In which remedies are counted: longer than Window=, where that is short. */
usec_t restarting_remedy_window(const struct guest *g);

/* It is down, wanted up, and nothing is scheduled: schedules a start, gives the guest up, or leaves
 * it down. */
void restarting_decide(struct guest *g, usec_t now);

/* It is down by its cause and stays so: says which key of the configuration has it so. */
void restarting_stays(struct guest *g);

/* Forgets past restarts once it was well for long enough; returns when to look again. */
usec_t restarting_watch(struct guest *g, usec_t now);

#endif
