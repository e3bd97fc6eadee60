/* SPDX-License-Identifier: Apache-2.0 */
/* One block per guest: a headline that answers the question, the facts under it, the services
 * below. */
#include "cli/screen.h"

#include "base/macro.h"
#include "base/parse.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "cli/words.h"
#include "model/glibc.h"

#include <string.h>

#define LABEL_WIDTH 12u /* with the two spaces behind it */
#define LINE_MAX    1024u
/* The daemon asks for statistics every few seconds; older ones are worth a word. */
#define STATS_OLD (60 * USEC_PER_SEC)

static void print_fact(FILE *f, const struct style *style, const char *label, enum term_color color,
	const char *text)
{
	unsigned width = style->width > LABEL_WIDTH + 8 ? style->width - LABEL_WIDTH : 0;

	fprintf(f, "%s%*s  %s%s", term_color(style, COLOR_DIM), (int)LABEL_WIDTH - 2, label,
		term_reset(style, COLOR_DIM), term_color(style, color));
	text_wrap(f, style, text, width, LABEL_WIDTH);
	fprintf(f, "%s\n", term_reset(style, color));
}

/* On its way somewhere: then the headline says where it is and what it waits for. */
static bool on_the_way(const struct view_guest *g)
{
	static const char *const states[] = { "booting", "running", "stopping", "starting",
		"crashed", NULL };

	return view_is(g->state, states) && !g->healthy;
}

/* "ready for 2h 4min, healthy: 6 of 6 active services up". */
static void headline_text(char *buf, size_t size, const struct view_guest *g, usec_t now)
{
	char age[AGE_TEXT_MAX];
	unsigned up, active;

	if (on_the_way(g)) {
		(void)progress_text(buf, size, g, now);
		return;
	}
	(void)snprintf(buf, size, "%s", g->state);
	if (g->state_since)
		text_add(buf, size, " for %s", age_text(age, sizeof(age), g->state_since, now));
	if (!view_runs(g))
		return;
	view_count(g, &up, &active);
	if (g->healthy)
		text_add(buf, size, ", healthy");
	else if (strcmp(g->state, "ready") == 0)
		text_add(buf, size, ", not healthy");
	if (active > 0)
		text_add(buf, size, "%s %u of %u active services up",
			g->healthy || up < active ? ":" : ",", up, active);
}

static void print_headline(FILE *f, const struct view_guest *g, const struct style *style)
{
	struct look look = guest_look(g);
	char text[LINE_MAX];
	unsigned used = text_width(g->name) + 2;

	if (style->terminal && style->utf8) {
		fprintf(f, "%s%s%s ", term_color(style, look.color), look.sign,
			term_reset(style, look.color));
		used += 2;
	}
	fprintf(f, "%s", term_color(style, COLOR_BOLD));
	text_put(f, style, g->name, 0);
	fprintf(f, "%s  %s", term_reset(style, COLOR_BOLD), term_color(style, look.color));
	headline_text(text, sizeof(text), g, style->now_realtime);
	text_wrap(f, style, text, style->width > used + 8 ? style->width - used : 0, used);
	fprintf(f, "%s\n", term_reset(style, look.color));
}

static void print_run(FILE *f, const struct view_guest *g, const struct style *style)
{
	char text[LINE_MAX], age[AGE_TEXT_MAX];

	(void)snprintf(text, sizeof(text), "%s",
		g->accelerator[0] ? g->accelerator : "accelerator unknown");
	if (g->started_at)
		text_add(text, sizeof(text), ", up %s",
			age_text(age, sizeof(age), g->started_at, style->now_realtime));
	if (g->cpus)
		text_add(text, sizeof(text), ", %u CPU%s", g->cpus, g->cpus == 1 ? "" : "s");
	if (g->pid > 0)
		text_add(text, sizeof(text), ", QEMU pid %lld", (long long)g->pid);
	if (g->boots > 1)
		text_add(text, sizeof(text), ", boot attempt %u", g->boots);
	print_fact(f, style, "guest", COLOR_NONE, text);
}

