/* SPDX-License-Identifier: Apache-2.0 */
/* What the command makes of a daemon that answers wrongly, refuses, falls silent or ends: a process
 * of the test's own on the daemon's socket. */
/* clang-format off */
/* LINK: base model/utf8 model/spec model/guestmem policy/balloon policy/balloon_loan policy/balloon_names policy/balloon_sense policy/balloon_share policy/balloon_trace cli/client cli/dial cli/client_read cli/fields cli/view cli/term cli/story cli/tally cli/counters cli/memory cli/scrape cli/history cli/json cli/metrics cli/exposition */
/* clang-format on */
/* LIBS: libsystemd jansson */
#include "alloc_fail.h"

#include "base/macro.h"
#include "bus/names.h"
#include "cli/client_read.h"
#include "cli/memory.h"
#include "cli/scrape.h"
#include "cli/story.h"
#include "cli/tally.h"
#include "cli/verb.h"
#include "policy/balloon_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* cli/memory's session is the test's. */
static struct view_guest *the_guest;

struct view_guest *session_guest(const struct session *s)
{
	(void)s;
	return the_guest;
}

int session_lost(void)
{
	return CLI_NO_DAEMON;
}

/* The daemon ---- */

/* In its process; what is returned ends it where it is below zero. */
typedef int (*serve_t)(sd_bus_message *m);

static char dir[] = "/tmp/test_client.XXXXXX";
static int listener;
static pid_t child;

static int setup(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/" BUS_SOCKET_STATUS, dir);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	return listen(listener, 4);
}

static int teardown(void **state)
{
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/" BUS_SOCKET_STATUS, dir);
	(void)close(listener);
	(void)unlink(path);
	return rmdir(dir);
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	serve_t serve = *(serve_t *)userdata;

	(void)error;
	if (sd_bus_message_is_method_call(m, NULL, NULL) <= 0)
		return 0;
	int r = serve(m);
	if (r < 0)
		_exit(0);
	return 1;
}

static void __attribute__((noreturn)) be_daemon(serve_t serve)
{
	sd_bus *b = NULL;
	sd_id128_t id = { .bytes = { 1 } };
	int fd = accept(listener, NULL, NULL), r = 0;

	if (fd < 0 || sd_bus_new(&b) < 0 || sd_bus_set_fd(b, fd, fd) < 0 ||
		sd_bus_set_server(b, 1, id) < 0 || sd_bus_set_anonymous(b, 1) < 0 ||
		sd_bus_negotiate_fds(b, 1) < 0 || sd_bus_start(b) < 0 ||
		sd_bus_add_filter(b, NULL, on_message, &serve) < 0)
		_exit(1);
	while (r >= 0)
		if ((r = sd_bus_process(b, NULL)) == 0)
			r = sd_bus_wait(b, UINT64_MAX);
	_exit(0);
}

static struct client *begin(serve_t serve)
{
	struct client *c = NULL;

	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		be_daemon(serve);
	}
	assert_int_equal(client_open(dir, CLIENT_STATUS, &c), 0);
	return c;
}

