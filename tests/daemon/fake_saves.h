/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets in memory, each with the disk as it was; answered by the timeline. */
#ifndef MEDIAKIT_TESTS_FAKE_SAVES_H
#define MEDIAKIT_TESTS_FAKE_SAVES_H

#include "io/saves.h"
#include "timeline.h"

#include <stdbool.h>
#include <sys/stat.h>

#define FAKE_TICKETS 200u /* as many guests as test_many has */

struct fake_ticket {
	char guest[64]; /* the first one to ask has the first ticket */
	bool there;
	struct save_made made;
	struct stat disk;
};

struct fake_saves {
	struct saves saves;
	struct timeline *timeline;
	const char *state_dir;
	unsigned generation; /* of the daemon */
	struct fake_ticket tickets[FAKE_TICKETS];
	usec_t takes;               /* how long the disk does */
	int keep_error, unreadable; /* the next ones fail so */
	unsigned kept, taken;
};

struct fake_saves *fake_saves_new(struct timeline *timeline, const char *state_dir);
void fake_saves_free(struct fake_saves *s);
/* The daemon died: what was ordered is done, and nobody hears of it. */
void fake_saves_orphan(struct fake_saves *s);

#endif
