/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's bytes on their way to a person: escaped where they meet a terminal at which nobody
 * types, as they are elsewhere; and the person's keys. The session is the test's. */
/* LINK: base model/utf8 cli/console cli/term */
/* LIBS: libsystemd */
#include "base/macro.h"
#include "cli/asking.h"
#include "cli/session.h"
#include "cli/verb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What the kernel refuses; these are found before libc's. */
static struct {
	int error;     /* errno of what fails */
	bool get, set; /* the terminal's settings */
	bool keys;     /* reading from it */
	bool line;     /* sending to the line */
	bool wait;     /* waiting, each time */
	bool screen;   /* writing to stdout, once, after `written` times */
	int written;
	int signal;    /* comes in the first wait */
	int line_ends; /* the other end, closed in the wait after that */
	unsigned waits;
} kernel;

static bool may(bool *fails)
{
	if (!*fails)
		return true;
	errno = kernel.error;
	return false;
}

ssize_t read(int fd, void *buf, size_t len)
{
	return fd == STDIN_FILENO && !may(&kernel.keys) ? -1
							: (ssize_t)syscall(SYS_read, fd, buf, len);
}

ssize_t write(int fd, const void *buf, size_t len)
{
	if (fd == STDOUT_FILENO && kernel.screen && kernel.written-- <= 0) {
		kernel.screen = false;
		errno = kernel.error;
		return -1;
	}
	return (ssize_t)syscall(SYS_write, fd, buf, len);
}

ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	return may(&kernel.line) ? (ssize_t)syscall(SYS_sendto, fd, buf, len, flags, NULL, 0) : -1;
}

int tcgetattr(int fd, struct termios *ret)
{
	static int (*real)(int, struct termios *);

	real = real ?: (int (*)(int, struct termios *))dlsym(RTLD_NEXT, "tcgetattr");
	return may(&kernel.get) ? real(fd, ret) : -1;
}

int tcsetattr(int fd, int actions, const struct termios *t)
{
	static int (*real)(int, int, const struct termios *);

	real = real ?: (int (*)(int, int, const struct termios *))dlsym(RTLD_NEXT, "tcsetattr");
	return may(&kernel.set) ? real(fd, actions, t) : -1;
}

int ppoll(struct pollfd *p, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	if (kernel.waits++ == 0 && kernel.signal)
		(void)kill(getpid(), kernel.signal); /* blocked but in here */
	else if (kernel.line_ends)
		close(kernel.line_ends);
	return may(&kernel.wait) ? (int)syscall(SYS_ppoll, p, n, timeout, mask, NSIG / 8) : -1;
}

static struct {
	bool tail, stopped;
	const char *bytes;
	size_t len;
	int error, status;
	const char *message;
	int line;       /* what client_console_open() gives */
	unsigned asked; /* bytes of the past */
	unsigned closed;
} daemon_;

int session_open(struct session *s, int argc, char **argv, const struct args_rule *rule,
	enum client_door door)
{
	(void)argc, (void)argv, (void)rule;
	assert_int_equal(door, CLIENT_CONTROL);
	*s = (struct session){ .guest = "vm", .args.tail = daemon_.tail };
	return 0;
}

void session_close(struct session *s)
{
	(void)s;
}

struct view_guest *session_guest(const struct session *s)
{
	static struct view_guest g;

	snprintf(g.state, sizeof(g.state), "%s", daemon_.stopped ? "stopped" : "running");

	(void)s;
	return &g;
}

bool view_runs(const struct view_guest *g)
{
	return strcmp(g->state, "running") == 0;
}

void client_close(struct client *c)
{
	(void)c;
	daemon_.closed++;
}

static int answer(struct client_reply *reply)
{
	reply->status = daemon_.status;
	if (daemon_.message)
		snprintf(reply->message, sizeof(reply->message), "%s", daemon_.message);
	return daemon_.error;
}

int client_console_tail(struct client *c, const char *guest, char **ret, size_t *ret_len,
	struct client_reply *reply)
{
	(void)c;
	assert_string_equal(guest, "vm");
	if (answer(reply) < 0)
		return daemon_.error;
	*ret = malloc(daemon_.len + 1);
	assert_non_null(*ret);
	memcpy(*ret, daemon_.bytes, daemon_.len);
	*ret_len = daemon_.len;
	return 0;
}

