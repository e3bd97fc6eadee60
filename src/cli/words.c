/* SPDX-License-Identifier: Apache-2.0 */
/* How states, ages, reasons and progress are said. */
#include "cli/words.h"

#include "base/macro.h"

#include <stdarg.h>
#include <string.h>

void text_add(char *buf, size_t size, const char *format, ...)
{
	size_t len = strlen(buf);
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(buf + len, size - len, format, ap);
	va_end(ap);
}

static const struct look *look_find(const struct look *looks, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(looks[i].word, word) == 0)
			return &looks[i];
	return NULL;
}

struct look guest_look(const struct view_guest *g)
{
	static const struct look looks[] = {
		{ "absent", "○", COLOR_DIM },
		{ "stopped", "○", COLOR_DIM },
		{ "starting", "◌", COLOR_CYAN },
		{ "booting", "◌", COLOR_CYAN },
		{ "running", "◌", COLOR_CYAN },
		{ "ready", "●", COLOR_YELLOW },
		{ "stopping", "◌", COLOR_YELLOW },
		{ "saving", "◌", COLOR_YELLOW },
		{ "paused", "‖", COLOR_YELLOW },
		{ "crashed", "✗", COLOR_RED },
		{ "failed", "✗", COLOR_RED },
	};
	const struct look *look = look_find(looks, ARRAY_SIZE(looks), g->state);

	if (g->boot_stuck)
		return (struct look){ g->state, "◌", COLOR_YELLOW };
	if (g->healthy)
		return (struct look){ g->state, "●", COLOR_GREEN };
	return look ? *look : (struct look){ g->state, "?", COLOR_YELLOW };
}

struct look service_look(const struct view_service *s)
{
	static const struct look looks[] = {
		{ "unknown", "○", COLOR_DIM },
		{ "starting", "◌", COLOR_CYAN },
		{ "up", "●", COLOR_GREEN },
		{ "degraded", "●", COLOR_YELLOW },
		{ "down", "✗", COLOR_RED },
	};
	const struct look *look = look_find(looks, ARRAY_SIZE(looks), s->state);

	if (view_service_pending(s) && view_service_up(s))
		return (struct look){ s->state, "●", COLOR_CYAN };
	if (view_service_pending(s))
		return (struct look){ "pending", "○", COLOR_DIM };
	if (!s->watched)
		return (struct look){ "unwatched", "○", COLOR_DIM };
	return look ? *look : (struct look){ s->state, "?", COLOR_YELLOW };
}

char *age_text(char *buf, size_t size, usec_t at, usec_t now)
{
	usec_t age = usec_sub(now, at);

	if (at == 0)
		(void)snprintf(buf, size, "%s", "");
	else if (age < 10 * USEC_PER_SEC)
		(void)snprintf(buf, size, "%us", (unsigned)(age / USEC_PER_SEC));
	else
		(void)format_timespan(buf, size, age);
	return buf;
}

char *age_short(char *buf, size_t size, usec_t at, usec_t now)
{
	(void)age_text(buf, size, at, now);
	buf[strcspn(buf, " ")] = '\0';
	return buf;
}

char *latency_text(char *buf, size_t size, usec_t latency)
{
	double ms = (double)latency / (double)USEC_PER_MSEC;

	if (ms < 10)
		(void)snprintf(buf, size, "%.1fms", ms);
	else if (ms < 1000)
		(void)snprintf(buf, size, "%.0fms", ms);
	else
		(void)snprintf(buf, size, "%.1fs", ms / 1000);
	return buf;
}

static const char *why_unwatched(const struct view_service *s)
{
	if (strcmp(s->probe, "unit") == 0)
		return "unwatched: no guest agent";
	return strcmp(s->probe, "none") == 0 ? "unwatched: Probe=none"
					     : "unwatched: forwarded from the next start on";
}

char *service_reason(char *buf, size_t size, const struct view_service *s)
{
	buf[0] = '\0';
	if (view_service_pending(s)) {
		if (view_service_up(s))
			(void)snprintf(
				buf, size, "pending, but it answers! Expect=active would count it");
		else
			(void)snprintf(buf, size, "pending, not counted");
		if (!s->watched)
			text_add(buf, size, "; %s", why_unwatched(s));
		else if (s->blocked_by[0] && !view_service_up(s))
			text_add(buf, size, "; waits for %s", s->blocked_by);
		return buf;
	}
	if (!s->watched) {
		(void)snprintf(buf, size, "%s", why_unwatched(s));
		return buf;
	}
	if (s->blocked_by[0] && !view_service_up(s))
		(void)snprintf(buf, size, "waits for %s", s->blocked_by);
	if (s->reason[0])
		text_add(buf, size, "%s%s", buf[0] ? "; " : "", s->reason);
	else if (strcmp(s->probe, "tcp") == 0 && view_service_up(s))
		text_add(buf, size, "Probe=tcp proves little");
	if (s->restored)
		text_add(buf, size, "%sfrom before the daemon's restart", buf[0] ? "; " : "");
	return buf;
}

/* "waits for a (starting), b (down: refused) and 3 more". */
static void add_waiting(char *buf, size_t size, const struct view_guest *g)
{
	unsigned n = 0;

	for (unsigned i = 0; i < g->n_services; i++) {
		const struct view_service *s = &g->services[i];

		if (!view_service_counts(s) || view_service_up(s))
			continue;
		if (++n > 2)
			continue;
		text_add(buf, size, "%s%s (%s", n == 1 ? "; waits for " : ", ", s->name,
			service_look(s).word);
		if (strcmp(s->state, "down") == 0 && s->verdict[0])
			text_add(buf, size, ": %s", s->verdict);
		text_add(buf, size, ")");
	}
	if (n > 2)
		text_add(buf, size, " and %u more", n - 2);
}

