/* SPDX-License-Identifier: Apache-2.0 */
/* One guest's life.
 *
 * Theory of operation: everything asynchronous (answers of the hypervisor, of services, of the
 * agent, serial bytes) lands in the guest's fields and in `news`. guest_run() is called after every
 * dispatch; it turns news into events in one fixed order, events go through the table of
 * policy/lifecycle, and the table's actions put new requests. So there is one place where the state
 * changes (set_state), one where events are made (take_news, the timers below it), and no callback
 * that finds the guest half-way through another change. */
#include "core/guest.h"

#include "base/log.h"
#include "base/parse.h"
#include "core/exit.h"
#include "core/hvlink.h"
#include "core/probing.h"
#include "core/record.h"
#include "core/starting.h"
#include "core/supervisor.h"
#include "core/words.h"
#include "model/agent.h"
#include "model/utf8.h"

#include <errno.h>
#include <string.h>

/* Events are hints, so what runs is read again this often even if nothing happens. */
#define READ_EVERY  (15 * USEC_PER_SEC)
#define STATS_EVERY (5 * USEC_PER_SEC)
/* The boot_id and cloud-init's result are asked for this often until both are known; the boot_id
 * again this often afterwards, in case a reset event was missed. */
#define AGENT_EVERY      (5 * USEC_PER_SEC)
#define AGENT_CALM_EVERY (60 * USEC_PER_SEC)
#define RETRY_WHEN_AWAY  (5 * USEC_PER_SEC)
/* A timer this late means that the host was suspended. */
#define SLEPT (10 * USEC_PER_SEC)
/* How far from its target the balloon may settle: QEMU rounds to pages, the guest driver to its own
 * chunks. */
#define BALLOON_SLACK_KIB (16u * 1024u)

/* A guest all of whose services answer, and whose cloud-init has not said for this long that it
 * ended, is ready: the image may have cloud-init switched off, or no agent and a quiet serial line.
 * One without an image has no cloud-init. */
#define READY_ANYWAY (120 * USEC_PER_SEC)

#define STOP_KINDS  (1u << OPERATION_STOP | 1u << OPERATION_KILL)
#define START_KINDS (1u << OPERATION_START | 1u << OPERATION_RESTART)

static void set_reason(struct guest *g, const char *text)
{
	if (strcmp(g->reason, text) == 0)
		return;
	(void)words_cut(g->reason, sizeof(g->reason), text);
	g->dirty = true;
}

static void set_healthy(struct guest *g, bool healthy)
{
	if (g->healthy == healthy)
		return;
	g->healthy = healthy;
	g->healthy_since_realtime = now_realtime();
	g->dirty = true;
	unsigned active, up;
	probing_count(g, &active, &up);
	bool expected = healthy || g->state == GUEST_STOPPING || g->state == GUEST_STOPPED;
	log_full(expected ? LOG_NOTICE : LOG_WARNING, g->spec->name, NULL,
		"%s (%u of %u active services up)", healthy ? "healthy" : "no longer healthy", up,
		active);
}

static void set_state(struct guest *g, enum guest_state next, usec_t now)
{
	enum guest_state old = g->state;

	if (next == old)
		return;
	if ((next == GUEST_PAUSED || next == GUEST_SAVING) && old != GUEST_PAUSED &&
		old != GUEST_SAVING)
		g->state_before = old == GUEST_RUNNING || old == GUEST_READY ? old : GUEST_BOOTING;
	g->state = next;
	g->state_since = now;
	g->state_since_realtime = now_realtime();
	g->save_due = now;
	g->dirty = true;
	log_full(LOG_NOTICE, g->spec->name, NULL, "%s -> %s", guest_state_to_string(old),
		guest_state_to_string(next));
	if (guest_state_inconclusive(next, NULL))
		probing_cast_doubt(g);
	if (guest_state_probes(old) && !guest_state_probes(next))
		probing_disable(g, now);
	g->news |= NEWS_HEALTH;
}

