/* SPDX-License-Identifier: Apache-2.0 */
/* The runner of programs when the kernel refuses it something, each call in turn: the error is
 * told, the program is dead and reaped, no descriptor stays, and the next run goes well. */
/* LINK: base/file base/time model/utf8 io/program */
#include "kind_fail.h"
#include "open_files.h"

#include <poll.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/macro.h"
#include "io/program.h"

enum call { CALL_PIPE, CALL_SOCKETPAIR, CALL_FORK, CALL_PIDFD, CALL_POLL, CALL_READ, CALL_SEND };

static bool ends_first; /* the program, before it is looked at */

CALL(CALL_PIPE, int, pipe2, (int fds[2], int flags), SYS_pipe2, fds, flags)
CALL(CALL_SOCKETPAIR, int, socketpair, (int domain, int type, int protocol, int fds[2]),
	SYS_socketpair, domain, type, protocol, fds)
CALL(CALL_PIDFD, int, pidfd_open, (pid_t pid, unsigned flags), SYS_pidfd_open, pid, flags)
CALL(CALL_READ, ssize_t, read, (int fd, void *buf, size_t len), SYS_read, fd, buf, len)
CALL(CALL_SEND, ssize_t, send, (int fd, const void *buf, size_t len, int flags), SYS_sendto, fd,
	buf, len, flags, NULL, 0)

pid_t fork(void)
{
	return may(CALL_FORK) ? _Fork() : -1;
}

int poll(struct pollfd *p, nfds_t n, int timeout)
{
	const struct timespec wait = { timeout / 1000, timeout % 1000 * 1000000L };
	siginfo_t info;

	if (!may(CALL_POLL))
		return -1;
	if (ends_first)
		assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
	return (int)syscall(SYS_ppoll, p, n, &wait, NULL, 0);
}

/* A program that must be ended, because it does not end by itself. */
#define STAYS "echo out; echo err >&2; exec sleep 60"
#define ENDS  "cat >/dev/null; echo out; echo err >&2"

static ssize_t give(void *userdata, void *buf, size_t size)
{
	bool *given = userdata;
	size_t n = *given ? 0 : MIN(size, (size_t)100);

	memset(buf, 'x', n);
	*given = true;
	return (ssize_t)n;
}

static int run(const char *const *argv, bool fed, struct program_result *ret)
{
	bool given = false;
	const struct program program = {
		.argv = argv,
		.timeout = 30 * USEC_PER_SEC,
		.output_max = 64,
		.feed = fed ? give : NULL,
		.userdata = &given,
	};

	return program_run(&program, ret);
}

static void assert_ran(int r, struct program_result *result)
{
	assert_int_equal(r, 0);
	assert_int_equal(result->signal, 0);
	assert_int_equal(result->exit_status, 0);
	assert_string_equal(result->output, "out\n");
	assert_string_equal(result->error, "err");
	program_result_clear(result);
}

static void test_calls(void **state)
{
	static const struct {
		enum call which;
		int after; /* that many */
		int error;
		const char *script;
		bool fed, ends_first;
		int r;
	} rows[] = {
		{ CALL_PIPE, 0, ENFILE, ENDS, false, false, -ENFILE },
		{ CALL_PIPE, 2, EMFILE, ENDS, false, false, -EMFILE },
		{ CALL_SOCKETPAIR, 0, ENOBUFS, ENDS, true, false, -ENOBUFS },
		{ CALL_FORK, 0, EAGAIN, ENDS, true, false, -EAGAIN },
		{ CALL_FORK, 0, ENOMEM, ENDS, false, false, -ENOMEM },
		{ CALL_PIDFD, 0, EMFILE, STAYS, true, false, -EMFILE },
		{ CALL_POLL, 0, ENOMEM, STAYS, false, false, -ENOMEM },
		{ CALL_POLL, 0, EINTR, ENDS, true, false, 0 },
		/* Whether it was executed cannot be known, or can after all. */
		{ CALL_READ, 0, EIO, STAYS, false, false, -EIO },
		{ CALL_READ, 0, EINTR, ENDS, false, false, 0 },
		/* What it says, while it runs and after its end. */
		{ CALL_READ, 1, EIO, STAYS, false, false, -EIO },
		{ CALL_READ, 1, EIO, ENDS, false, true, -EIO },
		{ CALL_READ, 2, EIO, ENDS, false, true, -EIO },
		{ CALL_READ, 1, EINTR, ENDS, false, true, 0 },
		{ CALL_READ, 1, EAGAIN, ENDS, true, false, 0 },
		{ CALL_SEND, 0, ENOBUFS, STAYS, true, false, -ENOBUFS },
		{ CALL_SEND, 0, EAGAIN, ENDS, true, false, 0 },
		{ CALL_SEND, 0, EINTR, ENDS, true, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *const argv[] = { "sh", "-c", rows[i].script, NULL };
		struct program_result result = { .exit_status = 77 };
		unsigned files = open_files();

		calls_arm((int)rows[i].which, rows[i].after, rows[i].error);
		ends_first = rows[i].ends_first;
		int r = run(argv, rows[i].fed, &result);
		bool failed = calls_disarm();
		ends_first = false;
		if (!failed || r != rows[i].r)
			fail_msg("row %zu: %d, failed: %d", i, r, failed);
		if (r == 0)
			assert_ran(r, &result);
		/* Untouched, where there is none. */
		else if (result.exit_status != 77 || result.output)
			fail_msg("row %zu: a result", i);
		assert_int_equal(open_files(), files);
		/* Dead, and reaped. */
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
		assert_int_equal(errno, ECHILD);
		assert_ran(run((const char *const[]){ "sh", "-c", ENDS, NULL }, true, &result),
			&result);
	}
}

/* A signal that comes before the program could say so hides nothing of why it was not executed. */
static void test_not_executed(void **state)
{
	struct program_result result = { 0 };

	(void)state;
	calls_arm(CALL_READ, 0, EINTR);
	int r = run((const char *const[]){ "/nonexistent/program", NULL }, false, &result);
	assert_true(calls_disarm());
	assert_int_equal(r, -ENOENT);
	assert_null(result.output);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_not_executed),
	};

	alarm(120); /* a child that was not ended would be waited for */
	return cmocka_run_group_tests_name("program", tests, NULL, NULL);
}
