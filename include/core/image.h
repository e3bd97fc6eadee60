/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest's disk was made from: shown, and held against GlibcMin= and the base's digest before
 * each start. */
#ifndef MEDIAKIT_CORE_IMAGE_H
#define MEDIAKIT_CORE_IMAGE_H

#include "io/bases.h"
#include "model/reason.h"

struct guest;

struct guest_image {
	char glibc[GLIBC_TEXT_MAX]; /* as last read; "" unknown */
	/* A start is under way and waits for the look at the base, with the lock held; its end
	 * makes NEWS_IMAGE. */
	bool start_waits;
	int error;
	struct reason reason;
};

/* Reads what is recorded, for status. Best effort. */
void image_read(struct guest *g);

/* Has the base looked at for the start that is under way. 1: start_waits, and NEWS_IMAGE will come;
 * 0: there is nothing to look at; -errno with the reason. */
int image_check(struct guest *g, struct reason *reason);

/* What came of it. 0, or -errno with what is wrong and what to do: -EBADMSG the base is another,
 * -ENOEXEC its C library is older than GlibcMin=. */
int image_verdict(const struct guest *g, struct reason *reason);

#endif
