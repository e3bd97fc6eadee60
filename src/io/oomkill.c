/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the counter, by the file formats of cgroups(7) and the kernel's cgroup-v2.rst. */
#include "io/oomkill.h"

#include "base/file.h"
#include "base/macro.h"
#include "base/parse.h"

#include <errno.h>
#include <glob.h>
#include <string.h>

#define GROUP_MAX 256u
#define FILE_MAX  (64u * 1024u)

/* The path of a controller's group in /proc/PID/cgroup, "N:CONTROLLERS:PATH" a line; `controller`
 * "" is the second version's line, "0::PATH". */
static bool group_of(const char *text, const char *controller, char ret[static GROUP_MAX])
{
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;
		size_t len = strcspn(line, "\n");

		if (!path || path > line + len || (size_t)(path - list - 1) != strlen(controller) ||
			strncmp(list + 1, controller, strlen(controller)) != 0)
			continue;
		len -= (size_t)(path + 1 - line);
		if (len >= GROUP_MAX || path[1] != '/')
			return false;
		memcpy(ret, path + 1, len);
		ret[len] = '\0';
		return true;
	}
	return false;
}

static bool ends_with(const char *s, size_t len, const char *end)
{
	return len > strlen(end) && strncmp(s + len - strlen(end), end, strlen(end)) == 0;
}

/* Cuts off what goes with QEMU: systemd's scope, or the group libvirt makes where there is no
 * systemd. With neither, QEMU lives in the group of whoever started it. */
static bool cut_mortal(char *group)
{
	for (char *at = group; *at == '/';) {
		size_t len = 1 + strcspn(at + 1, "/");

		if (ends_with(at, len, ".scope") || ends_with(at, len, ".libvirt-qemu")) {
			*at = '\0';
			return true;
		}
		at += len;
	}
	return false;
}

/* Other users' processes may be hidden from us (ProtectProc=); the groups that libvirt makes with
 * systemd are not, and name the processes in them. */
static bool listed(const char *cgroups, int64_t pid)
{
	char pattern[OOMKILL_PATH_MAX], number[32];
	bool found = false;
	glob_t files;

	(void)snprintf(pattern, sizeof(pattern),
		"%s/machine.slice/machine-qemu*.scope/{,libvirt/,libvirt/emulator/}cgroup.procs",
		cgroups);
	(void)snprintf(number, sizeof(number), "%lld\n", (long long)pid);
	if (glob(pattern, GLOB_BRACE, NULL, &files) != 0)
		return false;
	for (size_t i = 0; i < files.gl_pathc && !found; i++) {
		CLEANUP_FREE char *text = NULL;
		const char *at;

		if (file_read(files.gl_pathv[i], FILE_MAX, &text, NULL) < 0)
			continue;
		at = strstr(text, number);
		while (at && at != text && at[-1] != '\n')
			at = strstr(at + 1, number);
		found = at != NULL;
	}
	globfree(&files);
	return found;
}

static int counter_at(const char *cgroups, const char *sub, const char *group, const char *file,
	char ret_path[static OOMKILL_PATH_MAX])
{
	char path[OOMKILL_PATH_MAX];
	uint64_t count;
	int n = snprintf(path, sizeof(path), "%s%s%s/%s", cgroups, sub, group, file);

	/* A group outside our own name space is shown as "/../…". */
	if (strstr(group, "/.."))
		return -EOPNOTSUPP;
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	int r = oomkill_read(path, &count);
	if (r < 0)
		return r;
	memcpy(ret_path, path, sizeof(path));
	return 0;
}

int oomkill_find_at(
	const char *proc, const char *cgroups, int64_t pid, char ret_path[static OOMKILL_PATH_MAX])
{
	char path[OOMKILL_PATH_MAX], group[GROUP_MAX];
	CLEANUP_FREE char *text = NULL;

	if (pid <= 0)
		return -ESRCH;
	(void)snprintf(path, sizeof(path), "%s/%lld/cgroup", proc, (long long)pid);
	if (file_read(path, FILE_MAX, &text, NULL) < 0) {
		if (!listed(cgroups, pid))
			return -ESRCH;
		return counter_at(cgroups, "", "/machine.slice", "memory.events", ret_path);
	}
	if (group_of(text, "memory", group)) {
		if (cut_mortal(group))
			return -EOPNOTSUPP;
		return counter_at(cgroups, "/memory", group, "memory.oom_control", ret_path);
	}
	if (!group_of(text, "", group))
		return -EOPNOTSUPP;
	/* The second version counts in every group above the killed, but the root has no file. */
	(void)cut_mortal(group);
	return counter_at(cgroups, "", group, "memory.events", ret_path);
}

int oomkill_read(const char *path, uint64_t *ret)
{
	CLEANUP_FREE char *text = NULL;
	int r = file_read(path, FILE_MAX, &text, NULL);

	if (r < 0)
		return r;
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		char *end;

		if (strncmp(line, "oom_kill ", 9) != 0)
			continue;
		errno = 0;
		unsigned long long count = strtoull(line + 9, &end, 10);
		if (errno != 0 || end == line + 9 || (*end && *end != '\n'))
			return -EBADMSG;
		*ret = count;
		return 0;
	}
	return -EBADMSG;
}

static int find(int64_t pid, char ret_path[static OOMKILL_PATH_MAX])
{
	return oomkill_find_at("/proc", "/sys/fs/cgroup", pid, ret_path);
}

const struct oomkill oomkill_kernel = { .find = find, .read = oomkill_read };
