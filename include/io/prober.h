/* SPDX-License-Identifier: Apache-2.0 */
/* One question to one service, asked without blocking: the interface between core and the network.
 * io/http implements it with libcurl; tests implement it in simulated time. */
#ifndef MEDIAKIT_IO_PROBER_H
#define MEDIAKIT_IO_PROBER_H

#include "base/time.h"
#include "model/answer.h"

#include <stdint.h>

struct question {
	const char *address; /* numeric IPv4, copied */
	uint16_t port;
	enum answer_protocol protocol; /* ANSWER_HTTP or ANSWER_TCP */
	const char *path;              /* copied */
	const char *nonce;             /* 16 hex digits, copied; NULL: none sent */
	usec_t timeout;                /* for the whole exchange */
};

struct prober;
struct question_slot; /* one question in flight */

/* Called exactly once per question, on the main loop, never from inside ask(). `answer` and its
 * body are valid during the call only. */
typedef void (*answer_t)(void *userdata, const struct answer *answer, usec_t now);

struct prober_vtable {
	void (*destroy)(struct prober *p);
	/* A slot, or NULL with -errno in *ret_error (-ENOBUFS: PROBER_QUESTIONS_MAX in flight). */
	struct question_slot *(*ask)(struct prober *p, const struct question *q, answer_t done,
		void *userdata, int *ret_error);
	/* Drops a question; `done` will not be called. */
	void (*cancel)(struct prober *p, struct question_slot *slot);
};

#define PROBER_QUESTIONS_MAX 2048u

struct prober {
	const struct prober_vtable *vtable;
};

#endif
