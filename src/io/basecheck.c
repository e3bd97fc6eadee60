/* SPDX-License-Identifier: Apache-2.0 */
/* The base against its record. */
#include "io/basecheck.h"

#include "base/file.h"

#include <errno.h>
#include <string.h>

static uint64_t nsec(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_nsec;
}

bool basecheck_unchanged(const struct record *record, const struct stat *st)
{
	return record->sha256[0] && record->base_inode == st->st_ino &&
	       record->base_bytes == (uint64_t)st->st_size &&
	       record->base_mtime_nsec == nsec(&st->st_mtim);
}

void basecheck_hashed(struct record *record, const struct stat *st)
{
	record->base_bytes = (uint64_t)st->st_size;
	record->base_inode = st->st_ino;
	record->base_mtime_nsec = nsec(&st->st_mtim);
}

static int hash(const char *path, const char *guest, const struct tick *tick,
	const struct record *record, struct reason *reason)
{
	char is[DIGEST_TEXT];
	int r = digest_file(path, tick, is);

	if (r < 0)
		return reason_set(reason, r, "cannot read %s: %s", path, strerror(-r));
	if (strcmp(record->sha256, is) == 0)
		return 1;
	/* The digests last: the daemon's reason is cut at 255 bytes. */
	return reason_set(reason, -EBADMSG,
		"the base %s has been changed, and the disk on it cannot be trusted: put the old "
		"one "
		"back, or begin anew with `mediakitd provision %s --replace-disk=%s` (SHA-256 is "
		"%s, "
		"was %s)",
		path, guest, guest, is, record->sha256);
}

/* The base that the record names, in the guest's image directory. */
static int check(const char *state_dir, const char *guest, const struct tick *tick,
	struct record *record, struct reason *reason)
{
	CLEANUP_FREE char *dir = layout_path(state_dir, guest, LAYOUT_IMAGE_DIR);
	CLEANUP_FREE char *path = dir ? path_join(dir, record->base) : NULL;
	struct stat st;

	if (!path)
		return -ENOMEM;
	if (lstat(path, &st) < 0)
		return reason_set(reason, -errno,
			"the base %s that the disk stands on cannot be looked at (%s): put it "
			"back, or "
			"begin anew with `mediakitd provision %s --replace-disk=%s`",
			path, strerror(errno), guest, guest);
	if (basecheck_unchanged(record, &st))
		return 0;
	int r = hash(path, guest, tick, record, reason);
	if (r > 0)
		basecheck_hashed(record, &st);
	return r;
}

int basecheck_guest(const char *state_dir, const char *guest, const struct tick *tick,
	struct record *ret, struct reason *reason)
{
	CLEANUP_FREE char *path = layout_path(state_dir, guest, LAYOUT_RECORD);

	*ret = (struct record){ 0 };
	if (!path)
		return -ENOMEM;
	/* A convenience: what cannot be read is made anew by the next provision. */
	if (record_read(path, ret) < 0 || !ret->base[0] || !ret->sha256[0])
		return 0;
	/* The record may be older than the disk: one that was put there by hand, or by a provision
	 * that was killed before it wrote its record. */
	CLEANUP_FREE char *disk = layout_disk(state_dir, guest);
	if (!disk)
		return -ENOMEM;
	if (disk_stands_alone(disk))
		return 0;
	int r = check(state_dir, guest, tick, ret, reason);
	if (r > 0)
		(void)record_write(path, ret, now_realtime()); /* else it is hashed once more */
	return r;
}
