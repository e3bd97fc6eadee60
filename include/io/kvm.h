/* SPDX-License-Identifier: Apache-2.0 */
/* Is hardware virtualization not only there but seen to work? */
#ifndef MEDIAKIT_IO_KVM_H
#define MEDIAKIT_IO_KVM_H

#include "base/time.h"

#include <stddef.h>

#define KVM_WHY_MAX 160u

/* Runs one instruction (HLT, real mode) in a virtual machine of its own, in a child process that is
 * killed at the timeout. `user`: a name from the user database, whose rights the child takes on
 * first (needs root), or NULL: our own. 0: it works. -ENOENT: no /dev/kvm; -EACCES: it may not be
 * opened (by that user); -ESRCH: no such user; -EIO: it opens and does not work; -ETIMEDOUT; other
 * -errno. On failure `why` has a line that says so. Blocks up to the timeout: for start-up and for
 * workers. */
int kvm_check(const char *user, usec_t timeout, char *why, size_t size);

/* Only whether it may be opened, likewise. */
int kvm_reachable(const char *user, usec_t timeout, char *why, size_t size);

#endif
