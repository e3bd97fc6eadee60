/* SPDX-License-Identifier: Apache-2.0 */
/* A guest's object, com.pointsav.MediaKit1.Guest at …/guest/<name>.
 * units/com.pointsav.MediaKit1.xml says what each member means, and a test holds the two against
 * each other. Texts are printable. */
#include "base/log.h"
#include "bus/call.h"
#include "bus/memory.h"
#include "bus/object.h"
#include "bus/relay.h"
#include "bus/snapshots.h"
#include "bus/story.h"
#include "bus/tally.h"

#include <errno.h>
#include <string.h>

static bool runs(const struct guest *g)
{
	return guest_state_has_qemu(g->state);
}

static bool wedged(const struct guest *g)
{
	struct hv *hv = g->supervisor->config.hv;

	return hv && hv->vtable->wedged(hv, g->spec->uuid);
}

static const char *accelerator(const struct guest *g)
{
	/* Until the start's answer the facts are those of the run before. */
	if (!runs(g) || !g->seen || g->state == GUEST_STARTING)
		return "";
	return g->facts.tcg ? "tcg" : "kvm";
}

/* Nothing is known of memory before the first statistics. */
static uint64_t stat_of(const struct guest *g, uint64_t value)
{
	return g->stats_at && runs(g) ? value : HV_STAT_ABSENT;
}

static bool coming_up(const struct guest *g)
{
	return g->state == GUEST_BOOTING || g->state == GUEST_RUNNING;
}

/* Of a run that is over nothing is told. */
static const struct cloudinit_status *cloudinit(const struct guest *g)
{
	static const struct cloudinit_status none;

	return runs(g) ? &g->bootwatch.cloudinit : &none;
}

GETTER_TEXT(name, t->guest->spec->name)
GETTER_TEXT(uuid, t->guest->spec->uuid)
GETTER_TEXT(hostname, t->guest->spec->hostname)
GETTER_TEXT(user, t->guest->spec->user)
GETTER_TEXT(arch, arch_to_string(t->guest->spec->arch))
GETTER_U32(cpus, t->guest->spec->cpus)
GETTER_U64(memory_configured, t->guest->spec->memory_kib)
GETTER_TEXT(state, guest_state_to_string(t->guest->state))
GETTER_U64(state_since, t->guest->state_since_realtime)
GETTER_TEXT(reason, t->guest->reason)
GETTER_TEXT(want, want_to_string(t->guest->want))
GETTER_BOOL(healthy, t->guest->healthy)
GETTER_U64(healthy_since, t->guest->healthy_since_realtime)
GETTER_TEXT(accelerator, accelerator(t->guest))
GETTER_U64(started_at, runs(t->guest) ? t->guest->started_at_realtime : 0)
GETTER_TEXT(boot_stage, runs(t->guest) ? boot_stage_to_string(t->guest->boot.stage) : "")
GETTER_U64(boot_stage_since, runs(t->guest) ? realtime_of(t->guest->boot.stage_since) : 0)
GETTER_TEXT(boot_hint, runs(t->guest) ? t->guest->boot.hint : "")
GETTER_U64(boot_began, runs(t->guest) ? realtime_of(t->guest->boot.began) : 0)
GETTER_U64(boot_expected, coming_up(t->guest) ? t->guest->bootwatch.expected : 0)
GETTER_U64(boot_deadline, coming_up(t->guest) ? realtime_of(t->guest->bootwatch.deadline) : 0)
GETTER_BOOL(boot_stuck, runs(t->guest) && t->guest->bootwatch.stuck)
GETTER_TEXT(cloudinit_status, cloudinit_state_to_string(cloudinit(t->guest)->state))
GETTER_TEXT(cloudinit_stage, cloudinit(t->guest)->stage)
GETTER_U32(cloudinit_errors, cloudinit(t->guest)->errors)
GETTER_U32(cloudinit_warnings, cloudinit(t->guest)->warnings)
GETTER_TEXT(cloudinit_quote, cloudinit(t->guest)->quote)
GETTER_U32(boots, t->guest->boots)
GETTER_U64(retry_at, t->guest->state == GUEST_CRASHED && t->guest->retry_due != USEC_INFINITY
			     ? realtime_of(t->guest->retry_due)
			     : 0)
GETTER_U32(faults,
	restart_inside(&t->guest->restart, t->guest->spec->restart_window, now_boottime()))
