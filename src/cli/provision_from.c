/* SPDX-License-Identifier: Apache-2.0 */
/* The disk made of a snapshot: whether that fits this guest, and the copying of it.
 *
 * The file may come from anywhere, so it is held for as untrusted as an image; and it may change
 * under us, so what counts is looked at again in the copy. */
#include "base/file.h"
#include "base/parse.h"
#include "cli/provision_job.h"
#include "io/copy.h"
#include "io/room.h"
#include "io/snapshotfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define MARGIN_KIB (16u * 1024u)

/* NAME.json for NAME.qcow2. -ENOENT: it is not called so. */
static int record_path(const char *image, char **ret)
{
	size_t len = strlen(image), suffix = strlen(LAYOUT_SNAPSHOT_IMAGE);
	char *path = NULL;

	if (len <= suffix || strcmp(image + len - suffix, LAYOUT_SNAPSHOT_IMAGE) != 0)
		return -ENOENT;
	if (asprintf(&path, "%.*s%s", (int)(len - suffix), image, LAYOUT_SNAPSHOT_RECORD) < 0)
		return -ENOMEM;
	*ret = path;
	return 0;
}

/* 1 and *ret: there is a record, and it fits the guest; 0: there is none. */
static int read_record(struct provision *p, struct snapshot_info *ret)
{
	CLEANUP_FREE char *path = NULL;
	int r = record_path(p->from, &path);

	if (r >= 0)
		r = snapshot_record_read(path, ret);
	if (r == -ENOENT)
		return 0;
	if (!path)
		return r;
	if (r < 0)
		return reason_set(&p->reason, r,
			"%s, the record beside the snapshot, cannot be read (%s): copy the image "
			"elsewhere to take it without a record",
			path, strerror(-r));
	if (strcmp(ret->guest, p->guest->name) != 0)
		return reason_set(&p->reason, -EINVAL,
			"%s is a snapshot of the guest %s, and this is %s", p->from, ret->guest,
			p->guest->name);
	if (ret->base_sha256[0] && p->record.sha256[0] &&
		strcmp(ret->base_sha256, p->record.sha256) != 0)
		return reason_set(&p->reason, -ESTALE,
			"%s was made when the guest stood on another image (SHA-256 %s, now %s): "
			"its kernel and modules may not fit together; copy the image elsewhere, "
			"without its record, to take it all the same",
			p->from, ret->base_sha256, p->record.sha256);
	return 1;
}

static int open_file(struct provision *p)
{
	p->source_fd = open(p->from, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (p->source_fd < 0)
		return reason_set(&p->reason, -errno, "cannot open the snapshot %s: %s", p->from,
			strerror(errno));
	if (fstat(p->source_fd, &p->source) < 0)
		return -errno;
	if (!S_ISREG(p->source.st_mode))
		return reason_set(
			&p->reason, -EINVAL, "the snapshot %s is no regular file", p->from);
	return 0;
}

/* A whole qcow2 that is no larger than Disk=. */
static int examine(struct provision *p, const char *path, struct disk_info *ret)
{
	char is[SIZE_TEXT_MAX], most[SIZE_TEXT_MAX];
	int r = disk_inspect(path, false, &p->tick, ret, &p->reason);

	if (r < 0)
		return r;
	if (ret->format != DISK_QCOW2)
		return reason_set(&p->reason, -EMEDIUMTYPE, "%s is no qcow2 image", path);
	if (ret->virtual_bytes / 1024 <= p->guest->disk_kib)
		return disk_check(path, DISK_QCOW2, &p->tick, &p->reason);
	return reason_set(&p->reason, -EFBIG,
		"%s holds a disk of %s, and Disk= is %s: a disk is not made smaller", p->from,
		format_size_kib(is, sizeof(is), ret->virtual_bytes / 1024),
		format_size_kib(most, sizeof(most), p->guest->disk_kib));
}

static int check_space(struct provision *p)
{
	char needed[SIZE_TEXT_MAX], there[SIZE_TEXT_MAX];
	uint64_t need = (uint64_t)p->source.st_blocks / 2 + MARGIN_KIB, free_kib = 0;
	int r = room_free(p->image_dir, &free_kib);

	if (r < 0)
		return reason_set(&p->reason, r, "cannot ask for the space in %s: %s",
			p->image_dir, strerror(-r));
	if (free_kib >= need)
		return 0;
	return reason_set(&p->reason, -ENOSPC, "not enough space in %s: %s needed, %s available",
		p->image_dir, format_size_kib(needed, sizeof(needed), need / 1024 * 1024 + 1024),
		format_size_kib(there, sizeof(there), free_kib / 1024 * 1024));
}

int provision_find_from(struct provision *p)
{
	struct snapshot_info info;

	if (p->has_disk)
		return reason_set(&p->reason, -EEXIST,
			"the guest has a disk, which is not overwritten: --replace-disk=%s puts "
			"it aside and takes this one instead",
			p->guest->name);
	if (!guest_spec_has_disk(p->guest))
		return reason_set(&p->reason, -EINVAL, "the guest is configured without a disk");
	int r = open_file(p);
	if (r >= 0)
		r = read_record(p, &info);
	if (r == 0)
		stageline_note(&p->line,
			"there is no record beside %s: of which guest it is, and when it was made, "
			"is not known",
			p->from);
	if (r >= 0)
		r = examine(p, p->from, &p->source_info);
	return r < 0 ? r : check_space(p);
}

/* *ret: of which image the copy was made; "" where nothing says. */
static int check_copy(struct provision *p, const char *path, char ret[static DIGEST_TEXT])
{
	struct snapshot_info info = { 0 };
	char digest[DIGEST_TEXT];
	int known = read_record(p, &info);
	int r = known < 0 ? known : examine(p, path, &p->source_info);

	if (r >= 0 && known > 0) {
		stageline_begin(&p->line, "hashing the copy");
		r = digest_file(path, &p->tick, digest);
	}
	if (r < 0)
		return r;
	if (known > 0 && strcmp(digest, info.sha256) != 0)
		return reason_set(&p->reason, -EBADMSG,
			"%s is not what its record says: its SHA-256 is %s, and was %s", p->from,
			digest, info.sha256);
	memcpy(ret, info.base_sha256, sizeof(info.base_sha256));
	return 0;
}

int provision_from(struct provision *p)
{
	CLEANUP_FREE char *temporary = path_join(p->image_dir, "disk" LAYOUT_TEMPORARY);
	char size[SIZE_TEXT_MAX], image[DIGEST_TEXT];

	if (!temporary)
		return -ENOMEM;
	int r = copy_file(p->source_fd, temporary, 0600, &p->tick);
	if (r < 0)
		return reason_set(&p->reason, r, "cannot copy the snapshot to %s: %s", temporary,
			strerror(-r));
	r = check_copy(p, temporary, image);
	if (r >= 0)
		r = provision_put_disk(p, temporary);
	if (r < 0)
		return r;
	/* Which stands alone, whatever the one before it stood on. */
	provision_forget_base(p, image);
	stageline_note(&p->line, "disk made: %s, of %s",
		format_size_kib(size, sizeof(size), p->source_info.virtual_bytes / 1024), p->from);
	return 0;
}
