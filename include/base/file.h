/* SPDX-License-Identifier: Apache-2.0 */
/* Files written so that a crash leaves the old or the new content, never a mixture; bounded reads;
 * locks. */
#ifndef MEDIAKIT_BASE_FILE_H
#define MEDIAKIT_BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>

/* Reads until `len` bytes or the end, and writes all of them, through interruptions. 0 or -errno.
 */
int fd_read_all(int fd, void *data, size_t len, size_t *ret_len);
int fd_write_all(int fd, const void *bytes, size_t len);

/* Reads the whole of a regular file of at most `max` bytes. *ret is NUL-terminated (the NUL not
 * counted in *ret_len, which may be NULL) and the caller's to free. 0; -EFBIG over max;
 * -EISDIR/-EINVAL for what is no regular file; -errno. A symlink is followed; file_read_nofollow
 * refuses it with -ELOOP. */
int file_read(const char *path, size_t max, char **ret, size_t *ret_len);
int file_read_nofollow(const char *path, size_t max, char **ret, size_t *ret_len);

/* Words for such an error, which is above 0 or below: "Invalid argument" would say nothing of a
 * FIFO. */
const char *file_read_error(int error);

/* Writes a temporary name in the same directory, syncs it, renames it over `path`, syncs the
 * directory. On failure the old file stands and the temporary name is gone. */
int file_write_atomic(const char *path, const void *data, size_t len, mode_t mode);

/* Makes the directory and every missing parent, each with `mode`. 0 where it is there already;
 * -ENOTDIR where something else is. */
int dir_make(const char *path, mode_t mode);

/* An exclusive lock on `path` (made 0600 if missing), held while the descriptor is open. A
 * descriptor, or -EWOULDBLOCK where somebody holds it, or -errno. */
int file_lock(const char *path);

/* The running program's own directory joined with `relative`, so that an installation finds its
 * parts wherever it was put. The caller's to free; NULL with no memory or without /proc. */
char *path_beside_program(const char *relative);

/* snprintf into an allocated path; NULL only when memory is out. */
char *path_join(const char *a, const char *b);

#endif
