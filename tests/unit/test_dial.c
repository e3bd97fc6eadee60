/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting to the daemon where that fails: each call in turn, and nothing is left open. The
 * system bus is the test's. */
/* LINK: base cli/dial */
/* LIBS: libsystemd */
#include "cli/dial.h"

#include "base/macro.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* The call that fails, with this; it does nothing otherwise where only its answer matters. */
static const char *fails;
static int error;

static int answer(const char *name)
{
	return fails && strcmp(fails, name) == 0 ? error : 0;
}

int socket(int domain, int type, int protocol)
{
	errno = -answer("socket");
	return errno ? -1 : (int)syscall(SYS_socket, domain, type, protocol);
}

int sd_bus_set_method_call_timeout(sd_bus *bus, uint64_t usec)
{
	assert_non_null(bus);
	assert_true(usec == DIAL_ANSWER_WITHIN);
	return answer("timeout");
}

int sd_bus_open_system(sd_bus **ret)
{
	int r = answer("open");

	return r < 0 ? r : sd_bus_new(ret);
}

int sd_bus_get_name_creds(sd_bus *bus, const char *name, uint64_t mask, sd_bus_creds **ret)
{
	(void)bus, (void)mask, (void)ret;
	assert_string_equal(name, "com.pointsav.MediaKit1");
	return answer("name");
}

int sd_bus_set_allow_interactive_authorization(sd_bus *bus, int b)
{
	(void)bus;
	assert_int_equal(b, 1);
	return answer("interactive");
}

int sd_bus_add_match(sd_bus *bus, sd_bus_slot **slot, const char *match,
	sd_bus_message_handler_t callback, void *userdata)
{
	(void)bus, (void)slot, (void)callback, (void)userdata;
	assert_string_equal(match, "type='signal',sender='com.pointsav.MediaKit1'");
	return answer("match");
}

static unsigned open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n;
}

static void fail_with(const char *call, int with)
{
	fails = call;
	error = with;
}

static void a_socket(void **state)
{
	static const struct {
		const char *call;
		int error;
	} rows[] = { { "socket", -EMFILE }, { "timeout", -ENOMEM } };
	char dir[] = "/tmp/test_dial.XXXXXX", path[64];
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	sd_bus *bus = NULL;

	(void)state;
	fail_with(NULL, 0);
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/status", dir);
	assert_int_equal(dial_socket(path, &bus), -ENOENT);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(dial_socket(path, &bus), -ECONNREFUSED);
	assert_int_equal(listen(fd, 4), 0);
	unsigned before = open_files();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		fail_with(rows[i].call, rows[i].error);
		assert_int_equal(dial_socket(path, &bus), rows[i].error);
		assert_null(bus);
		assert_int_equal(open_files(), before);
	}
	fail_with(NULL, 0);
	assert_int_equal(dial_socket(path, &bus), 0);
	/* And it goes while we wait for its greeting. */
	(void)close(fd);
	assert_true(dial_wait_ready(bus) < 0);
	sd_bus_close_unref(bus);
	(void)unlink(path);
	(void)rmdir(dir);
}

static void the_system_bus(void **state)
{
	static const char *const calls[] = { "open", "name", "interactive", "timeout", "match" };
	unsigned before = open_files();
	sd_bus *bus = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		fail_with(calls[i], -ENXIO);
		assert_int_equal(dial_system_bus(&bus), -ENXIO);
		assert_null(bus);
	}
	fail_with(NULL, 0);
	assert_int_equal(dial_system_bus(&bus), 0);
	assert_non_null(bus);
	sd_bus_close_unref(bus);
	assert_int_equal(open_files(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_socket),
		cmocka_unit_test(the_system_bus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
