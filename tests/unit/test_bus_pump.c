/* SPDX-License-Identifier: Apache-2.0 */
/* Strangers who send too much, too slowly, too often, or leave in the middle; and what the others
 * notice of it. */
/* clang-format off */
/* LINK: base bus core/console core/cputune_names core/operation core/event core/eventring core/decision core/sight core/tally model policy cli/client_read cli/fields cli/view */
/* clang-format on */
/* LIBS: libsystemd libcbor inih jansson */
#include "unit/bus_world.h"

#include <sys/resource.h>

static const char hello[] = "\0AUTH ANONYMOUS\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n";

/* What is there to read is read and counted. */
static size_t swallow(int fd, bool *ret_end)
{
	static uint8_t bytes[65536];
	size_t total = 0;
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		total += (size_t)n;
	if (ret_end)
		*ret_end = n == 0;
	return total;
}

/* As much as is taken; the rest is not waited for. */
static size_t pour(int fd, const void *data, size_t len)
{
	size_t sent = 0;
	ssize_t n = 1;

	while (sent < len && n > 0) {
		n = send(fd, (const uint8_t *)data + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		sent += n > 0 ? (size_t)n : 0;
		run_dry();
		if (n < 0 && errno == EAGAIN)
			n = send(fd, (const uint8_t *)data + sent, len - sent,
				MSG_NOSIGNAL | MSG_DONTWAIT),
			sent += n > 0 ? (size_t)n : 0;
	}
	return sent;
}

static int knock(const char *door)
{
	int fd = dial(door);

	assert_int_equal(pour(fd, hello, sizeof(hello) - 1), sizeof(hello) - 1);
	assert_true(swallow(fd, NULL) > 0);
	return fd;
}

static size_t put_header(uint8_t *at, uint32_t body)
{
	const uint8_t head[16] = { 'l', 1, 0, 1, (uint8_t)body, (uint8_t)(body >> 8),
		(uint8_t)(body >> 16), (uint8_t)(body >> 24), 1 };

	memcpy(at, head, sizeof(head));
	return sizeof(head);
}

/* Manager.Ping as it goes over the wire, with a signature-less body of nothing. */
static size_t put_ping(uint8_t *at, bool wants_reply)
{
	static const struct {
		uint8_t code;
		const char *text;
	} fields[] = { { 1, BUS_PATH }, { 2, BUS_IFACE_MANAGER }, { 3, "Ping" } };
	size_t len = put_header(at, 0);

	at[2] = wants_reply ? 0 : 1;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		uint32_t n = (uint32_t)strlen(fields[i].text);

		while (len % 8)
			at[len++] = 0;
		memcpy(at + len, (uint8_t[]){ fields[i].code, 1, i == 0 ? 'o' : 's', 0 }, 4);
		memcpy(at + len + 4, &n, 4);
		memcpy(at + len + 8, fields[i].text, n + 1);
		len += 9 + n;
	}
	uint32_t fields_len = (uint32_t)(len - 16);
	memcpy(at + 12, &fields_len, 4);
	while (len % 8)
		at[len++] = 0;
	return len;
}

static struct pump *first_pump(void)
{
	assert_non_null(world->bus->peers);
	return world->bus->peers->pump;
}

static void after(usec_t span)
{
	pump_run(first_pump(), now_boottime() + span);
	run_dry();
}

static unsigned at_status(void)
{
	return world->bus->n_peers[BUS_DOOR_STATUS];
}

/* What memory may grow by. A sanitizer keeps what was freed and adds as much of its own, and so
 * does memcheck, as which tests/lib/run-tests may wrap us: it is no measure there. */
static size_t growth(size_t kib)
{
#ifdef __SANITIZE_ADDRESS__
	const bool measured = false;
#else
	const bool measured = !getenv("TEST_WRAPPER");
#endif
	return measured ? kib : kib + (1 << 20);
}

static size_t rss_kib(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*d %ld", &pages), 1);
	fclose(f);
	return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE) / 1024;
}

static void a_message_of_any_size_is_not_collected(void **state)
{
	static uint8_t bytes[8 << 20];
	sd_bus *good = caller("control");
	struct view v = { 0 };

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	(void)put_header(bytes, 100 << 20);
	size_t before = rss_kib();
	for (unsigned i = 0; i < 4; i++) {
		int fd = knock("status");

		assert_true(pour(fd, bytes, sizeof(bytes)) < 1 << 20);
		assert_int_equal(at_status(), 0);
		close(fd);
	}
	assert_in_range(rss_kib(), 0, before + growth(4096));
	load(good, &v);
	assert_int_equal(v.n_guests, 2);
	view_free(&v);
	hang_up(good);
}

