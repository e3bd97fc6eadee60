/* SPDX-License-Identifier: Apache-2.0 */
/* The words for the enums of io/hv.h, as they appear in the log, in status and in JSON. */
#include "io/hv.h"

static const char *const hv_domain_state_names[] = {
	[HV_DOMAIN_ABSENT] = "absent",
	[HV_DOMAIN_OFF] = "off",
	[HV_DOMAIN_RUNNING] = "running",
	[HV_DOMAIN_PAUSED] = "paused",
	[HV_DOMAIN_SHUTDOWN] = "shutdown",
	[HV_DOMAIN_CRASHED] = "crashed",
};
NAME_TABLE_DEFINE(hv_domain_state, enum hv_domain_state, HV_DOMAIN_STATE_NUM);

static const char *const hv_reason_names[] = {
	[HV_REASON_UNKNOWN] = "unknown",
	[HV_REASON_BOOTED] = "booted",
	[HV_REASON_RESTORED] = "restored",
	[HV_REASON_SHUTDOWN] = "shutdown",
	[HV_REASON_DESTROYED] = "destroyed",
	[HV_REASON_CRASHED] = "crashed",
	[HV_REASON_PANICKED] = "panicked",
	[HV_REASON_SAVED] = "saved",
	[HV_REASON_FAILED] = "failed",
	[HV_REASON_DAEMON] = "daemon",
	[HV_REASON_USER] = "user",
	[HV_REASON_IOERROR] = "ioerror",
	[HV_REASON_NO_SPACE] = "no-space",
	[HV_REASON_WATCHDOG] = "watchdog",
	[HV_REASON_SAVING] = "saving",
	[HV_REASON_STARTING_UP] = "starting-up",
};
NAME_TABLE_DEFINE(hv_reason, enum hv_reason, HV_REASON_NUM);

static const char *const hv_verb_names[] = {
	[HV_READ] = "read",
	[HV_START] = "start",
	[HV_ACPI] = "acpi",
	[HV_AGENT_SHUTDOWN] = "agent-shutdown",
	[HV_RESUME] = "resume",
	[HV_QUIT] = "quit",
	[HV_DESTROY] = "destroy",
	[HV_SETMEM] = "setmem",
	[HV_STATS] = "stats",
	[HV_AGENT] = "agent",
	[HV_SAVE] = "save",
	[HV_SAVE_ABORT] = "save-abort",
	[HV_CPU_TUNE] = "cpu-tune",
	[HV_DISK] = "disk",
	[HV_BACKUP] = "backup",
	[HV_BACKUP_LOOK] = "backup-look",
	[HV_BACKUP_ABORT] = "backup-abort",
};
NAME_TABLE_DEFINE(hv_verb, enum hv_verb, HV_VERB_NUM);

static const char *const hv_hint_names[] = {
	[HV_HINT_CONNECTED] = "connected",
	[HV_HINT_DISCONNECTED] = "disconnected",
	[HV_HINT_CHANGED] = "changed",
	[HV_HINT_RESET] = "reset",
	[HV_HINT_PANICKED] = "panicked",
	[HV_HINT_POWEROFF] = "poweroff",
	[HV_HINT_TERMINATED] = "terminated",
	[HV_HINT_WATCHDOG] = "watchdog",
	[HV_HINT_DISK] = "disk",
	[HV_HINT_AGENT] = "agent",
	[HV_HINT_BALLOON] = "balloon",
};
NAME_TABLE_DEFINE(hv_hint, enum hv_hint, HV_HINT_NUM);
