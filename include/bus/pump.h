/* SPDX-License-Identifier: Apache-2.0 */
/* Stands between a stranger's socket and sd-bus, and lets through no more than it has measured. */
#ifndef MEDIAKIT_BUS_PUMP_H
#define MEDIAKIT_BUS_PUMP_H

#include "model/dbusmeter.h"
#include "policy/ratelimit.h"

#include <systemd/sd-event.h>

/* One user's messages, at once and in the long run: what is more waits in the sender's own socket.
 * A script that calls the command a hundred times in a row is no flood. */
#define PUMP_REQUESTS_BURST   1000u
#define PUMP_REQUESTS_PER_SEC 100u
/* For a handshake, and for each message from its first byte to its last. */
#define PUMP_PATIENCE (10 * USEC_PER_SEC)
/* Read at one time, and all that is held outside of sd-bus. */
#define PUMP_BUFFER 4096u
/* Bytes the kernel holds between the pump and sd-bus; it doubles the number. */
#define PUMP_SEND_BUFFER (16 * 1024)

struct pump;

struct pump_owner {
	/* Has sd-bus taken the handshake for good? Until then no message is passed on. */
	bool (*ready)(void *userdata);
	/* The stranger broke a rule; in words, for the log. sd-bus will find that it hung up. */
	void (*dropped)(void *userdata, const char *why);
	void *userdata;
	struct ratelimit *rate; /* tokens, which several pumps may share */
};

extern const struct ratelimit_rule pump_rule;

/* Takes over `fd`, a connected stream socket that does not block; ret_in is the caller's, and what
 * sd-bus shall read from. On failure `fd` is still the caller's. 0 or -errno. */
int pump_new(sd_event *event, int fd, const struct pump_owner *owner, usec_t now, struct pump **ret,
	int *ret_in);
/* Moves what may be moved now. The pump runs by itself whenever a descriptor or a clock calls; it
 * has to be told only that the owner has become ready. */
void pump_run(struct pump *p, usec_t now);
/* Nothing more is read, and sd-bus finds the end of the connection. May be repeated. */
void pump_stop(struct pump *p);
/* Takes NULL. */
void pump_free(struct pump *p);

#endif
