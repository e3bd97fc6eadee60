/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs that ask the daemon to do something to a guest, and wait until it is done. */
#include "base/macro.h"
#include "base/parse.h"
#include "bus/names.h"
#include "cli/asking.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "cli/verb.h"

#include <string.h>

#define EXIT_NOTE                                                                                  \
	"\nExit status: 0 done, 1 failed, 2 usage, 3 not running, 4 no such guest, 5 timed out, "  \
	"6 no daemon, 130 Ctrl-C.\n"

const char usage_start[] =
	"start GUEST\n"
	"\n"
	"Starts the guest and waits until the daemon says how that went. What passes is shown on\n"
	"stderr. Use `wait` for a guest that is healthy. Ctrl-C stops the\n"
	"waiting; the daemon goes on.\n" EXIT_NOTE;
const char usage_stop[] =
	"stop GUEST\n"
	"\n"
	"Shuts the guest down. A paused one is resumed; the guest agent is asked, where one\n"
	"answers; then the power button is pressed every few seconds. After [Shutdown] Timeout=\n"
	"the power is cut: QEMU writes out its caches and ends, and is killed after QuitTimeout=.\n"
	"Prints how it ended. Ctrl-C stops the waiting, not the shutdown.\n" EXIT_NOTE;
const char usage_restart[] = "restart GUEST\n"
			     "\n"
			     "Stops the guest as `stop` does and starts it again.\n" EXIT_NOTE;
const char usage_kill[] =
	"kill GUEST [--yes]\n"
	"\n"
	"Cuts the guest's power at once. What it had not written is lost; `stop` is kinder. On a\n"
	"terminal it asks first, elsewhere it wants --yes.\n" EXIT_NOTE;
const char usage_balloon[] =
	"balloon GUEST [SIZE|auto]\n"
	"       mediakitd balloon --replay=TRACE [--config=DIR] [--json]\n"
	"\n"
	"Shows the guest's memory, or sets how much it may use: 3G, 512M, or auto for the "
	"maximum.\n"
	"Waits until the guest has given the memory back, or taken it.\n"
	"\n"
	"With --replay the memory policy is run over a trace instead, without a daemon; see\n"
	"`mediakitd balloon --replay --help` for what a trace is.\n" EXIT_NOTE;
const char usage_reset_failed[] = "reset-failed GUEST\n"
				  "\n"
				  "Forgets the guest's faults, so that one that was given up can "
				  "be started again.\n" EXIT_NOTE;

/* How often the live line moves on without news. */
#define TICK (500 * USEC_PER_MSEC)

static int report_end(const struct session *s, const struct client_reply *reply)
{
	FILE *f = reply->status == CLI_OK ? stdout : stderr;

	if (reply->message[0])
		fprintf(f, "%s: %s\n", s->guest, reply->message);
	return reply->status;
}

/* Asks, and shows how it goes until the answer is there. */
static int request(struct session *s, const char *method, const uint64_t *kib)
{
	struct client_reply reply;
	struct progress progress;
	int r = client_begin(s->client, s->guest, method, kib, &reply);

	if (r < 0)
		return session_lost();
	term_watch_signals();
	progress_begin(&progress);
	while (!reply.done && !term_ending()) {
		r = client_wait(s->client, TICK);
		if (r < 0)
			break;
		if (!reply.done)
			progress_show(&progress, session_guest(s));
	}
	progress_end(&progress);
	if (reply.done)
		return report_end(s, &reply);
	if (r < 0)
		return session_lost();
	fprintf(stderr,
		"%s: no longer waiting; the daemon goes on with it, `mediakitd status %s` shows "
		"how\n",
		s->guest, s->guest);
	return term_exit();
}

static int simple(int argc, char **argv, const char *method)
{
	static const struct args_rule rule = { 0, 1, 1, "GUEST" };
	struct session s;

	int r = session_open(&s, argc, argv, &rule, CLIENT_CONTROL);
	if (r == 0)
		r = request(&s, method, NULL);
	session_close(&s);
	return r;
}

