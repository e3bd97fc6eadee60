/* SPDX-License-Identifier: Apache-2.0 */
/* Writes seeds for two fuzzers: what a real caller and the real server say to each other, recorded
 * off the wire behind the handshake. `make fuzz-corpus` runs it: record_bus CORPUS */
/* clang-format off */
/* LINK: base bus core/console core/cputune_names core/operation core/event core/eventring core/decision core/sight core/tally model policy cli/client_read cli/fields cli/view */
/* clang-format on */
/* LIBS: libsystemd libcbor inih jansson */
#include "unit/bus_world.h"

#define RECORD_MAX (256u * 1024u)

struct stream {
	uint8_t bytes[RECORD_MAX];
	size_t len;
};

static struct stream said, heard;
static int ours = -1, theirs = -1; /* the recorder stands between the caller and the door */

static bool pass_on(int from, int to, struct stream *s)
{
	uint8_t buf[65536];
	ssize_t n = recv(from, buf, sizeof(buf), MSG_DONTWAIT);

	if (n <= 0)
		return false;
	assert_true(s->len + (size_t)n <= RECORD_MAX);
	memcpy(s->bytes + s->len, buf, (size_t)n);
	s->len += (size_t)n;
	assert_int_equal(send(to, buf, (size_t)n, MSG_NOSIGNAL), n);
	return true;
}

static void relay(void)
{
	bool moved = true;

	while (moved) {
		run_dry();
		moved = pass_on(ours, theirs, &said);
		run_dry();
		moved |= pass_on(theirs, ours, &heard);
	}
}

static sd_bus *recorded_caller(const char *door)
{
	sd_bus *b = NULL;
	int pair[2];

	said.len = heard.len = 0;
	theirs = dial(door);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	ours = pair[1];
	assert_true(sd_bus_new(&b) >= 0 && sd_bus_set_fd(b, pair[0], pair[0]) >= 0 &&
		    sd_bus_set_anonymous(b, 1) >= 0 && sd_bus_negotiate_fds(b, 1) >= 0 &&
		    sd_bus_start(b) >= 0 && sd_bus_attach_event(b, world->event, 0) >= 0);
	relay();
	return b;
}

static void end(sd_bus *b)
{
	sd_bus_close_unref(b);
	(void)close(ours);
	(void)close(theirs);
	run_dry();
}

/* The bytes behind the handshake, after those that the target takes for itself. */
static void write_seed(const char *corpus, const char *target, const char *name, const char *head,
	size_t head_len, const struct stream *s, const char *handshake_end)
{
	const uint8_t *from = memmem(s->bytes, s->len, handshake_end, strlen(handshake_end));
	char path[256];

	assert_non_null(from);
	from += strlen(handshake_end);
	(void)snprintf(path, sizeof(path), "%s/%s/%s", corpus, target, name);
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	(void)fwrite(head, 1, head_len, f);
	(void)fwrite(from, 1, s->len - (size_t)(from - s->bytes), f);
	assert_int_equal(fclose(f), 0);
}

static void send_call(sd_bus *b, const char *path, const char *interface, const char *member,
	const char *types, uint64_t number, bool wants_reply)
{
	sd_bus_message *m = NULL;
	uint64_t cookie;

	assert_true(sd_bus_message_new_method_call(b, &m, NULL, path, interface, member) >= 0);
	if (strcmp(types, "t") == 0)
		assert_true(sd_bus_message_append(m, "t", number) >= 0);
	if (strcmp(types, "u") == 0)
		assert_true(sd_bus_message_append(m, "u", (uint32_t)number) >= 0);
	if (strcmp(types, "ttu") == 0)
		assert_true(sd_bus_message_append(
				    m, "ttu", UINT64_C(0), UINT64_C(0), (uint32_t)number) >= 0);
	if (strcmp(types, "s") == 0)
		assert_true(sd_bus_message_append(m, "s", "") >= 0);
	assert_true(sd_bus_send(b, m, wants_reply ? &cookie : NULL) >= 0);
	sd_bus_message_unref(m);
	relay();
}

/* As client_load() asks, then every signal there is. */
static void record_client(const char *corpus)
{
	sd_bus *b = recorded_caller(BUS_SOCKET_CONTROL);
	sd_bus_message *m = NULL;
	uint64_t cookie;
	struct conf_faults faults = { 0 };
	char *report = NULL;

	assert_true(sd_bus_message_new_method_call(b, &m, NULL, BUS_PATH,
			    "org.freedesktop.DBus.Properties", "GetAll") >= 0 &&
		    sd_bus_message_append(m, "s", BUS_IFACE_MANAGER) >= 0 &&
		    sd_bus_send(b, m, &cookie) >= 0);
	sd_bus_message_unref(m);
	relay();
	send_call(b, BUS_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "", 0,
		true);
	write_seed(corpus, "client", "loaded", "", 1, &heard, "AGREE_UNIX_FD\r\n");
	event_note(&world->guests[0], EVENT_SERVICE, &world->guests[0].services[0], LOG_WARNING,
		"up -> %s", "down");
	world->guests[0].dirty = world->guests[0].services[0].dirty = world->supervisor.dirty =
		true;
	world->supervisor.observer.changed(world->supervisor.observer.userdata, &world->supervisor);
	relay();
	core.removes = true;
	assert_int_equal(supervisor_reload(&world->supervisor, 0, &faults, &report), 0);
	conf_faults_clear(&faults);
	free(report);
	relay();
	core.removes = false;
	world->supervisor.n_guests = 2;
	write_seed(corpus, "client", "followed", "", 1, &heard, "AGREE_UNIX_FD\r\n");
	end(b);
}

