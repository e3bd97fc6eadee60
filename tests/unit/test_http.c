/* SPDX-License-Identifier: Apache-2.0 */
/* The prober on real sockets, against services that do what they should not: each answer's kind, exactly one answer
 * in time, and memory and descriptors that do not grow. */
/* LINK: base model/answer io/http io/http_exchange io/http_multi io/http_take io/tcp */
/* LIBS: libcurl libsystemd */
#include "base/macro.h"
#include "io/http.h"
#include "io/http_take.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <cmocka.h>

#define TIMEOUT (300 * USEC_PER_MSEC)
#define GRACE   (500 * USEC_PER_MSEC) /* for a loaded machine; the strict bound is asserted in simulated time */
#define NONCE   "0123456789abcdef"
#define OK      "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"
#define CBOR    OK "Content-Type: application/cbor\r\nContent-Length: 2\r\n"
#define X16     "xxxxxxxxxxxxxxxx"
#define X64     X16 X16 X16 X16
#define X1024   X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64 X64
#define FOREVER (-1)

/* How a service ends the connection; those after HOLDS do not wait for the question. */
enum manner { CLOSES, RESETS, HOLDS, REFUSES, CLOSES_AT_ONCE, RESETS_AT_ONCE, HOLDS_UNASKED };

static const struct row {
	const char *name;
	const char *head;  /* sent first, */
	const char *again; /* then this, */
	int times;         /* so often, */
	int pause_ms;      /* this far apart, */
	enum manner end;   /* and then this */
	enum answer_protocol protocol;
	enum answer_kind kind;
	int status;
	bool cbor;
	size_t body_len;
} rows[] = {
	/* What a service should say. */
	{ .name = "cbor", .head = CBOR "\r\n\xa0\x01", .end = CLOSES, .status = 200, .cbor = true, .body_len = 2 },
	{ .name = "held open after a whole answer", .head = CBOR "\r\nab", .end = HOLDS, .status = 200, .cbor = true, .body_len = 2 },
	{ .name = "chunked", .head = CHUNKED "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", .end = HOLDS, .status = 200, .body_len = 5 },
	{ .name = "until close", .head = OK "\r\nhello", .end = CLOSES, .status = 200, .body_len = 5 },
	{ .name = "HTTP/1.0", .head = "HTTP/1.0 503 no\r\n\r\n", .end = CLOSES, .status = 503 },
	{ .name = "204", .head = "HTTP/1.1 204 none\r\n\r\n", .end = HOLDS, .status = 204 },
	{ .name = "interim, then final", .head = "HTTP/1.1 103 hint\r\nContent-Type: application/cbor\r\n\r\n" OK "Content-Length: 1\r\n\r\nx",
		.end = HOLDS, .status = 200, .body_len = 1 },
	{ .name = "trailer", .head = CHUNKED "1\r\nx\r\n0\r\nContent-Type: application/cbor\r\n\r\n", .end = HOLDS, .status = 200, .body_len = 1 },
	{ .name = "1-byte chunks to the limit", .head = CHUNKED, .again = "1\r\nx\r\n", .times = 4096, .end = CLOSES, .kind = ANSWER_NOT_HTTP },
	{ .name = "4096 bytes", .head = OK "Content-Length: 4096\r\n\r\n", .again = X64, .times = 64, .end = HOLDS, .status = 200, .body_len = 4096 },
	{ .name = "4096 bytes until close", .head = OK "\r\n", .again = X64, .times = 64, .end = CLOSES, .status = 200, .body_len = 4096 },
	/* Over a limit. */
	{ .name = "4097 bytes", .head = OK "Content-Length: 4097\r\n\r\ny", .again = X64, .times = 64, .end = HOLDS, .kind = ANSWER_TOO_LARGE },
	{ .name = "4097 bytes until close", .head = OK "\r\ny", .again = X64, .times = 64, .end = CLOSES, .kind = ANSWER_TOO_LARGE },
	{ .name = "huge length", .head = OK "Content-Length: 9223372036854775807\r\n\r\nx", .end = HOLDS, .kind = ANSWER_TOO_LARGE },
	{ .name = "endless body", .head = OK "\r\n", .again = X1024, .times = FOREVER, .kind = ANSWER_TOO_LARGE },
	{ .name = "endless chunks", .head = CHUNKED, .again = "40\r\n" X64 "\r\n", .times = FOREVER, .kind = ANSWER_TOO_LARGE },
	{ .name = "endless headers", .head = OK, .again = "X: " X64 "\r\n", .times = FOREVER, .kind = ANSWER_TOO_LARGE },
	{ .name = "endless header", .head = OK "X: ", .again = X1024, .times = FOREVER, .kind = ANSWER_TOO_LARGE },
	{ .name = "endless folding", .head = OK "X: y\r\n", .again = " " X64 "\r\n", .times = FOREVER, .kind = ANSWER_TOO_LARGE },
	{ .name = "endless interim", .head = "", .again = "HTTP/1.1 100 go on\r\n\r\n", .times = FOREVER, .kind = ANSWER_TOO_LARGE },
	{ .name = "endless hints", .head = "", .again = "HTTP/1.1 103 hint\r\nX: y\r\n\r\n", .times = FOREVER, .kind = ANSWER_TOO_LARGE },
	{ .name = "endless trailers", .head = CHUNKED "0\r\n", .again = "X: " X64 "\r\n", .times = FOREVER, .kind = ANSWER_TOO_LARGE },
	{ .name = "endless chunk extension", .head = CHUNKED "1;", .again = X1024, .times = FOREVER, .kind = ANSWER_TOO_LARGE },
	/* Too slow. */
	{ .name = "silence", .end = HOLDS, .kind = ANSWER_TIMEOUT },
	{ .name = "a byte now and then", .head = OK "Content-Length: 99\r\n\r\n", .again = "x", .times = FOREVER, .pause_ms = 50, .kind = ANSWER_TIMEOUT },
	{ .name = "a header byte now and then", .head = "H", .again = "T", .times = FOREVER, .pause_ms = 1000, .kind = ANSWER_TIMEOUT },
	{ .name = "length lies long", .head = OK "Content-Length: 9\r\n\r\nfour", .end = HOLDS, .kind = ANSWER_TIMEOUT },
	/* Nobody there. */
	{ .name = "refused", .end = REFUSES, .kind = ANSWER_UNREACHABLE },
	{ .name = "closed at once", .end = CLOSES_AT_ONCE, .kind = ANSWER_CLOSED },
	{ .name = "reset at once", .end = RESETS_AT_ONCE, .kind = ANSWER_CLOSED },
	{ .name = "closed when asked", .end = CLOSES, .kind = ANSWER_CLOSED },
	{ .name = "reset when asked", .end = RESETS, .kind = ANSWER_CLOSED },
	/* No HTTP, or not all of it. */
	{ .name = "HTTP/0.9", .head = "<html>hello</html>", .end = CLOSES, .kind = ANSWER_NOT_HTTP },
	{ .name = "SSH", .head = "SSH-2.0-OpenSSH_9.2\r\n", .end = HOLDS, .kind = ANSWER_NOT_HTTP },
	{ .name = "status without number", .head = "HTTP/1.1 abc\r\n\r\n", .end = CLOSES, .kind = ANSWER_NOT_HTTP },
	{ .name = "status 99999", .head = "HTTP/1.1 99999 no\r\n\r\n", .end = CLOSES, .kind = ANSWER_NOT_HTTP },
	{ .name = "status 999", .head = "HTTP/1.1 999 no\r\n\r\n", .end = CLOSES, .kind = ANSWER_NOT_HTTP },
	{ .name = "status 000", .head = "HTTP/1.1 000 no\r\n\r\n", .end = CLOSES, .kind = ANSWER_NOT_HTTP },
	{ .name = "HTTP/2", .head = "HTTP/2 200\r\n\r\n", .end = CLOSES, .kind = ANSWER_NOT_HTTP },
	{ .name = "HTTP/3.7", .head = "HTTP/3.7 200 OK\r\n\r\n", .end = CLOSES, .kind = ANSWER_NOT_HTTP },
	{ .name = "shoutcast", .head = "ICY 200 OK\r\n\r\n", .end = CLOSES, .kind = ANSWER_NOT_HTTP },
	{ .name = "half a status line", .head = "HTTP/1.", .end = CLOSES, .kind = ANSWER_NOT_HTTP },
	{ .name = "half the headers", .head = OK "Content-Le", .end = CLOSES, .kind = ANSWER_NOT_HTTP },
	{ .name = "no empty line", .head = OK "A: b\r\n", .end = CLOSES, .kind = ANSWER_NOT_HTTP },
	{ .name = "interim, then closed", .head = "HTTP/1.1 100 go on\r\n\r\n", .end = CLOSES, .kind = ANSWER_NOT_HTTP },
	{ .name = "half a body, closed", .head = OK "Content-Length: 9\r\n\r\nfour", .end = CLOSES, .kind = ANSWER_NOT_HTTP },
	{ .name = "half a body, reset", .head = OK "Content-Length: 9\r\n\r\nfour", .end = RESETS, .kind = ANSWER_NOT_HTTP },
	{ .name = "half the chunks", .head = CHUNKED "9\r\nfour", .end = CLOSES, .kind = ANSWER_NOT_HTTP },
	{ .name = "no chunk length", .head = CHUNKED "zz\r\n", .end = CLOSES, .kind = ANSWER_NOT_HTTP },
	{ .name = "negative length", .head = OK "Content-Length: -5\r\n\r\nx", .end = CLOSES, .kind = ANSWER_NOT_HTTP },
	/* Odd, and whole. */
	{ .name = "length lies short", .head = OK "Content-Length: 2\r\n\r\nabcdef", .end = CLOSES, .status = 200, .body_len = 2 },
	{ .name = "redirect to a file", .head = "HTTP/1.1 302 go\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n", .end = HOLDS, .status = 302 },
	{ .name = "gzip stays gzip", .head = OK "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x01", .end = HOLDS, .status = 200, .body_len = 4 },
	{ .name = "cookies and HSTS", .head = CBOR "Set-Cookie: a=b\r\nStrict-Transport-Security: max-age=9\r\n\r\nab", .end = HOLDS, .status = 200, .cbor = true, .body_len = 2 },
	{ .name = "two types that differ", .head = CBOR "Content-Type: text/html\r\n\r\nab", .end = HOLDS, .status = 200, .body_len = 2 },
	{ .name = "two types alike", .head = CBOR "content-type:application/cbor\r\n\r\nab", .end = HOLDS, .status = 200, .cbor = true, .body_len = 2 },
	{ .name = "parameters and capitals", .head = OK "CONTENT-TYPE: \tApplication/CBOR ; a=b\r\nContent-Length: 0\r\n\r\n", .end = HOLDS, .status = 200, .cbor = true },
	{ .name = "nearly the type", .head = OK "Content-Type: application/cbor-seq\r\nContent-Length: 0\r\n\r\n", .end = HOLDS, .status = 200 },
	{ .name = "the type in another header", .head = OK "X: a\rContent-Type: application/cbor\r\nContent-Length: 0\r\n\r\n", .end = HOLDS, .status = 200 },
	/* TCP. */
	{ .name = "tcp greeting", .protocol = ANSWER_TCP, .head = "220 hello\r\n", .end = HOLDS_UNASKED },
	{ .name = "tcp silent", .protocol = ANSWER_TCP, .end = HOLDS_UNASKED },
	{ .name = "tcp refused", .protocol = ANSWER_TCP, .end = REFUSES, .kind = ANSWER_UNREACHABLE },
	{ .name = "tcp closed", .protocol = ANSWER_TCP, .end = CLOSES_AT_ONCE, .kind = ANSWER_CLOSED },
	{ .name = "tcp reset", .protocol = ANSWER_TCP, .end = RESETS_AT_ONCE, .kind = ANSWER_CLOSED },
	{ .name = "tcp flood", .protocol = ANSWER_TCP, .head = "", .again = X1024, .times = FOREVER, .end = HOLDS_UNASKED },
};

