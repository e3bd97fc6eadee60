/* SPDX-License-Identifier: Apache-2.0 */
/* One table of columns, read and written by. */
#include "policy/balloon_trace.h"

#include "base/macro.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

enum kind {
	KIND_TIME, /* usec_t, written in seconds */
	KIND_MSEC, /* usec_t, written in milliseconds */
	KIND_U64,
	KIND_UINT,
	KIND_PERCENT, /* uint32_t, hundredths */
	KIND_BOOL,
	KIND_NAME,
	KIND_PHASE,
	KIND_FLAW,
};

enum set { SET_BOTH, SET_RECORDED, SET_DEMAND };

/* What an empty cell, or a column that is not there, means. */
enum empty { EMPTY_REFUSED, EMPTY_ZERO, EMPTY_ABSENT };

static const struct column {
	const char *name;
	enum kind kind;
	enum set set;
	enum empty empty;
	size_t offset;
} columns[] = {
#define ROW(member) offsetof(struct trace_row, member)
	/* clang-format off */
	{ "time",           KIND_TIME,    SET_BOTH,     EMPTY_REFUSED, ROW(time) },
	{ "guest",          KIND_NAME,    SET_BOTH,     EMPTY_REFUSED, ROW(guest) },
	{ "host_total",     KIND_U64,     SET_BOTH,     EMPTY_REFUSED, ROW(pool.total_kib) },
	{ "host_available", KIND_U64,     SET_RECORDED, EMPTY_ABSENT,  ROW(pool.available_kib) },
	{ "host_other",     KIND_U64,     SET_DEMAND,   EMPTY_ZERO,    ROW(other_kib) },
	{ "psi",            KIND_PERCENT, SET_BOTH,     EMPTY_ABSENT,  ROW(pool.psi_some_avg10) },
	{ "reserve",        KIND_U64,     SET_BOTH,     EMPTY_ABSENT,  ROW(pool.reserve_kib) },
	{ "critical",       KIND_U64,     SET_BOTH,     EMPTY_ABSENT,  ROW(pool.critical_kib) },
	{ "phase",          KIND_PHASE,   SET_BOTH,     EMPTY_ZERO,    ROW(in.phase) },
	{ "tcg",            KIND_BOOL,    SET_BOTH,     EMPTY_ZERO,    ROW(in.tcg) },
	{ "max",            KIND_U64,     SET_BOTH,     EMPTY_REFUSED, ROW(in.max_kib) },
	{ "limit",          KIND_U64,     SET_BOTH,     EMPTY_ZERO,    ROW(in.limit_kib) },
	{ "min",            KIND_U64,     SET_BOTH,     EMPTY_ABSENT,  ROW(in.min_kib) },
	{ "idle",           KIND_U64,     SET_BOTH,     EMPTY_ZERO,    ROW(in.idle_kib) },
	{ "weight",         KIND_UINT,    SET_BOTH,     EMPTY_ZERO,    ROW(in.weight) },
	{ "override",       KIND_U64,     SET_BOTH,     EMPTY_ZERO,    ROW(in.override_kib) },
	{ "actual",         KIND_U64,     SET_RECORDED, EMPTY_ABSENT,  ROW(in.actual_kib) },
	{ "rss",            KIND_U64,     SET_RECORDED, EMPTY_ABSENT,  ROW(in.rss_kib) },
	{ "usable",         KIND_U64,     SET_RECORDED, EMPTY_ABSENT,  ROW(in.usable_kib) },
	{ "unused",         KIND_U64,     SET_RECORDED, EMPTY_ABSENT,  ROW(in.unused_kib) },
	{ "caches",         KIND_U64,     SET_RECORDED, EMPTY_ABSENT,  ROW(in.caches_kib) },
	{ "swap_in",        KIND_U64,     SET_RECORDED, EMPTY_ABSENT,  ROW(in.swap_in_kib) },
	{ "swap_out",       KIND_U64,     SET_RECORDED, EMPTY_ABSENT,  ROW(in.swap_out_kib) },
	{ "major_faults",   KIND_U64,     SET_RECORDED, EMPTY_ABSENT,  ROW(in.major_faults) },
	{ "last_update",    KIND_U64,     SET_RECORDED, EMPTY_ZERO,    ROW(in.last_update_sec) },
	{ "latency",        KIND_MSEC,    SET_RECORDED, EMPTY_ZERO,    ROW(in.latency) },
	{ "demand",         KIND_U64,     SET_DEMAND,   EMPTY_ZERO,    ROW(demand.demand_kib) },
	{ "hot",            KIND_U64,     SET_DEMAND,   EMPTY_ZERO,    ROW(demand.hot_kib) },
	{ "read",           KIND_U64,     SET_DEMAND,   EMPTY_ZERO,    ROW(demand.read_kib_s) },
	{ "swap",           KIND_U64,     SET_DEMAND,   EMPTY_ZERO,    ROW(swap_kib) },
	{ "flaw",           KIND_FLAW,    SET_DEMAND,   EMPTY_ZERO,    ROW(demand.flaw) },
/* clang-format on */
#undef ROW
};
static_assert(ARRAY_SIZE(columns) <= TRACE_COLUMNS_MAX, "more columns than a header may name");

