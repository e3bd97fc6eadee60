/* SPDX-License-Identifier: Apache-2.0 */
/* One event on one line: for a person, or as JSON. */
#ifndef MEDIAKIT_CLI_STORYLINE_H
#define MEDIAKIT_CLI_STORYLINE_H

#include "cli/story.h"
#include "cli/term.h"

struct storyline {
	struct style style;
	bool json;
	unsigned guest_width; /* 0: all events are of one guest, which is not named */
};

void storyline_init(
	struct storyline *l, FILE *f, const struct view *v, const char *only, bool json);
/* 0 or -ENOMEM. */
int storyline_print(FILE *f, const struct storyline *l, const struct view_event *e);

/* "2026-11-23 04:00:12" in local time. Returns buf. */
char *moment_text(char *buf, size_t size, usec_t realtime);
#define MOMENT_TEXT_MAX 32u

#endif
