/* SPDX-License-Identifier: Apache-2.0 */
/* Room first, then patience. */
#include "policy/diskpause.h"

#include "base/macro.h"

static const char *const diskpause_step_names[] = {
	[DISKPAUSE_NONE] = "none",
	[DISKPAUSE_FULL] = "full",
	[DISKPAUSE_WAIT] = "wait",
	[DISKPAUSE_RESUME] = "resume",
};
NAME_TABLE_DEFINE(diskpause_step, enum diskpause_step, DISKPAUSE_STEP_NUM);

static void begin(struct diskpause *d, usec_t now)
{
	if (d->since != 0)
		return;
	/* 0 says that it is not paused, so the clock's very first moment is taken for the second.
	 */
	d->since = MAX(now, (usec_t)1);
	if (d->tries > 0 && usec_sub(now, d->resumed_at) >= DISKPAUSE_GOOD)
		d->tries = 0;
}

static usec_t wait_of(unsigned tries)
{
	usec_t wait = DISKPAUSE_LOOK_EVERY;

	for (unsigned i = 1; i < tries && wait < DISKPAUSE_WAIT_MAX; i++)
		wait *= 2;
	return MIN(wait, DISKPAUSE_WAIT_MAX);
}

enum diskpause_step diskpause_step(
	struct diskpause *d, const struct diskpause_sight *see, usec_t now, usec_t *ret_at)
{
	*ret_at = USEC_INFINITY;
	if (!see->paused) {
		d->since = 0;
		return DISKPAUSE_NONE;
	}
	begin(d, now);
	*ret_at = usec_add(now, DISKPAUSE_LOOK_EVERY);
	if (see->full && see->room_known && see->free_kib < DISKPAUSE_ROOM_KIB) {
		/* Here is the cause, and room that comes is something new. */
		d->tries = 0;
		return DISKPAUSE_FULL;
	}
	usec_t due = usec_add(d->since, DISKPAUSE_LOOK_EVERY);
	if (d->tries > 0)
		due = MAX(due, usec_add(d->resumed_at, wait_of(d->tries)));
	if (now < due) {
		*ret_at = MIN(*ret_at, due);
		return DISKPAUSE_WAIT;
	}
	d->tries++;
	d->resumed_at = now;
	return DISKPAUSE_RESUME;
}
