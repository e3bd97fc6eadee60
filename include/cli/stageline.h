/* SPDX-License-Identifier: Apache-2.0 */
/* Stages told on stderr while they pass: on a terminal one live line with the time elapsed,
 * elsewhere a plain line for each. */
#ifndef MEDIAKIT_CLI_STAGELINE_H
#define MEDIAKIT_CLI_STAGELINE_H

#include "base/macro.h"
#include "base/time.h"

struct stageline {
	const char *prefix; /* "provision vm-mediakit" */
	bool is_terminal;
	const char *what; /* the stage under way, NULL: none */
	usec_t since, painted;
	struct stageline_bar {
		uint64_t done, total; /* bytes; total 0: not known */
		uint64_t from;        /* where this run began, so that the rate is this run's */
		usec_t since;         /* when it did; 0: there is no bar */
		unsigned told;        /* tenths said as plain lines */
	} bar;
};

void stageline_init(struct stageline *line, const char *prefix);

/* `what` must live until the next stage begins or the line ends. */
void stageline_begin(struct stageline *line, const char *what);

/* Repaints the live line a few times a second. */
void stageline_tick(struct stageline *line);

/* How far a download is: with the next tick the live line has a bar, the rate and the time left;
 * elsewhere each tenth is a line. The next stage ends it. */
void stageline_progress(struct stageline *line, uint64_t done, uint64_t total);

/* "45%  283.5 MiB of 630.0 MiB, 12.3 MiB/s, 28s left", or what of that can be known. */
#define STAGELINE_BAR_TEXT 96u
char *stageline_bar_text(
	const struct stageline_bar *bar, usec_t now, char ret[static STAGELINE_BAR_TEXT]);

/* A line that stays, above the live one. */
void stageline_note(struct stageline *line, const char *format, ...) PRINTF_LIKE(2, 3);

/* Takes the live line away. */
void stageline_end(struct stageline *line);

#endif
