/* SPDX-License-Identifier: Apache-2.0 */
/* Callers that do not read, crowd the door or talk nonsense; and the console, which such a
 * caller may hold. */
/* LINK: base bus core/console core/cputune_names core/operation core/event core/eventring core/decision core/sight core/tally model policy cli/client_read cli/fields cli/view */
/* LIBS: libsystemd libcbor inih jansson */
#include "unit/bus_world.h"

#include <sys/resource.h>

static void whoever_does_not_read_is_dropped(void **state)
{
	sd_bus *b = caller("status"), *good = caller("status");
	struct heard heard = { 0 };

	(void)state;
	sd_bus_add_filter(good, NULL, on_signal, &heard);
	assert_true(sd_bus_detach_event(b) >= 0);
	for (unsigned i = 0; i < 2000; i++) {
		world->guests[0].dirty = true;
		changed();
		run_dry();
	}
	assert_int_equal(heard.changed, 2000);
	assert_int_equal(world->bus->n_peers[BUS_DOOR_STATUS], 1);
	hang_up(b);
	hang_up(good);
}

static void a_full_door(void **state)
{
	int fds[BUS_PEERS_STATUS_MAX + 1], controls[BUS_PEERS_CONTROL_MAX + 1];
	char byte;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = dial("status");
		run_dry();
	}
	/* The oldest made room. */
	assert_int_equal(world->bus->n_peers[BUS_DOOR_STATUS], BUS_PEERS_STATUS_MAX);
	assert_int_equal(recv(fds[0], &byte, 1, 0), 0);
	assert_int_equal(recv(fds[ARRAY_SIZE(fds) - 1], &byte, 1, 0), -1);

	for (size_t i = 0; i < ARRAY_SIZE(controls); i++) {
		controls[i] = dial("control");
		run_dry();
	}
	/* The newest was refused: what the others wait for is not cut off. */
	assert_int_equal(recv(controls[0], &byte, 1, 0), -1);
	assert_int_equal(recv(controls[ARRAY_SIZE(controls) - 1], &byte, 1, 0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	for (size_t i = 0; i < ARRAY_SIZE(controls); i++)
		close(controls[i]);
	run_dry();
	assert_null(world->bus->peers);
}

/* Whoever is in goes on being served, and what the daemon itself must open is left to it. */
static void the_last_descriptors_are_kept(void **state)
{
	sd_bus *good = caller("status");
	struct rlimit before, few;
	struct view v = { 0 };
	char byte;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	int fd = dial("status");
	/* The next is the first of the peer's, and one of these would be among the last. */
	few = (struct rlimit){ (rlim_t)fd + BUS_DESCRIPTORS_PEER + BUS_DESCRIPTORS_KEPT,
		before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	run_dry();
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	close(fd);
	load(good, &v);
	assert_int_equal(v.n_guests, 2);
	view_free(&v);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	sd_bus *late = caller("status");
	assert_int_equal(world->bus->n_peers[BUS_DOOR_STATUS], 2);
	hang_up(late);
	hang_up(good);
}

static void noise_ends_only_its_own_connection(void **state)
{
	static const char noise[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n\r\n\r\n\r\n";
	sd_bus *good = caller("status");
	int fd = dial("status");
	struct view v = { 0 };

	(void)state;
	assert_true(send(fd, noise, sizeof(noise), MSG_NOSIGNAL) > 0);
	run_dry();
	assert_int_equal(world->bus->n_peers[BUS_DOOR_STATUS], 1);
	close(fd);
	load(good, &v);
	assert_int_equal(v.n_guests, 2);
	view_free(&v);
	hang_up(good);
}

static int open_console(sd_bus *b, unsigned tail)
{
	struct answer_box box;
	int fd = -1;

	ask(b, &box, guest_object, BUS_IFACE_GUEST, "OpenConsole", "u", tail);
	assert_int_equal(box.n, 1);
	assert_null(sd_bus_message_get_error(box.m));
	assert_true(sd_bus_message_read(box.m, "h", &fd) > 0);
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	sd_bus_message_unref(box.m);
	return fd;
}

static void assert_received(int fd, const char *text)
{
	char buf[128];

	ssize_t n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	buf[n] = '\0';
	assert_string_equal(buf, text);
}

static void the_console_goes_both_ways(void **state)
{
	struct console *c = &world->guests[0].console;
	struct answer_box box;
	sd_bus *b = caller("control");
	char byte;

	(void)state;
	console_write(c, "Linux version 6.12\n", 19, 0);
	int fd = open_console(b, 5);
	assert_received(fd, "6.12\n");
	/* The line outlives the connection that asked for it. */
	hang_up(b);
	console_write(c, "login: ", 7, 0);
	run_dry();
	assert_received(fd, "login: ");
	assert_int_equal(send(fd, "root\r", 5, 0), 5);
	run_dry();
	assert_memory_equal(core.keys, "root\r", 5);
	close(fd);
	run_dry();
	assert_null(world->bus->relays);

	b = caller("control");
	int all[CONSOLE_LISTENERS];
	for (unsigned i = 0; i < CONSOLE_LISTENERS; i++)
		all[i] = open_console(b, 0);
	ask(b, &box, guest_object, BUS_IFACE_GUEST, "OpenConsole", "u", 0);
	assert_error(&box, BUS_ERROR_BUSY, NULL);
	/* A guest that goes takes its lines along, and the others stay. */
	console_free(c);
	memset(c, 0, sizeof(*c));
	core.removes = true;
	struct guest *gone = world->list[0];
	world->list[0] = world->list[1];
	world->list[1] = gone;
	ask(b, &box, BUS_PATH, BUS_IFACE_MANAGER, "Reload", "", 0);
	sd_bus_message_unref(box.m);
	assert_null(world->bus->relays);
	for (unsigned i = 0; i < CONSOLE_LISTENERS; i++) {
		assert_int_equal(recv(all[i], &byte, 1, 0), 0);
		close(all[i]);
	}
	hang_up(b);
}

static void a_slow_reader_of_the_console_is_dropped(void **state)
{
	struct console *c = &world->guests[0].console;
	sd_bus *b = caller("control");
	int fd = open_console(b, 0), quick = open_console(b, 0);
	char line[1024];
	size_t got = 0;
	ssize_t n;

	(void)state;
	memset(line, 'x', sizeof(line));
	for (unsigned i = 0; i < 2048; i++) {
		console_write(c, line, sizeof(line), 0);
		run_dry();
		while ((n = recv(quick, line, sizeof(line), MSG_DONTWAIT)) > 0)
			got += (size_t)n;
	}
	assert_int_equal(got, 2048 * sizeof(line));
	unsigned listening = 0;
	for (unsigned i = 0; i < CONSOLE_LISTENERS; i++)
		listening += c->listeners[i].listener != NULL;
	assert_int_equal(listening, 1); /* the quick one */
	close(fd);
	close(quick);
	hang_up(b);
}

/* Found out in whichever way: as it is written to, or as it is read from. */
static void a_reader_that_hangs_up(void **state)
{
	struct console *c = &world->guests[0].console;
	sd_bus *b = caller("control");
	char byte;

	(void)state;
	for (int written = 0; written < 2; written++) {
		int fd = open_console(b, 0), other = open_console(b, 0);

		close(fd);
		if (written)
			console_write(c, "login: ", 7, 0);
		run_dry();
		console_write(c, "again", 5, 0);
		assert_true(recv(other, &byte, 1, MSG_DONTWAIT) == 1);
		unsigned listening = 0;
		for (unsigned i = 0; i < CONSOLE_LISTENERS; i++)
			listening += c->listeners[i].listener != NULL;
		assert_int_equal(listening, 1);
		close(other);
		run_dry();
		assert_null(world->bus->relays);
	}
	/* The daemon ends: the line is closed, and the console hears of it. */
	int fd = open_console(b, 0);
	hang_up(b);
	bus_free(world->bus);
	world->bus = NULL;
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
	close(fd);
	for (unsigned i = 0; i < CONSOLE_LISTENERS; i++)
		assert_null(c->listeners[i].listener);
	assert_int_equal(bus_new(world->event, &world->supervisor, world->dir, &world->bus), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(whoever_does_not_read_is_dropped),
		TEST(a_full_door),
		TEST(the_last_descriptors_are_kept),
		TEST(noise_ends_only_its_own_connection),
		TEST(the_console_goes_both_ways),
		TEST(a_slow_reader_of_the_console_is_dropped),
		TEST(a_reader_that_hangs_up),
	};

	log_set_sink(take_line);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
