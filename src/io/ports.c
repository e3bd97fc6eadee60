/* SPDX-License-Identifier: Apache-2.0 */
/* A bind tells whether a port is free; /proc tells whose it is: port → inode of the socket →
 * descriptor → process. */
#include "io/ports.h"

#include "base/macro.h"
#include "model/utf8.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* st in /proc/net/tcp, see include/net/tcp_states.h of the kernel. */
#define STATE_LISTEN 0x0a

static int try_bind(const struct sockaddr_in *sin)
{
	CLEANUP_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int one = 1;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		return -errno;
	return bind(fd, (const struct sockaddr *)sin, sizeof(*sin)) < 0 ? -errno : 0;
}

/* The kernel prints addresses as words of 8 hex digits, each in the host's byte order. */
static uint32_t word_at(const char *hex, size_t i)
{
	char digits[9] = "";

	memcpy(digits, hex + 8 * i, 8);
	return (uint32_t)strtoul(digits, NULL, 16);
}

/* Does a socket on this local address stand in the way of `want`? Any-addresses do, on either side,
 * and an IPv6 any-listener takes IPv4 along. */
static bool address_conflicts(const char *hex, in_addr_t want)
{
	size_t digits = strlen(hex);

	if (digits != 8 && digits != 32)
		return false;
	bool zeros = strspn(hex, "0") == digits;
	bool mapped = digits == 32 && word_at(hex, 0) == 0 && word_at(hex, 1) == 0 &&
		      word_at(hex, 2) == htonl(0xffff);
	in_addr_t have = word_at(hex, digits / 8 - 1);

	return zeros || ((digits == 8 || mapped) && (have == want || want == htonl(INADDR_ANY)));
}

/* "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345
 * …" */
static bool parse_line(const char *line, const struct sockaddr_in *sin, bool *ret_listens,
	unsigned long *ret_inode)
{
	char local[40];
	unsigned port, state;
	unsigned long inode;

	if (sscanf(line, " %*u: %39[0-9A-F]:%4X %*[0-9A-F]:%*4X %2X %*s %*s %*s %*s %*s %lu", local,
		    &port, &state, &inode) != 4)
		return false;
	if (port != ntohs(sin->sin_port) || inode == 0 ||
		!address_conflicts(local, sin->sin_addr.s_addr))
		return false;
	*ret_listens = state == STATE_LISTEN;
	*ret_inode = inode;
	return true;
}

/* The inode of the socket in the way; 0: not found. One that listens is the likelier culprit. */
static unsigned long find_inode(const char *table, const struct sockaddr_in *sin)
{
	CLEANUP_FCLOSE FILE *f = fopen(table, "re");
	unsigned long found = 0, inode;
	size_t seen = 0;
	char line[256];
	bool listens;

	while (f && seen < PORTS_TABLE_MAX && fgets(line, sizeof(line), f)) {
		seen += strlen(line);
		if (!parse_line(line, sin, &listens, &inode))
			continue;
		if (listens)
			return inode;
		found = inode;
	}
	return found;
}

static bool process_has(const char *pid, const char *link, unsigned *links)
{
	char path[300], target[64];
	const struct dirent *entry;
	bool found = false;

	(void)snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	DIR *dir = opendir(path);
	if (!dir)
		return false;
	while (!found && ++*links < PORTS_LINKS_MAX && (entry = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

		target[MAX(n, 0)] = '\0';
		found = strcmp(target, link) == 0;
	}
	(void)closedir(dir);
	return found;
}

/* A process names itself, so its name is escaped. */
static void describe(const char *pid, char *owner, size_t owner_size)
{
	char path[300], comm[64] = "", name[64] = "?";

	(void)snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, comm, sizeof(comm) - 1);
	if (n > 1)
		(void)utf8_escape(name, sizeof(name), comm, (size_t)n - (comm[n - 1] == '\n'));
	(void)snprintf(owner, owner_size, "pid %s (%s)", pid, name);
}

static void find_owner(unsigned long inode, char *owner, size_t owner_size)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	unsigned links = 0;
	char link[48];

	if (!proc)
		return;
	(void)snprintf(link, sizeof(link), "socket:[%lu]", inode);
	/* Pids come in rising order, so a parent that shares its socket is found before its
	 * workers. */
	while (links < PORTS_LINKS_MAX && (entry = readdir(proc))) {
		if (!isdigit((unsigned char)entry->d_name[0]) ||
			!process_has(entry->d_name, link, &links))
			continue;
		describe(entry->d_name, owner, owner_size);
		break;
	}
	(void)closedir(proc);
}

int ports_check(const char *address, uint16_t port, char *owner, size_t owner_size)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };

	if (owner_size > 0)
		owner[0] = '\0';
	if (port == 0 || inet_pton(AF_INET, address, &sin.sin_addr) != 1)
		return -EINVAL;
	int r = try_bind(&sin);
	if (r != -EADDRINUSE)
		return r;
	unsigned long inode = find_inode("/proc/net/tcp", &sin);
	if (inode == 0)
		inode = find_inode("/proc/net/tcp6", &sin);
	if (inode != 0 && owner_size > 0)
		find_owner(inode, owner, owner_size);
	return r;
}
