/* SPDX-License-Identifier: Apache-2.0 */
/* What survives a daemon, in memory. */
#ifndef MEDIAKIT_TESTS_FAKE_STORE_H
#define MEDIAKIT_TESTS_FAKE_STORE_H

#include "io/store.h"

#include <stdbool.h>
#include <stdint.h>

struct fake_text {
	struct fake_text *next;
	char *guest, *text;
	char *aside; /* the text that was put aside */
	unsigned saves;
	uint64_t console_bytes;
	char *events; /* lines; NULL without any */
};

struct fake_store {
	struct store store;
	struct fake_text *texts;
	bool dead; /* the daemon is: what it says now is not kept */
	bool full; /* texts are not kept, and the store says so from the first on */
	bool lost;
	int load_error; /* texts are there, but cannot be read */
};

struct fake_store *fake_store_new(void);
void fake_store_free(struct fake_store *s);
/* Made where it is not there yet; its text is NULL until something is saved. */
struct fake_text *fake_store_text(struct fake_store *s, const char *guest);

#endif
