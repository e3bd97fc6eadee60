/* SPDX-License-Identifier: Apache-2.0 */
/* The file a download goes into, and what is known of it: how far it is, and by what to ask for the
 * rest. Private to io/fetch. */
#ifndef MEDIAKIT_IO_FETCH_PART_H
#define MEDIAKIT_IO_FETCH_PART_H

#include "io/fetch.h"

#define FETCH_VALIDATOR_MAX 256u /* with the NUL; a longer ETag is as good as none */

/* What the header lines of one answer say. */
struct fetch_head {
	char etag[FETCH_VALIDATOR_MAX]; /* a strong one, with its quotes; "" for none */
	char modified[FETCH_VALIDATOR_MAX];
	uint64_t length;      /* of this answer's body; UINT64_MAX: not said */
	uint64_t from, total; /* of Content-Range; total UINT64_MAX: not said */
	bool has_range;
};

/* Takes one line as it came, of any bytes and not terminated. A status line begins a new head. */
void fetch_head_line(struct fetch_head *head, const char *line, size_t len);

struct fetch_part {
	const struct fetch *fetch;
	int fd;
	uint64_t offset; /* bytes that are there */
	uint64_t total;  /* 0: not known */
	uint64_t free;   /* bytes that may still be written, as of the last look */
	char validator[FETCH_VALIDATOR_MAX]; /* "" where offset is 0 */
	bool begun;                          /* the body has begun to come */
	bool whole;                          /* nothing is missing */
};

/* Opens fetch->path and finds out how far it is: from the beginning, unless the meta file speaks of
 * this URL. */
int fetch_part_open(struct fetch_part *part, const struct fetch *fetch, struct reason *reason);

/* The first byte of a body is about to come. Decides by the status whether it goes on or begins
 * anew, checks limit and space, and writes the meta file. */
int fetch_part_begin(
	struct fetch_part *part, int status, const struct fetch_head *head, struct reason *reason);
int fetch_part_write(struct fetch_part *part, const void *data, size_t len, struct reason *reason);

/* The transfer is over: is it all? Syncs it. */
int fetch_part_finish(struct fetch_part *part, struct reason *reason);

/* The same in one step, for a local file. */
int fetch_part_copy(const struct fetch *fetch, const char *from, struct reason *reason);

void fetch_part_close(struct fetch_part *part);

#endif
