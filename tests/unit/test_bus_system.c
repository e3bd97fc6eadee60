/* SPDX-License-Identifier: Apache-2.0 */
/* The system bus: a message bus of the test's own, with a polkit that says what the test wants. */
/* LINK: base bus core/console core/cputune_names core/operation core/event core/eventring core/decision core/sight core/tally model policy cli/client_read cli/fields cli/view */
/* LIBS: libsystemd libcbor inih jansson */
#include "unit/bus_world.h"

#include "bus/polkit.h"

#include <dlfcn.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static struct {
	pid_t bus;
	sd_bus *polkit;
	int allowed, challenge;
	bool silent; /* it is asked and does not answer */
	bool fails;     /* it answers with an error */
	unsigned raves; /* or with what is no answer, of two kinds */
	unsigned asked;
	char action[64];
	uint32_t flags;
} host;

/* What the log said: refusals each, and how many more there were. */
static unsigned refusals_told, refusals_summed;

static void count_line(int level, const char *guest, const char *service, const char *line)
{
	unsigned more = 0;

	(void)level, (void)guest, (void)service;
	refusals_told += strstr(line, "polkit does not allow") != NULL;
	if (sscanf(line, "polkit: %u calls more were refused", &more) == 1)
		refusals_summed += more;
}

/* Time that passes where a test wants it to; the loop's own timers have another clock. */
static time_t later;

int clock_gettime(clockid_t clock, struct timespec *ret)
{
	int r = (int)syscall(SYS_clock_gettime, clock, ret);

	if (clock == CLOCK_BOOTTIME)
		ret->tv_sec += later;
	return r;
}

/* No room for a message that was allowed. */
static bool queue_is_full;

int sd_bus_enqueue_for_read(sd_bus *b, sd_bus_message *m)
{
	int (*real)(sd_bus *, sd_bus_message *) =
		(__typeof__(real))dlsym(RTLD_NEXT, "sd_bus_enqueue_for_read");

	return queue_is_full ? -ENOMEM : real(b, m);
}

static const char bus_config[] =
	"<busconfig><type>custom</type><listen>unix:path=%s/bus</listen>"
	"<auth>EXTERNAL</auth><policy context=\"default\"><allow own=\"*\"/>"
	"<allow send_destination=\"*\"/><allow receive_sender=\"*\"/></policy></busconfig>";

static int on_check(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const char *kind, *key, *sender, *action;

	(void)userdata, (void)error;
	assert_true(sd_bus_message_is_method_call(
			    m, "org.freedesktop.PolicyKit1.Authority", "CheckAuthorization") > 0);
	host.asked++;
	assert_true(sd_bus_message_read(m, "(sa{sv})s", &kind, 1, &key, "s", &sender, &action) > 0);
	assert_string_equal(kind, "system-bus-name");
	assert_int_equal(sender[0], ':');
	snprintf(host.action, sizeof(host.action), "%s", action);
	assert_true(sd_bus_message_skip(m, "a{ss}") >= 0);
	assert_true(sd_bus_message_read(m, "u", &host.flags) > 0);
	if (host.silent)
		return 1;
	if (host.fails)
		return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_FAILED, "no such action");
	if (host.raves)
		return host.raves++ % 2 ? sd_bus_reply_method_return(m, "s", "yes")
					: sd_bus_reply_method_return(m, "(bs)", 1, "yes");
	return sd_bus_reply_method_return(m, "(bba{ss})", host.allowed, host.challenge, 0);
}

/* Until the pipe of --print-address speaks, the bus is not there. */
static void start_message_bus(void)
{
	char path[64], text[512], line[256];
	int out[2];

	snprintf(path, sizeof(path), "%s/bus.conf", world->dir);
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	snprintf(text, sizeof(text), bus_config, world->dir);
	fputs(text, f);
	fclose(f);
	assert_int_equal(pipe(out), 0);
	host.bus = fork();
	if (host.bus == 0) {
		snprintf(text, sizeof(text), "--config-file=%s", path);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out[1], STDOUT_FILENO);
		/* It says that it may not raise its limits. */
		if (!freopen("/dev/null", "w", stderr))
			_exit(127);
		execlp("dbus-daemon", "dbus-daemon", text, "--nofork", "--print-address", NULL);
		_exit(127);
	}
	close(out[1]);
	assert_true(read(out[0], line, sizeof(line)) > 0);
	close(out[0]);
	unlink(path);
}

