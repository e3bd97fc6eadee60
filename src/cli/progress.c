/* SPDX-License-Identifier: Apache-2.0 */
/* A live line, or plain ones. */
#include "cli/progress.h"

#include "base/macro.h"
#include "cli/words.h"

#include <string.h>

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
 * come. */
static bool is_news(struct progress *p, const struct view_guest *g)
{
	char text[PROGRESS_TEXT_MAX];

	(void)progress_text(text, sizeof(text), g, g->state_since + 1000 * USEC_PER_DAY);
	if (strcmp(text, p->last) == 0)
		return false;
	(void)snprintf(p->last, sizeof(p->last), "%s", text);
	return true;
}

void progress_show(struct progress *p, const struct view_guest *g)
{
	char text[PROGRESS_TEXT_MAX], elapsed[TIMESPAN_TEXT_MAX];

	if (!g)
		return;
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
