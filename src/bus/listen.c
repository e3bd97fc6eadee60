/* SPDX-License-Identifier: Apache-2.0 */
/* A listening unix socket that never has a wider mode than it should, not even for a moment. */
#include "base/log.h"
#include "base/macro.h"
#include "bus/server.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static void give_to_group(const char *path, const char *name)
{
	const struct group *g = getgrnam(name);

	/* As mediakitd.service runs it, it is the process's own group. */
	if (g && g->gr_gid == getegid())
		return;
	if (g && chown(path, (uid_t)-1, g->gr_gid) < 0)
		log_warning("cannot give %s to the group %s: %m; only root may use it", path, name);
}

/* The kernel makes a socket's file with the mode of the socket, less the umask. umask() itself
 * would be felt by the other threads, so the socket is closed to all before it is bound and opened
 * after it has its group. */
static int bind_at(int fd, const struct sockaddr_un *address, mode_t mode, const char *group)
{
	if (fchmod(fd, 0600) < 0)
		return -errno;
	(void)unlink(address->sun_path);
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return -errno;
	if (group)
		give_to_group(address->sun_path, group);
	if (chmod(address->sun_path, mode) < 0)
		return -errno;
	return listen(fd, SOMAXCONN) < 0 ? -errno : 0;
}

int bus_listen(const char *path, mode_t mode, const char *group)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	CLEANUP_CLOSE int fd = -1;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	int r = bind_at(fd, &address, mode, group);
	return r < 0 ? r : TAKE_FD(fd);
}
