/* SPDX-License-Identifier: Apache-2.0 */
/* ISO 9660 by libarchive, written to and read from memory. */
#include "io/seed.h"

#include "base/file.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

/* Room for the image around its files: volume descriptors, path tables and directories twice over,
 * and padding to 2 KiB blocks; libarchive 3.6 takes 68 KiB for three small files. */
#define IMAGE_OVERHEAD (1024u * 1024u)

static void cleanup_write(struct archive **a)
{
	if (*a)
		(void)archive_write_free(*a);
}

static void cleanup_read(struct archive **a)
{
	if (*a)
		(void)archive_read_free(*a);
}

static void cleanup_entry(struct archive_entry **e)
{
	archive_entry_free(*e);
}

static int write_one(struct archive *a, const struct seed_file *file)
{
	CLEANUP(cleanup_entry) struct archive_entry *entry = archive_entry_new();

	if (!entry)
		return ARCHIVE_FATAL;
	archive_entry_set_pathname(entry, file->name);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0444);
	archive_entry_set_size(entry, (la_int64_t)file->len);
	archive_entry_set_mtime(entry, 0, 0);
	int r = archive_write_header(a, entry);
	if (r == ARCHIVE_OK && file->len > 0 &&
		archive_write_data(a, file->data, file->len) != (la_ssize_t)file->len)
		r = ARCHIVE_FATAL;
	return r;
}

int seed_build(
	const struct seed_file *files, size_t n, void **ret, size_t *ret_len, struct reason *reason)
{
	/* Before the archive, which writes there once more where it is freed without its end. */
	size_t room = IMAGE_OVERHEAD, used = 0;
	CLEANUP_FREE void *image = NULL;
	CLEANUP(cleanup_write) struct archive *a = archive_write_new();

	for (size_t i = 0; i < n; i++)
		room += files[i].len + 4096;
	if (n > SEED_FILES_MAX || room > SEED_BYTES_MAX)
		return reason_set(reason, -EFBIG, "the seed would be over %u MiB",
			SEED_BYTES_MAX / (1024 * 1024));
	image = malloc(room);
	if (!a || !image)
		return -ENOMEM;
	if (archive_write_set_format_iso9660(a) != ARCHIVE_OK ||
		archive_write_set_options(a, "volume-id=" SEED_LABEL ",joliet,rockridge,!pad") !=
			ARCHIVE_OK ||
		archive_write_open_memory(a, image, room, &used) != ARCHIVE_OK)
		goto failed;
	for (size_t i = 0; i < n; i++)
		if (write_one(a, &files[i]) != ARCHIVE_OK)
			goto failed;
	if (archive_write_close(a) != ARCHIVE_OK)
		goto failed;
	*ret = TAKE_PTR(image);
	*ret_len = used;
	return 0;
failed:
	return reason_set(reason, -EIO, "cannot make the seed: %s",
		archive_error_string(a) ?: "libarchive says nothing");
}

/* The content of the entry just read against one file. 1, 0 or -ENOMEM. */
static int same_content(struct archive *a, const struct seed_file *file)
{
	CLEANUP_FREE char *buf = malloc(file->len + 1);
	size_t have = 0;

	if (!buf)
		return -ENOMEM;
	while (have <= file->len) {
		la_ssize_t n = archive_read_data(a, buf + have, file->len + 1 - have);
		if (n < 0)
			return 0;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return have == file->len && memcmp(buf, file->data, have) == 0;
}

static int match_entry(struct archive *a, const char *name, const struct seed_file *files, size_t n)
{
	for (size_t i = 0; name && i < n; i++)
		if (strcmp(files[i].name, name) == 0)
			return same_content(a, &files[i]);
	return 0;
}

int seed_matches(const char *path, const struct seed_file *files, size_t n)
{
	CLEANUP_FREE char *image = NULL;
	CLEANUP(cleanup_read) struct archive *a = archive_read_new();
	struct archive_entry *entry = NULL;
	size_t len = 0, matched = 0;
	int r;

	if (!a)
		return -ENOMEM;
	if (file_read_nofollow(path, SEED_BYTES_MAX, &image, &len) < 0 ||
		archive_read_support_format_iso9660(a) != ARCHIVE_OK ||
		archive_read_open_memory(a, image, len) != ARCHIVE_OK)
		return 0;
	while ((r = archive_read_next_header(a, &entry)) == ARCHIVE_OK) {
		if (archive_entry_filetype(entry) == AE_IFDIR)
			continue;
		int same = match_entry(a, archive_entry_pathname(entry), files, n);
		if (same <= 0)
			return same;
		matched++;
	}
	return r == ARCHIVE_EOF && matched == n;
}

int seed_write(const char *path, const struct seed_file *files, size_t n, struct reason *reason)
{
	CLEANUP_FREE void *image = NULL;
	size_t len = 0;
	int r = seed_matches(path, files, n);

	if (r != 0)
		return r < 0 ? r : 0;
	r = seed_build(files, n, &image, &len, reason);
	if (r < 0)
		return r;
	r = file_write_atomic(path, image, len, 0600);
	if (r < 0)
		return reason_set(reason, r, "cannot write %s: %s", path, strerror(-r));
	return 1;
}
