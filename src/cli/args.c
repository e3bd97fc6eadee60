/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a verb's options out of one table, so that an option is spelled and explained the same
 * everywhere. */
#include "cli/args.h"

#include "base/macro.h"
#include "base/parse.h"
#include "bus/names.h"
#include "cli/verb.h"

#include <string.h>

enum value { VALUE_FLAG, VALUE_TEXT, VALUE_SPAN };

static const struct option {
	const char *name;
	enum value value;
	unsigned bit; /* 0: every verb takes it */
	size_t offset;
} options[] = {
	{ "config", VALUE_TEXT, 0, offsetof(struct args, config) },
	{ "state", VALUE_TEXT, 0, offsetof(struct args, state) },
	{ "runtime", VALUE_TEXT, 0, offsetof(struct args, runtime) },
	{ "json", VALUE_FLAG, ARG_JSON, offsetof(struct args, json) },
	{ "watch", VALUE_FLAG, ARG_WATCH, offsetof(struct args, watch) },
	{ "save", VALUE_FLAG, ARG_SAVE, offsetof(struct args, save) },
	{ "host-shutdown", VALUE_FLAG, ARG_SAVE, offsetof(struct args, host_shutdown) },
	{ "yes", VALUE_FLAG, ARG_YES, offsetof(struct args, yes) },
	{ "tail", VALUE_FLAG, ARG_TAIL, offsetof(struct args, tail) },
	{ "openmetrics", VALUE_FLAG, ARG_OPENMETRICS, offsetof(struct args, openmetrics) },
	{ "for", VALUE_TEXT, ARG_FOR, offsetof(struct args, for_what) },
	{ "follow", VALUE_FLAG, ARG_FOLLOW, offsetof(struct args, follow) },
	{ "since", VALUE_TEXT, ARG_SINCE, offsetof(struct args, since) },
	{ "kind", VALUE_TEXT, ARG_KIND, offsetof(struct args, kind) },
	{ "lines", VALUE_TEXT, ARG_LINES, offsetof(struct args, lines) },
	{ "replay", VALUE_TEXT, ARG_REPLAY, offsetof(struct args, replay) },
	{ "dry-run", VALUE_FLAG, ARG_DRY_RUN, offsetof(struct args, dry_run) },
	{ "record", VALUE_TEXT, ARG_RECORD, offsetof(struct args, record) },
	{ "interval", VALUE_SPAN, ARG_INTERVAL, offsetof(struct args, interval) },
	{ "check-update", VALUE_FLAG, ARG_CHECK_UPDATE, offsetof(struct args, check_update) },
	{ "disk", VALUE_TEXT, ARG_DISK, offsetof(struct args, disk) },
	{ "guest", VALUE_TEXT, ARG_GUEST, offsetof(struct args, guest) },
	{ "glibc", VALUE_TEXT, ARG_GLIBC, offsetof(struct args, glibc) },
	{ "mirror", VALUE_TEXT, ARG_BAKE, offsetof(struct args, mirror) },
	{ "security", VALUE_TEXT, ARG_BAKE, offsetof(struct args, security) },
	{ "keyring", VALUE_TEXT, ARG_BAKE, offsetof(struct args, keyring) },
	{ "binary", VALUE_TEXT, ARG_DEPLOY, offsetof(struct args, binary) },
	{ "unit", VALUE_TEXT, ARG_DEPLOY, offsetof(struct args, unit) },
	{ "data", VALUE_TEXT, ARG_DEPLOY, offsetof(struct args, data) },
	{ "identity", VALUE_TEXT, ARG_DEPLOY, offsetof(struct args, identity) },
	{ "list", VALUE_FLAG, ARG_DEPLOY | ARG_LIST, offsetof(struct args, list) },
	{ "delete", VALUE_TEXT, ARG_SNAPSHOT, offsetof(struct args, delete_name) },
	{ "cancel", VALUE_FLAG, ARG_SNAPSHOT, offsetof(struct args, cancel) },
	{ "from", VALUE_TEXT, ARG_FROM, offsetof(struct args, from) },
	{ "rollback", VALUE_FLAG, ARG_DEPLOY, offsetof(struct args, rollback) },
	{ "timeout", VALUE_SPAN, ARG_TIMEOUT, offsetof(struct args, timeout) },
};

static const struct option *option_find(const char *name, size_t len, unsigned allowed)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (strlen(options[i].name) == len && memcmp(options[i].name, name, len) == 0 &&
			(options[i].bit == 0 || (options[i].bit & allowed)))
			return &options[i];
	return NULL;
}

struct allowed {
	const char *names[ARRAY_SIZE(options)];
	size_t n;
};