static void end(struct client *c)
{
	client_close(c);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static int say_wrong(sd_bus_message *m)
{
	return sd_bus_reply_method_return(m, "v", "b", 1);
}

static int refuse(sd_bus_message *m)
{
	return sd_bus_reply_method_errorf(m, BUS_ERROR_NOT_RUNNING, "it is \033[31mdown");
}

static int say_nothing_and_go(sd_bus_message *m)
{
	(void)m;
	return -1;
}

/* Every question ---- */

static void no_line(bool is_fault, const char *line)
{
	(void)is_fault;
	fail_msg("%s", line);
}

static void no_event(void *userdata, const struct view_event *e)
{
	(void)userdata;
	fail_msg("%s", e->text);
}

static void no_decision(void *userdata, const struct view_decision *d)
{
	(void)userdata;
	fail_msg("%s", d->rule);
}

static int ask_reload(struct client *c, struct client_reply *reply)
{
	bool ok;

	return client_reload(c, no_line, &ok, reply);
}

static int ask_tail(struct client *c, struct client_reply *reply)
{
	size_t len;
	char *text;

	return client_console_tail(c, "vm", &text, &len, reply);
}

static int ask_console(struct client *c, struct client_reply *reply)
{
	int fd;

	return client_console_open(c, "vm", 5, &fd, reply);
}

static int ask_events(struct client *c, struct client_reply *reply)
{
	return client_events(c, NULL, 0, 0, 9, no_event, NULL, reply);
}

static int ask_why(struct client *c, struct client_reply *reply)
{
	return client_why(c, "vm", "", no_decision, NULL, reply);
}

static int ask_counters(struct client *c, struct client_reply *reply)
{
	struct counters counters;

	return client_counters(c, &counters, reply);
}

static int ask_history(struct client *c, struct client_reply *reply)
{
	static struct history h;

	return client_history(c, "vm", &h, reply);
}

static int (*const questions[])(struct client *c, struct client_reply *reply) = { ask_reload,
	ask_tail, ask_console, ask_events, ask_why, ask_counters, ask_history };

static void wrong_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		struct client_reply reply = { 0 };
		struct client *c = begin(say_wrong);

		if (questions[i](c, &reply) >= 0)
			fail_msg("question %zu takes a variant", i);
		assert_int_equal(reply.status, CLI_OK); /* it was an answer */
		end(c);

		c = begin(refuse);
		assert_true(questions[i](c, &reply) < 0);
		assert_int_equal(reply.status, CLI_NOT_RUNNING);
		assert_string_equal(reply.message, "it is \\x1b[31mdown");
		end(c);

		c = begin(say_nothing_and_go);
		assert_true(questions[i](c, &reply) < 0);
		assert_int_equal(reply.status, CLI_NO_DAEMON);
		assert_true(reply.message[0] != '\0');
		end(c);
	}
}

/* The right shell around something wrong: found where it is. */
static int wrong_kernel(sd_bus_message *m)
{
	const char *what = sd_bus_message_get_member(m);

	if (strcmp(what, "Reload") == 0)
		return sd_bus_reply_method_return(m, "asu", 0, 7);
	if (strcmp(what, "ListEvents") == 0)
		return sd_bus_reply_method_return(m, "a(tttussss)", 1, 1, 2, 3, 4, "", "", "", "");
	if (strcmp(what, "Why") == 0)
		return sd_bus_reply_method_return(m, "a(ttusss)", 1, 1, 2, 3, "", "", "");
	if (strcmp(what, "Counters") == 0)
		return sd_bus_reply_method_return(m, "a(stt)", 1, "vm", 1, 2);
	if (strcmp(what, "History") == 0)
		return sd_bus_reply_method_return(m, "ttauauayas", 1, 2, 0, 0, 0, 0);
	return sd_bus_reply_method_return(m, "as", 0);
}

static void wrong_kernels(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		struct client_reply reply = { 0 };
		struct client *c = begin(wrong_kernel);

		if (questions[i](c, &reply) >= 0)
			fail_msg("question %zu takes it", i);
		end(c);
	}
}

/* Texts that are no UTF-8, in the places that the daemon fills; libsystemd checks them as they are
 * read. */
static const char *spoiled; /* which place */

static int put_text(sd_bus_message *m, const char *place)
{
	char *at = NULL;
	int r = sd_bus_message_append_string_space(m, 2, &at);

	if (r >= 0)
		memcpy(at, strcmp(place, spoiled) == 0 ? "\xff\xfe" : "ok", 2);
	return r;
}