static void print_memory(FILE *f, const struct view_guest *g, const struct style *style)
{
	char text[LINE_MAX], a[SIZE_TEXT_MAX], b[SIZE_TEXT_MAX], age[AGE_TEXT_MAX];
	bool knows_most = g->memory_maximum != VIEW_ABSENT && g->memory_maximum > 0;
	uint64_t most = knows_most ? g->memory_maximum : g->memory_configured;

	if (g->memory_actual == VIEW_ABSENT) {
		(void)snprintf(text, sizeof(text), "%s at most; no statistics yet",
			format_size_kib(a, sizeof(a), most));
		print_fact(f, style, "memory", COLOR_DIM, text);
		return;
	}
	(void)snprintf(text, sizeof(text), "%s of %s",
		format_size_kib(a, sizeof(a), g->memory_actual),
		format_size_kib(b, sizeof(b), most));
	if (g->memory_target)
		text_add(text, sizeof(text), " (target %s)",
			format_size_kib(a, sizeof(a), g->memory_target));
	if (g->memory_usable != VIEW_ABSENT && g->memory_usable <= g->memory_actual)
		text_add(text, sizeof(text), ", guest uses %s",
			format_size_kib(a, sizeof(a), g->memory_actual - g->memory_usable));
	if (g->memory_rss != VIEW_ABSENT)
		text_add(text, sizeof(text), ", QEMU holds %s",
			format_size_kib(a, sizeof(a), g->memory_rss));
	if (g->stats_at && usec_sub(style->now_realtime, g->stats_at) > STATS_OLD)
		text_add(text, sizeof(text), " (%s ago)",
			age_text(age, sizeof(age), g->stats_at, style->now_realtime));
	print_fact(f, style, "memory", COLOR_NONE, text);
}

/* "hold at 4.9 GiB: host-need, floor 2.0 GiB, usable 1.2 GiB". */
static void print_balloon(FILE *f, const struct view_guest *g, const struct style *style)
{
	char text[LINE_MAX], size[SIZE_TEXT_MAX], age[AGE_TEXT_MAX];
	bool aside = g->balloon_aside_until > style->now_realtime;

	if (!g->balloon_reason[0])
		return;
	(void)snprintf(text, sizeof(text), "%s %s %s: %s", g->balloon_action,
		strcmp(g->balloon_action, "hold") == 0 ? "at" : "to",
		format_size_kib(size, sizeof(size), g->balloon_target), g->balloon_reason);
	if (g->balloon_on_trial)
		text_add(text, sizeof(text), ", on trial");
	text_add(text, sizeof(text), ", floor %s",
		format_size_kib(size, sizeof(size), g->balloon_floor));
	if (g->memory_usable != VIEW_ABSENT)
		text_add(text, sizeof(text), ", usable %s",
			format_size_kib(size, sizeof(size), g->memory_usable));
	if (strcmp(g->balloon_mode, "manual") == 0)
		text_add(text, sizeof(text), "; Balloon=manual");
	if (g->balloon_until > style->now_realtime)
		text_add(text, sizeof(text), "; automatic again in %s",
			age_text(age, sizeof(age), style->now_realtime, g->balloon_until));
	if (aside)
		text_add(text, sizeof(text), "; set aside for another %s",
			age_text(age, sizeof(age), style->now_realtime, g->balloon_aside_until));
	print_fact(f, style, "balloon", aside ? COLOR_YELLOW : COLOR_NONE, text);
}

static void print_cpu(FILE *f, const struct view_guest *g, const struct style *style)
{
	char text[LINE_MAX];
	bool never = strcmp(g->cpu_tune, "no-effect") == 0;

	if (!never && strcmp(g->cpu_tune, "failed") != 0)
		return;
	(void)snprintf(text, sizeof(text), "%s%s%s %s no effect %s: %s",
		g->cpu_weight ? "CPUWeight=" : "", g->cpu_weight && g->cpu_quota ? " and " : "",
		g->cpu_quota ? "CPUQuota=" : "", g->cpu_weight && g->cpu_quota ? "have" : "has",
		never ? "here" : "yet", g->cpu_tune_reason);
	print_fact(f, style, "cpu", COLOR_YELLOW, text);
}

static void print_network(FILE *f, const struct view_guest *g, const struct style *style)
{
	const char *host = strcmp(g->bind, "0.0.0.0") == 0 ? "127.0.0.1" : g->bind;
	char text[LINE_MAX];

	(void)snprintf(text, sizeof(text), "forwards on %s", g->bind);
	if (g->ssh_port)
		text_add(text, sizeof(text), "; ssh -p %u %s@%s", g->ssh_port, g->user, host);
	print_fact(f, style, "network", COLOR_NONE, text);
	if (strcmp(g->egress, "none") != 0 && g->egress[0])
		print_fact(f, style, "egress", COLOR_YELLOW,
			"open: the guest reaches the network and every service on this host's "
			"loopback");
}