static int fault(struct trace_reader *r, const char *column, const char *format, ...)
	PRINTF_LIKE(3, 4);
static int fault(struct trace_reader *r, const char *column, const char *format, ...)
{
	char reason[128];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(reason, sizeof(reason), format, ap);
	va_end(ap);
	(void)snprintf(r->fault, sizeof(r->fault), "%.60s:%u: %s%s%s", r->name, r->line,
		column ? column : "", column ? ": " : "", reason);
	return -EINVAL;
}

/* Decimal digits with up to `decimals` behind a point, in units of 10^-decimals. */
static int parse_decimal(const char *s, size_t len, unsigned decimals, uint64_t *ret)
{
	uint64_t v = 0;
	size_t i = 0;
	unsigned behind = 0;
	bool point = false;

	for (; i < len; i++) {
		if (s[i] == '.' && !point && decimals > 0 && i > 0) {
			point = true;
			continue;
		}
		if (s[i] < '0' || s[i] > '9' || (point && ++behind > decimals))
			return -EINVAL;
		if (__builtin_mul_overflow(v, 10u, &v) ||
			__builtin_add_overflow(v, (unsigned)(s[i] - '0'), &v))
			return -ERANGE;
	}
	if (len == 0 || (point && behind == 0))
		return -EINVAL;
	for (; behind < decimals; behind++)
		if (__builtin_mul_overflow(v, 10u, &v))
			return -ERANGE;
	*ret = v;
	return 0;
}

