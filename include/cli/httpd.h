/* SPDX-License-Identifier: Apache-2.0 */
/* The web server of metrics and the status page, on an event loop of its caller.
 *
 * Theory of operation: one thread serves everybody and never waits. What must be asked of the
 * daemon is asked by a worker (cli/scrape), while the connections that want it are suspended; all
 * who want the same get the same answer, and one younger than HTTPD_FRESH serves the next ones too,
 * so a flood of requests becomes a few questions a second. Connections, their memory and their time
 * are bounded, and the time counts from the beginning of a request, so that a byte now and then
 * does not prolong it. Where too many are open, the one that has been waited for the longest makes
 * room for the newest: a slow client can starve itself only. */
#ifndef MEDIAKIT_CLI_HTTPD_H
#define MEDIAKIT_CLI_HTTPD_H

#include "base/time.h"
#include "cli/httprules.h"

#include <systemd/sd-event.h>

#define HTTPD_CONNECTIONS_MAX 48u                 /* open at once; past that the oldest goes */
#define HTTPD_MEMORY_MAX      (16u << 10)         /* of one, its headers included */
#define HTTPD_REQUEST_MAX     (10 * USEC_PER_SEC) /* from its first byte, or none, to its end */
#define HTTPD_ASK_MAX         (2 * USEC_PER_SEC)  /* the daemon's time for a question */
#define HTTPD_FRESH           (500 * USEC_PER_MSEC)

struct httpd;

struct httpd_config {
	int fd; /* listens, does not block; taken over */
	uint16_t port;
	const char *runtime;      /* borrowed, as are the hosts */
	const char *const *hosts; /* further Host headers */
	unsigned n_hosts;
};

int httpd_new(sd_event *event, const struct httpd_config *config, struct httpd **ret);
void httpd_free(struct httpd *h); /* takes NULL */

/* Since when nobody has been connected; USEC_INFINITY: somebody is. */
usec_t httpd_idle_since(const struct httpd *h);

#endif
