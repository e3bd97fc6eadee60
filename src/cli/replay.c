/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's own policy run over a trace, without a daemon and without guests. */
#include "cli/replay.h"

#include "base/file.h"
#include "base/macro.h"
#include "base/parse.h"
#include "cli/args.h"
#include "cli/verb.h"
#include "io/confdir.h"
#include "policy/balloon_replay.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

const char usage_replay[] =
	"balloon --replay=TRACE [--config=DIR] [--json]\n"
	"\n"
	"Runs the daemon's memory policy over a trace and prints each decision that is news,\n"
	"then what came of it. Needs no daemon and changes nothing.\n"
	"\n"
	"A trace is CSV. '#' begins a comment; the first other line names the columns, in any\n"
	"order; each later line is one guest at one time and holds until its next line. An\n"
	"empty cell is an absent statistic or the default. Sizes are KiB.\n"
	"\n"
	"  always    time (s) guest host_total max, required; psi (%) reserve critical min\n"
	"            limit idle weight override phase (away leaving booting unwell up)\n"
	"            tcg (0 or 1)\n"
	"  recorded  host_available actual rss usable unused caches swap_in swap_out\n"
	"            major_faults last_update (s) latency (ms)\n"
	"  thought   demand (anonymous memory; its presence makes the trace one of these)\n"
	"            host_other hot (file data in use) read (KiB/s read once) swap flaw (none\n"
	"            stuck absent frozen lying greedy garbage future)\n"
	"\n"
	"With a demand column model guests follow the decisions, and the summary tells what\n"
	"they felt: how much QEMU held less than without a balloon, seconds in which something\n"
	"in use was not in memory, swapping. In a recorded trace nothing follows: each\n"
	"decision is what the policy would have said then. The model is described in the\n"
	"sources, include/model/guestmem.h.\n"
	"\n"
	"  --config=DIR    take [Pool], and [Memory] of guests of the same name, from here\n"
	"                  instead of the defaults and the trace\n"
	"  --json          one object: decisions, returned (once a minute), summary\n"
	"\n"
	"Exit status: 0 replayed, 1 out of memory or output cannot be written, 2 command line,\n"
	"configuration or trace, with FILE:LINE: COLUMN: reason.\n";

/* Large, and one at a time. */
static struct replay replay;
static struct replay_policy policy;

struct job {
	bool json, first;
	const struct spec *spec; /* or NULL */
	struct replay_controller inner;
	enum balloon_reason last[TRACE_GUESTS_MAX];
	bool any[TRACE_GUESTS_MAX];
	json_t *returned;
	unsigned long counts[BALLOON_ACTION_NUM];
};

/* What the configuration says of a guest stands above what the trace says. */
static usec_t configured_decide(void *state, const struct balloon_pool *pool,
	const struct balloon_guest *guests, size_t n, uint64_t *targets)
{
	const struct job *job = state;
	struct balloon_guest in[TRACE_GUESTS_MAX];

	for (size_t i = 0; i < n; i++) {
		const struct guest_spec *g =
			job->spec ? spec_find_guest(job->spec, replay.guests[i].name) : NULL;

		in[i] = guests[i];
		if (!g)
			continue;
		in[i].min_kib = g->memory_min_kib;
		in[i].limit_kib = g->memory_kib;
		in[i].weight = g->memory_weight;
		in[i].idle_kib = guest_spec_idle_kib(g);
	}
	return job->inner.decide(job->inner.state, pool, in, n, targets);
}

static void booted(void *state, size_t guest)
{
	const struct job *job = state;

	job->inner.booted(job->inner.state, guest);
}

static json_t *size(uint64_t kib)
{
	return json_integer((json_int_t)MIN(kib, BALLOON_KIB_MAX));
}

static void print_object(struct job *job, json_t *o)
{
	fputs(job->first ? "\n  " : ",\n  ", stdout);
	job->first = false;
	(void)json_dumpf(o, stdout, JSON_COMPACT);
	json_decref(o);
}

