/* SPDX-License-Identifier: Apache-2.0 */
/* One verb of a command, and the table-driven main that the command and the offline
 * program share. */
#ifndef MEDIAKIT_CLI_VERB_H
#define MEDIAKIT_CLI_VERB_H

#include <stddef.h>

/* What the command's exit status means, for every verb. */
enum cli_exit {
	CLI_OK = 0,          /* yes, done, healthy */
	CLI_FAILED = 1,      /* failed, or unhealthy */
	CLI_USAGE = 2,       /* the command line, or the configuration */
	CLI_NOT_RUNNING = 3,
	CLI_NO_GUEST = 4,    /* no guest of that name */
	CLI_TIMED_OUT = 5,
	CLI_NO_DAEMON = 6,
};

/* `usage` is the one source of --help, the man page and the completion: its first line is the
 * synopsis without the command's name, then the text. It ends with a newline. NULL: the verb
 * answers --help itself. */
struct verb {
	const char *name;
	const char *summary; /* one line, no full stop */
	int (*run)(int argc, char **argv); /* argv[0] is the verb; returns an enum cli_exit */
	const char *usage;
};

/* Runs argv[1]; `--help`, `--version` and `VERB --help` are answered here, so that no verb needs
 * to. An unknown verb is CLI_USAGE with the nearest known one. `about` stands above the list of
 * verbs. */
int verb_main(const struct verb *verbs, size_t n, const char *about, int argc, char **argv);

/* The nearest of n names by edit distance, or NULL when none is near enough to be meant. `name(i)`
 * gives them. */
const char *verb_nearest(const char *word, const char *(*name)(const void *userdata, size_t i),
	const void *userdata, size_t n);

#endif
