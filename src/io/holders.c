/* SPDX-License-Identifier: Apache-2.0 */
/* By inode, since a path may have changed: every process's descriptors and mappings, the backing
 * files of loop devices, and the locks. */
#include "io/holders.h"

#include "base/file.h"
#include "base/macro.h"
#include "model/utf8.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

/* A file, by what no rename changes. */
struct inode {
	unsigned major, minor;
	uint64_t number;
};

struct search {
	struct inode file;
	unsigned links;
	char *who;
};

static void cleanup_dirp(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

/* Nothing is asked of a server: a network file system that hangs must not hold us. */
static int inode_of(int dir_fd, const char *name, struct inode *ret)
{
	const int flags = AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT;
	struct statx stx;

	if (statx(dir_fd, name, *name ? flags : flags | AT_EMPTY_PATH, STATX_INO, &stx) < 0)
		return -errno;
	*ret = (struct inode){ stx.stx_dev_major, stx.stx_dev_minor, stx.stx_ino };
	return 0;
}

static bool inode_is(const struct inode *a, const struct inode *b)
{
	return a->number == b->number && a->major == b->major && a->minor == b->minor;
}

/* A process names itself, so its name is escaped. */
static void name_process(const char *pid, char who[static HOLDERS_WHO_MAX])
{
	char path[64], comm[64] = "", name[96] = "?";

	(void)snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, comm, sizeof(comm) - 1);
	if (n > 1)
		(void)utf8_escape(name, sizeof(name), comm, (size_t)n - (comm[n - 1] == '\n'));
	(void)snprintf(who, HOLDERS_WHO_MAX, "pid %.20s (%s)", pid, name);
}

/* One of a process's directories of links: its descriptors, or its mappings. 1: the file is among
 * them. */
static int search_links(struct search *s, const char *pid, const char *links)
{
	char path[64];
	struct inode inode;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/%s", pid, links);
	CLEANUP(cleanup_dirp) DIR *d = opendir(path);
	if (!d)
		return errno == ENOENT || errno == ESRCH ? 0 : -errno; /* it has ended */
	for (const struct dirent *e; (e = readdir(d));) {
		if (++s->links > HOLDERS_LINKS_MAX)
			return -E2BIG;
		if (inode_of(dirfd(d), e->d_name, &inode) >= 0 && inode_is(&inode, &s->file))
			return 1;
	}
	return 0;
}

static int search_process(struct search *s, const char *pid)
{
	int r = search_links(s, pid, "fd");

	/* Mappings are seen only with rights that not every root has; the descriptors decide. */
	if (r == 0) {
		r = search_links(s, pid, "map_files");
		if (r == -EACCES || r == -EPERM)
			return 0;
	}
	if (r == 1 || r == -EACCES)
		name_process(pid, s->who);
	return r;
}

static int search_processes(struct search *s)
{
	CLEANUP(cleanup_dirp) DIR *proc = opendir("/proc");
	char self[24];
	int r = 0;

	if (!proc)
		return -errno;
	(void)snprintf(self, sizeof(self), "%d", (int)getpid());
	for (const struct dirent *e; r == 0 && (e = readdir(proc));)
		if (isdigit((unsigned char)e->d_name[0]) && strcmp(e->d_name, self) != 0)
			r = search_process(s, e->d_name);
	return r;
}

/* The kernel itself has a loop device's file open, and no process shows it. */
static int search_loops(struct search *s)
{
	CLEANUP(cleanup_dirp) DIR *block = opendir("/sys/block");
	struct inode inode;

	if (!block)
		return errno == ENOENT ? 0 : -errno;
	for (const struct dirent *e; (e = readdir(block));) {
		CLEANUP_FREE char *path = NULL, *backing = NULL;

		if (strncmp(e->d_name, "loop", 4) != 0)
			continue;
		if (asprintf(&path, "/sys/block/%s/loop/backing_file", e->d_name) < 0)
			return -ENOMEM;
		int r = file_read(path, 4096, &backing, NULL);
		if (r == -ENOENT || r == -ENODEV || r == -ENXIO)
			continue; /* unused, or no longer used */
		if (r < 0)
			return r;
		backing[strcspn(backing, "\n")] = '\0';
		if (*backing != '/' || inode_of(AT_FDCWD, backing, &inode) < 0 ||
			!inode_is(&inode, &s->file))
			continue;
		(void)snprintf(s->who, HOLDERS_WHO_MAX, "/dev/%.32s (losetup -d /dev/%.32s)",
			e->d_name, e->d_name);
		return 1;
	}
	return 0;
}

/* QEMU's are open file description locks on single bytes, which a lock on all bytes would meet. */
static int search_locks(struct search *s, int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK) {
		(void)snprintf(s->who, HOLDERS_WHO_MAX,
			"a process that is not seen from here (it holds a lock, as QEMU does)");
		return 1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		(void)flock(fd, LOCK_UN);
		return 0;
	}
	if (errno != EWOULDBLOCK)
		return 0; /* no such locks on this file system */
	(void)snprintf(s->who, HOLDERS_WHO_MAX, "a process that is not seen from here (flock)");
	return 1;
}

int holders_find(int fd, char who[static HOLDERS_WHO_MAX])
{
	struct search s = { .who = who };
	int r = inode_of(fd, "", &s.file);

	who[0] = '\0';
	if (geteuid() != 0)
		return -EPERM;
	if (r >= 0)
		r = search_processes(&s);
	if (r == 0)
		r = search_loops(&s);
	return r ? r : search_locks(&s, fd);
}
