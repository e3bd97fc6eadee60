/* SPDX-License-Identifier: Apache-2.0 */
/* Lays the services out, and lets libsmartcols align and colour them.
 *
 * A reason is a sentence and the rest are words, so a column for it is either far too wide or cut
 * where it matters. Therefore the width is worked out first: a reason that fits beside the rest
 * stands in the last column, any other goes below its row, wrapped, and the row stays one line. */
#include "cli/table.h"

#include "base/macro.h"
#include "cli/words.h"

#include <errno.h>
#include <libsmartcols.h>
#include <limits.h>
#include <string.h>

#define INDENT     2u  /* of the whole table on a terminal */
#define REASON_MIN 20u /* a narrower column for reasons is not worth having */

enum column {
	COL_NAME,
	COL_STATE,
	COL_PORT,
	COL_VERDICT,
	COL_AGE,
	COL_LATENCY,
	COL_PROOF,
	COL_SINCE,
	COL_REASON,
	COL_NUM
};

static const struct {
	const char *title;
	int flags;
} columns[] = {
	[COL_NAME] = { "SERVICE", 0 },
	[COL_STATE] = { "STATE", 0 },
	[COL_PORT] = { "PORT", 0 },
	[COL_VERDICT] = { "VERDICT", 0 },
	[COL_AGE] = { "AGE", SCOLS_FL_RIGHT },
	[COL_LATENCY] = { "LATENCY", SCOLS_FL_RIGHT },
	[COL_PROOF] = { "PROOF", 0 },
	[COL_SINCE] = { "SINCE", SCOLS_FL_RIGHT },
	[COL_REASON] = { "REASON", 0 },
};
static_assert(ARRAY_SIZE(columns) == COL_NUM, "a column without a title");

/* What gives way on a narrow terminal, first to last. */
static const enum column gives_way[] = { COL_SINCE, COL_LATENCY, COL_PROOF, COL_AGE, COL_PORT };

struct row {
	const struct view_service *service;
	struct look look;
	bool reason_below;
	char cells[COL_NUM][REASON_TEXT_MAX];
};

struct layout {
	const struct style *style;
	struct row *rows;
	unsigned n_rows;
	bool shown[COL_NUM];
	unsigned gap; /* between columns */
};

static void fill_ports(
	char *cell, size_t size, const struct view_service *s, const struct style *style)
{
	if (s->port == 0)
		(void)snprintf(cell, size, "-");
	else
		(void)snprintf(cell, size, "%u%s%u", s->port,
			style->terminal && style->utf8 ? "→" : "->", s->host_port);
}

static void fill_row(struct row *row, const struct view_service *s, const struct style *style)
{
	const size_t size = sizeof(row->cells[0]);
	bool judged = s->verdict[0] && strcmp(s->verdict, "none") != 0;

	row->service = s;
	row->look = service_look(s);
	if (style->terminal && style->utf8)
		(void)snprintf(row->cells[COL_NAME], size, "%s %s", row->look.sign, s->name);
	else
		(void)snprintf(row->cells[COL_NAME], size, "%s", s->name);
	(void)snprintf(row->cells[COL_STATE], size, "%s", row->look.word);
	fill_ports(row->cells[COL_PORT], size, s, style);
	for (unsigned c = COL_VERDICT; c < COL_REASON; c++)
		(void)snprintf(row->cells[c], size, "-");
	if (judged) {
		(void)snprintf(row->cells[COL_VERDICT], size, "%s", s->verdict);
		(void)age_short(row->cells[COL_AGE], size, s->verdict_at, style->now_realtime);
		if (s->latency)
			(void)latency_text(row->cells[COL_LATENCY], size, s->latency);
		if (view_service_up(s))
			(void)snprintf(
				row->cells[COL_PROOF], size, s->proven ? "proven" : "unproven");
	}
	if (s->state_since)
		(void)age_short(row->cells[COL_SINCE], size, s->state_since, style->now_realtime);
	(void)service_reason(row->cells[COL_REASON], size, s);
	for (unsigned c = 0; c < COL_NUM && !style->utf8; c++)
		(void)text_plain(row->cells[c]);
}

static unsigned column_width(const struct layout *l, enum column c)
{
	unsigned width = text_width(columns[c].title);

	for (unsigned i = 0; i < l->n_rows; i++)
		width = MAX(width, text_width(l->rows[i].cells[c]));
	return width;
}

static unsigned shown_width(const struct layout *l)
{
	unsigned sum = INDENT;

	for (unsigned c = 0; c < COL_REASON; c++)
		if (l->shown[c])
			sum += column_width(l, c) + l->gap;
	return sum - l->gap;
}

/* Which reasons stand in the column, and whether there is one. `room` is its width. */
static void place_reasons(struct layout *l, unsigned room)
{
	l->shown[COL_REASON] = false;
	for (unsigned i = 0; i < l->n_rows; i++) {
		struct row *row = &l->rows[i];

		if (!row->cells[COL_REASON][0])
			continue;
		row->reason_below = room < REASON_MIN || text_width(row->cells[COL_REASON]) > room;
		l->shown[COL_REASON] |= !row->reason_below;
	}
}

static void lay_out(struct layout *l)
{
	unsigned width = l->style->width;

	l->gap = l->style->terminal ? 2 : 1;
	for (unsigned c = 0; c < COL_REASON; c++)
		l->shown[c] = true;
	if (width == 0) {
		place_reasons(l, UINT_MAX);
		return;
	}
	if (shown_width(l) > width)
		l->gap = 1;
	for (size_t i = 0; i < ARRAY_SIZE(gives_way) && shown_width(l) > width; i++)
		l->shown[gives_way[i]] = false;
	place_reasons(l, width > shown_width(l) + l->gap ? width - shown_width(l) - l->gap : 0);
}

