/* SPDX-License-Identifier: Apache-2.0 */
/* The door to the system bus: com.pointsav.MediaKit1 there, for as long as there is a bus. */
#ifndef MEDIAKIT_BUS_SYSTEM_H
#define MEDIAKIT_BUS_SYSTEM_H

#include "bus/server.h"

/* The bus is tried again after so long, doubled up to the second figure: a host without one must
 * not be asked all day, and a restarted one is soon found. */
#define SYSTEM_RETRY_MIN (1 * USEC_PER_SEC)
#define SYSTEM_RETRY_MAX (60 * USEC_PER_SEC)

void system_close(struct bus *b);

#endif
