/* SPDX-License-Identifier: Apache-2.0 */
/* The server of the page where it cannot begin, and a scrape that says nothing; what it serves to
 * whom is in tests/metrics. */
/* clang-format off */
/* LINK: base io/worker cli/httpd cli/httprules cli/page cli/metrics cli/exposition cli/counters cli/view */
/* clang-format on */
/* LIBS: libsystemd libmicrohttpd */
#include "base/log.h"
#include "base/macro.h"
#include "cli/httpd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned scrapes;

int scrape(const char *runtime, enum scrape_kind kind, usec_t limit, char **ret, size_t *ret_len,
	char why[static SCRAPE_WHY_MAX])
{
	(void)kind, (void)limit;
	assert_string_equal(runtime, "/run");
	scrapes++;
	if (scrapes > 1) {
		snprintf(why, SCRAPE_WHY_MAX, "it is away");
		return -ENOTCONN;
	}
	*ret = strdup("{}");
	*ret_len = 2;
	return 0;
}

static void take_line(int level, const char *guest, const char *service, const char *line)
{
	(void)level, (void)guest, (void)service, (void)line;
}

static void nothing_to_listen_on(void **state)
{
	struct httpd_config config = { .runtime = "/run", .port = 1 };
	struct httpd *h = NULL;
	sd_event *event = NULL;

	(void)state;
	assert_true(sd_event_new(&event) >= 0);
	/* A file is no socket: it cannot be waited for. */
	char path[] = "/tmp/test_httpd-XXXXXX";
	config.fd = mkstemp(path);
	assert_true(config.fd >= 0);
	assert_int_equal(httpd_new(event, &config, &h), -EIO);
	assert_null(h);
	httpd_free(NULL);
	(void)close(config.fd);
	(void)unlink(path);
	sd_event_unref(event);
}

static size_t ask(sd_event *event, int port, const char *text, char *answer, size_t size)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const usec_t until = now_boottime() + 10 * USEC_PER_SEC;
	size_t len = 0;
	ssize_t n = -1;

	assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
	while (n != 0 && now_boottime() < until) {
		assert_true(sd_event_run(event, 10 * USEC_PER_MSEC) >= 0);
		n = recv(fd, answer + len, size - 1 - len, MSG_DONTWAIT);
		len += n > 0 ? (size_t)n : 0;
	}
	assert_int_equal(n, 0);
	answer[len] = '\0';
	close(fd);
	return len;
}

/* The answer of one is that of all for a while; a daemon that is away is told as such; a body is
 * not read. */
static void one_answer_for_all(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(at);
	struct httpd_config config = { .runtime = "/run" };
	static char answer[65536], text[256];
	struct httpd *h = NULL;
	sd_event *event = NULL;

	(void)state;
	assert_true(sd_event_new(&event) >= 0);
	config.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(config.fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(config.fd, 8), 0);
	assert_int_equal(getsockname(config.fd, (struct sockaddr *)&at, &size), 0);
	config.port = ntohs(at.sin_port);
	assert_int_equal(httpd_new(event, &config, &h), 0);
	assert_true(httpd_idle_since(h) != USEC_INFINITY);
	for (int i = 0; i < 2; i++) {
		snprintf(text, sizeof(text),
			"GET /status.json HTTP/1.1\r\nHost: localhost:%u\r\nConnection: "
			"close\r\n\r\n",
			(unsigned)config.port);
		(void)ask(event, config.port, text, answer, sizeof(answer));
		assert_non_null(strstr(answer, "HTTP/1.1 200"));
		assert_non_null(strstr(answer, "\r\n\r\n{}"));
	}
	assert_int_equal(scrapes, 1);
	snprintf(text, sizeof(text),
		"GET /history.json HTTP/1.1\r\nHost: localhost:%u\r\nConnection: close\r\n\r\n",
		(unsigned)config.port);
	(void)ask(event, config.port, text, answer, sizeof(answer));
	assert_non_null(strstr(answer, "HTTP/1.1 503"));
	assert_non_null(strstr(answer, "it is away\n"));
	snprintf(text, sizeof(text),
		"GET / HTTP/1.1\r\nHost: localhost:%u\r\nContent-Length: 4\r\nConnection: "
		"close\r\n\r\n"
		"body",
		(unsigned)config.port);
	(void)ask(event, config.port, text, answer, sizeof(answer));
	assert_null(strstr(answer, "HTTP/1.1 200"));
	assert_int_equal(scrapes, 2);
	httpd_free(h);
	sd_event_unref(event);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_to_listen_on),
		cmocka_unit_test(one_answer_for_all),
	};

	log_set_sink(take_line);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
