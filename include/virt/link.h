/* SPDX-License-Identifier: Apache-2.0 */
/* One live connection to libvirt, a pair in truth, and the place where workers find it. Everything
 * here may block and is for workers, unless it says otherwise. */
#ifndef MEDIAKIT_VIRT_LINK_H
#define MEDIAKIT_VIRT_LINK_H

#include "virt/mailbox.h"

#include <libvirt/libvirt.h>

/* A dead or stopped libvirtd is noticed after three unanswered keepalives (7.1 s measured). */
#define LINK_KEEPALIVE_SEC   2
#define LINK_KEEPALIVE_COUNT 3u
/* Longer than a keepalive takes. */
#define LINK_LIMBO (10 * USEC_PER_SEC)
/* A link that libvirt's client never lets go of costs two connections and a thread; with so many
 * there is no new one. */
#define LINKS_MAX 8u

struct link {
	virConnectPtr calls;
	/* libvirtd works on five requests of one connection at a time: five calls that hang must
	 * not hold up a destroy. */
	virConnectPtr destroy;
	unsigned generation; /* 1 for the first, never 0 */
};

/* The place: empty, or one link. Counted; any thread may hold it. NULL: out of memory. */
struct links;
struct links *links_new(void);
struct links *links_ref(struct links *links);
void links_unref(struct links
		*links); /* it must be empty, or the process about to end: then the link leaks */

/* How many links there are, in the place or still held by somebody. Any thread. */
unsigned links_count(struct links *links);

/* Opens both connections, switches keepalive on, registers for the closing of either and then for
 * the events, all of which post into the mailbox, and puts the link in its place, which must be
 * empty. On failure it stays so, and `words` says why, in libvirt's words, unescaped. 0 or
 * -errno. */
int links_open(struct links *links, const char *uri, unsigned generation, struct mailbox *mailbox,
	char *words, size_t size);

/* Empties the place if that generation is in it; 0: whichever. What was there is the caller's, to
 * be given to link_retire; NULL: nothing was. Never blocks. */
struct link *links_take(struct links *links, unsigned generation);

/* Puts a link back, or puts none, into an empty place. */
void links_place(struct links *links, struct link *link);

/* No link is to be left in the place from now on. Any thread. */
void links_end(struct links *links);
bool links_ended(struct links *links);

/* Takes back what links_open registered. The connections close when the last user is gone. `limbo`:
 * libvirt stopped answering on one of the pair, so for LINK_LIMBO the other one's keepalive is
 * given the time to find the same, because nothing should be asked of one that may hang: libvirt's
 * client before 9.6 leaves a watch behind on the stack of a call that was interrupted, and the next
 * call may then wait for ever, or worse. NULL is fine. */
void link_retire(struct link *link, bool limbo);

/* The link, held until link_put; NULL when the place is empty. */
struct link *links_get(struct links *links);
void link_put(struct link *link); /* NULL is fine */

/* After a call failed: is the connection itself dead? If so its end is posted, should no callback
 * have told it. */
bool link_dead(struct link *link, virConnectPtr conn);

#endif