static int put_counts(sd_bus_message *m, const char *place, unsigned n)
{
	int r = sd_bus_message_open_container(m, 'a', "{st}");

	while (r >= 0 && n-- > 0)
		if ((r = sd_bus_message_open_container(m, 'e', "st")) >= 0 &&
			(r = put_text(m, place)) >= 0 &&
			(r = sd_bus_message_append(m, "t", (uint64_t)n)) >= 0)
			r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static unsigned guests_told = 1, services_told = 1, counts_told = 1;

static int put_guest(sd_bus_message *m)
{
	int r = sd_bus_message_open_container(m, 'r', "stta{st}a(sta{st})");

	if (r < 0 || (r = put_text(m, "guest")) < 0 ||
		(r = sd_bus_message_append(m, "tt", (uint64_t)1, (uint64_t)2)) < 0 ||
		(r = put_counts(m, "exit", counts_told)) < 0 ||
		(r = sd_bus_message_open_container(m, 'a', "(sta{st})")) < 0)
		return r;
	for (unsigned i = 0; i < services_told; i++)
		if ((r = sd_bus_message_open_container(m, 'r', "sta{st}")) < 0 ||
			(r = put_text(m, "service")) < 0 ||
			(r = sd_bus_message_append(m, "t", (uint64_t)3)) < 0 ||
			(r = put_counts(m, "verdict", 1)) < 0 ||
			(r = sd_bus_message_close_container(m)) < 0)
			return r;
	if ((r = sd_bus_message_close_container(m)) < 0)
		return r;
	return sd_bus_message_close_container(m);
}

static int count(sd_bus_message *m)
{
	sd_bus_message *reply = NULL;
	int r = sd_bus_message_new_method_return(m, &reply);

	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "(stta{st}a(sta{st}))");
	for (unsigned i = 0; r >= 0 && i < guests_told; i++)
		r = put_guest(reply);
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static void spoiled_counters(void **state)
{
	static const char *const places[] = { "guest", "exit", "service", "verdict" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct client_reply reply = { 0 };

		spoiled = places[i];
		struct client *c = begin(count);
		if (ask_counters(c, &reply) >= 0)
			fail_msg("a spoiled %s is taken", places[i]);
		end(c);
	}
}

/* A daemon that counts more than there can be: what is over is left out, and the rest is right. */
static void more_than_there_can_be(void **state)
{
	struct client_reply reply = { 0 };
	struct counters counters = { 0 };

	(void)state;
	spoiled = "";
	services_told = VIEW_SERVICES_MAX + 3;
	counts_told = COUNTS_MAX + 3;
	struct client *c = begin(count);
	assert_int_equal(client_counters(c, &counters, &reply), 0);
	assert_int_equal(counters.n_guests, 1);
	assert_int_equal(counters.guests[0].n_services, VIEW_SERVICES_MAX);
	assert_int_equal(counters.guests[0].exits.n, COUNTS_MAX);
	assert_string_equal(counters.guests[0].services[0].name, "ok");
	counters_free(&counters);
	end(c);
	services_told = counts_told = 1;
	guests_told = VIEW_GUESTS_MAX + 3;
	c = begin(count);
	counters = (struct counters){ 0 };
	assert_int_equal(client_counters(c, &counters, &reply), 0);
	assert_int_equal(counters.n_guests, VIEW_GUESTS_MAX);
	counters_free(&counters);
	end(c);
	guests_told = 1;
}

/* Good answers ---- */

static int good(sd_bus_message *m)
{
	const char *what = sd_bus_message_get_member(m);
	sd_bus_message *reply = NULL;
	int pair[2];

	if (strcmp(what, "Reload") == 0)
		return sd_bus_reply_method_return(
			m, "assb", 2, "a.conf:1: \033c", "b", "one\n\ntwo\tx", 1);
	if (strcmp(what, "OpenConsole") == 0) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 ||
			send(pair[0], "login", 5, 0) != 5)
			return -EIO;
		return sd_bus_reply_method_return(m, "h", pair[1]);
	}
	if (strcmp(what, "ConsoleTail") != 0)
		return sd_bus_reply_method_return(m, "s", "done\007");
	if (sd_bus_message_new_method_return(m, &reply) < 0 ||
		sd_bus_message_append_array(reply, 'y', "a\0b", 3) < 0)
		return -EIO;
	return sd_bus_send(NULL, reply, NULL);
}

static char lines[256];

static void take_line(bool is_fault, const char *line)
{
	size_t n = strlen(lines);

	snprintf(lines + n, sizeof(lines) - n, "%c%s|", is_fault ? '!' : ' ', line);
}

static void good_answers(void **state)
{
	struct client_reply reply = { 0 };
	struct client *c = begin(good);
	char bytes[8], *text = NULL;
	size_t len = 0;
	bool ok = false;
	int fd = -1;
	const uint64_t kib = 4096;

	(void)state;
	assert_int_equal(client_reload(c, take_line, &ok, &reply), 0);
	assert_true(ok);
	assert_string_equal(lines, "!a.conf:1: \\x1bc|!b| one| two\\x09x|");
	assert_int_equal(client_console_tail(c, "vm", &text, &len, &reply), 0);
	assert_int_equal(len, 3);
	assert_memory_equal(text, "a\0b", 4);
	free(text);
	assert_int_equal(client_console_open(c, "vm", 5, &fd, &reply), 0);
	assert_int_equal(recv(fd, bytes, sizeof(bytes), 0), 5);
	close(fd);
	assert_int_equal(client_begin(c, "vm", "SetBalloon", &kib, 1, &reply), 0);
	while (!reply.done)
		assert_true(client_wait(c, 10 * USEC_PER_SEC) > 0);
	assert_int_equal(reply.status, CLI_OK);
	assert_string_equal(reply.message, "done\\x07");
	assert_null(client_destination(c));
	end(c);
}