/* The most that a crowd can make the daemon hold. */
static void half_messages_are_bounded(void **state)
{
	static uint8_t bytes[DBUSMETER_MESSAGE_MAX];
	int fds[BUS_PEERS_STATUS_MAX];

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	(void)put_header(bytes, sizeof(bytes) - 16);
	size_t before = rss_kib();
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = knock("status");
		assert_int_equal(pour(fds[i], bytes, sizeof(bytes) - 1), sizeof(bytes) - 1);
	}
	assert_int_equal(at_status(), BUS_PEERS_STATUS_MAX);
	size_t grown = rss_kib() - before;
	print_message("%zu half messages: %zu KiB\n", ARRAY_SIZE(fds), grown);
	assert_in_range(grown, 0, growth(8192));
	/* And not for long. */
	for (struct peer *p = world->bus->peers; p; p = p->next)
		pump_run(p->pump, now_boottime() + PUMP_PATIENCE);
	run_dry();
	assert_null(world->bus->peers);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

static void slow_is_over_after_a_while(void **state)
{
	uint8_t ping[256];
	size_t len = put_ping(ping, true);
	bool end;

	(void)state;
	/* Says no hello. */
	int fd = dial("status");
	run_dry();
	after(PUMP_PATIENCE - USEC_PER_SEC);
	assert_int_equal(at_status(), 1);
	after(PUMP_PATIENCE);
	assert_int_equal(at_status(), 0);
	(void)swallow(fd, &end);
	assert_true(end);
	close(fd);

	/* A byte now and then is no message: the clock runs from the first. */
	fd = knock("status");
	after(USEC_PER_DAY);
	assert_int_equal(at_status(), 1); /* silence is nobody's fault */
	for (size_t i = 0; i + 1 < len; i++) {
		assert_int_equal(pour(fd, ping + i, 1), 1);
		after(PUMP_PATIENCE - USEC_PER_SEC);
		assert_int_equal(at_status(), 1);
	}
	after(PUMP_PATIENCE);
	assert_int_equal(at_status(), 0);
	close(fd);

	/* Finished in time it is answered, and whoever looks up late finds the rest. */
	fd = knock("status");
	assert_int_equal(pour(fd, ping, len - 1), len - 1);
	assert_int_equal(send(fd, ping + len - 1, 1, MSG_NOSIGNAL), 1);
	after(PUMP_PATIENCE);
	assert_true(swallow(fd, NULL) > 0);
	assert_int_equal(at_status(), 1);
	close(fd);
	run_dry();
	assert_int_equal(at_status(), 0);
}

static void what_is_no_handshake(void **state)
{
	static uint8_t long_line[DBUSMETER_HANDSHAKE_MAX + 1];

	(void)state;
	memset(long_line + 1, 'x', sizeof(long_line) - 1);
	int fd = dial("status");
	(void)pour(fd, long_line, sizeof(long_line));
	assert_int_equal(at_status(), 0);
	close(fd);

	fd = knock("status");
	(void)pour(fd, "GET / HTTP/1.1\r\n", 16);
	assert_int_equal(at_status(), 0);
	close(fd);

	/* A BEGIN that sd-bus refuses: it still reads lines, and what looks like a message to the
	 * meter would be lines to it, with a large header behind. */
	static const char refused[] = "\0BEGIN\r\n", lines[] = "\r\nAUTH ANONYMOUS\r\nBEGIN\r\n";
	for (unsigned stays = 0; stays < 2; stays++) {
		uint8_t bytes[256];
		size_t len = put_header(bytes, sizeof(lines) - 1 + 64);

		memcpy(bytes + len, lines, sizeof(lines) - 1);
		len += sizeof(lines) - 1;
		len += put_header(bytes + len, 100 << 20);
		memset(bytes + len, 'x', 48);
		len += 48;
		fd = dial("status");
		(void)pour(fd, refused, sizeof(refused) - 1);
		(void)pour(fd, bytes, len);
		assert_int_equal(sd_bus_is_ready(world->bus->peers->connection), 0);
		assert_int_equal(at_status(), 1);
		if (stays)
			after(PUMP_PATIENCE);
		else
			close(fd);
		/* At once: a socket that hung up would keep the loop turning. */
		run_dry();
		assert_int_equal(at_status(), 0);
		if (stays)
			close(fd);
	}
}

