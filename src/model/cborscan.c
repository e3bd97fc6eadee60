/* SPDX-License-Identifier: Apache-2.0 */
/* One iterative scanner that settles the structure of a CBOR body before anything believes it. */
/*
 * Theory of Operation
 *
 * The bytes come from a guest that may be hostile, so the goal is that no input can cost more than
 * its own length. Five bytes can announce an array of 128 million elements; libcbor's cbor_load()
 * then touches a gigabyte, and its streaming decoder refuses well-formed tags and simple values
 * that a report may carry under keys we do not know. Hence a scanner of our own, and libcbor only
 * for the values of known keys, once their place is known.
 *
 * The scanner is the pseudocode of RFC 8949 appendix C with its recursion turned into a stack of
 * CBORSCAN_DEPTH_MAX frames. Invariants:
 *  - pos never passes len: a head is read only after its bytes are seen to be there, a string is
 *    stepped over only after its length is held against what is left, and a count of elements is
 *    refused at once when there are fewer bytes left than elements. No sum can overflow, since
 * every declared number is compared by subtraction on the side of the buffer.
 *  - each turn of the loop takes at least one byte, so the loop ends.
 *  - a frame is left exactly when its last item or its break code is read, so the item is complete
 *    when the stack is empty again.
 *
 * Finding keys afterwards scans each value again. That keeps the walk free of state to get wrong,
 * and a body of 4 KiB is read three times at worst. A table of all item positions was considered:
 * it would save that, and would be a second description of the same bytes.
 */
#include <assert.h>
#include <errno.h>

#include "base/macro.h"
#include "model/cborscan.h"
#include "model/utf8.h"

struct head {
	enum cborscan_major major;
	bool open; /* additional information 31: indefinite length, or a break code */
	uint64_t arg;
	size_t pos, size; /* where it stands and the bytes it takes itself */
};

/* An item that other items belong to. */
struct frame {
	enum cborscan_major major;
	bool open;
	uint64_t items; /* still to come, or, when open, read so far */
};

struct scan {
	const uint8_t *buf;
	size_t len, pos;
	unsigned depth, n_items;
	struct frame frames[CBORSCAN_DEPTH_MAX];
	struct cborscan_fault *fault;
};

static int fail(struct cborscan_fault *fault, enum cborscan_error error, size_t offset)
{
	*fault = (struct cborscan_fault){ .error = error, .offset = offset };
	return -EBADMSG;
}

static int fail_short(struct cborscan_fault *fault, size_t offset, uint64_t wanted, size_t left)
{
	*fault = (struct cborscan_fault){ CBORSCAN_TRUNCATED, offset, wanted, left };
	return -EBADMSG;
}

static bool is_break(const struct head *head)
{
	return head->major == CBORSCAN_SIMPLE && head->open;
}

static bool is_string(enum cborscan_major major)
{
	return major == CBORSCAN_BYTES || major == CBORSCAN_TEXT;
}

/* Additional information 31 means something for these majors only (RFC 8949 section 3.2). */
static bool may_be_open(enum cborscan_major major)
{
	return is_string(major) || major == CBORSCAN_ARRAY || major == CBORSCAN_MAP ||
	       major == CBORSCAN_SIMPLE;
}

static int read_head(
	const uint8_t *buf, size_t len, size_t pos, struct head *ret, struct cborscan_fault *fault)
{
	if (pos >= len)
		return fail_short(fault, pos, 1, 0);

	unsigned info = buf[pos] & 0x1f;
	struct head head = { .major = buf[pos] >> 5, .pos = pos, .size = 1 };

	if (info < 24) {
		head.arg = info;
	} else if (info < 28) {
		size_t n = (size_t)1 << (info - 24);

		if (n > len - pos - 1)
			return fail_short(fault, pos, n, len - pos - 1);
		for (size_t i = 1; i <= n; i++)
			head.arg = head.arg << 8 | buf[pos + i];
		head.size += n;
	} else if (info == 31 && may_be_open(head.major)) {
		head.open = true;
	} else {
		return fail(fault, CBORSCAN_NOT_WELL_FORMED, pos);
	}
	/* A simple value below 32 has to use the short form: section 3.3. */
	if (head.major == CBORSCAN_SIMPLE && info == 24 && head.arg < 32)
		return fail(fault, CBORSCAN_NOT_WELL_FORMED, pos);
	*ret = head;
	return 0;
}

