/* SPDX-License-Identifier: Apache-2.0 */
/* Ports that are free, taken, and whose. Real sockets on loopback; no port is assumed to be
 * free. */
/* LINK: model/utf8 io/ports */
#include "io/ports.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

/* What the kernel may do differently one day; these are found before libc's. */
static struct {
	const char *table;     /* what both tables of sockets hold; NULL: the real ones */
	const char *directory; /* cannot be opened; NULL: all can */
	bool no_option;
} kernel;

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	if (kernel.no_option) {
		errno = ENOBUFS;
		return -1;
	}
	return (int)syscall(SYS_setsockopt, fd, level, name, value, len);
}

FILE *fopen(const char *path, const char *mode)
{
	if (kernel.table && strncmp(path, "/proc/net/", 10) == 0)
		return fmemopen((void *)(uintptr_t)kernel.table, strlen(kernel.table), "r");
	FILE *(*real)(const char *, const char *) =
		(FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, "fopen");
	return real(path, mode);
}

DIR *opendir(const char *path)
{
	if (kernel.directory && strcmp(path, kernel.directory) == 0) {
		errno = ENOENT;
		return NULL;
	}
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? NULL : fdopendir(fd);
}

static int socket_on(int family, const char *address, uint16_t *port, bool listening)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_port = htons(*port) };
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(*port) };
	struct sockaddr *sa =
		family == AF_INET ? (struct sockaddr *)&sin : (struct sockaddr *)&sin6;
	const int reuse = listening; /* as servers do */
	socklen_t len = family == AF_INET ? sizeof(sin) : sizeof(sin6);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
	assert_int_equal(
		inet_pton(family, address,
			family == AF_INET ? (void *)&sin.sin_addr : (void *)&sin6.sin6_addr),
		1);
	if (bind(fd, sa, len) < 0 || (listening && listen(fd, 1) < 0)) {
		int r = -errno;
		close(fd);
		return r;
	}
	assert_int_equal(getsockname(fd, sa, &len), 0);
	*port = ntohs(family == AF_INET ? sin.sin_port : sin6.sin6_port);
	return fd;
}

static void assert_ours(const char *owner, bool listed)
{
	char expected[PORTS_OWNER_MAX] = "";

	if (listed)
		(void)snprintf(expected, sizeof(expected), "pid %d (ports test \\x1b)",
			(int)getpid());
	assert_string_equal(owner, expected);
}

/* What stands in the way of 127.0.0.1 and of 0.0.0.0. The kernel lists no socket that is bound
 * and does not listen. */
static const struct {
	int family;
	const char *address;
	bool listening;
} takers[] = {
	{ AF_INET,  "127.0.0.1", true  },
	{ AF_INET,  "0.0.0.0",   true  },
	{ AF_INET,  "127.0.0.1", false },
	{ AF_INET6, "::",        true  },
};

static void test_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++) {
		char owner[PORTS_OWNER_MAX] = "untouched";
		uint16_t port = 0;
		int fd = socket_on(takers[i].family, takers[i].address, &port, takers[i].listening);

		if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)
			continue; /* no IPv6 here */
		assert_true(fd >= 0);
		assert_int_equal(ports_check("127.0.0.1", port, owner, sizeof(owner)), -EADDRINUSE);
		assert_ours(owner, takers[i].listening);
		assert_int_equal(ports_check("0.0.0.0", port, owner, sizeof(owner)), -EADDRINUSE);
		assert_ours(owner, takers[i].listening);
		close(fd);
		assert_int_equal(ports_check("127.0.0.1", port, owner, sizeof(owner)), 0);
		assert_string_equal(owner, "");
		/* And it let go itself. */
		assert_int_equal(ports_check("127.0.0.1", port, owner, sizeof(owner)), 0);
	}
}

/* The same port on another address is nobody's business. */
static void test_other_address(void **state)
{
	char owner[PORTS_OWNER_MAX];
	uint16_t port = 0;
	int fd = socket_on(AF_INET, "127.0.0.2", &port, true);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ports_check("127.0.0.1", port, owner, sizeof(owner)), 0);
	assert_int_equal(ports_check("127.0.0.2", port, owner, sizeof(owner)), -EADDRINUSE);
	close(fd);
}

/* What a connection leaves behind must not stop a guest's restart: QEMU would get the port too. */
static void test_time_wait(void **state)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	char owner[PORTS_OWNER_MAX];
	uint16_t port = 0;
	int fd = socket_on(AF_INET, "127.0.0.1", &port, true);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	sin.sin_port = htons(port);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(client, (struct sockaddr *)&sin, sizeof(sin)), 0);
	int server = accept(fd, NULL, NULL);
	assert_true(server >= 0);
	close(server);
	close(client);
	close(fd);
	assert_int_equal(ports_check("127.0.0.1", port, owner, sizeof(owner)), 0);
}

