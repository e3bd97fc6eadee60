/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest's disk was made from: shown, and held against GlibcMin= and the base's digest before
 * each start.
 *
 * Which C library is in it, the image's manifest says, that was signed or lay beside it. Where none
 * did, the guest itself is asked once it is up: a number that may be a lie, so it is used for this
 * guest alone, a manifest's word goes before it, and it is forgotten with the disk. What it says
 * changes nothing about the run it is said in; less than GlibcMin= refuses the next start, as with
 * a manifest's. */
#ifndef MEDIAKIT_CORE_IMAGE_H
#define MEDIAKIT_CORE_IMAGE_H

#include "io/bases.h"
#include "model/reason.h"

struct guest;
struct state_record;

struct guest_image {
	char glibc[GLIBC_TEXT_MAX]; /* as last read; "" unknown */
	char told[GLIBC_TEXT_MAX];  /* by the guest on told_disk, and kept over restarts; "" */
	char disk[BASES_DISK_TEXT], told_disk[BASES_DISK_TEXT]; /* which one it is */
	bool looked;                                            /* the first look is over */
	unsigned asked; /* times that the agent was, in this boot */
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

/* The version that counts, "" unknown; and who says so: "image", "guest" or "". */
static inline const char *image_glibc(const struct guest_image *image)
{
	return image->glibc[0] ? image->glibc : image->told;
}

static inline const char *image_glibc_source(const struct guest_image *image)
{
	return image->glibc[0] ? "image" : image->told[0] ? "guest" : "";
}

/* A boot begins: the guest may have another C library now. */
void image_boot(struct guest *g);
/* As in core/hearing: it has yet to ask the agent; asks it, true when it was asked now. */
bool image_wants_agent(const struct guest *g);
bool image_ask(struct guest *g, usec_t now);

void image_to_state(const struct guest *g, struct state_record *ret);
void image_from_state(struct guest *g, const struct state_record *record);

#endif