int client_console_open(
	struct client *c, const char *guest, unsigned tail, int *ret_fd, struct client_reply *reply)
{
	(void)c, (void)guest;
	daemon_.asked = tail;
	if (answer(reply) < 0)
		return daemon_.error;
	*ret_fd = daemon_.line;
	return 0;
}

/* What went where stdout and stderr pointed. */
static char out[40000], err[1024];
static size_t out_len;

static size_t drain(int fd, char *to, size_t size)
{
	size_t len = 0;
	ssize_t n;

	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	while (len < size - 1 && (n = read(fd, to + len, size - 1 - len)) > 0)
		len += (size_t)n;
	to[len] = '\0';
	close(fd);
	return len;
}

struct place {
	int reads, writes;
};

static struct place a_pipe(void)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	(void)fcntl(fds[1], F_SETPIPE_SZ, 65536);
	return (struct place){ fds[0], fds[1] };
}

static struct place a_terminal(void)
{
	struct termios raw = { 0 };
	int master, slave;

	cfmakeraw(&raw);
	assert_int_equal(openpty(&master, &slave, NULL, &raw, NULL), 0);
	return (struct place){ master, slave };
}

/* The verb with these for 0, 1 and 2; `in` < 0: no input. */
static int run(int in, struct place to)
{
	const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int saved[3];
	struct place said = a_pipe();

	fflush(NULL);
	for (int i = 0; i < 3; i++)
		saved[i] = dup(i);
	dup2(in < 0 ? null : in, 0);
	dup2(to.writes, 1);
	dup2(said.writes, 2);
	int r = verb_console(0, NULL);
	fflush(NULL);
	for (int i = 0; i < 3; i++) {
		dup2(saved[i], i);
		close(saved[i]);
	}
	close(null);
	close(said.writes);
	(void)drain(said.reads, err, sizeof(err));
	out_len = drain(to.reads, out, sizeof(out));
	close(to.writes);
	return r;
}

static int setup(void **state)
{
	(void)state;
	memset(&daemon_, 0, sizeof(daemon_));
	memset(&kernel, 0, sizeof(kernel));
	return 0;
}

static const char nasty[] =
	"\033[1;32m[  OK  ]\033[0m up\r\n\033]0;owned\007\tx\n\033[2Jlast\033[31";

static void test_tail(void **state)
{
	(void)state;
	daemon_.tail = true;
	daemon_.bytes = nasty;
	daemon_.len = sizeof(nasty) - 1;
	assert_int_equal(run(-1, a_terminal()), CLI_OK);
	assert_string_equal(out, "[  OK  ] up\n\\x1b]0;owned\\x07 x\n\\x1b[2Jlast\\x1b[31");
	/* No terminal is harmed in a pipe. */
	assert_int_equal(run(-1, a_pipe()), CLI_OK);
	assert_int_equal(out_len, sizeof(nasty) - 1);
	assert_memory_equal(out, nasty, sizeof(nasty) - 1);
}

/* A line longer than any buffer, all of it to be escaped: four characters for each. */
static void test_long_line(void **state)
{
	static char line[5000];
	struct place to = a_terminal();

	(void)state;
	memset(line, '\033', sizeof(line));
	/* As much as a terminal holds that nobody reads. */
	daemon_.tail = true;
	daemon_.bytes = line;
	daemon_.len = 700;
	assert_int_equal(run(-1, to), CLI_OK);
	assert_int_equal(out_len, 2800);
	assert_memory_equal(out, "\\x1b\\x1b", 8);
	assert_null(strchr(out, '\033'));
	assert_null(strchr(out, '\n'));
}

static void test_refused(void **state)
{
	(void)state;
	for (int tail = 0; tail < 2; tail++) {
		setup(NULL);
		daemon_.tail = tail;
		daemon_.error = -EIO;
		daemon_.message = "no such thing";
		daemon_.status = CLI_NO_GUEST;
		assert_int_equal(run(-1, a_pipe()), CLI_NO_GUEST);
		assert_string_equal(err, "vm: console: no such thing\n");
		daemon_.message = NULL;
		daemon_.status = CLI_OK;
		assert_int_equal(run(-1, a_pipe()), CLI_FAILED);
		assert_string_equal(err, "vm: console: Input/output error\n");
	}
}

