/* SPDX-License-Identifier: Apache-2.0 */
/* What survives a daemon's restart, as core sees it: a text for each guest, and its console log.
 * io/filestore implements it on files written by a worker, because a sync may take seconds and the
 * main loop never blocks; tests implement it in memory. */
#ifndef MEDIAKIT_IO_STORE_H
#define MEDIAKIT_IO_STORE_H

#include <stddef.h>

/* Of one guest's state text; a larger file is no state of ours. */
#define STORE_TEXT_MAX (256u * 1024u)

/* Then the console log becomes .1 and a new one begins. */
#define CONSOLE_FILE_MAX (1024u * 1024u)

/* Then a guest's events become .1 and new ones begin: at least a thousand of them are kept. */
#define EVENTS_FILE_MAX (256u * 1024u)
/* As many bytes of them are read when the daemon begins. */
#define EVENTS_TAIL_MAX (256u * 1024u)

struct store;
struct store_vtable {
	void (*destroy)(struct store *s); /* writes what is still waiting, within a deadline */
	/* Reads at once; used only before the loop runs. *ret is the caller's. -ENOENT: none yet.
	 */
	int (*load)(struct store *s, const char *guest, char **ret, size_t *ret_len);
	/* Moves a text that cannot be used out of the way, where a person finds it; *words (at most
	 * `size` bytes) tell of it. Acts at once, like load(). 0 or -errno. */
	int (*put_aside)(struct store *s, const char *guest, char *words, size_t size);
	/* Takes a copy and returns; of several waiting texts of a guest only the last is written.
	 */
	void (*save)(struct store *s, const char *guest, const char *text, size_t len);
	/* Appends to the guest's console log: two files of CONSOLE_FILE_MAX. What does not fit the
	 * queue is dropped. */
	void (*console)(struct store *s, const char *guest, const void *data, size_t len);
	/* The last bytes of that log, at most `size`; how many. Reads at once, like load(). */
	size_t (*console_tail)(struct store *s, const char *guest, char *buf, size_t size);
	/* Appends a line to the guest's events, or (guest NULL) to the daemon's own: two files of
	 * EVENTS_FILE_MAX. Synced only along with a text; what does not fit the queue is dropped.
	 */
	void (*event)(struct store *s, const char *guest, const char *line, size_t len);
	/* The last bytes of those files, at most EVENTS_TAIL_MAX, perhaps beginning in the middle
	 * of a line. Reads at once, like load(), and answers alike. */
	int (*load_events)(struct store *s, const char *guest, char **ret, size_t *ret_len);
	/* Why the last write failed, for status; "" when it did not. */
	const char *(*trouble)(struct store *s);
};

struct store {
	const struct store_vtable *vtable;
};

#endif
