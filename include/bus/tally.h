/* SPDX-License-Identifier: Apache-2.0 */
/* Counters and the last hour, as messages.
 *
 * They are methods and no properties: they change with every answer, and a signal for each would
 * wake whoever only wants to hear of changes.
 *
 * Counters:  of each guest its name, boots and restarts, its ends by cause, and of each service its
 *            name, the microseconds spent on all answers, and the answers by verdict. Of all since
 *            the daemon began; every cause and verdict is named, also with 0.
 * History:   the time of the newest point (CLOCK_REALTIME), the span between two; then rows of the
 *            same length, oldest first: balloon, usable and QEMU's memory in MiB; and of each
 *            service the slowest answer of each point in microseconds, and its worst effect
 *            (0 not asked, 1 up, 2 neither, 3 down). UINT32_MAX: unknown. */
#ifndef MEDIAKIT_BUS_TALLY_H
#define MEDIAKIT_BUS_TALLY_H

#include "core/supervisor.h"

#include <systemd/sd-bus.h>

#define TALLY_COUNTERS "a(stta{st}a(sta{st}))"
#define TALLY_HISTORY  "ttauauaua(sauay)"

/* Each answers the call `m`. */
int tally_reply_counters(sd_bus_message *m, const struct supervisor *s);
int tally_reply_history(sd_bus_message *m, struct guest *g, usec_t now);

#endif
