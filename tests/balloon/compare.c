/* SPDX-License-Identifier: Apache-2.0 */
/* Our policy beside others' on the same traces and the same model guests.
 *   compare [--check] TRACE...
 * prints a table; --check holds our figures to the aims. On top come MIXES= random traces of SEED=
 * and of the SEEDS= - 1 seeds after it. */
/* LINK: base/time model/guestmem model/spec policy/balloon policy/balloon_names policy/balloon_loan policy/balloon_sense policy/balloon_share policy/balloon_trace policy/balloon_replay */
#include <errno.h>
#include <string.h>

#include "balloon/rivals.h"
#include "base/macro.h"

#define CONTENDERS (RIVAL_NUM + 1u) /* ours is the last */
#define OURS       RIVAL_NUM
#define TRACES_MAX 512u
#define MIX_BYTES  (256u * 1024)
#define GIB        (1024.0 * 1024)

struct result {
	const char *trace;
	struct replay_summary by[CONTENDERS];
};

static struct replay replay;
static struct rivals rivals;
static struct replay_policy ours;
static struct result results[TRACES_MAX];
static unsigned n_results;
static const char *names[CONTENDERS];

static void run_all(const char *name, const char *text, size_t len)
{
	const struct balloon_pool defaults = { .reserve_kib = 1 << 20, .critical_kib = 1 << 19 };
	struct result *result = &results[n_results++];

	result->trace = name;
	for (unsigned c = 0; c < CONTENDERS; c++) {
		struct replay_controller controller;
		struct trace_reader reader;

		if (c == OURS)
			replay_policy_init(&ours, &balloon_policy_default, &controller);
		else
			rival_init(&rivals, (enum rival)c, &controller);
		names[c] = controller.name;
		if (trace_open(&reader, name, text, len) < 0 ||
			replay_run(&replay, &reader, &defaults, &controller, NULL, &result->by[c]) <
				0) {
			(void)fprintf(stderr, "%s\n", reader.fault);
			exit(1);
		}
	}
}

static uint64_t random_state;

static uint64_t below(uint64_t n)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (random_state * UINT64_C(2685821657736338717) >> 16) % n;
}

/* Three guests, an hour, changes every minute or so. What the guests need together with the host's
 * own never exceeds four fifths of what
 * there is, else nobody could serve it. */
static size_t random_mix(char *text, size_t size)
{
	unsigned max[3], demand[3], hot[3], other = 2048, wish = 2048;
	size_t at = (size_t)snprintf(
		text, size, "time,guest,host_total,host_other,tcg,max,min,demand,hot,read\n");

	for (unsigned g = 0; g < 3; g++) {
		max[g] = (2 + (unsigned)below(5)) * 1024;
		demand[g] = 400;
		hot[g] = 200;
	}
	for (unsigned t = 0; t <= 3600; t += 20 + (unsigned)below(100)) {
		unsigned g = (unsigned)below(3), others = 0;

		for (unsigned i = 0; i < 3; i++)
			others += i == g ? 0 : demand[i] + hot[i] + max[i] / 64 + 330;
		/* Of 12 GiB a fifth is to stay free, and the host wants 2 GiB for itself. */
		unsigned all = 12 * 1024 * 8 / 10, room = all - MIN(2048 + others, all - 700);
		unsigned most = MIN(max[g] * 7 / 10, room - 380 - max[g] / 64);
		demand[g] = 300 + (unsigned)below(MAX(most, 301u) - 300);
		hot[g] = 100 + (unsigned)below(most > demand[g] ? most - demand[g] : 1) / 2;
		if (below(4) == 0)
			wish = 2048 + 1024 * (unsigned)below(5);
		others += demand[g] + hot[g] + max[g] / 64 + 330;
		other = MIN(wish, all > others + 2048 ? all - others : 2048);
		for (unsigned i = 0; i < 3; i++)
			at += (size_t)snprintf(text + at, size - at,
				"%u,%c,%u,%u,1,%u,%u,%u,%u,%u\n", t, 'a' + i, 12u << 20,
				other << 10, max[i] << 10, max[i] << 8, demand[i] << 10,
				hot[i] << 10, (unsigned)below(3) * 4000);
	}
	return at;
}

static void print_table(void)
{
	printf("%-12s %-10s %9s %9s %9s %5s %6s %6s %8s %9s\n", "trace", "controller", "returned",
		"pressure", "swap-in", "OOM", "turns", "/10min", "back", "host short");
	printf("%-12s %-10s %9s %9s %9s %5s %6s %6s %8s %9s\n", "", "", "GiB mean", "guest-s",
		"MiB", "", "", "", "s", "s");
	for (unsigned i = 0; i < n_results; i++) {
		for (unsigned c = 0; c < CONTENDERS; c++) {
			const struct replay_summary *s = &results[i].by[c];

			printf("%-12s %-10s %9.2f %9.1f %9.1f %5u %6u %6u %6.0f%c%c %9.1f\n",
				c ? "" : results[i].trace, names[c], s->returned_mean_kib / GIB,
				s->pressed_guest_s, (double)s->swap_in_kib / 1024, s->ooms,
				s->turns, s->turns_10min, s->back_mean_s,
				s->falls_unmet ? '+' : ' ', ' ', s->host_short_s);
		}
	}
}

static int failures;

