/* SPDX-License-Identifier: Apache-2.0 */
/* A child becomes the other user and tries: ACLs, groups and mount options are the kernel's to
 * weigh, not ours. */
#include "io/reach.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define GROUPS_MAX_ASKED 128
#define EXIT_OPEN        0
#define EXIT_CLOSED      1
#define EXIT_UNKNOWN     2

/* In the child. */
static int try_as(const struct passwd *pw, const gid_t *groups, int n_groups, const char *dir)
{
	if (setgroups((size_t)n_groups, groups) < 0 || setgid(pw->pw_gid) < 0 ||
		setuid(pw->pw_uid) < 0)
		return EXIT_UNKNOWN;
	return access(dir, X_OK) < 0 && errno == EACCES ? EXIT_CLOSED : EXIT_OPEN;
}

/* One directory. 1: closed, 0: open or not known, -errno. */
static int is_closed(const struct passwd *pw, const gid_t *groups, int n_groups, const char *dir)
{
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		_exit(try_as(pw, groups, n_groups, dir));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_CLOSED;
}

static int blame(const char *dir, const char *user, struct reason *reason)
{
	struct stat st = { 0 };

	(void)stat(dir, &st);
	return reason_set(reason, -EACCES,
		"user %s, as whom QEMU runs, cannot pass the directory %s (mode %04o, owner uid "
		"%u): "
		"chmod o+x it, or choose another state directory",
		user, dir, (unsigned)(st.st_mode & 07777), (unsigned)st.st_uid);
}

int reach_check(const char *path, const char *user, struct reason *reason)
{
	CLEANUP_FREE char *walk = realpath(path, NULL);
	gid_t groups[GROUPS_MAX_ASKED];
	int n_groups = GROUPS_MAX_ASKED;

	if (!walk)
		return -errno;
	const struct passwd *pw = getpwnam(user);
	if (!pw || geteuid() != 0)
		return 0;
	if (getgrouplist(user, pw->pw_gid, groups, &n_groups) < 0)
		n_groups = GROUPS_MAX_ASKED; /* the first ones will have to do */
	/* The last one alone answers for the whole way; only a closed way is walked to find where.
	 */
	struct stat st;
	if (stat(walk, &st) == 0 && !S_ISDIR(st.st_mode))
		*strrchr(walk, '/') = '\0';
	int r = *walk ? is_closed(pw, groups, n_groups, walk) : 0;
	if (r <= 0)
		return r;
	for (char *s = strchr(walk + 1, '/'); s; s = strchr(s + 1, '/')) {
		*s = '\0';
		r = is_closed(pw, groups, n_groups, walk);
		if (r < 0)
			return r;
		if (r > 0)
			break;
		*s = '/';
	}
	return blame(walk, user, reason);
}