static void tell_json(struct job *job, usec_t now, size_t guest, const struct balloon_decision *d)
{
	json_t *o = json_object();

	(void)json_object_set_new(o, "time", json_real((double)now / USEC_PER_SEC));
	(void)json_object_set_new(o, "guest", json_string(replay.guests[guest].name));
	(void)json_object_set_new(o, "action", json_string(balloon_action_to_string(d->action)));
	(void)json_object_set_new(o, "reason", json_string(balloon_reason_to_string(d->reason)));
	(void)json_object_set_new(o, "from_kib", size(d->from_kib));
	(void)json_object_set_new(o, "target_kib", size(d->target_kib));
	(void)json_object_set_new(o, "floor_kib", size(d->floor_kib));
	(void)json_object_set_new(o, "slack_kib", size(d->slack_kib));
	(void)json_object_set_new(o, "rolled_back", json_boolean(d->rolled_back));
	print_object(job, o);
}

static void tell(void *userdata, usec_t now, size_t guest, const struct balloon_decision *d)
{
	struct job *job = userdata;
	char from[SIZE_TEXT_MAX], to[SIZE_TEXT_MAX];
	bool news = !job->any[guest] || job->last[guest] != d->reason;

	job->counts[d->action]++;
	job->any[guest] = true;
	job->last[guest] = d->reason;
	if (d->action == BALLOON_HOLD && !news)
		return;
	if (job->json) {
		tell_json(job, now, guest, d);
		return;
	}
	printf("%9.1f s  %-20s %-6s %10s", (double)now / USEC_PER_SEC, replay.guests[guest].name,
		balloon_action_to_string(d->action),
		format_size_kib(from, sizeof(from), d->from_kib));
	if (d->action == BALLOON_HOLD)
		printf(" %13s", "");
	else
		printf(" -> %10s", format_size_kib(to, sizeof(to), d->target_kib));
	printf("  %s%s\n", balloon_reason_to_string(d->reason),
		d->rolled_back ? ", loans returned" : "");
}

static void sample(void *userdata, const struct replay_sample *s)
{
	struct job *job = userdata;
	json_t *o = job->json ? json_object() : NULL;

	if (!o)
		return;
	(void)json_object_set_new(o, "time", json_real((double)s->now / USEC_PER_SEC));
	(void)json_object_set_new(o, "returned_kib", json_integer(s->returned_kib));
	(void)json_object_set_new(o, "host_available_kib", size(s->host_available_kib));
	(void)json_array_append_new(job->returned, o);
}

static json_t *summary_json(const struct replay_summary *s)
{
	json_t *o = json_object();

	(void)json_object_set_new(o, "seconds", json_real(s->seconds));
	(void)json_object_set_new(o, "guest_seconds", json_real(s->guest_seconds));
	(void)json_object_set_new(o, "returned_mean_kib", json_real(s->returned_mean_kib));
	(void)json_object_set_new(o, "returned_end_kib", json_real(s->returned_end_kib));
	(void)json_object_set_new(o, "pressed_guest_seconds", json_real(s->pressed_guest_s));
	(void)json_object_set_new(o, "host_short_seconds", json_real(s->host_short_s));
	(void)json_object_set_new(o, "swap_in_kib", size(s->swap_in_kib));
	(void)json_object_set_new(o, "oom_kills", json_integer(s->ooms));
	(void)json_object_set_new(o, "turns", json_integer(s->turns));
	(void)json_object_set_new(o, "turns_in_10_minutes", json_integer(s->turns_10min));
	(void)json_object_set_new(o, "falls_of_demand", json_integer(s->falls));
	(void)json_object_set_new(o, "falls_not_given_back", json_integer(s->falls_unmet));
	(void)json_object_set_new(o, "give_back_mean_seconds",
		s->falls > s->falls_unmet ? json_real(s->back_mean_s) : json_null());
	return o;
}

static void print_summary(const struct replay_summary *s)
{
	char span[TIMESPAN_TEXT_MAX];

	printf("\n%s of trace, %.0f guest-seconds\n",
		format_timespan(span, sizeof(span), (usec_t)(s->seconds * USEC_PER_SEC)),
		s->guest_seconds);
	printf("given back         %.2f GiB on average, %.2f GiB at the end\n",
		s->returned_mean_kib / 1048576, s->returned_end_kib / 1048576);
	printf("under pressure     %.1f guest-seconds\n", s->pressed_guest_s);
	printf("swapped in         %.1f MiB more than without a balloon, %u kills\n",
		(double)s->swap_in_kib / 1024, s->ooms);
	printf("changes of direction under constant load   %u, at most %u of one guest in 10 min\n",
		s->turns, s->turns_10min);
	printf("falls of demand    %u, of which %u not given back before the next change", s->falls,
		s->falls_unmet);
	if (s->falls > s->falls_unmet)
		printf("; the others in %.0f s on average", s->back_mean_s);
	printf("\nhost without memory  %.1f s\n", s->host_short_s);
}

