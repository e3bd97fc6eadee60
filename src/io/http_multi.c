/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation: libcurl tells which sockets it waits for (on_watch) and when it wants to be
 * called though nothing happened (on_delay); sd-event calls back (on_socket, on_timer, on_kick),
 * and each of these hands the event to curl_multi_socket_action() and ends in turn(), which
 * collects what is finished.
 *
 * Invariants:
 *  - libcurl is never called from its own callbacks, but for curl_multi_assign(), which its manual
 * allows in on_watch: on_delay(0) arms `kick` and returns.
 *  - on_watch never returns -1, since that would make the whole multi handle unusable for ever. It
 * notes the failure, and the caller removes all transfers in the same turn.
 *  - EPOLLERR and EPOLLHUP are passed on as readable, not as CURL_CSELECT_ERR: libcurl then reads,
 * gets what came before the reset, and learns the errno; told of an error it would drop both.
 *  - A descriptor may be closed already when libcurl says REMOVE. Switching the event source off
 * then fails inside sd-event, which is harmless and ignored.
 *
 * The event source of a socket that is gone is kept and given the next descriptor: a probe makes
 * and drops one socket, and making a source costs about as much as the epoll call.
 */
#include "io/http_multi.h"

#include "base/macro.h"
#include "io/http.h"

#include <errno.h>

/* More than this many idle event sources are given back. */
#define SPARE_MAX 64u

struct http_socket {
	struct http_multi *multi;
	struct http_socket *next; /* among the spare */
	sd_event_source *source;
	int fd; /* -1: spare */
	uint32_t events;
};

static void socket_free(struct http_socket *s)
{
	if (!s)
		return;
	sd_event_source_disable_unref(s->source);
	free(s);
}

/* The turn of everything that called libcurl. May free the multi. */
static int finish(struct http_multi *m, CURLMcode code)
{
	bool broken = m->broken || code != CURLM_OK;

	m->broken = false;
	m->turn(m->userdata, broken);
	return 0;
}

