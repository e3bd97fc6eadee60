/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded QEMU driver, qemu:///embed?root=DIR: what has to be in place before libvirt opens
 * it, and where things lie. */
#ifndef MEDIAKIT_VIRT_EMBED_H
#define MEDIAKIT_VIRT_EMBED_H

#include "base/time.h"

#include <stddef.h>

/* The user that libvirt, as root, runs QEMU as: "libvirt-qemu" of Debian and Ubuntu. */
#define EMBED_QEMU_USER "libvirt-qemu"

/* How long trying out /dev/kvm may take. */
#define EMBED_KVM_TIMEOUT (2 * USEC_PER_SEC)

/* First thing in main, while there is one thread: for an embedded URI it makes the root (0755; 0
 * for every other URI and nothing is done), writes ROOT/etc/qemu.conf unless somebody else's is
 * there, and, as root, hides a /dev/kvm that QEMU's user cannot open in a mount namespace of this
 * process's own. What could not be done, or what will keep QEMU from working, is a warning: `err`
 * has one line, escaped. 0, or -errno with `err` set; the caller goes on. */
int virt_embed_prepare(const char *uri, char *err, size_t size);

/* The root of an embedded URI, percent-decoded, to be freed. -ENOENT: not an embedded URI; -EINVAL:
 * no absolute root in it; -ENOMEM. */
int virt_embed_root(const char *uri, char **ret);

/* Where the driver keeps QEMU's pid files, to be freed; *ret is NULL where it has none. 0 or
 * -ENOMEM. */
int virt_pid_dir(const char *uri, char **ret);

#endif
