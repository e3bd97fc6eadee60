/* SPDX-License-Identifier: Apache-2.0 */
/* `why` as a person reads it, and as JSON. */
#ifndef MEDIAKIT_CLI_WHYSCREEN_H
#define MEDIAKIT_CLI_WHYSCREEN_H

#include "cli/story.h"
#include "cli/term.h"

#define WHY_LIST_MAX 64u /* four topics of 16 */

struct why_list {
	struct view_decision rows[WHY_LIST_MAX]; /* newest first in each topic */
	unsigned n;
};

/* `topic` NULL: the newest of each. */
void why_print(FILE *f, const struct view_guest *g, const struct why_list *list, const char *topic,
	const struct style *style);
/* 0 or -ENOMEM. */
int why_json(FILE *f, const struct view_guest *g, const struct why_list *list, const char *topic);

#endif
