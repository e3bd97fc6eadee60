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
};

void stageline_init(struct stageline *line, const char *prefix);

/* `what` must live until the next stage begins or the line ends. */
void stageline_begin(struct stageline *line, const char *what);

/* Repaints the live line a few times a second. */
void stageline_tick(struct stageline *line);

/* A line that stays, above the live one. */
void stageline_note(struct stageline *line, const char *format, ...) PRINTF_LIKE(2, 3);

/* Takes the live line away. */
void stageline_end(struct stageline *line);

#endif