/* One service: a socket, a thread that plays a row on `connections` connections, and what came of the question. */
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
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger) { 1, 0 },
			sizeof(struct linger));
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

	*s = (struct service) { .row = row, .connections = connections };
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

/* The test's side: a loop and a prober, and what a `done` does besides noting. */
struct asker {
	sd_event *event;
	struct prober *prober;
	int waiting;
	struct question_slot *to_cancel;
	bool destroy_when_done;
};

static void asker_new(struct asker *a)
{
	*a = (struct asker) { 0 };
	assert_int_equal(sd_event_new(&a->event), 0);
	assert_int_equal(http_prober_new(a->event, &a->prober), 0);
}

static void asker_free(struct asker *a)
{
	if (a->prober)
		a->prober->vtable->destroy(a->prober);
	sd_event_unref(a->event);
}

static void on_answer(void *userdata, const struct answer *answer, usec_t now)
{
	struct service *s = userdata;

	s->done++;
	s->answered = now;
	s->answer = *answer;
	s->asker->waiting--;
	if (s->asker->to_cancel) {
		s->asker->prober->vtable->cancel(s->asker->prober, s->asker->to_cancel);
		s->asker->to_cancel = NULL;
	}
	if (s->asker->destroy_when_done) {
		s->asker->prober->vtable->destroy(s->asker->prober);
		s->asker->prober = NULL;
	}
}

