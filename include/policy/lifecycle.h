/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest is, what may happen to it, and what is done about it: one table of state x event. */
#ifndef MEDIAKIT_POLICY_LIFECYCLE_H
#define MEDIAKIT_POLICY_LIFECYCLE_H

#include "base/nametable.h"

#include <stdbool.h>

/* What the operator asked for. Only a request changes it; no event does. */
enum guest_want { WANT_DOWN, WANT_UP, WANT_NUM };
NAME_TABLE_DECLARE(want, enum guest_want); /* down up */

/* What we believe of the guest. Only events change it.
 *
 * absent:   libvirt does not know the domain. Left by a start, or when somebody defines it.
 * stopped:  defined, no QEMU. Left by a start.
 * starting: a start is queued or running; QEMU may exist. Left by its result only.
 * booting:  QEMU runs and the boot is watched; the OS is not up. The only state in which the serial
 * line can end a boot (policy/boot). running:  the OS is up, cloud-init is not done. ready:
 * cloud-init is done, or every active service answers. stopping: the ladder runs (policy/shutdown),
 * or a kill. Left by the end of QEMU only. saving:   libvirt writes the guest's memory to disk.
 * Left by the end of QEMU, or by running again. paused:   the vCPUs stand still; probes are
 * inconclusive. Returns to the state it came from. crashed:  ended by a fault, or being ended for
 * one; a retry is scheduled. Must not hold without a retry timer or a destroy in flight. failed:
 * given up: too many faults in the window. Latched until reset-failed. */
enum guest_state {
	GUEST_ABSENT,
	GUEST_STOPPED,
	GUEST_STARTING,
	GUEST_BOOTING,
	GUEST_RUNNING,
	GUEST_READY,
	GUEST_STOPPING,
	GUEST_SAVING,
	GUEST_PAUSED,
	GUEST_CRASHED,
	GUEST_FAILED,
	GUEST_STATE_NUM,
};
NAME_TABLE_DECLARE(guest_state, enum guest_state);

enum guest_event {
	GUEST_EV_START,        /* want became up, or is up and nothing runs */
	GUEST_EV_STOP,         /* want became down, or a restart begins */
	GUEST_EV_KILL,         /* the operator wants it gone now */
	GUEST_EV_SAVE, /* want became down, and its memory is to be kept; where that cannot be, as
			  GUEST_EV_STOP */
	GUEST_EV_RESET_FAILED, /* the operator clears the latch */
	GUEST_EV_SEEN_ABSENT,  /* the domain was read: not defined */
	GUEST_EV_SEEN_RUNNING, /* the domain was read: vCPUs run */
	GUEST_EV_SEEN_PAUSED,
	GUEST_EV_SEEN_SAVING,
	GUEST_EV_SEEN_PANICKED, /* QEMU is there, the guest's kernel said it panicked (pvpanic) */
	GUEST_EV_EXIT_CLEAN,    /* no QEMU, and the cause is no fault */
	GUEST_EV_EXIT_FAULT,    /* no QEMU, and the cause is a fault */
	GUEST_EV_STARTED,       /* the start succeeded */
	GUEST_EV_RESTORED, /* the same, and it goes on from a save: its OS is up */
	GUEST_EV_START_FAILED,
	GUEST_EV_SAVE_FAILED,
	GUEST_EV_REFUSED, /* the start was refused before QEMU ran, and the operator was told */
	GUEST_EV_REBOOT,  /* the guest reset itself */
	GUEST_EV_OS_UP,
	GUEST_EV_READY,
	GUEST_EV_BOOT_DEAD, /* policy/boot: this boot will not come up */
	GUEST_EV_RETRY_DUE,
	GUEST_EV_GIVE_UP, /* policy/restart: the budget is spent */
	GUEST_EV_NUM,
};
NAME_TABLE_DECLARE(guest_event, enum guest_event);

enum guest_action {
	GUEST_ACT_NONE,
	GUEST_ACT_START,   /* preflight, then ask the hypervisor to start */
	GUEST_ACT_BOOT,    /* a boot begins: watch it, reset the services */
	GUEST_ACT_RESTORE, /* it goes on where it was saved: services and clock are asked anew */
	GUEST_ACT_ADOPT,   /* it runs without our start: watch it, keep verdicts */
	GUEST_ACT_LADDER,  /* begin the shutdown ladder */
	GUEST_ACT_SAVE,    /* ask the hypervisor to save it */
	GUEST_ACT_DESTROY, /* end QEMU now */
	GUEST_ACT_SETTLE,  /* it is down: record how, then start again where want is up */
	GUEST_ACT_RETRY,   /* ask policy/restart when to start again, or whether to give up */
	GUEST_ACT_REFUSE,  /* the request cannot be served in this state; tell the caller */
	GUEST_ACT_NUM,
};
NAME_TABLE_DECLARE(guest_action, enum guest_action);

/* How the present run began, or the last one. */
enum start_kind {
	START_UNKNOWN, /* not by us, or before these were kept */
	START_COLD,    /* it booted */
	START_WARM,    /* it went on where it was saved */
	START_KIND_NUM,
};
NAME_TABLE_DECLARE(start_kind, enum start_kind); /* unknown cold warm */

struct lifecycle_step {
	enum guest_state next; /* with `back`: ignored */
	enum guest_action action;
	bool back; /* return to the state the pause or save came from */
};

/* Total: every state x event has a cell. */
struct lifecycle_step lifecycle_step(enum guest_state state, enum guest_event event);

/* QEMU may exist in this state. */
bool guest_state_has_qemu(enum guest_state state);
/* It makes sense to ask services (a paused guest is asked too: the verdict is `inconclusive`). */
bool guest_state_probes(enum guest_state state);
/* A missed probe says nothing about the service; `ret_why` (may be NULL) gets the words. */
bool guest_state_inconclusive(enum guest_state state, const char **ret_why);

#endif
