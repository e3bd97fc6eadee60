/* SPDX-License-Identifier: Apache-2.0 */
/* Why a guest ended, and whether and when it is started again. No clock and no randomness: time and
 * jitter are arguments. */
#ifndef MEDIAKIT_POLICY_RESTART_H
#define MEDIAKIT_POLICY_RESTART_H

#include "base/nametable.h"
#include "base/time.h"
#include "model/spec.h"

#include <stdbool.h>

enum exit_cause {
	CAUSE_NONE,           /* it has not ended yet */
	CAUSE_OPERATOR,       /* stop, restart or kill */
	CAUSE_GUEST_POWEROFF, /* the guest went down by itself */
	CAUSE_GUEST_REBOOT,   /* its OS ended and QEMU went on: no fault, and nothing to start */
	CAUSE_GUEST_PANIC,
	CAUSE_BOOT_DEAD, /* we ended a boot that panicked or stood still */
	CAUSE_BOOT_STUCK, /* a boot stood still, and the guest went down when it was asked to */
	CAUSE_WATCHDOG,  /* we stopped it, because it did not feed its watchdog */
	CAUSE_REMEDY,    /* we stopped it, because its services were down */
	CAUSE_QEMU_CRASHED,
	CAUSE_TERMINATED,  /* SIGTERM to QEMU, or quit by its monitor */
	CAUSE_DESTROYED,   /* somebody asked libvirt: virsh destroy */
	CAUSE_MEMORY_KILL, /* the host's kernel killed QEMU for memory */
	CAUSE_START_FAILED,
	CAUSE_ADOPTED_DEAD, /* it ran when the daemon last looked; now it does not */
	CAUSE_SAVED,        /* its memory was saved to disk from outside */
	CAUSE_UNKNOWN,
	CAUSE_NUM,
};
NAME_TABLE_DECLARE(cause, enum exit_cause);

/* Did something fail? This colours the log; what is done about it is the policy's. */
bool cause_is_fault(enum exit_cause cause);

/* The sentence about an end of that cause: "QEMU crashed"; "" for CAUSE_NONE and CAUSE_OPERATOR. */
const char *cause_words(enum exit_cause cause);

/* Is a guest that is wanted up to be started after an end of that cause? `on` is the spec's. One
 * that we stopped in order to heal it always is; one that was saved never is, because a start would
 * bring back what was saved for a person. *ret_key, unless NULL, is the configuration's key that
 * says so, or NULL where none does. */
bool cause_restarts(
	enum exit_cause cause, const enum spec_restart on[static ON_NUM], const char **ret_key);

#define RESTART_HISTORY_MAX 16u

/* Back-off: 1 s, doubled for each restart inside the window, at most a minute; up to a quarter more
 * by jitter. */
#define RESTART_DELAY_MIN (1 * USEC_PER_SEC)
#define RESTART_DELAY_MAX (60 * USEC_PER_SEC)

struct restart {
	usec_t faults[RESTART_HISTORY_MAX]; /* when, oldest first; old ones go at the next */
	unsigned n_faults;
	usec_t well_since; /* 0: it is not well */
};

struct restart_policy {
	unsigned limit; /* restarts inside the window after which the guest is given up; below
			   RESTART_HISTORY_MAX */
	usec_t window;
	usec_t stable_after;
	enum spec_restart on[ON_NUM];
};

enum restart_step { RESTART_STEP_STAY, RESTART_STEP_AGAIN, RESTART_STEP_GIVE_UP, RESTART_STEP_NUM };
NAME_TABLE_DECLARE(restart_step, enum restart_step);

/* A guest that is wanted up ended at `now`. STAY: it stays down, and nothing was counted. AGAIN: it
 * is started at *ret_at; counted. GIVE_UP: the window's budget is used up. `jitter` in [0, 1). */
enum restart_step restart_after_exit(struct restart *r, const struct restart_policy *policy,
	enum exit_cause cause, usec_t now, double jitter, usec_t *ret_at);

/* How many are on record inside the window that ends now. */
unsigned restart_inside(const struct restart *r, usec_t window, usec_t now);

/* Would one more restart be inside the budget? For a guest that still runs: it is not stopped in
 * order to be given up. */
bool restart_affordable(const struct restart *r, const struct restart_policy *policy, usec_t now);

/* To be told at each change whether the guest is well, and again at *ret_due (USEC_INFINITY: not
 * again). True once it has been well for stable_after with restarts on record: they are forgotten
 * then. */
bool restart_settle(struct restart *r, const struct restart_policy *policy, bool well, usec_t now,
	usec_t *ret_due);

/* After reset-failed, and after an operator's start. */
void restart_clear(struct restart *r);

#endif
