/* SPDX-License-Identifier: Apache-2.0 */
/* What the guest said on its serial line: the last 64 KiB in memory, and whoever listens. The log
 * on disk is io/store's. */
#ifndef MEDIAKIT_CORE_CONSOLE_H
#define MEDIAKIT_CORE_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONSOLE_RING      (64u * 1024u)
#define CONSOLE_LISTENERS 4u
#define CONSOLE_LINES_MAX 64u

typedef void (*console_listener_t)(void *userdata, const void *data, size_t len);

struct console {
	char *ring; /* allocated at the first byte */
	size_t start, len;
	uint64_t total, lost;
	struct {
		console_listener_t listener;
		void *userdata;
	} listeners[CONSOLE_LISTENERS];
};

void console_free(struct console *c);
void console_write(struct console *c, const void *data, size_t len, uint64_t lost);
/* Copies at most `size` of the last bytes, oldest first; returns how many. */
size_t console_tail(const struct console *c, char *buf, size_t size);
/* The last `n` lines that have words in them (at most CONSOLE_LINES_MAX), for a person or a
 * journal: without control sequences, each escaped (utf8_printable()) and cut at SERIAL_LINE_MAX
 * bytes of words, oldest first, with a newline between two and none at the end. A line that has not
 * ended counts: it may be all that a dead guest said. Where `size` is short the oldest lines are
 * left out, and of the last one what does not fit. Terminated unless size is 0; returns the length.
 */
size_t console_last_lines(const struct console *c, unsigned n, char *buf, size_t size);
/* 0, or -EBUSY with CONSOLE_LISTENERS there. */
int console_listen(struct console *c, console_listener_t listener, void *userdata);
void console_unlisten(struct console *c, console_listener_t listener, void *userdata);

#endif