static void add_ladder(char *buf, size_t size, const struct view_guest *g, usec_t now)
{
	char left[AGE_TEXT_MAX];

	if (g->ladder_since == 0)
		return;
	if (strcmp(g->ladder_rung, "forced") == 0)
		text_add(buf, size, ": the power is cut");
	else if (strcmp(g->ladder_rung, "quit") == 0)
		text_add(buf, size, ": the power is cut, QEMU writes out its caches");
	else if (strcmp(g->ladder_rung, "resume") == 0)
		text_add(buf, size, ": it was paused, and runs on to hear of it");
	else if (g->ladder_presses > 0)
		text_add(buf, size, ": power button pressed %u time%s", g->ladder_presses,
			g->ladder_presses == 1 ? "" : "s");
	else if (strcmp(g->ladder_rung, "agent") == 0)
		text_add(buf, size, ": the guest agent was asked");
	if (g->ladder_line[0])
		text_add(buf, size, "; it says \"%s\"", g->ladder_line);
	if (g->ladder_until > now)
		text_add(buf, size, "; at most %s more",
			age_text(left, sizeof(left), now, g->ladder_until));
}

/* ": services, 32s of about 45s; cloud-init: running modules-final". */
static void add_stage(char *buf, size_t size, const struct view_guest *g, usec_t now)
{
	char age[AGE_TEXT_MAX], whole[AGE_TEXT_MAX];

	text_add(buf, size, ": %s", g->boot_stage);
	if (g->boot_expected > 0 && g->boot_began > 0)
		text_add(buf, size, ", %s of about %s",
			age_text(age, sizeof(age), g->boot_began, now),
			age_text(whole, sizeof(whole), now, usec_add(now, g->boot_expected)));
	if (g->cloudinit_stage[0])
		text_add(buf, size, "; cloud-init: %s %s", g->cloudinit_status, g->cloudinit_stage);
}

char *cloudinit_words(char *buf, size_t size, const struct view_guest *g)
{
	buf[0] = '\0';
	if (strcmp(g->cloudinit_status, "skipped") == 0)
		text_add(buf, size, "skipped: %s", g->cloudinit_quote);
	if (g->cloudinit_errors + g->cloudinit_warnings == 0)
		return buf;
	(void)snprintf(buf, size, "%s", g->cloudinit_status);
	if (g->cloudinit_errors > 0)
		text_add(buf, size, ", %u error%s", g->cloudinit_errors,
			g->cloudinit_errors == 1 ? "" : "s");
	if (g->cloudinit_warnings > 0)
		text_add(buf, size, ", %u warning%s", g->cloudinit_warnings,
			g->cloudinit_warnings == 1 ? "" : "s");
	if (g->cloudinit_quote[0])
		text_add(buf, size, ": %s", g->cloudinit_quote);
	return buf;
}

static void add_boot(char *buf, size_t size, const struct view_guest *g, usec_t now)
{
	static const char *const coming_up[] = { "booting", "running", NULL };
	unsigned up, active;

	if (view_is(g->state, coming_up) && g->boot_stage[0])
		add_stage(buf, size, g, now);
	view_count(g, &up, &active);
	if (active > 0)
		text_add(buf, size, "; %u of %u active services up", up, active);
	add_waiting(buf, size, g);
	if (g->boot_hint[0])
		text_add(buf, size, "; serial line: %s", g->boot_hint);
}

static void add_snapshot(char *buf, size_t size, const struct view_guest *g)
{
	static const char *const quiet[] = { "", "none", "unknown", NULL };

	if (view_is(g->snapshot_phase, quiet))
		return;
	text_add(buf, size, "; snapshot: %s", g->snapshot_phase);
	/* In steps, each of which is a line where the output is no terminal. */
	if (strcmp(g->snapshot_phase, "copying") == 0 && g->snapshot_total > 0)
		text_add(buf, size, ", %u %%",
			(unsigned)(MIN(g->snapshot_copied, g->snapshot_total) /
				   (g->snapshot_total / 20 + 1) * 5));
}

char *progress_text(char *buf, size_t size, const struct view_guest *g, usec_t now_realtime)
{
	static const char *const alive[] = { "booting", "running", "ready", NULL };
	char age[AGE_TEXT_MAX];

	(void)snprintf(buf, size, "%s", g->state);
	if (g->state_since)
		text_add(
			buf, size, " %s", age_text(age, sizeof(age), g->state_since, now_realtime));
	if (g->healthy) {
		unsigned up, active;

		view_count(g, &up, &active);
		text_add(buf, size, ": healthy; %u of %u active services up", up, active);
		add_snapshot(buf, size, g);
		return buf;
	}
	if (strcmp(g->state, "stopping") == 0)
		add_ladder(buf, size, g, now_realtime);
	else if (view_is(g->state, alive))
		add_boot(buf, size, g, now_realtime);
	add_snapshot(buf, size, g);
	if (g->reason[0])
		text_add(buf, size, "%s%s", view_is(g->state, alive) ? "; " : ": ", g->reason);
	if (g->retry_at > now_realtime)
		text_add(buf, size, "; starts again in %s",
			age_text(age, sizeof(age), now_realtime, g->retry_at));
	return buf;
}
