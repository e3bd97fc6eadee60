/* SPDX-License-Identifier: Apache-2.0 */
/* Every system call on files fails once, one after another, as alloc_fail.h does it for
 * allocations: a test includes this and its own definitions are found before libc's. */
#ifndef MEDIAKIT_TESTS_CALL_FAIL_H
#define MEDIAKIT_TESTS_CALL_FAIL_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
	long budget; /* how many more succeed; below zero: all */
	int error;   /* what the failing one says */
	bool failed; /* it did */
} calls = { .budget = -1 };

static inline bool call_may(void)
{
	if (calls.budget == 0) {
		calls.failed = true;
		calls.budget = -1;
		errno = calls.error;
		return false;
	}
	if (calls.budget > 0)
		calls.budget--;
	return true;
}

static inline void calls_arm(long next, int error)
{
	calls.failed = false;
	calls.error = error;
	calls.budget = next;
}

static inline bool calls_disarm(void)
{
	calls.budget = -1;
	return calls.failed;
}

int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if (flags & O_CREAT) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	return call_may() ? (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode) : -1;
}

#define CALL(type, name, parameters, ...)                                                          \
	type name parameters                                                                       \
	{                                                                                          \
		return call_may() ? (type)syscall(__VA_ARGS__) : -1;                               \
	}

CALL(int, fstat, (int fd, struct stat *st), SYS_newfstatat, fd, "", st, AT_EMPTY_PATH)
CALL(int, stat, (const char *path, struct stat *st), SYS_newfstatat, AT_FDCWD, path, st, 0)
CALL(int, lstat, (const char *path, struct stat *st), SYS_newfstatat, AT_FDCWD, path, st,
	AT_SYMLINK_NOFOLLOW)
CALL(ssize_t, read, (int fd, void *buf, size_t len), SYS_read, fd, buf, len)
CALL(ssize_t, pread, (int fd, void *buf, size_t len, off_t at), SYS_pread64, fd, buf, len, at)
CALL(ssize_t, write, (int fd, const void *buf, size_t len), SYS_write, fd, buf, len)
CALL(int, fsync, (int fd), SYS_fsync, fd)
CALL(int, fdatasync, (int fd), SYS_fdatasync, fd)
CALL(int, ftruncate, (int fd, off_t len), SYS_ftruncate, fd, len)
CALL(int, fchmod, (int fd, mode_t mode), SYS_fchmod, fd, mode)
CALL(int, chmod, (const char *path, mode_t mode), SYS_fchmodat, AT_FDCWD, path, mode)
CALL(int, mkdir, (const char *path, mode_t mode), SYS_mkdirat, AT_FDCWD, path, mode)
CALL(int, rename, (const char *from, const char *to), SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to,
	0)
CALL(int, flock, (int fd, int operation), SYS_flock, fd, operation)

#endif
