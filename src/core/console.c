/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of the last serial bytes, and its listeners. */
#include "core/console.h"

#include "base/macro.h"

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
