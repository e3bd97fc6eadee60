/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest says on its serial line beside its boot: the words of its shutdown,
 * and those on the file systems it found. */
#ifndef MEDIAKIT_CORE_HEARING_H
#define MEDIAKIT_CORE_HEARING_H

#include "base/time.h"
#include "model/serial.h"
#include "policy/fsword.h"
#include "policy/halt.h"

struct guest;

struct hearing {
	struct serial_line line;
	struct halt halt;   /* since the present stop began */
	struct fsword fs;   /* of the present boot */
	bool fs_after_stop; /* we started it: what ended before this boot is g->last_exit */
	unsigned fs_asked;  /* times that the agent was */
	char fs_words[256]; /* for a person; "" while nothing is known */
};

/* Serial bytes, cut anywhere. */
void hearing_console(struct guest *g, const void *data, size_t len);
/* A boot begins; `by_start`: by our start, so that nothing ran in between. */
void hearing_boot(struct guest *g, bool by_start);
/* It has yet to ask the agent. */
bool hearing_wants_agent(const struct guest *g);
/* Asks the agent, once in a boot. True when it was asked now: it takes one command at a time. */
bool hearing_ask(struct guest *g, usec_t now);
/* A stop begins: what it said before is not about that. */
void hearing_stop(struct guest *g);

#endif
