/* SPDX-License-Identifier: Apache-2.0 */
/* A live line, or plain ones. */
#include "cli/progress.h"

#include "base/macro.h"
#include "cli/words.h"

#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

/* As a unit's ExecStart= or ExecStop= we are given this much more time, as often as that. */
#define EXTEND_BY    (30 * USEC_PER_SEC)
#define EXTEND_EVERY (5 * USEC_PER_SEC)
/* A start that takes longer than this is not waited for: the guest's own deadlines are shorter. */
#define EXTEND_MAX (60 * USEC_PER_MINUTE)
/* A guest that shuts down names dozens of units in its first second. */
#define LINE_EVERY (1 * USEC_PER_SEC)

void progress_begin(struct progress *p)
{
	*p = (struct progress){ .style = term_style(stderr), .began = now_boottime() };
}

void progress_end(struct progress *p)
{
	if (p->painted) {
		(void)fputs("\r\033[K", stderr);
		(void)fflush(stderr);
	}
	p->painted = false;
}

/* Two lines that differ only in how long something has lasted, or will last, tell the same. So the
 * text to compare is made for a moment so late that every age is the same and nothing is to
 * come. What is held back now is news still when the second is over. */
static bool is_news(struct progress *p, const struct view_guest *g)
{
	char text[PROGRESS_TEXT_MAX], step[sizeof(p->step)];
	usec_t now = now_boottime();

	(void)progress_text(text, sizeof(text), g, g->state_since + 1000 * USEC_PER_DAY);
	if (strcmp(text, p->last) == 0)
		return false;
	(void)snprintf(step, sizeof(step), "%s %s %u", g->state, g->ladder_rung, g->ladder_presses);
	if (strcmp(step, p->step) == 0 && now < p->told_line + LINE_EVERY)
		return false;
	(void)snprintf(p->last, sizeof(p->last), "%s", text);
	(void)snprintf(p->step, sizeof(p->step), "%s", step);
	p->told_line = now;
	return true;
}

/* A ladder has an end that the daemon tells; past it, and a little, nothing moves any more and
 * systemd may judge by its own time-out. */
static bool still_moves(const struct progress *p, const struct view_guest *g)
{
	if (g->ladder_until)
		return now_realtime() < g->ladder_until + EXTEND_BY;
	return now_boottime() - p->began < EXTEND_MAX;
}

bool progress_in_unit(void)
{
	return getenv("NOTIFY_SOCKET") != NULL;
}

void progress_extend(const char *status)
{
	(void)sd_notifyf(
		0, "EXTEND_TIMEOUT_USEC=%llu\nSTATUS=%s", (unsigned long long)EXTEND_BY, status);
}

static void tell_systemd(struct progress *p, const struct view_guest *g)
{
	char text[PROGRESS_TEXT_MAX];
	usec_t now = now_boottime();

	if (!progress_in_unit() || now < p->told_systemd + EXTEND_EVERY || !still_moves(p, g))
		return;
	p->told_systemd = now;
	progress_extend(progress_text(text, sizeof(text), g, now_realtime()));
}

void progress_show(struct progress *p, const struct view_guest *g)
{
	char text[PROGRESS_TEXT_MAX], elapsed[TIMESPAN_TEXT_MAX];

	if (!g)
		return;
	tell_systemd(p, g);
	if (!p->style.terminal) {
		if (!is_news(p, g))
			return;
		(void)format_timespan(elapsed, sizeof(elapsed), now_boottime() - p->began);
		fprintf(stderr, "%s: %s (after %s)\n", g->name,
			progress_text(text, sizeof(text), g, now_realtime()), elapsed);
		return;
	}
	/* The window may have changed; a line that wraps could not be taken back. */
	p->style = term_style(stderr);
	unsigned used = text_width(g->name) + 2;
	(void)progress_text(text, sizeof(text), g, now_realtime());
	fprintf(stderr, "\r%s: ", g->name);
	text_put(
		stderr, &p->style, text, p->style.width > used + 2 ? p->style.width - used - 1 : 1);
	(void)fputs("\033[K", stderr);
	(void)fflush(stderr);
	p->painted = true;
}
