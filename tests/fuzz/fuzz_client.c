/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the command's side: a daemon that says anything. What is then in the view can be printed,
 * as a screen and as JSON. */
/* clang-format off */
/* LINK: base model/utf8 model/glibc cli/client cli/client_read cli/fields cli/json cli/screen cli/table cli/term cli/view cli/words */
/* clang-format on */
/* LIBS: libsystemd jansson smartcols */
#include "replay.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/macro.h"
#include "bus_wire.h"
#include "cli/client.h"
#include "cli/json.h"
#include "cli/screen.h"
#include "cli/term.h"
#include "model/utf8.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct wire wire;
	struct client *client = NULL;
	struct view view = { 0 };

	if (size == 0)
		return 0;
	listen_once();
	wire_fill(&wire, data, size);
	require(client_open(dir, CLIENT_STATUS, &client) == 0, "the socket takes connections");
	say(client, &wire);
	if (client_load(client, &view) == 0)
		while (client_wait(client, 0) > 0)
			;
	check_view(&view);
	client_close(client);
	view_free(&view);
	return 0;
}
