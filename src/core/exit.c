/* SPDX-License-Identifier: Apache-2.0 */
/* Causes and records of ends. */
#include "core/exit.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "core/words.h"

static enum exit_cause cause_by_reason(enum hv_reason reason)
{
	switch (reason) {
	case HV_REASON_SHUTDOWN:
		return CAUSE_GUEST_POWEROFF;
	case HV_REASON_DESTROYED:
		return CAUSE_DESTROYED;
	case HV_REASON_CRASHED:
	case HV_REASON_FAILED:
		return CAUSE_QEMU_CRASHED;
	case HV_REASON_PANICKED:
		return CAUSE_GUEST_PANIC;
	case HV_REASON_SAVED:
		return CAUSE_SAVED;
	default:
		return CAUSE_UNKNOWN;
	}
}

enum exit_cause exit_cause_of(const struct guest *g)
{
	if (g->state == GUEST_STOPPING)
		return CAUSE_OPERATOR;
	/* We ended it ourselves for what was recorded then. */
	if (g->state == GUEST_CRASHED)
		return g->last_exit.cause;
	enum exit_cause cause = cause_by_reason(g->facts.reason);
	/* The first look after our own restart: libvirt may have forgotten why. */
	if (cause == CAUSE_UNKNOWN && !g->seen)
		return CAUSE_ADOPTED_DEAD;
	return cause;
}

static void words_of_stop(const struct guest *g, char *buf, size_t size)
{
	char span[TIMESPAN_TEXT_MAX];
	const struct exit_record *e = &g->last_exit;

	(void)format_timespan(span, sizeof(span), e->took);
	if (e->rung != RUNG_DESTROY)
		(void)snprintf(buf, size, "clean, %s, %s", rung_to_string(e->rung), span);
	else if (g->ladder.budget == 0 && !g->kill_asked)
		(void)snprintf(buf, size, "it was ending already when the stop came");
	else if (g->kill_asked)
		(void)snprintf(buf, size, "killed by request after %s", span);
	else
		(void)snprintf(buf, size, "forced after %s: the guest did not power off%s%s", span,
			g->boot.stage < BOOT_SERVICES ? ", its boot was at stage " : "",
			g->boot.stage < BOOT_SERVICES ? boot_stage_to_string(g->boot.stage) : "");
}

void exit_record(struct guest *g, enum exit_cause cause, const char *why, usec_t now)
{
	static const char *const words[CAUSE_NUM] = {
		[CAUSE_NONE] = "",
		[CAUSE_GUEST_POWEROFF] = "the guest powered itself off",
		[CAUSE_GUEST_PANIC] = "the guest's kernel panicked",
		[CAUSE_BOOT_DEAD] = "the boot was ended",
		[CAUSE_QEMU_CRASHED] = "QEMU crashed",
		[CAUSE_DESTROYED] = "QEMU was ended from outside mediakitd",
		[CAUSE_START_FAILED] = "the start failed",
		[CAUSE_ADOPTED_DEAD] =
			"it ran when the daemon last looked, and was gone when it looked again",
		[CAUSE_SAVED] = "its memory was saved to disk from outside mediakitd",
		[CAUSE_UNKNOWN] = "it ended, and libvirt does not say why",
	};
	usec_t now_rt = now_realtime();

	g->last_exit = (struct exit_record){
		.cause = cause,
		.at_realtime = now_rt,
		.uptime = g->started_at_realtime ? usec_sub(now_rt, g->started_at_realtime) : 0,
		.rung = g->ladder.rung,
		.took = g->ladder.began ? usec_sub(now, g->ladder.began) : 0,
	};
	if (cause == CAUSE_OPERATOR)
		words_of_stop(g, g->last_exit.words, sizeof(g->last_exit.words));
	else
		(void)snprintf(g->last_exit.words, sizeof(g->last_exit.words), "%s%s%s",
			words[cause], why && why[0] ? ": " : "", why ? why : "");
	(void)words_mend(g->last_exit.words);
	log_full(cause_is_fault(cause) ? LOG_ERR : LOG_NOTICE, g->spec->name, NULL,
		"ended (%s): %s", cause_to_string(cause), g->last_exit.words);
	FAILPOINT(EXIT_RECORDED);
}
