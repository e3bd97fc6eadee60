/* SPDX-License-Identifier: Apache-2.0 */
/* One live line on a terminal, plain lines elsewhere. */
#include "cli/stageline.h"

#include "base/parse.h"

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

char *stageline_bar_text(
	const struct stageline_bar *bar, usec_t now, char ret[static STAGELINE_BAR_TEXT])
{
	char done[SIZE_TEXT_MAX], total[SIZE_TEXT_MAX], rate[SIZE_TEXT_MAX];
	char left[TIMESPAN_TEXT_MAX];
	usec_t took = MAX(usec_sub(now, bar->since), USEC_PER_MSEC);
	double bytes = (double)(bar->done - MIN(bar->from, bar->done));
	double a_second = bytes * (double)USEC_PER_SEC / (double)took;
	char *to = ret, *end = ret + STAGELINE_BAR_TEXT;

	if (bar->total > 0)
		to += snprintf(to, (size_t)(end - to), "%3u%%  ",
			(unsigned)(100.0 * (double)bar->done / (double)bar->total));
	to += snprintf(to, (size_t)(end - to), "%s",
		format_size_kib(done, sizeof(done), bar->done / 1024));
	if (bar->total > 0)
		to += snprintf(to, (size_t)(end - to), " of %s",
			format_size_kib(total, sizeof(total), bar->total / 1024));
	to += snprintf(to, (size_t)(end - to), ", %s/s",
		format_size_kib(rate, sizeof(rate), (uint64_t)a_second / 1024));
	if (bar->total > bar->done && a_second >= 1.0)
		(void)snprintf(to, (size_t)(end - to), ", %s left",
			format_timespan(left, sizeof(left),
				(usec_t)((double)(bar->total - bar->done) / a_second + 1.0) *
					USEC_PER_SEC));
	return ret;
}

/* "[#####     ]" between the stage and the words, as long as there is room in 80 columns. */
static void paint_bar(struct stageline *line, usec_t now)
{
	static const char full[] = "############", none[] = "            ";
	char text[STAGELINE_BAR_TEXT];
	const struct stageline_bar *bar = &line->bar;
	int cells = (int)sizeof(full) - 1;
	int n = bar->total > 0 ? (int)((double)cells * (double)bar->done / (double)bar->total) : 0;

	(void)stageline_bar_text(bar, now, text);
	if (bar->total > 0 && strlen(text) + 16 <= 79)
		fprintf(stderr, CLEAR_LINE "[%.*s%.*s] %s", n, full, cells - n, none, text);
	else
		fprintf(stderr, CLEAR_LINE "%.79s", text);
	line->painted = now;
}

static void paint(struct stageline *line, usec_t now)
{
	char elapsed[TIMESPAN_TEXT_MAX];

	if (line->bar.since > 0) {
		paint_bar(line, now);
		return;
	}

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
	line->bar = (struct stageline_bar){ 0 };
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

void stageline_progress(struct stageline *line, uint64_t done, uint64_t total)
{
	struct stageline_bar *bar = &line->bar;
	char text[STAGELINE_BAR_TEXT];

	if (done == 0 || (total > 0 && done > total))
		return;
	if (bar->since == 0 || done < bar->done)
		*bar = (struct stageline_bar){ .from = done, .since = now_boottime() };
	bar->done = done;
	bar->total = total;
	unsigned tenths = total > 0 ? (unsigned)(10.0 * (double)done / (double)total) : 0;
	if (!line->is_terminal && tenths > bar->told)
		fprintf(stderr, "%s: %s\n", line->prefix,
			stageline_bar_text(bar, now_boottime(), text));
	bar->told = MAX(bar->told, tenths);
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