/* The run is over, however: nothing of it may leak into the next. */
static void forget_run(struct guest *g)
{
	agent_drop(g);
	starting_release_lock(g);
	if (g->boot_id[0])
		memcpy(g->past_boot_id, g->boot_id, sizeof(g->past_boot_id));
	g->boot_id[0] = '\0';
	g->boot_id_by_agent = false;
	g->started_at_realtime = 0;
	g->stats_at = 0;
	g->balloon_target_kib = 0;
	g->boot_due = g->ready_due = g->ladder_due = g->agent_due = g->stats_due = USEC_INFINITY;
	g->facts.agent_connected = g->facts.console_open = false;
	operations_answer(
		&g->operations, 1u << OPERATION_BALLOON, -ESRCH, "the guest is not running");
}

static void act_start(struct guest *g, usec_t now)
{
	struct reason reason = { "" };

	g->retry_due = USEC_INFINITY;
	int r = starting_preflight(g, &reason);
	if (r == 0)
		r = starting_submit(g, &reason);
	if (r == 0) {
		/* Its first serial bytes come before the answer that it was started. */
		boot_begin(&g->boot, now);
		return;
	}
	starting_release_lock(g);
	set_reason(g, reason.text);
	/* An operator is waiting: he is told, and it is his to try again. Nobody waiting: by the
	 * restart policy. */
	bool asked = operations_wait(&g->operations, START_KINDS);
	log_full(LOG_ERR, g->spec->name, NULL, "cannot start: %s", reason.text);
	if (asked)
		g->want = WANT_DOWN;
	operations_answer(&g->operations, START_KINDS, r, reason.text);
	/* Trying again makes no disk, and a latch would be one more thing to clear once there is
	 * one. */
	bool refused = asked || r == -ENOENT;
	if (!refused)
		exit_record(g, CAUSE_START_FAILED, reason.text, now);
	guest_event(g, refused ? GUEST_EV_REFUSED : GUEST_EV_START_FAILED, now);
}

/* `begun`: by our own start, so that the serial line has been read since then. */
static void act_boot(struct guest *g, bool begun, usec_t now)
{
	if (g->boot_id[0])
		memcpy(g->past_boot_id, g->boot_id, sizeof(g->past_boot_id));
	g->boot_id[0] = '\0';
	g->boot_id_by_agent = false;
	agent_drop(g);
	if (!begun)
		boot_begin(&g->boot, now);
	g->boots++;
	g->started_at_realtime = now_realtime();
	g->boot_due = now;
	g->agent_due = now;
	g->stats_due = usec_add(now, STATS_EVERY);
	set_reason(g, "");
	probing_boot(g, now);
	hvlink_cpu_tune(g);
}

static void act_adopt(struct guest *g, usec_t now)
{
	boot_begin(&g->boot, now);
	/* It may have booted long ago: its root must be taken for writable. */
	g->boot.root_writable = true;
	g->boot.stage = g->restored_stage;
	g->agent_due = g->stats_due = now;
	starting_hold_lock(g);
	probing_adopt(g, now);
}

static void act_destroy(struct guest *g, usec_t now)
{
	shutdown_force(&g->ladder, now);
	g->ladder_due = now;
}

/* It is down. */
static void act_settle(struct guest *g, enum guest_state old, usec_t now)
{
	char message[320];

	g->retry_due = USEC_INFINITY;
	if (old == GUEST_STOPPING || g->last_exit.cause == CAUSE_OPERATOR)
		(void)snprintf(message, sizeof(message), "stopped: %s", g->last_exit.words);
	else
		(void)snprintf(message, sizeof(message), "it is not running");
	g->ladder = (struct shutdown){ 0 };
	g->kill_asked = false;
	set_reason(g, "");
	operations_answer(&g->operations, STOP_KINDS, 0, message);
	/* A restart, or a start that came while it was being stopped. */
	if (old == GUEST_STOPPING && g->want == WANT_UP)
		guest_event(g, GUEST_EV_START, now);
	else
		operations_answer(&g->operations, START_KINDS, -ECANCELED, message);
}