static void stop_message_bus(void)
{
	char path[64];

	kill(host.bus, SIGKILL);
	assert_int_equal(waitpid(host.bus, NULL, 0), host.bus);
	host.bus = 0;
	snprintf(path, sizeof(path), "%s/bus", world->dir);
	unlink(path);
}

static sd_bus *on_bus(void)
{
	sd_bus *b = NULL;

	assert_true(sd_bus_open_system(&b) >= 0);
	assert_true(sd_bus_attach_event(b, world->event, 0) >= 0);
	return b;
}

static int setup_host(void **state)
{
	char address[64];

	memset(&host, 0, sizeof(host));
	setup(state);
	snprintf(address, sizeof(address), "unix:path=%s/bus", world->dir);
	setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
	return 0;
}

static int teardown_host(void **state)
{
	if (host.polkit)
		sd_bus_close_unref(host.polkit);
	bus_free(world->bus);
	world->bus = NULL;
	if (host.bus)
		stop_message_bus();
	return teardown(state);
}

static void start_polkit(void)
{
	host.polkit = on_bus();
	/* No table of methods: sd-bus would let no answer out that is none. */
	assert_true(sd_bus_add_object(host.polkit, NULL, "/org/freedesktop/PolicyKit1/Authority",
			    on_check, NULL) >= 0);
	assert_true(sd_bus_request_name(host.polkit, "org.freedesktop.PolicyKit1", 0) >= 0);
}

/* Waits for events of the bus; a test that waits for nothing fails after ten seconds. */
static void until(const bool *done, const unsigned *n)
{
	for (unsigned i = 0; i < 1000 && !(done ? *done : *n > 0); i++)
		assert_true(sd_event_run(world->event, 10 * USEC_PER_MSEC) >= 0);
	assert_true(done ? *done : *n > 0);
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const char *name, *old, *new;

	(void)error;
	assert_true(sd_bus_message_read(m, "sss", &name, &old, &new) > 0);
	if (strcmp(name, BUS_NAME) == 0 && *new)
		*(bool *)userdata = true;
	return 0;
}

/* Our name is on the bus. */
static void until_there(sd_bus *b)
{
	bool there = false;
	sd_bus_slot *slot = NULL;

	assert_true(sd_bus_match_signal(b, &slot, "org.freedesktop.DBus", NULL,
			    "org.freedesktop.DBus", "NameOwnerChanged", on_owner, &there) >= 0);
	if (sd_bus_get_name_creds(b, BUS_NAME, 0, NULL) < 0)
		until(&there, NULL);
	sd_bus_slot_unref(slot);
}

static void call(sd_bus *b, struct answer_box *box, const char *interface, const char *method,
	bool interactive)
{
	sd_bus_message *m = NULL;

	*box = (struct answer_box){ 0 };
	assert_true(sd_bus_message_new_method_call(b, &m, BUS_NAME,
			    strcmp(interface, BUS_IFACE_GUEST) == 0 ? guest_object : BUS_PATH,
			    interface, method) >= 0);
	sd_bus_message_set_allow_interactive_authorization(m, interactive);
	assert_true(sd_bus_call_async(b, NULL, m, on_answer, box, UINT64_MAX) >= 0);
	sd_bus_message_unref(m);
	until(NULL, &box->n);
}

static sd_bus *ready_caller(void)
{
	start_message_bus();
	sd_bus *b = on_bus();
	assert_int_equal(bus_join_system(world->bus), 0);
	until_there(b);
	return b;
}

static void polkit_is_asked_for_writes_only(void **state)
{
	struct answer_box box;
	sd_bus *b = ready_caller();

	(void)state;
	start_polkit();
	call(b, &box, BUS_IFACE_MANAGER, "Ping", false);
	assert_null(sd_bus_message_get_error(box.m));
	sd_bus_message_unref(box.m);
	assert_int_equal(host.asked, 0);

	host.allowed = 1;
	core.message = "it runs already";
	call(b, &box, BUS_IFACE_GUEST, "Start", true);
	assert_text(&box, "it runs already");
	assert_int_equal(host.asked, 1);
	assert_string_equal(host.action, "com.pointsav.MediaKit1.manage-guest");
	assert_int_equal(host.flags, 1);
	assert_int_equal(core.requests, 1);

	/* Nothing is kept of it: the next call is asked about again. */
	host.allowed = 0;
	call(b, &box, BUS_IFACE_GUEST, "Kill", false);
	assert_error(&box, SD_BUS_ERROR_ACCESS_DENIED, NULL);
	assert_string_equal(host.action, "com.pointsav.MediaKit1.kill-guest");
	assert_int_equal(host.flags, 0);
	host.challenge = 1;
	call(b, &box, BUS_IFACE_GUEST, "Stop", false);
	assert_error(&box, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, NULL);
	assert_int_equal(core.requests, 1);
	assert_int_equal(host.asked, 3);
	sd_bus_close_unref(b);
}

