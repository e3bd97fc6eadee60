/* SPDX-License-Identifier: Apache-2.0 */
/* Becomes one of the other programs. They are kept apart because linking libvirt and curl costs
 * more time than all of `status`. */
#include "cli/asking.h"

#include "base/file.h"
#include "base/macro.h"
#include "cli/verb.h"

#include <errno.h>
#include <string.h>

/* They lie beside the command, wherever that is: PREFIX/bin and PREFIX/libexec/mediakitd, build/bin
 * and so on. */
static int become(const char *relative, int argc, char **argv)
{
	CLEANUP_FREE char *path = path_beside_program(relative);

	if (!path) {
		fputs("mediakitd: cannot find its other programs: no memory, or no /proc\n",
			stderr);
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
	return become("../libexec/mediakitd/mediakitd-daemon", argc, argv);
}

int verb_exec_offline(int argc, char **argv)
{
	return become("../libexec/mediakitd/mediakitd-offline", argc, argv);
}
