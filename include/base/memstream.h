/* SPDX-License-Identifier: Apache-2.0 */
/* A stream that writes into memory, and owns up to it when there was none left: the whole text or
 * an error. */
#ifndef MEDIAKIT_BASE_MEMSTREAM_H
#define MEDIAKIT_BASE_MEMSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Not to be moved or copied between open and close. */
struct memstream {
	FILE *f; /* NULL: not open */
	char *text;
	size_t len, room;
	bool failed;
};

/* m->f, to be written to by stdio; NULL with no memory. memstream_close() is due in both cases. */
FILE *memstream_open(struct memstream *m);
/* 0: *ret, NUL-terminated and the caller's to free, is all that was written; ret_len may be NULL.
 * -ENOMEM. `ret` NULL throws it away. */
int memstream_close(struct memstream *m, char **ret, size_t *ret_len);

#endif
