/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's own files of one guest, read and written by blocking calls: for io/filestore's
 * worker. */
#ifndef MEDIAKIT_IO_GUESTFILES_H
#define MEDIAKIT_IO_GUESTFILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The state file. *ret is NUL-terminated and the caller's. -ENOENT; -EINVAL: no regular file, or no
 * possible name of a guest; -ELOOP: a symbolic link; -EPERM: another user's; -EFBIG: over
 * STORE_TEXT_MAX; -errno. */
int guestfiles_load(const char *state_dir, const char *guest, char **ret, size_t *ret_len);

/* A state file that cannot be used is kept as state.json.bad, in place of the one kept there
 * before: a person may want to look, and a newer daemon to read it again. A symbolic link is moved
 * as it is. *words, at most `size` bytes with its NUL, say which file, of whom, with what mode, and
 * what became of it or is to be done. 0 or -errno. */
int guestfiles_put_aside(const char *state_dir, const char *guest, char *words, size_t size);

/* Why the guest's directory (guest "": the state directory) cannot be written, after `error`
 * (-errno), and what to do about it. */
void guestfiles_trouble(
	const char *state_dir, const char *guest, int error, char *words, size_t size);

/* Makes the guest's private directory (0700) where it is missing. 0 or -errno; on failure the old
 * file stands. */
int guestfiles_save(const char *state_dir, const char *guest, const char *text, size_t len);

/* Appends to the console log, after a line that says how many bytes are missing before these, where
 * any are. A log that would grow over CONSOLE_FILE_MAX becomes .1 first. 0 or -errno; then a part
 * may have been written. */
int guestfiles_append(
	const char *state_dir, const char *guest, const char *data, size_t len, uint64_t missing);

/* The last bytes of the console log, at most `size`. How many; 0 where there is none. */
size_t guestfiles_tail(const char *state_dir, const char *guest, char *buf, size_t size);

/* Appends whole lines to the guest's events, or (guest NULL) to the daemon's own; files that would
 * grow over EVENTS_FILE_MAX become .1 first. `sync`: on the disk when it returns. 0 or -errno; then
 * a part may have been written. */
int guestfiles_append_events(
	const char *state_dir, const char *guest, const char *lines, size_t len, bool sync);
/* Their last bytes, at most EVENTS_TAIL_MAX, over both files, perhaps from the middle of a line.
 * *ret has no NUL and is the caller's. Errors as of guestfiles_load(). */
int guestfiles_load_events(const char *state_dir, const char *guest, char **ret, size_t *ret_len);

#endif