/* Aims that are missed and told so, held to what is reached lest it become worse:
 *  - cache: who knew the working set, and took all the rest of the guest at once, would return
 *    1.58 GiB. Proxmox returns more and has the guest read its working set for the rest of the
 *    hour: 2790 guest-seconds under pressure, more than all traces together may have. */
static const struct {
	const char *trace, *what;
	double reached;
} known[] = {
	{ "cache", "GiB returned", 1.55 },
};

static void hold(bool holds, const char *trace, const char *what, double ours_is, double limit)
{
	bool worse = true;

	if (holds)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(known[i].trace, trace) == 0 && strcmp(known[i].what, what) == 0)
			worse = limit < ours_is ? ours_is > known[i].reached
						: ours_is < known[i].reached;
	failures += worse;
	printf("missed%s: %s: %s: %.2f, aim %.2f\n", worse ? "" : ", known", trace, what, ours_is,
		limit);
}

static void check_trace(const struct result *r)
{
	const struct replay_summary *mine = &r->by[OURS];
	double best = 0;

	hold(mine->swap_in_kib == 0, r->trace, "MiB swapped in", (double)mine->swap_in_kib / 1024,
		0);
	hold(mine->ooms == 0, r->trace, "OOM kills", mine->ooms, 0);
	hold(mine->turns_10min <= 1, r->trace, "turns in 10 minutes", mine->turns_10min, 1);
	for (unsigned c = RIVAL_MOM; c < OURS; c++)
		if (r->by[c].swap_in_kib == 0 && r->by[c].ooms == 0 &&
			r->by[c].returned_mean_kib > best)
			best = r->by[c].returned_mean_kib;
	hold(mine->returned_mean_kib >= best, r->trace, "GiB returned",
		mine->returned_mean_kib / GIB, best / GIB);
}

static void totals(bool check)
{
	double pressed[CONTENDERS] = { 0 }, best = -1;
	double swapped[CONTENDERS] = { 0 }, returned[CONTENDERS] = { 0 };
	double shorts[CONTENDERS] = { 0 };
	unsigned ooms[CONTENDERS] = { 0 }, swaps[CONTENDERS] = { 0 };

	for (unsigned c = 0; c < CONTENDERS; c++) {
		for (unsigned i = 0; i < n_results; i++) {
			pressed[c] += results[i].by[c].pressed_guest_s;
			swapped[c] += (double)results[i].by[c].swap_in_kib / 1024;
			returned[c] += results[i].by[c].returned_mean_kib / GIB;
			shorts[c] += results[i].by[c].host_short_s;
			ooms[c] += results[i].by[c].ooms;
			swaps[c] += results[i].by[c].swap_in_kib > 0;
		}
		printf("%-12s %-10s %9.2f %9.1f %9.1f %5u %12u of %3u swapped %9.1f\n",
			c ? "" : "all", names[c], returned[c], pressed[c], swapped[c], ooms[c],
			swaps[c], n_results, shorts[c]);
		if (c >= RIVAL_MOM && c < OURS && (best < 0 || pressed[c] < best))
			best = pressed[c];
	}
	if (!check)
		return;
	for (unsigned i = 0; i < n_results; i++)
		check_trace(&results[i]);
	hold(pressed[OURS] <= best / 5, "all", "guest-seconds under pressure", pressed[OURS],
		best / 5);
}

static char *read_trace(const char *path, size_t *ret_len)
{
	CLEANUP_FCLOSE FILE *f = fopen(path, "re");
	char *text = malloc(MIX_BYTES);

	if (!f || !text) {
		perror(path);
		exit(1);
	}
	*ret_len = fread(text, 1, MIX_BYTES, f);
	return text;
}

/* "tests/balloon/traces/idle.csv" is "idle". */
static const char *short_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name = strdup(slash ? slash + 1 : path);

	if (!name)
		exit(1);
	name[strcspn(name, ".")] = '\0';
	return name;
}

static unsigned long number(const char *name, unsigned long or_else)
{
	const char *text = getenv(name);

	return text && *text ? strtoul(text, NULL, 10) : or_else;
}

static void run_mixes(unsigned long seed, unsigned long n)
{
	char name[32];

	random_state = seed * 2 + 1;
	for (unsigned long i = 0; i < n && n_results < TRACES_MAX; i++) {
		char *text = malloc(MIX_BYTES);

		if (!text)
			exit(1);
		(void)snprintf(name, sizeof(name), "mix-%lu-%lu", seed, i + 1);
		run_all(short_name(name), text, random_mix(text, MIX_BYTES));
		free(text);
	}
}

int main(int argc, char **argv)
{
	bool check = argc > 1 && strcmp(argv[1], "--check") == 0;
	unsigned long first = number("SEED", 1), n_seeds = number("SEEDS", 1);
	unsigned long n_mixes = number("MIXES", 4);
	size_t len;

	for (int i = 1 + check; i < argc && n_results < TRACES_MAX; i++) {
		char *text = read_trace(argv[i], &len);

		run_all(short_name(argv[i]), text, len);
		free(text);
	}
	for (unsigned long i = 0; i < n_seeds; i++)
		run_mixes(first + i, n_mixes);
	print_table();
	totals(check);
	if (check)
		printf("compare: %d aims newly missed on %u traces\n", failures, n_results);
	return failures ? 1 : 0;
}
