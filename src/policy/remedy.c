/* SPDX-License-Identifier: Apache-2.0 */
/* Patience, back-off and budget of remedies. */
#include "policy/remedy.h"

#include "base/macro.h"

static const char *const remedy_step_names[] = {
	[REMEDY_WELL] = "well",
	[REMEDY_HOLD] = "hold",
	[REMEDY_WAIT] = "wait",
	[REMEDY_ACT] = "act",
	[REMEDY_SPENT] = "spent",
};
NAME_TABLE_DEFINE(remedy_step, enum remedy_step, REMEDY_STEP_NUM);

static const char *const remedy_sight_names[] = {
	[REMEDY_SEES_NOTHING] = "nothing",
	[REMEDY_SEES_UP] = "up",
	[REMEDY_SEES_DOWN] = "down",
};
NAME_TABLE_DEFINE(remedy_sight, enum remedy_sight, REMEDY_SIGHT_NUM);

/* 0 says "it is not", so the clock's very first moment is taken for the second. */
static void begin(usec_t *since, usec_t now)
{
	if (*since == 0)
		*since = MAX(now, (usec_t)1);
}

static usec_t wait_of(const struct remedy_unit *u, const struct remedy_unit_policy *policy)
{
	usec_t most = MAX(policy->after, REMEDY_WAIT_MAX), wait = policy->after;

	for (unsigned i = 0; i < u->n && wait < most; i++)
		wait = usec_add(wait, wait);
	return MIN(wait, most);
}

static enum remedy_step see_up(
	struct remedy_unit *u, const struct remedy_unit_policy *policy, usec_t now, usec_t *ret_at)
{
	begin(&u->up_since, now);
	if (u->n == 0)
		return REMEDY_WELL;
	*ret_at = usec_add(u->up_since, policy->stable_after);
	if (now < *ret_at)
		return REMEDY_WELL;
	u->n = 0;
	*ret_at = USEC_INFINITY;
	return REMEDY_WELL;
}

enum remedy_step remedy_unit_step(struct remedy_unit *u, const struct remedy_unit_policy *policy,
	enum remedy_sight sight, bool held, usec_t now, usec_t *ret_at)
{
	*ret_at = USEC_INFINITY;
	if (sight != REMEDY_SEES_DOWN || held)
		u->down_since = 0;
	if (sight != REMEDY_SEES_UP)
		u->up_since = 0;
	if (sight == REMEDY_SEES_UP)
		return see_up(u, policy, now, ret_at);
	if (sight != REMEDY_SEES_DOWN)
		return REMEDY_WELL;
	if (held)
		return REMEDY_HOLD;
	begin(&u->down_since, now);
	if (u->n > 0 && usec_add(u->window_began, policy->window) <= now)
		u->n = 0;
	if (u->n >= policy->limit) {
		*ret_at = usec_add(u->window_began, policy->window);
		return REMEDY_SPENT;
	}
	*ret_at = usec_add(u->down_since, wait_of(u, policy));
	return now < *ret_at ? REMEDY_WAIT : REMEDY_ACT;
}

void remedy_unit_acted(struct remedy_unit *u, usec_t now)
{
	if (u->n++ == 0)
		u->window_began = now;
	u->down_since = 0;
}

enum remedy_step remedy_quorum_step(usec_t *since, const struct remedy_quorum_policy *policy,
	const struct remedy_quorum_input *in, usec_t *ret_at)
{
	unsigned percent = policy->percent ? policy->percent : 100;
	bool down = in->active > 0 && in->down * 100 >= percent * in->active;

	*ret_at = USEC_INFINITY;
	if (!down || in->held) {
		*since = 0;
		return down ? REMEDY_HOLD : REMEDY_WELL;
	}
	begin(since, in->now);
	*ret_at = usec_add(*since, policy->after);
	if (in->now < *ret_at)
		return REMEDY_WAIT;
	*since = 0;
	return REMEDY_ACT;
}
