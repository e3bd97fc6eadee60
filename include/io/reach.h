/* SPDX-License-Identifier: Apache-2.0 */
/* Can another user get to a path? QEMU does not run as us, and a directory closed to it shows as a
 * cryptic error of QEMU. */
#ifndef MEDIAKIT_IO_REACH_H
#define MEDIAKIT_IO_REACH_H

#include "model/reason.h"

/* The user the distribution's libvirt runs QEMU as when libvirt runs as root (Debian, Ubuntu:
 * README.Debian of libvirt-daemon-system). */
#define REACH_QEMU_USER "libvirt-qemu"

/* Asks the kernel, as that user with its groups, whether each directory on the way to `path` (the
 * last component included, where it is a directory) can be passed. 0: yes, or we cannot tell
 * because we are not root or there is no such user. -EACCES: no; the reason names the first closed
 * directory, its mode and owner. -errno. */
int reach_check(const char *path, const char *user, struct reason *reason);

#endif