GETTER_U32(fault_limit, t->guest->spec->restart_limit)
GETTER_TEXT(ladder_rung, rung_to_string(t->guest->ladder.began ? t->guest->ladder.rung : RUNG_NONE))
GETTER_U32(ladder_presses, t->guest->ladder.began ? t->guest->ladder.presses : 0)
GETTER_U64(ladder_since, realtime_of(t->guest->ladder.began))
GETTER_TEXT(ladder_line, t->guest->ladder.began ? t->guest->hearing.halt.at : "")
GETTER_U64(ladder_until, realtime_of(shutdown_end(&t->guest->ladder)))
GETTER_U64(memory_actual, stat_of(t->guest, t->guest->stats.balloon_kib))
GETTER_U64(memory_maximum, stat_of(t->guest, t->guest->stats.maximum_kib))
GETTER_U64(memory_usable, stat_of(t->guest, t->guest->stats.usable_kib))
GETTER_U64(memory_available, stat_of(t->guest, t->guest->stats.available_kib))
GETTER_U64(memory_rss, stat_of(t->guest, t->guest->stats.rss_kib))
GETTER_U64(memory_target, t->guest->ballooning.override_kib)
GETTER_U64(stats_at, runs(t->guest) ? realtime_of(t->guest->stats_at) : 0)
PROPERTY_GETTER(pid, "x", int64_t, runs(t->guest) ? t->guest->facts.pid : 0)
GETTER_TEXT(exit_cause, cause_to_string(t->guest->last_exit.cause))
GETTER_TEXT(exit_words, t->guest->last_exit.words)
GETTER_U64(exit_at, t->guest->last_exit.at_realtime)
GETTER_TEXT(fs_word, fs_word_to_string(t->guest->hearing.fs.word))
GETTER_TEXT(fs_words, t->guest->hearing.fs_words)
GETTER_TEXT(glibc, image_glibc(&t->guest->image))
GETTER_TEXT(glibc_source, image_glibc_source(&t->guest->image))
GETTER_TEXT(glibc_min, t->guest->spec->glibc_min ?: "")
GETTER_TEXT(last_start, start_kind_to_string(t->guest->saving.kind))
GETTER_TEXT(last_start_reason, t->guest->saving.start_words)
GETTER_U64(saved_at, t->guest->saving.kept_at_realtime)
#define SNAPSHOT(g) (&(g)->snapshotting)
#define MAKES_SNAPSHOT(g) (SNAPSHOT(g)->phase > SNAPSHOT_NONE)
GETTER_TEXT(snapshot_phase, snapshot_phase_to_string(SNAPSHOT(t->guest)->phase))
GETTER_U64(snapshot_since,
	MAKES_SNAPSHOT(t->guest) ? realtime_of(SNAPSHOT(t->guest)->began) : 0)
GETTER_U64(snapshot_copied, MAKES_SNAPSHOT(t->guest) ? SNAPSHOT(t->guest)->copied : 0)
GETTER_U64(snapshot_total, MAKES_SNAPSHOT(t->guest) ? SNAPSHOT(t->guest)->total : 0)
GETTER_U64(snapshot_tried, SNAPSHOT(t->guest)->tried_realtime)
GETTER_BOOL(snapshot_failed, SNAPSHOT(t->guest)->failed)
GETTER_TEXT(snapshot_result, SNAPSHOT(t->guest)->result)
GETTER_U64(snapshot_at,
	SNAPSHOT(t->guest)->n ? SNAPSHOT(t->guest)->list[SNAPSHOT(t->guest)->n - 1].at_realtime : 0)
GETTER_U32(snapshots, SNAPSHOT(t->guest)->n)
GETTER_PORT(ssh_port, t->guest->spec->ssh_port)
GETTER_TEXT(bind, t->guest->spec->bind)
GETTER_TEXT(egress, egress_to_string(t->guest->spec->egress))
GETTER_BOOL(agent, runs(t->guest) && t->guest->facts.agent_connected)
GETTER_BOOL(console, runs(t->guest) && t->guest->facts.console_open)
GETTER_BOOL(starved, t->guest->starving.told)
GETTER_TEXT(starved_reason, t->guest->starving.policy.reason)
GETTER_U64(starved_since, t->guest->starving.told ? t->guest->starving.since_realtime : 0)
GETTER_BOOL(seen, t->guest->seen)
GETTER_U64(seen_age, t->guest->seen ? usec_sub(now_boottime(), t->guest->seen_at) : 0)
GETTER_BOOL(wedged, wedged(t->guest))

static const char *balloon_mode(const struct guest *g)
{
	return g->ballooning.override_kib ? "override" : balloon_mode_to_string(g->spec->balloon);
}

static const struct balloon_decision *decision(const struct guest *g)
{
	static const struct balloon_decision none;

	return g->ballooning.decided && runs(g) ? &g->ballooning.last : &none;
}

