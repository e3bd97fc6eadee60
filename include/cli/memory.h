/* SPDX-License-Identifier: Apache-2.0 */
/* What `balloon` shows without changing anything: the guest's memory, what the pool would decide,
 * and a trace of what it decides on. */
#ifndef MEDIAKIT_CLI_MEMORY_H
#define MEDIAKIT_CLI_MEMORY_H

#include "cli/session.h"

/* Each returns an exit status. */
int memory_show(const struct session *s);
int memory_dry_run(struct session *s);
/* Writes a row for each guest (or of the session's alone) every `interval` until `until` passed or
 * a signal came. `file` "-": stdout. */
int memory_record(struct session *s, const char *file, usec_t interval, usec_t span);

#endif