static struct question_slot *ask(struct asker *a, struct service *s, int *ret_error)
{
	struct question q = {
		.address = "127.0.0.1",
		.port = s->port,
		.protocol = s->row->protocol,
		.path = "/healthz",
		.nonce = NONCE,
		.timeout = TIMEOUT,
	};
	struct question_slot *slot;
	int done = s->done, error = 0;

	s->asker = a;
	s->asked = now_boottime();
	slot = a->prober->vtable->ask(a->prober, &q, on_answer, s, &error);
	assert_int_equal(s->done, done);
	if (ret_error)
		*ret_error = error;
	else
		assert_non_null(slot);
	a->waiting += slot != NULL;
	return slot;
}

static void run_until_answered(struct asker *a)
{
	usec_t start = now_boottime();

	while (a->waiting > 0) {
		assert_true(sd_event_run(a->event, TIMEOUT + GRACE) >= 0);
		assert_true(now_boottime() - start < 20 * USEC_PER_SEC);
	}
	/* Whatever were to come twice would come now. */
	for (int i = 0; i < 3; i++)
		assert_true(sd_event_run(a->event, 0) >= 0);
}

static bool row_holds(const struct service *s)
{
	const struct row *row = s->row;
	const struct answer *a = &s->answer;
	bool whole_http = row->kind == ANSWER_WHOLE && row->protocol == ANSWER_HTTP;

	if (s->done == 1 && a->protocol == row->protocol && a->kind == row->kind &&
		a->status == row->status && a->says_cbor == row->cbor &&
		a->body_len == row->body_len && s->answered <= s->asked + TIMEOUT + GRACE &&
		a->latency <= s->answered - s->asked && (whole_http || a->detail[0]))
		return true;
	print_error("%s: done %d, %s (%s), status %d, cbor %d, %zu bytes, %d ms\n", row->name, s->done,
		answer_kind_to_string(a->kind), a->detail, a->status, a->says_cbor, a->body_len,
		(int)((s->answered - s->asked) / USEC_PER_MSEC));
	return false;
}