/* More callers than may wait, and none of them wants an answer: none gets through. */
static void a_crowd_is_refused_without_a_word(void **state)
{
	struct answer_box box;
	sd_bus *b = ready_caller();

	(void)state;
	start_polkit();
	host.silent = true;
	for (unsigned i = 0; i < POLKIT_PENDING_MAX + 8; i++) {
		sd_bus_message *m = NULL;

		assert_true(sd_bus_message_new_method_call(
				    b, &m, BUS_NAME, guest_object, BUS_IFACE_GUEST, "Kill") >= 0);
		assert_true(sd_bus_message_set_expect_reply(m, 0) >= 0);
		assert_true(sd_bus_send(b, m, NULL) >= 0);
		sd_bus_message_unref(m);
	}
	/* Messages of one caller come in their order. */
	call(b, &box, BUS_IFACE_MANAGER, "Ping", false);
	assert_null(sd_bus_message_get_error(box.m));
	sd_bus_message_unref(box.m);
	assert_int_equal(core.requests, 0);
	sd_bus_close_unref(b);
}

/* What polkit is asked about is kept until it answers: a message of many MiB is not. */
static void a_large_write_is_not_kept(void **state)
{
	static char much[1u << 20];
	static const char *const signatures[] = { "s", "ay", "tttttttt", "a{sv}", "v" };
	struct answer_box box;
	sd_bus *b = ready_caller();

	(void)state;
	start_polkit();
	host.silent = true;
	memset(much, 'x', sizeof(much) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(signatures); i++) {
		sd_bus_message *m = NULL;
		int r = -1;

		assert_true(sd_bus_message_new_method_call(
				    b, &m, BUS_NAME, guest_object, BUS_IFACE_GUEST, "Stop") >= 0);
		if (i == 0)
			r = sd_bus_message_append(m, "s", much);
		else if (i == 1)
			r = sd_bus_message_append_array(m, 'y', much, sizeof(much));
		else if (i == 2)
			r = sd_bus_message_append(m, signatures[i], UINT64_C(1), UINT64_C(1),
				UINT64_C(1), UINT64_C(1), UINT64_C(1), UINT64_C(1), UINT64_C(1),
				UINT64_C(1));
		else if (i == 3)
			r = sd_bus_message_append(m, "a{sv}", 1, "key", "s", much);
		else
			r = sd_bus_message_append(m, "v", "s", much);
		assert_true(r >= 0);
		box = (struct answer_box){ 0 };
		assert_true(sd_bus_call_async(b, NULL, m, on_answer, &box, UINT64_MAX) >= 0);
		sd_bus_message_unref(m);
		until(NULL, &box.n);
		assert_error(&box, SD_BUS_ERROR_INVALID_ARGS, NULL);
	}
	assert_int_equal(host.asked, 0);
	assert_int_equal(core.requests, 0);
	sd_bus_close_unref(b);
}

/* Who asks for what he may not do fills no journal with it. */
static void refusals_are_told_a_few_times(void **state)
{
	struct answer_box box;
	sd_bus *b = ready_caller();
	unsigned before = refusals_told, summed = refusals_summed;

	(void)state;
	start_polkit();
	for (unsigned i = 0; i < 40; i++) {
		call(b, &box, BUS_IFACE_GUEST, "Stop", false);
		assert_error(&box, SD_BUS_ERROR_ACCESS_DENIED, NULL);
	}
	assert_int_equal(host.asked, 40);
	assert_in_range(refusals_told - before, 1, 12);
	/* None is lost: with the next that is told it is said how many were not. */
	for (unsigned n = 41; n <= 42; n++) {
		later += 7;
		call(b, &box, BUS_IFACE_GUEST, "Stop", false);
		assert_error(&box, SD_BUS_ERROR_ACCESS_DENIED, NULL);
		assert_int_equal(refusals_told - before + refusals_summed - summed, n);
	}
	sd_bus_close_unref(b);
}

