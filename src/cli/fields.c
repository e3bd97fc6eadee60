/* SPDX-License-Identifier: Apache-2.0 */
/* Which D-Bus property fills which field of the view. */
#include "cli/fields.h"

#include "cli/view.h"

#include <string.h>

#define FIELD(type, name, what, member)                                                            \
	{                                                                                          \
		name, what, offsetof(struct type, member), sizeof(((struct type *)0)->member)      \
	}

const struct field manager_fields[] = {
	FIELD(view, "Version", 's', version),
	FIELD(view, "Began", 't', began),
	FIELD(view, "ConfigDirectory", 's', config_dir),
	FIELD(view, "StateDirectory", 's', state_dir),
	FIELD(view, "ConnectionURI", 's', uri),
	FIELD(view, "Connected", 'b', connected),
	FIELD(view, "ConnectionMessage", 's', connection_message),
	FIELD(view, "ConnectionSince", 't', connection_since),
	FIELD(view, "WedgedQueues", 'u', wedged_queues),
	FIELD(view, "StoreTrouble", 's', store_trouble),
	FIELD(view, "PoolReserve", 't', pool_reserve),
	FIELD(view, "PoolCritical", 't', pool_critical),
	FIELD(view, "PoolTotal", 't', pool_total),
	FIELD(view, "PoolAvailable", 't', pool_available),
	FIELD(view, "PoolNeed", 't', pool_need),
	FIELD(view, "PoolEnter", 't', pool_enter),
	FIELD(view, "PoolLeave", 't', pool_leave),
	FIELD(view, "PoolPressed", 'b', pool_pressed),
	FIELD(view, "PoolBelowCritical", 'b', pool_below_critical),
	FIELD(view, "PoolDegraded", 'b', pool_degraded),
	{ 0 },
};

