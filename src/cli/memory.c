/* SPDX-License-Identifier: Apache-2.0 */
/* Asks for the pool's inputs and decisions, and prints them. */
#include "cli/memory.h"

#include "base/macro.h"
#include "base/parse.h"
#include "bus/names.h"
#include "cli/client_read.h"
#include "cli/term.h"
#include "cli/verb.h"
#include "model/utf8.h"
#include "policy/balloon_trace.h"

#include <errno.h>
#include <string.h>

int memory_show(const struct session *s)
{
	const struct view_guest *g = session_guest(s);
	char a[SIZE_TEXT_MAX], b[SIZE_TEXT_MAX];

	if (g->memory_actual == VIEW_ABSENT) {
		fprintf(stderr, "%s: nothing is known of its memory; it is %s\n", g->name,
			g->state);
		return view_runs(g) ? CLI_FAILED : CLI_NOT_RUNNING;
	}
	printf("%s: %s of %s, %s", g->name, format_size_kib(a, sizeof(a), g->memory_actual),
		format_size_kib(b, sizeof(b), g->memory_configured),
		g->memory_target                         ? "set by hand"
		: strcmp(g->balloon_mode, "manual") == 0 ? "manual"
							 : "automatic");
	if (g->balloon_reason[0])
		printf("; %s: %s, target %s, floor %s", g->balloon_action, g->balloon_reason,
			format_size_kib(a, sizeof(a), g->balloon_target),
			format_size_kib(b, sizeof(b), g->balloon_floor));
	putchar('\n');
	return CLI_OK;
}

static int failed(const struct client_reply *reply)
{
	fprintf(stderr, "mediakitd balloon: %s\n",
		reply->message[0] ? reply->message : "the daemon's answer is not understood");
	return reply->status != CLI_OK ? reply->status : CLI_FAILED;
}

int memory_dry_run(struct session *s)
{
	char action[32], reason[64];
	const char *action_sent, *reason_sent;
	char *path = NULL, a[SIZE_TEXT_MAX], b[SIZE_TEXT_MAX], c[SIZE_TEXT_MAX], d[SIZE_TEXT_MAX];
	uint64_t from, target, floor, slack, need;
	sd_bus_message *m = NULL, *answer = NULL;
	struct client_reply reply;

	int r = sd_bus_path_encode_many(&path, BUS_PATTERN_GUEST, s->guest);
	if (r >= 0)
		r = sd_bus_message_new_method_call(client_bus(s->client), &m,
			client_destination(s->client), path, BUS_IFACE_GUEST, "DryRunBalloon");
	free(path);
	r = client_ask(s->client, r, m, &reply, &answer);
	if (r >= 0)
		r = sd_bus_message_read(answer, "ssttttt", &action_sent, &reason_sent, &from,
			&target, &floor, &slack, &need);
	if (r < 0) {
		sd_bus_message_unref(answer);
		return failed(&reply);
	}
	text_take(action, sizeof(action), action_sent);
	text_take(reason, sizeof(reason), reason_sent);
	format_size_kib(a, sizeof(a), from);
	format_size_kib(b, sizeof(b), target);
	format_size_kib(c, sizeof(c), floor);
	format_size_kib(d, sizeof(d), slack);
	bool hold = strcmp(action, "hold") == 0;
	printf("%s: would %s %s %s%s%s: %s; floor %s, could spare %s", s->guest, action,
		hold ? "at" : "from", a, hold ? "" : " to ", hold ? "" : b, reason, c, d);
	printf("; the host needs %s\n", format_size_kib(a, sizeof(a), need));
	sd_bus_message_unref(answer);
	return CLI_OK;
}