/* Followed, until the daemon ends it; a terminal at which nobody types is spared. */
static void test_follow(void **state)
{
	int pair[2];

	(void)state;
	for (int terminal = 0; terminal < 2; terminal++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		assert_int_equal(send(pair[1], nasty, sizeof(nasty) - 1, 0), sizeof(nasty) - 1);
		close(pair[1]);
		daemon_.line = pair[0];
		assert_int_equal(run(-1, terminal ? a_terminal() : a_pipe()), CLI_FAILED);
		assert_string_equal(err, "vm: the daemon ended the line\n");
		assert_int_equal(daemon_.asked, 65536);
		assert_int_equal(strchr(out, '\033') == NULL, terminal);
		if (!terminal)
			assert_int_equal(out_len, sizeof(nasty) - 1);
	}
	assert_int_equal(daemon_.closed, 2);
}

/* A person: keys go, up to the one that leaves; what comes is as on a serial line; the terminal is
 * as it was. */
static void test_person(void **state)
{
	struct place keys = a_terminal(), screen = a_terminal();
	struct termios before, after;
	char typed[16] = "";
	int pair[2];

	(void)state;
	assert_int_equal(tcgetattr(keys.writes, &before), 0);
	before.c_lflag |= ECHO;
	assert_int_equal(tcsetattr(keys.writes, TCSANOW, &before), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(send(pair[1], "\033[2Jlogin: ", 11, 0), 11);
	daemon_.line = pair[0];
	assert_int_equal(write(keys.reads, "root\n\x1drest", 10), 10);
	assert_int_equal(run(keys.writes, screen), CLI_OK);
	assert_string_equal(out, "\033[2Jlogin: ");
	assert_int_equal(daemon_.asked, 4096);
	assert_int_equal(recv(pair[1], typed, sizeof(typed), 0), 5);
	assert_memory_equal(typed, "root\n", 5);
	assert_int_equal(recv(pair[1], typed, sizeof(typed), 0), 0);
	assert_int_equal(tcgetattr(keys.writes, &after), 0);
	assert_int_equal(after.c_lflag, before.c_lflag);
	close(pair[1]);
	close(keys.reads);
	close(keys.writes);
}

/* Nobody reads any more, or nobody types: it ends, and says so. */
static void test_hung_up(void **state)
{
	static char long_line[9000];
	struct place to;
	int pair[2], nobody[2];

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	daemon_.tail = true;
	daemon_.bytes = long_line;
	daemon_.len = sizeof(long_line);
	for (int terminal = 0; terminal < 2; terminal++) {
		to = terminal ? a_terminal() : a_pipe();
		close(to.reads);
		assert_int_equal(pipe(nobody), 0);
		to.reads = nobody[0];
		assert_int_equal(run(-1, to), CLI_FAILED);
		close(nobody[1]);
	}
	daemon_.tail = false;
	daemon_.stopped = true;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	close(pair[1]);
	daemon_.line = pair[0];
	assert_int_equal(run(-1, a_pipe()), CLI_FAILED);
	assert_string_equal(err, "vm is stopped: the line is silent until it runs\n"
				 "vm: the daemon ended the line\n");
}

/* Output that is lost ends it, at whatever part of a line; what went before stands. Where it was
 * only a signal nothing is lost. */
static void test_screen_fails(void **state)
{
	static const struct {
		int written, error;
		const char *out;
	} rows[] = {
		{ 0, EIO, "" },
		{ 1, EIO, "a" },
		{ 2, ENOSPC, "a\n" },
		{ 3, EINTR, "a\nb\nc" },
		{ 0, EINTR, "a\nb\nc" },
	};
	int pair[2];

	(void)state;
	for (int tail = 0; tail < 2; tail++)
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			const bool lost = rows[i].error != EINTR;

			setup(NULL);
			daemon_.tail = tail;
			daemon_.bytes = "a\nb\nc";
			daemon_.len = 5;
			assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
			assert_int_equal(send(pair[1], "a\nb\nc", 5, 0), 5);
			close(pair[1]);
			daemon_.line = pair[0];
			kernel.screen = true;
			kernel.written = rows[i].written;
			kernel.error = rows[i].error;
			int r = run(-1, a_terminal());
			assert_string_equal(out, rows[i].out);
			/* Who follows and is not heard any more has left. */
			assert_int_equal(r, tail == lost ? CLI_FAILED : CLI_OK);
			assert_string_equal(
				err, tail || lost ? "" : "vm: the daemon ended the line\n");
			if (tail)
				close(pair[0]);
		}
}

