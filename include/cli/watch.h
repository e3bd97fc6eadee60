/* SPDX-License-Identifier: Apache-2.0 */
/* `status --watch`. */
#ifndef MEDIAKIT_CLI_WATCH_H
#define MEDIAKIT_CLI_WATCH_H

#include "cli/session.h"

/* Until a signal ends it (CLI_OK) or the daemon goes. Leaves the terminal as it was. */
int watch_run(struct session *s);

#endif