static int step_over_string(struct scan *s, const struct head *head)
{
	size_t left = s->len - s->pos;

	if (head->arg > left)
		return fail_short(s->fault, head->pos, head->arg, left);
	if (head->major == CBORSCAN_TEXT &&
		!utf8_valid((const char *)s->buf + s->pos, (size_t)head->arg))
		return fail(s->fault, CBORSCAN_BAD_UTF8, head->pos);
	s->pos += (size_t)head->arg;
	return 0;
}

static int push(struct scan *s, const struct head *head)
{
	struct frame frame = { .major = head->major, .open = head->open };
	size_t left = s->len - s->pos;
	size_t per_count = head->major == CBORSCAN_MAP ? 2 : 1;

	/* A tag's argument is its number; what belongs to it is one item. */
	if (!head->open) {
		uint64_t count = head->major == CBORSCAN_TAG ? 1 : head->arg;

		if (count > left / per_count)
			return fail_short(s->fault, head->pos,
				count > UINT64_MAX / per_count ? UINT64_MAX : count * per_count,
				left);
		frame.items = count * per_count;
	}
	if (s->depth == ARRAY_SIZE(s->frames))
		return fail(s->fault, CBORSCAN_TOO_DEEP, head->pos);
	s->frames[s->depth++] = frame;
	return 0;
}

/* A break code ends the innermost item, if that waits for one and is not between key and value. */
static int pop_open(struct scan *s, const struct head *head)
{
	const struct frame *top = s->depth > 0 ? &s->frames[s->depth - 1] : NULL;

	if (!top || !top->open || (top->major == CBORSCAN_MAP && top->items % 2 != 0))
		return fail(s->fault, CBORSCAN_NOT_WELL_FORMED, head->pos);
	s->depth--;
	return 0;
}

/* One item is complete: tell what it belongs to, which may be complete with it, and so on up. */
static void count_up(struct scan *s)
{
	while (s->depth > 0) {
		struct frame *top = &s->frames[s->depth - 1];

		if (top->open) {
			top->items++;
			return;
		}
		if (--top->items > 0)
			return;
		s->depth--;
	}
}

/* The chunks of a string are strings of the same kind with a length: section 3.2.3. */
static bool fits_frame(const struct scan *s, const struct head *head)
{
	const struct frame *top = s->depth > 0 ? &s->frames[s->depth - 1] : NULL;

	if (!top || !is_string(top->major) || is_break(head))
		return true;
	return head->major == top->major && !head->open;
}

static int step(struct scan *s)
{
	struct head head;
	int r = read_head(s->buf, s->len, s->pos, &head, s->fault);

	if (r < 0)
		return r;
	if (!fits_frame(s, &head))
		return fail(s->fault, CBORSCAN_NOT_WELL_FORMED, head.pos);
	if (!is_break(&head) && ++s->n_items > CBORSCAN_ITEMS_MAX)
		return fail(s->fault, CBORSCAN_TOO_MANY_ITEMS, head.pos);
	s->pos += head.size;

	bool holds_items = head.major == CBORSCAN_TAG || head.major == CBORSCAN_ARRAY ||
			   head.major == CBORSCAN_MAP || (is_string(head.major) && head.open);
	if (is_break(&head)) {
		r = pop_open(s, &head);
	} else if (holds_items) {
		r = push(s, &head);
		/* An empty array or map has no item that could end it. */
		if (r < 0 || head.open || s->frames[s->depth - 1].items > 0)
			return r;
		s->depth--;
	} else if (is_string(head.major)) {
		r = step_over_string(s, &head);
	}
	if (r < 0)
		return r;
	count_up(s);
	return 0;
}

int cborscan_item(const uint8_t *buf, size_t len, size_t pos, size_t *ret_end,
	struct cborscan_fault *ret_fault)
{
	struct scan s = { .buf = buf, .len = len, .pos = pos, .fault = ret_fault };

	do {
		int r = step(&s);

		if (r < 0)
			return r;
	} while (s.depth > 0);
	*ret_end = s.pos;
	return 0;
}

int cborscan_check(const uint8_t *buf, size_t len, struct cborscan_fault *ret_fault)
{
	size_t end;
	int r = cborscan_item(buf, len, 0, &end, ret_fault);

	if (r < 0)
		return r;
	if (end < len) {
		*ret_fault = (struct cborscan_fault){
			.error = CBORSCAN_TRAILING_BYTES,
			.offset = end,
			.left = len - end,
		};
		return -EBADMSG;
	}
	return 0;
}

