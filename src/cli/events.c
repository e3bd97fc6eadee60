/* SPDX-License-Identifier: Apache-2.0 */
/* `mediakitd events`: what happened, and what happens now.
 *
 * Theory of operation of following: signals and answers come in the order in which the daemon sent
 * them, and events are numbered, so what is asked for is everything after the last number shown,
 * and what a signal tells again is dropped by its number. A daemon that ends is waited for and then
 * asked the same question; what it wrote down before it died is part of the answer. */
#include "base/macro.h"
#include "base/parse.h"
#include "cli/asking.h"
#include "cli/client_read.h"
#include "cli/session.h"
#include "cli/since.h"
#include "cli/story.h"
#include "cli/storyline.h"
#include "cli/verb.h"
#include "model/event.h"

#include <poll.h>
#include <string.h>
#include <time.h>

const char usage_events[] =
	"events [GUEST] [--follow] [--since=TIME] [--kind=KIND[,KIND]] [--lines=N] [--json]\n"
	"\n"
	"Tells what happened to every guest, or to one and to the daemon itself: changes of "
	"state,\n"
	"ends with their causes, restarts, steps of shutdowns, boots, health, services, requests\n"
	"with who asked, libvirt. The daemon keeps the last 256 of each guest, also over its own\n"
	"restarts; the journal has them all (`journalctl MEDIAKIT_GUEST=GUEST`).\n"
	"\n"
	"  --follow      stay, and tell what happens; begins with the last 10. A daemon that is\n"
	"                restarted is waited for, and nothing is missed or told twice. Ctrl-C "
	"ends\n"
	"  --since=TIME  \"2026-11-23 04:00\", \"04:00\", today, yesterday, \"2h\" or \"2h ago\", "
	"or\n"
	"                @SEQ: what came after the event of that number\n"
	"  --kind=KIND   only these: state exit restart stop boot health service remedy balloon\n"
	"                request hypervisor daemon\n"
	"  --lines=N     only the last N\n"
	"  --json        one line of JSON for each event\n"
	"\n"
	"Of each kind a guest may cause only so many: what is too many is told as one event, once\n"
	"a minute, with how many it stands for.\n"
	"\n"
	"Exit status: 0 told (also where nothing happened), 2 usage, 4 no such guest, 6 no "
	"daemon.\n"
	"\n"
	"The JSON, version 1. Keys may be added, never changed; what there is none of is null.\n"
	"  {\"version\": 1, \"seq\": number, grows over all guests and never repeats,\n"
	"   \"at_usec\": since 1970, \"boottime_usec\": since the host's boot, \"guest\": null: "
	"the\n"
	"   daemon itself, \"kind\", \"level\": \"err\" \"warning\" \"notice\" \"info\" or "
	"\"debug\",\n"
	"   \"service\", \"cause\": of an exit, \"text\"}\n";

#define FOLLOW_LINES 10u
/* Between two attempts to reach a daemon that ended. */
#define RETRY_EVERY (500 * USEC_PER_MSEC)

struct following {
	struct session *session;
	unsigned kinds; /* bits of 1 << enum event_kind */
	unsigned lines; /* of those that are kept; UINT_MAX: all */
	uint64_t last;  /* the highest number seen */
	usec_t last_at; /* of that event */
	/* Those of an answer that shall be shown; the last `lines` of them are. */
	struct view_event *list;
	unsigned n;
	int failed;
	struct storyline line;
};

static bool wanted(const struct following *f, const struct view_event *e)
{
	int kind = event_kind_from_string(e->kind);
	const char *guest = f->session->guest;

	if (guest && e->guest[0] && strcmp(e->guest, guest) != 0)
		return false;
	/* A kind of a newer daemon is shown unless kinds were asked for. */
	return kind < 0 ? f->kinds == ~0u : (f->kinds >> kind & 1) != 0;
}

static void seen(struct following *f, const struct view_event *e)
{
	if (e->seq > f->last) {
		f->last = e->seq;
		f->last_at = e->at;
	}
}

static void gather(void *userdata, const struct view_event *e)
{
	struct following *f = userdata;

	seen(f, e);
	if (wanted(f, e) && f->n < STORY_MAX)
		f->list[f->n++] = *e;
}

static void show(struct following *f, const struct view_event *e)
{
	if (storyline_print(stdout, &f->line, e) < 0)
		f->failed = CLI_FAILED;
}

static void on_event(void *userdata, sd_bus_message *m)
{
	struct following *f = userdata;
	struct view_event e;

	if (story_read_event(m, &e) < 0 || e.seq <= f->last)
		return;
	seen(f, &e);
	if (wanted(f, &e))
		show(f, &e);
}