/* Wherever the stream is cut, the answers are the same, to the byte. */
static void all_at_once_is_a_conversation_too(void **state)
{
	uint8_t bytes[512];
	size_t len = sizeof(hello) - 1, expected = 0;

	(void)state;
	memcpy(bytes, hello, len);
	len += put_ping(bytes + len, true);
	for (size_t cut = len; cut > 0; cut--) {
		int fd = dial("status");

		assert_int_equal(send(fd, bytes, cut, MSG_NOSIGNAL), cut);
		run_dry();
		size_t heard = swallow(fd, NULL);
		if (cut == len)
			expected = heard;
		else
			assert_int_equal(send(fd, bytes + cut, len - cut, MSG_NOSIGNAL), len - cut);
		run_dry();
		heard += swallow(fd, NULL);
		assert_int_equal(heard, expected);
		assert_int_equal(at_status(), 1);
		close(fd);
		run_dry();
		assert_null(world->bus->peers);
		memset(&world->bus->users, 0, sizeof(world->bus->users));
	}
	/* Which is more than a hello. */
	int fd = knock("status");
	size_t answered = pour(fd, bytes + sizeof(hello) - 1, len - sizeof(hello) + 1);
	assert_int_equal(answered, len - sizeof(hello) + 1);
	assert_in_range(swallow(fd, NULL), 40, expected - 10);
	close(fd);
}

