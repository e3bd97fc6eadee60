/* SPDX-License-Identifier: Apache-2.0 */
/* `mediakitd wait`: until a guest is what it should be, by the daemon's signals. */
#include "base/macro.h"
#include "cli/asking.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "cli/verb.h"
#include "cli/words.h"

#include <string.h>

const char usage_wait[] =
	"wait GUEST [--for=running|ready|healthy|stopped] [--timeout=SPAN]\n"
	"\n"
	"Waits until the guest is\n"
	"  running   its operating system is up\n"
	"  ready     cloud-init is done\n"
	"  healthy   ready, and every active service answers (the default)\n"
	"  stopped   it is down, however that came\n"
	"and tells on stderr what it waits for: on a terminal as one live line, elsewhere with a\n"
	"line for each change, and in the end what cloud-init counted: it may have ended with\n"
	"warnings, or with errors. SPAN is 90s, 5min and the like; without it the wait is "
	"unlimited.\n"
	"\n"
	"Exit status: 0 it is so, 1 it will not be (the guest was given up), 2 usage, 4 no such\n"
	"guest, 5 timed out, 6 no daemon, 130 Ctrl-C.\n";

enum goal { GOAL_RUNNING, GOAL_READY, GOAL_HEALTHY, GOAL_STOPPED, GOAL_NUM };

static const char *const goals[] = {
	[GOAL_RUNNING] = "running",
	[GOAL_READY] = "ready",
	[GOAL_HEALTHY] = "healthy",
	[GOAL_STOPPED] = "stopped",
};
static_assert(ARRAY_SIZE(goals) == GOAL_NUM, "a goal without a name");

static bool reached(enum goal goal, const struct view_guest *g)
{
	static const char *const running[] = { "running", "ready", NULL };
	static const char *const down[] = { "absent", "stopped", "failed", NULL };

	switch (goal) {
	case GOAL_RUNNING:
		return view_is(g->state, running);
	case GOAL_READY:
		return strcmp(g->state, "ready") == 0;
	case GOAL_HEALTHY:
		return g->healthy;
	case GOAL_STOPPED:
		return view_is(g->state, down);
	default:
		return false;
	}
}

/* -1: not yet; else the exit status. */
static int judge(const struct session *s, enum goal goal)
{
	const struct view_guest *g = session_guest(s);

	if (!g)
		return CLI_NO_GUEST;
	if (reached(goal, g))
		return CLI_OK;
	return strcmp(g->state, "failed") == 0 ? CLI_FAILED : -1;
}

/* What cloud-init counted, where it did: a guest is ready with warnings, too. */
static void tell_cloudinit(const struct session *s, const struct view_guest *g)
{
	char text[PROGRESS_TEXT_MAX];

	if (view_runs(g) && *cloudinit_words(text, sizeof(text), g))
		fprintf(stderr, "%s: cloud-init: %s\n", s->guest, text);
}

static int tell(const struct session *s, enum goal goal, int status)
{
	char text[PROGRESS_TEXT_MAX];

	if (status == CLI_NO_GUEST)
		return session_no_guest(s);
	if (status == CLI_FAILED)
		fprintf(stderr, "%s: it will not be %s: %s\n", s->guest, goals[goal],
			progress_text(text, sizeof(text), session_guest(s), now_realtime()));
	if (goal != GOAL_STOPPED)
		tell_cloudinit(s, session_guest(s));
	return status;
}

static int timed_out(const struct session *s, enum goal goal)
{
	char span[TIMESPAN_TEXT_MAX], text[PROGRESS_TEXT_MAX];

	fprintf(stderr, "%s: not %s after %s: %s\n", s->guest, goals[goal],
		format_timespan(span, sizeof(span), s->args.timeout),
		progress_text(text, sizeof(text), session_guest(s), now_realtime()));
	if (goal != GOAL_STOPPED)
		tell_cloudinit(s, session_guest(s));
	return CLI_TIMED_OUT;
}

static int wait_for(struct session *s, enum goal goal)
{
	struct progress progress;
	usec_t until = usec_add(now_boottime(), s->args.timeout);
	int status, r;

	term_watch_signals();
	progress_begin(&progress);
	/* Only a live line has anything to say between two changes, and who keeps systemd patient.
	 */
	const bool ticks = progress.style.terminal || progress_in_unit();
	while ((status = judge(s, goal)) < 0 && !term_ending()) {
		usec_t left = usec_sub(until, now_boottime());

		if (left == 0)
			break;
		progress_show(&progress, session_guest(s));
		r = client_wait(s->client, ticks ? MIN(left, PROGRESS_TICK) : left);
		if (r < 0) {
			progress_end(&progress);
			if ((r = session_regain(s)) != 0)
				return r;
		}
	}
	progress_end(&progress);
	if (status >= 0)
		return tell(s, goal, status);
	if (!term_ending())
		return timed_out(s, goal);
	fprintf(stderr, "%s: no longer waiting; what the daemon does with it goes on\n", s->guest);
	return term_exit();
}

int verb_wait(int argc, char **argv)
{
	static const struct args_rule rule = { ARG_FOR | ARG_TIMEOUT, 1, 1, "GUEST" };
	struct session s;
	struct args args;
	int goal = GOAL_HEALTHY;

	int r = args_parse(argc, argv, &rule, &args);
	if (r != 0)
		return r;
	if (args.for_what)
		for (goal = 0; goal < GOAL_NUM && strcmp(goals[goal], args.for_what) != 0;)
			goal++;
	if (goal == GOAL_NUM) {
		fprintf(stderr,
			"mediakitd wait: --for=%s: it is running, ready, healthy or stopped\n",
			args.for_what);
		return CLI_USAGE;
	}
	r = session_open_patiently(&s, argc, argv, &rule, CLIENT_STATUS);
	if (r == 0)
		r = wait_for(&s, goal);
	session_close(&s);
	return r;
}
