/* SPDX-License-Identifier: Apache-2.0 */
/* How long somebody on this host waited for a CPU, as the kernel counts it (PSI,
 * Documentation/accounting/psi.rst). */
#ifndef MEDIAKIT_IO_PRESSURE_H
#define MEDIAKIT_IO_PRESSURE_H

#include "base/time.h"

/* `total` of the line `some` of /proc/pressure/cpu: time since the boot in which at least one task
 * was runnable and waited. 0 or -errno: -ENOENT and -EOPNOTSUPP where the kernel has no PSI or was
 * booted without it, -EBADMSG where the file says something else. Reading takes some 10 us. */
int pressure_cpu(usec_t *ret_total);

/* The same of a text. 0 or -EBADMSG. */
int pressure_parse(const char *text, usec_t *ret_total);

#endif
