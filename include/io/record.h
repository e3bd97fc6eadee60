/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest was provisioned from: STATE/private/GUEST/provision.json. A convenience, never the
 * truth: without it the image is only hashed once more. */
#ifndef MEDIAKIT_IO_RECORD_H
#define MEDIAKIT_IO_RECORD_H

#include "io/digest.h"
#include "io/disk.h"
#include "io/layout.h"
#include "model/cloudinit.h"
#include "model/manifest.h"

#include <limits.h>

struct record {
	/* The base, "" where there is none, and the digest of the image: known also of a disk that
	 * stands alone, where it was made of a snapshot. */
	char base[LAYOUT_BASE_NAME];
	char sha256[DIGEST_TEXT];
	enum disk_format format;
	uint64_t base_bytes, virtual_bytes;
	bool verified; /* the digest was pinned in the configuration, or signed, and matched */
	char signer[SUMS_KEY]; /* the primary key that signed it; "" where it was pinned */
	/* The base as it was when it was hashed last; 0 where it was not since these are kept. */
	uint64_t base_inode, base_mtime_nsec;
	/* As the image's manifest has it; "" where nothing says. */
	char glibc[GLIBC_TEXT_MAX];

	/* The file it was copied from, so far as to tell that it is the same file, untouched,
	 * without reading it; for a URL nothing but its text. */
	char source[PATH_MAX];
	uint64_t device, inode, source_bytes, mtime_nsec, ctime_nsec;

	char instance_id[CLOUDINIT_ID_TEXT];
};

/* -ENOENT; -EBADMSG where it cannot be understood; -errno. */
int record_read(const char *path, struct record *ret);

/* Writes it, with the time, unless the file says the same already. 1: written, 0: unchanged,
 * -errno. */
int record_write(const char *path, const struct record *record, usec_t now_realtime_usec);

/* Which disk a guest has: the same words for as long as it is the same file on the same base. Its
 * inode alone may be the next disk's once it was deleted; without a record, or a disk, what is
 * known is in it. */
#define RECORD_DISK_TEXT 64u
void record_disk(
	const struct record *record, const char *disk_path, char ret[static RECORD_DISK_TEXT]);

/* "2026-11-23T19:09:02Z"; with `compact` "20261123T190902Z", which can stand in a file's name. */
#define RECORD_TIME_TEXT 24u
void record_time(usec_t realtime, bool compact, char ret[static RECORD_TIME_TEXT]);

#endif