/* Asks as fast as it is let, and reads the answers. */
static size_t flood(int fd, const uint8_t *bytes, size_t len, size_t *ret_heard)
{
	size_t sent = 0, heard = 0;

	for (ssize_t n = 1; n > 0 && sent < len; heard += swallow(fd, NULL)) {
		n = send(fd, bytes + sent, MIN(len - sent, (size_t)2048), MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
		run_dry();
	}
	*ret_heard = heard;
	return sent;
}

#define FLOOD 10000u

/* Ten thousand calls at once, as often as the socket takes them. */
static void a_flood_slows_only_its_sender(void **state)
{
	static uint8_t bytes[FLOOD * 192u];
	size_t len = 0, one, sent, before = 0;
	uint8_t ping[192];

	(void)state;
	one = put_ping(ping, true);
	for (unsigned i = 0; i < FLOOD; i++, len += one)
		memcpy(bytes + len, ping, one);
	int fd = knock("status");
	assert_int_equal(pour(fd, ping, one), one);
	size_t answer = swallow(fd, NULL);
	before = rss_kib();

	/* The burst is answered, and then nothing is read any more. */
	usec_t began = now_boottime();
	size_t heard;
	sent = flood(fd, bytes, len, &heard);
	unsigned most =
		PUMP_REQUESTS_BURST + (unsigned)((now_boottime() - began) / pump_rule.every);
	assert_in_range(heard / answer, PUMP_REQUESTS_BURST - 1, most + 1);
	assert_true(sent < 1 << 20);
	assert_int_equal(at_status(), 1);
	assert_in_range(rss_kib(), 0, before + growth(2048));

	/* In another bucket nothing of it is felt. */
	sd_bus *good = caller("control");
	struct view v = { 0 };
	usec_t asked = now_boottime();
	load(good, &v);
	assert_in_range(now_boottime() - asked, 0, 2 * USEC_PER_SEC);
	assert_int_equal(v.n_guests, 2);
	view_free(&v);
	hang_up(good);

	/* It goes on by itself, ten tokens in a tenth of a second; and no timer is so late that it
	 * would be four in a second. */
	began = now_boottime();
	for (heard = 0; heard < 10 * answer; heard += swallow(fd, NULL))
		(void)sd_event_run(world->event, 50 * USEC_PER_MSEC);
	assert_in_range(now_boottime() - began, 0, 2 * USEC_PER_SEC);

	/* It goes on as tokens come, one for one. */
	assert_int_equal(swallow(fd, NULL) / answer > 100, false);
	for (unsigned i = 1; i <= 3; i++) {
		after(i * USEC_PER_SEC);
		heard = swallow(fd, NULL) / answer;
		assert_in_range(heard, i == 1 ? 1 : 20, PUMP_REQUESTS_PER_SEC + 50);
	}
	/* Gone while it waits: not a turn of the loop longer. */
	close(fd);
	run_dry();
	assert_int_equal(at_status(), 0);
}

/* A second connection of the flooding user has no bucket of its own, and no less of it. */
static void a_user_has_one_bucket(void **state)
{
	static uint8_t bytes[5000 * 192];
	uint8_t ping[192];
	size_t one = put_ping(ping, true), len = 0, heard;

	(void)state;
	for (unsigned i = 0; i < 5000; i++, len += one)
		memcpy(bytes + len, ping, one);
	int noisy = knock("status");
	assert_true(flood(noisy, bytes, len, &heard) < len);
	int other = knock("status");
	usec_t asked = now_boottime();
	(void)pour(other, ping, one);
	/* Not yet, unless the machine slept; but second in the line, whatever the other asks. */
	if (now_boottime() - asked < pump_rule.every / 2)
		assert_int_equal(swallow(other, NULL), 0);
	assert_ptr_equal(world->bus->peers->user, world->bus->peers->next->user);
	assert_in_range(
		world->bus->peers->user->rate.used, pump_rule.burst + 1, pump_rule.burst + 2);
	after(4 * pump_rule.every);
	assert_true(swallow(other, NULL) > 0);
	/* Coming back does not fill it. */
	close(other);
	close(noisy);
	run_dry();
	assert_null(world->bus->peers);
	other = knock("status");
	assert_true(world->bus->peers->user->rate.used > pump_rule.burst / 2);
	/* The other door has its own, and so has another user. */
	int control = knock("control");
	assert_int_equal(world->bus->peers->user->rate.used, 0);
	struct user *stranger = user_enter(&world->bus->users, BUS_DOOR_STATUS, 4321);
	assert_int_equal(stranger->rate.used, 0);
	user_leave(stranger);
	close(control);
	close(other);
}

static void places_of_users(void **state)
{
	static struct users u;
	struct user *all[USERS_MAX];

	(void)state;
	memset(&u, 0, sizeof(u));
	for (unsigned i = 0; i < USERS_MAX; i++) {
		all[i] = user_enter(&u, BUS_DOOR_STATUS, i);
		assert_non_null(all[i]);
		all[i]->rate.used = 1 + (i + 7) % USERS_MAX;
	}
	assert_null(user_enter(&u, BUS_DOOR_STATUS, USERS_MAX));
	assert_ptr_equal(user_enter(&u, BUS_DOOR_STATUS, 5), all[5]);
	user_leave(all[5]);
	for (unsigned i = 0; i < USERS_MAX; i++)
		user_leave(all[i]);
	assert_ptr_equal(user_enter(&u, BUS_DOOR_STATUS, 5), all[5]);
	assert_int_equal(all[5]->rate.used, 13);
	/* Who owes least is forgotten first. */
	assert_ptr_equal(user_enter(&u, BUS_DOOR_CONTROL, 5), all[USERS_MAX - 7]);
	assert_int_equal(all[USERS_MAX - 7]->rate.used, 0);
}

/* Descriptors towards the daemon go nowhere, and stay open nowhere. */
static void nobody_passes_descriptors_in(void **state)
{
	uint8_t ping[192];
	size_t len = put_ping(ping, true);
	int fd = knock("control"), pipes[2];
	char byte, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { ping, len };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };

	(void)state;
	assert_int_equal(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &pipes[1], sizeof(int));
	assert_int_equal(sendmsg(fd, &m, MSG_NOSIGNAL), len);
	close(pipes[1]);
	run_dry();
	assert_int_equal(read(pipes[0], &byte, 1), 0); /* nobody holds the other end */
	assert_true(swallow(fd, NULL) > 0);
	close(pipes[0]);
	close(fd);
}

static void the_caller_is_who_connected(void **state)
{
	struct answer_box box;
	sd_bus *b = caller("control");

	(void)state;
	world->bus->peers->uid = 4321;
	world->bus->peers->pid = 99;
	ask(b, &box, guest_object, BUS_IFACE_GUEST, "Start", "", 0);
	assert_int_equal(box.n, 1);
	sd_bus_message_unref(box.m);
	assert_string_equal(core.who, "uid 4321, pid 99");
	hang_up(b);
}

/* A pump alone, whose reader the test is. */
struct alone {
	bool ready;
	unsigned drops;
	char why[64];
	struct ratelimit rate;
	struct pump *pump;
	int stranger, reader;
};

static bool alone_ready(void *userdata)
{
	return ((struct alone *)userdata)->ready;
}