/* Signals ---- */

static int load_then_change(sd_bus_message *m)
{
	sd_bus *b = sd_bus_message_get_bus(m);
	const char *what = sd_bus_message_get_member(m);

	if (strcmp(what, "GetAll") == 0)
		return sd_bus_reply_method_return(m, "a{sv}", 1, "Version", "s", "1.2.3");
	if (strcmp(what, "GetManagedObjects") == 0)
		return sd_bus_reply_method_return(m, "a{oa{sa{sv}}}", 1, BUS_PATH_GUESTS "/a", 1,
			BUS_IFACE_GUEST, 1, "Reason", "s", "\033]0;x\007");
	/* Anything else: what happens one after the other. */
	if (sd_bus_emit_signal(b, BUS_PATH_GUESTS, "org.freedesktop.DBus.ObjectManager",
		    "InterfacesAdded", "oa{sa{sv}}", BUS_PATH_GUESTS "/b", 1, BUS_IFACE_GUEST,
		    0) < 0 ||
		sd_bus_emit_signal(b, BUS_PATH_GUESTS, "org.freedesktop.DBus.ObjectManager",
			"InterfacesRemoved", "oas", BUS_PATH_GUESTS "/a", 1, BUS_IFACE_GUEST) < 0 ||
		sd_bus_emit_signal(b, BUS_PATH, BUS_IFACE_MANAGER, "Event", "tttusssss", 7, 1, 2, 3,
			"vm", "state", "", "", "boots") < 0 ||
		sd_bus_emit_signal(b, BUS_PATH, BUS_IFACE_MANAGER, "Other", "s", "x") < 0)
		return -EIO;
	return sd_bus_reply_method_return(m, "s", "");
}

static void take_event(void *userdata, sd_bus_message *m)
{
	assert_true(story_read_event(m, userdata) >= 0);
}

static void signals_in_their_order(void **state)
{
	struct client *c = begin(load_then_change);
	struct client_reply reply = { 0 };
	struct view_event e = { 0 };
	struct view v = { 0 };

	(void)state;
	client_on_event(c, take_event, &e);
	assert_int_equal(client_load(c, &v), 0);
	assert_int_equal(v.n_guests, 1);
	assert_string_equal(v.guests[0].reason, "\\x1b]0;x\\x07");
	assert_string_equal(v.version, "1.2.3");
	/* Nothing comes by itself, and that is no failure. */
	assert_int_equal(client_wait(c, 1), 0);
	assert_int_equal(client_begin(c, "a", "Go", NULL, 0, &reply), 0);
	while (!reply.done)
		assert_true(client_wait(c, 10 * USEC_PER_SEC) > 0);
	assert_int_equal(v.n_guests, 1);
	assert_string_equal(v.guests[0].name, "b");
	assert_int_equal(e.seq, 7);
	assert_string_equal(e.text, "boots");
	end(c);
	view_free(&v);
}

static int event_of_another_form(sd_bus_message *m)
{
	sd_bus *b = sd_bus_message_get_bus(m);

	if (sd_bus_emit_signal(b, BUS_PATH, BUS_IFACE_MANAGER, "Event", "s", "boots") < 0 ||
		sd_bus_emit_signal(b, BUS_PATH, BUS_IFACE_MANAGER, "Other", "s", "x") < 0)
		return -EIO;
	return sd_bus_reply_method_return(m, "s", "");
}

static void refuse_event(void *userdata, sd_bus_message *m)
{
	struct view_event e = { .seq = 77 };

	assert_true(story_read_event(m, &e) < 0);
	assert_int_equal(e.seq, 77);
	++*(unsigned *)userdata;
}

