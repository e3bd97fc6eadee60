/* SPDX-License-Identifier: Apache-2.0 */
/* Time as a number: microseconds, the two clocks we read, and spans as people write them. */
#ifndef MEDIAKIT_BASE_TIME_H
#define MEDIAKIT_BASE_TIME_H

#include <stddef.h>
#include <stdint.h>

/* Microseconds. Points in time are on CLOCK_BOOTTIME, which counts through a suspend and never
 * jumps, unless a name ends in _realtime. */
typedef uint64_t usec_t;

#define USEC_INFINITY   ((usec_t)UINT64_MAX)
#define USEC_PER_MSEC   ((usec_t)1000)
#define USEC_PER_SEC    ((usec_t)1000000)
#define USEC_PER_MINUTE (60 * USEC_PER_SEC)
#define USEC_PER_HOUR   (60 * USEC_PER_MINUTE)
#define USEC_PER_DAY    (24 * USEC_PER_HOUR)

/* The only two places that read a clock. Read once per wake-up, then hand the value down. */
usec_t now_boottime(void);
usec_t now_realtime(void);

/* a + b and a - b, held inside [0, USEC_INFINITY]; infinity stays infinity. */
usec_t usec_add(usec_t a, usec_t b);
usec_t usec_sub(usec_t a, usec_t b);

/* "41s", "3min 5s", "2h 4min", "0.3s" (below ten seconds: one decimal; at most two units). Infinity
 * is "forever". Always terminates. Returns buf. */
char *format_timespan(char *buf, size_t size, usec_t span);

#define TIMESPAN_TEXT_MAX 32u

#endif