/* 1 and a row, 0 at the end, -errno. */
static int read_guest(sd_bus_message *m, struct trace_row *row)
{
	struct balloon_guest *in = &row->in;
	const char *name, *phase;
	uint32_t weight;
	int tcg, r = sd_bus_message_enter_container(m, 'r', "ssbttttuttttttttttt");

	if (r <= 0)
		return r;
	r = sd_bus_message_read(m, "ssbttttu", &name, &phase, &tcg, &in->max_kib, &in->limit_kib,
		&in->min_kib, &in->idle_kib, &weight);
	if (r > 0)
		r = sd_bus_message_read(m, "ttttttttttt", &in->actual_kib, &in->rss_kib,
			&in->usable_kib, &in->unused_kib, &in->caches_kib, &in->swap_in_kib,
			&in->swap_out_kib, &in->major_faults, &in->last_update_sec, &in->latency,
			&in->override_kib);
	if (r > 0)
		r = sd_bus_message_exit_container(m);
	if (r < 0)
		return r;
	int known = balloon_phase_from_string(phase);
	/* What would be other columns, or no text, is no name either. */
	if (known < 0 || strlen(name) > SPEC_NAME_MAX || strchr(name, ',') ||
		!utf8_printable(name, strlen(name)))
		return -EBADMSG;
	in->phase = (enum balloon_phase)known;
	in->tcg = tcg;
	in->weight = weight;
	(void)snprintf(row->guest, sizeof(row->guest), "%s", name);
	return 1;
}

static int write_rows(FILE *f, sd_bus_message *m, const char *only, usec_t *began)
{
	char line[TRACE_LINE_MAX];
	struct trace_row row = { 0 };
	uint64_t now;

	int r = sd_bus_message_read(m, "tttutt", &now, &row.pool.total_kib, &row.pool.available_kib,
		&row.pool.psi_some_avg10, &row.pool.reserve_kib, &row.pool.critical_kib);
	if (r >= 0)
		r = sd_bus_message_enter_container(m, 'a', "(ssbttttuttttttttttt)");
	if (*began == 0)
		*began = now;
	row.time = usec_sub(now, *began);
	while (r >= 0 && (r = read_guest(m, &row)) > 0) {
		if (only && strcmp(only, row.guest) != 0)
			continue;
		r = trace_write_row(line, sizeof(line), &row);
		if (r >= 0 && fputs(line, f) < 0)
			r = -EIO;
	}
	return r < 0 ? r : fflush(f) != 0 ? -EIO : 0;
}

static int take_sample(struct session *s, FILE *f, usec_t *began, struct client_reply *reply)
{
	sd_bus_message *m = NULL, *answer = NULL;
	int r = sd_bus_message_new_method_call(client_bus(s->client), &m,
		client_destination(s->client), BUS_PATH, BUS_IFACE_MANAGER, "BalloonInputs");

	r = client_ask(s->client, r, m, reply, &answer);
	if (r < 0)
		return r;
	r = write_rows(f, answer, s->guest, began);
	if (r == -EIO)
		(void)snprintf(reply->message, sizeof(reply->message), "%s", strerror(-r));
	sd_bus_message_unref(answer);
	return r;
}

/* Until then something may come in, and is read. */
static int sleep_until(struct session *s, usec_t until)
{
	while (!term_ending()) {
		usec_t now = now_boottime();
		int r = now >= until ? 0 : client_wait(s->client, until - now);

		if (now >= until || r < 0)
			return r;
	}
	return 0;
}

int memory_record(struct session *s, const char *file, usec_t interval, usec_t span)
{
	bool to_stdout = strcmp(file, "-") == 0;
	FILE *f = to_stdout ? stdout : fopen(file, "we");
	usec_t next = now_boottime(), end = usec_add(next, span), began = 0;
	struct client_reply reply = { 0 };
	char line[TRACE_LINE_MAX];
	int r = 0;

	if (!f) {
		fprintf(stderr, "mediakitd balloon: %s: %s\n", file, strerror(errno));
		return CLI_FAILED;
	}
	term_watch_signals();
	if (trace_write_header(line, sizeof(line)) < 0 || fputs(line, f) < 0)
		r = -EIO;
	while (r >= 0 && !term_ending() && next < end) {
		r = take_sample(s, f, &began, &reply);
		next = usec_add(next, interval);
		if (r >= 0 && sleep_until(s, MIN(next, end)) < 0) {
			if (!to_stdout)
				(void)fclose(f);
			return session_lost();
		}
	}
	if (!to_stdout && fclose(f) != 0 && r >= 0) {
		(void)snprintf(reply.message, sizeof(reply.message), "%s", strerror(errno));
		r = -EIO;
	}
	return r < 0 ? failed(&reply) : CLI_OK;
}
