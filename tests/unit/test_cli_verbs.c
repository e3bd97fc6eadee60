/* SPDX-License-Identifier: Apache-2.0 */
/* The asking verbs against the real server in a child process: what they exit with, and the JSON
 * they print. */
/* LINK: base bus core/console core/cputune_names core/operation core/event core/eventring core/decision core/sight core/tally model policy cli/client cli/dial cli/client_read cli/fields cli/view cli/session cli/args cli/verb cli/status cli/watch cli/screen cli/table cli/words cli/term cli/json cli/request cli/memory cli/progress cli/wait cli/reload cli/console cli/exec */
/* LIBS: libsystemd libcbor inih jansson smartcols */
#include "unit/bus_world.h"
#include "unit/cli_run.h"

#include "cli/asking.h"
#include "cli/verb.h"
#include "policy/balloon_trace.h"

#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

/* The server's life in its child: some milliseconds after a request came it is answered, as the
 * test's `mood` says. */
enum mood {
	MOOD_DONE,
	MOOD_FAILS,
	MOOD_TIMES_OUT,
	MOOD_UNSUPPORTED,
	MOOD_SILENT,
	MOOD_REFUSES,
	MOOD_GETS_HEALTHY,
	MOOD_GIVES_UP,
	MOOD_STILL,
	MOOD_DIES_ASKED,
	MOOD_DIES
};

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	const enum mood mood = *(const enum mood *)userdata;
	struct guest *g = &world->guests[0];

	if (mood == MOOD_STILL)
		return 0; /* and no signal, ever */
	if (mood == MOOD_DIES || (mood == MOOD_DIES_ASKED && g->operations.n > 0))
		_exit(0);
	if (mood == MOOD_GETS_HEALTHY)
		g->healthy = g->dirty = true;
	if (mood == MOOD_GIVES_UP) {
		g->state = GUEST_FAILED;
		g->dirty = true;
	}
	changed();
	static const int mood_errors[MOOD_DIES + 1] = {
		[MOOD_FAILS] = -EIO,
		[MOOD_TIMES_OUT] = -ETIMEDOUT,
		[MOOD_UNSUPPORTED] = -EINVAL,
	};
	if (mood != MOOD_SILENT)
		operations_answer(&g->operations, ~0u, mood_errors[mood], "so it went");
	(void)sd_event_source_set_time(source, usec + 20 * USEC_PER_MSEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ON);
}

static pid_t server;

/* sd-event refuses to work in the child of who made it, hence a new one. */
static bool make_server(enum mood *mood)
{
	sd_event_source *timer;
	uint64_t now;

	world->event = NULL;
	return sd_event_new(&world->event) >= 0 &&
	       bus_new(world->event, &world->supervisor, world->dir, &world->bus) >= 0 &&
	       sd_event_now(world->event, CLOCK_MONOTONIC, &now) >= 0 &&
	       sd_event_add_time(world->event, &timer, CLOCK_MONOTONIC, now + 20 * USEC_PER_MSEC, 1,
		       on_tick, mood) >= 0;
}

