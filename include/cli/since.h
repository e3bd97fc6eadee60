/* SPDX-License-Identifier: Apache-2.0 */
/* `--since=`: from which moment, or from which event on. */
#ifndef MEDIAKIT_CLI_SINCE_H
#define MEDIAKIT_CLI_SINCE_H

#include "base/time.h"

#include <stdint.h>

/* What journalctl users type, in local time: "2026-11-23", "2026-11-23 04:00", "…:30", "04:00" (of
 * today), "today", "yesterday", "now"; "2h", "-2h", "2h ago"; and "@417": after the event of that
 * number. The whole text or nothing: 0 and one of the two (the other is 0), or -EINVAL. */
int since_parse(const char *text, usec_t now_realtime_usec, usec_t *ret_since, uint64_t *ret_after);

#endif
