/* SPDX-License-Identifier: Apache-2.0 */
/* The last hour as JSON, for the plots of the status page. Private to it: its form follows the
 * page.
 *
 * {"version": 1, "guests": [{"name", "newest_usec", "step_usec", "actual_mib": [], "usable_mib":
 * [], "rss_mib": [], "services": [{"name", "latency_usec": [], "effect": []}]}]} Rows of one
 * length, oldest first; null: unknown. effect: 0 not asked, 1 up, 2 neither, 3 down. */
#ifndef MEDIAKIT_CLI_HISTORY_H
#define MEDIAKIT_CLI_HISTORY_H

#include "cli/tally.h"

#include <stdio.h>

struct history_json;

struct history_json *history_json_new(void); /* NULL: no memory */
int history_json_add(struct history_json *j, const char *guest, const struct history *h);
int history_json_print(FILE *f, const struct history_json *j);
void history_json_free(struct history_json *j); /* takes NULL */

#endif
