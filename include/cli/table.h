/* SPDX-License-Identifier: Apache-2.0 */
/* The table of a guest's services; the only file that knows libsmartcols. */
#ifndef MEDIAKIT_CLI_TABLE_H
#define MEDIAKIT_CLI_TABLE_H

#include "cli/term.h"
#include "cli/view.h"

/* One row per service. In a pipe: every column, nothing cut. On a terminal the least telling
 * columns give way until it fits, and reasons that do not fit their column stand below their rows.
 * 0 or -ENOMEM. */
int table_print(FILE *f, const struct view_guest *g, const struct style *style);

#endif
