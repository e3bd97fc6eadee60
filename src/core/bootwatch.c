/* SPDX-License-Identifier: Apache-2.0 */
/* Ticks while a boot runs: time lost, steps seen, dead, late, asked to go. */
#include "core/bootwatch.h"

#include "base/log.h"
#include "core/event.h"
#include "core/exit.h"
#include "core/hvlink.h"
#include "core/probing.h"
#include "core/sight.h"
#include "core/restarting.h"
#include "core/supervisor.h"
#include "core/words.h"
#include "io/layout.h"
#include "model/state.h"

#include <string.h>
#include <sys/stat.h>

/* A tick this late means that the host was suspended. */
#define SLEPT (10 * USEC_PER_SEC)
/* Of the console, in the journal; the reason has room for the last one only. */
#define QUOTED_LINES 5u
/* A guest may count new errors every few seconds; so many times they are told in one boot. */
#define CLOUDINIT_TOLD_MAX 8u

static struct boottime_how how_of(const struct guest *g)
{
	const struct bootwatch *w = &g->bootwatch;
	bool same = w->key[0] && strcmp(w->key, w->known_key) == 0;

	return (struct boottime_how){
		.tcg = g->facts.tcg,
		.kind = same ? BOOTTIME_LATER : BOOTTIME_FIRST,
		.starved = g->starving.policy.starved,
	};
}

static struct boottime_policy policy_of(const struct guest *g)
{
	return (struct boottime_policy){ .factor = g->spec->boot_factor,
		.least = g->spec->boot_least };
}

/* The disk is written to all the time, but stays the same file; a seed is written anew only when
 * its content changed. */
static void read_key(const struct guest *g, char *buf, size_t size)
{
	const char *dir = g->supervisor->spec->state_dir;
	CLEANUP_FREE char *disk = layout_disk(dir, g->spec->name);
	CLEANUP_FREE char *seed = layout_seed(dir, g->spec->name);
	struct stat d = { 0 }, s = { 0 };

	/* A guest without them is what it is: zeros. */
	(void)(disk && stat(disk, &d));
	(void)(seed && stat(seed, &s));
	(void)snprintf(buf, size, "%llx %llx-%llx-%lx", (unsigned long long)d.st_ino,
		(unsigned long long)s.st_ino, (unsigned long long)s.st_mtim.tv_sec,
		(unsigned long)s.st_mtim.tv_nsec);
}

void bootwatch_begin(struct guest *g, bool whole, usec_t now)
{
	struct bootwatch *w = &g->bootwatch;
	const struct bootwatch old = *w;

	*w = (struct bootwatch){
		.learned = old.learned,
		.whole = whole,
		.looked_at = now,
		.deadline = USEC_INFINITY,
	};
	memcpy(w->known_key, old.known_key, sizeof(w->known_key));
	read_key(g, w->key, sizeof(w->key));
	g->dirty = true;
}

static bool coming_up(enum guest_state state)
{
	return state == GUEST_BOOTING || state == GUEST_RUNNING;
}

/* Time in which the guest could not move is taken out of its boot. */
static void take_lost_time(struct guest *g, usec_t now)
{
	struct bootwatch *w = &g->bootwatch;
	usec_t since = usec_sub(now, w->looked_at);

	if (!coming_up(g->state)) {
		boot_slept(&g->boot, since, now);
		w->whole = false;
	} else if (since > BOOTWATCH_EVERY + SLEPT) {
		boot_slept(&g->boot, since - BOOTWATCH_EVERY, now);
		w->whole = false;
	}
	w->was_starved |= g->starving.policy.starved;
	w->looked_at = now;
}

static unsigned services_up(const struct guest *g)
{
	unsigned up = 0;

	for (unsigned i = 0; i < g->n_services; i++)
		up += g->services[i].probe.state == SERVICE_UP ||
		      g->services[i].probe.state == SERVICE_DEGRADED;
	return up;
}

/* Progress that the serial line does not show. None of it can happen without end. */
static void take_steps(struct guest *g, usec_t now)
{
	struct bootwatch *w = &g->bootwatch;
	unsigned up = services_up(g);

	if (g->facts.agent_connected && !w->agent_seen) {
		w->agent_seen = true;
		boot_step(&g->boot, now);
	}
	if (up > w->most_up) {
		w->most_up = up;
		boot_step(&g->boot, now);
	}
}

