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

/* Opens both connections, switches keepalive on, registers for the closing of either and then for
 * the events, all of which post into the mailbox, and puts the link in its place. Whatever was
 * there before is retired first. On failure the place is empty and `words` says why, in libvirt's
 * words, unescaped. 0 or -errno. */
int links_open(struct links *links, const char *uri, unsigned generation, struct mailbox *mailbox,
	char *words, size_t size);

/* Empties the place if that generation is in it; 0: whichever. Takes back what links_open
 * registered. The connections close when the last user is gone. */
void links_retire(struct links *links, unsigned generation);

/* The link, held until link_put; NULL when the place is empty. */
struct link *links_get(struct links *links);
void link_put(struct link *link); /* NULL is fine */

/* After a call failed: is the connection itself dead? If so its end is posted, should no callback
 * have told it. */
bool link_dead(struct link *link, virConnectPtr conn);

#endif