/* Its own word: shown where it is not well. */
static void print_fs(FILE *f, const struct view_guest *g, const struct style *style)
{
	char text[LINE_MAX];

	if (strcmp(g->fs_word, "recovered") != 0 && strcmp(g->fs_word, "errors") != 0)
		return;
	(void)snprintf(text, sizeof(text), "%s, says the guest: %s", g->fs_word, g->fs_words);
	print_fact(f, style, "file system", COLOR_YELLOW, text);
}

/* Nothing about a guest that was never provisioned, or whose image said nothing. */
static void print_image(FILE *f, const struct view_guest *g, const struct style *style)
{
	char text[LINE_MAX];
	bool under = glibc_is_under(g->glibc, g->glibc_min);

	if (!g->glibc[0])
		return;
	(void)snprintf(text, sizeof(text), "glibc %s%s%s%s", g->glibc,
		strcmp(g->glibc_source, "guest") == 0 ? ", says the guest" : "",
		under ? ", and a start is refused: GlibcMin=" : "", under ? g->glibc_min : "");
	print_fact(f, style, "image", under ? COLOR_YELLOW : COLOR_NONE, text);
}

static void print_exit(FILE *f, const struct view_guest *g, const struct style *style)
{
	char text[LINE_MAX], age[AGE_TEXT_MAX];

	if (strcmp(g->exit_cause, "none") == 0 || !g->exit_cause[0])
		return;
	(void)snprintf(text, sizeof(text), "%s", g->exit_words[0] ? g->exit_words : g->exit_cause);
	if (g->exit_at)
		text_add(text, sizeof(text), "; %s ago",
			age_text(age, sizeof(age), g->exit_at, style->now_realtime));
	print_fact(f, style, "last exit", COLOR_NONE, text);
}

static void print_snapshot(FILE *f, const struct view_guest *g, const struct style *style)
{
	static const char *const quiet[] = { "", "none", "unknown", NULL };
	char text[LINE_MAX], age[AGE_TEXT_MAX];
	size_t n = 0;

	if (!view_is(g->snapshot_phase, quiet))
		n = (size_t)snprintf(text, sizeof(text), "%s; ", g->snapshot_phase);
	if (g->snapshot_at)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%u kept, the newest of %s ago",
			g->snapshots,
			age_text(age, sizeof(age), g->snapshot_at, style->now_realtime));
	else if (n > 0)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "none kept yet");
	if (n > 0)
		print_fact(f, style, "snapshot", COLOR_NONE, text);
	if (!g->snapshot_failed)
		return;
	(void)snprintf(text, sizeof(text), "not made, %s ago: %s",
		age_text(age, sizeof(age), g->snapshot_tried, style->now_realtime),
		g->snapshot_result);
	print_fact(f, style, "snapshot", COLOR_YELLOW, text);
}

static void print_start(FILE *f, const struct view_guest *g, const struct style *style)
{
	char text[LINE_MAX], age[AGE_TEXT_MAX];

	if (view_runs(g) && strcmp(g->last_start, "warm") == 0)
		print_fact(f, style, "last start", COLOR_NONE, "warm: it went on from its save");
	else if (view_runs(g) && g->last_start_reason[0]) {
		(void)snprintf(text, sizeof(text), "cold, though it was saved: %s",
			g->last_start_reason);
		print_fact(f, style, "last start", COLOR_YELLOW, text);
	}
	if (g->saved_at == 0)
		return;
	(void)snprintf(text, sizeof(text), "%s ago; the next start goes on from there",
		age_text(age, sizeof(age), g->saved_at, style->now_realtime));
	print_fact(f, style, "saved", COLOR_NONE, text);
}

static void print_worries(FILE *f, const struct view_guest *g, const struct style *style)
{
	char text[LINE_MAX];
	bool told = on_the_way(g);

	if (g->reason[0] && !told)
		print_fact(f, style, "reason",
			view_guest_exit(g) == CLI_FAILED ? COLOR_RED : COLOR_NONE, g->reason);
	if (g->boot_hint[0] && !told)
		print_fact(f, style, "serial", COLOR_YELLOW, g->boot_hint);
	if (view_runs(g) && *cloudinit_words(text, sizeof(text), g))
		print_fact(f, style, "cloud-init",
			g->cloudinit_errors || g->cloudinit_warnings ? COLOR_YELLOW : COLOR_NONE,
			text);
	if (strcmp(g->want, "up") == 0 && !view_runs(g) && strcmp(g->state, "crashed") != 0)
		print_fact(f, style, "wanted", COLOR_YELLOW, "up");
	if (strcmp(g->state, "failed") == 0) {
		(void)snprintf(text, sizeof(text),
			"given up; `mediakitd reset-failed %s` and then `mediakitd start %s`",
			g->name, g->name);
		print_fact(f, style, "next", COLOR_YELLOW, text);
	}
	if (g->starved) {
		char age[AGE_TEXT_MAX];

		(void)snprintf(text, sizeof(text), "for %s: %s",
			age_text(age, sizeof(age), g->starved_since, style->now_realtime),
			g->starved_reason);
		print_fact(f, style, "starved", COLOR_YELLOW, text);
	}
	if (g->wedged)
		print_fact(f, style, "wedged", COLOR_RED,
			"a call into libvirt about this guest does not return");
}