const struct field guest_fields[] = {
	FIELD(view_guest, "UUID", 's', uuid),
	FIELD(view_guest, "Hostname", 's', hostname),
	FIELD(view_guest, "User", 's', user),
	FIELD(view_guest, "Arch", 's', arch),
	FIELD(view_guest, "CPUs", 'u', cpus),
	FIELD(view_guest, "MemoryConfigured", 't', memory_configured),
	FIELD(view_guest, "State", 's', state),
	FIELD(view_guest, "StateSince", 't', state_since),
	FIELD(view_guest, "Reason", 's', reason),
	FIELD(view_guest, "Want", 's', want),
	FIELD(view_guest, "Healthy", 'b', healthy),
	FIELD(view_guest, "HealthySince", 't', healthy_since),
	FIELD(view_guest, "Accelerator", 's', accelerator),
	FIELD(view_guest, "StartedAt", 't', started_at),
	FIELD(view_guest, "BootStage", 's', boot_stage),
	FIELD(view_guest, "BootStageSince", 't', boot_stage_since),
	FIELD(view_guest, "BootHint", 's', boot_hint),
	FIELD(view_guest, "BootBegan", 't', boot_began),
	FIELD(view_guest, "BootExpected", 't', boot_expected),
	FIELD(view_guest, "BootDeadline", 't', boot_deadline),
	FIELD(view_guest, "BootStuck", 'b', boot_stuck),
	FIELD(view_guest, "CloudInitStatus", 's', cloudinit_status),
	FIELD(view_guest, "CloudInitStage", 's', cloudinit_stage),
	FIELD(view_guest, "CloudInitErrors", 'u', cloudinit_errors),
	FIELD(view_guest, "CloudInitWarnings", 'u', cloudinit_warnings),
	FIELD(view_guest, "CloudInitQuote", 's', cloudinit_quote),
	FIELD(view_guest, "Boots", 'u', boots),
	FIELD(view_guest, "RetryAt", 't', retry_at),
	FIELD(view_guest, "Faults", 'u', faults),
	FIELD(view_guest, "FaultLimit", 'u', fault_limit),
	FIELD(view_guest, "LadderRung", 's', ladder_rung),
	FIELD(view_guest, "LadderPresses", 'u', ladder_presses),
	FIELD(view_guest, "LadderSince", 't', ladder_since),
	FIELD(view_guest, "LadderUntil", 't', ladder_until),
	FIELD(view_guest, "LadderLine", 's', ladder_line),
	FIELD(view_guest, "MemoryActual", 't', memory_actual),
	FIELD(view_guest, "MemoryMaximum", 't', memory_maximum),
	FIELD(view_guest, "MemoryUsable", 't', memory_usable),
	FIELD(view_guest, "MemoryAvailable", 't', memory_available),
	FIELD(view_guest, "MemoryRSS", 't', memory_rss),
	FIELD(view_guest, "MemoryTarget", 't', memory_target),
	FIELD(view_guest, "StatsAt", 't', stats_at),
	FIELD(view_guest, "BalloonMode", 's', balloon_mode),
	FIELD(view_guest, "BalloonUntil", 't', balloon_until),
	FIELD(view_guest, "BalloonAction", 's', balloon_action),
	FIELD(view_guest, "BalloonReason", 's', balloon_reason),
	FIELD(view_guest, "BalloonTarget", 't', balloon_target),
	FIELD(view_guest, "BalloonFloor", 't', balloon_floor),
	FIELD(view_guest, "BalloonOnTrial", 'b', balloon_on_trial),
	FIELD(view_guest, "BalloonAsideUntil", 't', balloon_aside_until),
	FIELD(view_guest, "BalloonGrows", 'u', balloon_grows),
	FIELD(view_guest, "BalloonShrinks", 'u', balloon_shrinks),
	FIELD(view_guest, "BalloonReturns", 'u', balloon_returns),
	FIELD(view_guest, "CPUWeight", 'u', cpu_weight),
	FIELD(view_guest, "CPUQuota", 'u', cpu_quota),
	FIELD(view_guest, "CPUTune", 's', cpu_tune),
	FIELD(view_guest, "CPUTuneReason", 's', cpu_tune_reason),
	FIELD(view_guest, "Pid", 'x', pid),
	FIELD(view_guest, "LastExitCause", 's', exit_cause),
	FIELD(view_guest, "LastExitWords", 's', exit_words),
	FIELD(view_guest, "LastExitAt", 't', exit_at),
	FIELD(view_guest, "FileSystem", 's', fs_word),
	FIELD(view_guest, "FileSystemWords", 's', fs_words),
	FIELD(view_guest, "SSHPort", 'q', ssh_port),
	FIELD(view_guest, "Bind", 's', bind),
	FIELD(view_guest, "Egress", 's', egress),
	FIELD(view_guest, "AgentConnected", 'b', agent),
	FIELD(view_guest, "ConsoleOpen", 'b', console),
	FIELD(view_guest, "Starved", 'b', starved),
	FIELD(view_guest, "StarvedReason", 's', starved_reason),
	FIELD(view_guest, "StarvedSince", 't', starved_since),
	FIELD(view_guest, "Seen", 'b', seen),
	FIELD(view_guest, "SeenAge", 't', seen_age),
	FIELD(view_guest, "Wedged", 'b', wedged),
	{ 0 },
};

const struct field service_fields[] = {
	FIELD(view_service, "Purpose", 's', purpose),
	FIELD(view_service, "Unit", 's', unit),
	FIELD(view_service, "Port", 'q', port),
	FIELD(view_service, "HostPort", 'q', host_port),
	FIELD(view_service, "Probe", 's', probe),
	FIELD(view_service, "Expect", 's', expect),
	FIELD(view_service, "DependsOn", 'a', depends_on),
	FIELD(view_service, "BlockedBy", 's', blocked_by),
	FIELD(view_service, "Watched", 'b', watched),
	FIELD(view_service, "State", 's', state),
	FIELD(view_service, "StateSince", 't', state_since),
	FIELD(view_service, "Verdict", 's', verdict),
	FIELD(view_service, "VerdictAt", 't', verdict_at),
	FIELD(view_service, "VerdictReason", 's', reason),
	FIELD(view_service, "Latency", 't', latency),
	FIELD(view_service, "Successes", 'u', successes),
	FIELD(view_service, "Failures", 'u', failures),
	FIELD(view_service, "Rise", 'u', rise),
	FIELD(view_service, "Fall", 'u', fall),
	FIELD(view_service, "Restored", 'b', restored),
	FIELD(view_service, "Proven", 'b', proven),
	FIELD(view_service, "ReportVersion", 's', version),
	{ 0 },
};

const struct field *field_find(const struct field *fields, const char *name)
{
	for (; fields->name; fields++)
		if (strcmp(fields->name, name) == 0)
			return fields;
	return NULL;
}
