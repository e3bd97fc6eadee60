/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs that ask the daemon to do something to a guest, and wait until it is done. */
#include "base/macro.h"
#include "base/parse.h"
#include "bus/names.h"
#include "cli/asking.h"
#include "cli/memory.h"
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
	"stderr. A guest that was saved goes on where it was, \"running (warm, …)\", if its disk,\n"
	"its configuration and QEMU are still those of the save; otherwise it boots, and why is\n"
	"said. Use `wait` for a guest that is healthy. Ctrl-C stops the waiting; the daemon goes\n"
	"on.\n" EXIT_NOTE;
const char usage_stop[] =
	"stop GUEST [--save | --host-shutdown]\n"
	"\n"
	"Shuts the guest down. A paused one is resumed; the guest agent is asked, where one\n"
	"answers; then the power button is pressed every few seconds. After [Shutdown] Timeout=\n"
	"the power is cut: QEMU writes out its caches and ends, and is killed after QuitTimeout=.\n"
	"Prints how it ended. Ctrl-C stops the waiting, not the shutdown.\n"
	"\n"
	"  --save            keeps its memory on disk, and the next start goes on from there. One\n"
	"                    that cannot be saved, or not within SaveTimeout=, is shut down as\n"
	"                    above, and that is said\n"
	"  --host-shutdown   one of the two, as OnHostShutdown= says: what its unit's stop "
	"does\n" EXIT_NOTE;
const char usage_restart[] = "restart GUEST\n"
			     "\n"
			     "Stops the guest as `stop` does and starts it again.\n" EXIT_NOTE;
const char usage_kill[] =
	"kill GUEST [--yes]\n"
	"\n"
	"Cuts the guest's power at once. What it had not written is lost; `stop` is kinder. On a\n"
	"terminal it asks first, elsewhere it wants --yes.\n" EXIT_NOTE;
const char usage_balloon[] =
	"balloon GUEST [SIZE|auto] [--for=SPAN]\n"
	"       mediakitd balloon GUEST --dry-run\n"
	"       mediakitd balloon [GUEST] --record=FILE [--interval=2s] [--timeout=SPAN]\n"
	"       mediakitd balloon --replay=TRACE [--config=DIR] [--json]\n"
	"\n"
	"Shows the guest's memory and what was decided about it last, or sets how much it may\n"
	"use: 3G, 512M; with --for=2h for so long only. auto takes that back: memory then moves\n"
	"with need, and what the host can spare returns at once. Waits until the guest has given\n"
	"the memory back, or taken it; a size the guest cannot spare now stands, and is followed\n"
	"as soon as may be.\n"
	"\n"
	"  --dry-run   what would be decided now by itself; nothing is done\n"
	"  --record    writes what is decided on, as a trace for --replay, to FILE or - until\n"
	"              Ctrl-C, or for --timeout=\n"
	"\n"
	"With --replay the memory policy is run over a trace instead, without a daemon; see\n"
	"`mediakitd balloon --replay --help` for what a trace is.\n" EXIT_NOTE;
const char usage_reset_failed[] = "reset-failed GUEST\n"
				  "\n"
				  "Forgets the guest's faults, so that one that was given up can "
				  "be started again.\n" EXIT_NOTE;

/* As often as the pool decides for guests under TCG. */
#define RECORD_INTERVAL (2 * USEC_PER_SEC)

/* So many daemons in turn are asked by who waits for the next. */
#define TRIES 10u

static int report_end(const struct session *s, const struct client_reply *reply)
{
	FILE *f = reply->status == CLI_OK ? stdout : stderr;

	if (reply->message[0])
		fprintf(f, "%s: %s\n", s->guest, reply->message);
	return reply->status;
}

/* Asks, and shows how it goes until the answer is there. False: the daemon went away before. */
static bool ask(struct session *s, const char *method, const uint64_t *numbers, unsigned n_numbers,
	struct client_reply *reply, struct progress *progress)
{
	int r = client_begin(s->client, s->guest, method, numbers, n_numbers, reply);

	while (r >= 0 && !reply->done && !term_ending())
		if ((r = client_wait(s->client, PROGRESS_TICK)) >= 0 && !reply->done)
			progress_show(progress, session_guest(s));
	progress_end(progress);
	return r >= 0 && !(reply->done && reply->status == CLI_NO_DAEMON);
}

int session_request(
	struct session *s, const char *method, const uint64_t *numbers, unsigned n_numbers)
{
	unsigned tries = s->patient ? TRIES : 1;
	struct client_reply reply = { 0 };
	struct progress progress;

	term_watch_signals();
	progress_begin(&progress);
	while (!ask(s, method, numbers, n_numbers, &reply, &progress)) {
		if (--tries == 0)
			return reply.done ? report_end(s, &reply) : session_lost();
		int r = session_regain(s);
		if (r != 0)
			return r;
		reply = (struct client_reply){ 0 };
	}
	if (reply.done)
		return report_end(s, &reply);
	fprintf(stderr,
		"%s: no longer waiting; the daemon goes on with it, `mediakitd status %s` shows "
		"how\n",
		s->guest, s->guest);
	return term_exit();
}

