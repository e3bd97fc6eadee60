/* SPDX-License-Identifier: Apache-2.0 */
/* The two text formats of metrics: heads, samples, numbers, escapes. */
#ifndef MEDIAKIT_CLI_EXPOSITION_H
#define MEDIAKIT_CLI_EXPOSITION_H

#include "cli/metrics.h"

enum family_type { FAMILY_GAUGE, FAMILY_COUNTER, FAMILY_INFO };

/* A number as it is known, so that no rounding comes in between. */
struct number {
	enum number_kind { NUMBER_ABSENT, NUMBER_COUNT, NUMBER_USEC, NUMBER_KIB } kind;
	uint64_t n;
};

struct exposition {
	FILE *f;
	const struct metrics *m;
	enum metrics_format format;
	const char *name; /* of the family, without _total and _info */
	enum family_type type;
};

struct label {
	const char *name, *value; /* name NULL: the list ends here */
};

/* `unit` NULL: none; otherwise the name ends in it. `help` is one sentence on one line. */
void exposition_head(struct exposition *e, const char *name, enum family_type type,
	const char *unit, const char *help);
/* One sample of that family; nothing at all where the number is absent. */
void exposition_sample(struct exposition *e, const struct label *labels, struct number n);
void exposition_end(struct exposition *e);

#endif