/* A person at a line at which something fails: it ends with a reason, and the terminal is as it
 * was. */
static void test_person_fails(void **state)
{
	static const struct {
		bool get, set, keys, line, wait;
		int error;
		const char *err;
	} rows[] = {
		{ .get = true, .error = EIO, .err = "vm: Input/output error\n" },
		{ .set = true, .error = EIO, .err = "(Ctrl-] leaves)\nvm: Input/output error\n" },
		{ .keys = true,
			.error = EIO,
			.err = "(Ctrl-] leaves)\n\nvm: Input/output error\n" },
		{ .line = true,
			.error = EPIPE,
			.err = "(Ctrl-] leaves)\n\nvm: the daemon ended the line\n" },
		{ .line = true,
			.error = ENOBUFS,
			.err = "(Ctrl-] leaves)\n\nvm: No buffer space available\n" },
		{ .wait = true,
			.error = ENOMEM,
			.err = "(Ctrl-] leaves)\n\nvm: Cannot allocate memory\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct place keys = a_terminal(), screen = a_terminal();
		struct termios before, after;
		int pair[2];

		setup(NULL);
		assert_int_equal(tcgetattr(keys.writes, &before), 0);
		before.c_lflag |= ECHO;
		assert_int_equal(tcsetattr(keys.writes, TCSANOW, &before), 0);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		daemon_.line = pair[0];
		assert_int_equal(write(keys.reads, "root\n", 5), 5);
		kernel.get = rows[i].get;
		kernel.set = rows[i].set;
		kernel.keys = rows[i].keys;
		kernel.line = rows[i].line;
		kernel.wait = rows[i].wait;
		kernel.error = rows[i].error;
		int r = run(keys.writes, screen);
		setup(NULL);
		if (r != CLI_FAILED || strcmp(err, rows[i].err) != 0)
			fail_msg("row %zu: %d, '%s'", i, r, err);
		assert_int_equal(tcgetattr(keys.writes, &after), 0);
		assert_int_equal(after.c_lflag, before.c_lflag);
		close(pair[1]);
		close(keys.reads);
		close(keys.writes);
	}
}

/* A window that changes its size ends nothing; who is told to end does, and has only left. The
 * last of the tests, because that stays. */
static void test_signals(void **state)
{
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	daemon_.line = pair[0];
	kernel.signal = SIGWINCH;
	kernel.line_ends = pair[1];
	assert_int_equal(run(-1, a_pipe()), CLI_FAILED);
	assert_string_equal(err, "vm: the daemon ended the line\n");
	assert_int_equal(kernel.waits, 2);
	setup(NULL);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	daemon_.line = pair[0];
	kernel.signal = SIGTERM;
	assert_int_equal(run(-1, a_pipe()), CLI_OK);
	assert_string_equal(err, "");
	assert_int_equal(kernel.waits, 1);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_tail, setup),
		cmocka_unit_test_setup(test_long_line, setup),
		cmocka_unit_test_setup(test_refused, setup),
		cmocka_unit_test_setup(test_follow, setup),
		cmocka_unit_test_setup(test_person, setup),
		cmocka_unit_test_setup(test_hung_up, setup),
		cmocka_unit_test_setup(test_screen_fails, setup),
		cmocka_unit_test_setup(test_person_fails, setup),
		cmocka_unit_test_setup(test_signals, setup),
	};

	alarm(60); /* a terminal that nobody reads would be waited for */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
