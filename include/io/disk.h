/* SPDX-License-Identifier: Apache-2.0 */
/* Disk images: what a file is, whether it may be booted from, and a new overlay. By qemu-img, under
 * limits.
 *
 * Theory of operation: an image somebody gave us is hostile until shown otherwise. A qcow2 can name
 * other files (a backing file, an external data file), and then booting it, or merely asking about
 * it, opens files of the host. So its header is read by us first and refused where it names any;
 * only then qemu-img sees it, without following anything, with a deadline and a limit on memory.
 * From there on the format is said explicitly everywhere: a guest that may write its raw disk could
 * otherwise write a qcow2 header into it. */
#ifndef MEDIAKIT_IO_DISK_H
#define MEDIAKIT_IO_DISK_H

#include "base/nametable.h"
#include "io/tick.h"
#include "model/reason.h"

enum disk_format { DISK_QCOW2, DISK_RAW, DISK_FORMAT_NUM };
NAME_TABLE_DECLARE(disk_format, enum disk_format); /* qcow2 raw */

#define DISK_NAME_MAX 256u
#define DISK_JSON_MAX (64u * 1024u) /* what `qemu-img info` may answer */

struct disk_info {
	enum disk_format format;
	uint64_t virtual_bytes;
	char backing[DISK_NAME_MAX]; /* as the image says it; "" for none */
	bool data_file, encrypted, corrupt;
};

/* Reads the answer of `qemu-img info --output=json`. -EBADMSG where it is no such answer;
 * -EMEDIUMTYPE for a format that is neither qcow2 nor raw, with the reason. */
int disk_info_parse(const char *json, size_t len, struct disk_info *ret, struct reason *reason);

/* What the first bytes say, before any program looks. 0; -EINVAL: a qcow2 that may not be used
 * (backing file, external data file, encrypted, header cut off); -errno. */
int disk_check_header(const char *path, struct reason *reason);

/* By its first bytes: a qcow2 that stands on no other image. False also where it cannot be read. */
bool disk_stands_alone(const char *path);

/* By its first bytes; *ret is the size of the disk it holds. */
bool disk_is_qcow2(int fd, uint64_t *ret_virtual_bytes);

/* Asks qemu-img, which never finds the format out by itself: in some it opens other files. -EBUSY
 * where a QEMU has the image open for writing. */
int disk_info(const char *path, enum disk_format format, const struct tick *tick,
	struct disk_info *ret, struct reason *reason);

/* An image to make a base of: the header, the format, that it stands alone, and for a raw one that
 * it looks like a disk (`bootable` asks for a boot sector or GPT's protective one; a guest with a
 * kernel of its own needs none). */
int disk_inspect(const char *path, bool bootable, const struct tick *tick, struct disk_info *ret,
	struct reason *reason);

/* `qemu-img check`: -EUCLEAN for a truncated or corrupt image, with the reason. Nothing is
 * repaired. */
int disk_check(
	const char *path, enum disk_format format, const struct tick *tick, struct reason *reason);

/* Makes an empty qcow2 that holds a disk of so many bytes. Mode 0600. */
int disk_create(
	const char *path, uint64_t bytes, const struct tick *tick, struct reason *reason);

/* Makes a qcow2 at `path` over `base`, a name in the same directory, and syncs it. Mode 0600. */
int disk_create_overlay(const char *path, const char *base, enum disk_format base_format,
	uint64_t size_kib, const struct tick *tick, struct reason *reason);

#endif
