/* SPDX-License-Identifier: Apache-2.0 */
/* The options of every verb: one table, of which each verb names the ones it takes. */
#ifndef MEDIAKIT_CLI_ARGS_H
#define MEDIAKIT_CLI_ARGS_H

#include "base/time.h"

#include <stdbool.h>

/* --config=DIR --state=DIR --runtime=DIR are taken by every verb. */
enum {
	ARG_JSON = 1 << 0,
	ARG_WATCH = 1 << 1,
	ARG_YES = 1 << 2,
	ARG_TAIL = 1 << 3,
	ARG_FOR = 1 << 4,
	ARG_TIMEOUT = 1 << 5,
	ARG_FOLLOW = 1 << 6,
	ARG_SINCE = 1 << 7,
	ARG_KIND = 1 << 8,
	ARG_LINES = 1 << 9,
	ARG_REPLAY = 1 << 10,
	ARG_OPENMETRICS = 1 << 11,
	ARG_DRY_RUN = 1 << 12,
	ARG_RECORD = 1 << 13,
	ARG_INTERVAL = 1 << 14,
	ARG_CHECK_UPDATE = 1 << 15,
	ARG_GUEST = 1 << 16,
	ARG_GLIBC = 1 << 17,
	ARG_DISK = 1 << 18,
	ARG_BAKE = 1 << 19, /* --mirror=, --security=, --keyring= */
	ARG_DEPLOY = 1 << 22, /* --binary=, --unit=, --data=, --identity=, --list, --rollback */
	ARG_SAVE = 1 << 25, /* --save, --host-shutdown */
	ARG_SNAPSHOT = 1 << 26, /* --delete=, --cancel */
	ARG_LIST = 1 << 27,
	ARG_FROM = 1 << 28,
};

#define ARGS_OPERANDS_MAX 64u

struct args {
	const char *config, *state; /* NULL: not given */
	const char *runtime;        /* never NULL: --runtime=, $MEDIAKIT_RUNTIME, or the default */
	bool runtime_given;         /* it is not the default */
	bool json, watch, yes, tail, follow, openmetrics;
	const char *for_what, *since, *kind, *lines; /* NULL: not given */
	const char *replay;                          /* NULL: not given */
	bool dry_run, check_update;
	bool save, host_shutdown;
	bool cancel;
	const char *delete_name, *from; /* NULL: not given */
	const char *guest, *glibc, *disk;        /* NULL: not given */
	const char *record;                      /* NULL: not given */
	const char *mirror, *security, *keyring; /* NULL: not given */
	const char *binary, *unit, *data, *identity; /* NULL: not given */
	bool list, rollback;
	usec_t interval;                         /* USEC_INFINITY: not given */
	usec_t timeout;                          /* USEC_INFINITY: not given */
	const char *operands[ARGS_OPERANDS_MAX];
	unsigned n_operands;
};

struct args_rule {
	unsigned options;  /* bits of ARG_* */
	unsigned min, max; /* operands */
	const char *words; /* what the operands are, for the message: "GUEST [SIZE|auto]" */
};

/* Options and operands in any order; `--opt=value` and `--opt value`; `--` ends the options; a lone
 * `-` is an operand. 0 and *ret (pointing into argv), or CLI_USAGE when a line was written to
 * stderr. */
int args_parse(int argc, char **argv, const struct args_rule *rule, struct args *ret);

#endif
