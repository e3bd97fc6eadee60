/* SPDX-License-Identifier: Apache-2.0 */
/* Turns the bytes a guest sent into a report, or into the reason why they are none. */
/*
 * Size and shape come before content: cborscan settles that the bytes are one well-formed item
 * within the limits, so that nothing below meets a length it can't trust. Then the map is walked,
 * and each value of a known key is read by libcbor's streaming decoder, which allocates nothing.
 * The table `fields` is all this file knows about the schema.
 */
#include <assert.h>
#include <cbor.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "model/cborscan.h"
#include "model/report.h"
#include "model/utf8.h"

/* The lengths that callbacks take became uint64_t in libcbor 0.9: another type on 32-bit machines.
 */
#if CBOR_MAJOR_VERSION == 0 && CBOR_MINOR_VERSION < 9
typedef size_t cbor_length;
#else
typedef uint64_t cbor_length;
#endif

/* The longest text any field takes, and the bytes of input that a fault may quote, escaped. */
#define TEXT_MAX   256u
#define QUOTE_SIZE 49u

#define STATUS_BIT(status) (1u << (status))
#define ANY_STATUS         (STATUS_BIT(REPORT_STATUS_NUM) - 1)

static const char *const report_status_names[] = {
	[REPORT_OK] = "ok",
	[REPORT_DEGRADED] = "degraded",
	[REPORT_STARTING] = "starting",
	[REPORT_FAILING] = "failing",
};
NAME_TABLE_DEFINE(report_status, enum report_status, REPORT_STATUS_NUM);

static const char *const report_error_names[] = {
	[REPORT_ERROR_EMPTY] = "empty",
	[REPORT_ERROR_TOO_LARGE] = "too-large",
	[REPORT_ERROR_TRUNCATED] = "truncated",
	[REPORT_ERROR_NOT_WELL_FORMED] = "not-well-formed",
	[REPORT_ERROR_BAD_UTF8] = "bad-utf8",
	[REPORT_ERROR_TOO_DEEP] = "too-deep",
	[REPORT_ERROR_TOO_MANY_ITEMS] = "too-many-items",
	[REPORT_ERROR_TRAILING_BYTES] = "trailing-bytes",
	[REPORT_ERROR_NOT_A_MAP] = "not-a-map",
	[REPORT_ERROR_KEY_NOT_TEXT] = "key-not-text",
	[REPORT_ERROR_DUPLICATE_KEY] = "duplicate-key",
	[REPORT_ERROR_WRONG_TYPE] = "wrong-type",
	[REPORT_ERROR_OUT_OF_RANGE] = "out-of-range",
	[REPORT_ERROR_CONTROL_CHARACTER] = "control-character",
	[REPORT_ERROR_MISSING_STATUS] = "missing-status",
};
NAME_TABLE_DEFINE(report_error, enum report_error, REPORT_ERROR_NUM);

/* The size of the member is the limit, so the two can't part. */
#define MEMBER_MAX(member) (sizeof(((struct report *)NULL)->member) - 1)
#define AT(member)         offsetof(struct report, member)

#define STATUS(name, member)                                                                       \
	{                                                                                          \
		.key = (name), .type = REPORT_TYPE_STATUS, .required = true,                       \
		.statuses = ANY_STATUS, .offset = AT(member)                                       \
	}