int verb_start(int argc, char **argv)
{
	return simple(argc, argv, "Start");
}

int verb_stop(int argc, char **argv)
{
	return simple(argc, argv, "Stop");
}

int verb_restart(int argc, char **argv)
{
	return simple(argc, argv, "Restart");
}

int verb_reset_failed(int argc, char **argv)
{
	return simple(argc, argv, "ResetFailed");
}

/* 0, or the exit status of who did not mean it. */
static int confirm(const struct session *s)
{
	char line[16] = "";

	if (s->args.yes)
		return 0;
	if (!isatty(STDIN_FILENO)) {
		fprintf(stderr,
			"mediakitd kill: not asked from a terminal; say --yes to mean it\n");
		return CLI_USAGE;
	}
	fprintf(stderr, "Cut the power of %s now? What it has not written is lost. [y/N] ",
		s->guest);
	if (fgets(line, sizeof(line), stdin) &&
		(strcasecmp(line, "y\n") == 0 || strcasecmp(line, "yes\n") == 0))
		return 0;
	fprintf(stderr, "%s: left alone\n", s->guest);
	return CLI_FAILED;
}

int verb_kill(int argc, char **argv)
{
	static const struct args_rule rule = { ARG_YES, 1, 1, "GUEST" };
	struct session s;

	int r = session_open(&s, argc, argv, &rule, CLIENT_CONTROL);
	if (r == 0 && (r = confirm(&s)) == 0)
		r = request(&s, "Kill", NULL);
	session_close(&s);
	return r;
}

static int balloon_show(const struct session *s)
{
	const struct view_guest *g = session_guest(s);
	char a[SIZE_TEXT_MAX], b[SIZE_TEXT_MAX];

	if (g->memory_actual == VIEW_ABSENT) {
		fprintf(stderr, "%s: nothing is known of its memory; it is %s\n", g->name,
			g->state);
		return view_runs(g) ? CLI_FAILED : CLI_NOT_RUNNING;
	}
	printf("%s: %s of %s, %s\n", g->name, format_size_kib(a, sizeof(a), g->memory_actual),
		format_size_kib(b, sizeof(b), g->memory_configured),
		g->memory_target ? "set by hand" : "automatic");
	return CLI_OK;
}

static bool has_option(int argc, char **argv, const char *option)
{
	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], option, strlen(option)) == 0)
			return true;
	return false;
}

int verb_balloon(int argc, char **argv)
{
	static const struct args_rule rule = { 0, 1, 2, "GUEST [SIZE|auto]" };
	struct session s;
	uint64_t kib = 0;

	/* A replay is the offline program's, and so is its help. */
	if (has_option(argc, argv, "--replay"))
		return verb_exec_offline(argc, argv);
	if (has_option(argc, argv, "--help") || has_option(argc, argv, "-h")) {
		printf("mediakitd %s", usage_balloon);
		return CLI_OK;
	}
	/* The size is looked at before the daemon is asked: a typing error needs no daemon. Which
	 * operand it is, only the parser knows. */
	struct args args;
	int r = args_parse(argc, argv, &rule, &args);
	if (r != 0)
		return r;
	const char *size = args.n_operands > 1 ? args.operands[1] : NULL;
	if (size && strcmp(size, "auto") != 0 && (parse_size_kib(size, &kib) < 0 || kib == 0)) {
		fprintf(stderr, "mediakitd balloon: '%s' is no size; write 3G, 512M or auto\n",
			size);
		return CLI_USAGE;
	}
	r = session_open(&s, argc, argv, &rule, size ? CLIENT_CONTROL : CLIENT_STATUS);
	if (r == 0)
		r = size ? request(&s, "SetBalloon", &kib) : balloon_show(&s);
	session_close(&s);
	return r;
}