static void alone_dropped(void *userdata, const char *why)
{
	struct alone *a = userdata;

	a->drops++;
	snprintf(a->why, sizeof(a->why), "%s", why);
}

static int alone_begin(struct alone *a)
{
	const struct pump_owner owner = {
		.ready = alone_ready, .dropped = alone_dropped, .userdata = a, .rate = &a->rate
	};
	int pair[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	a->stranger = pair[0];
	a->reader = -1;
	int r = pump_new(world->event, pair[1], &owner, now_boottime(), &a->pump, &a->reader);
	/* Where it fails the socket is still the caller's. */
	if (r < 0) {
		assert_int_equal(close(pair[1]), 0);
		close(a->stranger);
	}
	return r;
}

static void alone_end(struct alone *a)
{
	pump_free(a->pump);
	pump_free(NULL);
	close(a->stranger);
	if (a->reader >= 0)
		close(a->reader);
}

/* sd-bus says that messages come, and the meter has seen no end of the handshake. */
static void two_who_disagree(void **state)
{
	struct alone a = { .ready = true };

	(void)state;
	assert_int_equal(alone_begin(&a), 0);
	assert_int_equal(send(a.stranger, "\0AUTH", 5, 0), 5);
	run_dry();
	assert_int_equal(a.drops, 1);
	assert_string_equal(a.why, "does not speak D-Bus");
	alone_end(&a);
}

static void a_reader_that_is_gone(void **state)
{
	struct alone a = { 0 };

	(void)state;
	assert_int_equal(alone_begin(&a), 0);
	close(a.reader);
	a.reader = -1;
	assert_int_equal(send(a.stranger, "\0AUTH", 5, 0), 5);
	run_dry();
	assert_int_equal(a.drops, 1);
	assert_string_equal(a.why, strerror(EPIPE));
	alone_end(&a);
}

/* What does not fit waits, and goes when there is room, every byte of it. */
static void a_reader_that_is_slow(void **state)
{
	static uint8_t bytes[65536];
	struct alone a = { 0 };
	size_t sent = sizeof(hello) - 1, read_ = 0;

	(void)state;
	assert_int_equal(alone_begin(&a), 0);
	assert_int_equal(send(a.stranger, hello, sent, 0), sent);
	run_dry();
	a.ready = true;
	memset(bytes, 0, sizeof(bytes));
	size_t len = put_header(bytes, 60000) + 60000;
	sent += pour(a.stranger, bytes, len);
	for (unsigned i = 0; i < 1000 && read_ < sizeof(hello) - 1 + len; i++) {
		read_ += swallow(a.reader, NULL);
		run_dry();
		if (sent < sizeof(hello) - 1 + len) {
			size_t at = sent - (sizeof(hello) - 1);
			sent += pour(a.stranger, bytes + at, len - at);
		}
	}
	assert_int_equal(a.drops, 0);
	assert_int_equal(read_, sizeof(hello) - 1 + len);
	alone_end(&a);
}

/* Neither a pair nor a watch for it: nothing is kept. */
static void no_descriptor_is_left(void **state)
{
	struct rlimit before, none;
	struct alone a = { 0 };
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	const struct pump_owner owner = { .ready = alone_ready,
		.dropped = alone_dropped,
		.userdata = &a,
		.rate = &a.rate };
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ (rlim_t)pair[1], before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	int r = pump_new(world->event, pair[1], &owner, 0, &a.pump, &a.reader);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(r, -EMFILE);
	assert_null(a.pump);
	/* A file cannot be watched. */
	char path[48];
	snprintf(path, sizeof(path), "%s/file", world->dir);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(
		pump_new(world->event, fd, &owner, 0, &a.pump, &a.reader), -EPERM);
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlink(path), 0);
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_message_of_any_size_is_not_collected),
		TEST(half_messages_are_bounded),
		TEST(slow_is_over_after_a_while),
		TEST(what_is_no_handshake),
		TEST(all_at_once_is_a_conversation_too),
		TEST(a_flood_slows_only_its_sender),
		TEST(a_user_has_one_bucket),
		TEST(places_of_users),
		TEST(nobody_passes_descriptors_in),
		TEST(the_caller_is_who_connected),
		TEST(two_who_disagree),
		TEST(a_reader_that_is_gone),
		TEST(a_reader_that_is_slow),
		TEST(no_descriptor_is_left),
	};

	log_set_sink(take_line);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