enum cborscan_major cborscan_major(const uint8_t *buf, size_t len, size_t pos)
{
	static_assert(CBORSCAN_MAJOR_NUM == 8, "a major type has three bits");

	return pos < len ? (enum cborscan_major)(buf[pos] >> 5) : CBORSCAN_MAJOR_NUM;
}

/* Reads a text byte by byte across its chunks. */
struct cursor {
	const uint8_t *buf;
	size_t len, pos, left; /* left in the present chunk */
	bool more;             /* another chunk or a break code follows */
};

static struct cursor cursor_open(const uint8_t *buf, size_t len, size_t pos)
{
	struct cursor c = { .buf = buf, .len = len, .pos = pos };
	struct cborscan_fault ignored;
	struct head head;

	if (read_head(buf, len, pos, &head, &ignored) < 0 || head.major != CBORSCAN_TEXT)
		return c;
	c.pos += head.size;
	c.more = head.open;
	if (!head.open && head.arg <= len - c.pos)
		c.left = (size_t)head.arg;
	return c;
}

static void cursor_next_chunk(struct cursor *c)
{
	struct cursor chunk = cursor_open(c->buf, c->len, c->pos);

	/* A break code is no text and moves nothing: that is how the last chunk is known. */
	c->more = chunk.pos > c->pos && !chunk.more;
	c->pos = chunk.pos;
	c->left = c->more ? chunk.left : 0;
}

/* Returns the next byte, or -1 at the end. */
static int cursor_byte(struct cursor *c)
{
	while (c->left == 0 && c->more)
		cursor_next_chunk(c);
	if (c->left == 0)
		return -1;
	c->left--;
	return c->buf[c->pos++];
}

size_t cborscan_text(const uint8_t *buf, size_t len, size_t pos, char *dst, size_t size)
{
	struct cursor c = cursor_open(buf, len, pos);
	size_t n = 0;

	for (int byte = cursor_byte(&c); byte >= 0; byte = cursor_byte(&c)) {
		if (n < size)
			dst[n] = (char)byte;
		n++;
	}
	return n;
}

static bool same_text(const struct cborscan_map *map, size_t pos_a, size_t pos_b)
{
	struct cursor a = cursor_open(map->buf, map->len, pos_a);
	struct cursor b = cursor_open(map->buf, map->len, pos_b);
	int byte;

	do {
		byte = cursor_byte(&a);
		if (byte != cursor_byte(&b))
			return false;
	} while (byte >= 0);
	return true;
}

int cborscan_map_open(struct cborscan_map *map, const uint8_t *buf, size_t len, size_t pos)
{
	struct cborscan_fault ignored;
	struct head head;

	if (read_head(buf, len, pos, &head, &ignored) < 0 || head.major != CBORSCAN_MAP)
		return -EINVAL;
	map->buf = buf;
	map->len = len;
	map->pos = pos + head.size;
	map->indefinite = head.open;
	map->left = head.arg;
	map->n_keys = 0;
	return 0;
}

/* Each key is held against all before it. There are at most 128 of them in a body of 4 KiB. */
static int remember_key(struct cborscan_map *map, size_t key, struct cborscan_fault *fault)
{
	if (map->n_keys == ARRAY_SIZE(map->keys))
		return fail(fault, CBORSCAN_TOO_MANY_ITEMS, key);
	for (unsigned i = 0; i < map->n_keys; i++)
		if (same_text(map, map->keys[i], key))
			return fail(fault, CBORSCAN_DUPLICATE_KEY, key);
	map->keys[map->n_keys++] = key;
	return 0;
}

int cborscan_map_next(struct cborscan_map *map, size_t *ret_key, size_t *ret_value,
	struct cborscan_fault *ret_fault)
{
	size_t key = map->pos, value, end;
	struct head head;
	int r;

	if (!map->indefinite && map->left == 0)
		return 0;
	r = read_head(map->buf, map->len, key, &head, ret_fault);
	if (r < 0)
		return r;
	if (map->indefinite && is_break(&head))
		return 0;
	if (head.major != CBORSCAN_TEXT)
		return fail(ret_fault, CBORSCAN_KEY_NOT_TEXT, key);
	r = cborscan_item(map->buf, map->len, key, &value, ret_fault);
	if (r < 0)
		return r;
	r = cborscan_item(map->buf, map->len, value, &end, ret_fault);
	if (r < 0)
		return r;
	r = remember_key(map, key, ret_fault);
	if (r < 0)
		return r;
	map->left--;
	map->pos = end;
	*ret_key = key;
	*ret_value = value;
	return 1;
}
