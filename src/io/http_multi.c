/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation: libcurl tells which sockets it waits for (on_watch) and when it wants to be
 * called though nothing happened (on_delay); the loop calls back (on_ready, on_timer, on_kick), and
 * each of these hands what happened to curl_multi_socket_action() and ends in turn(), which
 * collects what is finished.
 *
 * The sockets are in an epoll set of their own, which is one source of the loop. sd-event
 * dispatches one source and then asks the kernel again, so with a source per socket the answers of
 * eight services would take sixteen turns of the loop, and sixteen announcements where one is due.
 * The set also makes a socket cost no memory and no event source.
 *
 * Invariants:
 *  - libcurl is never called from its own callbacks, but for curl_multi_assign(), which its manual
 * allows in on_watch: on_delay(0) arms `kick` and returns.
 *  - on_watch never returns -1, since that would make the whole multi handle unusable for ever. It
 * notes the failure, and the caller removes all transfers in the same turn or the next.
 *  - EPOLLERR and EPOLLHUP are passed on as readable, not as CURL_CSELECT_ERR: libcurl then reads,
 * gets what came before the reset, and learns the errno; told of an error it would drop both.
 *  - A descriptor may be closed already when libcurl says REMOVE, and is then out of the set: an
 * error of EPOLL_CTL_DEL means nothing. An event for a descriptor that libcurl has closed meanwhile
 * is ignored by libcurl.
 */
#include "io/http_multi.h"

#include "base/macro.h"
#include "io/http.h"

#include <errno.h>
#include <sys/epoll.h>

/* Sockets per turn: a guest's services, and several guests' where they fall together. */
#define BATCH 64

/* The turn of everything that called libcurl. May free the multi. */
static int finish(struct http_multi *m, CURLMcode code)
{
	bool broken = m->broken || code != CURLM_OK;

	m->broken = false;
	m->turn(m->userdata, broken);
	return 0;
}

static int on_ready(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct http_multi *m = userdata;
	struct epoll_event events[BATCH];
	CURLMcode code = CURLM_OK;
	int running;

	(void)source;
	(void)revents;
	int n = epoll_wait(fd, events, BATCH, 0);
	for (int i = 0; i < n && code == CURLM_OK; i++) {
		int mask = 0;

		if (events[i].events & ~(uint32_t)EPOLLOUT)
			mask |= CURL_CSELECT_IN;
		if (events[i].events & ~(uint32_t)EPOLLIN)
			mask |= CURL_CSELECT_OUT;
		code = curl_multi_socket_action(m->curl, events[i].data.fd, mask, &running);
	}
	return finish(m, code);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct http_multi *m = userdata;
	int running;

	(void)source;
	(void)usec;
	m->timer_at = 0;
	return finish(m, curl_multi_socket_action(m->curl, CURL_SOCKET_TIMEOUT, 0, &running));
}

static int on_kick(sd_event_source *source, void *userdata)
{
	struct http_multi *m = userdata;
	int running;

	(void)source;
	return finish(m, curl_multi_socket_action(m->curl, CURL_SOCKET_TIMEOUT, 0, &running));
}

/* `known`: watched before, as far as we know; the kernel forgets a descriptor that is closed and
 * made anew. */
static int watch(struct http_multi *m, int fd, uint32_t events, bool known)
{
	struct epoll_event e = { .events = events, .data.fd = fd };

	if (epoll_ctl(m->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e) == 0)
		return 0;
	if (errno != ENOENT && errno != EEXIST)
		return -errno;
	return epoll_ctl(m->epoll, known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &e) < 0 ? -errno : 0;
}

static int on_watch(CURL *easy, curl_socket_t fd, int what, void *userdata, void *known)
{
	struct http_multi *m = userdata;
	uint32_t events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		(void)epoll_ctl(m->epoll, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		events |= EPOLLOUT;
	if (watch(m, fd, events, known != NULL) < 0) {
		m->broken = true;
		(void)sd_event_source_set_enabled(m->kick, SD_EVENT_ONESHOT);
	} else if (!known) {
		(void)curl_multi_assign(m->curl, fd, m);
	}
	return 0;
}

/* One shot, replaced by each call; negative: none. Changing a source that exists cannot fail. */
static int on_delay(CURLM *curl, long delay_ms, void *userdata)
{
	struct http_multi *m = userdata;
	usec_t at;

	(void)curl;
	(void)sd_event_source_set_enabled(
		m->kick, delay_ms == 0 || m->broken ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
	if (delay_ms <= 0) {
		m->timer_at = 0;
		(void)sd_event_source_set_enabled(m->timer, SD_EVENT_OFF);
		return 0;
	}
	/* The time-outs of questions asked together lie a little apart, and each answer moves the
	 * next one. To wake up that little too early, if ever, is cheaper than to set the clock for
	 * each. */
	at = usec_add(now_boottime(), (usec_t)delay_ms * USEC_PER_MSEC);
	if (m->timer_at != 0 && m->timer_at <= at && at - m->timer_at < HTTP_TIMER_ACCURACY)
		return 0;
	m->timer_at = at;
	(void)sd_event_source_set_time(m->timer, at);
	(void)sd_event_source_set_enabled(m->timer, SD_EVENT_ONESHOT);
	return 0;
}

static int make_sources(struct http_multi *m, sd_event *event)
{
	int r;

	m->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (m->epoll < 0)
		return -errno;
	r = sd_event_add_io(event, &m->ready, m->epoll, EPOLLIN, on_ready, m);
	if (r >= 0)
		r = sd_event_add_time(event, &m->timer, CLOCK_BOOTTIME, USEC_INFINITY,
			HTTP_TIMER_ACCURACY, on_timer, m);
	if (r >= 0)
		r = sd_event_source_set_enabled(m->timer, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_defer(event, &m->kick, on_kick, m);
	if (r >= 0)
		r = sd_event_source_set_enabled(m->kick, SD_EVENT_OFF);
	return r < 0 ? r : 0;
}

static int make_curl(struct http_multi *m)
{
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

int http_multi_init(struct http_multi *m, sd_event *event)
{
	int r = make_sources(m, event);

	return r < 0 ? r : make_curl(m);
}

int http_multi_renew(struct http_multi *m)
{
	if (m->curl)
		(void)curl_multi_cleanup(m->curl);
	m->timer_at = 0;
	return make_curl(m);
}

void http_multi_done(struct http_multi *m)
{
	/* First, because it may still call on_watch and on_delay. */
	if (m->curl)
		(void)curl_multi_cleanup(m->curl);
	m->curl = NULL;
	m->ready = sd_event_source_disable_unref(m->ready);
	m->timer = sd_event_source_disable_unref(m->timer);
	m->kick = sd_event_source_disable_unref(m->kick);
	if (m->epoll >= 0)
		(void)close(TAKE_FD(m->epoll));
}
