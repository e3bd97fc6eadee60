/* SPDX-License-Identifier: Apache-2.0 */
/* Giving files to the daemon's user, and becoming it. */
#include "io/owner.h"

#include "base/macro.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void cleanup_dirp(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

/* Nothing is followed, and only what is root's is given away. */
static int give_dir(const char *path, const struct stat *owner)
{
	CLEANUP(cleanup_dirp) DIR *d = opendir(path);
	struct stat st;

	if (!d)
		return -errno;
	if (fstat(dirfd(d), &st) < 0 ||
		(st.st_uid == 0 && fchown(dirfd(d), owner->st_uid, owner->st_gid) < 0))
		return -errno;
	for (const struct dirent *e; (e = readdir(d));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
			!S_ISREG(st.st_mode) || st.st_uid != 0 || st.st_nlink != 1)
			continue;
		if (fchownat(dirfd(d), e->d_name, owner->st_uid, owner->st_gid,
			    AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
	}
	return 0;
}

static int become(const struct stat *owner)
{
	const struct passwd *user = getpwuid(owner->st_uid);

	/* A user without a name has no groups either. */
	if (user ? initgroups(user->pw_name, owner->st_gid) < 0 : setgroups(0, NULL) < 0)
		return -errno;
	if (setresgid(owner->st_gid, owner->st_gid, owner->st_gid) < 0 ||
		setresuid(owner->st_uid, owner->st_uid, owner->st_uid) < 0)
		return -errno;
	return 0;
}

/* 1: there is something to do. */
static int find_owner(const char *state_dir, struct stat *ret, struct reason *reason)
{
	if (geteuid() != 0)
		return 0;
	if (stat(state_dir, ret) < 0)
		return reason_set(reason, -errno, "%s: %s", state_dir, strerror(errno));
	return ret->st_uid != 0;
}

int owner_give(const char *state_dir, const char *dir, struct reason *reason)
{
	struct stat owner;
	int r = find_owner(state_dir, &owner, reason);

	if (r <= 0)
		return r;
	r = give_dir(dir, &owner);
	return r < 0 ? reason_set(reason, r, "%s cannot be given to the owner of %s: %s", dir,
			       state_dir, strerror(-r))
		     : 0;
}

int owner_find(const char *state_dir, uid_t *ret_uid, gid_t *ret_gid, struct reason *reason)
{
	struct stat owner;
	int r = find_owner(state_dir, &owner, reason);

	if (r <= 0)
		return r;
	*ret_uid = owner.st_uid;
	*ret_gid = owner.st_gid;
	return 1;
}

int owner_become(const char *state_dir, struct reason *reason)
{
	struct stat owner;
	int r = find_owner(state_dir, &owner, reason);

	if (r <= 0)
		return r;
	r = become(&owner);
	return r < 0 ? reason_set(reason, r, "cannot become the owner of %s, uid %u: %s", state_dir,
			       (unsigned)owner.st_uid, strerror(-r))
		     : 0;
}
