/* SPDX-License-Identifier: Apache-2.0 */
/* A table from parts of libvirt's messages to advice, and one question that has to be asked. */
#include "virt/hint.h"

#include "io/reach.h"

#include <errno.h>
#include <string.h>

#define DRIVER   "libvirt's QEMU driver is missing: install libvirt-daemon-driver-qemu"
#define LIBVIRTD "libvirtd is not running: start it, or install libvirt-daemon-system"
#define GROUP                                                                                      \
	"libvirt lets in the members of its group: add the user that mediakitd runs as "           \
	"(usermod -aG libvirt mediakitd) and restart it"

/* Matched by names of files and what the C library says of them. libvirt's codes would not do: all
 * of these are "internal", "system" or "unsupported" errors among many others. */
static const struct {
	const char *part, *advice;
} advices[] = {
	{ "no connection driver available for qemu:", DRIVER },
	{ "libvirt_driver_qemu.so", DRIVER },
	{ "-sock': No such file or directory", LIBVIRTD },
	{ "-sock': Connection refused", LIBVIRTD },
	{ "-sock': Permission denied", GROUP },
	{ "authentication unavailable: ", GROUP },
	{ "authentication failed: ", GROUP },
	{ "authentication cancelled: ", GROUP },
	{ "access denied", GROUP },
	{ "QEMU binary /usr/bin/qemu-system-x86_64", "QEMU is missing: install qemu-system-x86" },
	{ "QEMU binary /usr/bin/qemu-system-aarch64", "QEMU is missing: install qemu-system-arm" },
	{ "UNIX socket path '",
		"a path is too long: give Connection= a shorter root=, or the guest "
		"a shorter name" },
};

/* libvirt names the file that QEMU's user could not open, in quotes, where the fault is mostly a
 * directory above it. */
static bool find_closed(const char *message, struct reason *reason)
{
	const char *begin = strstr(message, "'/"), *end = begin ? strchr(begin + 1, '\'') : NULL;
	char path[REASON_MAX];

	if (!end || !strstr(message, strerror(EACCES)))
		return false;
	(void)snprintf(path, sizeof(path), "%.*s", (int)(end - begin - 1), begin + 1);
	return reach_check(path, REACH_QEMU_USER, reason) == -EACCES;
}

bool hint_find(const char *message, struct reason *reason)
{
	for (size_t i = 0; i < ARRAY_SIZE(advices); i++) {
		if (!strstr(message, advices[i].part))
			continue;
		(void)reason_set(reason, 0, "%s (%s)", advices[i].advice, message);
		return true;
	}
	return find_closed(message, reason);
}
