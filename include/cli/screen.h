/* SPDX-License-Identifier: Apache-2.0 */
/* `status` as a person reads it. */
#ifndef MEDIAKIT_CLI_SCREEN_H
#define MEDIAKIT_CLI_SCREEN_H

#include "cli/term.h"
#include "cli/view.h"

/* What is wrong with the daemon itself, then every guest, or the one named `only` (not NULL). */
void screen_print(FILE *f, const struct view *v, const char *only, const struct style *style);

#endif
