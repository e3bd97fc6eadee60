/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the verb, answers the questions about verbs themselves, and guesses what a mistyped one
 * meant. */
#include "cli/verb.h"

#include "base/macro.h"
#include "bus/names.h"

#include <string.h>

#define WORD_MAX 48u

/* Levenshtein's distance over one row; longer words are as far as can be. */
static size_t word_distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1], la = strlen(a), lb = strlen(b);

	if (la > WORD_MAX || lb > WORD_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t changed = diagonal + (a[i - 1] != b[j - 1]);
			size_t moved = MIN(row[j], row[j - 1]) + 1;

			diagonal = row[j];
			row[j] = MIN(changed, moved);
		}
	}
	return row[lb];
}

const char *verb_nearest(const char *word, const char *(*name)(const void *userdata, size_t i),
	const void *userdata, size_t n)
{
	const char *best = NULL;
	/* A third of the word may be wrong, and at least two letters (two swapped ones). */
	size_t limit = MAX(strlen(word) / 3, (size_t)2);

	for (size_t i = 0; i < n; i++) {
		const char *candidate = name(userdata, i);
		size_t d = word_distance(word, candidate);

		/* A part left out, as in "mediakit" for "vm-mediakit", is a likely slip however
		 * long. */
		if (d > limit && strlen(word) >= 3 && strstr(candidate, word))
			d = limit;
		if (d <= limit && d < strlen(candidate)) {
			best = candidate;
			limit = d - (d > 0);
		}
	}
	return best;
}

struct verb_table {
	const struct verb *verbs;
	size_t n;
};

static const char *verb_name(const void *userdata, size_t i)
{
	return ((const struct verb_table *)userdata)->verbs[i].name;
}

static int print_list(const struct verb_table *table, const char *about)
{
	size_t width = 0;

	for (size_t i = 0; i < table->n; i++)
		width = MAX(width, strlen(table->verbs[i].name));
	printf("%s\n", about);
	for (size_t i = 0; i < table->n; i++)
		printf("  %-*s  %s\n", (int)width, table->verbs[i].name, table->verbs[i].summary);
	printf("\nEvery verb takes --help, --config=DIR, --state=DIR and --runtime=DIR.\n"
	       "\n"
	       "Exit status: 0 yes or healthy, 1 failed or unhealthy, 2 command line or\n"
	       "configuration, 3 not running, 4 no such guest, 5 timed out, 6 no daemon.\n");
	return CLI_OK;
}

static bool asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

static int unknown_verb(const struct verb_table *table, const char *word)
{
	const char *near = verb_nearest(word, verb_name, table, table->n);

	if (near)
		fprintf(stderr, "mediakitd: there is no verb '%s'; did you mean '%s'?\n", word,
			near);
	else
		fprintf(stderr, "mediakitd: there is no verb '%s'; see `mediakitd --help`\n", word);
	return CLI_USAGE;
}

int verb_main(const struct verb *verbs, size_t n, const char *about, int argc, char **argv)
{
	const struct verb_table table = { verbs, n };

	if (argc < 2) {
		fprintf(stderr, "mediakitd: which verb? See `mediakitd --help`\n");
		return CLI_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
		strcmp(argv[1], "help") == 0)
		return print_list(&table, about);
	if (strcmp(argv[1], "--version") == 0) {
		printf("mediakitd %s\n", MEDIAKIT_VERSION);
		return CLI_OK;
	}
	for (size_t i = 0; i < n; i++) {
		if (strcmp(verbs[i].name, argv[1]) != 0)
			continue;
		if (verbs[i].usage && asks_for_help(argc - 1, argv + 1)) {
			printf("mediakitd %s", verbs[i].usage);
			return CLI_OK;
		}
		return verbs[i].run(argc - 1, argv + 1);
	}
	return unknown_verb(&table, argv[1]);
}