/* What the host sees of a guest whose console speaks of a panic: of a disk that it can't look at it
 * knows nothing. */
static void look_at_disk(struct guest *g, usec_t now)
{
	struct bootwatch *w = &g->bootwatch;
	struct stat st;

	if (!g->boot.panicked)
		return;
	CLEANUP_FREE char *disk = layout_disk(g->supervisor->spec->state_dir, g->spec->name);
	bool seen = disk && stat(disk, &st) == 0;
	if (!seen || w->disk_mtime.tv_sec != st.st_mtim.tv_sec ||
		w->disk_mtime.tv_nsec != st.st_mtim.tv_nsec || g->starving.policy.starved)
		boot_lives(&g->boot, now);
	w->disk_mtime = seen ? st.st_mtim : (struct timespec){ 0 };
}

static void end_boot(struct guest *g, const char *why, usec_t now)
{
	char words[BOOT_HINT_MAX + 128];

	/* The hint names the cause, so it stands where no cut reaches it. */
	(void)snprintf(words, sizeof(words), "%s%s%s (stage %s)", why, g->boot.hint[0] ? ": " : "",
		g->boot.hint, boot_stage_to_string(g->boot.stage));
	why_note(g, WHY_RESTART, "boot dead", "end it at once", "%s", words);
	exit_record(g, CAUSE_BOOT_DEAD, words, now);
	guest_event(g, GUEST_EV_BOOT_DEAD, now);
}

/* "stuck at stage services: not over after 5min (usually 7s); console: vm login:". It stands for as
 * long as the boot does, so it tells no age that grows. */
static void stuck_words(const struct guest *g, char *buf, size_t size, usec_t now)
{
	usec_t usual = boottime_stage(&g->bootwatch.learned, how_of(g), g->boot.stage);
	char span[TIMESPAN_TEXT_MAX], text[TIMESPAN_TEXT_MAX], line[96];

	(void)format_timespan(span, sizeof(span), usec_sub(now, g->boot.stage_since));
	(void)format_timespan(text, sizeof(text), usual);
	(void)console_last_lines(&g->console, 1, line, sizeof(line));
	(void)snprintf(buf, size, "stuck at stage %s: not over after %s%s%s%s%s%s",
		boot_stage_to_string(g->boot.stage), span, usual ? " (usually " : "",
		usual ? text : "", usual ? ")" : "",
		line[0] ? "; console: " : "; the console says nothing", line);
	(void)words_mend(buf);
}

/* What status shows elsewhere, for whoever reads the journal. */
static void note_stuck(struct guest *g)
{
	const struct bootwatch *w = &g->bootwatch;
	unsigned active, up;

	sight_count(g, &active, &up);
	event_note(g, EVENT_BOOT, NULL, LOG_WARNING,
		"%u of %u active services up, cloud-init %s%s%s; %s", up, active,
		cloudinit_state_to_string(w->cloudinit.state), w->cloudinit.stage[0] ? " " : "",
		w->cloudinit.stage, w->words);
}

static void quote_console(const struct guest *g)
{
	char lines[QUOTED_LINES * 256];

	(void)console_last_lines(&g->console, QUOTED_LINES, lines, sizeof(lines));
	for (char *line = lines, *next; *line; line = next) {
		size_t len = strcspn(line, "\n");

		next = line + len + (line[len] == '\n');
		line[len] = '\0';
		log_full(LOG_WARNING, g->spec->name, NULL, "console: %s", line);
	}
}

static void decide(struct guest *g, usec_t now)
{
	struct bootwatch *w = &g->bootwatch;
	const char *stage = boot_stage_to_string(g->boot.stage);
	const struct restart_policy policy = restarting_policy(g);
	bool wanted = g->spec->on_stuck == ON_STUCK_RESTART && g->want == WANT_UP;

	if (!wanted || w->asked_enough) {
		why_note(g, WHY_RESTART, "boot stuck", "show it", "stage=%s OnStuck=%s", stage,
			on_stuck_to_string(g->spec->on_stuck));
	} else if (!restart_affordable(&g->restart, &policy, now)) {
		why_note(g, WHY_RESTART, "boot stuck", "show it, the restart budget is spent",
			"stage=%s faults=%u/%u", stage, g->restart.n_faults,
			g->spec->restart_limit);
	} else {
		w->asked_since = w->ask_next = now;
		event_note(g, EVENT_RESTART, NULL, LOG_WARNING,
			"the stuck boot is asked to power off (OnStuck=restart)");
		why_note(g, WHY_RESTART, "boot stuck", "ask it to power off, start it again",
			"stage=%s OnStuck=restart", stage);
	}
}

