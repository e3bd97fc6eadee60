/* SPDX-License-Identifier: Apache-2.0 */
/* fork, exec, and one poll loop over two pipes, a socket and a pidfd. */
#include "io/program.h"

#include "base/macro.h"
#include "model/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* At most this much is asked of the feed at a time. */
#define FEED_BYTES (64u * 1024u)

enum { PIPE_OUT, PIPE_ERR, PIPE_EXEC, PIPE_NUM };

struct run {
	const struct program *program;
	int pipes[PIPE_NUM][2]; /* read end, write end */
	int in[2]; /* our end, the program's: a socket, whose loss is an error and no signal */
	char *feed;
	size_t feed_at, feed_len;
	int pidfd;
	pid_t pid;
	char *output;
	size_t output_len;
	char error[PROGRAM_ERROR_MAX];
	size_t error_len;
};

static void close_pipe(struct run *run, unsigned i, unsigned end)
{
	if (run->pipes[i][end] >= 0)
		(void)close(run->pipes[i][end]);
	run->pipes[i][end] = -1;
}

static void close_in(struct run *run, unsigned end)
{
	if (run->in[end] >= 0)
		(void)close(run->in[end]);
	run->in[end] = -1;
}

static void cleanup_run(struct run *run)
{
	if (run->pid > 0) {
		(void)kill(-run->pid, SIGKILL);
		(void)kill(run->pid, SIGKILL); /* in case it had not made its group yet */
		while (waitpid(run->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	for (unsigned i = 0; i < PIPE_NUM; i++) {
		close_pipe(run, i, 0);
		close_pipe(run, i, 1);
	}
	close_in(run, 0);
	close_in(run, 1);
	if (run->pidfd >= 0)
		(void)close(run->pidfd);
	free(run->feed);
	free(run->output);
}

/* In the child, between fork and exec: nothing here may allocate or return. */
static void __attribute__((noreturn))
child(const struct run *run, char *const *argv, char *const *env, pid_t parent)
{
	const struct program *program = run->program;
	struct sigaction standard = { .sa_handler = SIG_DFL };
	struct rlimit memory = { .rlim_cur = program->memory_max_kib * 1024,
		.rlim_max = program->memory_max_kib * 1024 };
	sigset_t none;
	int null = run->in[1] >= 0 ? run->in[1] : open("/dev/null", O_RDWR);

	/* And no execvpe(): gcov writes down what ran here only before the others of its family. */
	environ = (char **)(uintptr_t)env;
	(void)setpgid(0, 0);
	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &standard, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* Whatever we were given without close-on-exec is not the program's either. */
	(void)close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
	bool user = !program->as_user ||
		    (setgroups(0, NULL) == 0 &&
			    setresgid(program->gid, program->gid, program->gid) == 0 &&
			    setresuid(program->uid, program->uid, program->uid) == 0);
	/* The kernel forgets it where the user changes. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* A parent that was gone before it could take us along reads no error either. */
	if (user && getppid() == parent && null >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
		dup2(run->pipes[PIPE_OUT][1], STDOUT_FILENO) >= 0 &&
		dup2(run->pipes[PIPE_ERR][1], STDERR_FILENO) >= 0 &&
		(program->memory_max_kib == 0 || setrlimit(RLIMIT_AS, &memory) == 0))
		(void)execvp(argv[0], argv);
	int error = errno;
	(void)!write(run->pipes[PIPE_EXEC][1], &error, sizeof(error));
	_exit(127);
}

static int start(struct run *run)
{
	/* execvp does not change the strings; its prototype is older than const. */
	char *const *argv = (char *const *)(uintptr_t)run->program->argv;
	CLEANUP_FREE char *path = NULL, *home = NULL;
	pid_t parent = getpid();

	if (asprintf(&path, "PATH=%s", getenv("PATH") ?: "/usr/sbin:/usr/bin:/sbin:/bin") < 0 ||
		asprintf(&home, "HOME=%s", getenv("HOME") ?: "/") < 0)
		return -ENOMEM;
	char *const env[] = { (char[]){ "LC_ALL=C" }, path, home, NULL };

	for (unsigned i = 0; i < PIPE_NUM; i++)
		if (pipe2(run->pipes[i], O_CLOEXEC) < 0)
			return -errno;
	if (run->program->feed) {
		run->feed = malloc(FEED_BYTES);
		if (!run->feed)
			return -ENOMEM;
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, run->in) < 0)
			return -errno;
	}
	run->pid = fork();
	if (run->pid < 0)
		return -errno;
	if (run->pid == 0)
		child(run, argv, env, parent);
	for (unsigned i = 0; i < PIPE_NUM; i++)
		close_pipe(run, i, 1);
	close_in(run, 1);

	/* The write end closes by exec, or brings the reason why there was none. */
	int error = 0;
	ssize_t n;
	do
		n = read(run->pipes[PIPE_EXEC][0], &error, sizeof(error));
	while (n < 0 && errno == EINTR);
	if (n != 0)
		return n < 0 ? -errno : -error;
	run->pidfd = pidfd_open(run->pid, 0);
	return run->pidfd < 0 ? -errno : 0;
}

/* Reads what is there. 1: more may come, 0: the pipe is closed, -errno. */
static int read_pipe(struct run *run, unsigned i)
{
	char rest[4096];
	bool is_out = i == PIPE_OUT;
	size_t *len = is_out ? &run->output_len : &run->error_len;
	size_t max = is_out ? run->program->output_max : sizeof(run->error);
	char *to = is_out ? run->output + *len : run->error + *len;
	size_t room = max - *len;
	ssize_t n;

	/* With its room used up, stderr is read and thrown away; stdout gets one byte to prove it
	 * is over. */
	n = room > 0 ? read(run->pipes[i][0], to, room)
		     : read(run->pipes[i][0], rest, sizeof(rest));
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 1 : -errno;
	if (n > 0 && room > 0)
		*len += (size_t)n;
	else if (n > 0 && is_out)
		return -EFBIG;
	if (n == 0)
		close_pipe(run, i, 0);
	return n > 0;
}

/* Passes on what there is, and closes the socket behind the last of it. */
static int feed(struct run *run)
{
	if (run->feed_at == run->feed_len) {
		ssize_t n = run->program->feed(run->program->userdata, run->feed, FEED_BYTES);

		if (n <= 0) {
			close_in(run, 0);
			return (int)n;
		}
		run->feed_at = 0;
		run->feed_len = (size_t)n;
	}
	ssize_t n = send(run->in[0], run->feed + run->feed_at, run->feed_len - run->feed_at,
		MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n >= 0)
		run->feed_at += (size_t)n;
	else if (errno == EPIPE || errno == ECONNRESET)
		close_in(run, 0); /* it reads no more; its exit status says why */
	else if (errno != EAGAIN && errno != EINTR)
		return -errno;
	return 0;
}

static int drain(struct run *run)
{
	/* Not to the end of file: a grandchild may hold the pipe for ever. */
	for (unsigned i = 0; i <= PIPE_ERR; i++) {
		struct pollfd p = { .fd = run->pipes[i][0], .events = POLLIN };
		int r = 1;

		while (r > 0 && p.fd >= 0 && poll(&p, 1, 0) > 0)
			r = read_pipe(run, i);
		if (r < 0)
			return r;
	}
	return 0;
}

static int follow(struct run *run)
{
	usec_t end = usec_add(now_boottime(), run->program->timeout);

	for (;;) {
		struct pollfd p[] = {
			{ .fd = run->pipes[PIPE_OUT][0], .events = POLLIN },
			{ .fd = run->pipes[PIPE_ERR][0], .events = POLLIN },
			{ .fd = run->pidfd, .events = POLLIN },
			{ .fd = run->in[0], .events = POLLOUT },
		};
		usec_t now = now_boottime();
		int r = tick_call(run->program->tick);

		if (r < 0)
			return r;
		if (now >= end)
			return -ETIMEDOUT;
		usec_t wait = MIN(TICK_INTERVAL, usec_sub(end, now));
		if (poll(p, ARRAY_SIZE(p), (int)(wait / USEC_PER_MSEC) + 1) < 0 && errno != EINTR)
			return -errno;
		if (p[2].revents)
			return drain(run);
		for (unsigned i = 0; i <= PIPE_ERR; i++) {
			r = p[i].revents ? read_pipe(run, i) : 0;
			if (r < 0)
				return r;
		}
		r = p[3].revents ? feed(run) : 0;
		if (r < 0)
			return r;
	}
}

static int reap(struct run *run, struct program_result *ret)
{
	int status = 0;

	/* It has ended; whatever it started and left behind must not outlive the call. */
	(void)kill(-run->pid, SIGKILL);
	while (waitpid(run->pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	run->pid = 0;
	run->output[run->output_len] = '\0';
	while (run->error_len > 0 && run->error[run->error_len - 1] == '\n')
		run->error_len--;
	*ret = (struct program_result){
		.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 0,
		.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
		.output = run->output,
		.output_len = run->output_len,
	};
	run->output = NULL;
	(void)utf8_escape(ret->error, sizeof(ret->error), run->error, run->error_len);
	return 0;
}

void program_result_clear(struct program_result *result)
{
	free(result->output);
	*result = (struct program_result){ 0 };
}

int program_run(const struct program *program, struct program_result *ret)
{
	CLEANUP(cleanup_run)
	struct run run = {
		.program = program,
		.pipes = { { -1, -1 }, { -1, -1 }, { -1, -1 } },
		.in = { -1, -1 },
		.pidfd = -1,
	};

	run.output = malloc(program->output_max + 1);
	if (!run.output)
		return -ENOMEM;
	int r = start(&run);
	if (r >= 0)
		r = follow(&run);
	return r < 0 ? r : reap(&run, ret);
}