static int on_socket(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct http_socket *s = userdata;
	struct http_multi *m = s->multi;
	int mask = 0, running;
	CURLMcode code;

	(void)source;
	if (revents & (EPOLLERR | EPOLLHUP))
		revents |= s->events;
	if (revents & EPOLLIN)
		mask |= CURL_CSELECT_IN;
	if (revents & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	code = curl_multi_socket_action(m->curl, fd, mask, &running);
	return finish(m, code);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct http_multi *m = userdata;
	int running;

	(void)source;
	(void)usec;
	return finish(m, curl_multi_socket_action(m->curl, CURL_SOCKET_TIMEOUT, 0, &running));
}

static int on_kick(sd_event_source *source, void *userdata)
{
	return on_timer(source, 0, userdata);
}

static int socket_new(struct http_multi *m, int fd, uint32_t events, struct http_socket **ret)
{
	struct http_socket *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->multi = m;
	s->fd = fd;
	r = sd_event_add_io(m->event, &s->source, fd, events, on_socket, s);
	if (r < 0) {
		socket_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

/* A source that is off only notes the descriptor and the events; switching it on is the one call to
 * epoll. */
static int socket_reuse(struct http_multi *m, int fd, uint32_t events, struct http_socket **ret)
{
	struct http_socket *s = m->spare;
	int r;

	r = sd_event_source_set_io_fd(s->source, fd);
	if (r >= 0)
		r = sd_event_source_set_io_events(s->source, events);
	if (r >= 0)
		r = sd_event_source_set_enabled(s->source, SD_EVENT_ON);
	if (r < 0)
		return r;
	m->spare = s->next;
	m->n_spare--;
	s->fd = fd;
	*ret = s;
	return 0;
}

static void socket_drop(struct http_multi *m, struct http_socket *s)
{
	(void)sd_event_source_set_enabled(s->source, SD_EVENT_OFF);
	s->fd = -1;
	if (m->n_spare >= SPARE_MAX) {
		socket_free(s);
		return;
	}
	s->next = m->spare;
	m->spare = s;
	m->n_spare++;
}

static int socket_watch(struct http_multi *m, struct http_socket *s, int fd, uint32_t events)
{
	int r;

	if (s) {
		r = s->events == events ? 0 : sd_event_source_set_io_events(s->source, events);
	} else {
		r = m->spare ? socket_reuse(m, fd, events, &s) : socket_new(m, fd, events, &s);
		if (r < 0)
			return r;
		if (curl_multi_assign(m->curl, fd, s) != CURLM_OK) {
			socket_drop(m, s);
			return -EINVAL;
		}
	}
	s->events = events;
	return r;
}

static int on_watch(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socketp)
{
	struct http_multi *m = userdata;
	struct http_socket *s = socketp;
	uint32_t events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (s)
			socket_drop(m, s);
		return 0;
	}
	if (what & CURL_POLL_IN)
		events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		events |= EPOLLOUT;
	if (socket_watch(m, s, fd, events) < 0) {
		m->broken = true;
		(void)sd_event_source_set_enabled(m->kick, SD_EVENT_ONESHOT);
	}
	return 0;
}

/* One shot, replaced by each call; negative: none. Failing to arm a source that exists is not
 * possible. */
static int on_delay(CURLM *curl, long delay_ms, void *userdata)
{
	struct http_multi *m = userdata;

	(void)curl;
	(void)sd_event_source_set_enabled(
		m->kick, delay_ms == 0 || m->broken ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
	if (delay_ms <= 0)
		return sd_event_source_set_enabled(m->timer, SD_EVENT_OFF) < 0 ? -1 : 0;
	(void)sd_event_source_set_time(
		m->timer, usec_add(now_boottime(), (usec_t)delay_ms * USEC_PER_MSEC));
	(void)sd_event_source_set_enabled(m->timer, SD_EVENT_ONESHOT);
	return 0;
}

static int make_sources(struct http_multi *m)
{
	int r;

	r = sd_event_add_time(m->event, &m->timer, CLOCK_BOOTTIME, USEC_INFINITY,
		HTTP_TIMER_ACCURACY, on_timer, m);
	if (r >= 0)
		r = sd_event_source_set_enabled(m->timer, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_defer(m->event, &m->kick, on_kick, m);
	if (r >= 0)
		r = sd_event_source_set_enabled(m->kick, SD_EVENT_OFF);
	return r < 0 ? r : 0;
}

int http_multi_init(struct http_multi *m, sd_event *event)
{
	int r;

	m->event = sd_event_ref(event);
	r = make_sources(m);
	if (r < 0)
		return r;
	m->curl = curl_multi_init();
	if (!m->curl)
		return -ENOMEM;
	/* Nothing is kept for reuse anyway; 1 is the least that is not "choose yourself". */
	(void)curl_multi_setopt(m->curl, CURLMOPT_MAXCONNECTS, 1L);
	(void)curl_multi_setopt(m->curl, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	(void)curl_multi_setopt(m->curl, CURLMOPT_SOCKETFUNCTION, on_watch);
	(void)curl_multi_setopt(m->curl, CURLMOPT_SOCKETDATA, m);
	(void)curl_multi_setopt(m->curl, CURLMOPT_TIMERFUNCTION, on_delay);
	(void)curl_multi_setopt(m->curl, CURLMOPT_TIMERDATA, m);
	return 0;
}

void http_multi_done(struct http_multi *m)
{
	/* First, because it may still call on_watch and on_delay. */
	if (m->curl)
		(void)curl_multi_cleanup(m->curl);
	m->curl = NULL;
	while (m->spare) {
		struct http_socket *s = m->spare;

		m->spare = s->next;
		socket_free(s);
	}
	m->timer = sd_event_source_disable_unref(m->timer);
	m->kick = sd_event_source_disable_unref(m->kick);
	m->event = sd_event_unref(m->event);
}
