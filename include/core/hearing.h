/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest says on its serial line beside its boot: the words of its shutdown. */
#ifndef MEDIAKIT_CORE_HEARING_H
#define MEDIAKIT_CORE_HEARING_H

#include "model/serial.h"
#include "policy/halt.h"

struct guest;

struct hearing {
	struct serial_line line;
	struct halt halt; /* since the present stop began */
};

/* Serial bytes, cut anywhere. */
void hearing_console(struct guest *g, const void *data, size_t len);
/* A stop begins: what it said before is not about that. */
void hearing_stop(struct guest *g);

#endif