static void act_retry(struct guest *g, usec_t now)
{
	const struct restart_policy policy = {
		.limit = g->spec->restart_limit,
		.window = g->spec->restart_window,
	};
	/* The longest name and the longest span leave room for the rest of the sentence. */
	char text[sizeof(g->reason)], span[TIMESPAN_TEXT_MAX], last[132];

	(void)words_cut(last, sizeof(last), g->last_exit.words);
	g->ladder = (struct shutdown){ 0 };
	g->ladder_due = USEC_INFINITY;
	if (g->retry_due != USEC_INFINITY)
		return;
	if (g->want == WANT_DOWN) {
		set_state(g, GUEST_STOPPED, now);
		return;
	}
	g->save_due = now;
	if (restart_after_fault(
		    &g->restart, &policy, now, g->supervisor->config.jitter(), &g->retry_due)) {
		(void)snprintf(text, sizeof(text), "starting again in %s (attempt %u of %u): %s",
			format_timespan(span, sizeof(span), usec_sub(g->retry_due, now)),
			g->restart.n_faults, policy.limit, last);
		set_reason(g, text);
		log_full(LOG_NOTICE, g->spec->name, NULL, "%s", text);
		return;
	}
	g->retry_due = USEC_INFINITY;
	(void)snprintf(text, sizeof(text),
		"given up after %u faults in %s, the last: %s; then `mediakitd reset-failed %s`",
		g->restart.n_faults, format_timespan(span, sizeof(span), policy.window), last,
		g->spec->name);
	set_reason(g, text);
	log_full(LOG_ERR, g->spec->name, NULL, "%s", text);
	operations_answer(&g->operations, START_KINDS, -EIO, text);
	guest_event(g, GUEST_EV_GIVE_UP, now);
}

void guest_event(struct guest *g, enum guest_event event, usec_t now)
{
	enum guest_state old = g->state;
	struct lifecycle_step step = lifecycle_step(old, event);

	set_state(g, step.back ? g->state_before : step.next, now);
	if (old != g->state && !guest_state_has_qemu(g->state))
		forget_run(g);
	switch (step.action) {
	case GUEST_ACT_START:
		act_start(g, now);
		break;
	case GUEST_ACT_BOOT:
		act_boot(g, old == GUEST_STARTING, now);
		break;
	case GUEST_ACT_ADOPT:
		act_adopt(g, now);
		break;
	case GUEST_ACT_LADDER:
		shutdown_begin(&g->ladder, g->spec->shutdown_timeout, now);
		g->ladder_due = now;
		break;
	case GUEST_ACT_DESTROY:
		act_destroy(g, now);
		break;
	case GUEST_ACT_SETTLE:
		act_settle(g, old, now);
		break;
	case GUEST_ACT_RETRY:
		act_retry(g, now);
		break;
	case GUEST_ACT_REFUSE: /* the request's own answer says so */
	case GUEST_ACT_NONE:
	case GUEST_ACT_NUM:
		break;
	}
}

/* QEMU is gone, or the domain is. */
static void take_exit(struct guest *g, enum guest_event absent_event, usec_t now)
{
	if (!guest_state_has_qemu(g->state) || g->state == GUEST_STARTING) {
		guest_event(g, absent_event, now);
		return;
	}
	/* A retry already scheduled means that this end was dealt with. */
	if (g->state == GUEST_CRASHED && g->retry_due != USEC_INFINITY)
		return;
	enum exit_cause cause = exit_cause_of(g);
	if (g->state != GUEST_CRASHED)
		exit_record(g, cause, NULL, now);
	forget_run(g);
	if (absent_event == GUEST_EV_SEEN_ABSENT)
		guest_event(g, absent_event, now);
	else
		guest_event(
			g, cause_is_fault(cause) ? GUEST_EV_EXIT_FAULT : GUEST_EV_EXIT_CLEAN, now);
}

