/* SPDX-License-Identifier: Apache-2.0 */
/* The stages around the disk: the image, the base made of it, and the overlay. */
#include "base/failpoint.h"
#include "base/file.h"
#include "base/parse.h"
#include "cli/provision_job.h"
#include "io/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>

#define BASE_MODE 0444
/* A new overlay of 20 GiB takes 193 KiB, a seed 68; the rest keeps the file system from being
 * filled to the last block. */
#define SPACE_MARGIN_KIB (16u * 1024u)

/* Is the base with this name there, with this size? */
bool provision_has_base(const struct provision *p, const char *name, uint64_t bytes)
{
	CLEANUP_FREE char *path = path_join(p->image_dir, name);
	struct stat st;

	return *name && path && lstat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       (uint64_t)st.st_size == bytes;
}

/* Damaged, by whatever: with --replace-disk that is why it is put aside. Whether a QEMU has it is
 * found out before its header is read, but only by who may open it: while a guest runs its disk may
 * be QEMU's alone. What did not come so far says nothing of the disk. */
static int refuse_disk(struct provision *p, int error)
{
	const struct reason why = p->reason;
	const char *guest = p->guest->name;

	if (error == -EBUSY)
		return reason_set(&p->reason, error,
			"the guest is running: stop it first (mediakitd stop %s)", guest);
	if (error != -EINVAL && error != -EBADMSG && error != -EMEDIUMTYPE)
		return error;
	if (access(p->disk, R_OK) < 0)
		return reason_set(&p->reason, -errno,
			"cannot open the disk %s: %s. A guest that runs has it: stop it first "
			"(mediakitd stop %s)",
			p->disk, strerror(errno), guest);
	if (!p->replace_disk)
		return reason_set(&p->reason, error,
			"the disk is damaged: begin anew with --replace-disk=%s, or from a "
			"snapshot with --from=FILE besides; it is kept under another name (%s)",
			guest, why.text);
	stageline_note(&p->line, "the old disk is damaged: %s", why.text);
	p->reason.text[0] = '\0';
	return 0;
}

/* A running QEMU holds the image's lock, and qemu-img finds it held: no process list has to be
 * read. */
