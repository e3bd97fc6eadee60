/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens that come back as time passes. */
#include "policy/ratelimit.h"

#include "base/macro.h"

static void refill(struct ratelimit *r, const struct ratelimit_rule *rule, usec_t now)
{
	/* A clock that went back gives nothing, and takes nothing. */
	usec_t back = usec_sub(now, r->since) / rule->every;

	if (back >= r->used) {
		*r = (struct ratelimit){ .since = now };
		return;
	}
	r->used -= (unsigned)back;
	r->since += back * rule->every;
}

bool ratelimit_take(struct ratelimit *r, const struct ratelimit_rule *rule, usec_t now)
{
	refill(r, rule, now);
	if (r->used >= rule->burst)
		return false;
	r->used++;
	return true;
}

void ratelimit_charge(
	struct ratelimit *r, const struct ratelimit_rule *rule, unsigned n, usec_t now)
{
	refill(r, rule, now);
	r->used = n > UINT32_MAX - r->used ? UINT32_MAX : r->used + n;
}

void ratelimit_refund(struct ratelimit *r)
{
	r->used -= r->used > 0;
}

usec_t ratelimit_next(struct ratelimit *r, const struct ratelimit_rule *rule, usec_t now)
{
	refill(r, rule, now);
	if (r->used < rule->burst)
		return now;
	return usec_add(r->since, (r->used - rule->burst + 1) * rule->every);
}
