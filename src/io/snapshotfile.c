/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a copy's files, each of which leaves nothing half-made behind (io/snapshots). */
#include "io/snapshotfile.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "base/macro.h"
#include "base/parse.h"
#include "io/layout.h"
#include "io/record.h"
#include "io/room.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define DIR_MODE   0711

static char *snapshot_path(const struct snapshot_order *order, const char *state_dir, usec_t id,
	const char *suffix)
{
	char name[SNAPSHOT_NAME_TEXT];

	return layout_snapshot(state_dir, order->guest, snapshot_name(id, name), suffix);
}

/* One run: what is ordered, the directory, and the answer. */
struct work {
	const char *state_dir;
	const struct snapshot_order *order;
	struct snapshot_news *news;
	int dir_fd; /* -1: there is none */
};

static int sync_dir(const struct work *w)
{
	return fsync(w->dir_fd) < 0 ? -errno : 0;
}

/* Is it one of ours, with this suffix? */
static bool is_ours(const char *name, const char *suffix, usec_t *ret_id)
{
	char stem[SNAPSHOT_NAME_LEN + 1];

	if (strlen(name) <= SNAPSHOT_NAME_LEN || strcmp(name + SNAPSHOT_NAME_LEN, suffix) != 0)
		return false;
	(void)snprintf(stem, sizeof(stem), "%.*s", (int)SNAPSHOT_NAME_LEN, name);
	return snapshot_name_parse(stem, ret_id) == 0;
}