int provision_find_disk(struct provision *p)
{
	CLEANUP_FREE char *path = layout_path(p->state_dir, p->guest->name, LAYOUT_RECORD);
	struct stat st;

	if (!path)
		return -ENOMEM;
	(void)record_read(path, &p->record);
	if (lstat(p->disk, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	int r = disk_info(p->disk, DISK_QCOW2, &p->tick, &p->info, &p->reason);
	p->old_disk = p->replace_disk;
	if (r < 0)
		return refuse_disk(p, r);
	p->has_disk = !p->replace_disk;
	/* Of another disk, which this one took the place of. */
	if (p->has_disk && !p->info.backing[0] && p->record.base[0])
		provision_forget_base(p, "");
	CLEANUP_FREE char *base = path_join(p->image_dir, p->info.backing);
	if (!base)
		return -ENOMEM;
	if (p->has_disk && p->info.backing[0] && !strchr(p->info.backing, '/') &&
		access(base, F_OK) < 0)
		return reason_set(&p->reason, -ENOENT,
			"the disk stands on %s, which is missing: put it back, or begin anew with "
			"--replace-disk=%s",
			base, p->guest->name);
	return 0;
}

static int open_image(struct provision *p)
{
	const char *path = p->guest->image_path;

	/* O_NONBLOCK: a FIFO must not keep us waiting; it is refused below. */
	p->source_fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (p->source_fd < 0)
		return reason_set(
			&p->reason, -errno, "cannot open the image %s: %s", path, strerror(errno));
	if (fstat(p->source_fd, &p->source) < 0)
		return -errno;
	if (!S_ISREG(p->source.st_mode))
		return reason_set(&p->reason, -EINVAL, "the image %s is no regular file", path);
	return 0;
}

static uint64_t nsec(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_nsec;
}

static bool is_recorded_source(const struct provision *p)
{
	const struct record *record = &p->record;
	const struct stat *st = &p->source;

	return strcmp(record->source, p->guest->image_path) == 0 && record->device == st->st_dev &&
	       record->inode == st->st_ino && record->source_bytes == (uint64_t)st->st_size &&
	       record->mtime_nsec == nsec(&st->st_mtim) && record->ctime_nsec == nsec(&st->st_ctim);
}

/* A disk smaller than its image would lose the image's end, which is where the backup partition
 * table is. */
static int check_fits(struct provision *p, uint64_t virtual_bytes)
{
	char image[SIZE_TEXT_MAX], disk[SIZE_TEXT_MAX];

	if (virtual_bytes <= p->guest->disk_kib * 1024)
		return 0;
	return reason_set(&p->reason, -ENOSPC,
		"the disk is too small: Disk= is %s, the image %s holds a disk of %s",
		format_size_kib(disk, sizeof(disk), p->guest->disk_kib), provision_image_name(p),
		format_size_kib(image, sizeof(image), virtual_bytes / 1024));
}

int provision_examine(struct provision *p, const char *path, struct disk_info *ret)
{
	struct disk_info info;
	int r = disk_inspect(path, !p->guest->kernel, &p->tick, &info, &p->reason);

	if (r >= 0 && !p->has_disk)
		r = check_fits(p, info.virtual_bytes);
	if (r >= 0)
		r = disk_check(path, info.format, &p->tick, &p->reason);
	if (r >= 0)
		*ret = info;
	return r;
}

int provision_find_image(struct provision *p)
{
	const struct guest_spec *guest = p->guest;

	if (p->has_disk && !p->info.backing[0]) {
		stageline_note(&p->line, "the disk stands alone; no image is asked for");
		return 0;
	}
	if (provision_is_remote(p))
		return provision_find_remote(p);
	if (!guest->image_path && guest->kernel)
		return 0; /* boots from its kernel alone */
	if (!guest->image_path)
		return reason_set(
			&p->reason, -EINVAL, "the guest has no image: set [Image] URL= or Path=");
	int r = open_image(p);
	if (r == -ENOENT && p->has_disk) {
		stageline_note(&p->line, "the image %s is gone; the disk has its own copy of it",
			guest->image_path);
		return 0;
	}
	if (r < 0)
		return r;
	p->source_known = is_recorded_source(p) &&
			  provision_has_base(p, p->record.base, p->record.base_bytes) &&
			  (!p->has_disk || strcmp(p->record.base, p->info.backing) == 0);
	if (p->source_known)
		return p->has_disk ? 0 : check_fits(p, p->record.virtual_bytes);
	return provision_examine(p, guest->image_path, &p->source_info);
}

static uint64_t kib_of_file(const char *path)
{
	struct stat st;

	return path && stat(path, &st) == 0 ? (uint64_t)st.st_size / 1024 + 1 : 0;
}

int provision_check_space(struct provision *p)
{
	char needed[SIZE_TEXT_MAX], there[SIZE_TEXT_MAX], size[SIZE_TEXT_MAX];
	uint64_t need = SPACE_MARGIN_KIB, disk = p->guest->disk_kib;
	struct statvfs fs;

	if (statvfs(p->image_dir, &fs) < 0)
		return reason_set(&p->reason, -errno, "cannot ask for the space in %s: %s",
			p->image_dir, strerror(errno));
	uint64_t free_kib = (uint64_t)fs.f_bavail * fs.f_frsize / 1024;
	/* Blocks, not bytes: the copy keeps holes. */
	if (p->source_fd >= 0 && !p->part && !p->has_disk && !p->source_known)
		need += (uint64_t)p->source.st_blocks / 2;
	need += kib_of_file(p->guest->kernel) + kib_of_file(p->guest->initrd);
	if (free_kib < need)
		return reason_set(&p->reason, -ENOSPC,
			"not enough space in %s: %s needed, %s available", p->image_dir,
			format_size_kib(needed, sizeof(needed), need / 1024 * 1024 + 1024),
			format_size_kib(there, sizeof(there), free_kib));
	if (guest_spec_has_disk(p->guest) && !p->has_disk && free_kib < need + disk)
		stageline_note(&p->line,
			"note: the disk may grow to %s, and %s is all the space there is in %s",
			format_size_kib(size, sizeof(size), disk),
			format_size_kib(there, sizeof(there), free_kib), p->image_dir);
	return 0;
}

static int check_digest(struct provision *p, const char *digest)
{
	const char *wanted = p->guest->image_sha256;

	if (!wanted || strcmp(wanted, digest) == 0)
		return 0;
	return reason_set(&p->reason, -EBADMSG,
		"wrong digest: %s has SHA-256 %s, the configuration (SHA256=) wants %s",
		p->guest->image_path, digest, wanted);
}

/* Copies the image, and from there on looks at nothing but the copy: the file it came from may
 * change under us. */
static int make_base(
	struct provision *p, char digest[static DIGEST_TEXT], char name[static LAYOUT_BASE_NAME])
{
	CLEANUP_FREE char *temporary = path_join(p->image_dir, "base" LAYOUT_TEMPORARY);

	if (!temporary)
		return -ENOMEM;
	stageline_begin(&p->line, "copying the image");
	int r = copy_file(p->source_fd, temporary, BASE_MODE, &p->tick);
	if (r < 0)
		return reason_set(
			&p->reason, r, "cannot copy the image to %s: %s", temporary, strerror(-r));
	stageline_begin(&p->line, "checking the copy");
	r = provision_examine(p, temporary, &p->source_info);
	if (r >= 0)
		r = digest_file(temporary, &p->tick, digest);
	if (r >= 0)
		r = check_digest(p, digest);
	if (r >= 0)
		r = provision_read_manifest(p, digest);
	if (r >= 0)
		r = provision_gate(p, p->glibc);
	if (r < 0)
		return r;
	r = layout_base_name(digest, disk_format_to_string(p->source_info.format), name);
	if (r >= 0)
		r = provision_find_base(p, name, digest);
	/* The same image again: kept disks may stand on the base that is there, so it stays. */
	if (r != 0)
		return r < 0 ? r : 0;
	return provision_put_base(p, temporary, name);
}

static void remember_source(struct provision *p, const char *digest, const char *base)
{
	struct record *record = &p->record;

	(void)snprintf(record->base, sizeof(record->base), "%s", base);
	(void)snprintf(record->sha256, sizeof(record->sha256), "%s", digest);
	(void)snprintf(record->source, sizeof(record->source), "%s", p->guest->image_path);
	record->format = p->source_info.format;
	record->virtual_bytes = p->source_info.virtual_bytes;
	record->base_bytes = record->source_bytes = (uint64_t)p->source.st_size;
	record->device = p->source.st_dev;
	record->inode = p->source.st_ino;
	record->mtime_nsec = nsec(&p->source.st_mtim);
	record->ctime_nsec = nsec(&p->source.st_ctim);
	record->signer[0] = '\0';
	if (p->glibc[0])
		memcpy(record->glibc, p->glibc, sizeof(record->glibc));
}

/* The image of a guest that has a disk: it is only compared. */
static int compare_image(struct provision *p)
{
	char digest[DIGEST_TEXT], name[LAYOUT_BASE_NAME];

	stageline_begin(&p->line, "hashing the image");
	int r = digest_file(p->guest->image_path, &p->tick, digest);
	if (r >= 0)
		r = check_digest(p, digest);
	if (r >= 0)
		r = layout_base_name(digest, disk_format_to_string(p->source_info.format), name);
	if (r < 0)
		return r;
	if (strcmp(name, p->info.backing) == 0) {
		r = provision_read_manifest(p, digest);
		remember_source(p, digest, name);
		p->record.verified = p->guest->image_sha256 != NULL;
		/* Which was held against its name by the stage before. */
		if (r >= 0)
			r = provision_remember_base(p);
		return r < 0 ? r : provision_gate(p, p->record.glibc);
	}
	stageline_note(&p->line,
		"%s is another image than the one the disk was made from; the disk keeps its base "
		"(%s): "
		"--replace-disk=%s makes a new one",
		p->guest->image_path, p->info.backing, p->guest->name);
	return 0;
}

/* The image of a guest that has a disk is not asked for: it would not change the disk. */
static int remote_base(struct provision *p)
{
	const char *pinned = p->guest->image_sha256;

	if (p->part)
		return provision_adopt_part(p, p->wanted);
	if (p->info.backing[0] && p->has_disk && pinned && p->record.sha256[0] &&
		strcmp(pinned, p->record.sha256) != 0)
		stageline_note(&p->line,
			"SHA256= is of another image than the one the disk was made from; the disk "
			"keeps its base (%s): --replace-disk=%s makes a new one",
			p->info.backing, p->guest->name);
	return provision_gate(p, p->record.glibc);
}

int provision_base(struct provision *p)
{
	char digest[DIGEST_TEXT], name[LAYOUT_BASE_NAME];
	int r;

	if (provision_is_remote(p))
		return remote_base(p);
	if (p->source_fd < 0)
		return provision_gate(p, p->record.glibc);
	if (p->source_known) {
		r = check_digest(p, p->record.sha256);
		if (r >= 0)
			r = provision_gate(p, p->record.glibc);
	} else if (p->has_disk) {
		return compare_image(p);
	} else {
		p->record.glibc[0] = '\0';
		r = make_base(p, digest, name);
		p->base_is_new = true;
		if (r >= 0) {
			remember_source(p, digest, name);
			r = provision_remember_base(p);
		}
	}
	if (r < 0)
		return r;
	p->record.verified = p->guest->image_sha256 != NULL;
	if (!p->record.verified)
		stageline_note(&p->line,
			"the image is unverified (no SHA256= set): its SHA-256 is %s",
			p->record.sha256);
	return 0;
}

static int describe_disk(struct provision *p)
{
	char is[SIZE_TEXT_MAX], wanted[SIZE_TEXT_MAX];
	uint64_t kib = p->info.virtual_bytes / 1024;

	if (kib == p->guest->disk_kib || !guest_spec_has_disk(p->guest)) {
		stageline_note(&p->line, "disk unchanged");
		return 0;
	}
	stageline_note(&p->line,
		"disk unchanged: it is of %s and Disk= is %s; an existing disk is neither grown "
		"nor shrunk "
		"here",
		format_size_kib(is, sizeof(is), kib),
		format_size_kib(wanted, sizeof(wanted), p->guest->disk_kib));
	return 0;
}

int provision_disk(struct provision *p)
{
	CLEANUP_FREE char *temporary = path_join(p->image_dir, "disk" LAYOUT_TEMPORARY);
	char size[SIZE_TEXT_MAX];

	if (!temporary)
		return -ENOMEM;
	if (p->has_disk)
		return describe_disk(p);
	if (!guest_spec_has_disk(p->guest))
		return 0;
	int r = disk_create_overlay(temporary, p->record.base, p->record.format, p->guest->disk_kib,
		&p->tick, &p->reason);
	if (r >= 0)
		r = provision_put_disk(p, temporary);
	if (r >= 0)
		stageline_note(&p->line, "disk made: %s on %s",
			format_size_kib(size, sizeof(size), p->guest->disk_kib), p->record.base);
	return r < 0 ? r : provision_drop_bad_base(p);
}
