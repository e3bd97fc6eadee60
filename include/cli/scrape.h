/* SPDX-License-Identifier: Apache-2.0 */
/* One look at the daemon, as the text that somebody asked for: opened, read and closed, with a
 * limit on all of it. Nothing is kept between two, so the daemon sends no signals to who does not
 * listen.
 */
#ifndef MEDIAKIT_CLI_SCRAPE_H
#define MEDIAKIT_CLI_SCRAPE_H

#include "base/time.h"

#include <stddef.h>

enum scrape_kind {
	SCRAPE_METRICS,
	SCRAPE_OPENMETRICS,
	SCRAPE_STATUS,  /* the JSON of `status --json` */
	SCRAPE_HISTORY, /* the JSON of the page's plots */
	SCRAPE_NUM,
};

#define SCRAPE_WHY_MAX 512u

/* Asks over the status socket in `runtime`; each of its few questions is answered within `limit` or
 * given up. 0 and *ret, NUL-terminated and the caller's to free; or -errno and a line for a person
 * in `why`. Blocks: for a thread of its own. */
int scrape(const char *runtime, enum scrape_kind kind, usec_t limit, char **ret, size_t *ret_len,
	char why[static SCRAPE_WHY_MAX]);

#endif
