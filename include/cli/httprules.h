/* SPDX-License-Identifier: Apache-2.0 */
/* What a request may ask for, decided on its words alone. */
#ifndef MEDIAKIT_CLI_HTTPRULES_H
#define MEDIAKIT_CLI_HTTPRULES_H

#include "cli/scrape.h"

#include <stdbool.h>
#include <stdint.h>

#define HTTP_HOSTS_MAX 8u

/* Is a request with this Host header meant for us? A page from elsewhere can have its own name
 * resolve to 127.0.0.1 and then read what is served there; its browser still sends the name. So
 * only localhost, 127.0.0.1 and [::1] with our port are taken, and the n names of `more`, whole.
 * Letters' case is ignored. NULL is refused. */
bool http_host_allowed(const char *host, uint16_t port, const char *const *more, unsigned n);

/* Does an Accept header prefer OpenMetrics to the text format? NULL: no. */
bool http_wants_openmetrics(const char *accept);

/* What is at that path. */
enum http_place { PLACE_NONE, PLACE_PAGE, PLACE_METRICS, PLACE_STATUS, PLACE_HISTORY, PLACE_NUM };
enum http_place http_place_of(const char *path);
/* Of a place that is asked of the daemon. */
enum scrape_kind http_scrape_kind(enum http_place place, const char *accept);
const char *http_type(enum scrape_kind kind);

#endif
