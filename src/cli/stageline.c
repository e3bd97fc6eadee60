/* SPDX-License-Identifier: Apache-2.0 */
/* One live line on a terminal, plain lines elsewhere. */
#include "cli/stageline.h"

#include <stdarg.h>
#include <string.h>

#define CLEAR_LINE "\r\033[K"
#define REPAINT    (200 * USEC_PER_MSEC)

void stageline_init(struct stageline *line, const char *prefix)
{
	const char *term = getenv("TERM");

	*line = (struct stageline){
		.prefix = prefix,
		.is_terminal = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0,
	};
}

static void paint(struct stageline *line, usec_t now)
{
	char elapsed[TIMESPAN_TEXT_MAX];

	/* Short enough for 80 columns, so that it never wraps into a second line that is not
	 * cleared. */
	fprintf(stderr, CLEAR_LINE "%.48s: %.20s %s", line->prefix, line->what,
		format_timespan(elapsed, sizeof(elapsed), usec_sub(now, line->since)));
	line->painted = now;
}

void stageline_begin(struct stageline *line, const char *what)
{
	line->what = what;
	line->since = now_boottime();
	if (line->is_terminal)
		paint(line, line->since);
	else
		fprintf(stderr, "%s: %s\n", line->prefix, what);
}

void stageline_tick(struct stageline *line)
{
	usec_t now = now_boottime();

	if (line->is_terminal && line->what && usec_sub(now, line->painted) >= REPAINT)
		paint(line, now);
}

void stageline_note(struct stageline *line, const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "%s%s: ", line->is_terminal ? CLEAR_LINE : "", line->prefix);
	va_start(ap, format);
	(void)vfprintf(stderr, format, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	if (line->is_terminal && line->what)
		paint(line, now_boottime());
}

void stageline_end(struct stageline *line)
{
	if (line->is_terminal && line->what)
		(void)fputs(CLEAR_LINE, stderr);
	line->what = NULL;
}