static void test_refused(void **state)
{
	char owner[PORTS_OWNER_MAX];

	(void)state;
	assert_int_equal(ports_check("127.0.0.1", 0, owner, sizeof(owner)), -EINVAL);
	assert_int_equal(ports_check("localhost", 80, owner, sizeof(owner)), -EINVAL);
	assert_int_equal(ports_check("::1", 80, owner, sizeof(owner)), -EINVAL);
	assert_int_equal(ports_check("", 80, owner, sizeof(owner)), -EINVAL);
	/* TEST-NET-1: nobody's address (RFC 5737). */
	assert_int_equal(ports_check("192.0.2.1", 8080, owner, sizeof(owner)), -EADDRNOTAVAIL);
	assert_string_equal(owner, "");
}

static void test_small_buffer(void **state)
{
	char owner[8] = "1234567";
	uint16_t port = 0;
	int fd = socket_on(AF_INET, "127.0.0.1", &port, true);

	(void)state;
	assert_int_equal(ports_check("127.0.0.1", port, owner, 6), -EADDRINUSE);
	assert_int_equal(strlen(owner), 5);
	assert_int_equal(owner[6], '7');
	assert_int_equal(ports_check("127.0.0.1", port, NULL, 0), -EADDRINUSE);
	close(fd);
}

static void test_no_descriptor(void **state)
{
	struct rlimit before, none;
	char owner[PORTS_OWNER_MAX] = "untouched";

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ 0, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	int r = ports_check("127.0.0.1", 1, owner, sizeof(owner));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(r, -EMFILE);
	assert_string_equal(owner, "");
}

/* One who connects has a port too, and may be found by it. */
static void test_connected(void **state)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	char owner[PORTS_OWNER_MAX];
	uint16_t port = 0, taken = 0;
	int listener = socket_on(AF_INET, "127.0.0.1", &port, true);
	int client = socket_on(AF_INET, "127.0.0.1", &taken, false);

	(void)state;
	to.sin_port = htons(port);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(ports_check("127.0.0.1", taken, owner, sizeof(owner)), -EADDRINUSE);
	assert_ours(owner, true);
	close(client);
	close(listener);
}

static unsigned long inode_of(int fd)
{
	char path[32], link[64] = "";
	unsigned long inode = 0;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_true(readlink(path, link, sizeof(link) - 1) > 0);
	assert_int_equal(sscanf(link, "socket:[%lu]", &inode), 1);
	return inode;
}

/* Lines that are none of IPv4 or IPv6, or of another port, name nobody; of two that stand in the
 * way, the one that listens does. */
static void test_tables(void **state)
{
	enum whose { NOBODYS, ANOTHERS, OURS };
	static const struct {
		const char *address;
		unsigned state; /* 1: connected, 10: listens */
		enum whose whose;
		bool other_port;
	} lines[] = {
		{ "0100007F00",     10, ANOTHERS, false },
		{ "00000000000000", 10, ANOTHERS, false },
		{ "0100007F",       10, ANOTHERS, true  },
		{ "0200007F",       10, ANOTHERS, false },
		{ "0100007F",       10, NOBODYS,  false },
		{ "0100007F",       1,  ANOTHERS, false },
		{ "0100007F",       10, OURS,     false },
	};
	char owner[PORTS_OWNER_MAX], table[1024] = "  sl  local_address rem_address\nrubbish\n";
	uint16_t port = 0;
	int fd = socket_on(AF_INET, "127.0.0.1", &port, true);

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		/* No socket has another's number, so its owner is not found. */
		const unsigned long inodes[] = { 0, inode_of(fd) + (1ul << 32), inode_of(fd) };
		size_t at = strlen(table);

		(void)snprintf(table + at, sizeof(table) - at,
			"%4zu: %s:%04X 00000000:0000 %02X 0:0 00:0 0 0 0 %lu 1\n", i,
			lines[i].address, port ^ lines[i].other_port, lines[i].state,
			inodes[lines[i].whose]);
	}
	kernel.table = table;
	int r = ports_check("127.0.0.1", port, owner, sizeof(owner));
	kernel.table = NULL;
	assert_int_equal(r, -EADDRINUSE);
	assert_ours(owner, true);
	close(fd);
}

/* What cannot be looked into leaves the owner unknown, and the port taken. */
static void test_not_to_be_seen(void **state)
{
	char owner[PORTS_OWNER_MAX], ours[32];
	const char *const directories[] = { "/proc", ours };
	uint16_t port = 0;
	int fd = socket_on(AF_INET, "127.0.0.1", &port, true);

	(void)state;
	(void)snprintf(ours, sizeof(ours), "/proc/%d/fd", (int)getpid());
	for (size_t i = 0; i < 2; i++) {
		kernel.directory = directories[i];
		int r = ports_check("127.0.0.1", port, owner, sizeof(owner));
		kernel.directory = NULL;
		assert_int_equal(r, -EADDRINUSE);
		assert_string_equal(owner, "");
	}
	close(fd);
	kernel.no_option = true;
	int r = ports_check("127.0.0.1", port, owner, sizeof(owner));
	kernel.no_option = false;
	assert_int_equal(r, -ENOBUFS);
	assert_string_equal(owner, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_other_address),
		cmocka_unit_test(test_time_wait),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_descriptor),
		cmocka_unit_test(test_small_buffer),
		cmocka_unit_test(test_connected),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_not_to_be_seen),
	};

	/* A process may call itself anything. */
	(void)prctl(PR_SET_NAME, "ports test \033");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
