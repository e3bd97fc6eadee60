/* SPDX-License-Identifier: Apache-2.0 */
/* A token bucket: so much at once, so much in the long run. It holds what a stranger may provoke to
 * a bound, and counts what it kept back. */
#ifndef MEDIAKIT_POLICY_RATELIMIT_H
#define MEDIAKIT_POLICY_RATELIMIT_H

#include "base/time.h"

#include <stdbool.h>

struct ratelimit_rule {
	unsigned burst; /* tokens of a full bucket, at least 1 */
	usec_t every;   /* one more token each time this has passed, at least 1 us */
};

/* All zero is a full bucket. */
struct ratelimit {
	unsigned
		used; /* tokens that are missing from a full bucket; may exceed the burst: a debt */
	usec_t since; /* when the next one began to come back; meaningless while none is missing */
};

/* Takes a token. False: there is none. */
bool ratelimit_take(struct ratelimit *r, const struct ratelimit_rule *rule, usec_t now);
/* Takes n tokens whether they are there or not; what is missing is owed first. */
void ratelimit_charge(
	struct ratelimit *r, const struct ratelimit_rule *rule, unsigned n, usec_t now);
/* Gives one back that was charged and not used. */
void ratelimit_refund(struct ratelimit *r);
/* When there is a token again: `now` where there is one. */
usec_t ratelimit_next(struct ratelimit *r, const struct ratelimit_rule *rule, usec_t now);

#endif
