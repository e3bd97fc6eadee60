/* SPDX-License-Identifier: Apache-2.0 */
/* One table of causes, and the back-off with its budget. */
#include "policy/restart.h"

#include "base/macro.h"

#include <string.h>

/* What decides after an end of that cause, where no key of the configuration does. */
enum { ALWAYS = ON_NUM, NEVER };

/* clang-format off */
static const struct {
	const char *name;
	bool fault;
	unsigned on; /* enum spec_on, ALWAYS or NEVER */
	const char *words;
} causes[] = {
	[CAUSE_NONE]           = { "none",           false, NEVER,
		"" },
	[CAUSE_OPERATOR]       = { "operator",       false, NEVER,
		"" },
	[CAUSE_GUEST_POWEROFF] = { "guest-poweroff", false, ON_POWEROFF,
		"the guest powered itself off" },
	[CAUSE_GUEST_REBOOT]   = { "guest-reboot",   false, NEVER,
		"the guest rebooted itself" },
	[CAUSE_GUEST_PANIC]    = { "guest-panic",    true,  ON_PANIC,
		"the guest's kernel panicked" },
	[CAUSE_BOOT_DEAD]      = { "boot-dead",      true,  ON_BOOT_FAILURE,
		"the boot was ended" },
	[CAUSE_BOOT_STUCK]     = { "boot-stuck",     true,  ALWAYS,
		"the boot stood still, and the guest powered off when it was asked to" },
	[CAUSE_WATCHDOG]       = { "watchdog",       true,  ALWAYS,
		"stopped to be started again: it did not feed its watchdog" },
	[CAUSE_REMEDY]         = { "remedy",         true,  ALWAYS,
		"stopped to be started again: its services were down" },
	[CAUSE_QEMU_CRASHED]   = { "qemu-crashed",   true,  ON_CRASH,
		"QEMU crashed" },
	[CAUSE_TERMINATED]     = { "terminated",     true,  ON_TERMINATED,
		"QEMU was told to end from outside mediakitd" },
	[CAUSE_DESTROYED]      = { "destroyed",      false, ON_DESTROY,
		"libvirt was told from outside mediakitd to destroy it" },
	[CAUSE_MEMORY_KILL]    = { "memory-kill",    true,  ON_MEMORY_KILL,
		"the host's kernel killed QEMU for memory" },
	[CAUSE_START_FAILED]   = { "start-failed",   true,  ON_BOOT_FAILURE,
		"the start failed" },
	[CAUSE_ADOPTED_DEAD]   = { "adopted-dead",   true,  ON_CRASH,
		"it ran when the daemon last looked, and was gone when it looked again" },
	[CAUSE_SAVED]          = { "saved",          false, NEVER,
		"its memory was saved to disk, but not by this run of mediakitd" },
	[CAUSE_UNKNOWN]        = { "unknown",        true,  ON_CRASH,
		"it ended, and libvirt does not say why" },
};
/* clang-format on */
static_assert(ARRAY_SIZE(causes) == CAUSE_NUM, "a cause without a row");

static const char *const on_keys[ON_NUM] = {
	[ON_POWEROFF] = "OnPowerOff",
	[ON_TERMINATED] = "OnTerminated",
	[ON_DESTROY] = "OnDestroy",
	[ON_PANIC] = "OnPanic",
	[ON_CRASH] = "OnCrash",
	[ON_MEMORY_KILL] = "OnMemoryKill",
	[ON_BOOT_FAILURE] = "OnBootFailure",
	[ON_WATCHDOG] = "OnWatchdog",
};

static const char *const restart_step_names[] = {
	[RESTART_STEP_STAY] = "stay",
	[RESTART_STEP_AGAIN] = "again",
	[RESTART_STEP_GIVE_UP] = "give-up",
};
NAME_TABLE_DEFINE(restart_step, enum restart_step, RESTART_STEP_NUM);

/* The names stand in the one table of causes, so these two are written out. */
const char *cause_to_string(enum exit_cause cause)
{
	return (unsigned)cause < CAUSE_NUM ? causes[cause].name : "invalid";
}

int cause_from_string(const char *s)
{
	for (unsigned c = 0; c < CAUSE_NUM; c++)
		if (s && strcmp(causes[c].name, s) == 0)
			return (int)c;
	return -EINVAL;
}

bool cause_is_fault(enum exit_cause cause)
{
	return causes[cause].fault;
}

const char *cause_words(enum exit_cause cause)
{
	return causes[cause].words;
}

bool cause_restarts(
	enum exit_cause cause, const enum spec_restart on[static ON_NUM], const char **ret_key)
{
	unsigned key = causes[cause].on;

	if (ret_key)
		*ret_key = key < ON_NUM ? on_keys[key] : NULL;
	return key < ON_NUM ? on[key] == RESTART_AGAIN : key == ALWAYS;
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

enum restart_step restart_after_exit(struct restart *r, const struct restart_policy *policy,
	enum exit_cause cause, usec_t now, double jitter, usec_t *ret_at)
{
	unsigned limit = MIN(policy->limit, RESTART_HISTORY_MAX - 1);

	r->well_since = 0;
	if (!cause_restarts(cause, policy->on, NULL))
		return RESTART_STEP_STAY;
	drop_old(r, policy->window, now);
	if (r->n_faults < RESTART_HISTORY_MAX)
		r->faults[r->n_faults++] = now;
	if (r->n_faults > limit)
		return RESTART_STEP_GIVE_UP;
	*ret_at = usec_add(now, backoff(r->n_faults, jitter));
	return RESTART_STEP_AGAIN;
}

unsigned restart_inside(const struct restart *r, usec_t window, usec_t now)
{
	struct restart inside = *r;

	drop_old(&inside, window, now);
	return inside.n_faults;
}

bool restart_affordable(const struct restart *r, const struct restart_policy *policy, usec_t now)
{
	return restart_inside(r, policy->window, now) < MIN(policy->limit, RESTART_HISTORY_MAX - 1);
}

bool restart_settle(struct restart *r, const struct restart_policy *policy, bool well, usec_t now,
	usec_t *ret_due)
{
	*ret_due = USEC_INFINITY;
	if (!well) {
		r->well_since = 0;
		return false;
	}
	/* 0 says that it is not well, so the clock's very first moment is taken for the second. */
	if (r->well_since == 0)
		r->well_since = MAX(now, (usec_t)1);
	if (r->n_faults == 0)
		return false;
	usec_t stable = usec_add(r->well_since, policy->stable_after);
	if (now < stable) {
		*ret_due = stable;
		return false;
	}
	r->n_faults = 0;
	return true;
}

void restart_clear(struct restart *r)
{
	*r = (struct restart){ 0 };
}