static void serve(enum mood mood)
{
	core.result = mood == MOOD_REFUSES ? -EADDRINUSE : 1;
	core.message = "port 19092 is taken by pid 12 (nginx)";
	core.reload = mood == MOOD_REFUSES ? -EINVAL : 0;
	server = fork();
	assert_true(server >= 0);
	if (server > 0)
		return;
	/* A test that fails does not get to its end(), and whoever reads our output would wait for
	 * this process. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!make_server(&mood))
		_exit(1);
	(void)kill(getppid(), SIGUSR1);
	(void)sd_event_loop(world->event);
	_exit(0);
}

static void on_usr1(int number)
{
	(void)number;
}

/* Begins a server and waits until its sockets are there. */
static void begin(enum mood mood)
{
	sigset_t block, before;

	(void)sigemptyset(&block);
	(void)sigaddset(&block, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &block, &before);
	(void)signal(SIGUSR1, on_usr1);
	/* The parent's own server goes: the child makes another in the same place. */
	bus_free(world->bus);
	world->bus = NULL;
	serve(mood);
	(void)sigsuspend(&before);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
}

static void end(void)
{
	char path[64];

	(void)kill(server, SIGKILL);
	assert_int_equal(waitpid(server, NULL, 0), server);
	snprintf(path, sizeof(path), "%s/status", world->dir);
	(void)unlink(path);
	snprintf(path, sizeof(path), "%s/control", world->dir);
	(void)unlink(path);
}

#define RUN(verb, ...) run(verb, (const char *const[]){ __VA_ARGS__, NULL })

/* What the pool of bus_world.h rested on, as a trace that the replay takes. */
static void assert_recorded(const char *text)
{
	struct trace_reader reader;
	struct trace_row row;

	assert_int_equal(trace_open(&reader, "recorded", text, strlen(text)), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(trace_next(&reader, &row), 1);
		assert_int_equal(row.time, i * 0);
		assert_string_equal(row.guest, "vm-mediakit");
		assert_int_equal(row.pool.total_kib, 8 << 20);
		assert_int_equal(row.pool.available_kib, 1 << 20);
		assert_int_equal(row.pool.psi_some_avg10, 123);
		assert_int_equal(row.pool.reserve_kib, 2 << 20);
		assert_int_equal(row.in.phase, BALLOON_UP);
		assert_true(row.in.tcg);
		assert_int_equal(row.in.max_kib, 6 << 20);
		assert_int_equal(row.in.actual_kib, 3 << 20);
		assert_int_equal(row.in.caches_kib, BALLOON_ABSENT);
		assert_int_equal(row.in.last_update_sec, 1700000000);
		assert_int_equal(row.in.latency, 12 * USEC_PER_MSEC);
	}
	assert_int_equal(trace_next(&reader, &row), 0);
}

static void statuses_of_a_daemon_that_runs(void **state)
{
	(void)state;
	begin(MOOD_DONE);
	assert_int_equal(RUN(verb_status, "status"), CLI_FAILED); /* not healthy */
	assert_non_null(strstr(output, "vm-mediakit  ready for "));
	assert_int_equal(RUN(verb_status, "status", "vm-mediakti"), CLI_NO_GUEST);
	assert_string_equal(errors,
		"mediakitd: there is no guest 'vm-mediakti'; did you mean 'vm-mediakit'?\n");
	assert_int_equal(RUN(verb_stop, "stop", "vm-mediakit"), CLI_OK);
	assert_string_equal(output, "vm-mediakit: so it went\n");
	assert_int_equal(RUN(verb_start, "start", "nobody"), CLI_NO_GUEST);
	assert_int_equal(RUN(verb_kill, "kill", "vm-mediakit", "--yes"), CLI_OK);
	assert_int_equal(RUN(verb_balloon, "balloon", "vm-mediakit"), CLI_OK);
	assert_int_equal(RUN(verb_balloon, "balloon", "vm-mediakit", "3G"), CLI_OK);
	assert_int_equal(RUN(verb_balloon, "balloon", "vm-mediakit", "lots"), CLI_USAGE);
	assert_int_equal(RUN(verb_balloon, "balloon", "vm-mediakit", "3G", "--for=2h"), CLI_OK);
	assert_int_equal(
		RUN(verb_balloon, "balloon", "vm-mediakit", "3G", "--for=soon"), CLI_USAGE);
	assert_int_equal(
		RUN(verb_balloon, "balloon", "vm-mediakit", "auto", "--for=2h"), CLI_USAGE);
	assert_int_equal(RUN(verb_balloon, "balloon", "vm-mediakit", "3G", "--dry-run"), CLI_USAGE);
	assert_int_equal(RUN(verb_balloon, "balloon", "vm-mediakit", "--dry-run"), CLI_OK);
	assert_string_equal(output, "vm-mediakit: would shrink from 3.0 GiB to 2.9 GiB: host-need; "
				    "floor 2.0 GiB, could "
				    "spare 512 MiB; the host needs 1.0 GiB\n");
	assert_int_equal(
		RUN(verb_balloon, "balloon", "--record=-", "--timeout=150ms", "--interval=100ms"),
		CLI_OK);
	assert_recorded(output);
	assert_int_equal(RUN(verb_balloon, "balloon", "nobody", "--record=-"), CLI_NO_GUEST);
	assert_int_equal(RUN(verb_balloon, "balloon", "--record=/nonexistent/x"), CLI_FAILED);
	assert_int_equal(RUN(verb_balloon, "balloon", "--record=-", "--interval=1ms"), CLI_USAGE);
	assert_int_equal(RUN(verb_reset_failed, "reset-failed", "vm-mediakit"), CLI_OK);
	assert_int_equal(RUN(verb_reload, "reload"), CLI_OK);
	assert_string_equal(output, "guest b: removed\n");
	assert_int_equal(RUN(verb_wait, "wait", "vm-mediakit", "--for=ready"), CLI_OK);
	assert_string_equal(errors, "");
	assert_int_equal(RUN(verb_wait, "wait", "vm-mediakit", "--for=stopped", "--timeout=50ms"),
		CLI_TIMED_OUT);
	assert_int_equal(RUN(verb_wait, "wait", "vm-mediakit", "--for=good"), CLI_USAGE);
	assert_int_equal(RUN(verb_console, "console", "vm-mediakit", "--tail"), CLI_OK);
	end();
}

static void statuses_of_what_fails(void **state)
{
	(void)state;
	begin(MOOD_REFUSES);
	assert_int_equal(RUN(verb_start, "start", "vm-mediakit"), CLI_FAILED);
	assert_string_equal(errors, "vm-mediakit: port 19092 is taken by pid 12 (nginx)\n");
	assert_int_equal(RUN(verb_reload, "reload"), CLI_USAGE);
	assert_non_null(strstr(errors, "Memroy: no such key"));
	end();
}

static void an_operation_that_fails(void **state)
{
	(void)state;
	begin(MOOD_FAILS);
	assert_int_equal(RUN(verb_start, "start", "vm-mediakit"), CLI_FAILED);
	end();
}

/* libvirt finds the domain invalid: that is no fault of the command line. */
static void an_operation_that_is_unsupported(void **state)
{
	(void)state;
	begin(MOOD_UNSUPPORTED);
	assert_int_equal(RUN(verb_start, "start", "vm-mediakit"), CLI_FAILED);
	assert_string_equal(errors, "vm-mediakit: so it went\n");
	end();
}

/* In a process of its own, because a signal that came is remembered: the exit status, 99 where
 * `words` are not on stderr. */
static int interrupted(int (*verb)(int, char **), const char *name, int number, const char *words)
{
	const struct timespec soon = { .tv_nsec = 100 * 1000 * 1000 };
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		const char *const argv[] = { name, "vm-mediakit", NULL };
		pid_t me = getpid(), other = fork();

		if (other == 0) {
			(void)nanosleep(&soon, NULL);
			_exit(kill(me, number) != 0);
		}
		status = run(verb, argv);
		(void)waitpid(other, NULL, 0);
		_exit(strstr(errors, words) ? status : 99);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void ctrl_c_leaves_it_to_the_daemon(void **state)
{
	static const char goes_on[] = "vm-mediakit: no longer waiting; the daemon goes on with it";

	(void)state;
	begin(MOOD_SILENT);
	assert_int_equal(interrupted(verb_start, "start", SIGINT, goes_on), 128 + SIGINT);
	assert_int_equal(interrupted(verb_stop, "stop", SIGTERM, goes_on), 128 + SIGTERM);
	assert_int_equal(
		interrupted(verb_wait, "wait", SIGINT, "vm-mediakit: no longer waiting;"), 130);
	end();
}

/* What `kill` does when `answer` is typed at its question; NULL: its input is no terminal. */
static int kill_answered(const char *answer, const char *yes)
{
	int ours = -1, theirs = -1, status;

	assert_int_equal(openpty(&ours, &theirs, NULL, NULL, NULL), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		const char *const argv[] = { "kill", "vm-mediakit", yes, NULL };

		(void)dup2(answer ? theirs : open("/dev/null", O_RDONLY), STDIN_FILENO);
		status = run(verb_kill, argv);
		_exit(answer && !yes && !strstr(errors, "Cut the power of vm-mediakit now?")
				? 99
				: status);
	}
	if (answer)
		assert_int_equal(write(ours, answer, strlen(answer)), strlen(answer));
	assert_int_equal(waitpid(child, &status, 0), child);
	close(ours);
	close(theirs);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void kill_asks_first(void **state)
{
	(void)state;
	begin(MOOD_DONE);
	assert_int_equal(kill_answered("y\n", NULL), CLI_OK);
	assert_int_equal(kill_answered("YES\n", NULL), CLI_OK);
	assert_int_equal(kill_answered("n\n", NULL), CLI_FAILED);
	assert_int_equal(kill_answered("\n", NULL), CLI_FAILED);
	assert_int_equal(kill_answered("yesterday it was well\n", NULL), CLI_FAILED);
	assert_int_equal(kill_answered(NULL, NULL), CLI_USAGE);
	assert_int_equal(kill_answered(NULL, "--yes"), CLI_OK);
	assert_int_equal(kill_answered("n\n", "--yes"), CLI_OK);
	end();
}

static void an_operation_that_times_out(void **state)
{
	(void)state;
	begin(MOOD_TIMES_OUT);
	assert_int_equal(RUN(verb_balloon, "balloon", "vm-mediakit", "auto"), CLI_TIMED_OUT);
	end();
}

static void wait_sees_health_come(void **state)
{
	(void)state;
	begin(MOOD_GETS_HEALTHY);
	assert_int_equal(RUN(verb_wait, "wait", "vm-mediakit", "--timeout=20s"), CLI_OK);
	assert_int_equal(RUN(verb_status, "status", "vm-mediakit"), CLI_OK);
	assert_int_equal(RUN(verb_status, "status"), CLI_FAILED); /* the other guest */
	end();
}

/* Ready with warnings, or in time not even that: what cloud-init said is quoted. */
static void wait_quotes_cloudinit(void **state)
{
	struct cloudinit_status *ci =
		&supervisor_find(&world->supervisor, "vm-mediakit")->bootwatch.cloudinit;
	const struct cloudinit_status was = *ci;

	(void)state;
	ci->state = CLOUDINIT_DEGRADED;
	ci->warnings = 1;
	strcpy(ci->quote, "Deprecated\\x1b[2J");
	begin(MOOD_DONE);
	assert_int_equal(RUN(verb_wait, "wait", "vm-mediakit", "--for=ready"), CLI_OK);
	assert_string_equal(
		errors, "vm-mediakit: cloud-init: degraded, 1 warning: Deprecated\\x1b[2J\n");
	assert_int_equal(RUN(verb_wait, "wait", "vm-mediakit", "--for=healthy", "--timeout=50ms"),
		CLI_TIMED_OUT);
	assert_non_null(strstr(errors, "vm-mediakit: cloud-init: degraded, 1 warning"));
	assert_int_equal(RUN(verb_wait, "wait", "vm-mediakit", "--for=stopped", "--timeout=50ms"),
		CLI_TIMED_OUT);
	assert_null(strstr(errors, "cloud-init"));
	end();
	*ci = was;
}

static void wait_fails_early(void **state)
{
	(void)state;
	begin(MOOD_GIVES_UP);
	assert_int_equal(RUN(verb_wait, "wait", "vm-mediakit"), CLI_FAILED);
	assert_non_null(strstr(errors, "vm-mediakit: it will not be healthy: failed"));
	end();
}

static void a_daemon_that_goes_or_is_not_there(void **state)
{
	(void)state;
	begin(MOOD_DIES);
	assert_int_equal(RUN(verb_wait, "wait", "vm-mediakit"), CLI_NO_DAEMON);
	end();
	assert_int_equal(RUN(verb_status, "status"), CLI_NO_DAEMON);
	assert_non_null(strstr(errors, "mediakitd is not running: no answer on /tmp/test-bus-"));
	assert_int_equal(RUN(verb_reload, "reload"), CLI_NO_DAEMON);
}

/* The next daemon: begins once the one before is gone, and the service manager was told so. */
static pid_t serve_next(enum mood mood, int notices)
{
	struct pollfd told = { .fd = notices, .events = POLLIN };
	pid_t next = fork();

	assert_true(next >= 0);
	if (next > 0)
		return next;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/status", world->dir);
	for (;;) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		bool alive = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

		(void)close(fd);
		if (!alive)
			break;
		(void)usleep(20000);
	}
	if (poll(&told, 1, 60 * 1000) == 1 && make_server(&mood))
		(void)sd_event_loop(world->event);
	_exit(1);
}

/* What the service manager was told; "" nothing. */
static void take_notices(int fd, char *buf, size_t size)
{
	size_t n = 0;
	ssize_t got;

	while (n + 1 < size && (got = recv(fd, buf + n, size - n - 1, MSG_DONTWAIT)) > 0)
		n += (size_t)got;
	buf[n] = '\0';
}

/* A unit whose command fails is not stopped with the host. */
static void a_unit_waits_for_the_next_daemon(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char notices[4096];
	pid_t next;

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", world->dir);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	setenv("NOTIFY_SOCKET", address.sun_path, 1);

	begin(MOOD_DIES_ASKED);
	next = serve_next(MOOD_DONE, fd);
	assert_int_equal(RUN(verb_start, "start", "vm-mediakit"), CLI_OK);
	assert_non_null(strstr(errors, "the daemon went away; waiting for it to come back"));
	assert_string_equal(output, "vm-mediakit: so it went\n");
	end();
	server = next;
	take_notices(fd, notices, sizeof(notices));
	assert_non_null(strstr(notices, "EXTEND_TIMEOUT_USEC="));
	assert_non_null(strstr(notices, "STATUS=waiting for mediakitd"));
	end();

	/* Here it is not there to begin with, or goes. */
	begin(MOOD_DIES);
	next = serve_next(MOOD_GETS_HEALTHY, fd);
	assert_int_equal(RUN(verb_wait, "wait", "vm-mediakit"), CLI_OK);
	end();
	server = next;
	end();

	/* Nothing new to tell is no reason to let systemd wait in vain. */
	begin(MOOD_STILL);
	take_notices(fd, notices, sizeof(notices));
	assert_int_equal(RUN(verb_wait, "wait", "vm-mediakit", "--timeout=6s"), CLI_TIMED_OUT);
	take_notices(fd, notices, sizeof(notices));
	assert_non_null(strstr(notices, "EXTEND_TIMEOUT_USEC="));
	const char *first = strstr(notices, "EXTEND_TIMEOUT_USEC=");
	assert_non_null(strstr(first + 1, "EXTEND_TIMEOUT_USEC="));
	end();

	/* Asked twice it would be done twice; and systemd starts no daemon while a unit stops. */
	begin(MOOD_DIES_ASKED);
	assert_int_equal(RUN(verb_restart, "restart", "vm-mediakit"), CLI_NO_DAEMON);
	end();
	begin(MOOD_DIES_ASKED);
	assert_int_equal(RUN(verb_stop, "stop", "vm-mediakit"), CLI_NO_DAEMON);
	end();
	assert_int_equal(RUN(verb_stop, "stop", "vm-mediakit"), CLI_NO_DAEMON);
	unsetenv("NOTIFY_SOCKET");
	(void)close(fd);
	(void)unlink(address.sun_path);
}

static json_t *get(json_t *o, const char *key)
{
	json_t *value = json_object_get(o, key);

	assert_non_null(value);
	return value;
}

static void the_json_is_what_is_documented(void **state)
{
	(void)state;
	begin(MOOD_DONE);
	assert_int_equal(RUN(verb_status, "status", "vm-mediakit", "--json"), CLI_FAILED);
	json_t *top = json_loads(output, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(top);
	assert_int_equal(json_integer_value(get(top, "version")), 1);
	assert_true(json_is_true(get(get(top, "daemon"), "connected")));
	assert_int_equal(json_array_size(get(top, "guests")), 1);
	json_t *g = json_array_get(get(top, "guests"), 0);
	assert_string_equal(json_string_value(get(g, "name")), "vm-mediakit");
	assert_string_equal(json_string_value(get(g, "state")), "ready");
	assert_int_equal(json_integer_value(get(get(g, "memory"), "actual_kib")), 3 << 20);
	assert_true(json_is_null(get(get(g, "memory"), "usable_kib")));
	assert_true(json_is_null(get(g, "last_exit")));
	assert_int_equal(json_integer_value(get(g, "active_services")), 1);
	json_t *s = json_array_get(get(g, "services"), 1);
	assert_string_equal(json_string_value(get(s, "name")), "service-fs");
	assert_string_equal(json_string_value(get(s, "verdict")), "refused");
	assert_int_equal(json_integer_value(get(s, "latency_usec")), 12000);
	/* Every key that is printed stands in the usage text. */
	const char *key;
	json_t *value;
	json_object_foreach(g, key, value) assert_non_null(strstr(usage_status, key));
	json_object_foreach(s, key, value) assert_non_null(strstr(usage_status, key));
	json_decref(top);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(statuses_of_a_daemon_that_runs),
		TEST(statuses_of_what_fails),
		TEST(an_operation_that_fails),
		TEST(an_operation_that_is_unsupported),
		TEST(an_operation_that_times_out),
		TEST(ctrl_c_leaves_it_to_the_daemon),
		TEST(kill_asks_first),
		TEST(wait_sees_health_come),
		TEST(wait_quotes_cloudinit),
		TEST(wait_fails_early),
		TEST(a_daemon_that_goes_or_is_not_there),
		TEST(a_unit_waits_for_the_next_daemon),
		TEST(the_json_is_what_is_documented),
	};

	/* A server that never comes up must not hang the tests. */
	(void)alarm(60);
	log_set_sink(take_line);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