#define DECIDED(g) ((g)->ballooning.decided && runs(g))
GETTER_TEXT(balloon_mode, balloon_mode(t->guest))
GETTER_U64(balloon_until,
	t->guest->ballooning.override_kib && t->guest->ballooning.override_until != USEC_INFINITY
		? realtime_of(t->guest->ballooning.override_until)
		: 0)
GETTER_TEXT(balloon_action,
	DECIDED(t->guest) ? balloon_action_to_string(decision(t->guest)->action) : "")
GETTER_TEXT(balloon_reason,
	DECIDED(t->guest) ? balloon_reason_to_string(decision(t->guest)->reason) : "")
GETTER_U64(balloon_target, decision(t->guest)->target_kib)
GETTER_U64(balloon_floor, decision(t->guest)->floor_kib)
GETTER_BOOL(balloon_trial, decision(t->guest)->on_trial)
GETTER_U64(balloon_aside, realtime_of(decision(t->guest)->aside_until))
GETTER_U32(balloon_grows, t->guest->ballooning.grows)
GETTER_U32(balloon_shrinks, t->guest->ballooning.shrinks)
GETTER_U32(balloon_returns, t->guest->ballooning.returns)
GETTER_U32(cpu_weight, t->guest->spec->cpu_weight)
GETTER_U32(cpu_quota, t->guest->spec->cpu_quota_pct)
GETTER_TEXT(cpu_tune, cputune_effect_to_string(t->guest->cputune.effect))
GETTER_TEXT(cpu_tune_reason, t->guest->cputune.words)

#define METHOD_OPERATION(name, kind)                                                               \
	static int method_##name(sd_bus_message *m, void *userdata, sd_bus_error *error)           \
	{                                                                                          \
		return call_begin(m, userdata, kind, 0, 0, error);                                 \
	}
METHOD_OPERATION(start, OPERATION_START)
METHOD_OPERATION(stop, OPERATION_STOP)
METHOD_OPERATION(restart, OPERATION_RESTART)
METHOD_OPERATION(kill, OPERATION_KILL)
METHOD_OPERATION(save, OPERATION_SAVE)
METHOD_OPERATION(snapshot, OPERATION_SNAPSHOT)

static int method_host_shutdown(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const struct bus_target *t = userdata;
	bool save = t->guest->spec->on_host == ON_HOST_SAVE;

	return call_begin(m, t, save ? OPERATION_SAVE : OPERATION_STOP, 0, 0, error);
}

static int method_set_balloon(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	uint64_t kib;
	int r = sd_bus_message_read(m, "t", &kib);

	return r < 0 ? r : call_begin(m, userdata, OPERATION_BALLOON, kib, 0, error);
}

static int method_set_balloon_for(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	uint64_t kib, span;
	int r = sd_bus_message_read(m, "tt", &kib, &span);

	return r < 0 ? r : call_begin(m, userdata, OPERATION_BALLOON, kib, span, error);
}

static int method_dry_run(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	return memory_reply_dry_run(m, ((struct bus_target *)userdata)->guest, error);
}

static int method_reset_failed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const struct bus_target *t = userdata;
	char who[64];

	(void)error;
	guest_reset_failed(t->guest, caller_words(t->server, m, who, sizeof(who)), now_boottime());
	return sd_bus_reply_method_return(m, NULL);
}

static int method_open_console(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const struct bus_target t = *(struct bus_target *)userdata;
	CLEANUP_CLOSE int fd = -1;
	uint32_t tail;
	char who[64];

	int r = sd_bus_message_read(m, "u", &tail);
	if (r < 0)
		return r;
	r = relay_new(t.server, t.guest, tail, &fd);
	if (r == -EBUSY)
		return bus_error_set(error, r, "the console has as many readers as it takes");
	if (r < 0)
		return bus_error_set(error, r, NULL);
	event_note(t.guest, EVENT_REQUEST, NULL, LOG_INFO, "console opened by %s",
		caller_words(t.server, m, who, sizeof(who)));
	return sd_bus_reply_method_return(m, "h", fd);
}

static int method_console_tail(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const struct guest *g = ((struct bus_target *)userdata)->guest;
	CLEANUP_FREE char *buf = malloc(CONSOLE_RING);
	sd_bus_message *reply = NULL;

	(void)error;
	if (!buf)
		return -ENOMEM;
	size_t len = console_tail(&g->console, buf, CONSOLE_RING);
	int r = sd_bus_message_new_method_return(m, &reply);
	if (r >= 0)
		r = sd_bus_message_append_array(reply, 'y', buf, len);
	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r;
}

static int method_list_events(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const struct bus_target *t = userdata;

	(void)error;
	return story_list_events(m, t->server->supervisor, t->guest);
}

