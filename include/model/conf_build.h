/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration while it is being read: the spec, and beside it where every value was written.
 * Shared by model/conf (fills it) and model/conf_check (judges the whole). */
#ifndef MEDIAKIT_MODEL_CONF_BUILD_H
#define MEDIAKIT_MODEL_CONF_BUILD_H

#include "model/conf.h"
#include "model/conf_keys.h"

/* Where something was written. path NULL: nowhere, the default holds. path is borrowed from the
 * texts. */
struct conf_place {
	const char *path;
	unsigned line; /* 0: the file as a whole */
	bool bad; /* what was written there was a fault, so the field does not show what was meant
		   */
};

/* The places of one object: the daemon, a guest or a service. */
struct conf_item {
	struct conf_place opened; /* its first section or its file */
	struct conf_place places[CONF_KEY_NUM];
};

struct conf_guest {
	struct conf_item own;
	struct conf_item services[SPEC_SERVICES_MAX]; /* as guest_spec.services */
};

struct conf_build {
	struct spec *spec;
	struct conf_item daemon;
	struct conf_guest *guests; /* as spec->guests */
	struct conf_faults *faults;
	bool out_of_memory; /* a fault could not be kept; the outcome is -ENOMEM */
};

/* Adds "path:line: key: text"; `at->path` and `key` may be NULL. */
void conf_report(struct conf_build *b, bool warning, const struct conf_place *at, const char *key,
	const char *format, ...) PRINTF_LIKE(5, 6);

/* Where the key was written or, if nowhere, where its object begins. Never NULL. */
const struct conf_place *conf_place_of(const struct conf_item *item, enum conf_key_id id);

/* Fills in the defaults that follow from other values, over all guests. 0 or -ENOMEM; a port that
 * does not exist is reported. */
int conf_fill_defaults(struct conf_build *b);

/* Every check that needs more than one value, over the whole configuration with its defaults filled
 * in. */
void conf_check(struct conf_build *b);

#endif
