/* SPDX-License-Identifier: Apache-2.0 */
/* The table of states and events. A cell that reads `stay` was thought about: the event changes
 * nothing there. */
#include "policy/lifecycle.h"

#include "base/macro.h"

static const char *const want_names[] = {
	[WANT_DOWN] = "down",
	[WANT_UP] = "up",
};
NAME_TABLE_DEFINE(want, enum guest_want, WANT_NUM);

static const char *const guest_state_names[] = {
	[GUEST_ABSENT] = "absent",
	[GUEST_STOPPED] = "stopped",
	[GUEST_STARTING] = "starting",
	[GUEST_BOOTING] = "booting",
	[GUEST_RUNNING] = "running",
	[GUEST_READY] = "ready",
	[GUEST_STOPPING] = "stopping",
	[GUEST_SAVING] = "saving",
	[GUEST_PAUSED] = "paused",
	[GUEST_CRASHED] = "crashed",
	[GUEST_FAILED] = "failed",
};
NAME_TABLE_DEFINE(guest_state, enum guest_state, GUEST_STATE_NUM);

static const char *const guest_event_names[] = {
	[GUEST_EV_START] = "start",
	[GUEST_EV_STOP] = "stop",
	[GUEST_EV_KILL] = "kill",
	[GUEST_EV_SAVE] = "save",
	[GUEST_EV_RESET_FAILED] = "reset-failed",
	[GUEST_EV_SEEN_ABSENT] = "seen-absent",
	[GUEST_EV_SEEN_RUNNING] = "seen-running",
	[GUEST_EV_SEEN_PAUSED] = "seen-paused",
	[GUEST_EV_SEEN_SAVING] = "seen-saving",
	[GUEST_EV_SEEN_PANICKED] = "seen-panicked",
	[GUEST_EV_EXIT_CLEAN] = "exit-clean",
	[GUEST_EV_EXIT_FAULT] = "exit-fault",
	[GUEST_EV_STARTED] = "started",
	[GUEST_EV_RESTORED] = "restored",
	[GUEST_EV_START_FAILED] = "start-failed",
	[GUEST_EV_SAVE_FAILED] = "save-failed",
	[GUEST_EV_REFUSED] = "refused",
	[GUEST_EV_REBOOT] = "reboot",
	[GUEST_EV_OS_UP] = "os-up",
	[GUEST_EV_READY] = "ready",
	[GUEST_EV_BOOT_DEAD] = "boot-dead",
	[GUEST_EV_RETRY_DUE] = "retry-due",
	[GUEST_EV_GIVE_UP] = "give-up",
};
NAME_TABLE_DEFINE(guest_event, enum guest_event, GUEST_EV_NUM);

static const char *const guest_action_names[] = {
	[GUEST_ACT_NONE] = "none",
	[GUEST_ACT_START] = "start",
	[GUEST_ACT_BOOT] = "boot",
	[GUEST_ACT_RESTORE] = "restore",
	[GUEST_ACT_ADOPT] = "adopt",
	[GUEST_ACT_LADDER] = "ladder",
	[GUEST_ACT_SAVE] = "save",
	[GUEST_ACT_DESTROY] = "destroy",
	[GUEST_ACT_SETTLE] = "settle",
	[GUEST_ACT_RETRY] = "retry",
	[GUEST_ACT_REFUSE] = "refuse",
};
NAME_TABLE_DEFINE(guest_action, enum guest_action, GUEST_ACT_NUM);

static const char *const start_kind_names[] = {
	[START_UNKNOWN] = "unknown",
	[START_COLD] = "cold",
	[START_WARM] = "warm",
};
NAME_TABLE_DEFINE(start_kind, enum start_kind, START_KIND_NUM);

/* A cell is written as go(STATE, ACTION), do_(ACTION) where the state stays, stay, or back. The
 * zero cell is illegal, so that a test can find a cell nobody wrote. */
struct cell {
	bool written, moves, back;
	enum guest_state next;
	enum guest_action action;
};

#define go(state, act)                                                                             \
	{                                                                                          \
		.written = true, .moves = true, .next = GUEST_##state, .action = GUEST_ACT_##act   \
	}