static int parse_name(const char *s, size_t len, char *ret)
{
	if (len > SPEC_NAME_MAX)
		return -ERANGE;
	for (size_t i = 0; i < len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-", s[i]) || !s[i])
			return -EINVAL;
	memcpy(ret, s, len);
	ret[len] = '\0';
	return 0;
}

static int parse_word(const char *s, size_t len, int (*from_string)(const char *), unsigned *ret)
{
	char word[24];

	if (len >= sizeof(word))
		return -EINVAL;
	memcpy(word, s, len);
	word[len] = '\0';
	int v = from_string(word);
	if (v < 0)
		return v;
	*ret = (unsigned)v;
	return 0;
}

static int parse_cell(const struct column *c, const char *s, size_t len, struct trace_row *row)
{
	void *field = (char *)row + c->offset;
	uint64_t v = 0;
	int r;

	switch (c->kind) {
	case KIND_NAME:
		return parse_name(s, len, field);
	case KIND_PHASE:
		return parse_word(s, len, balloon_phase_from_string, field);
	case KIND_FLAW:
		return parse_word(s, len, guest_flaw_from_string, field);
	case KIND_TIME:
	case KIND_MSEC:
		r = parse_decimal(s, len, 3, &v);
		if (r < 0)
			return r;
		if (v > TRACE_TIME_MAX / 1000)
			return -ERANGE;
		*(usec_t *)field = c->kind == KIND_TIME ? v * 1000 : v;
		return 0;
	case KIND_PERCENT:
		r = parse_decimal(s, len, 2, &v);
		if (r < 0 || v > 10000)
			return r < 0 ? r : -ERANGE;
		*(uint32_t *)field = (uint32_t)v;
		return 0;
	default:
		break;
	}
	r = parse_decimal(s, len, 0, &v);
	if (r < 0)
		return r;
	/* The one number that means that there is none. */
	if (c->kind == KIND_U64 && v == BALLOON_ABSENT)
		return -ERANGE;
	if (c->kind == KIND_U64)
		*(uint64_t *)field = v;
	else if (v > (c->kind == KIND_BOOL ? 1 : 10000))
		return -ERANGE;
	else if (c->kind == KIND_BOOL)
		*(bool *)field = v;
	else
		*(unsigned *)field = (unsigned)v;
	return 0;
}

static void set_empty(const struct column *c, struct trace_row *row)
{
	void *field = (char *)row + c->offset;

	if (c->empty != EMPTY_ABSENT)
		return; /* the row begins as zero */
	if (c->kind == KIND_PERCENT)
		*(uint32_t *)field = BALLOON_PSI_ABSENT;
	else
		*(uint64_t *)field = BALLOON_ABSENT;
}

/* The next line that is no comment, without its end. 1, 0 at the end, -EINVAL. */
static int next_line(struct trace_reader *r, const char **ret, size_t *ret_len)
{
	while (r->at < r->end) {
		const char *line = r->at;
		const char *stop = memchr(line, '\n', (size_t)(r->end - line));
		size_t len = (size_t)((stop ? stop : r->end) - line);

		r->line++;
		r->at = stop ? stop + 1 : r->end;
		if (len > 0 && line[len - 1] == '\r')
			len--;
		if (len >= TRACE_LINE_MAX)
			return fault(r, NULL, "the line has %zu bytes; allowed: %u", len,
				TRACE_LINE_MAX - 1);
		if (len == 0 || line[0] == '#')
			continue;
		if (memchr(line, '\0', len))
			return fault(r, NULL, "a NUL byte");
		*ret = line;
		*ret_len = len;
		return 1;
	}
	return 0;
}

static int find_column(const char *s, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		if (strlen(columns[i].name) == len && memcmp(columns[i].name, s, len) == 0)
			return (int)i;
	return -ENOENT;
}

static int check_header(struct trace_reader *r, const bool *seen)
{
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		r->demand |= seen[i] && strcmp(columns[i].name, "demand") == 0;
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		if (!seen[i] && columns[i].empty == EMPTY_REFUSED)
			return fault(r, columns[i].name, "the column is missing");
		if (seen[i] && r->demand && columns[i].set == SET_RECORDED)
			return fault(
				r, columns[i].name, "a statistic in a trace with a demand column");
		if (seen[i] && !r->demand && columns[i].set == SET_DEMAND)
			return fault(r, columns[i].name, "means nothing without a demand column");
	}
	return 0;
}

static const char *cell_end(const char *s, const char *end)
{
	const char *comma = memchr(s, ',', (size_t)(end - s));

	return comma ? comma : end;
}

int trace_open(struct trace_reader *r, const char *name, const char *text, size_t len)
{
	bool seen[ARRAY_SIZE(columns)] = { false };
	const char *line = NULL;
	size_t line_len = 0;

	*r = (struct trace_reader){ .name = name, .at = text, .end = text + len };
	if (len > TRACE_BYTES_MAX)
		return fault(r, NULL, "%zu bytes; allowed: %u", len, TRACE_BYTES_MAX);
	int got = next_line(r, &line, &line_len);
	if (got <= 0)
		return got < 0 ? got : fault(r, NULL, "the trace is empty");
	for (const char *at = line, *end = line + line_len;; at = cell_end(at, end) + 1) {
		size_t n = (size_t)(cell_end(at, end) - at);
		int c = find_column(at, n);

		if (c < 0)
			return fault(r, NULL,
				"column %u is unknown; see the description of "
				"traces",
				r->n_columns + 1);
		if (seen[c])
			return fault(r, columns[c].name, "the column stands twice");
		seen[c] = true;
		r->columns[r->n_columns++] = (unsigned char)c;
		if (cell_end(at, end) == end)
			break;
	}
	return check_header(r, seen);
}

static int read_cell(struct trace_reader *r, const struct column *c, const char *s, size_t len,
	struct trace_row *row)
{
	if (len == 0)
		return c->empty == EMPTY_REFUSED ? fault(r, c->name, "the cell is empty") : 0;
	int got = parse_cell(c, s, len, row);
	if (got == -ERANGE)
		return fault(r, c->name, "the value is out of bounds");
	return got < 0 ? fault(r, c->name, "the value cannot be read") : 0;
}

