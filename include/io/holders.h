/* SPDX-License-Identifier: Apache-2.0 */
/* Who holds a file? Asked before a guest's disk is taken from under its name: a QEMU that has it
 * open goes on writing to it, whatever it is called. */
#ifndef MEDIAKIT_IO_HOLDERS_H
#define MEDIAKIT_IO_HOLDERS_H

#include <stddef.h>

#define HOLDERS_WHO_MAX   160u
#define HOLDERS_LINKS_MAX (1u << 22) /* descriptors and mappings looked at */

/* Looks for another process that has the file of `fd` open or mapped, for a loop device on it, and
 * for locks as QEMU takes them, which show even where the process does not (another container's).
 * 0: nobody; 1: somebody, and `who` says whom, printable; -EPERM: not asked by root, who alone sees
 * it; -EACCES: a process cannot be looked at, and `who` names it; -E2BIG; -errno. */
int holders_find(int fd, char who[static HOLDERS_WHO_MAX]);

#endif
