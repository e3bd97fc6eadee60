/* SPDX-License-Identifier: Apache-2.0 */
/* A service on a loopback port of its own that plays a row, in a thread, so that it can be as slow
 * or as fast as it likes without the prober's loop knowing. Asserts with cmocka. */
#ifndef MEDIAKIT_TESTS_HTTP_SERVICE_H
#define MEDIAKIT_TESTS_HTTP_SERVICE_H

#include "base/macro.h"
#include "base/time.h"
#include "http/rows.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

/* One service: a socket, a thread that plays a row on `connections` connections, and what came of
 * the question. */
struct service {
	const struct row *row;
	int fd, connections;
	uint16_t port;
	pthread_t thread;
	char question[2048];
	/* Written by the test's thread only. */
	struct asker *asker;
	int done;
	usec_t asked, answered;
	struct answer answer;
};

static bool send_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* Waits so long, or until the prober hangs up. */
static bool hung_up(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte;

	return poll(&p, 1, ms) > 0 && recv(fd, &byte, 1, MSG_DONTWAIT) <= 0;
}

static void read_question(struct service *s, int fd)
{
	size_t len = 0;
	ssize_t n;

	do {
		n = recv(fd, s->question + len, sizeof(s->question) - 1 - len, 0);
		len += n > 0 ? (size_t)n : 0;
		s->question[len] = 0;
	} while (n > 0 && !strstr(s->question, "\r\n\r\n"));
}

static void play(struct service *s, int fd)
{
	const struct row *row = s->row;
	bool up = true;

	if (row->end <= HOLDS)
		read_question(s, fd);
	if (row->head)
		up = send_all(fd, row->head, strlen(row->head));
	for (int i = 0; up && row->again && (row->times == FOREVER || i < row->times); i++)
		up = (row->pause_ms == 0 || !hung_up(fd, row->pause_ms)) &&
		     send_all(fd, row->again, strlen(row->again));
	if (row->end == HOLDS || row->end == HOLDS_UNASKED)
		while (up && !hung_up(fd, 5000))
			;
	if (row->end == RESETS || row->end == RESETS_AT_ONCE)
		(void)setsockopt(
			fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
}

static void *serve(void *userdata)
{
	struct service *s = userdata;

	for (int i = 0; i < s->connections; i++) {
		int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);

		assert_true(fd >= 0);
		play(s, fd);
		(void)close(fd);
	}
	return NULL;
}

static void service_start(struct service *s, const struct row *row, int connections)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	*s = (struct service){ .row = row, .connections = connections };
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &len), 0);
	s->port = ntohs(a.sin_port);
	if (row->end == REFUSES)
		return;
	assert_int_equal(listen(s->fd, 64), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void service_stop(struct service *s)
{
	if (s->row->end != REFUSES)
		(void)pthread_join(s->thread, NULL);
	(void)close(s->fd);
}

#endif