/* Defaults that follow from other cells, and what cells must not say of each other. */
static int finish_row(struct trace_reader *r, struct trace_row *row)
{
	if (row->time < r->last)
		return fault(r, "time", "goes back");
	r->last = row->time;
	if (row->in.min_kib == BALLOON_ABSENT)
		row->in.min_kib = row->in.max_kib / 4;
	if (r->demand && row->in.max_kib > GUESTMEM_KIB_MAX)
		return fault(r, "max", "a model guest has at most 1 TiB");
	if (r->demand && row->pool.total_kib > GUESTMEM_KIB_MAX)
		return fault(r, "host_total", "a model host has at most 1 TiB");
	if (row->in.weight == 0)
		row->in.weight = 100;
	return 1;
}

int trace_next(struct trace_reader *r, struct trace_row *ret)
{
	struct trace_row row = { .in.phase = BALLOON_UP };
	const char *line = NULL;
	size_t len = 0;
	int got = next_line(r, &line, &len);

	if (got <= 0)
		return got;
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		set_empty(&columns[i], &row);
	const char *at = line, *end = line + len;
	for (unsigned i = 0; i < r->n_columns; i++) {
		const char *stop = cell_end(at, end);

		if ((got = read_cell(r, &columns[r->columns[i]], at, (size_t)(stop - at), &row)) <
			0)
			return got;
		if (stop == end && i + 1 < r->n_columns)
			return fault(r, NULL, "%u cells under %u columns", i + 1, r->n_columns);
		if (stop < end && i + 1 == r->n_columns)
			return fault(r, NULL, "more cells than the %u columns", r->n_columns);
		at = stop + (stop < end);
	}
	got = finish_row(r, &row);
	if (got > 0)
		*ret = row;
	return got;
}

static int write_cell(char *buf, size_t size, const struct column *c, const struct trace_row *row)
{
	const void *field = (const char *)row + c->offset;
	uint64_t v;

	switch (c->kind) {
	case KIND_NAME:
		return snprintf(buf, size, "%s", (const char *)field);
	case KIND_PHASE:
		return snprintf(buf, size, "%s",
			balloon_phase_to_string(*(const enum balloon_phase *)field));
	case KIND_TIME:
	case KIND_MSEC:
		v = *(const usec_t *)field / (c->kind == KIND_TIME ? 1000 : 1);
		return snprintf(
			buf, size, "%llu.%03u", (unsigned long long)v / 1000, (unsigned)(v % 1000));
	case KIND_PERCENT:
		v = *(const uint32_t *)field;
		if (v == BALLOON_PSI_ABSENT)
			return snprintf(buf, size, "%s", "");
		return snprintf(buf, size, "%u.%02u", (unsigned)v / 100, (unsigned)v % 100);
	case KIND_BOOL:
		return snprintf(buf, size, "%d", *(const bool *)field);
	case KIND_UINT:
		return snprintf(buf, size, "%u", *(const unsigned *)field);
	default:
		v = *(const uint64_t *)field;
		if (v == BALLOON_ABSENT)
			return snprintf(buf, size, "%s", "");
		return snprintf(buf, size, "%llu", (unsigned long long)v);
	}
}

/* Either all names or all cells of a recorded trace. */
static int write_line(char *buf, size_t size, const struct trace_row *row)
{
	size_t at = 0;

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		const struct column *c = &columns[i];

		if (c->set == SET_DEMAND)
			continue;
		if (at > 0 && at < size)
			buf[at++] = ',';
		int n = at >= size ? -1
			: row      ? write_cell(buf + at, size - at, c, row)
				   : snprintf(buf + at, size - at, "%s", c->name);
		if (n < 0 || (size_t)n >= size - at)
			return -ENOSPC;
		at += (size_t)n;
	}
	if (at + 2 > size)
		return -ENOSPC;
	buf[at++] = '\n';
	buf[at] = '\0';
	return (int)at;
}

int trace_write_header(char *buf, size_t size)
{
	return write_line(buf, size, NULL);
}

int trace_write_row(char *buf, size_t size, const struct trace_row *row)
{
	return write_line(buf, size, row);
}