static const char *allowed_name(const void *userdata, size_t i)
{
	return ((const struct allowed *)userdata)->names[i];
}

static int unknown_option(const char *verb, const char *name, size_t len, unsigned bits)
{
	struct allowed allowed = { .n = 0 };
	CLEANUP_FREE char *word = strndup(name, len);

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (options[i].bit == 0 || (options[i].bit & bits))
			allowed.names[allowed.n++] = options[i].name;
	const char *near = word ? verb_nearest(word, allowed_name, &allowed, allowed.n) : NULL;
	fprintf(stderr, "mediakitd %s: there is no option --%.*s here; ", verb, (int)len, name);
	if (near)
		fprintf(stderr, "did you mean --%s?\n", near);
	else
		fprintf(stderr, "see `mediakitd %s --help`\n", verb);
	return CLI_USAGE;
}

static int option_store(
	const struct option *o, const char *verb, const char *value, struct args *ret)
{
	char *field = (char *)ret + o->offset;

	if (o->value == VALUE_FLAG) {
		*(bool *)field = true;
		return 0;
	}
	if (o->value == VALUE_TEXT && *value) {
		*(const char **)field = value;
		return 0;
	}
	if (o->value == VALUE_SPAN && parse_timespan(value, (usec_t *)field) == 0)
		return 0;
	if (o->value == VALUE_SPAN)
		fprintf(stderr,
			"mediakitd %s: --%s=%s is no time span; write 90s, 5min or infinity\n",
			verb, o->name, value);
	else
		fprintf(stderr, "mediakitd %s: --%s= wants a value\n", verb, o->name);
	return CLI_USAGE;
}

/* The option at argv[*i], which begins with "--"; moves *i over a value that stands apart. */
static int take_option(int argc, char **argv, int *i, unsigned allowed, struct args *ret)
{
	const char *name = argv[*i] + 2, *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct option *o = option_find(name, len, allowed);

	if (!o)
		return unknown_option(argv[0], name, len, allowed);
	if (o->value == VALUE_FLAG) {
		if (!equals)
			return option_store(o, argv[0], NULL, ret);
		fprintf(stderr, "mediakitd %s: --%s takes no value\n", argv[0], o->name);
		return CLI_USAGE;
	}
	if (equals)
		return option_store(o, argv[0], equals + 1, ret);
	if (*i + 1 >= argc) {
		fprintf(stderr, "mediakitd %s: --%s wants a value\n", argv[0], o->name);
		return CLI_USAGE;
	}
	*i += 1;
	return option_store(o, argv[0], argv[*i], ret);
}

/* There are no one-letter options: whoever types one meant something else. */
static int unknown_short(const char *verb, const char *word)
{
	fprintf(stderr, "mediakitd %s: there is no option %s; see `mediakitd %s --help`\n", verb,
		word, verb);
	return CLI_USAGE;
}

static int take_operand(
	const char *word, const struct args_rule *rule, const char *verb, struct args *a)
{
	if (a->n_operands < MIN(rule->max, ARGS_OPERANDS_MAX)) {
		a->operands[a->n_operands++] = word;
		return 0;
	}
	fprintf(stderr, "mediakitd %s: '%s' is one word too many; see `mediakitd %s --help`\n",
		verb, word, verb);
	return CLI_USAGE;
}

int args_parse(int argc, char **argv, const struct args_rule *rule, struct args *ret)
{
	const char *env = getenv("MEDIAKIT_RUNTIME");
	struct args a = {
		.runtime = env && *env ? env : BUS_RUNTIME_DEFAULT,
		.interval = USEC_INFINITY,
		.timeout = USEC_INFINITY,
	};
	bool ended = false;

	for (int i = 1; i < argc; i++) {
		int r;

		if (!ended && strcmp(argv[i], "--") == 0) {
			ended = true;
			continue;
		}
		if (!ended && strncmp(argv[i], "--", 2) == 0)
			r = take_option(argc, argv, &i, rule->options, &a);
		else if (!ended && argv[i][0] == '-' && argv[i][1])
			r = unknown_short(argv[0], argv[i]);
		else
			r = take_operand(argv[i], rule, argv[0], &a);
		if (r)
			return r;
	}
	if (a.n_operands < rule->min) {
		fprintf(stderr, "mediakitd %s: wants %s; see `mediakitd %s --help`\n", argv[0],
			rule->words, argv[0]);
		return CLI_USAGE;
	}
	a.runtime_given = (env && *env) || strcmp(a.runtime, BUS_RUNTIME_DEFAULT) != 0;
	*ret = a;
	return 0;
}