static void take_stuck(struct guest *g, usec_t now)
{
	struct bootwatch *w = &g->bootwatch;

	w->stuck = true;
	w->stuck_steps = g->boot.steps;
	stuck_words(g, w->words, sizeof(w->words), now);
	guest_set_reason(g, w->words);
	note_stuck(g);
	quote_console(g);
	decide(g, now);
	g->dirty = true;
}

static void take_freed(struct guest *g)
{
	struct bootwatch *w = &g->bootwatch;

	w->stuck = false;
	if (strcmp(g->reason, w->words) == 0)
		guest_set_reason(g, "");
	event_note(g, EVENT_BOOT, NULL, LOG_NOTICE, "the boot moves again, at stage %s",
		boot_stage_to_string(g->boot.stage));
	g->dirty = true;
}

/* Its disk can't be writable yet: the kernel has spoken, and no program ran. */
static bool may_be_ended(const struct guest *g, usec_t now)
{
	return g->state == GUEST_BOOTING && g->boot.stage == BOOT_KERNEL &&
	       !g->boot.root_writable && now >= usec_add(g->boot.stage_since, BOOT_SILENT_AFTER);
}

static void ask_down(struct guest *g, usec_t now)
{
	struct bootwatch *w = &g->bootwatch;

	if (now >= usec_add(w->asked_since, g->spec->shutdown_timeout)) {
		w->asked_since = 0;
		w->asked_enough = true;
		event_note(g, EVENT_RESTART, NULL, LOG_WARNING,
			"the stuck boot did not power off when asked; it is left as it is, because "
			"its disk may be written to; `mediakitd kill %s` would end it",
			g->spec->name);
		return;
	}
	if (now < w->ask_next)
		return;
	/* The agent once, the button from then on: a press before logind runs is lost. */
	bool by_agent = w->ask_next == w->asked_since && g->facts.agent_connected;
	(void)hvlink_stop(g, by_agent ? HV_AGENT_SHUTDOWN : HV_ACPI);
	w->ask_next = usec_add(now, SHUTDOWN_PRESS_EVERY);
}

/* True: it was ended. */
static bool take_deadline(struct guest *g, usec_t now)
{
	struct bootwatch *w = &g->bootwatch;
	struct boottime_policy policy = policy_of(g);

	/* Stuck until something moves that has a number; talk is no way out. */
	if (w->stuck && g->boot.steps != w->stuck_steps)
		take_freed(g);
	w->expected = w->whole ? boottime_whole(&w->learned, how_of(g)) : 0;
	w->deadline = boottime_deadline(&w->learned, &policy, how_of(g), &g->boot);
	if (now < w->deadline)
		return false;
	if (may_be_ended(g, now)) {
		end_boot(g, "the kernel came to no end before the root file system was writable",
			now);
		return true;
	}
	if (!w->stuck)
		take_stuck(g, now);
	/* Something else may have had the reason since. */
	if (!g->reason[0])
		guest_set_reason(g, w->words);
	return false;
}

void bootwatch_run(struct guest *g, usec_t now)
{
	struct bootwatch *w = &g->bootwatch;
	usec_t again = USEC_INFINITY;
	const char *why = NULL;
	bool halted = (g->state == GUEST_PAUSED || g->state == GUEST_SAVING) &&
		      g->state_before != GUEST_READY;

	g->boot_due = USEC_INFINITY;
	if (!coming_up(g->state) && !halted)
		return;
	take_lost_time(g, now);
	g->boot_due = usec_add(now, BOOTWATCH_EVERY);
	if (halted)
		return;
	take_steps(g, now);
	look_at_disk(g, now);
	if (g->state == GUEST_BOOTING && boot_dead(&g->boot, now, &again, &why)) {
		end_boot(g, why, now);
		return;
	}
	if (take_deadline(g, now))
		return;
	if (w->asked_since)
		ask_down(g, now);
	g->boot_due = MIN(g->boot_due, again);
	if (!w->stuck)
		g->boot_due = MIN(g->boot_due, w->deadline);
}