static void finish(struct job *job, const struct replay_summary *s)
{
	if (!job->json && s)
		print_summary(s);
	else if (!job->json)
		printf("\nrecorded: %lu times hold, %lu grow, %lu shrink; nothing was carried "
		       "out\n",
			job->counts[BALLOON_HOLD], job->counts[BALLOON_GROW],
			job->counts[BALLOON_SHRINK]);
	if (!job->json)
		return;
	json_t *o = s ? summary_json(s) : json_null();
	fputs("\n],\n\"returned\": ", stdout);
	(void)json_dumpf(job->returned, stdout, JSON_COMPACT);
	fputs(",\n\"summary\": ", stdout);
	(void)json_dumpf(o, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
	fputs("\n}\n", stdout);
	json_decref(o);
}

static int run(struct job *job, struct trace_reader *reader, const struct spec *defaults)
{
	const struct balloon_pool pool = { .reserve_kib = defaults->reserve_kib,
		.critical_kib = defaults->critical_kib };
	const struct replay_controller outer = {
		.name = "mediakitd", .state = job, .decide = configured_decide, .booted = booted
	};
	const struct replay_observer observer = { .userdata = job, .sample = sample };
	struct balloon_policy numbers;
	struct replay_summary summary = { 0 };
	int r;

	balloon_policy_from_spec(defaults, &numbers);
	replay_policy_init(&policy, &numbers, &job->inner);
	policy.told = tell;
	policy.userdata = job;
	job->first = true;
	if (job->json)
		fputs("{\n\"decisions\": [", stdout);
	if (reader->demand)
		r = replay_run(&replay, reader, &pool, &outer, &observer, &summary);
	else
		r = replay_recorded(&replay, reader, &pool, &outer);
	if (r == 0)
		finish(job, reader->demand ? &summary : NULL);
	return r;
}

static int replay_file(struct job *job, const char *path, const struct spec *defaults)
{
	CLEANUP_FREE char *text = NULL;
	struct trace_reader reader;
	size_t len;
	int r = file_read(path, TRACE_BYTES_MAX, &text, &len);

	if (r < 0) {
		fprintf(stderr, "mediakitd balloon: %s: %s\n", path, strerror(-r));
		return CLI_USAGE;
	}
	job->returned = json_array();
	if (!job->returned)
		return CLI_FAILED;
	r = trace_open(&reader, path, text, len);
	if (r == 0)
		r = run(job, &reader, defaults);
	if (r < 0)
		fprintf(stderr, "%s\n", reader.fault);
	json_decref(job->returned);
	if (r < 0)
		return CLI_USAGE;
	return fflush(stdout) != 0 || ferror(stdout) ? CLI_FAILED : CLI_OK;
}

static int load(const char *dir, struct spec **ret)
{
	struct conf_faults faults = { 0 };
	int r = confdir_load(dir, NULL, NULL, ret, &faults);

	for (unsigned i = 0; r < 0 && i < faults.n; i++)
		if (!faults.list[i].warning)
			fprintf(stderr, "%s\n", faults.list[i].text);
	conf_faults_clear(&faults);
	return r == -ENOMEM ? CLI_FAILED : r < 0 ? CLI_USAGE : 0;
}

int verb_replay(int argc, char **argv)
{
	static const struct args_rule rule = { ARG_JSON | ARG_REPLAY, 0, 0, "--replay=TRACE" };
	/* The presets of the configuration, for whoever gives none. */
	static const struct spec presets = { .reserve_kib = 1u << 20,
		.critical_kib = 1u << 19,
		.shrink_below_pct = 20,
		.leave_above_pct = 25 };
	struct job job = { 0 };
	struct spec *spec = NULL;
	struct args args;
	int r = args_parse(argc, argv, &rule, &args);

	if (r != 0)
		return r;
	if (!args.replay) {
		fprintf(stderr, "mediakitd balloon: wants --replay=TRACE here\n");
		return CLI_USAGE;
	}
	if (args.config && (r = load(args.config, &spec)) != 0)
		return r;
	job.json = args.json;
	job.spec = spec;
	r = replay_file(&job, args.replay, spec ? spec : &presets);
	spec_free(spec);
	return r;
}