/* `options`: that the verb takes. */
static int simple(int argc, char **argv, const char *method, unsigned options)
{
	const struct args_rule rule = { options, 1, 1, "GUEST" };
	struct session s;

	/* Asked twice it comes to the same as asked once, unlike a restart. */
	bool patient = strcmp(method, "Start") == 0;
	int r = (patient ? session_open_patiently : session_open)(
		&s, argc, argv, &rule, CLIENT_CONTROL);
	if (r == 0 && s.args.save && s.args.host_shutdown) {
		fprintf(stderr, "mediakitd %s: --save and --host-shutdown exclude one another\n",
			argv[0]);
		r = CLI_USAGE;
	}
	if (r == 0 && s.args.save)
		method = "Save";
	else if (r == 0 && s.args.host_shutdown)
		method = "HostShutdown";
	if (r == 0)
		r = session_request(&s, method, NULL, 0);
	session_close(&s);
	return r;
}

int verb_start(int argc, char **argv)
{
	return simple(argc, argv, "Start", 0);
}

int verb_stop(int argc, char **argv)
{
	return simple(argc, argv, "Stop", ARG_SAVE);
}

int verb_restart(int argc, char **argv)
{
	return simple(argc, argv, "Restart", 0);
}

int verb_reset_failed(int argc, char **argv)
{
	return simple(argc, argv, "ResetFailed", 0);
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
		r = session_request(&s, "Kill", NULL, 0);
	session_close(&s);
	return r;
}

static bool has_option(int argc, char **argv, const char *option)
{
	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], option, strlen(option)) == 0)
			return true;
	return false;
}

static int wrong(const char *format, const char *word)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	fprintf(stderr, format, word);
#pragma GCC diagnostic pop
	return CLI_USAGE;
}

/* Typing errors need no daemon. numbers: KiB (0 automatic) and for how long (0: for ever). */
static int balloon_numbers(const struct args *a, uint64_t numbers[static 2])
{
	const char *size = a->n_operands > 1 ? a->operands[1] : NULL;
	bool is_auto = size && strcmp(size, "auto") == 0;

	numbers[0] = numbers[1] = 0;
	if (size && !is_auto && (parse_size_kib(size, &numbers[0]) < 0 || numbers[0] == 0))
		return wrong("mediakitd balloon: '%s' is no size; write 3G, 512M or auto\n", size);
	if (a->for_what && (!size || is_auto))
		return wrong("mediakitd balloon: --for=%s wants a size that holds so long\n",
			a->for_what);
	if (a->for_what && (parse_timespan(a->for_what, &numbers[1]) < 0 || numbers[1] == 0))
		return wrong("mediakitd balloon: --for=%s is no time span; write 2h or 30min\n",
			a->for_what);
	if (numbers[1] == USEC_INFINITY)
		numbers[1] = 0;
	if (a->dry_run && (size || a->record))
		return wrong("mediakitd balloon: --dry-run stands alone with GUEST%s\n", "");
	if (!a->record && a->interval != USEC_INFINITY)
		return wrong("mediakitd balloon: --interval goes with --record%s\n", "");
	if (a->interval < USEC_PER_SEC / 10)
		return wrong("mediakitd balloon: --interval is at least 100ms%s\n", "");
	return 0;
}

static int balloon_record(int argc, char **argv)
{
	static const struct args_rule rule = { ARG_RECORD | ARG_INTERVAL | ARG_TIMEOUT, 0, 1,
		"[GUEST] --record=FILE" };
	uint64_t numbers[2];
	struct session s;

	int r = session_open(&s, argc, argv, &rule, CLIENT_STATUS);
	if (r == 0)
		r = balloon_numbers(&s.args, numbers);
	if (r == 0)
		r = memory_record(&s, s.args.record,
			s.args.interval == USEC_INFINITY ? RECORD_INTERVAL : s.args.interval,
			s.args.timeout);
	session_close(&s);
	return r;
}

int verb_balloon(int argc, char **argv)
{
	static const struct args_rule rule = { ARG_FOR | ARG_DRY_RUN, 1, 2, "GUEST [SIZE|auto]" };
	uint64_t numbers[2];
	struct session s;
	struct args args;

	/* A replay is the offline program's, and so is its help. */
	if (has_option(argc, argv, "--replay"))
		return verb_exec_offline(argc, argv);
	if (has_option(argc, argv, "--help") || has_option(argc, argv, "-h")) {
		printf("mediakitd %s", usage_balloon);
		return CLI_OK;
	}
	if (has_option(argc, argv, "--record"))
		return balloon_record(argc, argv);
	int r = args_parse(argc, argv, &rule, &args);
	if (r != 0 || (r = balloon_numbers(&args, numbers)) != 0)
		return r;
	bool sets = args.n_operands > 1;
	r = session_open(&s, argc, argv, &rule, sets ? CLIENT_CONTROL : CLIENT_STATUS);
	const char *method = numbers[1] ? "SetBalloonFor" : "SetBalloon";
	if (r == 0 && sets)
		r = session_request(&s, method, numbers, numbers[1] ? 2 : 1);
	else if (r == 0)
		r = args.dry_run ? memory_dry_run(&s) : memory_show(&s);
	session_close(&s);
	return r;
}