static enum term_color cell_color(const struct row *row, enum column c)
{
	bool up = view_service_up(row->service);

	if (row->look.color == COLOR_DIM)
		return COLOR_DIM;
	if (c == COL_STATE || c == COL_REASON)
		return c == COL_REASON && row->look.color == COLOR_GREEN ? COLOR_DIM
									 : row->look.color;
	if (c == COL_VERDICT && up && strcmp(row->service->verdict, "ok") != 0)
		return COLOR_YELLOW;
	if (c == COL_PROOF && up)
		return row->service->proven ? COLOR_NONE : COLOR_DIM;
	if (c == COL_AGE || c == COL_SINCE || c == COL_LATENCY)
		return COLOR_DIM;
	return COLOR_NONE;
}

static int add_row(struct libscols_table *t, const struct layout *l, struct row *row)
{
	struct libscols_line *line = scols_table_new_line(t, NULL);
	size_t at = 0;

	if (!line)
		return -ENOMEM;
	for (unsigned c = 0; c < COL_NUM; c++) {
		if (!l->shown[c])
			continue;
		const char *color = term_color(l->style, cell_color(row, c));
		struct libscols_cell *cell = scols_line_get_cell(line, at);

		const char *text = c == COL_REASON && row->reason_below ? "" : row->cells[c];

		if (scols_line_set_data(line, at++, text) != 0 ||
			(*color && scols_cell_set_color(cell, color) != 0))
			return -ENOMEM;
	}
	return 0;
}

static int fill_table(struct libscols_table *t, const struct layout *l)
{
	const bool terminal = l->style->terminal;

	if (scols_table_set_column_separator(t, l->gap == 2 ? "  " : " ") != 0)
		return -ENOMEM;
	(void)scols_table_enable_colors(t, l->style->color);
	(void)scols_table_set_termforce(
		t, terminal ? SCOLS_TERMFORCE_ALWAYS : SCOLS_TERMFORCE_NEVER);
	if (terminal)
		(void)scols_table_set_termwidth(t, MAX(l->style->width, INDENT + 1) - INDENT);
	for (unsigned c = 0; c < COL_NUM; c++)
		if (l->shown[c] &&
			!scols_table_new_column(t, columns[c].title, 0,
				columns[c].flags |
					(terminal && c == COL_NAME ? SCOLS_FL_TRUNC : 0)))
			return -ENOMEM;
	for (unsigned i = 0; i < l->n_rows; i++)
		if (add_row(t, l, &l->rows[i]) < 0)
			return -ENOMEM;
	return 0;
}

static void print_reason(FILE *f, const struct layout *l, const struct row *row)
{
	const char *reason = row->cells[COL_REASON], *corner = l->style->utf8 ? "╰ " : "- ";
	const unsigned indent = INDENT + 2 + 2, width = l->style->width;
	enum term_color color = cell_color(row, COL_REASON);

	if (!row->reason_below)
		return;
	fprintf(f, "%*s%s%s", (int)INDENT + 2, "", term_color(l->style, color), corner);
	text_wrap(f, l->style, reason, width > indent ? width - indent : 1, indent);
	fprintf(f, "%s\n", term_reset(l->style, color));
}

/* The sign before the name has the state's colour and the name has none, which one cell cannot
 * have. A dim row has one colour throughout, and its line begins with that and not with the
 * sign. */
static void print_row(FILE *f, const struct layout *l, const struct row *row, const char *line)
{
	const char *sign = row->look.sign;
	size_t len = strlen(sign);

	if (l->style->color && strncmp(line, sign, len) == 0) {
		fprintf(f, "%s%s%s", term_color(l->style, row->look.color), sign,
			term_reset(l->style, row->look.color));
		line += len;
	}
	fprintf(f, "%s\n", line);
	print_reason(f, l, row);
}

/* One line of `text` is the title and each further one a row, in order: rows never wrap. */
static void print_lines(FILE *f, const struct layout *l, char *text)
{
	unsigned n = 0;

	for (char *save = NULL, *line = strtok_r(text, "\n", &save); line;
		line = strtok_r(NULL, "\n", &save)) {
		size_t len = strlen(line);

		while (len > 0 && line[len - 1] == ' ')
			line[--len] = '\0';
		fprintf(f, "%*s", l->style->terminal ? (int)INDENT : 0, "");
		if (n == 0)
			fprintf(f, "%s%s%s\n", term_color(l->style, COLOR_DIM), line,
				term_reset(l->style, COLOR_DIM));
		else if (n <= l->n_rows)
			print_row(f, l, &l->rows[n - 1], line);
		n++;
	}
}

int table_print(FILE *f, const struct view_guest *g, const struct style *style)
{
	struct layout l = { .style = style, .n_rows = g->n_services };
	struct libscols_table *t = scols_new_table();
	char *text = NULL;
	int r = -ENOMEM;

	l.rows = calloc(g->n_services + 1, sizeof(*l.rows));
	if (t && l.rows) {
		for (unsigned i = 0; i < g->n_services; i++)
			fill_row(&l.rows[i], &g->services[i], style);
		lay_out(&l);
		r = fill_table(t, &l);
	}
	if (r == 0 && scols_print_table_to_string(t, &text) == 0 && text)
		print_lines(f, &l, text);
	free(text);
	free(l.rows);
	scols_unref_table(t);
	return r;
}
