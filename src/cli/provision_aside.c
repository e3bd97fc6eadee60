/* SPDX-License-Identifier: Apache-2.0 */
/* New files take the places of old ones, and what is replaced is kept under another name. */
#include "base/failpoint.h"
#include "base/file.h"
#include "cli/provision_job.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* So many names a second. */
#define NAMES_MAX 100u

int provision_rename(const char *from, const char *to, struct reason *reason)
{
	CLEANUP_FREE char *dir = strdup(to);
	int r = 0;

	if (!dir)
		return -ENOMEM;
	*strrchr(dir, '/') = '\0';
	CLEANUP_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FAILPOINT_OR_RETURN(PROVISION_RENAME);
	if (fd < 0 || rename(from, to) < 0 || fsync(fd) < 0)
		r = reason_set(
			reason, -errno, "cannot rename %s to %s: %s", from, to, strerror(errno));
	FAILPOINT(PROVISION_RENAMED);
	return r;
}

static bool is_same_file(const char *a, const char *b)
{
	struct stat one, other;

	return lstat(a, &one) == 0 && lstat(b, &other) == 0 && one.st_dev == other.st_dev &&
	       one.st_ino == other.st_ino;
}

/* 0; 1: another name is to be tried; -errno. One that the file has already was given to it by a run
 * that was killed in this same second. */
static int keep_as(const char *path, const char *name)
{
	if (link(path, name) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	return is_same_file(path, name) ? 0 : 1;
}

/* Gives the file a second name, which no other has: *ret, the caller's to free. */
static int keep(
	struct provision *p, const char *path, const char *suffix, const char *what, char **ret)
{
	char time[RECORD_TIME_TEXT], number[16] = "";
	int r = 1;

	record_time(now_realtime(), true, time);
	for (unsigned i = 1; r > 0 && i <= NAMES_MAX; i++) {
		CLEANUP_FREE char *name = NULL;

		if (asprintf(&name, "%s.%s-%s%s", path, suffix, time, number) < 0)
			return -ENOMEM;
		r = keep_as(path, name);
		if (r == 0)
			*ret = TAKE_PTR(name);
		else if (r < 0 || i == NAMES_MAX)
			return reason_set(&p->reason, r < 0 ? r : -EEXIST,
				"cannot keep the %s as %s: %s", what, name,
				strerror(r < 0 ? -r : EEXIST));
		(void)snprintf(number, sizeof(number), "-%u", i + 1);
	}
	return 0;
}

/* That gets its second name before it loses the first, so that at no time it is missing. Without a
 * new file it only loses it. */
static int replace(struct provision *p, const char *temporary, const char *path, const char *suffix,
	const char *what)
{
	CLEANUP_FREE char *old = NULL;
	int r = keep(p, path, suffix, what, &old);

	if (r < 0 || !old)
		return r < 0 ? r : -ENOMEM;
	if (temporary)
		r = provision_rename(temporary, path, &p->reason);
	else if (unlink(path) < 0)
		r = reason_set(
			&p->reason, -errno, "cannot remove the name %s: %s", path, strerror(errno));
	/* Also a failure may come after the new file has the name: the other is then the last. */
	if (r < 0 && is_same_file(path, old))
		(void)unlink(old);
	else
		stageline_note(&p->line, "the %s is kept as %s", what, old);
	return r;
}

int provision_put_disk(struct provision *p, const char *temporary)
{
	return p->old_disk ? replace(p, temporary, p->disk, "old", "old disk")
			   : provision_rename(temporary, p->disk, &p->reason);
}

int provision_put_base(struct provision *p, const char *temporary, const char *name)
{
	CLEANUP_FREE char *path = path_join(p->image_dir, name);

	if (!path)
		return -ENOMEM;
	if (strcmp(p->bad_base, name) != 0)
		return provision_rename(temporary, path, &p->reason);
	int r = replace(p, temporary, path, "bad", "base that was changed");
	if (r >= 0)
		p->bad_base[0] = '\0';
	return r;
}

int provision_drop_bad_base(struct provision *p)
{
	return p->bad_base[0] ? provision_put_base(p, NULL, p->bad_base) : 0;
}
