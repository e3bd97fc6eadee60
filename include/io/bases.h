/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest's disk was made from, as core sees it: which C library is in it, and whether its
 * base is still what it was. io/filebases implements it on a worker, because hashing a base takes
 * seconds and the main loop never blocks; tests implement it in simulated time. */
#ifndef MEDIAKIT_IO_BASES_H
#define MEDIAKIT_IO_BASES_H

#include "base/time.h"
#include "model/glibc.h"
#include "model/reason.h"

#include <stdbool.h>

#define BASES_DISK_TEXT 64u

struct base_news {
	int error;   /* 0: the base is what it was, as far as anybody knows; -EBADMSG: it is not;
			-ETIMEDOUT: the disk does not answer; -errno */
	bool hashed; /* it was read whole */
	char glibc[GLIBC_TEXT_MAX]; /* "" unknown */
	char disk[BASES_DISK_TEXT]; /* which one it is: another disk has other words here */
	struct reason reason;       /* of an error; printable where paths are */
};

/* On the main loop, exactly once, never inside look(). */
typedef void (*base_done_t)(void *userdata, const struct base_news *news, usec_t now);

struct bases;
struct bases_vtable {
	/* Answers nothing any more. */
	void (*destroy)(struct bases *b);
	/* Reads what is recorded; with `check` also holds the base against it, for which the
	 * guest's lock should be held. 0: done() will be called; -EBUSY: an earlier look does not
	 * return; -ENOMEM, -EAGAIN. */
	int (*look)(
		struct bases *b, const char *guest, bool check, base_done_t done, void *userdata);
};

struct bases {
	const struct bases_vtable *vtable;
};

#endif
