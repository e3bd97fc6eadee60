/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: sd-bus believes the length in a message's header, 128 MiB, and collects that
 * much from whoever connects; it has no limit to set. So it does not read the stranger's socket but
 * one end of a pair, and what goes into the other end was measured before: a handshake that is too
 * long, a header that promises too much, or a message that does not get finished ends the
 * connection, and sd-bus never holds more than one message of DBUSMETER_MESSAGE_MAX for it.
 *
 * sd-bus writes straight to the stranger's socket, through a second descriptor of it. What it
 * queues is bounded by its owner (peer.c), and the descriptors it passes need nobody who carries
 * them. The other way none is taken: recv() drops them.
 *
 * A message begins only with a token. Without one nothing is read, the stranger's own socket fills,
 * and a flood slows nobody but its sender. A hang-up is not waited out then: epoll reports it all
 * the time, and sd-bus, which watches the same socket, would turn with it.
 *
 * Whoever ends it, the connection ends in one way: sd-bus finds the end of what it reads, tells all
 * who wait, and closes.
 *
 * The meter takes the word BEGIN for the end of the handshake; sd-bus may have refused the
 * authentication before it and still be reading lines, in which a header could hide. Hence no
 * message is passed on before sd-bus itself says that it reads messages. */
#include "bus/pump.h"

#include "base/macro.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

const struct ratelimit_rule pump_rule = {
	.burst = PUMP_REQUESTS_BURST,
	.every = USEC_PER_SEC / PUMP_REQUESTS_PER_SEC,
};

/* sd-event's own 250 ms would be 25 tokens. */
#define PUMP_ACCURACY USEC_PER_MSEC

struct pump {
	struct pump_owner owner;
	int outer, inner; /* the stranger's socket; our end of the pair */
	sd_event_source *readable, *writable, *timer;
	struct dbusmeter meter;
	usec_t since;  /* when the present unit began */
	usec_t resume; /* when the token is ours that was taken on credit; or USEC_INFINITY */
	bool ready;    /* the owner said so */
	bool over;
	/* sent <= admitted <= len: written to sd-bus, measured, read */
	size_t sent, admitted, len;
	uint8_t buffer[PUMP_BUFFER];
};

static void pump_drop(struct pump *p, const char *why)
{
	pump_stop(p);
	p->owner.dropped(p->owner.userdata, why);
}

