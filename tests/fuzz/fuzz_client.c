/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the command's side: a daemon that says anything. What is then in the view can be printed,
 * as a screen and as JSON. */
/* clang-format off */
/* LINK: base model/utf8 model/glibc cli/client cli/dial cli/client_read cli/counters cli/fields cli/json cli/screen cli/story cli/table cli/tally cli/term cli/view cli/words */
/* clang-format on */
/* LIBS: libsystemd jansson smartcols */
#include "replay.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/macro.h"
#include "bus_wire.h"
#include "cli/client.h"
#include "cli/client_read.h"
#include "cli/json.h"
#include "cli/screen.h"
#include "cli/story.h"
#include "cli/tally.h"
#include "cli/term.h"
#include "model/utf8.h"

#ifndef FUZZ_REPLAY
/* sd-bus believes a header that promises 128 MiB, and asks for them again with every read. That
 * costs a command nothing until so much has come. But AddressSanitizer notes each byte in an eighth
 * of one, and copies all of them each time, which goes past the fuzzers' limit. So here there is
 * no memory for more than any message of theirs can need, and sd-bus has to bear that. */
#define REALLOC_MAX (4u * 1024u * 1024u)

void *__interceptor_realloc(void *p, size_t size);
void *realloc(void *p, size_t size)
{
	if (size > REALLOC_MAX) {
		errno = ENOMEM;
		return NULL;
	}
	return __interceptor_realloc(p, size);
}
#endif

static char dir[] = "/tmp/fuzz-client.XXXXXX";
static int listener = -1;
static FILE *nowhere;

static void clean_up(void)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "%s/" BUS_SOCKET_STATUS, dir);
	(void)unlink(path);
	(void)rmdir(dir);
}

static void listen_once(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (listener >= 0)
		return;
	require(mkdtemp(dir) != NULL, "there is a directory");
	(void)atexit(clean_up);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/" BUS_SOCKET_STATUS, dir);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	require(bind(listener, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
			listen(listener, 8) == 0,
		"there is a socket");
	nowhere = fopen("/dev/null", "w");
	require(nowhere != NULL, "there is /dev/null");
	/* What the command tells a person about each broken connection is not looked at. */
	stderr = nowhere;
}

#define CHECK(text)                                                                                \
	require(strnlen(text, sizeof(text)) < sizeof(text) && utf8_printable(text, strlen(text)),  \
		"a text can be printed")

static void check_guest(const struct view_guest *g)
{
	CHECK(g->name);
	CHECK(g->state);
	CHECK(g->reason);
	CHECK(g->boot_hint);
	CHECK(g->exit_words);
	for (unsigned i = 0; i < g->n_services; i++) {
		CHECK(g->services[i].name);
		CHECK(g->services[i].depends_on);
		CHECK(g->services[i].reason);
		CHECK(g->services[i].version);
	}
}

static void check_view(const struct view *v)
{
	static const struct style style = {
		.terminal = true, .color = true, .utf8 = true, .width = 60
	};

	CHECK(v->version);
	CHECK(v->connection_message);
	CHECK(v->store_trouble);
	for (unsigned i = 0; i < v->n_guests; i++)
		check_guest(&v->guests[i]);
	require(json_print(nowhere, v, NULL, true) == 0, "it can be written as JSON");
	screen_print(nowhere, v, NULL, &style);
}