static void without_polkit_only_root(void **state)
{
	struct answer_box box;
	sd_bus *b = ready_caller();

	(void)state;
	core.message = "done";
	call(b, &box, BUS_IFACE_GUEST, "Stop", false);
	if (geteuid() == 0)
		assert_text(&box, "done");
	else
		assert_error(&box, SD_BUS_ERROR_ACCESS_DENIED, NULL);
	assert_int_equal(core.requests, geteuid() == 0);
	sd_bus_close_unref(b);
}

/* The operation goes on; only nobody waits for its answer any more. */
static void a_caller_that_goes_is_forgotten(void **state)
{
	struct answer_box box;
	sd_bus *b = ready_caller(), *other = on_bus();
	struct operations *waiting = &world->guests[0].operations;

	(void)state;
	start_polkit();
	host.allowed = 1;
	core.result = 1;
	assert_true(sd_bus_call_method_async(other, NULL, BUS_NAME, guest_object, BUS_IFACE_GUEST,
			    "Stop", on_answer, &box, "") >= 0);
	for (unsigned i = 0; i < 1000 && waiting->n == 0; i++)
		assert_true(sd_event_run(world->event, 10 * USEC_PER_MSEC) >= 0);
	assert_int_equal(waiting->n, 1);
	sd_bus_close_unref(other);
	for (unsigned i = 0; i < 1000 && waiting->n > 0; i++)
		assert_true(sd_event_run(world->event, 10 * USEC_PER_MSEC) >= 0);
	assert_int_equal(waiting->n, 0);
	assert_int_equal(core.requests, 1);
	sd_bus_close_unref(b);
}

/* A bus that is not there at the start, comes, dies and returns. */
static void the_bus_comes_and_goes(void **state)
{
	struct answer_box box;

	(void)state;
	assert_int_equal(bus_join_system(world->bus), 0);
	run_dry();
	start_message_bus();
	sd_bus *b = on_bus();
	until_there(b);
	call(b, &box, BUS_IFACE_MANAGER, "Ping", false);
	assert_null(sd_bus_message_get_error(box.m));
	sd_bus_message_unref(box.m);
	sd_bus_close_unref(b);

	stop_message_bus();
	sd_bus *local = caller("status");
	ask(local, &box, BUS_PATH, BUS_IFACE_MANAGER, "Ping", "", 0);
	assert_int_equal(box.n, 1);
	sd_bus_message_unref(box.m);
	hang_up(local);

	start_message_bus();
	b = on_bus();
	until_there(b);
	sd_bus_close_unref(b);
}

/* No answer, or none that can be read, is no leave. */
static void a_polkit_that_is_ill(void **state)
{
	struct answer_box box;
	sd_bus *b = ready_caller();

	(void)state;
	start_polkit();
	host.allowed = 1;
	host.fails = true;
	call(b, &box, BUS_IFACE_GUEST, "Stop", false);
	assert_error(&box, SD_BUS_ERROR_ACCESS_DENIED, NULL);
	host.fails = false;
	for (host.raves = 1; host.raves < 3;) {
		call(b, &box, BUS_IFACE_GUEST, "Stop", false);
		assert_error(&box, SD_BUS_ERROR_ACCESS_DENIED, NULL);
	}
	assert_int_equal(host.asked, 3);
	assert_int_equal(core.requests, 0);
	sd_bus_close_unref(b);
}

/* Its caller is told, and the question is forgotten: more of them than may wait leave room. */
static void an_allowed_call_that_finds_no_room(void **state)
{
	struct answer_box box;
	sd_bus *b = ready_caller();

	(void)state;
	start_polkit();
	host.allowed = 1;
	core.message = "it runs already";
	queue_is_full = true;
	for (unsigned i = 0; i < POLKIT_PENDING_MAX + 1; i++) {
		call(b, &box, BUS_IFACE_GUEST, "Start", false);
		assert_error(&box, SD_BUS_ERROR_NO_MEMORY, NULL);
	}
	queue_is_full = false;
	assert_int_equal(core.requests, 0);
	call(b, &box, BUS_IFACE_GUEST, "Start", false);
	assert_text(&box, "it runs already");
	assert_int_equal(core.requests, 1);
	sd_bus_close_unref(b);
}

/* An error, and no question that waits for its answer, nor a caller who is let through. */
static void what_cannot_be_asked(void **state)
{
	sd_bus *b = ready_caller(), *unstarted = NULL;
	sd_bus_message *m = NULL;
	struct polkit *p;

	(void)state;
	assert_true(sd_bus_message_new_method_call(
			    b, &m, BUS_NAME, guest_object, BUS_IFACE_GUEST, "Stop") >= 0);
	assert_true(sd_bus_new(&unstarted) >= 0);
	p = polkit_new(unstarted);
	assert_non_null(p);
	for (unsigned i = 0; i < POLKIT_PENDING_MAX + 1; i++)
		assert_int_equal(polkit_check(p, m), -ENOTCONN);
	polkit_free(p);
	polkit_free(NULL);
	sd_bus_unref(unstarted);
	sd_bus_message_unref(m);
	sd_bus_close_unref(b);
}

