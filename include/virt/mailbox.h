/* SPDX-License-Identifier: Apache-2.0 */
/* What libvirt's event thread has to tell the main loop: few small values, bounded, coalesced,
 * behind one eventfd. */
#ifndef MEDIAKIT_VIRT_MAILBOX_H
#define MEDIAKIT_VIRT_MAILBOX_H

#include "io/hv.h"

/* Hints waiting; what comes then is only remembered as "more than that". */
#define MAILBOX_MAX       64u
#define VIRT_UUID_LEN     36u /* 8-4-4-4-12 hexadecimal digits */
#define MAILBOX_WORDS_MAX 96u

struct mailbox;

struct mail {
	enum hv_hint hint;
	char uuid[VIRT_UUID_LEN + 1];
	uint64_t kib;
};

/* Counted, because callbacks may live on after their connection. 0 or -errno. */
int mailbox_new(struct mailbox **ret);
struct mailbox *mailbox_ref(struct mailbox *mailbox);
void mailbox_unref(struct mailbox *mailbox); /* NULL is fine */

/* Readable when there is something to take. */
int mailbox_fd(const struct mailbox *mailbox);

/* From any thread. The same hint about the same domain waits once, with the newest `kib`. */
void mailbox_post(struct mailbox *mailbox, enum hv_hint hint, const char *uuid, uint64_t kib);

/* From any thread: the connection of that generation is gone. Never lost; the newest generation
 * wins. */
void mailbox_post_closed(struct mailbox *mailbox, unsigned generation, const char *words);

/* From any thread: nothing to say here, but look at the consoles. */
void mailbox_wake(struct mailbox *mailbox);

/* On the main loop, before taking: makes the descriptor quiet. */
void mailbox_clear(struct mailbox *mailbox);

/* On the main loop: the oldest hint; false when there is none. */
bool mailbox_take(struct mailbox *mailbox, struct mail *ret);

/* On the main loop: were hints dropped since the last call? Then everything must be read again. */
bool mailbox_take_overflow(struct mailbox *mailbox);

/* On the main loop: has a connection gone since the last call, and why? `words` has
 * MAILBOX_WORDS_MAX bytes. */
bool mailbox_take_closed(struct mailbox *mailbox, unsigned *ret_generation, char *ret_words);

#endif
