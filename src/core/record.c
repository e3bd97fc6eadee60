/* SPDX-License-Identifier: Apache-2.0 */
/* Between struct guest and the state record. */
#include "core/record.h"

#include "base/log.h"
#include "core/probing.h"
#include "core/restarting.h"
#include "core/starting.h"
#include "core/supervisor.h"
#include "model/state.h"

#include <errno.h>
#include <string.h>

/* As long as whoever asks for a start waits for it. */
#define ORPHAN_COMES (180 * USEC_PER_SEC)

#define COPY_WORD(field, text) (void)snprintf((field), sizeof(field), "%s", (text))

static void service_to_state(const struct service *s, struct state_service *ret)
{
	*ret = (struct state_service){
		.since_realtime = s->state_since_realtime,
		.judged_realtime = s->judged_at_realtime,
		.latency = s->probe.last.latency,
		.successes = s->probe.successes,
		.failures = s->probe.failures,
		.proven = s->probe.last.proven,
		.flagged = s->probe.last.flagged,
	};
	ret->unit_restarts = s->remedy.policy.n;
	if (s->remedy.policy.n > 0)
		ret->unit_window_realtime = usec_sub(
			now_realtime(), usec_sub(now_boottime(), s->remedy.policy.window_began));
	COPY_WORD(ret->name, s->spec->name);
	COPY_WORD(ret->state, service_state_to_string(s->probe.state));
	COPY_WORD(ret->verdict, verdict_to_string(s->probe.last.verdict));
	COPY_WORD(ret->reason, s->probe.last.reason);
}

static void guest_to_state(const struct guest *g, struct state_record *ret)
{
	usec_t now = now_boottime(), now_rt = now_realtime();

	*ret = (struct state_record){
		.since_realtime = g->state_since_realtime,
		.started_realtime = g->started_at_realtime,
		.boot_id_by_agent = g->boot_id_by_agent,
		.healthy = g->healthy,
		.healthy_since_realtime = g->healthy_since_realtime,
		.exit_at_realtime = g->last_exit.at_realtime,
		.exit_uptime = g->last_exit.uptime,
		.exit_took = g->last_exit.took,
		.n_faults = MIN(g->restart.n_faults, STATE_FAULTS),
		.n_services = g->n_services,
		.forwards_known = true,
		.n_forwards = g->n_forwards,
	};
	COPY_WORD(ret->host_boot_id, g->supervisor->host_boot_id);
	if (g->want_known)
		COPY_WORD(ret->want, want_to_string(g->want));
	/* The next daemon takes it up: a guest at rest is not to be left so, nor is what turns out
	 * to run. */
	bool waits = (g->start_waits || g->stop_waits) &&
		     (g->state == GUEST_STOPPED || g->state == GUEST_ABSENT);
	COPY_WORD(ret->state, guest_state_to_string(waits ? GUEST_STARTING : g->state));
	COPY_WORD(ret->boot_id, g->boot_id);
	COPY_WORD(ret->past_boot_id, g->past_boot_id);
	/* Until the first look what is known of the boot is what the daemon before knew. */
	COPY_WORD(ret->boot_stage,
		boot_stage_to_string(g->seen ? g->boot.stage : g->restored_stage));
	COPY_WORD(ret->exit_cause, cause_to_string(g->last_exit.cause));
	COPY_WORD(ret->exit_rung, rung_to_string(g->last_exit.rung));
	COPY_WORD(ret->exit_words, g->last_exit.words);
	COPY_WORD(ret->fs_word, fs_word_to_string(g->hearing.fs.word));
	COPY_WORD(ret->fs_words, g->hearing.fs_words);
	bootwatch_to_state(g, ret);
	ballooning_to_state(g, ret);
	saving_to_state(g, ret);
	image_to_state(g, ret);
	snapshotting_to_state(g, ret);
	COPY_WORD(ret->ending, cause_to_string(g->remedy.ending));
	/* Boot time means nothing after a reboot of the host, so it travels as real time. */
	for (unsigned i = 0; i < ret->n_faults; i++)
		ret->fault_realtime[i] = usec_sub(now_rt, usec_sub(now, g->restart.faults[i]));
	for (unsigned i = 0; i < g->n_forwards; i++)
		ret->forwards[i] = (struct state_forward){ g->forwards[i].port,
			g->forwards[i].host_port };
	for (unsigned i = 0; i < g->n_services; i++)
		service_to_state(&g->services[i], &ret->services[i]);
}

