/* SPDX-License-Identifier: Apache-2.0 */
/* QEMU's own log files where no virtlogd bounds them, as with the embedded driver. A guest can make
 * QEMU write, so they are watched for size. */
#ifndef MEDIAKIT_IO_QEMULOG_H
#define MEDIAKIT_IO_QEMULOG_H

#include <stdint.h>

#define QEMULOG_MAX  (1024u * 1024u) /* of one file; over it only the tail is kept */
#define QEMULOG_KEEP (64u * 1024u)   /* put aside as NAME.log.1 */

/* Cuts every NAME.log of the directory that is over `max` bytes. QEMU opened it for appending, so
 * it goes on at the new end. Returns how many were cut, 0 where the directory is not there, or the
 * first -errno of one that could not be; the others are cut all the same. */
int qemulog_trim(const char *dir, uint64_t max);

#endif
