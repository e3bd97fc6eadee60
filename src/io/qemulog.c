/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the tail of a log that grew too large. */
#include "io/qemulog.h"

#include "base/file.h"
#include "base/macro.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static bool is_log(const char *name)
{
	size_t len = strlen(name);

	return len > 4 && strcmp(name + len - 4, ".log") == 0;
}

static int keep_tail(int fd, const char *path, uint64_t size)
{
	CLEANUP_FREE char *old = NULL;
	CLEANUP_FREE char *tail = malloc(QEMULOG_KEEP);
	uint64_t from = size > QEMULOG_KEEP ? size - QEMULOG_KEEP : 0;

	if (!tail || asprintf(&old, "%s.1", path) < 0)
		return -ENOMEM;
	ssize_t n = pread(fd, tail, QEMULOG_KEEP, (off_t)from);
	if (n < 0)
		return -errno;
	return file_write_atomic(old, tail, (size_t)n, 0600);
}

static int trim_one(const char *dir, const char *name, uint64_t max)
{
	CLEANUP_FREE char *path = path_join(dir, name);
	struct stat st;

	if (!path)
		return -ENOMEM;
	CLEANUP_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size <= max)
		return 0;
	/* On a full disk the tail may be lost, which is no reason to let the log fill it further.
	 */
	(void)keep_tail(fd, path, (uint64_t)st.st_size);
	return ftruncate(fd, 0) < 0 ? -errno : 1;
}

int qemulog_trim(const char *dir, uint64_t max)
{
	DIR *logs = opendir(dir);
	const struct dirent *entry;
	int cut = 0, error = 0;

	if (!logs)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(logs))) {
		if (!is_log(entry->d_name))
			continue;
		int r = trim_one(dir, entry->d_name, max);
		cut += r > 0;
		error = error == 0 ? MIN(r, 0) : error;
	}
	(void)closedir(logs);
	return error < 0 ? error : cut;
}