static long max_rss_kib(void)
{
	struct rusage r;

	assert_int_equal(getrusage(RUSAGE_SELF, &r), 0);
	return r.ru_maxrss;
}

static void test_hostile(void **state)
{
	static struct service services[ARRAY_SIZE(rows)];
	struct asker a;
	unsigned failed = 0;
	long rss;

	(void)state;
	asker_new(&a);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		service_start(&services[i], &rows[i], 1);
	rss = max_rss_kib();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		(void)ask(&a, &services[i], NULL);
	run_until_answered(&a);
	rss = max_rss_kib() - rss;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		failed += !row_holds(&services[i]);
		service_stop(&services[i]);
	}
	asker_free(&a);
	assert_int_equal(failed, 0);
	/* About 25 KiB a question in flight, and the stacks of the threads. */
	if (rss > 8192)
		fail_msg("%ld KiB for %zu questions", rss, ARRAY_SIZE(rows));
}

static const struct row plain = { .name = "plain", .head = CBOR "\r\n\xa0\x01", .end = CLOSES, .status = 200, .cbor = true, .body_len = 2 };
static const struct row silent = { .name = "silent", .end = HOLDS, .kind = ANSWER_TIMEOUT };
static const struct row silent_tcp = { .name = "silent tcp", .protocol = ANSWER_TCP, .end = HOLDS_UNASKED };

