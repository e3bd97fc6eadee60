/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of the serial console to those who look for words in them. */
#include "core/hearing.h"

#include "core/guest.h"

void hearing_console(struct guest *g, const void *data, size_t len)
{
	struct hearing *h = &g->hearing;
	const char *s = data;

	for (size_t i = 0; i < len; i++) {
		if (!serial_line_put(&h->line, s[i]))
			continue;
		if (g->ladder.began)
			g->dirty |= halt_line(&h->halt, h->line.words, h->line.len);
	}
}

void hearing_stop(struct guest *g)
{
	g->hearing.halt = (struct halt){ "" };
}