static void an_event_of_another_form(void **state)
{
	struct client *c = begin(event_of_another_form);
	struct client_reply reply = { 0 };
	unsigned n = 0;

	(void)state;
	client_on_event(c, refuse_event, &n);
	assert_int_equal(client_begin(c, "a", "Go", NULL, 0, &reply), 0);
	while (!reply.done)
		assert_true(client_wait(c, 10 * USEC_PER_SEC) > 0);
	assert_int_equal(n, 1);
	end(c);
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* A signal, or an answer that is late by the bus's own count, wakes whoever waits. */
static void waiting(void **state)
{
	const struct itimerval soon = { .it_value = { .tv_usec = 50000 } };
	struct client *c = begin(load_then_change);
	struct client_reply reply = { 0 };
	sd_bus_message *m = NULL;
	struct view v = { 0 };
	usec_t began;

	(void)state;
	assert_int_equal(client_load(c, &v), 0);
	(void)signal(SIGALRM, on_alarm);
	began = now_boottime();
	assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
	assert_int_equal(client_wait(c, 20 * USEC_PER_SEC), 0);
	assert_true(now_boottime() - began < 10 * USEC_PER_SEC);
	/* Stopped: it will not answer, and the bus knows when that is too late. */
	assert_int_equal(kill(child, SIGSTOP), 0);
	assert_true(sd_bus_set_method_call_timeout(client_bus(c), 50 * USEC_PER_MSEC) >= 0);
	assert_true(sd_bus_call_method_async(client_bus(c), NULL, NULL, BUS_PATH, BUS_IFACE_MANAGER,
			    "Ping", NULL, NULL, "") >= 0);
	assert_int_equal(client_wait(c, 200 * USEC_PER_MSEC), 0);
	/* What could not even be asked. */
	assert_int_equal(client_ask(c, -ENOMEM, NULL, &reply, &m), -ENOMEM);
	assert_int_equal(reply.status, CLI_NO_DAEMON);
	assert_string_equal(reply.message, strerror(ENOMEM));
	end(c);
	view_free(&v);
}

/* It ends while somebody follows it. */
static void the_end(void **state)
{
	struct client *c = begin(load_then_change);
	struct view v = { 0 };

	(void)state;
	assert_int_equal(client_load(c, &v), 0);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(client_wait(c, 10 * USEC_PER_SEC), -ECONNRESET);
	client_close(c);
	assert_int_equal(waitpid(child, NULL, 0), child);
	view_free(&v);
}

/* A signal that cannot be read: what is shown is no longer what is, so it is as good as gone. */
static int load_then_nonsense(sd_bus_message *m)
{
	if (strcmp(sd_bus_message_get_member(m), "Go") == 0 &&
		sd_bus_emit_signal(sd_bus_message_get_bus(m), BUS_PATH_GUESTS "/a",
			"org.freedesktop.DBus.Properties", "PropertiesChanged", "u", 7) < 0)
		return -EIO;
	return load_then_change(m);
}

static void a_signal_of_another_form(void **state)
{
	struct client *c = begin(load_then_nonsense);
	struct client_reply reply = { 0 };
	struct view v = { 0 };
	int r;

	(void)state;
	assert_int_equal(client_load(c, &v), 0);
	assert_int_equal(client_begin(c, "a", "Go", NULL, 0, &reply), 0);
	while ((r = client_wait(c, 10 * USEC_PER_SEC)) > 0 && !reply.done)
		;
	assert_int_equal(r, -ECONNRESET);
	end(c);
	view_free(&v);
}

/* Objects that are none: said so, with the exit status of no daemon. */
static void no_objects(void **state)
{
	static const serve_t bad[] = { say_wrong, refuse, say_nothing_and_go, wrong_kernel };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct client *c = begin(bad[i]);
		struct view v = { 0 };

		assert_int_equal(client_load(c, &v), CLI_NO_DAEMON);
		end(c);
		view_free(&v);
	}
}

/* The objects and no more: who scrapes is told that it broke off, and by what. */
static int objects_only(sd_bus_message *m)
{
	const char *what = sd_bus_message_get_member(m);

	return strcmp(what, "GetAll") == 0 || strcmp(what, "GetManagedObjects") == 0
		       ? load_then_change(m)
		       : refuse(m);
}

static void scrapes_that_break_off(void **state)
{
	static const enum scrape_kind kinds[] = { SCRAPE_METRICS, SCRAPE_OPENMETRICS,
		SCRAPE_HISTORY };
	char why[SCRAPE_WHY_MAX], *text = NULL;
	size_t len = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		child = fork();
		assert_true(child >= 0);
		if (child == 0)
			be_daemon(objects_only);
		assert_int_equal(
			scrape(dir, kinds[i], USEC_PER_SEC, &text, &len, why), -ECONNRESET);
		assert_string_equal(why, "mediakitd broke off: it is \\x1b[31mdown");
		assert_null(text);
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, NULL, 0), child);
	}
	assert_int_equal(
		scrape("/nonexistent", SCRAPE_STATUS, USEC_PER_SEC, &text, &len, why), -ENOTCONN);
	assert_non_null(strstr(why, "does not answer on its socket in /nonexistent"));
}