static void test_question(void **state)
{
	char expected[512];
	struct service s;
	struct asker a;

	(void)state;
	asker_new(&a);
	service_start(&s, &plain, 1);
	(void)ask(&a, &s, NULL);
	run_until_answered(&a);
	service_stop(&s);
	asker_free(&a);
	assert_true(row_holds(&s));
	(void)snprintf(expected, sizeof(expected),
		"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUser-Agent: mediakitd/" MEDIAKIT_VERSION
		"\r\nMediaKit-Nonce: " NONCE "\r\nAccept: application/cbor, */*;q=0.1\r\n\r\n",
		s.port);
	assert_string_equal(s.question, expected);
}

static void test_refused_questions(void **state)
{
	static char long_path[HTTP_PATH_MAX + 2];
	const struct question good = { "127.0.0.1", 9, ANSWER_HTTP, "/healthz", NONCE, TIMEOUT };
	struct question bad[16];
	size_t n = 0;
	struct asker a;

	(void)state;
	memset(long_path, '/', sizeof(long_path) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		bad[i] = good;
	bad[n++].address = NULL;
	bad[n++].address = "localhost";
	bad[n++].address = "127.1";
	bad[n++].address = "::1";
	bad[n++].address = "127.0.0.1@example.com";
	bad[n++].port = 0;
	bad[n++].protocol = ANSWER_UNIT;
	bad[n++].path = NULL;
	bad[n++].path = "healthz";
	bad[n++].path = "/a b";
	bad[n++].path = "/a\r\nX: y";
	bad[n++].path = long_path;
	bad[n++].nonce = "0123456789ABCDEF";
	bad[n++].nonce = NONCE "0";
	bad[n++].nonce = "\r\n";
	bad[n++].timeout = 0;
	assert_int_equal(n, ARRAY_SIZE(bad));
	asker_new(&a);
	for (size_t i = 0; i < n; i++) {
		int error = 0;

		assert_null(a.prober->vtable->ask(a.prober, &bad[i], on_answer, NULL, &error));
		assert_int_equal(error, -EINVAL);
	}
	asker_free(&a);
}

/* The done of one question cancels the other, whichever transport it uses and although both may be due. */
static void test_cancel(void **state)
{
	static const struct row *const others[] = { &plain, &silent, &silent_tcp };
	struct service s, other;
	struct asker a;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		asker_new(&a);
		service_start(&s, &plain, 1);
		service_start(&other, others[i], 1);
		a.to_cancel = ask(&a, &other, NULL);
		(void)ask(&a, &s, NULL);
		/* Where the other comes first it cancels itself, which is to do nothing. */
		a.waiting = 1;
		while (s.done == 0)
			assert_true(sd_event_run(a.event, TIMEOUT) >= 0);
		a.waiting = 0;
		run_until_answered(&a);
		assert_int_equal(s.done, 1);
		assert_true(other.done == 0 || others[i] == &plain);
		/* Cancelled at once, before the loop turned: the service is owed a connection. */
		service_start(&s, &plain, 1);
		a.prober->vtable->cancel(a.prober, ask(&a, &s, NULL));
		assert_int_equal(s.done, 0);
		a.waiting = 0;
		(void)ask(&a, &s, NULL);
		run_until_answered(&a);
		assert_int_equal(s.done, 1);
		asker_free(&a);
	}
}

