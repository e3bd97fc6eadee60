/* SPDX-License-Identifier: Apache-2.0 */
/* How often the host's kernel killed for memory, counted in the control group that outlives a QEMU.
 * An exit status cannot tell: SIGKILL is SIGKILL, whoever sent it. */
#ifndef MEDIAKIT_IO_OOMKILL_H
#define MEDIAKIT_IO_OOMKILL_H

#include <stdint.h>

#define OOMKILL_PATH_MAX 512u

/* As core sees it, so that tests count by themselves. */
struct oomkill {
	/* The file whose counter rises when the kernel kills process `pid` for memory, and which is
	 * still there afterwards. 0; -EOPNOTSUPP where no file does both: without control groups,
	 * and with their first version, which counts a kill in the group of the killed alone, gone
	 * with QEMU's scope; -ESRCH where the process is nowhere to be seen; -errno. */
	int (*find)(int64_t pid, char ret_path[static OOMKILL_PATH_MAX]);
	/* Its `oom_kill` now. 0 or -errno. Two guests in one slice share the counter. */
	int (*read)(const char *path, uint64_t *ret);
};

/* The kernel's. */
extern const struct oomkill oomkill_kernel;

/* The same, with /proc and /sys/fs/cgroup elsewhere. */
int oomkill_find_at(
	const char *proc, const char *cgroups, int64_t pid, char ret_path[static OOMKILL_PATH_MAX]);
int oomkill_read(const char *path, uint64_t *ret);

#endif
