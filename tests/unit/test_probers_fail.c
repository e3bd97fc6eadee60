/* SPDX-License-Identifier: Apache-2.0 */
/* The prober when an allocation or a call into the kernel fails, each in turn: a question is
 * refused or has exactly one answer, which blames this host and not the guest; nothing is lost, and
 * the next question is answered as if nothing had been. */
/* LINK: base model/answer io/http io/http_exchange io/http_multi io/http_take io/tcp */
/* LIBS: libcurl libsystemd */
#include "alloc_fail.h"
#include "kind_fail.h"
#include "open_files.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macro.h"
#include "io/http.h"
#include "io/tcp.h"

#define TIMEOUT (400 * USEC_PER_MSEC)

enum call {
	CALL_SOCKET,
	CALL_CONNECT,
	CALL_GETSOCKOPT,
	CALL_RECV,
	CALL_EPOLL,
	CALL_EPOLL_NEW,
	CALL_NUM
};

CALL(CALL_SOCKET, int, socket, (int domain, int type, int protocol), SYS_socket, domain, type,
	protocol)
CALL(CALL_CONNECT, int, connect, (int fd, __CONST_SOCKADDR_ARG to, socklen_t len), SYS_connect, fd,
	to.__sockaddr__, len)
CALL(CALL_GETSOCKOPT, int, getsockopt, (int fd, int level, int name, void *value, socklen_t *len),
	SYS_getsockopt, fd, level, name, value, len)
CALL(CALL_RECV, ssize_t, recv, (int fd, void *buf, size_t len, int flags), SYS_recvfrom, fd, buf,
	len, flags, NULL, NULL)
CALL(CALL_EPOLL, int, epoll_ctl, (int epoll, int op, int fd, struct epoll_event *e), SYS_epoll_ctl,
	epoll, op, fd, e)
CALL(CALL_EPOLL_NEW, int, epoll_create1, (int flags), SYS_epoll_create1, flags)

/* The services, in a process of their own: their memory is not counted. ---- */

static const char page[] = "HTTP/1.1 200 OK\r\nContent-Type: application/cbor\r\n"
			   "Content-Length: 2\r\nConnection: close\r\n\r\n\xa0\x01";
static uint16_t ports[2]; /* one that answers questions, one that greets */
static pid_t server;

static int listen_on(uint16_t *ret_port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*ret_port = ntohs(a.sin_port);
	return fd;
}

static void serve_one(int listener, bool http)
{
	int fd = accept(listener, NULL, NULL);
	char question[4096];

	if (fd < 0)
		return;
	if (!http)
		(void)send(fd, "220 hello\r\n", 11, MSG_NOSIGNAL);
	else if (read(fd, question, sizeof(question)) > 0)
		(void)send(fd, page, sizeof(page) - 1, MSG_NOSIGNAL);
	/* The other end hangs up first, or it might find a reset in place of the words. */
	(void)shutdown(fd, SHUT_WR);
	while (read(fd, question, sizeof(question)) > 0)
		;
	(void)close(fd);
}

static int services_start(void **state)
{
	struct pollfd doors[2] = { { .events = POLLIN }, { .events = POLLIN } };

	(void)state;
	for (int i = 0; i < 2; i++)
		doors[i].fd = listen_on(&ports[i]);
	server = fork();
	if (server == 0)
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (server == 0 && poll(doors, 2, -1) > 0)
		for (int i = 0; i < 2; i++)
			if (doors[i].revents)
				serve_one(doors[i].fd, i == 0);
	for (int i = 0; i < 2; i++)
		(void)close(doors[i].fd);
	return server < 0 ? -1 : 0;
}

static int services_stop(void **state)
{
	(void)state;
	(void)kill(server, SIGKILL);
	(void)waitpid(server, NULL, 0);
	return 0;
}

/* One question ---- */

struct asking {
	enum answer_protocol protocol;
	sd_event *event;
	struct prober *prober;
	struct question_slot *slot;
	unsigned n; /* answers */
	struct answer answer;
};

static void on_answer(void *userdata, const struct answer *answer, usec_t now)
{
	struct asking *a = userdata;

	(void)now;
	a->n++;
	a->answer = *answer;
}

static int ask(struct asking *a)
{
	const struct question q = { .address = "127.0.0.1",
		.port = ports[a->protocol == ANSWER_TCP],
		.protocol = a->protocol,
		.path = "/healthz",
		.nonce = "0123456789abcdef",
		.timeout = TIMEOUT };
	int error = 0;

	a->n = 0;
	a->slot = a->prober->vtable->ask(a->prober, &q, on_answer, a, &error);
	return a->slot ? 0 : error;
}

/* A loop that runs into the shortage itself goes on when it is over. */
static void run_until_answered(struct asking *a)
{
	usec_t start = now_boottime();

	while (a->n == 0) {
		if (sd_event_run(a->event, TIMEOUT) < 0) {
			alloc.budget = -1;
			(void)calls_disarm();
		}
		assert_true(now_boottime() - start < 10 * USEC_PER_SEC);
	}
}

static void ask_well(struct asking *a)
{
	assert_int_equal(ask(a), 0);
	run_until_answered(a);
	assert_int_equal(a->n, 1);
	assert_int_equal(a->answer.kind, ANSWER_WHOLE);
	assert_int_equal(a->answer.status, a->protocol == ANSWER_HTTP ? 200 : 0);
}