void bootwatch_moved(struct guest *g)
{
	event_note(g, EVENT_BOOT, NULL, LOG_INFO, "boot: %s", boot_stage_to_string(g->boot.stage));
	g->dirty = true;
}

void bootwatch_ready(struct guest *g, usec_t now)
{
	struct bootwatch *w = &g->bootwatch;

	if (boot_finish(&g->boot, now))
		bootwatch_moved(g);
	if (w->stuck)
		take_freed(g);
	w->asked_since = 0;
	w->deadline = USEC_INFINITY;
	w->expected = 0;
	if (w->whole) {
		/* What the host took from it is no property of the guest. */
		if (!w->was_starved)
			boottime_learn(&w->learned, how_of(g), &g->boot);
		/* From now on boots of this disk with this seed are later ones. */
		memcpy(w->known_key, w->key, sizeof(w->known_key));
		w->whole = false;
	}
	g->dirty = true;
}

void bootwatch_cloudinit(struct guest *g, const struct cloudinit_status *status, usec_t now)
{
	struct bootwatch *w = &g->bootwatch;
	const struct cloudinit_status *old = &w->cloudinit;

	if (coming_up(g->state) && status->steps > w->cloudinit_steps) {
		w->cloudinit_steps = status->steps;
		boot_step(&g->boot, now);
	}
	bool news = status->state != old->state || strcmp(status->stage, old->stage) != 0 ||
		    strcmp(status->quote, old->quote) != 0;
	bool more = status->errors > old->errors || status->warnings > old->warnings;
	if (more && w->cloudinit_told++ < CLOUDINIT_TOLD_MAX)
		event_note(g, EVENT_BOOT, NULL, LOG_WARNING,
			"cloud-init: %u errors, %u warnings: %s", status->errors, status->warnings,
			status->quote);
	g->dirty |= news;
	w->cloudinit = *status;
}

bool bootwatch_asked_down(const struct guest *g)
{
	return coming_up(g->state) && g->bootwatch.asked_since != 0;
}

void bootwatch_to_state(const struct guest *g, struct state_record *ret)
{
	static_assert(STATE_BOOTS == 2 * BOOTTIME_KIND_NUM * BOOTTIME_KEEP, "not all are kept");
	static_assert(sizeof(ret->boot_key) == sizeof(g->bootwatch.known_key), "a key is cut");
	memcpy(ret->boot_key, g->bootwatch.known_key, sizeof(ret->boot_key));
	for (unsigned i = 0; i < 2 * BOOTTIME_KIND_NUM; i++) {
		const struct boottime_series *s = &g->bootwatch.learned.series[i / 2][i % 2];

		for (unsigned k = 0; k < s->n; k++) {
			const usec_t *took = s->samples[k].took;

			ret->boots[ret->n_boots++] = (struct state_boot){
				.tcg = i / 2 == 1,
				.first = i % 2 == BOOTTIME_FIRST,
				.firmware = took[BOOT_FIRMWARE],
				.kernel = took[BOOT_KERNEL],
				.init = took[BOOT_INIT],
				.cloud_init = took[BOOT_CLOUD_INIT],
				.services = took[BOOT_SERVICES],
			};
		}
	}
}

void bootwatch_from_state(struct guest *g, const struct state_record *record)
{
	memcpy(g->bootwatch.known_key, record->boot_key, sizeof(g->bootwatch.known_key));
	for (unsigned i = 0; i < record->n_boots; i++) {
		const struct state_boot *b = &record->boots[i];
		const struct boottime_sample sample = { .took = {
								[BOOT_FIRMWARE] = b->firmware,
								[BOOT_KERNEL] = b->kernel,
								[BOOT_INIT] = b->init,
								[BOOT_CLOUD_INIT] = b->cloud_init,
								[BOOT_SERVICES] = b->services,
							} };

		boottime_add(&g->bootwatch.learned,
			(struct boottime_how){
				.tcg = b->tcg, .kind = b->first ? BOOTTIME_FIRST : BOOTTIME_LATER },
			&sample);
	}
}
