/* SPDX-License-Identifier: Apache-2.0 */
/* The TCP question: a non-blocking connect, then a wait for a byte, a close, or the end of
 * settling. */
#include "io/tcp.h"

#include "base/macro.h"

#include <errno.h>
#include <sys/socket.h>

/* A bound on how late a time-out may fire: sd-event then wakes up once for several. */
#define TIMER_ACCURACY (10 * USEC_PER_MSEC)

enum answer_kind tcp_errno_kind(int error, const char **ret_text)
{
	switch (error) {
	case ECONNREFUSED:
		*ret_text = "connection refused";
		return ANSWER_UNREACHABLE;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EHOSTDOWN:
		*ret_text = "no route to the address";
		return ANSWER_UNREACHABLE;
	case ECONNRESET:
	case EPIPE:
	case ECONNABORTED:
		*ret_text = "connection reset before any byte";
		return ANSWER_CLOSED;
	case ETIMEDOUT:
		*ret_text = "no connection in time";
		return ANSWER_TIMEOUT;
	case EMFILE:
	case ENFILE:
		*ret_text = "out of file descriptors";
		return ANSWER_LOCAL_ERROR;
	case EADDRNOTAVAIL:
		*ret_text = "out of local ports";
		return ANSWER_LOCAL_ERROR;
	case EACCES:
	case EPERM:
		*ret_text = "connecting is not permitted";
		return ANSWER_LOCAL_ERROR;
	default:
		*ret_text = "out of memory for a socket, or another local fault";
		return ANSWER_LOCAL_ERROR;
	}
}

void tcp_close(struct tcp *t)
{
	t->io = sd_event_source_disable_unref(t->io);
	t->timer = sd_event_source_disable_unref(t->timer);
	if (t->fd >= 0)
		(void)close(TAKE_FD(t->fd));
}

static void tcp_finish(
	struct tcp *t, enum answer_kind kind, usec_t at, const char *text, usec_t now)
{
	tcp_close(t);
	t->done(t->userdata, kind, usec_sub(at, t->started), text, now);
}

static void tcp_finish_errno(struct tcp *t, int error, usec_t now)
{
	const char *text;
	enum answer_kind kind = tcp_errno_kind(error, &text);

	tcp_finish(t, kind, now, text, now);
}

/* From now on only a byte or the end of the connection is news. */
static int tcp_settle(struct tcp *t, usec_t now)
{
	usec_t until = usec_add(now, t->settle);
	int r;

	t->connected = now;
	r = sd_event_source_set_io_events(t->io, EPOLLIN | EPOLLRDHUP);
	if (r < 0)
		return r;
	return sd_event_source_set_time(t->timer, MIN(until, t->deadline));
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct tcp *t = userdata;
	usec_t now = now_boottime();
	int error = 0;
	socklen_t len = sizeof(error);
	char byte;

	(void)source;
	(void)revents;
	if (t->connected == 0) {
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
			error = errno;
		if (error == 0)
			error = -tcp_settle(t, now);
		if (error != 0)
			tcp_finish_errno(t, error, now);
		return 0;
	}

	/* Only looked at: what a guest greets with is nobody's business here. */
	ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n > 0)
		tcp_finish(t, ANSWER_WHOLE, now, "the service greeted", now);
	else if (n == 0)
		tcp_finish(t, ANSWER_CLOSED, now, "connection closed before any byte", now);
	else if (errno != EAGAIN && errno != EINTR)
		tcp_finish_errno(t, errno, now);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct tcp *t = userdata;
	usec_t now = now_boottime();

	(void)source;
	(void)usec;
	if (t->failed != ANSWER_WHOLE)
		tcp_finish(t, t->failed, t->started, t->failed_text, now);
	else if (t->connected != 0)
		tcp_finish(t, ANSWER_WHOLE, t->connected, "the connection held", now);
	else
		tcp_finish(t, ANSWER_TIMEOUT, now, "no connection in time", now);
	return 0;
}

/* Loopback refuses inside connect(2); the timer, already due, then delivers that from the loop. */
static int tcp_fail_later(struct tcp *t, int error)
{
	t->failed = tcp_errno_kind(error, &t->failed_text);
	return sd_event_source_set_time(t->timer, t->started);
}

static int tcp_connect(struct tcp *t, sd_event *event, const struct sockaddr_in *address)
{
	t->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (t->fd < 0)
		return tcp_fail_later(t, errno);
	if (connect(t->fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
		errno != EINPROGRESS)
		return tcp_fail_later(t, errno);
	/* A connection made at once is writable at once, so one path serves both. */
	return sd_event_add_io(event, &t->io, t->fd, EPOLLOUT, on_io, t);
}

int tcp_open(struct tcp *t, sd_event *event, const struct sockaddr_in *address, usec_t timeout,
	usec_t settle, tcp_done_t done, void *userdata)
{
	usec_t now = now_boottime();
	int r;

	*t = (struct tcp){
		.fd = -1,
		.started = now,
		.deadline = usec_add(now, timeout),
		.settle = settle,
		.failed = ANSWER_WHOLE,
		.done = done,
		.userdata = userdata,
	};
	r = sd_event_add_time(
		event, &t->timer, CLOCK_BOOTTIME, t->deadline, TIMER_ACCURACY, on_timer, t);
	if (r >= 0)
		r = tcp_connect(t, event, address);
	if (r < 0) {
		tcp_close(t);
		return r;
	}
	return 0;
}
