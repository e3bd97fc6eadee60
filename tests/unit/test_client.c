/* SPDX-License-Identifier: Apache-2.0 */
/* The command's connection, against a daemon that says all it has to say at once. */
/* clang-format off */
/* LINK: base model/utf8 model/glibc cli/client cli/dial cli/client_read cli/fields cli/json cli/screen cli/table cli/term cli/view cli/words */
/* clang-format on */
/* LIBS: libsystemd jansson smartcols */
#include "cli/client.h"

#include "fuzz/bus_wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/verb.h"
#include "cli/view.h"

static char dir[] = "/tmp/test_client.XXXXXX";
static int listener;

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

/* A message with a body; `answers` is the call's number, or 0 for a signal. */
static void put(struct wire *w, uint8_t answers, const char *interface, const char *member,
	const char *types, const struct wire *body)
{
	const uint8_t head[] = { 'l', answers ? 2 : 4, 1, 1 };
	const size_t start = w->len;

	wire_put(w, head, sizeof(head));
	wire_u32(w, (uint32_t)body->len);
	wire_u32(w, 100 + answers);
	const size_t length_at = w->len;
	wire_u32(w, 0);
	const size_t fields_at = w->len;
	if (answers) {
		const uint8_t reply[] = { 5, 1, 'u', 0, answers, 0, 0, 0 };
		wire_put(w, reply, sizeof(reply));
	} else {
		wire_field(w, start, 1, "o", BUS_PATH_GUESTS "/a");
		wire_field(w, start, 2, "s", interface);
		wire_field(w, start, 3, "s", member);
	}
	wire_field(w, start, 8, "g", types);
	const uint32_t fields = (uint32_t)(w->len - fields_at);
	memcpy(w->bytes + length_at, &fields, sizeof(fields));
	wire_align(w, start, 8);
	wire_put(w, body->bytes, body->len);
}

/* It follows the objects at once, so that it waits in the queue when they have been read: it must
 * not be lost, because nobody will say it again. */
static void a_signal_behind_the_objects(void **state)
{
	static const char hello[] = "OK 0123456789abcdef0123456789abcdef\r\nAGREE_UNIX_FD\r\n";
	static struct wire all, none, change;
	struct client *client = NULL;
	struct view v = { 0 };

	(void)state;
	wire_put(&none, "\0\0\0\0\0\0\0", 8);
	wire_u32(&change, sizeof(BUS_IFACE_GUEST) - 1);
	wire_put(&change, BUS_IFACE_GUEST, sizeof(BUS_IFACE_GUEST));
	wire_align(&change, 0, 4);
	wire_u32(&change, 0);
	wire_align(&change, 0, 8);
	wire_u32(&change, 0);
	put(&all, 1, NULL, NULL, "a{sv}", &none);
	put(&all, 2, NULL, NULL, "a{oa{sa{sv}}}", &none);
	put(&all, 0, "org.freedesktop.DBus.Properties", "PropertiesChanged", "sa{sv}as", &change);

	assert_int_equal(client_open(dir, CLIENT_STATUS, &client), 0);
	int fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	assert_true(send(fd, hello, sizeof(hello) - 1, 0) > 0);
	(void)client_wait(client, 0);
	assert_int_equal(send(fd, all.bytes, all.len, 0), all.len);
	assert_int_equal(client_load(client, &v), 0);
	(void)client_wait(client, 0);
	assert_int_equal(v.n_guests, 1);
	assert_string_equal(v.guests[0].name, "a");
	client_close(client);
	view_free(&v);
	close(fd);
}

/* A socket that listens for a process that does not run: the kernel takes the connection. */
static void a_daemon_that_is_stopped(void **state)
{
	struct client *client = NULL;
	struct client_reply reply = { 0 };
	struct view v = { 0 };
	bool ok;
	usec_t begin = now_boottime();

	(void)state;
	assert_int_equal(client_open(dir, CLIENT_STATUS, &client), 0);
	assert_int_equal(client_load(client, &v), CLI_NO_DAEMON);
	assert_true(now_boottime() - begin < 10 * USEC_PER_SEC);
	client_close(client);
	view_free(&v);
	begin = now_boottime();
	assert_int_equal(client_open(dir, CLIENT_STATUS, &client), 0);
	assert_int_equal(client_reload(client, NULL, &ok, &reply), -ETIMEDOUT);
	assert_int_equal(reply.status, CLI_NO_DAEMON);
	assert_true(now_boottime() - begin < 10 * USEC_PER_SEC);
	client_close(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signal_behind_the_objects),
		cmocka_unit_test(a_daemon_that_is_stopped), /* leaves connections behind */
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
