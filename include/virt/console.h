/* SPDX-License-Identifier: Apache-2.0 */
/* One guest's serial line: a libvirt stream read by the event thread into a bounded ring.
 *
 * At its other end is a pty, and Linux drops what nobody read from one by the time QEMU closes it:
 * of a guest that ends in the same moment as it speaks, the last line may be missing. */
#ifndef MEDIAKIT_VIRT_CONSOLE_H
#define MEDIAKIT_VIRT_CONSOLE_H

#include "virt/mailbox.h"

#include <libvirt/libvirt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the guest wrote and the main loop did not take yet; when it is full the oldest goes. */
#define CONSOLE_RING_BYTES (64u * 1024u)
/* What an operator typed and the guest did not take yet. */
#define CONSOLE_TYPED_MAX  4096u

struct console;

/* Counted: an open one holds a reference to itself. NULL: out of memory. */
struct console *console_new(struct mailbox *mailbox);
struct console *console_ref(struct console *console);
void console_unref(struct console *console); /* NULL is fine. */

/* In the guest's worker, and only there. `generation` and `id` name the connection and the run of
 * the domain. */

/* Is it open, on just that run? */
bool console_is(struct console *console, unsigned generation, int id);

/* Closes what was open and opens the first console of the domain. What the ring holds stays. 0;
 * -EBUSY: somebody else reads it; -EOPNOTSUPP: it has none; other -errno. */
int console_open(struct console *console, virConnectPtr conn, virDomainPtr dom,
	unsigned generation);

void console_close(struct console *console);

/* Gives typed bytes to the stream as far as it takes them. The bytes that wait on, or -ENOTCONN. */
int console_flush(struct console *console);

/* On the main loop. */

bool console_opened(struct console *console);

/* Moves out at most `size` of the oldest bytes; *ret_lost is how many before them did not fit the
 * ring. */
size_t console_take(struct console *console, void *data, size_t size, uint64_t *ret_lost);

/* 0; -ENOTCONN: not open; -ENOBUFS: CONSOLE_TYPED_MAX would be passed, nothing was taken. */
int console_type(struct console *console, const void *data, size_t len);

#endif
