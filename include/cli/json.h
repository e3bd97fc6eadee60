/* SPDX-License-Identifier: Apache-2.0 */
/* `status --json`. */
#ifndef MEDIAKIT_CLI_JSON_H
#define MEDIAKIT_CLI_JSON_H

#include "cli/view.h"

#include <stdio.h>

#define JSON_VERSION 1

/* Every guest, or the one named `only`. The form is documented in status's usage text. `compact`:
 * on one line. 0 or -ENOMEM. */
int json_print(FILE *f, const struct view *v, const char *only, bool compact);

#endif