static int method_why(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	return story_why(m, ((struct bus_target *)userdata)->guest, error);
}

static int method_history(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	(void)error;
	return tally_reply_history(m, ((struct bus_target *)userdata)->guest, now_boottime());
}

#define CONSTANT(name, type, getter)                                                               \
	SD_BUS_PROPERTY(name, type, getter, 0, SD_BUS_VTABLE_PROPERTY_CONST)
#define CHANGING(name, type, getter)                                                               \
	SD_BUS_PROPERTY(name, type, getter, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)
#define OPERATION(name, handler)                                                                   \
	SD_BUS_METHOD_WITH_NAMES(                                                                  \
		name, "", , "s", SD_BUS_PARAM(message), handler, SD_BUS_VTABLE_UNPRIVILEGED)

const sd_bus_vtable guest_vtable[] = {
	SD_BUS_VTABLE_START(0),
	CONSTANT("Name", "s", get_name),
	CONSTANT("UUID", "s", get_uuid),
	CHANGING("Hostname", "s", get_hostname),
	CHANGING("User", "s", get_user),
	CHANGING("Arch", "s", get_arch),
	CHANGING("CPUs", "u", get_cpus),
	CHANGING("MemoryConfigured", "t", get_memory_configured),
	CHANGING("State", "s", get_state),
	CHANGING("StateSince", "t", get_state_since),
	CHANGING("Reason", "s", get_reason),
	CHANGING("Want", "s", get_want),
	CHANGING("Healthy", "b", get_healthy),
	CHANGING("HealthySince", "t", get_healthy_since),
	CHANGING("Accelerator", "s", get_accelerator),
	CHANGING("StartedAt", "t", get_started_at),
	CHANGING("BootStage", "s", get_boot_stage),
	CHANGING("BootStageSince", "t", get_boot_stage_since),
	CHANGING("BootHint", "s", get_boot_hint),
	CHANGING("BootBegan", "t", get_boot_began),
	CHANGING("BootExpected", "t", get_boot_expected),
	CHANGING("BootDeadline", "t", get_boot_deadline),
	CHANGING("BootStuck", "b", get_boot_stuck),
	CHANGING("CloudInitStatus", "s", get_cloudinit_status),
	CHANGING("CloudInitStage", "s", get_cloudinit_stage),
	CHANGING("CloudInitErrors", "u", get_cloudinit_errors),
	CHANGING("CloudInitWarnings", "u", get_cloudinit_warnings),
	CHANGING("CloudInitQuote", "s", get_cloudinit_quote),
	CHANGING("Boots", "u", get_boots),
	CHANGING("RetryAt", "t", get_retry_at),
	CHANGING("Faults", "u", get_faults),
	CHANGING("FaultLimit", "u", get_fault_limit),
	CHANGING("LadderRung", "s", get_ladder_rung),
	CHANGING("LadderPresses", "u", get_ladder_presses),
	CHANGING("LadderSince", "t", get_ladder_since),
	CHANGING("LadderUntil", "t", get_ladder_until),
	CHANGING("LadderLine", "s", get_ladder_line),
	CHANGING("MemoryActual", "t", get_memory_actual),
	CHANGING("MemoryMaximum", "t", get_memory_maximum),
	CHANGING("MemoryUsable", "t", get_memory_usable),
	CHANGING("MemoryAvailable", "t", get_memory_available),
	CHANGING("MemoryRSS", "t", get_memory_rss),
	CHANGING("MemoryTarget", "t", get_memory_target),
	CHANGING("StatsAt", "t", get_stats_at),
	CHANGING("BalloonMode", "s", get_balloon_mode),
	CHANGING("BalloonUntil", "t", get_balloon_until),
	CHANGING("BalloonAction", "s", get_balloon_action),
	CHANGING("BalloonReason", "s", get_balloon_reason),
	CHANGING("BalloonTarget", "t", get_balloon_target),
	CHANGING("BalloonFloor", "t", get_balloon_floor),
	CHANGING("BalloonOnTrial", "b", get_balloon_trial),
	CHANGING("BalloonAsideUntil", "t", get_balloon_aside),
	CHANGING("BalloonGrows", "u", get_balloon_grows),
	CHANGING("BalloonShrinks", "u", get_balloon_shrinks),
	CHANGING("BalloonReturns", "u", get_balloon_returns),
	CHANGING("CPUWeight", "u", get_cpu_weight),
	CHANGING("CPUQuota", "u", get_cpu_quota),
	CHANGING("CPUTune", "s", get_cpu_tune),
	CHANGING("CPUTuneReason", "s", get_cpu_tune_reason),
	CHANGING("Pid", "x", get_pid),
	CHANGING("LastExitCause", "s", get_exit_cause),
	CHANGING("LastExitWords", "s", get_exit_words),
	CHANGING("LastExitAt", "t", get_exit_at),
	CHANGING("FileSystem", "s", get_fs_word),
	CHANGING("FileSystemWords", "s", get_fs_words),
	CHANGING("Glibc", "s", get_glibc),
	CHANGING("GlibcMin", "s", get_glibc_min),
	CHANGING("GlibcSource", "s", get_glibc_source),
	CHANGING("LastStart", "s", get_last_start),
	CHANGING("LastStartReason", "s", get_last_start_reason),
	CHANGING("SavedAt", "t", get_saved_at),
	CHANGING("SnapshotPhase", "s", get_snapshot_phase),
	CHANGING("SnapshotSince", "t", get_snapshot_since),
	CHANGING("SnapshotCopied", "t", get_snapshot_copied),
	CHANGING("SnapshotTotal", "t", get_snapshot_total),
	CHANGING("SnapshotTriedAt", "t", get_snapshot_tried),
	CHANGING("SnapshotFailed", "b", get_snapshot_failed),
	CHANGING("SnapshotResult", "s", get_snapshot_result),
	CHANGING("SnapshotAt", "t", get_snapshot_at),
	CHANGING("Snapshots", "u", get_snapshots),
	CHANGING("SSHPort", "q", get_ssh_port),
	CHANGING("Bind", "s", get_bind),
	CHANGING("Egress", "s", get_egress),
	CHANGING("AgentConnected", "b", get_agent),
	CHANGING("ConsoleOpen", "b", get_console),
	CHANGING("Starved", "b", get_starved),
	CHANGING("StarvedReason", "s", get_starved_reason),
	CHANGING("StarvedSince", "t", get_starved_since),
	CHANGING("Seen", "b", get_seen),
	SD_BUS_PROPERTY("SeenAge", "t", get_seen_age, 0, 0),
	SD_BUS_PROPERTY("Wedged", "b", get_wedged, 0, 0),
	OPERATION("Start", method_start),
	OPERATION("Stop", method_stop),
	OPERATION("Restart", method_restart),
	OPERATION("Kill", method_kill),
	OPERATION("Save", method_save),
	OPERATION("HostShutdown", method_host_shutdown),
	OPERATION("Snapshot", method_snapshot),
	SD_BUS_METHOD("CancelSnapshot", "", "", snapshots_method_cancel,
		SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_NAMES("DeleteSnapshot", "t", SD_BUS_PARAM(name), "s",
		SD_BUS_PARAM(message), snapshots_method_delete, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_NAMES("ListSnapshots", "", , "a(" SNAPSHOTS_ROW ")",
		SD_BUS_PARAM(snapshots), snapshots_method_list, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_NAMES("SetBalloon", "t", SD_BUS_PARAM(kib), "s", SD_BUS_PARAM(message),
		method_set_balloon, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_NAMES("SetBalloonFor", "tt", SD_BUS_PARAM(kib) SD_BUS_PARAM(span), "s",
		SD_BUS_PARAM(message), method_set_balloon_for, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_NAMES("DryRunBalloon", "", , MEMORY_DECISION,
		SD_BUS_PARAM(action) SD_BUS_PARAM(reason) SD_BUS_PARAM(from) SD_BUS_PARAM(target)
			SD_BUS_PARAM(floor) SD_BUS_PARAM(slack) SD_BUS_PARAM(need),
		method_dry_run, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("ResetFailed", "", "", method_reset_failed, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_NAMES("OpenConsole", "u", SD_BUS_PARAM(tail), "h", SD_BUS_PARAM(socket),
		method_open_console, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_NAMES("ConsoleTail", "", , "ay", SD_BUS_PARAM(bytes),
		method_console_tail, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_NAMES("ListEvents", "ttu",
		SD_BUS_PARAM(after) SD_BUS_PARAM(since) SD_BUS_PARAM(max), "a(" STORY_EVENT ")",
		SD_BUS_PARAM(events), method_list_events, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_NAMES("History", "", , TALLY_HISTORY,
		SD_BUS_PARAM(newest) SD_BUS_PARAM(step) SD_BUS_PARAM(balloon_mib)
			SD_BUS_PARAM(usable_mib) SD_BUS_PARAM(rss_mib) SD_BUS_PARAM(services),
		method_history, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_NAMES("Why", "s", SD_BUS_PARAM(topic), "a(" STORY_DECISION ")",
		SD_BUS_PARAM(decisions), method_why, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};