static void test_destroy(void **state)
{
	struct service s, other, tcp;
	struct asker a;

	(void)state;
	for (int inside = 0; inside < 2; inside++) {
		asker_new(&a);
		service_start(&s, &plain, 1);
		service_start(&other, &silent, 1);
		service_start(&tcp, &silent_tcp, 1);
		(void)ask(&a, &other, NULL);
		(void)ask(&a, &tcp, NULL);
		(void)ask(&a, &s, NULL);
		a.destroy_when_done = inside;
		while (s.done == 0)
			assert_true(sd_event_run(a.event, TIMEOUT) >= 0);
		asker_free(&a);
		assert_int_equal(s.done, 1);
		assert_int_equal(other.done + tcp.done, 0);
		service_stop(&s);
		service_stop(&other);
		service_stop(&tcp);
	}
}

static void test_limits(void **state)
{
	static struct service s[PROBER_QUESTIONS_MAX + 1], tcp;
	static const struct row unasked = { .end = REFUSES, .kind = ANSWER_LOCAL_ERROR };
	static const struct row unasked_tcp = { .end = REFUSES, .protocol = ANSWER_TCP, .kind = ANSWER_LOCAL_ERROR };
	struct rlimit old, none = { 0, 0 };
	struct asker a;
	int error;

	(void)state;
	asker_new(&a);
	for (size_t i = 0; i < ARRAY_SIZE(s); i++) {
		s[i] = (struct service) { .row = &unasked, .port = 9 };
		assert_true(!!ask(&a, &s[i], &error) == (i < PROBER_QUESTIONS_MAX));
	}
	assert_int_equal(error, -ENOBUFS);
	a.prober->vtable->destroy(a.prober);
	assert_int_equal(http_prober_new(a.event, &a.prober), 0);
	a.waiting = 0;

	/* Out of descriptors is our fault, not the guest's. */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none.rlim_max = old.rlim_max;
	tcp = (struct service) { .row = &unasked_tcp, .port = 9 };
	(void)ask(&a, &s[0], NULL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	(void)ask(&a, &tcp, NULL);
	run_until_answered(&a);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_true(row_holds(&s[0]));
	assert_true(row_holds(&tcp));
	asker_free(&a);
}

static int open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n;
}

static void test_flat(void **state)
{
	enum { WAVES = 250, WARM = 20, WIDTH = 8 };
	static struct service s[WIDTH];
	size_t warm = 0, end;
	int files = open_files();
	struct asker a;

	(void)state;
	asker_new(&a);
	for (int i = 0; i < WIDTH; i++)
		service_start(&s[i], &plain, WAVES);
	for (int wave = 0; wave < WAVES; wave++) {
		if (wave == WARM)
			warm = mallinfo2().uordblks;
		for (int i = 0; i < WIDTH; i++)
			(void)ask(&a, &s[i], NULL);
		run_until_answered(&a);
	}
	end = mallinfo2().uordblks;
	for (int i = 0; i < WIDTH; i++) {
		assert_int_equal(s[i].done, WAVES);
		assert_int_equal(s[i].answer.status, 200);
		service_stop(&s[i]);
	}
	asker_free(&a);
	assert_int_equal(open_files(), files);
	if (end > warm + 16384)
		fail_msg("%zu bytes in use after %d waves, %zu after %d", warm, WARM, end, WAVES);
}

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < ANSWER_KIND_NUM; i++)
		assert_int_equal(answer_kind_from_string(answer_kind_to_string(i)), i);
	assert_int_equal(answer_kind_from_string("wholesome"), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_question),
		cmocka_unit_test(test_refused_questions),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_destroy),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_flat),
		cmocka_unit_test(test_names),
	};

	/* A proxy in the environment must not be asked. */
	(void)setenv("http_proxy", "http://127.0.0.1:1/", 1);
	(void)setenv("all_proxy", "http://127.0.0.1:1/", 1);
	return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
