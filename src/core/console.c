/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of the last serial bytes, and its listeners. */
#include "core/console.h"

#include "base/macro.h"
#include "model/serial.h"
#include "model/utf8.h"

#include <errno.h>
#include <string.h>

void console_free(struct console *c)
{
	free(c->ring);
	*c = (struct console){ 0 };
}

static void ring_put(struct console *c, const char *s, size_t len)
{
	if (!c->ring)
		c->ring = malloc(CONSOLE_RING);
	/* Without memory the guest goes unheard on screen; the boot watch has heard it already. */
	if (!c->ring)
		return;
	if (len > CONSOLE_RING) {
		s += len - CONSOLE_RING;
		len = CONSOLE_RING;
	}
	size_t end = (c->start + c->len) % CONSOLE_RING;
	size_t first = MIN(len, (size_t)CONSOLE_RING - end);
	memcpy(c->ring + end, s, first);
	memcpy(c->ring, s + first, len - first);
	c->len += len;
	if (c->len > CONSOLE_RING) {
		c->start = (c->start + c->len - CONSOLE_RING) % CONSOLE_RING;
		c->len = CONSOLE_RING;
	}
}

void console_write(struct console *c, const void *data, size_t len, uint64_t lost)
{
	c->total += len;
	c->lost += lost;
	ring_put(c, data, len);
	for (size_t i = 0; i < CONSOLE_LISTENERS; i++)
		if (c->listeners[i].listener)
			c->listeners[i].listener(c->listeners[i].userdata, data, len);
}

size_t console_tail(const struct console *c, char *buf, size_t size)
{
	size_t n = MIN(size, c->len);
	size_t from = (c->start + c->len - n) % CONSOLE_RING;
	size_t first = MIN(n, (size_t)CONSOLE_RING - from);

	if (n == 0)
		return 0;
	memcpy(buf, c->ring + from, first);
	memcpy(buf + first, c->ring, n - first);
	return n;
}

/* Escaped, each byte of words takes four at most. */
#define ESCAPED_MAX (4u * SERIAL_LINE_MAX + 1u)

/* Calls `line` for each line of the ring, oldest first; the last one may lack its end. */
static void each_line(const struct console *c,
	void (*line)(void *userdata, const char *words, size_t len), void *userdata)
{
	struct serial_line l = { 0 };
	/* Once bytes were overwritten the first line is the rest of one, and may begin in the
	 * middle of a control sequence. */
	bool whole = c->total <= CONSOLE_RING;

	for (size_t i = 0; i < c->len; i++) {
		char byte = c->ring[(c->start + i) % CONSOLE_RING];

		if (serial_line_put(&l, byte) && whole)
			line(userdata, l.words, l.len);
		whole |= byte == '\n';
	}
	if (!l.ended && serial_line_put(&l, '\n') && whole)
		line(userdata, l.words, l.len);
}

struct last_lines {
	size_t lengths[CONSOLE_LINES_MAX]; /* escaped, of the last ones */
	size_t n, first;                   /* how many there are, and which is written first */
	char *buf;
	size_t size, len;
};

static void measure_line(void *userdata, const char *words, size_t len)
{
	struct last_lines *last = userdata;
	char escaped[ESCAPED_MAX];

	last->lengths[last->n++ % CONSOLE_LINES_MAX] =
		utf8_escape(escaped, sizeof(escaped), words, len);
}

static void write_line(void *userdata, const char *words, size_t len)
{
	struct last_lines *last = userdata;

	if (last->n++ < last->first)
		return;
	if (last->len > 0)
		last->buf[last->len++] = '\n';
	last->len += utf8_escape(last->buf + last->len, last->size - last->len, words, len);
}

size_t console_last_lines(const struct console *c, unsigned n, char *buf, size_t size)
{
	struct last_lines last = { .buf = buf, .size = size };
	size_t total = 0;

	if (size == 0)
		return 0;
	buf[0] = '\0';
	each_line(c, measure_line, &last);
	n = MIN(n, CONSOLE_LINES_MAX);
	n = (unsigned)MIN((size_t)n, last.n);
	if (n == 0)
		return 0;
	/* The newest first: what it said last matters most. Each takes a newline or the NUL. */
	for (last.first = last.n; n > 0; n--, last.first--) {
		total += last.lengths[(last.first - 1) % CONSOLE_LINES_MAX] + 1;
		if (total > size && last.first < last.n)
			break;
	}
	last.n = 0;
	each_line(c, write_line, &last);
	return last.len;
}

int console_listen(struct console *c, console_listener_t listener, void *userdata)
{
	for (size_t i = 0; i < CONSOLE_LISTENERS; i++) {
		if (c->listeners[i].listener)
			continue;
		c->listeners[i].listener = listener;
		c->listeners[i].userdata = userdata;
		return 0;
	}
	return -EBUSY;
}

void console_unlisten(struct console *c, console_listener_t listener, void *userdata)
{
	for (size_t i = 0; i < CONSOLE_LISTENERS; i++)
		if (c->listeners[i].listener == listener && c->listeners[i].userdata == userdata)
			c->listeners[i].listener = NULL;
}