/* The first look since the daemon began, after its facts were taken: settles whether an unfinished
 * wish is to be fulfilled. `was` is the state that was kept. */
static void first_look(struct guest *g, enum guest_state was, usec_t now)
{
	bool was_down = was == GUEST_STOPPED || was == GUEST_ABSENT;

	g->seen = true;
	g->news |= NEWS_HEALTH;
	/* What ended while nobody looked was dealt with by its cause: by itself or by a person's
	 * hand, and it stays so. */
	if ((g->state == GUEST_STOPPED || g->state == GUEST_ABSENT) && was_down &&
		g->want == WANT_UP && !g->rests)
		guest_event(g, GUEST_EV_START, now);
	else if (guest_state_probes(g->state))
		act_adopt(g, now);
	/* It was being stopped: the ladder is climbed again from its foot. */
	if (g->state == GUEST_STOPPING && g->ladder.began == 0) {
		shutdown_begin(&g->ladder, g->spec->shutdown_timeout, now);
		g->ladder_due = now;
	}
}

static void take_facts(struct guest *g, usec_t now)
{
	enum guest_state was = g->state;

	/* Read before the start that is under way: it says nothing about what comes. */
	if (g->start_in_flight)
		return;
	/* Its end was under way and never came. Whether it has written since is not known, so it is
	 * adopted. */
	if (!g->seen && was == GUEST_CRASHED && g->facts.state == HV_DOMAIN_RUNNING)
		set_state(g, GUEST_STOPPED, now);
	switch (g->facts.state) {
	case HV_DOMAIN_ABSENT:
		take_exit(g, GUEST_EV_SEEN_ABSENT, now);
		break;
	case HV_DOMAIN_OFF:
		take_exit(g, GUEST_EV_EXIT_CLEAN, now);
		break;
	case HV_DOMAIN_RUNNING:
		guest_event(g, GUEST_EV_SEEN_RUNNING, now);
		break;
	case HV_DOMAIN_PAUSED:
		if (g->facts.reason == HV_REASON_SAVING)
			guest_event(g, GUEST_EV_SEEN_SAVING, now);
		else if (g->facts.reason == HV_REASON_PANICKED)
			g->news |= NEWS_PANIC;
		else if (g->facts.reason != HV_REASON_STARTING_UP)
			guest_event(g, GUEST_EV_SEEN_PAUSED, now);
		break;
	case HV_DOMAIN_CRASHED:
		g->news |= NEWS_PANIC;
		break;
	case HV_DOMAIN_SHUTDOWN: /* halted, QEMU about to go: its end comes as an event */
	case HV_DOMAIN_STATE_NUM:
		break;
	}
	if (!g->seen)
		first_look(g, was, now);
	if (g->start_waits) {
		g->start_waits = false;
		guest_event(g, GUEST_EV_START, now);
		if (g->state != GUEST_STARTING)
			operations_answer(&g->operations, START_KINDS, 0, "it runs already");
	}
	if (g->facts.agent_connected)
		g->news |= NEWS_USERSPACE;
	g->dirty = true;
}

static void take_start(struct guest *g, usec_t now)
{
	/* libvirt says that it runs already: then it is ours to adopt. */
	if (g->start_error == 0 || g->start_error == -EEXIST) {
		if (g->state == GUEST_STARTING)
			operations_answer(&g->operations, START_KINDS, 0, "started");
		guest_event(g, GUEST_EV_STARTED, now);
		return;
	}
	starting_release_lock(g);
	exit_record(g, CAUSE_START_FAILED, g->start_message, now);
	/* The first attempt of somebody who waits: he is told at once, while the policy goes on
	 * trying. */
	char text[HV_ERROR_MAX + 64];
	(void)snprintf(text, sizeof(text), "the start failed: %s", g->start_message);
	operations_answer(&g->operations, START_KINDS, g->start_error, text);
	guest_event(g, GUEST_EV_START_FAILED, now);
}

