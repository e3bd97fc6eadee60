/* SPDX-License-Identifier: Apache-2.0 */
/* Releases of a service in a guest, and what the guest says of them. Whoever speaks there is not
 * trusted: what is taken from it has the shape below, or is refused. */
#ifndef MEDIAKIT_MODEL_RELEASE_H
#define MEDIAKIT_MODEL_RELEASE_H

#include "base/time.h"
#include "model/glibc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RELEASE_DIGITS 12u /* of the binary's SHA-256 */
/* "20261124T044100Z-0123456789ab" */
#define RELEASE_TEXT    (16u + 1u + RELEASE_DIGITS + 1u)
#define RELEASES_MAX    64u /* of one service */
#define RELEASE_SERVICE 41u /* with the NUL */

/* Names order as the times in them. `realtime` must lie before the year 10000. */
void release_name(usec_t realtime, const char *sha256, char ret[static RELEASE_TEXT]);
bool release_name_valid(const char *name);

/* Facts told by the guest, a line each: "word value". Lines that begin with no word of ours are
 * passed over, a login shell may greet. */
struct release_facts {
	bool has_free;
	uint64_t free_kib;
	char current[RELEASE_TEXT]; /* "" none */
	char exec[256];             /* what the unit runs, "" where there is none */
	char glibc[GLIBC_TEXT_MAX]; /* "" where it does not say */
	char list[RELEASES_MAX][RELEASE_TEXT];
	unsigned n;
	unsigned pid; /* 0: not told */
	bool put, data, settled;
	bool undone;  /* a switch was taken back */
	bool dropped; /* and it was to a new release, which is gone */
};

/* 0; -EBADMSG: a value of another shape, or more than there may be. */
int release_facts(const char *text, size_t len, struct release_facts *ret);

/* The newest in the list that is older than the current one; NULL. */
const char *release_before(const struct release_facts *facts);

struct release_row {
	char service[RELEASE_SERVICE], name[RELEASE_TEXT];
	uint64_t bytes;
	char mark[12]; /* current, kept, unproven */
};

/* The next "release SERVICE NAME BYTES MARK" at *text, which moves behind it. 1; 0: there is none;
 * -EBADMSG. */
int release_row_next(const char **text, struct release_row *ret);

#endif