/* The pool ---- */

static int bad_memory(sd_bus_message *m)
{
	/* A phase of no daemon. */
	if (strcmp(sd_bus_message_get_member(m), "BalloonInputs") == 0)
		return sd_bus_reply_method_return(m, "tttutta(ssbttttuttttttttttt)", 1, 2, 3, 4, 5,
			6, 1, "vm", "dancing", 1, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
	return sd_bus_reply_method_return(m, "ss", "hold", "x");
}

static void memory_of_another_form(void **state)
{
	struct session s = { .guest = "vm" };

	(void)state;
	s.client = begin(bad_memory);
	assert_int_equal(memory_dry_run(&s), CLI_FAILED);
	assert_int_equal(memory_record(&s, "/dev/null", USEC_PER_SEC, USEC_PER_SEC), CLI_FAILED);
	assert_int_equal(
		memory_record(&s, "/nonexistent/x", USEC_PER_SEC, USEC_PER_SEC), CLI_FAILED);
	end(s.client);
	s.client = begin(refuse);
	assert_int_equal(memory_dry_run(&s), CLI_NOT_RUNNING);
	assert_int_equal(
		memory_record(&s, "/dev/null", USEC_PER_SEC, USEC_PER_SEC), CLI_NOT_RUNNING);
	end(s.client);
	s.client = begin(say_wrong);
	assert_int_equal(memory_record(&s, "/dev/null", USEC_PER_SEC, USEC_PER_SEC), CLI_FAILED);
	end(s.client);
}

static unsigned samples;       /* taken so far, in the daemon's process */
static unsigned samples_until; /* it ends after this one */
static const char *name_told;

/* At 5 s, then at 7 s, ...: a guest, and the one whose name is asked for. */
static int pool(sd_bus_message *m)
{
	sd_bus_message *reply = NULL;
	const uint64_t now = (5 + 2 * samples) * USEC_PER_SEC, n = 1000;
	const char *const names[] = { "first", name_told };
	int r = sd_bus_message_new_method_return(m, &reply);

	if (r >= 0)
		r = sd_bus_message_append(reply, "tttutt", now, 8 * n, 4 * n, 123u, 2 * n, n);
	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "(ssbttttuttttttttttt)");
	for (uint64_t i = 0; r >= 0 && i < ARRAY_SIZE(names); i++)
		r = sd_bus_message_append(reply, "(ssbttttuttttttttttt)", names[i], "booting",
			(int)i, 10 * n, 9 * n, 2 * n, 3 * n, 100u, 7 * n, 6 * n, 5 * n, 4 * n, n,
			i, i + 1, i + 2, i + 3, i + 4, i + 5);
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	return r < 0 || ++samples == samples_until ? -EIO : 0;
}

static char said[4096];
static int said_before[2];
static FILE *said_to;

static void listen_to_us(void)
{
	said_to = tmpfile();
	assert_non_null(said_to);
	(void)fflush(stdout);
	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
		said_before[fd - STDOUT_FILENO] = dup(fd);
		(void)dup2(fileno(said_to), fd);
	}
}

static void heard(void)
{
	(void)fflush(stdout);
	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
		(void)dup2(said_before[fd - STDOUT_FILENO], fd);
		(void)close(said_before[fd - STDOUT_FILENO]);
	}
	rewind(said_to);
	said[fread(said, 1, sizeof(said) - 1, said_to)] = '\0';
	(void)fclose(said_to);
}

static int record(struct session *s, const char *file, usec_t interval, usec_t span)
{
	listen_to_us();
	int r = memory_record(s, file, interval, span);
	heard();
	return r;
}

