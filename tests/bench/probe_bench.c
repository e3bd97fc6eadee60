/* SPDX-License-Identifier: Apache-2.0 */
/* The two programs of probe.sh: `serve N` answers on N ports of its own and counts who asked;
 * `probe PATH PORT…` asks each port once a second with the daemon's own prober and decoder, and
 * nothing of its policy. */
#include "base/macro.h"
#include "io/http.h"
#include "model/report.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define PORTS_MAX 64

/* {"status": "ok", "service": "local-proofreader", "version": "1.0", "uptime": 12345,
 *  "message": "all is well"}, as python3-cbor2 writes it. */
static const char report[] = "\xa5\x66status\x62ok\x67service\x71local-proofreader\x67version\x63"
			     "1.0\x66uptime\x19\x30\x39\x67message\x6b"
			     "all is well";

static int make_answer(char *buf, size_t size)
{
	int n = snprintf(buf, size,
		"HTTP/1.1 200 OK\r\nContent-Type: application/cbor\r\n"
		"Content-Length: %zu\r\nConnection: close\r\n\r\n",
		sizeof(report) - 1);

	memcpy(buf + n, report, sizeof(report) - 1);
	return n + (int)sizeof(report) - 1;
}

/* Who asked, told by the User-Agent; HAProxy sends none. */
enum agent { HAPROXY, MONIT, OURS, AGENT_NUM };

static void serve_one(int fd, unsigned counts[AGENT_NUM], const char *answer, size_t len)
{
	char text[128], question[2048];
	size_t got = 0;
	ssize_t n;

	/* Closing with bytes unread would be a reset. */
	do {
		n = recv(fd, question + got, sizeof(question) - 1 - got, 0);
		got += n > 0 ? (size_t)n : 0;
		question[got] = 0;
	} while (n > 0 && !strstr(question, "\r\n\r\n"));
	if (strncmp(question, "GET /count", 10) == 0) {
		n = snprintf(text, sizeof(text), "HTTP/1.0 200 OK\r\n\r\n%u %u %u\n",
			counts[HAPROXY], counts[MONIT], counts[OURS]);
		(void)send(fd, text, (size_t)n, MSG_NOSIGNAL);
		return;
	}
	if (n <= 0)
		return;
	if (strstr(question, "mediakitd/"))
		counts[OURS]++;
	else if (strcasestr(question, "monit"))
		counts[MONIT]++;
	else
		counts[HAPROXY]++;
	(void)send(fd, answer, len, MSG_NOSIGNAL);
}

static int serve(int n)
{
	struct pollfd fds[PORTS_MAX];
	unsigned counts[AGENT_NUM] = { 0 };
	char answer[512];
	int len = make_answer(answer, sizeof(answer));

	for (int i = 0; i < n; i++) {
		struct sockaddr_in a = { .sin_family = AF_INET,
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		socklen_t size = sizeof(a);

		fds[i] = (struct pollfd){ .fd = socket(AF_INET, SOCK_STREAM, 0), .events = POLLIN };
		if (bind(fds[i].fd, (struct sockaddr *)&a, size) < 0 || listen(fds[i].fd, 64) < 0 ||
			getsockname(fds[i].fd, (struct sockaddr *)&a, &size) < 0)
			return EXIT_FAILURE;
		printf("%u\n", ntohs(a.sin_port));
	}
	(void)fflush(stdout);
	while (poll(fds, (nfds_t)n, -1) > 0) {
		for (int i = 0; i < n; i++) {
			if (!fds[i].revents)
				continue;
			int fd = accept(fds[i].fd, NULL, NULL);
			serve_one(fd, counts, answer, (size_t)len);
			(void)close(fd);
		}
	}
	return EXIT_FAILURE;
}

struct bench {
	struct prober *prober;
	const char *path;
	uint16_t ports[PORTS_MAX];
	int n_ports;
	usec_t next;
	unsigned nonce;
};

static void on_answer(void *userdata, const struct answer *a, usec_t now)
{
	struct report r;
	struct report_fault fault;

	(void)userdata;
	(void)now;
	if (a->kind != ANSWER_WHOLE || a->status != 200 || !a->says_cbor)
		(void)fprintf(stderr, "bench: %s %s\n", answer_kind_to_string(a->kind), a->detail);
	else if (report_decode(a->body, a->body_len, &r, &fault) < 0)
		(void)fprintf(stderr, "bench: no report: %s\n", fault.text);
}

static int on_second(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct bench *b = userdata;
	char nonce[17];

	(void)usec;
	for (int i = 0; i < b->n_ports; i++) {
		struct question q = {
			.address = "127.0.0.1",
			.port = b->ports[i],
			.protocol = ANSWER_HTTP,
			.path = b->path,
			.nonce = nonce,
			.timeout = 2 * USEC_PER_SEC,
		};
		int error;

		(void)snprintf(nonce, sizeof(nonce), "%016x", b->nonce++);
		if (!b->prober->vtable->ask(b->prober, &q, on_answer, b, &error))
			(void)fprintf(stderr, "bench: ask: %s\n", strerror(-error));
	}
	b->next = usec_add(b->next, USEC_PER_SEC);
	(void)sd_event_source_set_time(source, b->next);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int probe(int argc, char **argv)
{
	struct bench b = { .path = argv[0], .n_ports = MIN(argc - 1, PORTS_MAX) };
	sd_event_source *timer = NULL;
	sd_event *event = NULL;

	for (int i = 0; i < b.n_ports; i++)
		b.ports[i] = (uint16_t)atoi(argv[i + 1]);
	b.next = now_boottime();
	if (sd_event_default(&event) < 0 || http_prober_new(event, &b.prober) < 0 ||
		sd_event_add_time(event, &timer, CLOCK_BOOTTIME, b.next, 0, on_second, &b) < 0)
		return EXIT_FAILURE;
	return sd_event_loop(event) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve(MIN(atoi(argv[2]), PORTS_MAX));
	if (argc >= 4 && strcmp(argv[1], "probe") == 0)
		return probe(argc - 2, argv + 2);
	(void)fprintf(stderr, "usage: %s serve N | probe PATH PORT…\n", argv[0]);
	return 2;
}
