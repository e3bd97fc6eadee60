/* SPDX-License-Identifier: Apache-2.0 */
/* systemd compares that time with others of CLOCK_MONOTONIC, which unlike ours stands still in a
 * suspend. Nobody may listen: that is no error. */
#include "base/notify.h"

#include <inttypes.h>
#include <systemd/sd-daemon.h>
#include <time.h>

void notify_reloading(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		(uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000);
}

void notify_ready(void)
{
	(void)sd_notify(0, "READY=1");
}