/* A second daemon, or somebody else's name: the private sockets serve all the same. */
static void the_name_is_taken(void **state)
{
	struct answer_box box;

	(void)state;
	start_message_bus();
	sd_bus *b = on_bus();
	assert_true(sd_bus_request_name(b, BUS_NAME, 0) >= 0);
	assert_int_equal(bus_join_system(world->bus), 0);
	for (unsigned i = 0; i < 1000 && world->bus->system.delay == 0; i++)
		assert_true(sd_event_run(world->event, 10 * USEC_PER_MSEC) >= 0);
	/* It was refused, left, and will come again. */
	assert_true(world->bus->system.delay > 0);
	assert_null(world->bus->peers);
	sd_bus *local = caller("status");
	ask(local, &box, BUS_PATH, BUS_IFACE_MANAGER, "Ping", "", 0);
	assert_int_equal(box.n, 1);
	sd_bus_message_unref(box.m);
	hang_up(local);
	sd_bus_close_unref(b);
}

/* The loop's end, which must not wait for anybody; sd-bus's own flush would for 25 s and more. */
static void loop_ends(void)
{
	const usec_t began = now_boottime();

	bus_leave_loop(world->bus);
	assert_true(sd_event_exit(world->event, 7) >= 0);
	assert_int_equal(sd_event_loop(world->event), 7);
	assert_true(now_boottime() - began < 5 * USEC_PER_SEC);
}

/* Somebody listens there, lets us in, and says nothing. */
static void a_bus_that_never_says_hello(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/bus", world->dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(bus_join_system(world->bus), 0);
	for (unsigned i = 0; i < 1000 && !world->bus->peers; i++)
		assert_true(sd_event_run(world->event, 10 * USEC_PER_MSEC) >= 0);
	assert_non_null(world->bus->peers);
	loop_ends();
	close(fd);
	assert_int_equal(unlink(address.sun_path), 0);
}

static void a_caller_that_does_not_read(void **state)
{
	static const char hello[] = "\0AUTH ANONYMOUS\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n";
	uint64_t queued = 0;
	int fd = dial("status");

	(void)state;
	assert_int_equal(send(fd, hello, sizeof(hello) - 1, 0), sizeof(hello) - 1);
	run_dry();
	for (unsigned i = 0; i < 10000 && queued == 0; i++) {
		world->guests[0].dirty = true;
		changed();
		run_dry();
		assert_non_null(world->bus->peers);
		assert_true(sd_bus_get_n_queued_write(
				    world->bus->peers->connection, &queued) >= 0);
	}
	assert_true(queued > 0);
	loop_ends();
	close(fd);
	bus_leave_loop(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			polkit_is_asked_for_writes_only, setup_host, teardown_host),
		cmocka_unit_test_setup_teardown(
			without_polkit_only_root, setup_host, teardown_host),
		cmocka_unit_test_setup_teardown(
			a_crowd_is_refused_without_a_word, setup_host, teardown_host),
		cmocka_unit_test_setup_teardown(
			refusals_are_told_a_few_times, setup_host, teardown_host),
		cmocka_unit_test_setup_teardown(
			a_large_write_is_not_kept, setup_host, teardown_host),
		cmocka_unit_test_setup_teardown(
			a_caller_that_goes_is_forgotten, setup_host, teardown_host),
		cmocka_unit_test_setup_teardown(a_polkit_that_is_ill, setup_host, teardown_host),
		cmocka_unit_test_setup_teardown(
			an_allowed_call_that_finds_no_room, setup_host, teardown_host),
		cmocka_unit_test_setup_teardown(what_cannot_be_asked, setup_host, teardown_host),
		cmocka_unit_test_setup_teardown(the_name_is_taken, setup_host, teardown_host),
		cmocka_unit_test_setup_teardown(the_bus_comes_and_goes, setup_host, teardown_host),
		cmocka_unit_test_setup_teardown(
			a_bus_that_never_says_hello, setup_host, teardown_host),
		cmocka_unit_test_setup_teardown(
			a_caller_that_does_not_read, setup_host, teardown_host),
	};

	log_set_sink(count_line);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
