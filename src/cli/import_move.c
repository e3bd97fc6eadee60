/* SPDX-License-Identifier: Apache-2.0 */
/* The move itself, and taking it back. */
#include "base/failpoint.h"
#include "base/file.h"
#include "cli/import_job.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

void import_init(struct import *im, const char *dir, const char *named)
{
	*im = (struct import){ .dir = dir, .named = named, .dir_fd = -1, .to_fd = -1 };
	im->disk.fd = im->seed.fd = -1;
}

static void clear_file(struct import_file *f)
{
	cleanup_closep(&f->fd);
	free(f->to);
}

void import_clear(struct import *im)
{
	clear_file(&im->disk);
	clear_file(&im->seed);
	cleanup_closep(&im->dir_fd);
	cleanup_closep(&im->to_fd);
}

static int sync_both(const struct import *im)
{
	return fsync(im->to_fd) < 0 || fsync(im->dir_fd) < 0 ? -errno : 0;
}

static int owner_of_state(const struct provision *p, struct stat *ret)
{
	return stat(p->state_dir, ret) < 0 ? -errno : 0;
}

/* The new owner comes before the new name: a run that is killed between the two is done again as
 * if it had not been, and a disk that has its place is the daemon's. */
static int move_file(struct provision *p, struct import_file *f, mode_t mode)
{
	const struct import *im = p->import;
	const char *to = strrchr(f->to, '/') + 1;
	struct stat owner;
	int r = owner_of_state(p, &owner);

	if (r >= 0 && (fchown(f->fd, owner.st_uid, owner.st_gid) < 0 || fchmod(f->fd, mode) < 0))
		r = -errno;
	FAILPOINT_OR_RETURN(PROVISION_RENAME);
	if (r >= 0 && renameat2(im->dir_fd, f->name, im->to_fd, to, RENAME_NOREPLACE) < 0)
		r = -errno;
	if (r == -EXDEV)
		return import_refuse_far(p, "they are different mounts");
	if (r < 0)
		return reason_set(&p->reason, r, "cannot move %s/%s to %s: %s", im->dir, f->name,
			f->to, strerror(-r));
	f->moved = true;
	FAILPOINT_OR_RETURN(PROVISION_RENAMED);
	return 0;
}

/* After a failure: as it was, so far as can be. */
static void take_back(struct provision *p, struct import_file *f)
{
	const struct import *im = p->import;

	if (f->fd < 0)
		return;
	if (f->moved && renameat2(im->to_fd, strrchr(f->to, '/') + 1, im->dir_fd, f->name,
				RENAME_NOREPLACE) < 0) {
		stageline_note(&p->line, "it is now %s and could not be moved back (%s)", f->to,
			strerror(errno));
		return;
	}
	f->moved = false;
	if (fchown(f->fd, f->was.st_uid, f->was.st_gid) < 0 ||
		fchmod(f->fd, f->was.st_mode & 07777) < 0)
		stageline_note(&p->line, "%s/%s has another owner or mode now: %s", im->dir,
			f->name, strerror(errno));
}

static int name_targets(struct provision *p)
{
	struct import *im = p->import;
	char time[RECORD_TIME_TEXT];

	record_time(now_realtime(), true, time);
	im->disk.to = strdup(p->disk);
	if (im->seed.name[0] &&
		asprintf(&im->seed.to, "%s/seed.iso.old-%s", p->image_dir, time) < 0)
		im->seed.to = NULL;
	return im->disk.to && (im->seed.to || !im->seed.name[0]) ? 0 : -ENOMEM;
}

int import_move(struct provision *p)
{
	struct import *im = p->import;
	bool has_seed = im->seed.name[0] != '\0';
	int r = name_targets(p);

	if (r >= 0 && has_seed)
		r = move_file(p, &im->seed, 0644);
	if (r >= 0)
		r = move_file(p, &im->disk, 0600);
	/* By its old name nobody can open it any more; whoever did so in time is seen now. */
	if (r >= 0)
		r = import_check_free(p);
	if (r >= 0) {
		r = sync_both(im);
		if (r < 0)
			(void)reason_set(&p->reason, r, "cannot write out %s: %s", p->image_dir,
				strerror(-r));
	}
	if (r < 0) {
		take_back(p, &im->disk);
		if (has_seed)
			take_back(p, &im->seed);
		(void)sync_both(im);
		return r;
	}
	stageline_note(&p->line, "the disk %s/%s is now %s", im->dir, im->disk.name, im->disk.to);
	if (has_seed)
		stageline_note(&p->line, "the old seed %s/%s is kept as %s, and not used", im->dir,
			im->seed.name, im->seed.to);
	return 0;
}
