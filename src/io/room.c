/* SPDX-License-Identifier: Apache-2.0 */
/* statvfs(3), in KiB. */
#include "io/room.h"

#include <errno.h>
#include <sys/statvfs.h>

int room_free(const char *path, uint64_t *ret_free_kib)
{
	struct statvfs fs;

	if (statvfs(path, &fs) < 0)
		return -errno;
	/* In kibibytes at once: blocks times their size may pass 64 bits. */
	*ret_free_kib = fs.f_frsize >= 1024
				? fs.f_bavail * (fs.f_frsize / 1024)
				: fs.f_bavail / (1024 / (fs.f_frsize ? fs.f_frsize : 1024));
	return 0;
}
