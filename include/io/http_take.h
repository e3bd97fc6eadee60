/* SPDX-License-Identifier: Apache-2.0 */
/* What is taken from a guest's HTTP answer: counted, capped and looked at line by line. Knows no
 * libcurl, so that the rules about untrusted bytes can be read and tested alone. Used by io/http
 * only. */
#ifndef MEDIAKIT_IO_HTTP_TAKE_H
#define MEDIAKIT_IO_HTTP_TAKE_H

#include "model/answer.h"

/* How far an answer has come. Interim responses (100, 103) go from HEAD back to START. */
enum take_part {
	TAKE_START, /* nothing, or only whole interim responses */
	TAKE_HEAD,  /* in the header lines of a response */
	TAKE_BODY,  /* the final response's header lines have ended; later lines are trailers */
};

struct take {
	enum take_part part;
	bool interim;      /* the head being read is that of an interim response */
	bool http1;        /* its status line says HTTP/1.x */
	bool too_large;    /* a limit was hit; set once and for ever, */
	bool body_over;    /* and it was the body's */
	size_t head_bytes; /* of all lines: heads, interim heads, trailers */
	unsigned types;    /* Content-Type lines in the final head, */
	unsigned cbor;     /* and how many of them are application/cbor */
	size_t body_len;
	uint8_t body[ANSWER_BODY_MAX];
};

/* Ready for the next answer. Leaves the body's bytes, which body_len hides. */
void take_reset(struct take *t);

/* One whole line with its line end, as libcurl hands it over: status lines, header lines, the empty
 * line, trailers. 0, or -EMSGSIZE (and too_large) where it would exceed ANSWER_HEADER_MAX. */
int take_line(struct take *t, const char *line, size_t len);

/* Some bytes of body. 0, or -EMSGSIZE (and too_large) where they would exceed ANSWER_BODY_MAX; none
 * are then kept. */
int take_body(struct take *t, const void *data, size_t len);

/* Every Content-Type the final head has is application/cbor, in any case, parameters aside; and it
 * has one. Two that differ prove nothing. */
bool take_says_cbor(const struct take *t);

#endif
