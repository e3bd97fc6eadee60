/* SPDX-License-Identifier: Apache-2.0 */
/* When what is down is restarted in order to heal it: a service's unit inside the guest, or the
 * whole guest.
 *
 * Theory of operation: a remedy is dear and often wrong, so it needs a service that was seen down,
 * by this process and without a break, for a configured time. Whatever makes the sight doubtful or
 * the remedy impossible (held) starts that time anew, so nothing is done in the moment a doubt
 * ends. A remedy's own counter begins anew with each remedy: the time runs again from the next
 * sight of it being down, never from a failure of before. Each further one inside the window waits
 * twice as long, and the budget bounds their number; being well for long enough, or an operator's
 * word, gives it back. The window begins with its first remedy: two neighbouring ones may together
 * hold twice the budget, which is the price of a state of two numbers.
 *
 * The guest's restart needs more: a quorum of its active services, all at once. It has no budget of
 * its own but the one of policy/restart. Rejected: restarting the guest for one service, and
 * counting services that start or that nobody asked yet. */
#ifndef MEDIAKIT_POLICY_REMEDY_H
#define MEDIAKIT_POLICY_REMEDY_H

#include "base/nametable.h"
#include "base/time.h"

#include <stdbool.h>

/* The budget of remedies is of Window=, and of a day at least: each try takes QuorumAfter= and a
 * boot, or a StartBudget=, so that a window of 30 min would never see three of them. */
#define REMEDY_WINDOW_LEAST USEC_PER_DAY

enum remedy_step {
	REMEDY_WELL,  /* nothing to heal */
	REMEDY_HOLD,  /* down, and nothing may be done about it now */
	REMEDY_WAIT,  /* down, and not for long enough: at *ret_at */
	REMEDY_ACT,   /* now; remedy_unit_acted() once it was done */
	REMEDY_SPENT, /* down, and the budget is used up until *ret_at */
	REMEDY_STEP_NUM,
};
NAME_TABLE_DECLARE(remedy_step, enum remedy_step);

/* The wait is doubled for each remedy in the window up to this, or RestartUnitAfter= if that is
 * longer. */
#define REMEDY_WAIT_MAX (15 * USEC_PER_MINUTE)

struct remedy_unit {
	usec_t down_since, up_since; /* 0: it is not */
	usec_t window_began;
	unsigned n; /* remedies since window_began */
};

struct remedy_unit_policy {
	usec_t after;
	unsigned limit; /* at least 1 */
	usec_t window, stable_after;
};

enum remedy_sight { REMEDY_SEES_NOTHING, REMEDY_SEES_UP, REMEDY_SEES_DOWN, REMEDY_SIGHT_NUM };
NAME_TABLE_DECLARE(remedy_sight, enum remedy_sight);

/* *ret_at: when to ask again at the latest; USEC_INFINITY where only a change matters. */
enum remedy_step remedy_unit_step(struct remedy_unit *u, const struct remedy_unit_policy *policy,
	enum remedy_sight sight, bool held, usec_t now, usec_t *ret_at);
/* The unit was restarted, or that was tried. */
void remedy_unit_acted(struct remedy_unit *u, usec_t now);

struct remedy_quorum_policy {
	unsigned percent; /* of the active services; 0: all of them, for a caller that holds */
	usec_t after;
};

struct remedy_quorum_input {
	usec_t now;
	unsigned active, down;
	bool held;
};

/* `since` is the quorum's whole state: since when it has been down; 0: it is not. REMEDY_ACT clears
 * it. Never SPENT. */
enum remedy_step remedy_quorum_step(usec_t *since, const struct remedy_quorum_policy *policy,
	const struct remedy_quorum_input *in, usec_t *ret_at);

#endif