#define TEXT(member, least)                                                                        \
	{                                                                                          \
		.key = #member, .type = REPORT_TYPE_TEXT, .min = (least),                          \
		.max = MEMBER_MAX(member), .offset = AT(member), .has_offset = AT(has_##member)    \
	}
#define UINT(name, member, has)                                                                    \
	{                                                                                          \
		.key = (name), .type = REPORT_TYPE_UINT, .max = UINT64_MAX, .offset = AT(member),  \
		.has_offset = AT(has)                                                              \
	}
#define CHECKS(name, member)                                                                       \
	{                                                                                          \
		.key = (name), .type = REPORT_TYPE_CHECKS, .max = REPORT_CHECKS_MAX,               \
		.statuses = ANY_STATUS & ~STATUS_BIT(REPORT_STARTING), .offset = AT(member)        \
	}

static const struct report_field fields[] = {
	STATUS("status", status),
	TEXT(service, 1),
	TEXT(version, 1),
	TEXT(boot_id, MEMBER_MAX(boot_id)),
	TEXT(nonce, MEMBER_MAX(nonce)),
	UINT("uptime", uptime_sec, has_uptime),
	TEXT(message, 0),
	CHECKS("checks", checks),
};
static_assert(MEMBER_MAX(message) == TEXT_MAX, "the longest text has to fit a struct value");
static_assert(offsetof(struct report, status) == 0, "0 as has_offset must not be a flag's place");

const struct report_field *report_fields(unsigned *ret_n)
{
	*ret_n = ARRAY_SIZE(fields);
	return fields;
}

/* The input and the report under construction. */
struct decode {
	const uint8_t *buf;
	size_t len;
	struct report report;
	struct report_fault *fault;
};

PRINTF_LIKE(4, 5)
static int refuse(struct decode *d, enum report_error code, size_t offset, const char *format, ...)
{
	va_list args;

	d->fault->code = code;
	d->fault->offset = offset;
	va_start(args, format);
	(void)vsnprintf(d->fault->text, sizeof(d->fault->text), format, args);
	va_end(args);
	return -EBADMSG;
}

/* A text of the input in a form that may stand in a fault. */
struct quote {
	char text[QUOTE_SIZE];
};

static struct quote quote_at(const struct decode *d, size_t pos)
{
	struct quote quote = { "" };
	char raw[QUOTE_SIZE];
	size_t n = cborscan_text(d->buf, d->len, pos, raw, sizeof(raw));

	(void)utf8_escape(quote.text, sizeof(quote.text), raw, MIN(n, sizeof(raw)));
	return quote;
}

static int refuse_structure(struct decode *d, const struct cborscan_fault *f)
{
	switch (f->error) {
	case CBORSCAN_TRUNCATED:
		return refuse(d, REPORT_ERROR_TRUNCATED, f->offset,
			"the item at byte %zu needs %llu bytes, there are %zu", f->offset,
			(unsigned long long)f->wanted, f->left);
	case CBORSCAN_BAD_UTF8:
		return refuse(d, REPORT_ERROR_BAD_UTF8, f->offset,
			"the text at byte %zu is not UTF-8", f->offset);
	case CBORSCAN_TOO_DEEP:
		return refuse(d, REPORT_ERROR_TOO_DEEP, f->offset,
			"nested over %u levels deep at byte %zu", CBORSCAN_DEPTH_MAX, f->offset);
	case CBORSCAN_TOO_MANY_ITEMS:
		return refuse(d, REPORT_ERROR_TOO_MANY_ITEMS, f->offset,
			"over %u data items at byte %zu", CBORSCAN_ITEMS_MAX, f->offset);
	case CBORSCAN_TRAILING_BYTES:
		return refuse(d, REPORT_ERROR_TRAILING_BYTES, f->offset,
			"%zu bytes left over after the report, from byte %zu", f->left, f->offset);
	case CBORSCAN_KEY_NOT_TEXT:
		return refuse(d, REPORT_ERROR_KEY_NOT_TEXT, f->offset,
			"the key at byte %zu is not a text", f->offset);
	case CBORSCAN_DUPLICATE_KEY:
		return refuse(d, REPORT_ERROR_DUPLICATE_KEY, f->offset,
			"the key \"%s\" is given twice", quote_at(d, f->offset).text);
	case CBORSCAN_NOT_WELL_FORMED:
	case CBORSCAN_ERROR_NUM:
		break;
	}
	return refuse(d, REPORT_ERROR_NOT_WELL_FORMED, f->offset,
		"not well-formed CBOR at byte %zu", f->offset);
}

/* What libcbor found at the place of a known key's value. */
struct value {
	enum { VALUE_OTHER, VALUE_UINT, VALUE_TEXT } kind;
	bool more; /* a text in chunks whose break code is still to come */
	uint64_t number;
	size_t length; /* of the text, which is cut off at the size of the array */
	char text[TEXT_MAX];
};

static void on_number(struct value *v, uint64_t number)
{
	v->kind = VALUE_UINT;
	v->number = number;
}

static void on_uint8(void *ctx, uint8_t number)
{
	on_number(ctx, number);
}

static void on_uint16(void *ctx, uint16_t number)
{
	on_number(ctx, number);
}

static void on_uint32(void *ctx, uint32_t number)
{
	on_number(ctx, number);
}

static void on_uint64(void *ctx, uint64_t number)
{
	on_number(ctx, number);
}

static void on_text(void *ctx, cbor_data data, cbor_length length)
{
	struct value *v = ctx;
	size_t used = MIN(v->length, sizeof(v->text));

	v->kind = VALUE_TEXT;
	memcpy(v->text + used, data, MIN((size_t)length, sizeof(v->text) - used));
	v->length += (size_t)length;
}

static void on_text_start(void *ctx)
{
	struct value *v = ctx;

	v->kind = VALUE_TEXT;
	v->more = true;
}

static void on_break(void *ctx)
{
	struct value *v = ctx;

	v->more = false;
}

/* Reads the value at pos. Anything without a callback of ours, such as a tag or a float, stays
 * VALUE_OTHER. */
static void read_value(const struct decode *d, size_t pos, struct value *ret)
{
	struct cbor_callbacks callbacks = cbor_empty_callbacks;
	struct value v = { .kind = VALUE_OTHER };

	callbacks.uint8 = on_uint8;
	callbacks.uint16 = on_uint16;
	callbacks.uint32 = on_uint32;
	callbacks.uint64 = on_uint64;
	callbacks.string = on_text;
	callbacks.string_start = on_text_start;
	callbacks.indef_break = on_break;
	do {
		struct cbor_decoder_result result =
			cbor_stream_decode(d->buf + pos, d->len - pos, &callbacks, &v);

		/* The scanner has seen a whole item here, so libcbor stops early only at what it
		 * does not support, and no known key is of such a type. */
		if (result.status != CBOR_DECODER_FINISHED) {
			v.kind = VALUE_OTHER;
			break;
		}
		pos += result.read;
	} while (v.more);
	*ret = v;
}

/* Copies a text of min to max bytes that is shown to people; dst has room for it and a NUL. */
static int take_text(struct decode *d, const char *what, size_t pos, const struct value *v,
	uint64_t min, uint64_t max, char *dst)
{
	if (min == max && v->length != max)
		return refuse(d, REPORT_ERROR_OUT_OF_RANGE, pos, "%s has %zu bytes instead of %llu",
			what, v->length, (unsigned long long)max);
	if (v->length < min || v->length > max)
		return refuse(d, REPORT_ERROR_OUT_OF_RANGE, pos,
			"%s has %zu bytes, allowed are %llu to %llu", what, v->length,
			(unsigned long long)min, (unsigned long long)max);
	if (!utf8_printable(v->text, v->length))
		return refuse(d, REPORT_ERROR_CONTROL_CHARACTER, pos,
			"%s holds a control character", what);
	memcpy(dst, v->text, v->length);
	dst[v->length] = '\0';
	return 0;
}

static int refuse_status(struct decode *d, const char *what, size_t pos, unsigned statuses)
{
	char allowed[64] = "";
	size_t n = 0;

	for (unsigned s = 0; s < REPORT_STATUS_NUM; s++)
		if (statuses & STATUS_BIT(s))
			n += (size_t)snprintf(allowed + n, sizeof(allowed) - n, "%s%s",
				n > 0 ? ", " : "", report_status_names[s]);
	return refuse(d, REPORT_ERROR_OUT_OF_RANGE, pos, "%s is \"%s\", allowed are %s", what,
		quote_at(d, pos).text, allowed);
}

static int take_status(
	struct decode *d, const char *what, size_t pos, unsigned statuses, enum report_status *ret)
{
	struct value v;

	read_value(d, pos, &v);
	if (v.kind != VALUE_TEXT)
		return refuse(d, REPORT_ERROR_WRONG_TYPE, pos, "%s is not a text", what);
	for (unsigned s = 0; s < REPORT_STATUS_NUM; s++) {
		const char *name = report_status_names[s];

		if ((statuses & STATUS_BIT(s)) && v.length == strlen(name) &&
			memcmp(v.text, name, v.length) == 0) {
			*ret = (enum report_status)s;
			return 0;
		}
	}
	return refuse_status(d, what, pos, statuses);
}

static int take_check(struct decode *d, const struct report_field *f, size_t key, size_t pos)
{
	struct report_check *check = &d->report.checks[d->report.n_checks];
	char what[QUOTE_SIZE + sizeof("the check \"\"")];
	struct value name;
	int r;

	if (d->report.n_checks >= f->max)
		return refuse(d, REPORT_ERROR_OUT_OF_RANGE, key, "\"%s\" has over %llu entries",
			f->key, (unsigned long long)f->max);
	read_value(d, key, &name);
	r = take_text(
		d, "the name of a check", key, &name, 1, sizeof(check->name) - 1, check->name);
	if (r < 0)
		return r;
	(void)snprintf(what, sizeof(what), "the check \"%s\"", quote_at(d, key).text);
	r = take_status(d, what, pos, f->statuses, &check->status);
	if (r < 0)
		return r;
	d->report.n_checks++;
	return 0;
}

static int take_checks(struct decode *d, const struct report_field *f, size_t pos)
{
	struct cborscan_map map;
	struct cborscan_fault fault;
	size_t key, value;
	int r;

	if (cborscan_map_open(&map, d->buf, d->len, pos) < 0)
		return refuse(d, REPORT_ERROR_WRONG_TYPE, pos, "\"%s\" is not a map", f->key);
	while ((r = cborscan_map_next(&map, &key, &value, &fault)) > 0) {
		r = take_check(d, f, key, value);
		if (r < 0)
			return r;
	}
	return r < 0 ? refuse_structure(d, &fault) : 0;
}

static int take_uint(
	struct decode *d, const char *what, size_t pos, const struct report_field *f, uint64_t *ret)
{
	struct value v;

	read_value(d, pos, &v);
	if (v.kind != VALUE_UINT)
		return refuse(
			d, REPORT_ERROR_WRONG_TYPE, pos, "%s is not an unsigned integer", what);
	if (v.number < f->min || v.number > f->max)
		return refuse(d, REPORT_ERROR_OUT_OF_RANGE, pos,
			"%s is %llu, allowed are %llu to %llu", what, (unsigned long long)v.number,
			(unsigned long long)f->min, (unsigned long long)f->max);
	*ret = v.number;
	return 0;
}

static int take_field(struct decode *d, const struct report_field *f, size_t pos)
{
	char *member = (char *)&d->report + f->offset;
	struct value v;
	char what[32];
	int r = -EBADMSG;

	(void)snprintf(what, sizeof(what), "\"%s\"", f->key);
	switch (f->type) {
	case REPORT_TYPE_STATUS:
		r = take_status(d, what, pos, f->statuses, (enum report_status *)(void *)member);
		break;
	case REPORT_TYPE_TEXT:
		read_value(d, pos, &v);
		if (v.kind != VALUE_TEXT)
			return refuse(d, REPORT_ERROR_WRONG_TYPE, pos, "%s is not a text", what);
		r = take_text(d, what, pos, &v, f->min, f->max, member);
		break;
	case REPORT_TYPE_UINT:
		r = take_uint(d, what, pos, f, (uint64_t *)(void *)member);
		break;
	case REPORT_TYPE_CHECKS:
		r = take_checks(d, f, pos);
		break;
	case REPORT_TYPE_NUM:
		break;
	}
	if (r == 0 && f->has_offset != 0)
		*(bool *)((char *)&d->report + f->has_offset) = true;
	return r;
}

/* The row for the key at pos, NULL for a key we do not know. */
static const struct report_field *find_field(const struct decode *d, size_t pos)
{
	char key[16];
	size_t n = cborscan_text(d->buf, d->len, pos, key, sizeof(key));

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (strlen(fields[i].key) == n && n <= sizeof(key) &&
			memcmp(fields[i].key, key, n) == 0)
			return &fields[i];
	return NULL;
}

static int take_map(struct decode *d)
{
	struct cborscan_map map;
	struct cborscan_fault fault;
	bool has_status = false;
	size_t key, value;
	int r;

	if (cborscan_map_open(&map, d->buf, d->len, 0) < 0)
		return refuse(d, REPORT_ERROR_NOT_A_MAP, 0, "CBOR, but not a map");
	while ((r = cborscan_map_next(&map, &key, &value, &fault)) > 0) {
		const struct report_field *f = find_field(d, key);

		if (!f)
			continue;
		r = take_field(d, f, value);
		if (r < 0)
			return r;
		has_status = has_status || f->required;
	}
	if (r < 0)
		return refuse_structure(d, &fault);
	if (!has_status)
		return refuse(d, REPORT_ERROR_MISSING_STATUS, d->len, "\"status\" is missing");
	return 0;
}

int report_decode(
	const uint8_t *buf, size_t len, struct report *ret, struct report_fault *ret_fault)
{
	struct decode d = { .buf = buf, .len = len, .fault = ret_fault };
	struct cborscan_fault fault;
	int r;

	if (len == 0)
		return refuse(&d, REPORT_ERROR_EMPTY, 0, "no bytes at all");
	if (len > REPORT_BYTES_MAX)
		return refuse(&d, REPORT_ERROR_TOO_LARGE, REPORT_BYTES_MAX,
			"%zu bytes, at most %u are taken", len, REPORT_BYTES_MAX);
	if (cborscan_check(buf, len, &fault) < 0)
		return refuse_structure(&d, &fault);
	r = take_map(&d);
	if (r < 0)
		return r;
	*ret = d.report;
	return 0;
}
