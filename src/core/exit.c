/* SPDX-License-Identifier: Apache-2.0 */
/* Causes and records of ends. */
#include "core/exit.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "core/event.h"
#include "core/stopping.h"
#include "core/words.h"

#include <string.h>

#define EXIT_CONSOLE_LINES 10u
#define EXIT_CONSOLE_MAX   4096u
#define EXIT_VERDICTS_MAX  4096u
#define EXIT_PLAIN_LINES   3u

/* QEMU ended and nobody asked libvirt for it. That the kernel killed it is believed of its counter
 * alone. */
static enum exit_cause cause_of_loss(const struct guest *g, enum exit_cause otherwise)
{
	return evidence_memory_kill(g) == MEMORY_KILL_YES ? CAUSE_MEMORY_KILL : otherwise;
}

static enum exit_cause cause_by_reason(const struct guest *g)
{
	switch (g->facts.reason) {
	case HV_REASON_SHUTDOWN:
		return g->evidence.word == WORD_HOST ? CAUSE_TERMINATED : CAUSE_GUEST_POWEROFF;
	case HV_REASON_DESTROYED:
		return CAUSE_DESTROYED;
	case HV_REASON_CRASHED:
	case HV_REASON_FAILED:
		return cause_of_loss(g, CAUSE_QEMU_CRASHED);
	case HV_REASON_PANICKED:
		return CAUSE_GUEST_PANIC;
	case HV_REASON_SAVED:
		return CAUSE_SAVED;
	default:
		/* The first look after our own restart: libvirt may have forgotten why. */
		return g->seen ? cause_of_loss(g, CAUSE_UNKNOWN) : CAUSE_ADOPTED_DEAD;
	}
}

enum exit_cause exit_cause_of(const struct guest *g)
{
	if (g->state == GUEST_STOPPING)
		return g->remedy.ending != CAUSE_NONE ? g->remedy.ending : CAUSE_OPERATOR;
	/* We ended it ourselves for what was recorded then. */
	if (g->state == GUEST_CRASHED)
		return g->last_exit.cause;
	enum exit_cause cause = cause_by_reason(g);
	/* We asked for it: a boot that stood still, and OnStuck=restart. */
	return cause == CAUSE_GUEST_POWEROFF && bootwatch_asked_down(g) ? CAUSE_BOOT_STUCK : cause;
}

/* What the cause leaves open. */
static const char *doubt(const struct guest *g, enum exit_cause cause)
{
	bool lost = cause == CAUSE_QEMU_CRASHED || cause == CAUSE_UNKNOWN;

	if (cause == CAUSE_GUEST_POWEROFF && g->evidence.word == WORD_NONE)
		return " (or QEMU got SIGTERM: nobody heard which)";
	if (lost && evidence_memory_kill(g) == MEMORY_KILL_UNKNOWN)
		return " (memory kill: unknown)";
	return "";
}

static void words_of_remedy(const struct guest *g, char *buf, size_t size)
{
	char how[128];

	stopping_words(g, how, sizeof(how));
	/* A daemon that died meanwhile kept the cause alone. */
	if (g->remedy.words[0])
		(void)snprintf(
			buf, size, "stopped to be started again: %s; %s", g->remedy.words, how);
	else
		(void)snprintf(buf, size, "%s; %s", cause_words(g->remedy.ending), how);
}

/* What the services said last: "NAME STATE (VERDICT: REASON)" a line; `all`, or only of those that
 * are not well. */
static void verdicts(const struct guest *g, bool all, const char *between, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < g->n_services && len < size; i++) {
		const struct service *s = &g->services[i];
		bool well = s->probe.state == SERVICE_UP || s->spec->expect == EXPECT_PENDING;
		int n;

		if (well && !all)
			continue;
		n = snprintf(buf + len, size - len, "%s%s %s (%s%s%.80s)", len ? between : "",
			s->spec->name, service_state_to_string(s->probe.state),
			verdict_to_string(s->probe.last.verdict),
			s->probe.last.reason[0] ? ": " : "", s->probe.last.reason);
		len += n > 0 ? (size_t)n : 0;
	}
	(void)words_mend(buf);
}