/* 1: go on. 0: nothing more will come. -errno. */
static int pump_fill(struct pump *p)
{
	if (p->len > 0)
		return 1;
	ssize_t n = recv(p->outer, p->buffer, sizeof(p->buffer), MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 1 : -errno;
	p->len = (size_t)n;
	return n > 0;
}

/* May a message begin? Who finds no token takes one on credit, and may go when that would have been
 * his: pumps that share a bucket so come one after another, whoever asks most often. */
static bool admit_message(struct pump *p, usec_t now)
{
	if (!p->ready)
		return false;
	if (p->resume == USEC_INFINITY && !ratelimit_take(p->owner.rate, &pump_rule, now)) {
		ratelimit_charge(p->owner.rate, &pump_rule, 1, now);
		p->resume =
			usec_sub(ratelimit_next(p->owner.rate, &pump_rule, now), pump_rule.every);
	}
	if (p->resume != USEC_INFINITY && now < p->resume)
		return false;
	p->resume = USEC_INFINITY;
	p->since = now;
	return true;
}

static int pump_admit(struct pump *p, usec_t now)
{
	p->ready = p->ready || p->owner.ready(p->owner.userdata);
	/* The two disagree on where the handshake ends: nothing of what follows can be measured. */
	if (p->ready && !p->meter.begun)
		return -EBADMSG;
	while (p->admitted < p->len) {
		size_t used;

		if (!dbusmeter_inside(&p->meter) && !admit_message(p, now))
			return 0;
		int r = dbusmeter_take(
			&p->meter, p->buffer + p->admitted, p->len - p->admitted, &used);
		if (r < 0)
			return r;
		/* From here it is sd-bus whom the end of a handshake waits for. */
		if (r > 0)
			p->since = now;
		p->admitted += used;
	}
	return 0;
}

static int pump_send(struct pump *p)
{
	if (p->sent == p->admitted)
		return 0;
	ssize_t n = send(
		p->inner, p->buffer + p->sent, p->admitted - p->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	p->sent += (size_t)n;
	if (p->sent == p->len)
		p->sent = p->admitted = p->len = 0;
	return 0;
}

static bool is_half(const struct pump *p)
{
	return dbusmeter_inside(&p->meter) || !p->ready;
}

/* Which events are of use now. */
static int pump_arm(struct pump *p)
{
	usec_t due = p->resume;
	int r;

	if (is_half(p))
		due = MIN(due, usec_add(p->since, PUMP_PATIENCE));
	if ((r = sd_event_source_set_io_events(p->readable, p->len == 0 ? EPOLLIN : 0)) < 0 ||
		(r = sd_event_source_set_enabled(
			 p->writable, p->sent < p->admitted ? SD_EVENT_ON : SD_EVENT_OFF)) < 0)
		return r;
	if (due == USEC_INFINITY)
		return sd_event_source_set_enabled(p->timer, SD_EVENT_OFF);
	if ((r = sd_event_source_set_time(p->timer, due)) < 0)
		return r;
	return sd_event_source_set_enabled(p->timer, SD_EVENT_ONESHOT);
}

static const char *words_of(int error)
{
	switch (-error) {
	case EMSGSIZE:
		return "sends more than any request is long";
	case EBADMSG:
		return "does not speak D-Bus";
	default:
		return strerror(-error);
	}
}

void pump_run(struct pump *p, usec_t now)
{
	int r, e;

	if (p->over)
		return;
	/* Before anybody is called slow: it may be us who were. */
	if (pump_fill(p) <= 0) {
		pump_stop(p);
		return;
	}
	r = pump_admit(p, now);
	/* What came before a fault is good. */
	if ((e = pump_send(p)) < 0 || (r >= 0 && (e = pump_arm(p)) < 0))
		r = e;
	if (r < 0)
		pump_drop(p, words_of(r));
	else if (is_half(p) && usec_sub(now, p->since) >= PUMP_PATIENCE)
		pump_drop(p, p->meter.begun ? "does not finish a message" : "does not say hello");
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct pump *p = userdata;

	(void)source, (void)fd;
	pump_run(p, now_boottime());
	if ((events & (EPOLLHUP | EPOLLERR)) && p->admitted < p->len)
		pump_stop(p);
	return 0;
}

static int on_writable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)source, (void)fd, (void)events;
	pump_run(userdata, now_boottime());
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source, (void)usec;
	pump_run(userdata, now_boottime());
	return 0;
}

static int pump_watch(struct pump *p, sd_event *event)
{
	const int bytes = PUMP_SEND_BUFFER;
	int r;

	if (setsockopt(p->inner, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) < 0)
		return -errno;
	if ((r = sd_event_add_io(event, &p->readable, p->outer, EPOLLIN, on_readable, p)) < 0 ||
		(r = sd_event_add_io(event, &p->writable, p->inner, EPOLLOUT, on_writable, p)) <
			0 ||
		(r = sd_event_add_time(
			 event, &p->timer, CLOCK_BOOTTIME, 0, PUMP_ACCURACY, on_timer, p)) < 0)
		return r;
	return pump_arm(p);
}

int pump_new(sd_event *event, int fd, const struct pump_owner *owner, usec_t now, struct pump **ret,
	int *ret_in)
{
	int pair[2];
	struct pump *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	*p = (struct pump){
		.owner = *owner, .outer = -1, .inner = -1, .since = now, .resume = USEC_INFINITY
	};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		int r = -errno;

		pump_free(p);
		return r;
	}
	CLEANUP_CLOSE int theirs = pair[1];

	p->inner = pair[0];
	p->outer = fd;
	int r = pump_watch(p, event);
	if (r < 0) {
		p->outer = -1;
		pump_free(p);
		return r;
	}
	*ret = p;
	*ret_in = TAKE_FD(theirs);
	return 0;
}

void pump_stop(struct pump *p)
{
	/* Who goes while he waits takes nothing along: a crowd that comes and goes would leave its
	 * debt to the one that stays. */
	if (p->resume != USEC_INFINITY)
		ratelimit_refund(p->owner.rate);
	p->resume = USEC_INFINITY;
	p->over = true;
	if (p->inner >= 0)
		(void)shutdown(p->inner, SHUT_WR);
	p->readable = sd_event_source_disable_unref(p->readable);
	p->writable = sd_event_source_disable_unref(p->writable);
	p->timer = sd_event_source_disable_unref(p->timer);
}

void pump_free(struct pump *p)
{
	if (!p)
		return;
	pump_stop(p);
	if (p->inner >= 0)
		(void)close(p->inner);
	if (p->outer >= 0)
		(void)close(p->outer);
	free(p);
}