static void take_health(struct guest *g, usec_t now)
{
	unsigned active, up;

	probing_count(g, &active, &up);
	bool all_up = active > 0 && up == active;
	if (!all_up || (g->state != GUEST_BOOTING && g->state != GUEST_RUNNING))
		g->ready_due = USEC_INFINITY;
	else if (g->ready_due == USEC_INFINITY)
		g->ready_due = g->spec->image_path ? usec_add(now, READY_ANYWAY) : now;
	/* Paused, saved: what was believed stands. */
	if (g->state == GUEST_PAUSED || g->state == GUEST_SAVING)
		return;
	set_healthy(g, g->state == GUEST_READY && up == active);
	if (g->save_due == USEC_INFINITY)
		g->save_due = usec_add(now, USEC_PER_SEC);
}

static void take_stats(struct guest *g)
{
	uint64_t target = g->balloon_target_kib, actual = g->stats.balloon_kib;
	char message[96], text[SIZE_TEXT_MAX];

	if (target == 0 || actual == HV_STAT_ABSENT)
		return;
	if (actual > target + BALLOON_SLACK_KIB || actual + BALLOON_SLACK_KIB < target)
		return;
	(void)snprintf(message, sizeof(message), "the guest has %s now",
		format_size_kib(text, sizeof(text), actual));
	operations_answer(&g->operations, 1u << OPERATION_BALLOON, 0, message);
}

static void take_panic(struct guest *g, usec_t now)
{
	if (g->state != GUEST_STOPPING && g->state != GUEST_CRASHED &&
		guest_state_has_qemu(g->state))
		exit_record(g, CAUSE_GUEST_PANIC, g->boot.hint, now);
	guest_event(g, GUEST_EV_SEEN_PANICKED, now);
}

/* Nothing runs, and nothing shall: the attempt that was to come is called off. */
static void call_off(struct guest *g, usec_t now)
{
	g->retry_due = USEC_INFINITY;
	set_state(g, GUEST_STOPPED, now);
	set_reason(g, "");
	operations_answer(&g->operations, STOP_KINDS, 0,
		"it was down; the next attempt to start it is called off");
}

/* Before the first look nobody knows what runs, so a start waits for it. */
static void take_asked_start(struct guest *g, usec_t now)
{
	g->start_waits = !g->seen || !g->supervisor->hv_health.connected;
	if (g->start_waits)
		set_reason(g, "the start waits for libvirt");
	else
		guest_event(g, GUEST_EV_START, now);
}

/* In this order: what was asked for, what is, what it did, what its inhabitants say. */
static void take_news(struct guest *g, usec_t now)
{
	unsigned news = g->news;

	g->news = 0;
	if (news & (NEWS_ASKED_STOP | NEWS_ASKED_KILL) && g->state == GUEST_CRASHED &&
		g->retry_due != USEC_INFINITY) {
		call_off(g, now);
		news &= ~(unsigned)(NEWS_ASKED_STOP | NEWS_ASKED_KILL);
	}
	if (news & (NEWS_ASKED_STOP | NEWS_ASKED_KILL))
		g->start_waits = false;
	if (news & NEWS_ASKED_STOP)
		guest_event(g, GUEST_EV_STOP, now);
	if (news & NEWS_ASKED_KILL)
		guest_event(g, GUEST_EV_KILL, now);
	if (news & NEWS_ASKED_START)
		take_asked_start(g, now);
	if (news & NEWS_START)
		take_start(g, now);
	if (news & NEWS_FACTS)
		take_facts(g, now);
	if (news & NEWS_PANIC)
		take_panic(g, now);
	if (news & (NEWS_RESET | NEWS_BOOT_ID))
		guest_event(g, GUEST_EV_REBOOT, now);
	if (news & NEWS_USERSPACE && (g->state == GUEST_BOOTING || g->state == GUEST_RUNNING)) {
		(void)boot_userspace(&g->boot, now);
		guest_event(g, GUEST_EV_OS_UP, now);
	}
	if (news & NEWS_READY)
		guest_event(g, GUEST_EV_READY, now);
	if (news & NEWS_STATS)
		take_stats(g);
	if (news & NEWS_HEALTH)
		take_health(g, now);
}

