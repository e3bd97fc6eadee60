/* SPDX-License-Identifier: Apache-2.0 */
/* Measures what a D-Bus client sends, before anything that would store it sees it: where the
 * handshake ends, where each message ends, and whether one is larger than anybody needs. Nothing of
 * the contents is looked at, and nothing is kept but a few numbers. */
#ifndef MEDIAKIT_MODEL_DBUSMETER_H
#define MEDIAKIT_MODEL_DBUSMETER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All of a client's handshake, BEGIN included; sd-bus's own is under 100 bytes. */
#define DBUSMETER_HANDSHAKE_MAX 4096u
/* One message, header and body. The largest call that is of use here is under 1 KiB; the
 * specification and sd-bus allow 128 MiB. */
#define DBUSMETER_MESSAGE_MAX (64u * 1024u)
/* The part of a header that has a fixed size and holds the two lengths: "Message Format" in the
 * D-Bus Specification, 0.40. */
#define DBUSMETER_HEADER 16u

/* All zero is the beginning of a connection. */
struct dbusmeter {
	bool begun;      /* the handshake is behind us */
	size_t seen;     /* bytes of the present unit, the handshake or one message */
	size_t length;   /* of the message, header included; 0 while that is not known */
	size_t line;     /* bytes of the present line of the handshake, its ending included */
	bool begin_line; /* and so far they are those of BEGIN */
	bool returned;   /* and the last of them was a carriage return */
	uint8_t header[DBUSMETER_HEADER];
};

/* Takes bytes up to the end of the present unit at most, and says in ret_used how many. 1: the unit
 * ends there. 0: all were used, and more of it is to come. -EMSGSIZE: it is or will be too large.
 * -EBADMSG: it is no D-Bus. After an error the connection is good for nothing. */
int dbusmeter_take(struct dbusmeter *m, const uint8_t *bytes, size_t len, size_t *ret_used);

/* Is a unit under way? Before its first byte the handshake is, and a message is not. */
static inline bool dbusmeter_inside(const struct dbusmeter *m)
{
	return !m->begun || m->seen > 0;
}

#endif
