/* SPDX-License-Identifier: Apache-2.0 */
/* The NoCloud seed: an ISO 9660 image of a few small files, by libarchive. */
#ifndef MEDIAKIT_IO_SEED_H
#define MEDIAKIT_IO_SEED_H

#include "model/reason.h"

/* The label by which cloud-init's NoCloud finds it (docs: datasources/nocloud). */
#define SEED_LABEL     "cidata"
#define SEED_FILES_MAX 8u
#define SEED_BYTES_MAX (32u * 1024u * 1024u)

struct seed_file {
	const char *name; /* in the root of the image */
	const void *data;
	size_t len;
};

/* Makes the image in memory: Rock Ridge and Joliet, because ISO 9660 alone has no name such as
 * "user-data". *ret is the caller's to free. 0, or -errno with a reason. */
int seed_build(const struct seed_file *files, size_t n, void **ret, size_t *ret_len,
	struct reason *reason);

/* Does the image at `path` hold exactly these files? 1: yes. 0: no, or there is none, or it is no
 * image: it is to be written anew. Compared by content, because two images of one content differ in
 * their times. -ENOMEM. */
int seed_matches(const char *path, const struct seed_file *files, size_t n);

/* Writes the image atomically, mode 0600, unless it matches already. 1: written, 0: unchanged, or
 * -errno with a reason. */
int seed_write(const char *path, const struct seed_file *files, size_t n, struct reason *reason);

#endif