static bool is_there(const struct work *w, usec_t id, const char *suffix)
{
	char name[SNAPSHOT_NAME_TEXT], file[64];
	struct stat st;

	(void)snprintf(file, sizeof(file), "%s%s", snapshot_name(id, name), suffix);
	return fstatat(w->dir_fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* What cannot be looked at is not gone. */
static bool is_gone(const struct work *w, usec_t id, const char *suffix)
{
	return !is_there(w, id, suffix) && errno == ENOENT;
}

static int unlink_one(const struct work *w, usec_t id, const char *suffix)
{
	char name[SNAPSHOT_NAME_TEXT], file[64];

	(void)snprintf(file, sizeof(file), "%s%s", snapshot_name(id, name), suffix);
	FAILPOINT_OR_RETURN(SNAPSHOT_DELETE);
	return unlinkat(w->dir_fd, file, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* The image first: a record without one is nothing, and is swept. */
static int remove_whole(const struct work *w, usec_t id)
{
	int r = unlink_one(w, id, LAYOUT_SNAPSHOT_IMAGE);

	return r < 0 ? r : unlink_one(w, id, LAYOUT_SNAPSHOT_RECORD);
}

/* Kept in order; of too many the oldest are not shown. */
static void list_add(struct snapshot_news *news, const struct snapshot_info *info)
{
	unsigned at = news->n;

	if (news->n == SPEC_SNAPSHOTS_MAX) {
		if (info->id <= news->list[0].id)
			return;
		memmove(&news->list[0], &news->list[1], sizeof(news->list[0]) * (news->n - 1));
		at = --news->n;
	}
	while (at > 0 && news->list[at - 1].id > info->id) {
		news->list[at] = news->list[at - 1];
		at--;
	}
	news->list[at] = *info;
	news->n++;
}

static void take_entry(struct work *w, const char *name, bool sweep)
{
	CLEANUP_FREE char *path = NULL;
	struct snapshot_info info;
	usec_t id;

	if (is_ours(name, LAYOUT_SNAPSHOT_PART, &id))
		w->news->leftover = true;
	if (!is_ours(name, LAYOUT_SNAPSHOT_RECORD, &id))
		return;
	if (!is_there(w, id, LAYOUT_SNAPSHOT_IMAGE)) {
		/* Best effort: the next look finds it again. */
		if (sweep && errno == ENOENT && is_gone(w, id, LAYOUT_SNAPSHOT_PART))
			(void)unlink_one(w, id, LAYOUT_SNAPSHOT_RECORD);
		return;
	}
	path = snapshot_path(w->order, w->state_dir, id, LAYOUT_SNAPSHOT_RECORD);
	if (path && snapshot_record_read(path, &info) == 0 && info.id == id)
		list_add(w->news, &info);
}

/* NULL with errno: to be read from its beginning, beside the descriptor that stays. */
static DIR *open_again(const struct work *w)
{
	int fd = openat(w->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir && fd >= 0)
		(void)close(fd);
	return dir;
}

static int look(struct work *w, bool sweep)
{
	DIR *dir = w->dir_fd < 0 ? NULL : open_again(w);
	const struct dirent *entry;

	w->news->n = 0;
	w->news->leftover = false;
	if (!dir)
		return w->dir_fd < 0 ? 0 : -errno;
	while ((entry = readdir(dir)))
		take_entry(w, entry->d_name, sweep);
	(void)closedir(dir);
	return 0;
}

/* Whatever is half-made: the name of a failed one is not known where a daemon died. */
static int discard(const struct work *w)
{
	DIR *dir = w->dir_fd < 0 ? NULL : open_again(w);
	const struct dirent *entry;
	int r = 0;
	usec_t id;

	if (!dir)
		return w->dir_fd < 0 ? 0 : -errno;
	while (r == 0 && (entry = readdir(dir)))
		if (is_ours(entry->d_name, LAYOUT_SNAPSHOT_PART, &id))
			r = unlink_one(w, id, LAYOUT_SNAPSHOT_PART);
	(void)closedir(dir);
	return r < 0 ? r : sync_dir(w);
}

static uint64_t kib_used(const char *path)
{
	struct stat st;

	return path && stat(path, &st) == 0 ? (uint64_t)st.st_blocks / 2 : 0;
}

/* What is on the disk and on its base, as far as that is known before it is copied: what is
 * compressed there is not here. The rest is watched while it is copied. */
static int check_space(const struct work *w)
{
	CLEANUP_FREE char *disk = layout_disk(w->state_dir, w->order->guest);
	CLEANUP_FREE char *dir = layout_path(w->state_dir, w->order->guest, LAYOUT_IMAGE_DIR);
	CLEANUP_FREE char *record_path = layout_path(w->state_dir, w->order->guest, LAYOUT_RECORD);
	CLEANUP_FREE struct record *record = calloc(1, sizeof(*record));
	char needed[SIZE_TEXT_MAX], there[SIZE_TEXT_MAX];
	uint64_t free_kib = 0;

	if (!disk || !dir || !record_path || !record)
		return -ENOMEM;
	(void)record_read(record_path, record);
	CLEANUP_FREE char *base = record->base[0] ? path_join(dir, record->base) : NULL;
	uint64_t need = MIN(kib_used(disk) + kib_used(base), w->order->bytes / 1024) +
			SNAPSHOT_RESERVE_KIB;
	int r = room_free(dir, &free_kib);
	if (r < 0)
		return reason_set(&w->news->reason, r, "cannot ask for the space in %s: %s", dir,
			strerror(-r));
	if (free_kib >= need)
		return 0;
	return reason_set(&w->news->reason, -ENOSPC,
		"not enough space in %s/snapshots: %s needed, %s available", dir,
		format_size_kib(needed, sizeof(needed), need / 1024 * 1024 + 1024),
		format_size_kib(there, sizeof(there), free_kib / 1024 * 1024));
}

static int open_dir(struct work *w, bool make)
{
	CLEANUP_FREE char *dir = layout_path(w->state_dir, w->order->guest, LAYOUT_SNAPSHOTS);
	int r = 0;

	if (!dir)
		return -ENOMEM;
	/* The umask is no matter of ours, and a mode that an operator gave it is his. */
	if (make && mkdir(dir, DIR_MODE) == 0)
		r = chmod(dir, DIR_MODE) < 0 ? -errno : 0;
	else if (make && errno != EEXIST)
		r = -errno;
	if (r == 0) {
		w->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (w->dir_fd < 0 && (make || errno != ENOENT))
			r = -errno;
	}
	if (r < 0)
		(void)reason_set(&w->news->reason, r, "cannot use the directory %s: %s", dir,
			strerror(-r));
	return r;
}

static int prepare(struct work *w)
{
	usec_t id = now_realtime() / USEC_PER_SEC * USEC_PER_SEC;
	int r = discard(w);

	if (r == 0)
		r = look(w, false);
	if (r == 0)
		r = check_space(w);
	if (r < 0)
		return r;
	/* The oldest name is the first to be pruned, so names follow one another also where the
	 * clock was ahead when the others were made. */
	if (w->news->n > 0)
		id = MAX(id, w->news->list[w->news->n - 1].id + USEC_PER_SEC);
	while (is_there(w, id, LAYOUT_SNAPSHOT_IMAGE) || is_there(w, id, LAYOUT_SNAPSHOT_RECORD))
		id += USEC_PER_SEC;
	CLEANUP_FREE char *path = snapshot_path(w->order, w->state_dir, id, LAYOUT_SNAPSHOT_PART);
	if (!path)
		return -ENOMEM;
	FAILPOINT_OR_RETURN(SNAPSHOT_TARGET);
	r = disk_create(path, w->order->bytes, NULL, &w->news->reason);
	if (r == 0)
		r = sync_dir(w);
	w->news->id = id;
	return r;
}

/* What QEMU wrote is held for as untrusted as an image from elsewhere: the guest could not write
 * its header, but who knows what else went wrong. */
static int check_copy(struct work *w, const char *part, struct snapshot_info *info)
{
	CLEANUP_CLOSE int fd = open(part, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct reason *reason = &w->news->reason;
	struct disk_info disk;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return reason_set(reason, -errno,
			"the copy %s cannot be read (%s): did libvirt not give it back?", part,
			strerror(errno));
	FAILPOINT_OR_RETURN(SNAPSHOT_SYNC);
	if (fsync(fd) < 0)
		return reason_set(
			reason, -errno, "cannot write out %s: %s", part, strerror(errno));
	r = disk_check_header(part, reason);
	if (r == 0)
		r = disk_info(part, DISK_QCOW2, NULL, &disk, reason);
	if (r == 0 && (disk.format != DISK_QCOW2 || disk.backing[0] || disk.data_file ||
			      disk.corrupt || disk.virtual_bytes != w->order->bytes))
		r = reason_set(reason, -EUCLEAN, "the copy %s is not the image that was made",
			part);
	if (r == 0)
		r = disk_check(part, DISK_QCOW2, NULL, reason);
	if (r == 0)
		r = digest_file(part, NULL, info->sha256);
	info->bytes = (uint64_t)st.st_size;
	info->virtual_bytes = w->order->bytes;
	return r;
}

static void take_base(const struct work *w, struct snapshot_info *info)
{
	CLEANUP_FREE char *path = layout_path(w->state_dir, w->order->guest, LAYOUT_RECORD);
	CLEANUP_FREE struct record *record = calloc(1, sizeof(*record));

	if (path && record && record_read(path, record) == 0)
		memcpy(info->base_sha256, record->sha256, sizeof(info->base_sha256));
}

static int give_name(const struct work *w, const char *part, const struct snapshot_info *info)
{
	CLEANUP_FREE char *record =
		snapshot_path(w->order, w->state_dir, info->id, LAYOUT_SNAPSHOT_RECORD);
	CLEANUP_FREE char *image =
		snapshot_path(w->order, w->state_dir, info->id, LAYOUT_SNAPSHOT_IMAGE);

	if (!record || !image)
		return -ENOMEM;
	int r = snapshot_record_write(record, info);
	if (r < 0)
		return reason_set(
			&w->news->reason, r, "cannot write %s: %s", record, strerror(-r));
	FAILPOINT_OR_RETURN(SNAPSHOT_RENAME);
	if (rename(part, image) < 0)
		return reason_set(&w->news->reason, -errno, "cannot rename %s to %s: %s", part,
			image, strerror(errno));
	FAILPOINT(SNAPSHOT_RENAMED);
	return sync_dir(w);
}

/* The new one is safe by now. */
static int prune(struct work *w)
{
	struct snapshot_news *news = w->news;
	unsigned keep = MAX(w->order->keep, 1u), over;
	int r = look(w, true);

	over = r == 0 && news->n > keep ? news->n - keep : 0;
	for (unsigned i = 0; r == 0 && i < over; i++) {
		r = remove_whole(w, news->list[0].id);
		if (r < 0)
			break;
		news->n--;
		news->pruned++;
		memmove(&news->list[0], &news->list[1], sizeof(news->list[0]) * news->n);
	}
	if (r == 0)
		r = sync_dir(w);
	return r;
}

static int finish(struct work *w)
{
	struct snapshot_info info = w->order->made;
	CLEANUP_FREE char *part =
		snapshot_path(w->order, w->state_dir, info.id, LAYOUT_SNAPSHOT_PART);

	if (!part)
		return -ENOMEM;
	(void)snprintf(info.guest, sizeof(info.guest), "%s", w->order->guest);
	int r = check_copy(w, part, &info);
	if (r == 0) {
		take_base(w, &info);
		r = give_name(w, part, &info);
	}
	if (r < 0) {
		/* What cannot be removed now is by the next prepare(). */
		(void)unlink_one(w, info.id, LAYOUT_SNAPSHOT_PART);
		if (is_gone(w, info.id, LAYOUT_SNAPSHOT_IMAGE))
			(void)unlink_one(w, info.id, LAYOUT_SNAPSHOT_RECORD);
		(void)sync_dir(w);
		return r;
	}
	w->news->id = info.id;
	/* A copy more than Keep= is no failure of this one, and the next one's to prune. */
	if (prune(w) < 0)
		(void)look(w, false);
	return 0;
}

static int delete_one(struct work *w)
{
	char name[SNAPSHOT_NAME_TEXT];
	usec_t id = w->order->made.id;

	(void)snapshot_name(id, name);
	if (w->dir_fd < 0 || !is_there(w, id, LAYOUT_SNAPSHOT_IMAGE) ||
		!is_there(w, id, LAYOUT_SNAPSHOT_RECORD))
		return reason_set(&w->news->reason, -ENOENT, "there is no snapshot %s", name);
	int r = remove_whole(w, id);
	if (r == 0)
		r = sync_dir(w);
	if (r < 0)
		(void)reason_set(&w->news->reason, r, "the snapshot %s cannot be deleted: %s", name,
			strerror(-r));
	return r;
}

static int carry_out(struct work *w)
{
	int r = open_dir(w, w->order->kind == SNAPSHOT_PREPARE);

	if (r < 0)
		return r;
	switch (w->order->kind) {
	case SNAPSHOT_LOOK:
		return look(w, true);
	case SNAPSHOT_PREPARE:
		return prepare(w);
	case SNAPSHOT_FINISH:
		return finish(w);
	case SNAPSHOT_DISCARD:
		r = discard(w);
		break;
	case SNAPSHOT_DELETE:
		r = delete_one(w);
		break;
	case SNAPSHOT_ORDER_NUM:
		return -EINVAL;
	}
	return r < 0 ? r : look(w, true);
}

void snapshot_carry_out(
	const char *state_dir, const struct snapshot_order *order, struct snapshot_news *ret)
{
	struct work w = { .state_dir = state_dir, .order = order, .news = ret, .dir_fd = -1 };

	*ret = (struct snapshot_news){ 0 };
	ret->error = carry_out(&w);
	if (ret->error < 0 && !ret->reason.text[0])
		(void)reason_set(&ret->reason, ret->error, "%s", strerror(-ret->error));
	if (w.dir_fd >= 0)
		(void)close(w.dir_fd);
}