void record_save(struct guest *g)
{
	struct store *store = g->supervisor->config.store;
	struct state_record record;

	guest_to_state(g, &record);
	CLEANUP_FREE char *text = state_to_text(&record);
	if (text)
		store->vtable->save(store, g->spec->name, text, strlen(text));
}

/* A point in real time as boot time, for what lies in the past; never later than now. */
static usec_t to_boottime(usec_t realtime, usec_t now)
{
	return usec_sub(now, usec_sub(now_realtime(), realtime));
}

/* Whether it still counts. Asked in real time: in boot time all that was before the host's boot is
 * as old as that. */
static bool is_recent(usec_t realtime, usec_t window)
{
	return usec_sub(now_realtime(), realtime) < window;
}

/* `window`: in which restarts of its unit still count. */
static void service_from_state(
	struct service *s, const struct state_service *from, usec_t window, usec_t now)
{
	int state = service_state_from_string(from->state),
	    verdict = verdict_from_string(from->verdict);

	if (state < 0 || verdict < 0)
		return;
	s->probe.state = (enum service_state)state;
	s->probe.state_since = to_boottime(from->since_realtime, now);
	s->probe.successes = from->successes;
	s->probe.failures = from->failures;
	s->probe.judged_at = from->judged_realtime ? to_boottime(from->judged_realtime, now) : 0;
	s->probe.last.verdict = (enum verdict)verdict;
	s->probe.last.proven = from->proven;
	s->probe.last.flagged = from->flagged;
	s->probe.last.latency = from->latency;
	COPY_WORD(s->probe.last.reason, from->reason);
	s->state_since_realtime = from->since_realtime;
	s->judged_at_realtime = from->judged_realtime;
	s->restored = from->judged_realtime != 0;
	if (is_recent(from->unit_window_realtime, window)) {
		s->remedy.policy.n = from->unit_restarts;
		s->remedy.policy.window_began = to_boottime(from->unit_window_realtime, now);
	}
}

/* The configuration may have moved them while no daemon ran; QEMU has those that it was given. */
static void forwards_from_state(struct guest *g, const struct state_record *r)
{
	if (!r->forwards_known)
		return;
	g->n_forwards = 0;
	for (unsigned i = 0; i < r->n_forwards; i++) {
		const struct state_forward *f = &r->forwards[i];

		if (f->port > 0 && f->port <= UINT16_MAX && f->host_port > 0 &&
			f->host_port <= UINT16_MAX)
			g->forwards[g->n_forwards++] = (struct forward){
				(uint16_t)f->port, (uint16_t)f->host_port };
	}
	probing_find_forwards(g);
}

static void exit_from_state(struct exit_record *e, const struct state_record *r)
{
	int cause = cause_from_string(r->exit_cause), rung = rung_from_string(r->exit_rung);

	e->cause = cause < 0 ? CAUSE_UNKNOWN : (enum exit_cause)cause;
	e->rung = rung < 0 ? RUNG_NONE : (enum shutdown_rung)rung;
	e->at_realtime = r->exit_at_realtime;
	e->uptime = r->exit_uptime;
	e->took = r->exit_took;
	COPY_WORD(e->words, r->exit_words);
}

/* libvirt goes on with a start when its daemon is dead, and may read "off" until it is done. Who
 * wants the guest up starts it anew, and meets that one; who wants it down must wait for it. */
static void expect_orphan(struct guest *g, const struct state_record *r, int state, usec_t now)
{
	if (r->started_realtime != 0 || (state != GUEST_STARTING && state != GUEST_STOPPING))
		return;
	g->orphan_until = usec_add(now, ORPHAN_COMES);
	if (g->want == WANT_DOWN)
		g->stop_waits = NEWS_ASKED_STOP;
}

