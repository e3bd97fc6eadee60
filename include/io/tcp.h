/* SPDX-License-Identifier: Apache-2.0 */
/* One question to a port that speaks no HTTP: does a connection hold? Little is proven by it,
 * because a user-mode forward takes every connection at once and shows a refusal in the guest only
 * by closing again. */
#ifndef MEDIAKIT_IO_TCP_H
#define MEDIAKIT_IO_TCP_H

#include "base/time.h"
#include "model/answer.h"

#include <netinet/in.h>
#include <systemd/sd-event.h>

/* How long a connection has to stay open without a word before it counts as held. A refusal in the
 * guest comes back through the forward in a few milliseconds, under TCG too. */
#define TCP_SETTLE (200 * USEC_PER_MSEC)

/* `text` is ours, never the guest's, and static. `latency` runs to the greeting, the close or the
 * failure; where the peer was silent it runs to the connection, not to the end of settling. */
typedef void (*tcp_done_t)(
	void *userdata, enum answer_kind kind, usec_t latency, const char *text, usec_t now);

struct tcp {
	int fd; /* -1: not open */
	sd_event_source *io, *timer;
	usec_t started, connected, deadline,
		settle;          /* points in time, but for `settle`; connected: 0 = not yet */
	enum answer_kind failed; /* of a connect that failed at once */
	const char *failed_text;
	tcp_done_t done;
	void *userdata;
};

/*
 * Starts connecting. 0, and `done` will be called exactly once from the loop, never from in here,
 * unless tcp_close() comes first; the tcp is closed before `done` is called, so that `done` may
 * reuse or free it. Otherwise -errno of sd-event (-ENOMEM), and `done` will not be called. A
 * connect that fails is an answer, not an error: ANSWER_UNREACHABLE  refused, or no way there
 *   ANSWER_CLOSED       connected, then closed or reset without a byte, before `settle`
 *   ANSWER_TIMEOUT      not connected after `timeout`
 *   ANSWER_WHOLE        a byte came, or still open after `settle` (or `timeout`, where that is
 * sooner) ANSWER_LOCAL_ERROR  no socket to be had
 */
int tcp_open(struct tcp *t, sd_event *event, const struct sockaddr_in *address, usec_t timeout,
	usec_t settle, tcp_done_t done, void *userdata);

/* Harmless on a closed or zeroed tcp whose `fd` is -1. */
void tcp_close(struct tcp *t);

/* What an errno of connect(2), or of the first read, means for an answer; used for HTTP too.
 * *ret_text is static. */
enum answer_kind tcp_errno_kind(int error, const char **ret_text);

#endif