/* The daemon's end says all it has to say at once and hangs up, so nothing waits. */
static void say(struct client *client, const struct wire *wire)
{
	static const char hello[] = "OK 0123456789abcdef0123456789abcdef\r\nAGREE_UNIX_FD\r\n";
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	require(fd >= 0, "the client has come");
	const int room = 2 * WIRE_MAX;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	(void)send(fd, hello, sizeof(hello) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	/* A daemon says no more until the client has ended the handshake, and sd-bus 252 aborts
	 * where one does. */
	(void)client_wait(client, 0);
	(void)send(fd, wire->bytes, wire->len, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)shutdown(fd, SHUT_WR);
	/* Closed only later: until then the client's questions have somewhere to go. */
	static int last = -1;
	if (last >= 0)
		(void)close(last);
	last = fd;
}

static void check_event(void *userdata, const struct view_event *e)
{
	(void)userdata;
	CHECK(e->guest);
	CHECK(e->kind);
	CHECK(e->service);
	CHECK(e->cause);
	CHECK(e->text);
}

static void on_event(void *userdata, sd_bus_message *m)
{
	struct view_event e;

	if (story_read_event(m, &e) >= 0)
		check_event(userdata, &e);
}

static void check_decision(void *userdata, const struct view_decision *d)
{
	(void)userdata;
	CHECK(d->topic);
	CHECK(d->rule);
	CHECK(d->inputs);
	CHECK(d->action);
}

static void check_line(bool is_fault, const char *line)
{
	(void)is_fault;
	require(utf8_printable(line, strlen(line)), "a line can be printed");
}

static void load_and_follow(struct client *client)
{
	struct view view = { 0 };

	client_on_event(client, on_event, NULL);
	if (client_load(client, &view) == 0)
		while (client_wait(client, 0) > 0)
			;
	check_view(&view);
	client_close(client);
	view_free(&view);
}

static void check_counts(const struct counts *c)
{
	require(c->n <= COUNTS_MAX, "no more words than there is room for");
	for (unsigned i = 0; i < c->n; i++)
		CHECK(c->rows[i].word);
}

static void ask_counters(struct client *client, struct client_reply *reply)
{
	struct counters c;

	if (client_counters(client, &c, reply) < 0)
		return;
	for (unsigned i = 0; i < c.n_guests; i++) {
		CHECK(c.guests[i].name);
		check_counts(&c.guests[i].exits);
		for (unsigned j = 0; j < c.guests[i].n_services; j++) {
			CHECK(c.guests[i].services[j].name);
			check_counts(&c.guests[i].services[j].verdicts);
		}
	}
	counters_free(&c);
}

static void ask_history(struct client *client, struct client_reply *reply)
{
	static struct history h;

	if (client_history(client, "a", &h, reply) < 0)
		return;
	require(h.n <= HISTORY_POINTS_MAX && h.n_services <= VIEW_SERVICES_MAX, "it has room");
	for (unsigned i = 0; i < h.n_services; i++) {
		CHECK(h.services[i].name);
		require(h.services[i].n <= HISTORY_POINTS_MAX, "so has each row");
	}
}

static void ask_console(struct client *client, struct client_reply *reply)
{
	char *text = NULL;
	size_t len;

	if (client_console_tail(client, "a", &text, &len, reply) == 0)
		require(text[len] == '\0', "the tail is a text");
	free(text);
}

/* What is asked first: the answer to anything else finds nobody who waits. */
static void ask(struct client *client, unsigned what)
{
	struct client_reply reply = { 0 };
	bool ok;
	int fd;

	switch (what) {
	case 1:
		(void)client_events(client, NULL, 0, 0, STORY_MAX, check_event, NULL, &reply);
		break;
	case 2:
		(void)client_why(client, "a", "", check_decision, NULL, &reply);
		break;
	case 3:
		ask_counters(client, &reply);
		break;
	case 4:
		ask_history(client, &reply);
		break;
	case 5:
		(void)client_reload(client, check_line, &ok, &reply);
		break;
	case 6:
		ask_console(client, &reply);
		break;
	default:
		if (client_console_open(client, "a", 1, &fd, &reply) == 0)
			(void)close(fd);
	}
	CHECK(reply.message);
	client_close(client);
}

/* The first byte: 1 rows (bus_wire.h), and above it what is asked, 0 for what `status` asks. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct wire wire;
	struct client *client = NULL;

	if (size == 0)
		return 0;
	listen_once();
	wire_fill(&wire, data, size);
	require(client_open(dir, CLIENT_STATUS, &client) == 0, "the socket takes connections");
	say(client, &wire);
	if (data[0] / 2 % 8 == 0)
		load_and_follow(client);
	else
		ask(client, data[0] / 2 % 8);
	return 0;
}