#define do_(act)                                                                                   \
	{                                                                                          \
		.written = true, .action = GUEST_ACT_##act                                         \
	}
#define back_                                                                                      \
	{                                                                                          \
		.written = true, .moves = true, .back = true                                       \
	}
#define stay                                                                                       \
	{                                                                                          \
		.written = true                                                                    \
	}

/* clang-format off */
static const struct cell table[GUEST_STATE_NUM][GUEST_EV_NUM] = {
[GUEST_ABSENT] = {
	[GUEST_EV_START]         = go(STARTING, START),
	[GUEST_EV_STOP]          = do_(SETTLE),
	[GUEST_EV_KILL]          = do_(SETTLE),
	[GUEST_EV_SAVE]          = do_(SETTLE),
	[GUEST_EV_RESET_FAILED]  = stay,
	[GUEST_EV_SEEN_ABSENT]   = stay,
	[GUEST_EV_SEEN_RUNNING]  = go(BOOTING, ADOPT),
	[GUEST_EV_SEEN_PAUSED]   = go(PAUSED, ADOPT),
	[GUEST_EV_SEEN_SAVING]   = go(SAVING, ADOPT),
	[GUEST_EV_SEEN_PANICKED] = go(CRASHED, DESTROY),
	[GUEST_EV_EXIT_CLEAN]    = go(STOPPED, NONE),
	[GUEST_EV_EXIT_FAULT]    = go(STOPPED, NONE),
	[GUEST_EV_STARTED]       = go(BOOTING, BOOT),
	[GUEST_EV_RESTORED]      = go(RUNNING, RESTORE),
	[GUEST_EV_START_FAILED]  = stay,
	[GUEST_EV_SAVE_FAILED]   = stay,
	[GUEST_EV_REFUSED]       = stay,
	[GUEST_EV_REBOOT]        = stay,
	[GUEST_EV_OS_UP]         = stay,
	[GUEST_EV_READY]         = stay,
	[GUEST_EV_BOOT_DEAD]     = stay,
	[GUEST_EV_RETRY_DUE]     = stay,
	[GUEST_EV_GIVE_UP]       = stay,
},
[GUEST_STOPPED] = {
	[GUEST_EV_START]         = go(STARTING, START),
	[GUEST_EV_STOP]          = do_(SETTLE),
	[GUEST_EV_KILL]          = do_(SETTLE),
	[GUEST_EV_SAVE]          = do_(SETTLE),
	[GUEST_EV_RESET_FAILED]  = stay,
	[GUEST_EV_SEEN_ABSENT]   = go(ABSENT, NONE),
	[GUEST_EV_SEEN_RUNNING]  = go(BOOTING, ADOPT),
	[GUEST_EV_SEEN_PAUSED]   = go(PAUSED, ADOPT),
	[GUEST_EV_SEEN_SAVING]   = go(SAVING, ADOPT),
	[GUEST_EV_SEEN_PANICKED] = go(CRASHED, DESTROY),
	[GUEST_EV_EXIT_CLEAN]    = stay,
	[GUEST_EV_EXIT_FAULT]    = stay,
	[GUEST_EV_STARTED]       = go(BOOTING, BOOT),
	[GUEST_EV_RESTORED]      = go(RUNNING, RESTORE),
	[GUEST_EV_START_FAILED]  = stay,
	[GUEST_EV_SAVE_FAILED]   = stay,
	[GUEST_EV_REFUSED]       = stay,
	[GUEST_EV_REBOOT]        = stay,
	[GUEST_EV_OS_UP]         = stay,
	[GUEST_EV_READY]         = stay,
	[GUEST_EV_BOOT_DEAD]     = stay,
	[GUEST_EV_RETRY_DUE]     = stay,
	[GUEST_EV_GIVE_UP]       = stay,
},
/* Until the start is answered nothing that is read means anything: it is from before or from the
 * middle. */
[GUEST_STARTING] = {
	[GUEST_EV_START]         = stay,
	[GUEST_EV_STOP]          = go(STOPPING, LADDER),
	[GUEST_EV_KILL]          = go(STOPPING, DESTROY),
	[GUEST_EV_SAVE]          = go(STOPPING, LADDER),
	[GUEST_EV_RESET_FAILED]  = stay,
	[GUEST_EV_SEEN_ABSENT]   = stay,
	[GUEST_EV_SEEN_RUNNING]  = stay,
	[GUEST_EV_SEEN_PAUSED]   = stay,
	[GUEST_EV_SEEN_SAVING]   = stay,
	[GUEST_EV_SEEN_PANICKED] = stay,
	[GUEST_EV_EXIT_CLEAN]    = stay,
	[GUEST_EV_EXIT_FAULT]    = stay,
	[GUEST_EV_STARTED]       = go(BOOTING, BOOT),
	[GUEST_EV_RESTORED]      = go(RUNNING, RESTORE),
	[GUEST_EV_START_FAILED]  = go(CRASHED, RETRY),
	[GUEST_EV_SAVE_FAILED]   = stay,
	[GUEST_EV_REFUSED]       = go(STOPPED, NONE),
	[GUEST_EV_REBOOT]        = stay,
	[GUEST_EV_OS_UP]         = stay,
	[GUEST_EV_READY]         = stay,
	[GUEST_EV_BOOT_DEAD]     = stay,
	[GUEST_EV_RETRY_DUE]     = stay,
	[GUEST_EV_GIVE_UP]       = stay,
},
[GUEST_BOOTING] = {
	[GUEST_EV_START]         = stay,
	[GUEST_EV_STOP]          = go(STOPPING, LADDER),
	[GUEST_EV_KILL]          = go(STOPPING, DESTROY),
	[GUEST_EV_SAVE]          = go(STOPPING, LADDER),
	[GUEST_EV_RESET_FAILED]  = stay,
	[GUEST_EV_SEEN_ABSENT]   = go(CRASHED, RETRY),
	[GUEST_EV_SEEN_RUNNING]  = stay,
	[GUEST_EV_SEEN_PAUSED]   = go(PAUSED, NONE),
	[GUEST_EV_SEEN_SAVING]   = go(SAVING, NONE),
	[GUEST_EV_SEEN_PANICKED] = go(CRASHED, DESTROY),
	[GUEST_EV_EXIT_CLEAN]    = go(STOPPED, SETTLE),
	[GUEST_EV_EXIT_FAULT]    = go(CRASHED, RETRY),
	[GUEST_EV_STARTED]       = stay,
	[GUEST_EV_RESTORED]      = stay,
	[GUEST_EV_START_FAILED]  = stay,
	[GUEST_EV_SAVE_FAILED]   = stay,
	[GUEST_EV_REFUSED]       = stay,
	[GUEST_EV_REBOOT]        = go(BOOTING, BOOT),
	[GUEST_EV_OS_UP]         = go(RUNNING, NONE),
	[GUEST_EV_READY]         = go(READY, NONE),
	[GUEST_EV_BOOT_DEAD]     = go(CRASHED, DESTROY),
	[GUEST_EV_RETRY_DUE]     = stay,
	[GUEST_EV_GIVE_UP]       = stay,
},
[GUEST_RUNNING] = {
	[GUEST_EV_START]         = stay,
	[GUEST_EV_STOP]          = go(STOPPING, LADDER),
	[GUEST_EV_KILL]          = go(STOPPING, DESTROY),
	[GUEST_EV_SAVE]          = go(SAVING, SAVE),
	[GUEST_EV_RESET_FAILED]  = stay,
	[GUEST_EV_SEEN_ABSENT]   = go(CRASHED, RETRY),
	[GUEST_EV_SEEN_RUNNING]  = stay,
	[GUEST_EV_SEEN_PAUSED]   = go(PAUSED, NONE),
	[GUEST_EV_SEEN_SAVING]   = go(SAVING, NONE),
	[GUEST_EV_SEEN_PANICKED] = go(CRASHED, DESTROY),
	[GUEST_EV_EXIT_CLEAN]    = go(STOPPED, SETTLE),
	[GUEST_EV_EXIT_FAULT]    = go(CRASHED, RETRY),
	[GUEST_EV_STARTED]       = stay,
	[GUEST_EV_RESTORED]      = stay,
	[GUEST_EV_START_FAILED]  = stay,
	[GUEST_EV_SAVE_FAILED]   = stay,
	[GUEST_EV_REFUSED]       = stay,
	[GUEST_EV_REBOOT]        = go(BOOTING, BOOT),
	[GUEST_EV_OS_UP]         = stay,
	[GUEST_EV_READY]         = go(READY, NONE),
	[GUEST_EV_BOOT_DEAD]     = stay,
	[GUEST_EV_RETRY_DUE]     = stay,
	[GUEST_EV_GIVE_UP]       = stay,
},
[GUEST_READY] = {
	[GUEST_EV_START]         = stay,
	[GUEST_EV_STOP]          = go(STOPPING, LADDER),
	[GUEST_EV_KILL]          = go(STOPPING, DESTROY),
	[GUEST_EV_SAVE]          = go(SAVING, SAVE),
	[GUEST_EV_RESET_FAILED]  = stay,
	[GUEST_EV_SEEN_ABSENT]   = go(CRASHED, RETRY),
	[GUEST_EV_SEEN_RUNNING]  = stay,
	[GUEST_EV_SEEN_PAUSED]   = go(PAUSED, NONE),
	[GUEST_EV_SEEN_SAVING]   = go(SAVING, NONE),
	[GUEST_EV_SEEN_PANICKED] = go(CRASHED, DESTROY),
	[GUEST_EV_EXIT_CLEAN]    = go(STOPPED, SETTLE),
	[GUEST_EV_EXIT_FAULT]    = go(CRASHED, RETRY),
	[GUEST_EV_STARTED]       = stay,
	[GUEST_EV_RESTORED]      = stay,
	[GUEST_EV_START_FAILED]  = stay,
	[GUEST_EV_SAVE_FAILED]   = stay,
	[GUEST_EV_REFUSED]       = stay,
	[GUEST_EV_REBOOT]        = go(BOOTING, BOOT),
	[GUEST_EV_OS_UP]         = stay,
	[GUEST_EV_READY]         = stay,
	[GUEST_EV_BOOT_DEAD]     = stay,
	[GUEST_EV_RETRY_DUE]     = stay,
	[GUEST_EV_GIVE_UP]       = stay,
},
/* A start that was in flight when the stop came may still be answered here: the ladder goes on
 * either way. A guest that reboots while it is being stopped is stopping all the same: the next
 * press will find it. */
[GUEST_STOPPING] = {
	[GUEST_EV_START]         = stay,
	[GUEST_EV_STOP]          = stay,
	[GUEST_EV_KILL]          = do_(DESTROY),
	[GUEST_EV_SAVE]          = stay,
	[GUEST_EV_RESET_FAILED]  = stay,
	[GUEST_EV_SEEN_ABSENT]   = go(ABSENT, SETTLE),
	[GUEST_EV_SEEN_RUNNING]  = stay,
	[GUEST_EV_SEEN_PAUSED]   = stay,
	[GUEST_EV_SEEN_SAVING]   = stay,
	[GUEST_EV_SEEN_PANICKED] = do_(DESTROY),
	[GUEST_EV_EXIT_CLEAN]    = go(STOPPED, SETTLE),
	[GUEST_EV_EXIT_FAULT]    = go(STOPPED, SETTLE),
	[GUEST_EV_STARTED]       = stay,
	[GUEST_EV_RESTORED]      = stay,
	[GUEST_EV_START_FAILED]  = go(STOPPED, SETTLE),
	[GUEST_EV_SAVE_FAILED]   = stay,
	[GUEST_EV_REFUSED]       = go(STOPPED, SETTLE),
	[GUEST_EV_REBOOT]        = stay,
	[GUEST_EV_OS_UP]         = stay,
	[GUEST_EV_READY]         = stay,
	[GUEST_EV_BOOT_DEAD]     = stay,
	[GUEST_EV_RETRY_DUE]     = stay,
	[GUEST_EV_GIVE_UP]       = stay,
},
/* One that we asked for ends with QEMU, or fails: then the guest is shut down instead. */
[GUEST_SAVING] = {
	[GUEST_EV_START]         = do_(REFUSE),
	[GUEST_EV_STOP]          = go(STOPPING, LADDER),
	[GUEST_EV_KILL]          = go(STOPPING, DESTROY),
	[GUEST_EV_SAVE]          = stay,
	[GUEST_EV_RESET_FAILED]  = stay,
	[GUEST_EV_SEEN_ABSENT]   = go(ABSENT, SETTLE),
	[GUEST_EV_SEEN_RUNNING]  = back_,
	[GUEST_EV_SEEN_PAUSED]   = go(PAUSED, NONE),
	[GUEST_EV_SEEN_SAVING]   = stay,
	[GUEST_EV_SEEN_PANICKED] = go(CRASHED, DESTROY),
	[GUEST_EV_EXIT_CLEAN]    = go(STOPPED, SETTLE),
	[GUEST_EV_EXIT_FAULT]    = go(CRASHED, RETRY),
	[GUEST_EV_STARTED]       = stay,
	[GUEST_EV_RESTORED]      = stay,
	[GUEST_EV_START_FAILED]  = stay,
	[GUEST_EV_SAVE_FAILED]   = go(STOPPING, LADDER),
	[GUEST_EV_REFUSED]       = stay,
	[GUEST_EV_REBOOT]        = stay,
	[GUEST_EV_OS_UP]         = stay,
	[GUEST_EV_READY]         = stay,
	[GUEST_EV_BOOT_DEAD]     = stay,
	[GUEST_EV_RETRY_DUE]     = stay,
	[GUEST_EV_GIVE_UP]       = stay,
},
/* What a paused guest is said to have done happened before the pause, and is read again when it
 * runs. */
[GUEST_PAUSED] = {
	[GUEST_EV_START]         = do_(REFUSE),
	[GUEST_EV_STOP]          = go(STOPPING, LADDER),
	[GUEST_EV_KILL]          = go(STOPPING, DESTROY),
	[GUEST_EV_SAVE]          = go(STOPPING, LADDER),
	[GUEST_EV_RESET_FAILED]  = stay,
	[GUEST_EV_SEEN_ABSENT]   = go(CRASHED, RETRY),
	[GUEST_EV_SEEN_RUNNING]  = back_,
	[GUEST_EV_SEEN_PAUSED]   = stay,
	[GUEST_EV_SEEN_SAVING]   = go(SAVING, NONE),
	[GUEST_EV_SEEN_PANICKED] = go(CRASHED, DESTROY),
	[GUEST_EV_EXIT_CLEAN]    = go(STOPPED, SETTLE),
	[GUEST_EV_EXIT_FAULT]    = go(CRASHED, RETRY),
	[GUEST_EV_STARTED]       = stay,
	[GUEST_EV_RESTORED]      = stay,
	[GUEST_EV_START_FAILED]  = stay,
	[GUEST_EV_SAVE_FAILED]   = stay,
	[GUEST_EV_REFUSED]       = stay,
	[GUEST_EV_REBOOT]        = stay,
	[GUEST_EV_OS_UP]         = stay,
	[GUEST_EV_READY]         = stay,
	[GUEST_EV_BOOT_DEAD]     = stay,
	[GUEST_EV_RETRY_DUE]     = stay,
	[GUEST_EV_GIVE_UP]       = stay,
},
/* QEMU may still be there: a destroy is in flight, and its end arrives as an exit. */
[GUEST_CRASHED] = {
	[GUEST_EV_START]         = go(STARTING, START),
	[GUEST_EV_STOP]          = go(STOPPING, DESTROY),
	[GUEST_EV_KILL]          = go(STOPPING, DESTROY),
	[GUEST_EV_SAVE]          = go(STOPPING, DESTROY),
	[GUEST_EV_RESET_FAILED]  = stay,
	[GUEST_EV_SEEN_ABSENT]   = do_(RETRY),
	[GUEST_EV_SEEN_RUNNING]  = stay,
	[GUEST_EV_SEEN_PAUSED]   = stay,
	[GUEST_EV_SEEN_SAVING]   = stay,
	[GUEST_EV_SEEN_PANICKED] = do_(DESTROY),
	[GUEST_EV_EXIT_CLEAN]    = do_(RETRY),
	[GUEST_EV_EXIT_FAULT]    = do_(RETRY),
	[GUEST_EV_STARTED]       = go(BOOTING, BOOT),
	[GUEST_EV_RESTORED]      = go(RUNNING, RESTORE),
	[GUEST_EV_START_FAILED]  = do_(RETRY),
	[GUEST_EV_SAVE_FAILED]   = stay,
	[GUEST_EV_REFUSED]       = go(STOPPED, NONE),
	[GUEST_EV_REBOOT]        = stay,
	[GUEST_EV_OS_UP]         = stay,
	[GUEST_EV_READY]         = stay,
	[GUEST_EV_BOOT_DEAD]     = do_(DESTROY),
	[GUEST_EV_RETRY_DUE]     = go(STARTING, START),
	[GUEST_EV_GIVE_UP]       = go(FAILED, NONE),
},
[GUEST_FAILED] = {
	[GUEST_EV_START]         = do_(REFUSE),
	[GUEST_EV_STOP]          = do_(SETTLE),
	[GUEST_EV_KILL]          = do_(DESTROY),
	[GUEST_EV_SAVE]          = do_(SETTLE),
	[GUEST_EV_RESET_FAILED]  = go(STOPPED, SETTLE),
	[GUEST_EV_SEEN_ABSENT]   = stay,
	[GUEST_EV_SEEN_RUNNING]  = go(BOOTING, ADOPT),
	[GUEST_EV_SEEN_PAUSED]   = go(PAUSED, ADOPT),
	[GUEST_EV_SEEN_SAVING]   = go(SAVING, ADOPT),
	[GUEST_EV_SEEN_PANICKED] = do_(DESTROY),
	[GUEST_EV_EXIT_CLEAN]    = stay,
	[GUEST_EV_EXIT_FAULT]    = stay,
	[GUEST_EV_STARTED]       = go(BOOTING, BOOT),
	[GUEST_EV_RESTORED]      = go(RUNNING, RESTORE),
	[GUEST_EV_START_FAILED]  = stay,
	[GUEST_EV_SAVE_FAILED]   = stay,
	[GUEST_EV_REFUSED]       = stay,
	[GUEST_EV_REBOOT]        = stay,
	[GUEST_EV_OS_UP]         = stay,
	[GUEST_EV_READY]         = stay,
	[GUEST_EV_BOOT_DEAD]     = stay,
	[GUEST_EV_RETRY_DUE]     = stay,
	[GUEST_EV_GIVE_UP]       = stay,
},
};
/* clang-format on */

struct lifecycle_step lifecycle_step(enum guest_state state, enum guest_event event)
{
	const struct cell *c = &table[state][event];

	assert(c->written);
	return (struct lifecycle_step){
		.next = c->moves ? c->next : state,
		.action = c->action,
		.back = c->back,
	};
}

bool guest_state_has_qemu(enum guest_state state)
{
	return state >= GUEST_STARTING && state <= GUEST_CRASHED;
}

bool guest_state_probes(enum guest_state state)
{
	return state == GUEST_BOOTING || state == GUEST_RUNNING || state == GUEST_READY ||
	       state == GUEST_STOPPING || state == GUEST_SAVING || state == GUEST_PAUSED;
}

bool guest_state_inconclusive(enum guest_state state, const char **ret_why)
{
	static const char *const why[GUEST_STATE_NUM] = {
		[GUEST_STOPPING] = "the guest is being stopped",
		[GUEST_SAVING] = "the guest is being saved",
		[GUEST_PAUSED] = "the guest is paused",
	};

	if (ret_why)
		*ret_why = why[state];
	return why[state] != NULL;
}
