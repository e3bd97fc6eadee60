/* SPDX-License-Identifier: Apache-2.0 */
/* Exit causes, and the back-off with its budget. */
#include "policy/restart.h"

#include "base/macro.h"
#include "model/spec.h"

#include <string.h>

static const char *const cause_names[] = {
	[CAUSE_NONE] = "none",
	[CAUSE_OPERATOR] = "operator",
	[CAUSE_GUEST_POWEROFF] = "guest-poweroff",
	[CAUSE_GUEST_PANIC] = "guest-panic",
	[CAUSE_BOOT_DEAD] = "boot-dead",
	[CAUSE_QEMU_CRASHED] = "qemu-crashed",
	[CAUSE_DESTROYED] = "destroyed",
	[CAUSE_START_FAILED] = "start-failed",
	[CAUSE_ADOPTED_DEAD] = "adopted-dead",
	[CAUSE_SAVED] = "saved",
	[CAUSE_UNKNOWN] = "unknown",
};
NAME_TABLE_DEFINE(cause, enum exit_cause, CAUSE_NUM);

bool cause_is_fault(enum exit_cause cause)
{
	switch (cause) {
	case CAUSE_GUEST_PANIC:
	case CAUSE_BOOT_DEAD:
	case CAUSE_QEMU_CRASHED:
	case CAUSE_START_FAILED:
	case CAUSE_ADOPTED_DEAD:
	case CAUSE_UNKNOWN:
		return true;
	default:
		return false;
	}
}

static void drop_old(struct restart *r, usec_t window, usec_t now)
{
	unsigned old = 0;

	while (old < r->n_faults && usec_add(r->faults[old], window) <= now)
		old++;
	memmove(r->faults, r->faults + old, (r->n_faults - old) * sizeof(r->faults[0]));
	r->n_faults -= old;
}

static usec_t backoff(unsigned n_faults, double jitter)
{
	usec_t delay = RESTART_DELAY_MIN;

	for (unsigned i = 1; i < n_faults && delay < RESTART_DELAY_MAX; i++)
		delay *= 2;
	delay = MIN(delay, RESTART_DELAY_MAX);
	return delay + (usec_t)((double)delay * 0.25 * jitter);
}

static_assert(SPEC_RESTART_LIMIT_MAX < RESTART_HISTORY_MAX, "a limit no history can reach");

bool restart_after_fault(struct restart *r, const struct restart_policy *policy, usec_t now,
	double jitter, usec_t *ret_at)
{
	unsigned limit = MIN(policy->limit, RESTART_HISTORY_MAX - 1);

	drop_old(r, policy->window, now);
	if (r->n_faults < RESTART_HISTORY_MAX)
		r->faults[r->n_faults++] = now;
	if (r->n_faults > limit)
		return false;
	*ret_at = usec_add(now, backoff(r->n_faults, jitter));
	return true;
}

void restart_clear(struct restart *r)
{
	*r = (struct restart){ 0 };
}