/* The answers to what the command asks besides; the first byte: fuzz_client.c. */
static void record_answers(const char *corpus)
{
	static const struct {
		const char *name, *path, *interface, *member, *types, *head;
	} asked[] = {
		{ "events", BUS_PATH, BUS_IFACE_MANAGER, "ListEvents", "ttu", "\2" },
		{ "why", BUS_PATH_GUESTS "/vm_2dmediakit", BUS_IFACE_GUEST, "Why", "s", "\4" },
		{ "counters", BUS_PATH, BUS_IFACE_MANAGER, "Counters", "", "\6" },
		{ "history", BUS_PATH_GUESTS "/vm_2dmediakit", BUS_IFACE_GUEST, "History", "",
			"\10" },
		{ "reloaded", BUS_PATH, BUS_IFACE_MANAGER, "Reload", "", "\12" },
		{ "tail", BUS_PATH_GUESTS "/vm_2dmediakit", BUS_IFACE_GUEST, "ConsoleTail", "",
			"\14" },
		{ "console", BUS_PATH_GUESTS "/vm_2dmediakit", BUS_IFACE_GUEST, "OpenConsole", "u",
			"\16" },
	};

	event_note_daemon(&world->supervisor, EVENT_DAEMON, LOG_INFO, "began");
	why_note(&world->guests[0], WHY_RESTART, "back-off", "start again in 1s", "restarts=%u/3",
		1);
	console_write(&world->guests[0].console, "login: ", 7, 0);
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		sd_bus *b = recorded_caller(BUS_SOCKET_CONTROL);

		send_call(b, asked[i].path, asked[i].interface, asked[i].member, asked[i].types, 9,
			true);
		write_seed(corpus, "client", asked[i].name, asked[i].head, 1, &heard,
			"AGREE_UNIX_FD\r\n");
		end(b);
	}
}

static void record_calls(const char *corpus)
{
	static const struct {
		const char *name, *path, *interface, *member, *types;
		uint64_t number;
	} calls[] = {
		{ "objects", BUS_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
			"", 0 },
		{ "introspect", BUS_PATH, "org.freedesktop.DBus.Introspectable", "Introspect", "",
			0 },
		{ "ping", BUS_PATH, BUS_IFACE_MANAGER, "Ping", "", 0 },
		{ "reload", BUS_PATH, BUS_IFACE_MANAGER, "Reload", "", 0 },
		{ "start", BUS_PATH_GUESTS "/vm_2dmediakit", BUS_IFACE_GUEST, "Start", "", 0 },
		{ "kill", BUS_PATH_GUESTS "/b_2e2", BUS_IFACE_GUEST, "Kill", "", 0 },
		{ "balloon", BUS_PATH_GUESTS "/vm_2dmediakit", BUS_IFACE_GUEST, "SetBalloon", "t",
			1 << 20 },
		{ "reset", BUS_PATH_GUESTS "/vm_2dmediakit", BUS_IFACE_GUEST, "ResetFailed", "",
			0 },
		{ "open-console", BUS_PATH_GUESTS "/vm_2dmediakit", BUS_IFACE_GUEST, "OpenConsole",
			"u", 100 },
		{ "console-tail", BUS_PATH_GUESTS "/vm_2dmediakit", BUS_IFACE_GUEST, "ConsoleTail",
			"", 0 },
		{ "wrong-types", BUS_PATH_GUESTS "/vm_2dmediakit", BUS_IFACE_GUEST, "SetBalloon",
			"u", 1 },
		{ "nobody", BUS_PATH_GUESTS "/nobody", BUS_IFACE_GUEST, "Stop", "", 0 },
	};

	/* The first byte of an input: fuzz_bus.c. */
	static const struct {
		const char *suffix, *head;
	} ways[] = { { "", "\0" }, { "-on-status", "\1" }, { "-that-waits", "\4" },
		{ "-refused", "\30" } };

	console_write(&world->guests[0].console, "login: ", 7, 0);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(calls); i++) {
		size_t n = i / 2;
		bool wants_reply = i % 2 == 0;
		sd_bus *b = recorded_caller(BUS_SOCKET_CONTROL);

		send_call(b, calls[n].path, calls[n].interface, calls[n].member, calls[n].types,
			calls[n].number, wants_reply);
		for (size_t w = 0; w < ARRAY_SIZE(ways); w++) {
			char name[64];

			(void)snprintf(name, sizeof(name), "%s%s%s", calls[n].name, ways[w].suffix,
				wants_reply ? "" : "-unheard");
			write_seed(corpus, "bus", name, ways[w].head, 2, &said, "BEGIN\r\n");
		}
		end(b);
	}
}

/* The handshake itself is the input. */
static void record_handshake(const char *corpus)
{
	sd_bus *b = recorded_caller(BUS_SOCKET_STATUS);

	write_seed(corpus, "bus", "handshake", "\2\0", 2, &said, "");
	end(b);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	log_set_sink(take_line);
	(void)setup(NULL);
	record_client(argv[1]);
	record_answers(argv[1]);
	record_calls(argv[1]);
	record_handshake(argv[1]);
	(void)teardown(NULL);
	return 0;
}
