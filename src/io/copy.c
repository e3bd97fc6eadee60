/* SPDX-License-Identifier: Apache-2.0 */
/* Reflink, copy_file_range, read and write: the first that the two file systems agree on. */
#include "io/copy.h"

#include "base/failpoint.h"
#include "base/macro.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

/* Small enough for a cancellation to be noticed at once, large enough to cost nothing. */
#define CHUNK (4u * 1024u * 1024u)

/* One chunk at *offset through memory; the way that always works. */
static ssize_t copy_by_hand(int src, int dst, off_t *offset, size_t len)
{
	static char buf[64 * 1024];
	ssize_t n = pread(src, buf, MIN(len, sizeof(buf)), *offset);

	if (n <= 0)
		return n;
	for (ssize_t done = 0; done < n;) {
		ssize_t w = pwrite(dst, buf + done, (size_t)(n - done), *offset + done);
		if (w < 0 && errno != EINTR)
			return -1;
		if (w > 0)
			done += w;
	}
	*offset += n;
	return n;
}

static ssize_t copy_chunk(int src, int dst, off_t *offset, size_t len)
{
	static bool by_hand;
	off_t in = *offset, out = *offset;

	if (!by_hand) {
		ssize_t n = copy_file_range(src, &in, dst, &out, len, 0);
		if (n > 0)
			*offset = in;
		/* 0 before the end is what some file systems say for "not here"; the copy by hand
		 * finds out which it is. */
		if (n > 0 || (n < 0 && errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP &&
				     errno != ENOSYS && errno != EPERM))
			return n;
		by_hand = true;
	}
	return copy_by_hand(src, dst, offset, len);
}

static int copy_range(int src, int dst, off_t from, off_t to, const struct tick *tick)
{
	while (from < to) {
		ssize_t n = copy_chunk(src, dst, &from, MIN((size_t)(to - from), (size_t)CHUNK));
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -ESTALE;
		int r = tick_call(tick);
		if (r < 0)
			return r;
	}
	return 0;
}

static int copy_data(int src, int dst, off_t size, const struct tick *tick)
{
	off_t at = 0;

	if (ioctl(dst, FICLONE, src) == 0)
		return 0;
	/* The size first: holes at the end would be lost otherwise. */
	if (ftruncate(dst, size) < 0)
		return -errno;
	while (at < size) {
		off_t data = lseek(src, at, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			return 0; /* a hole up to the end */
		if (data < 0)
			data = at; /* no such question here: all is data */
		off_t hole = lseek(src, data, SEEK_HOLE);
		if (hole < 0 || hole > size)
			hole = size;
		int r = copy_range(src, dst, data, hole, tick);
		if (r < 0)
			return r;
		at = hole;
	}
	return 0;
}

int copy_file(int src_fd, const char *path, mode_t mode, const struct tick *tick)
{
	struct stat st;
	int r;

	if (fstat(src_fd, &st) < 0)
		return -errno;
	CLEANUP_CLOSE int dst =
		open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (dst < 0)
		return -errno;
	r = copy_data(src_fd, dst, st.st_size, tick);
	FAILPOINT(COPY_SYNC);
	if (r >= 0 && (fchmod(dst, mode) < 0 || fsync(dst) < 0))
		r = -errno;
	if (r < 0)
		(void)unlink(path);
	return r;
}
