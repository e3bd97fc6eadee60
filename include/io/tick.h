/* SPDX-License-Identifier: Apache-2.0 */
/* The say a caller has in work that takes long (copying, hashing, running a program): it is asked
 * several times a second, may show how far things are, and may end the work. */
#ifndef MEDIAKIT_IO_TICK_H
#define MEDIAKIT_IO_TICK_H

#include "base/time.h"

/* At most this long passes between two calls, as far as it is in our hands. */
#define TICK_INTERVAL (200 * USEC_PER_MSEC)

struct tick {
	/* 0 to go on; -errno (-ECANCELED) ends the work, which returns it. */
	int (*fn)(void *userdata);
	void *userdata;
};

/* Takes NULL: go on. */
static inline int tick_call(const struct tick *tick)
{
	return tick && tick->fn ? tick->fn(tick->userdata) : 0;
}

#endif