/* The prober's whole life, short of something in the middle. */
static bool live_through(struct asking *a)
{
	int r = http_prober_new(a->event, &a->prober);

	if (r < 0) {
		a->prober = NULL;
		return false;
	}
	r = ask(a);
	if (r == 0)
		run_until_answered(a);
	return r == 0;
}

static void judge(struct asking *a, bool lived, bool failed)
{
	assert_true(lived || failed);
	if (lived) {
		assert_int_equal(a->n, 1);
		/* Where it came all the same it is right; else it is nobody's fault but ours. */
		if (a->answer.kind != ANSWER_WHOLE &&
			!(failed && (a->answer.kind == ANSWER_LOCAL_ERROR ||
					    a->answer.kind == ANSWER_TIMEOUT)))
			fail_msg(
				"%s (%s)", answer_kind_to_string(a->answer.kind), a->answer.detail);
	}
	if (a->prober) {
		ask_well(a);
		a->prober->vtable->destroy(a->prober);
		a->prober = NULL;
	}
}

static void attempt_alloc(void *userdata)
{
	struct asking *a = userdata;

	assert_int_equal(sd_event_new(&a->event), 0);
	alloc_arm();
	bool lived = live_through(a);
	bool failed = alloc_disarm();
	judge(a, lived, failed);
	sd_event_unref(a->event);
}

static void test_http_without_memory(void **state)
{
	(void)state;
	alloc_sweep(attempt_alloc, &(struct asking){ .protocol = ANSWER_HTTP }, 20);
}

static void test_tcp_without_memory(void **state)
{
	(void)state;
	alloc_sweep(attempt_alloc, &(struct asking){ .protocol = ANSWER_TCP }, 10);
}

/* How often the call was tried before it came through without a failure. */
static long sweep_calls(struct asking *a, enum call which, int error, bool blamed)
{
	bool failed = true;
	long n = 0;

	for (; failed; n++) {
		unsigned files = open_files();

		assert_int_equal(sd_event_new(&a->event), 0);
		calls_arm((int)which, n, error);
		bool lived = live_through(a);
		failed = calls_disarm();
		if (blamed && failed && lived)
			assert_int_equal(a->answer.kind, ANSWER_LOCAL_ERROR);
		judge(a, lived, failed);
		sd_event_unref(a->event);
		assert_int_equal(open_files(), files);
	}
	return n - 1;
}

static void test_calls(void **state)
{
	static const struct {
		enum answer_protocol protocol;
		enum call which;
		int error;
		bool blamed; /* there is no way round it */
	} rows[] = {
		{ ANSWER_HTTP, CALL_SOCKET, EMFILE, true },
		{ ANSWER_HTTP, CALL_CONNECT, EADDRNOTAVAIL, true },
		{ ANSWER_HTTP, CALL_EPOLL, ENOMEM, false },
		{ ANSWER_HTTP, CALL_EPOLL, EEXIST, false },
		{ ANSWER_HTTP, CALL_EPOLL, ENOENT, false },
		{ ANSWER_HTTP, CALL_EPOLL_NEW, EMFILE, false },
		{ ANSWER_TCP, CALL_SOCKET, ENFILE, true },
		{ ANSWER_TCP, CALL_CONNECT, EADDRNOTAVAIL, true },
		{ ANSWER_TCP, CALL_GETSOCKOPT, ENOBUFS, true },
		{ ANSWER_TCP, CALL_RECV, ENOMEM, true },
		{ ANSWER_TCP, CALL_RECV, EINTR, false },
		{ ANSWER_TCP, CALL_EPOLL, ENOMEM, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct asking a = { .protocol = rows[i].protocol };

		assert_true(sweep_calls(&a, rows[i].which, rows[i].error, rows[i].blamed) > 0);
	}
}

/* What a failure to connect says of the guest, and what it does not. */
static void test_blame(void **state)
{
	static const struct {
		int error;
		enum answer_kind kind;
	} rows[] = {
		{ ECONNREFUSED, ANSWER_UNREACHABLE },
		{ ENETUNREACH, ANSWER_UNREACHABLE },
		{ EHOSTDOWN, ANSWER_UNREACHABLE },
		{ ECONNRESET, ANSWER_CLOSED },
		{ EPIPE, ANSWER_CLOSED },
		{ ETIMEDOUT, ANSWER_TIMEOUT },
		{ EMFILE, ANSWER_LOCAL_ERROR },
		{ ENFILE, ANSWER_LOCAL_ERROR },
		{ EADDRNOTAVAIL, ANSWER_LOCAL_ERROR },
		{ EACCES, ANSWER_LOCAL_ERROR },
		{ EPERM, ANSWER_LOCAL_ERROR },
		{ ENOBUFS, ANSWER_LOCAL_ERROR },
		{ 0, ANSWER_LOCAL_ERROR },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *text = NULL;

		assert_int_equal(tcp_errno_kind(rows[i].error, &text), rows[i].kind);
		assert_true(text && strlen(text) > 5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blame),
		cmocka_unit_test(test_http_without_memory),
		cmocka_unit_test(test_tcp_without_memory),
		cmocka_unit_test(test_calls),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("probers", tests, services_start, services_stop);
}
