/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded reads, atomic writes, directories and locks. */
#include "base/file.h"

#include "base/failpoint.h"
#include "base/macro.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

int fd_read_all(int fd, void *data, size_t len, size_t *ret_len)
{
	char *buf = data;
	size_t have = 0;

	while (have < len) {
		ssize_t n = read(fd, buf + have, len - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	*ret_len = have;
	return 0;
}

static int read_with_flags(const char *path, int flags, size_t max, char **ret, size_t *ret_len)
{
	/* O_NONBLOCK: a FIFO put in a config directory must not hang the daemon. */
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);
	CLEANUP_FREE char *buf = NULL;
	struct stat st;
	size_t have = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size < 0 || (uint64_t)st.st_size > max)
		return -EFBIG;
	/* One byte more than the size tells a file that grew, or one in /proc that says 0. */
	size_t room = MAX((size_t)st.st_size, MIN(max, (size_t)4096)) + 1;
	buf = malloc(room + 1);
	if (!buf)
		return -ENOMEM;
	int r = fd_read_all(fd, buf, room, &have);
	if (r < 0)
		return r;
	if (have == room || have > max)
		return -EFBIG;
	buf[have] = '\0';
	if (ret_len)
		*ret_len = have;
	*ret = TAKE_PTR(buf);
	return 0;
}

int file_read(const char *path, size_t max, char **ret, size_t *ret_len)
{
	return read_with_flags(path, 0, max, ret, ret_len);
}

const char *file_read_error(int error)
{
	return abs(error) == EINVAL ? "it is no regular file" : strerror(abs(error));
}

int file_read_nofollow(const char *path, size_t max, char **ret, size_t *ret_len)
{
	return read_with_flags(path, O_NOFOLLOW, max, ret, ret_len);
}

int fd_write_all(int fd, const void *bytes, size_t len)
{
	const char *data = bytes;

	while (len > 0) {
		ssize_t n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int sync_parent(const char *path)
{
	CLEANUP_FREE char *dir = strdup(path);

	if (!dir)
		return -ENOMEM;
	char *slash = strrchr(dir, '/');
	if (slash)
		*(slash == dir ? slash + 1 : slash) = '\0';
	CLEANUP_CLOSE int fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return fsync(fd) < 0 ? -errno : 0;
}

static int write_temporary(const char *temporary, const void *data, size_t len, mode_t mode)
{
	FAILPOINT_OR_RETURN(FILE_WRITE);
	CLEANUP_CLOSE int fd =
		open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

	if (fd < 0)
		return -errno;
	if (fchmod(fd, mode) < 0)
		return -errno;
	int r = fd_write_all(fd, data, len);
	if (r < 0)
		return r;
	FAILPOINT_OR_RETURN(FILE_SYNC);
	return fsync(fd) < 0 ? -errno : 0;
}

int file_write_atomic(const char *path, const void *data, size_t len, mode_t mode)
{
	CLEANUP_FREE char *temporary = NULL;

	/* One writer per file (every state directory has a lock), so the name needs no randomness
	 * and a crash leaves at most one stale file, which the next write replaces. */
	if (asprintf(&temporary, "%s.tmp", path) < 0)
		return -ENOMEM;
	(void)unlink(temporary);
	int r = write_temporary(temporary, data, len, mode);
	FAILPOINT(FILE_RENAME);
	if (r >= 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlink(temporary);
		return r;
	}
	FAILPOINT(FILE_SYNC_DIR);
	r = sync_parent(path);
	FAILPOINT(FILE_DONE);
	return r;
}

static int make_one(const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (stat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int dir_make(const char *path, mode_t mode)
{
	CLEANUP_FREE char *p = strdup(path);

	if (!p)
		return -ENOMEM;
	for (char *s = p + 1; *s; s++) {
		if (*s != '/')
			continue;
		*s = '\0';
		int r = make_one(p, mode);
		/* A parent that is there but closed to us is no obstacle yet: the last step tells.
		 */
		if (r < 0 && r != -EACCES && r != -EROFS)
			return r;
		*s = '/';
	}
	return make_one(p, mode);
}

int file_lock(const char *path)
{
	CLEANUP_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	FAILPOINT_OR_RETURN(LOCK);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	FAILPOINT(LOCKED);
	return TAKE_FD(fd);
}

char *path_join(const char *a, const char *b)
{
	char *p = NULL;

	return asprintf(&p, "%s/%s", a, b) < 0 ? NULL : p;
}

char *path_beside_program(const char *relative)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return NULL;
	self[n] = '\0';
	char *slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	return path_join(self, relative);
}
