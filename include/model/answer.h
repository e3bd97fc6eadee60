/* SPDX-License-Identifier: Apache-2.0 */
/* What came back from one question, before anybody judges it: the network's words as values. */
#ifndef MEDIAKIT_MODEL_ANSWER_H
#define MEDIAKIT_MODEL_ANSWER_H

#include "base/nametable.h"
#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum answer_protocol { ANSWER_HTTP, ANSWER_TCP, ANSWER_UNIT, ANSWER_PROTOCOL_NUM };

enum answer_kind {
	ANSWER_WHOLE, /* HTTP: a whole response, `status`, `body`; TCP: connected and held open or
			 greeted */
	ANSWER_UNREACHABLE, /* the connect itself was refused: QEMU is not listening */
	ANSWER_CLOSED,    /* connected, then reset or closed before any byte: nobody listens in the
			     guest */
	ANSWER_TIMEOUT,   /* connected (or not), no whole answer in time */
	ANSWER_TOO_LARGE, /* headers, trailers or body over the limit; of a body `status` and
			   * what of it is within */
	ANSWER_NOT_HTTP,  /* bytes that are no HTTP/1.x response, or cut off in the middle */
	ANSWER_LOCAL_ERROR, /* we could not ask: out of descriptors, memory, … */
	ANSWER_KIND_NUM,
};
NAME_TABLE_DECLARE(answer_kind, enum answer_kind);

/* Limits of what is taken from the guest. The body's is wire.md's; the headers' is generous for
 * eight ordinary header lines and small against memory. */
#define ANSWER_BODY_MAX   4096u
#define ANSWER_HEADER_MAX 8192u /* all header, interim-response and trailer bytes together */

struct answer {
	enum answer_protocol protocol;
	enum answer_kind kind;
	usec_t latency;      /* from the question to the whole answer */
	int status;          /* HTTP status; 0 where there is none */
	bool says_cbor;      /* Content-Type is exactly application/cbor (parameters aside) */
	const uint8_t *body; /* at most ANSWER_BODY_MAX */
	size_t body_len;
	char detail[96];     /* the network's own words, printable, for the reason; may be "" */
	char unit_state[24]; /* ANSWER_UNIT: ActiveState as systemd in the guest says, printable */
};

#endif
