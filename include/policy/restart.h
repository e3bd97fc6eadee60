/* SPDX-License-Identifier: Apache-2.0 */
/* Why a guest ended, and whether and when it is started again. No clock and no randomness: time and
 * jitter are arguments. */
#ifndef MEDIAKIT_POLICY_RESTART_H
#define MEDIAKIT_POLICY_RESTART_H

#include "base/nametable.h"
#include "base/time.h"

#include <stdbool.h>

enum exit_cause {
	CAUSE_NONE,           /* it has not ended yet */
	CAUSE_OPERATOR,       /* stop, restart or kill */
	CAUSE_GUEST_POWEROFF, /* the guest went down by itself */
	CAUSE_GUEST_PANIC,
	CAUSE_BOOT_DEAD, /* we ended a boot that panicked or stood still */
	CAUSE_QEMU_CRASHED,
	CAUSE_DESTROYED, /* ended from outside: virsh destroy, SIGTERM to QEMU */
	CAUSE_START_FAILED,
	CAUSE_ADOPTED_DEAD, /* it ran when the daemon last looked; now it does not */
	CAUSE_SAVED,        /* its memory was saved to disk from outside */
	CAUSE_UNKNOWN,
	CAUSE_NUM,
};
NAME_TABLE_DECLARE(cause, enum exit_cause);

/* Is this end a fault, after which a guest that is wanted up is started again? A guest that powers
 * itself off, or is ended or saved by a person, stays down, as systemd's Restart=on-failure has it.
 */
bool cause_is_fault(enum exit_cause cause);

#define RESTART_HISTORY_MAX 16u

/* Back-off: 1 s, doubled for each fault inside the window, at most a minute; up to a quarter more
 * by jitter. */
#define RESTART_DELAY_MIN (1 * USEC_PER_SEC)
#define RESTART_DELAY_MAX (60 * USEC_PER_SEC)

struct restart {
	usec_t faults[RESTART_HISTORY_MAX]; /* when, oldest first; only those inside the window */
	unsigned n_faults;
};

struct restart_policy {
	unsigned limit; /* faults inside the window after which the guest is given up; below
			   RESTART_HISTORY_MAX */
	usec_t window;
};

/* Records a fault at `now`. True: start again at *ret_at. False: give up. `jitter` in [0, 1). */
bool restart_after_fault(struct restart *r, const struct restart_policy *policy, usec_t now,
	double jitter, usec_t *ret_at);
/* After reset-failed, and after an operator's start. */
void restart_clear(struct restart *r);

#endif