/* Asks for what is kept and shows it. 0, or the exit status. */
static int catch_up(struct following *f, uint64_t after, usec_t since)
{
	struct client_reply reply = { 0 };

	f->n = 0;
	f->list = calloc(STORY_MAX, sizeof(*f->list));
	if (!f->list)
		return CLI_FAILED;
	int r = client_events(
		f->session->client, f->session->guest, after, since, STORY_MAX, gather, f, &reply);
	for (unsigned i = f->n > f->lines ? f->n - f->lines : 0; r == 0 && i < f->n; i++)
		show(f, &f->list[i]);
	free(TAKE_PTR(f->list));
	/* Written as it comes, also into a pipe. */
	if (r == 0 && fflush(stdout) != 0)
		return CLI_FAILED;
	if (r < 0 && reply.status != CLI_NO_DAEMON)
		fprintf(stderr, "mediakitd: %s\n", reply.message);
	return r < 0 ? reply.status : f->failed;
}

static void newest(void *userdata, const struct view_event *e)
{
	*(uint64_t *)userdata = e->seq;
}

/* 0 once there is a daemon again and all it remembers is shown; the exit status on a signal. */
static int reconnect(struct following *f)
{
	const struct timespec pause = { .tv_nsec = (long)(RETRY_EVERY * 1000) };
	struct session *s = f->session;

	fprintf(stderr, "mediakitd: the daemon went away; waiting for it to come back\n");
	while (!term_ending()) {
		struct client_reply reply;
		uint64_t highest = 0;

		client_close(TAKE_PTR(s->client));
		(void)ppoll(NULL, 0, &pause, term_wait_mask());
		if (client_open_quietly(s->args.runtime, CLIENT_STATUS, &s->client) != 0)
			continue;
		client_on_event(s->client, on_event, f);
		if (client_events(s->client, NULL, 0, 0, 1, newest, &highest, &reply) < 0)
			continue;
		/* Its memory was taken away, and it counts from the beginning: time tells. */
		usec_t since = highest < f->last ? f->last_at + 1 : 0;
		if (since)
			f->last = 0;
		int r = catch_up(f, f->last, since);
		if (r != CLI_NO_DAEMON)
			return r;
	}
	return CLI_OK;
}

static int follow(struct following *f)
{
	int r = CLI_OK;

	f->lines = UINT32_MAX;
	while (r == CLI_OK && !term_ending()) {
		if (client_wait(f->session->client, USEC_INFINITY) < 0)
			r = reconnect(f);
		if (r == CLI_OK && fflush(stdout) != 0)
			r = CLI_FAILED;
		if (r == CLI_OK)
			r = f->failed;
	}
	return r;
}

static int parse_kinds(const char *text, unsigned *ret)
{
	unsigned kinds = 0;

	while (*text) {
		size_t len = strcspn(text, ",");
		CLEANUP_FREE char *word = strndup(text, len);
		int kind = word ? event_kind_from_string(word) : -1;

		if (kind < 0) {
			fprintf(stderr,
				"mediakitd events: --kind=%.*s: there is no such kind; see "
				"`mediakitd events --help`\n",
				(int)len, text);
			return CLI_USAGE;
		}
		kinds |= 1u << kind;
		text += len + (text[len] == ',');
	}
	*ret = kinds;
	return 0;
}

static int parse_options(
	struct following *f, const struct args *a, usec_t *ret_since, uint64_t *ret_after)
{
	f->kinds = ~0u;
	f->lines = a->follow && !a->since ? FOLLOW_LINES : UINT32_MAX;
	if (a->since && since_parse(a->since, now_realtime(), ret_since, ret_after) < 0) {
		fprintf(stderr,
			"mediakitd events: --since=%s is no time; write \"2026-11-23 04:00\", "
			"04:00, today, \"2h ago\" or @417\n",
			a->since);
		return CLI_USAGE;
	}
	if (a->lines && parse_uint(a->lines, 0, UINT32_MAX, &f->lines) < 0) {
		fprintf(stderr, "mediakitd events: --lines=%s is no number\n", a->lines);
		return CLI_USAGE;
	}
	return a->kind ? parse_kinds(a->kind, &f->kinds) : 0;
}

static int run(struct following *f, uint64_t after, usec_t since)
{
	struct session *s = f->session;

	storyline_init(&f->line, stdout, &s->view, s->guest, s->args.json);
	if (s->args.follow) {
		term_watch_signals();
		client_on_event(s->client, on_event, f);
	}
	/* What is shown of a signal must lie after what is asked for. */
	f->last = after;
	int r = catch_up(f, after, since);
	if (r == CLI_NO_DAEMON)
		return session_lost();
	return r == CLI_OK && s->args.follow ? follow(f) : r;
}

int verb_events(int argc, char **argv)
{
	static const struct args_rule rule = {
		ARG_JSON | ARG_FOLLOW | ARG_SINCE | ARG_KIND | ARG_LINES, 0, 1, "[GUEST]"
	};
	struct session s = { 0 };
	struct following f = { .session = &s };
	uint64_t after = 0;
	struct args args;
	usec_t since = 0;

	/* A typing error needs no daemon. */
	int r = args_parse(argc, argv, &rule, &args);
	if (r == 0)
		r = parse_options(&f, &args, &since, &after);
	if (r != 0)
		return r;
	r = session_open(&s, argc, argv, &rule, CLIENT_STATUS);
	if (r == 0)
		r = run(&f, after, since);
	session_close(&s);
	return r;
}
