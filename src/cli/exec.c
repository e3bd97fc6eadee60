/* SPDX-License-Identifier: Apache-2.0 */
/* Becomes one of the other programs. They are kept apart because linking libvirt and curl costs
 * more time than all of `status`. */
#include "cli/asking.h"

#include "base/macro.h"
#include "cli/verb.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* They lie beside the command, wherever that is: PREFIX/bin and PREFIX/libexec/mediakitd, build/bin
 * and so on. */
static int program_path(const char *name, char *buf, size_t size)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return -errno;
	self[n] = '\0';
	char *slash = strrchr(self, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	n = snprintf(buf, size, "%s/../libexec/mediakitd/%s", self, name);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static int become(const char *name, int argc, char **argv)
{
	char path[PATH_MAX];
	int r = program_path(name, path, sizeof(path));

	if (r < 0) {
		fprintf(stderr, "mediakitd: cannot find %s: %s\n", name, strerror(-r));
		return CLI_FAILED;
	}
	char **with_self = calloc((size_t)argc + 2, sizeof(*with_self));
	if (!with_self)
		return CLI_FAILED;
	with_self[0] = path;
	memcpy(with_self + 1, argv, (size_t)argc * sizeof(*argv));
	(void)execv(path, with_self);
	fprintf(stderr, "mediakitd: cannot run %s: %s\n", path, strerror(errno));
	free(with_self);
	return CLI_FAILED;
}

int verb_exec_daemon(int argc, char **argv)
{
	return become("mediakitd-daemon", argc, argv);
}

int verb_exec_offline(int argc, char **argv)
{
	return become("mediakitd-offline", argc, argv);
}
