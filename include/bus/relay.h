/* SPDX-License-Identifier: Apache-2.0 */
/* A person on a guest's serial line: a socket pair of which the caller gets one end. */
#ifndef MEDIAKIT_BUS_RELAY_H
#define MEDIAKIT_BUS_RELAY_H

#include "bus/server.h"

#define RELAY_BUFFER (64u * 1024u) /* unsent output; a reader slower than that is dropped */

/* *ret_fd is the caller's end, and the caller's to close. It begins with the last `tail` bytes of
 * the line. -EBUSY: too many read this line already. */
int relay_new(struct bus *b, struct guest *g, size_t tail, int *ret_fd);
/* The set of guests changed: ends the relays of those that are gone. */
void relays_check(struct bus *b);
void relays_free(struct bus *b);

#endif