/* What is written down is what was told, by the same daemon's reader. */
static void memory_is_recorded(void **state)
{
	struct session s = { .guest = "vm" };
	struct trace_reader reader;
	struct trace_row row;

	(void)state;
	samples_until = 0;
	name_told = "vm";
	s.client = begin(pool);
	assert_int_equal(
		record(&s, "-", 10 * USEC_PER_MSEC, 15 * USEC_PER_MSEC), CLI_OK);
	assert_int_equal(trace_open(&reader, "it", said, strlen(said)), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(trace_next(&reader, &row), 1);
		assert_string_equal(row.guest, "vm");
		assert_int_equal(row.time, i * 2 * USEC_PER_SEC);
		assert_int_equal(row.pool.total_kib, 8000);
		assert_int_equal(row.pool.available_kib, 4000);
		assert_int_equal(row.pool.psi_some_avg10, 123);
		assert_int_equal(row.pool.critical_kib, 1000);
		assert_int_equal(row.in.phase, BALLOON_BOOTING);
		assert_true(row.in.tcg);
		assert_int_equal(row.in.max_kib, 10000);
		assert_int_equal(row.in.weight, 100);
		assert_int_equal(row.in.actual_kib, 7000);
		assert_int_equal(row.in.caches_kib, 1000);
		assert_int_equal(row.in.override_kib, 6);
	}
	assert_int_equal(trace_next(&reader, &row), 0);
	/* Nobody's alone: all of them. */
	s.guest = NULL;
	assert_int_equal(record(&s, "-", USEC_PER_SEC, 1), CLI_OK);
	assert_int_equal(trace_open(&reader, "it", said, strlen(said)), 0);
	assert_int_equal(trace_next(&reader, &row), 1);
	assert_string_equal(row.guest, "first");
	assert_int_equal(trace_next(&reader, &row), 1);
	assert_string_equal(row.guest, "vm");
	assert_int_equal(trace_next(&reader, &row), 0);
	/* Where there is no room: with the first sample, or at the end. */
	assert_int_equal(record(&s, "/dev/full", USEC_PER_SEC, USEC_PER_SEC), CLI_FAILED);
	assert_non_null(strstr(said, "mediakitd balloon: "));
	assert_non_null(strstr(said, strerror(EIO)));
	assert_int_equal(record(&s, "/dev/full", USEC_PER_SEC, 0), CLI_FAILED);
	assert_non_null(strstr(said, strerror(ENOSPC)));
	end(s.client);
}

static void memory_of_no_name(void **state)
{
	static const char *const names[] = { "a,b", "a\nb", "\033[2J",
		"a-name-that-is-longer-than-that-of-any-guest-could-be-and-then-so-much-longer" };
	struct session s = { 0 };

	(void)state;
	assert_true(strlen(names[3]) > SPEC_NAME_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		name_told = names[i];
		s.client = begin(pool);
		assert_int_equal(record(&s, "-", USEC_PER_SEC, USEC_PER_SEC), CLI_FAILED);
		assert_non_null(strstr(said, "the daemon's answer is not understood"));
		assert_null(strchr(said, '\033'));
		end(s.client);
	}
}

/* Between two samples. */
static void memory_of_one_that_ends(void **state)
{
	struct session s = { 0 };
	char path[64];
	struct stat st;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/trace", dir);
	name_told = "vm";
	samples_until = 1;
	s.client = begin(pool);
	assert_int_equal(record(&s, path, USEC_PER_SEC, 10 * USEC_PER_SEC), CLI_NO_DAEMON);
	samples_until = 0;
	/* What was there is not lost. */
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size > 200);
	assert_int_equal(unlink(path), 0);
	end(s.client);
}

static int would_do(sd_bus_message *m)
{
	const uint64_t kib = 1024;

	return sd_bus_reply_method_return(m, "ssttttt", "give\033[2J", "host\nneed", 1024 * kib,
		512 * kib, 256 * kib, 64 * kib, 16 * kib);
}

static void memory_in_words(void **state)
{
	struct session s = { .guest = "vm" };

	(void)state;
	s.client = begin(would_do);
	listen_to_us();
	int r = memory_dry_run(&s);
	heard();
	assert_int_equal(r, CLI_OK);
	assert_string_equal(said,
		"vm: would give\\x1b[2J from 1.0 GiB to 512 MiB: host\\x0aneed; floor 256 MiB, "
		"could spare 64 MiB; the host needs 16 MiB\n");
	end(s.client);
}

