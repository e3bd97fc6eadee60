/* SPDX-License-Identifier: Apache-2.0 */
/* What the operator is to do about an error of libvirt whose own words do not say it. */
#ifndef MEDIAKIT_VIRT_HINT_H
#define MEDIAKIT_VIRT_HINT_H

#include "model/reason.h"

#include <stdbool.h>

/* `message` is libvirt's. True: the reason is one line that begins with what to do: the package to
 * install (names of Debian and Ubuntu), the daemon to start, or the first directory that QEMU's
 * user cannot pass (asked of the kernel by io/reach, which forks: not on the main loop). False:
 * nothing better is known, and the reason is left alone. Not escaped. */
bool hint_find(const char *message, struct reason *reason);

#endif
