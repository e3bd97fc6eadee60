/* SPDX-License-Identifier: Apache-2.0 */
/* Events line by line: they come one at a time, so there is no table to lay out. */
#include "cli/storyline.h"

#include "base/macro.h"
#include "cli/words.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#define KIND_WIDTH 10u /* of "hypervisor" */

char *moment_text(char *buf, size_t size, usec_t realtime)
{
	time_t seconds = (time_t)(realtime / USEC_PER_SEC);
	struct tm tm;

	if (!localtime_r(&seconds, &tm) || strftime(buf, size, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		(void)snprintf(buf, size, "-");
	return buf;
}

void storyline_init(struct storyline *l, FILE *f, const struct view *v, const char *only, bool json)
{
	*l = (struct storyline){ .style = term_style(f), .json = json };
	if (only)
		return;
	l->guest_width = (unsigned)strlen("mediakitd");
	for (unsigned i = 0; i < v->n_guests; i++)
		l->guest_width = MAX(l->guest_width, text_width(v->guests[i].name));
}

static const char *level_word(uint32_t level)
{
	static const char *const words[] = { "err", "err", "err", "err", "warning", "notice",
		"info", "debug" };

	return level < ARRAY_SIZE(words) ? words[level] : "debug";
}

static json_t *text_or_null(const char *text)
{
	return *text ? json_string(text) : json_null();
}

static int print_json(FILE *f, const struct view_event *e)
{
	json_t *root = json_pack("{s:i, s:I, s:I, s:I, s:o, s:s, s:s, s:o, s:o, s:s}", "version", 1,
		"seq", (json_int_t)e->seq, "at_usec", (json_int_t)e->at, "boottime_usec",
		(json_int_t)e->boottime, "guest", text_or_null(e->guest), "kind", e->kind, "level",
		level_word(e->level), "service", text_or_null(e->service), "cause",
		text_or_null(e->cause), "text", e->text);
	int r = root ? json_dumpf(root, f, JSON_COMPACT) : -1;

	json_decref(root);
	if (r < 0)
		return -ENOMEM;
	(void)fputc('\n', f);
	return 0;
}

static enum term_color color_of(const struct view_event *e)
{
	if (e->level <= LOG_ERR)
		return COLOR_RED;
	return e->level == LOG_WARNING ? COLOR_YELLOW : COLOR_NONE;
}

int storyline_print(FILE *f, const struct storyline *l, const struct view_event *e)
{
	char at[MOMENT_TEXT_MAX], text[sizeof(e->text) + sizeof(e->service) + 4];
	const struct style *style = &l->style;
	enum term_color color = color_of(e);
	unsigned used = 21 + KIND_WIDTH + 2 + (l->guest_width ? l->guest_width + 2 : 0);

	if (l->json)
		return print_json(f, e);
	(void)snprintf(
		text, sizeof(text), "%s%s%s", e->service, e->service[0] ? ": " : "", e->text);
	(void)fprintf(f, "%s%s%s  ", term_color(style, COLOR_DIM),
		moment_text(at, sizeof(at), e->at), term_reset(style, COLOR_DIM));
	if (l->guest_width)
		(void)fprintf(
			f, "%-*s  ", (int)l->guest_width, e->guest[0] ? e->guest : "mediakitd");
	(void)fprintf(f, "%-*s  %s", (int)KIND_WIDTH, e->kind, term_color(style, color));
	/* On a terminal too narrow for that, lines are left to it. */
	text_wrap(f, style, text, style->width > used + 20 ? style->width - used : 0, used);
	(void)fprintf(f, "%s\n", term_reset(style, color));
	return 0;
}