static void watch_boot(struct guest *g, usec_t now)
{
	usec_t late = usec_sub(now, g->boot_due);
	const char *why = NULL;

	/* The host slept, and the guest with it: it had no time in which to speak. */
	if (late > SLEPT) {
		g->boot.stage_since = usec_add(g->boot.stage_since, late);
		g->boot.heard_at = usec_add(g->boot.heard_at, late);
	}
	g->boot_due = USEC_INFINITY;
	if (g->state != GUEST_BOOTING || !boot_dead(&g->boot, now, &g->boot_due, &why))
		return;
	char words[BOOT_HINT_MAX + 128];
	/* The hint names the cause, so it stands where no cut reaches it. */
	(void)snprintf(words, sizeof(words), "%s%s%s (stage %s)", why, g->boot.hint[0] ? ": " : "",
		g->boot.hint, boot_stage_to_string(g->boot.stage));
	exit_record(g, CAUSE_BOOT_DEAD, words, now);
	guest_event(g, GUEST_EV_BOOT_DEAD, now);
}

static void climb(struct guest *g, usec_t now)
{
	switch (shutdown_step(&g->ladder, g->facts.agent_connected, now)) {
	case RUNG_AGENT:
		hvlink_shutdown(g, true);
		break;
	case RUNG_ACPI:
		hvlink_shutdown(g, false);
		break;
	case RUNG_DESTROY:
		log_full(g->kill_asked ? LOG_NOTICE : LOG_WARNING, g->spec->name, NULL,
			"cutting the power");
		hvlink_destroy(g);
		break;
	case RUNG_NONE:
	case RUNG_NUM:
		break;
	}
	g->ladder_due = g->ladder.began ? g->ladder.next : USEC_INFINITY;
	g->dirty = true;
}

/* The boot_id on the first line, then cloud-init's result once it is there. */
static void identity_answered(
	struct guest *g, int error, int exit_status, const char *output, usec_t now)
{
	char id[sizeof(g->boot_id)] = "";
	unsigned errors;

	(void)exit_status; /* not zero while there is no result yet */
	(void)now;
	size_t len = strcspn(output, "\n");
	if (error != 0 || len != sizeof(id) - 1 || !utf8_printable(output, len))
		return;
	memcpy(id, output, len);
	if (g->boot_id[0] && strcmp(g->boot_id, id) != 0 && g->boot_id_by_agent) {
		/* A boot that nobody told us of. The id we have is the past one now; the new one is
		 * asked for again at once, by that boot. */
		g->news |= NEWS_BOOT_ID;
		return;
	}
	if (strcmp(g->boot_id, id) != 0 || !g->boot_id_by_agent) {
		memcpy(g->boot_id, id, sizeof(id));
		g->boot_id_by_agent = true;
		g->dirty = true;
	}
	if (agent_parse_cloudinit_result(output + len, &errors) == 0) {
		g->news |= NEWS_READY;
		g->cloudinit_errors = errors;
	}
}

static void ask_identity(struct guest *g, usec_t now)
{
	static const char *const argv[] = { "/bin/cat", "/proc/sys/kernel/random/boot_id",
		"/run/cloud-init/result.json", NULL };
	bool calm = g->boot_id_by_agent && g->state == GUEST_READY;

	g->agent_due = usec_add(now, calm ? AGENT_CALM_EVERY : AGENT_EVERY);
	if (g->facts.agent_connected)
		(void)agent_run_command(g, argv, identity_answered, now);
}