static void guest_from_state(struct guest *g, const struct state_record *r, usec_t now)
{
	int want = want_from_string(r->want), state = guest_state_from_string(r->state);
	bool same_host_boot = strcmp(r->host_boot_id, g->supervisor->host_boot_id) == 0;
	/* In boot time, what was before the host's boot would be as young as that, and a fault of
	 * yesterday one of Window=. */
	usec_t window = same_host_boot ? restarting_remedy_window(g) : g->spec->restart_window;

	if (want >= 0) {
		g->want = (enum guest_want)want;
		g->want_known = true;
	}
	exit_from_state(&g->last_exit, r);
	int fs = fs_word_from_string(r->fs_word);
	if (fs > FS_UNKNOWN) {
		g->hearing.fs.word = (enum fs_word)fs;
		COPY_WORD(g->hearing.fs_words, r->fs_words);
	}
	bootwatch_from_state(g, r);
	ballooning_from_state(g, r, now);
	saving_from_state(g, r, now);
	image_from_state(g, r);
	snapshotting_from_state(g, r, now);
	int ending = cause_from_string(r->ending);
	if (state == GUEST_STOPPING && (ending == CAUSE_REMEDY || ending == CAUSE_WATCHDOG))
		g->remedy.ending = (enum exit_cause)ending;
	/* A start that was under way may or may not have happened: libvirt's answer decides. */
	if (state >= 0 && state != GUEST_STARTING)
		g->state = (enum guest_state)state;
	g->state_since_realtime = r->since_realtime;
	g->state_since = to_boottime(r->since_realtime, now);
	/* It went down by itself and was left so: our own restart is no reason to start it, the
	 * host's is. Where a start was under way, or where a person had stopped it and it is wanted
	 * up all the same, it was asked for since. */
	g->rests = same_host_boot && state == GUEST_STOPPED && r->exit_at_realtime != 0 &&
		   g->last_exit.cause != CAUSE_OPERATOR;
	if (g->want == WANT_UP && !g->rests &&
		(state == GUEST_STARTING || state == GUEST_STOPPED || state == GUEST_ABSENT ||
			state == GUEST_CRASHED))
		starting_may_be_cut_short(g);
	expect_orphan(g, r, state, now);
	g->started_at_realtime = r->started_realtime;
	g->healthy = r->healthy;
	g->healthy_since_realtime = r->healthy_since_realtime;
	COPY_WORD(g->boot_id, r->boot_id);
	COPY_WORD(g->past_boot_id, r->past_boot_id);
	g->boot_id_by_agent = r->boot_id_by_agent;
	for (unsigned i = 0; i < r->n_faults && i < RESTART_HISTORY_MAX; i++)
		if (is_recent(r->fault_realtime[i], window))
			g->restart.faults[g->restart.n_faults++] =
				to_boottime(r->fault_realtime[i], now);
	forwards_from_state(g, r);
	for (unsigned i = 0; i < r->n_services; i++)
		for (unsigned k = 0; k < g->n_services; k++)
			if (strcmp(g->services[k].spec->name, r->services[i].name) == 0)
				service_from_state(
					&g->services[k], &r->services[i], window, now);
	int stage = boot_stage_from_string(r->boot_stage);
	if (stage >= 0)
		g->restored_stage = (enum boot_stage)stage;
	/* What a pause came from is not kept. Readiness is seen again soon. */
	g->state_before = g->restored_stage >= BOOT_SERVICES ? GUEST_RUNNING : GUEST_BOOTING;
}

/* What the guest said before, for whoever asks the new daemon. */
static void load_console(struct guest *g)
{
	struct store *store = g->supervisor->config.store;
	CLEANUP_FREE char *tail = malloc(CONSOLE_RING);
	size_t len =
		tail ? store->vtable->console_tail(store, g->spec->name, tail, CONSOLE_RING) : 0;

	if (len > 0)
		console_write(&g->console, tail, len, 0);
}

/* libvirt knows what runs, so nothing is started twice. The next save would write over the file,
 * which may be all there is of a newer daemon's memory, or of what went wrong. */
static void tell_unusable(struct guest *g, int error)
{
	struct store *store = g->supervisor->config.store;
	char words[320] = "";

	/* Nothing is wrong with one that there was no memory to read, but it would be lost, too. */
	(void)store->vtable->put_aside(store, g->spec->name, words, sizeof(words));
	log_full(LOG_WARNING, g->spec->name, NULL,
		"its state file cannot be used (%s): %s; its state is taken from libvirt",
		error == -EBADMSG           ? "not what we write"
		: error == -EPROTONOSUPPORT ? "written by a newer mediakitd"
		: error == -EPERM           ? "of another user"
		: error == -EINVAL          ? "no regular file"
					    : strerror(-error),
		words[0] ? words : "nor can it be kept");
}

void record_load(struct guest *g, usec_t now)
{
	struct store *store = g->supervisor->config.store;
	CLEANUP_FREE char *text = NULL;
	struct state_record record;
	size_t len;

	load_console(g);
	int r = store->vtable->load(store, g->spec->name, &text, &len);
	if (r == 0)
		r = state_from_text(text, len, &record);
	if (r == 0)
		guest_from_state(g, &record, now);
	else if (r != -ENOENT)
		tell_unusable(g, r);
}