static void memory_of_one_that_is_down(void **state)
{
	struct view_guest g = { .name = "vm", .state = "stopped", .memory_actual = VIEW_ABSENT };
	struct session s = { .guest = "vm" };

	(void)state;
	the_guest = &g;
	assert_int_equal(memory_show(&s), CLI_NOT_RUNNING);
	strcpy(g.state, "running");
	assert_int_equal(memory_show(&s), CLI_FAILED);
	g.memory_actual = 4096;
	strcpy(g.balloon_reason, "host need");
	assert_int_equal(memory_show(&s), CLI_OK);
	static const struct {
		const char *mode, *says;
		uint64_t target;
	} rows[] = { { "auto", "vm: 4 MiB of 8 MiB, automatic\n", 0 },
		{ "manual", "vm: 4 MiB of 8 MiB, manual\n", 0 },
		{ "auto", "vm: 4 MiB of 8 MiB, set by hand\n", 4096 } };
	g.balloon_reason[0] = '\0';
	g.memory_configured = 8192;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		strcpy(g.balloon_mode, rows[i].mode);
		g.memory_target = rows[i].target;
		listen_to_us();
		int r = memory_show(&s);
		heard();
		assert_int_equal(r, CLI_OK);
		assert_string_equal(said, rows[i].says);
	}
}

/* Doors ---- */

/* No memory for the first steps, no descriptor: said, and nothing is left open. */
static void opened_without(void **state)
{
	struct rlimit before, few;
	int fd = dup(STDIN_FILENO);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	for (alloc.next = 0; ALLOC_COUNTS && alloc.next < 3; alloc.next++) {
		struct client *c = NULL;

		alloc_arm();
		int r = client_open_quietly(dir, CLIENT_STATUS, &c);
		assert_true(alloc_disarm());
		assert_true(r == CLI_FAILED || r == CLI_NO_DAEMON);
		assert_null(c);
		if (alloc.next > 0)
			close(accept(listener, NULL, NULL));
		int again = dup(STDIN_FILENO);
		assert_int_equal(again, fd);
		close(again);
	}
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = (struct rlimit){ (rlim_t)fd, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	struct client *c = NULL;
	int r = client_open_quietly(dir, CLIENT_STATUS, &c);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(r, CLI_NO_DAEMON);
	assert_null(c);
}

static void doors_that_do_not_open(void **state)
{
	char path[256], old[sizeof(path)];
	struct client *c = NULL;

	(void)state;
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(client_open(path, CLIENT_STATUS, &c), CLI_USAGE);
	assert_int_equal(client_open("/nonexistent", CLIENT_STATUS, &c), CLI_NO_DAEMON);
	assert_int_equal(client_open_quietly("/nonexistent", CLIENT_CONTROL, &c), CLI_NO_DAEMON);
	/* Without a socket of its own it is the system bus that may know the daemon. */
	(void)setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
	if (access(BUS_RUNTIME_DEFAULT "/" BUS_SOCKET_CONTROL, F_OK) < 0)
		assert_int_equal(
			client_open(BUS_RUNTIME_DEFAULT, CLIENT_CONTROL, &c), CLI_NO_DAEMON);
	assert_null(c);
	client_close(NULL);

	/* Whose queue is full: a daemon that was stopped. */
	int fds[64];
	unsigned n = 0;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/" BUS_SOCKET_STATUS, dir);
	snprintf(old, sizeof(old), "%s", address.sun_path);
	for (int r = 0; n < ARRAY_SIZE(fds) && r == 0; n++) {
		fds[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		r = connect(fds[n], (const struct sockaddr *)&address, sizeof(address));
	}
	assert_true(n < ARRAY_SIZE(fds));
	assert_int_equal(client_open(dir, CLIENT_STATUS, &c), CLI_NO_DAEMON);
	assert_null(c);
	while (n > 0)
		close(fds[--n]);
	/* Root may use any door. */
	if (geteuid() == 0)
		return;
	assert_int_equal(chmod(old, 0), 0);
	assert_int_equal(client_open(dir, CLIENT_STATUS, &c), CLI_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_answers),
		cmocka_unit_test(wrong_kernels),
		cmocka_unit_test(spoiled_counters),
		cmocka_unit_test(more_than_there_can_be),
		cmocka_unit_test(an_event_of_another_form),
		cmocka_unit_test(waiting),
		cmocka_unit_test(scrapes_that_break_off),
		cmocka_unit_test(opened_without),
		cmocka_unit_test(good_answers),
		cmocka_unit_test(signals_in_their_order),
		cmocka_unit_test(the_end),
		cmocka_unit_test(a_signal_of_another_form),
		cmocka_unit_test(no_objects),
		cmocka_unit_test(memory_of_another_form),
		cmocka_unit_test(memory_is_recorded),
		cmocka_unit_test(memory_of_no_name),
		cmocka_unit_test(memory_of_one_that_ends),
		cmocka_unit_test(memory_in_words),
		cmocka_unit_test(memory_of_one_that_is_down),
		cmocka_unit_test(doors_that_do_not_open),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