static void run_timers(struct guest *g, usec_t now)
{
	if (now >= g->ready_due) {
		g->ready_due = USEC_INFINITY;
		guest_event(g, GUEST_EV_READY, now);
	}
	if (now >= g->boot_due)
		watch_boot(g, now);
	if (now >= g->ladder_due)
		climb(g, now);
	/* While libvirt is away an attempt would fail for that alone, and use up the guest's
	 * budget. */
	if (now >= g->retry_due && !g->supervisor->hv_health.connected) {
		g->retry_due = usec_add(now, RETRY_WHEN_AWAY);
	} else if (now >= g->retry_due) {
		g->retry_due = USEC_INFINITY;
		guest_event(g, GUEST_EV_RETRY_DUE, now);
	}
	if (now >= g->read_due) {
		g->read_due = usec_add(now, READ_EVERY);
		hvlink_read(g, now);
	}
	if (now >= g->stats_due) {
		g->stats_due = usec_add(now, STATS_EVERY);
		hvlink_stats(g, now);
	}
	if (now >= g->agent_due)
		ask_identity(g, now);
	if (now >= g->save_due) {
		g->save_due = USEC_INFINITY;
		record_save(g);
	}
}

usec_t guest_run(struct guest *g, usec_t now)
{
	/* An event may make news itself (a start refused at once). Four rounds are more than any
	 * chain of the table takes; what is left is taken at the next call, at once. */
	for (unsigned i = 0; i < 4 && g->news; i++)
		take_news(g, now);
	run_timers(g, now);
	const usec_t dues[] = {
		probing_run(g, now),
		agent_tick(g, now),
		operations_expire(&g->operations, now),
		g->boot_due,
		g->ready_due,
		g->ladder_due,
		g->retry_due,
		g->read_due,
		g->stats_due,
		g->agent_due,
		g->save_due,
	};
	usec_t next = USEC_INFINITY;
	for (size_t i = 0; i < ARRAY_SIZE(dues); i++)
		next = MIN(next, dues[i]);
	return g->news ? now : next;
}

void guest_console(struct guest *g, const void *data, size_t len, uint64_t lost, usec_t now)
{
	struct store *store = g->supervisor->config.store;

	console_write(&g->console, data, len, lost);
	store->vtable->console(store, g->spec->name, data, len);
	if (!guest_state_has_qemu(g->state))
		return;
	bool panicked = g->boot.panicked;
	if (boot_console(&g->boot, data, len, now)) {
		log_full(LOG_INFO, g->spec->name, NULL, "boot: %s",
			boot_stage_to_string(g->boot.stage));
		probing_progress(g, now);
		g->dirty = true;
	}
	if (g->boot.panicked && !panicked) {
		log_full(
			LOG_WARNING, g->spec->name, NULL, "the serial line says: %s", g->boot.hint);
		g->boot_due = now;
		g->dirty = true;
	}
	if (g->state == GUEST_BOOTING && g->boot_due == USEC_INFINITY)
		g->boot_due = now;
	if (g->boot.stage >= BOOT_SERVICES)
		g->news |= NEWS_USERSPACE;
	if (g->boot.finished_mark)
		g->news |= NEWS_READY;
}

void guest_retire(struct guest *g)
{
	static char name[] = "(removed)";
	static const struct guest_spec removed = { .name = name };

	operations_answer(
		&g->operations, ~0u, -ECANCELED, "the guest was removed from the configuration");
	probing_disable(g, 0);
	starting_release_lock(g);
	/* The old spec goes away; answers that are still owed find this one. */
	g->n_services = 0;
	g->spec = &removed;
}

void guest_free(struct guest *g)
{
	if (!g)
		return;
	operations_answer(&g->operations, ~0u, -ECANCELED,
		"the daemon is going away; the guest is left as it is");
	probing_drop(g);
	starting_release_lock(g);
	console_free(&g->console);
	free(g);
}