static void print_services(FILE *f, const struct view_guest *g, const struct style *style)
{
	char text[LINE_MAX];
	bool known = view_runs(g);

	if (g->n_services == 0)
		return;
	for (unsigned i = 0; i < g->n_services; i++)
		known |= strcmp(g->services[i].state, "unknown") != 0;
	if (known) {
		fputc('\n', f);
		(void)table_print(f, g, style);
		return;
	}
	(void)snprintf(
		text, sizeof(text), "%u, not asked while the guest is %s", g->n_services, g->state);
	print_fact(f, style, "services", COLOR_DIM, text);
}

static void print_guest(FILE *f, const struct view_guest *g, const struct style *style)
{
	print_headline(f, g, style);
	print_worries(f, g, style);
	if (view_runs(g)) {
		print_run(f, g, style);
		print_memory(f, g, style);
		print_balloon(f, g, style);
		print_cpu(f, g, style);
		print_network(f, g, style);
	}
	print_image(f, g, style);
	print_exit(f, g, style);
	print_start(f, g, style);
	print_snapshot(f, g, style);
	print_fs(f, g, style);
	print_services(f, g, style);
}

static void print_daemon(FILE *f, const struct view *v, const struct style *style)
{
	char text[LINE_MAX], age[AGE_TEXT_MAX];
	bool any = true;

	text[0] = '\0';
	if (!v->connected) {
		(void)snprintf(text, sizeof(text), "libvirt (%s) is not connected", v->uri);
		if (v->connection_since)
			text_add(text, sizeof(text), " for %s",
				age_text(age, sizeof(age), v->connection_since,
					style->now_realtime));
		if (v->connection_message[0])
			text_add(text, sizeof(text), ": %s", v->connection_message);
		text_add(text, sizeof(text), "; guests are shown as last seen");
	} else if (v->wedged_queues > 0) {
		(void)snprintf(text, sizeof(text),
			"calls into libvirt about %u guest%s do not return", v->wedged_queues,
			v->wedged_queues == 1 ? "" : "s");
	} else if (v->store_trouble[0]) {
		(void)snprintf(
			text, sizeof(text), "the state cannot be saved: %s", v->store_trouble);
	} else {
		any = false;
	}
	if (any) {
		print_fact(f, style, "daemon", COLOR_RED, text);
		fputc('\n', f);
	}
}

static void print_pool(FILE *f, const struct view *v, const struct style *style)
{
	char text[LINE_MAX], a[SIZE_TEXT_MAX], t[SIZE_TEXT_MAX], w[SIZE_TEXT_MAX];

	if (v->pool_available == VIEW_ABSENT || (!v->pool_pressed && !v->pool_degraded))
		return;
	(void)snprintf(text, sizeof(text), "%s of %s available, %s wanted%s%s",
		format_size_kib(a, sizeof(a), v->pool_available),
		format_size_kib(t, sizeof(t), v->pool_total),
		format_size_kib(w, sizeof(w), v->pool_leave),
		v->pool_below_critical ? "; below Critical=" : "",
		v->pool_degraded ? "; too small for the guests' MemoryMin= and the reserve" : "");
	print_fact(f, style, "pool", v->pool_degraded ? COLOR_RED : COLOR_YELLOW, text);
	fputc('\n', f);
}

void screen_print(FILE *f, const struct view *v, const char *only, const struct style *style)
{
	bool first = true;

	print_daemon(f, v, style);
	print_pool(f, v, style);
	for (unsigned i = 0; i < v->n_guests; i++) {
		if (only && strcmp(v->guests[i].name, only) != 0)
			continue;
		if (!first)
			fputc('\n', f);
		print_guest(f, &v->guests[i], style);
		first = false;
	}
	if (v->n_guests == 0)
		fprintf(f,
			"no guest is configured; add %s/guests.d/NAME.conf and `mediakitd "
			"reload`\n",
			v->config_dir[0] ? v->config_dir : "/etc/mediakitd");
}