/* Without a journal: the same, as far as it explains a fault. */
static void tell_plainly(const struct guest *g)
{
	char text[LOG_LINE_MAX / 2];

	(void)console_last_lines(&g->console, EXIT_PLAIN_LINES, text, sizeof(text));
	for (char *line = text, *next; *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		log_full(LOG_NOTICE, g->spec->name, NULL, "it said last: %s", line);
	}
	verdicts(g, false, ", ", text, sizeof(text));
	if (text[0])
		log_full(LOG_NOTICE, g->spec->name, NULL, "not well then: %s", text);
}

/* `ran`: there was a QEMU, of which something was heard. */
static void tell(struct guest *g, bool ran)
{
	static const char console_is[] = "MEDIAKIT_CONSOLE=", verdicts_are[] = "MEDIAKIT_VERDICTS=";
	const struct exit_record *e = &g->last_exit;
	const char *cause = cause_to_string(e->cause);
	char uptime[64], span[TIMESPAN_TEXT_MAX];
	char console[EXIT_CONSOLE_MAX], services[EXIT_VERDICTS_MAX];
	const char *const fields[] = { uptime, ran ? console : NULL, services, NULL };
	const struct event_extra extra = { .cause = cause, .fields = fields };
	bool fault = cause_is_fault(e->cause);

	(void)snprintf(
		uptime, sizeof(uptime), "MEDIAKIT_UPTIME_USEC=%llu", (unsigned long long)e->uptime);
	memcpy(console, console_is, sizeof(console_is));
	memcpy(services, verdicts_are, sizeof(verdicts_are));
	if (ran) {
		(void)console_last_lines(&g->console, EXIT_CONSOLE_LINES,
			console + sizeof(console_is) - 1, sizeof(console) - sizeof(console_is) + 1);
		verdicts(g, true, "\n", services + sizeof(verdicts_are) - 1,
			sizeof(services) - sizeof(verdicts_are) + 1);
	}
	event_note_full(g, EVENT_EXIT, NULL, fault ? LOG_ERR : LOG_NOTICE, &extra,
		"ended (%s)%s%s: %s", cause, e->uptime ? " after " : "",
		e->uptime ? format_timespan(span, sizeof(span), e->uptime) : "", e->words);
	if (fault && ran && !log_takes_fields())
		tell_plainly(g);
}

void exit_record(struct guest *g, enum exit_cause cause, const char *why, usec_t now)
{
	usec_t now_rt = now_realtime();

	g->last_exit = (struct exit_record){
		.cause = cause,
		.at_realtime = now_rt,
		.uptime = g->started_at_realtime ? usec_sub(now_rt, g->started_at_realtime) : 0,
		.rung = g->ladder.rung,
		.took = g->ladder.began ? usec_sub(now, g->ladder.began) : 0,
	};
	if (cause == CAUSE_OPERATOR)
		stopping_words(g, g->last_exit.words, sizeof(g->last_exit.words));
	else if (cause == CAUSE_SAVED && (g->saving.began || g->saving.asked))
		(void)snprintf(g->last_exit.words, sizeof(g->last_exit.words), "saved by request");
	else if (cause == g->remedy.ending)
		words_of_remedy(g, g->last_exit.words, sizeof(g->last_exit.words));
	else
		(void)snprintf(g->last_exit.words, sizeof(g->last_exit.words), "%s%s%s%s",
			cause_words(cause), doubt(g, cause), why && why[0] ? ": " : "",
			why ? why : "");
	(void)words_mend(g->last_exit.words);
	g->tally.exits[cause]++;
	tell(g, cause != CAUSE_START_FAILED);
	FAILPOINT(EXIT_RECORDED);
}
