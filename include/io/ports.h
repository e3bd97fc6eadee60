/* SPDX-License-Identifier: Apache-2.0 */
/* Is a port free to be listened on, and if not, who has it: asked before QEMU would fail on it with
 * words of its own. */
#ifndef MEDIAKIT_IO_PORTS_H
#define MEDIAKIT_IO_PORTS_H

#include <stddef.h>
#include <stdint.h>

#define PORTS_OWNER_MAX 64u

/* Bounds of the search for the owner; beyond them it stays unknown. */
#define PORTS_TABLE_MAX (4u * 1024u * 1024u) /* bytes of /proc/net/tcp looked at */
#define PORTS_LINKS_MAX 65536u               /* descriptors looked at */

/* Binds `address`:`port` as QEMU's user network does (SO_REUSEADDR) and lets go. 0: free.
 * -EADDRINUSE: taken, with the owner in `owner` ("pid 123 (nginx)"; "" where it can't be seen: that
 * takes root, and a /proc that shows other users). -EINVAL: no numeric IPv4 address, or port 0;
 * else -errno of the kernel (-EACCES, -EADDRNOTAVAIL); then `owner` is "". */
int ports_check(const char *address, uint16_t port, char *owner, size_t owner_size);

#endif
