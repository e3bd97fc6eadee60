/* SPDX-License-Identifier: Apache-2.0 */
/* The restart policy's inputs, and what is done with its answers. */
#include "core/restarting.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "core/event.h"
#include "core/supervisor.h"
#include "core/words.h"
#include "policy/remedy.h"

#include <errno.h>
#include <string.h>

struct restart_policy restarting_policy(const struct guest *g)
{
	struct restart_policy policy = {
		.limit = g->spec->restart_limit,
		.window = g->spec->restart_window,
		.stable_after = g->spec->restart_stable_after,
	};

	memcpy(policy.on, g->spec->restart_on, sizeof(policy.on));
	return policy;
}

usec_t restarting_remedy_window(const struct guest *g)
{
	return MAX(g->spec->restart_window, REMEDY_WINDOW_LEAST);
}

void restarting_stays(struct guest *g)
{
	const char *cause = cause_to_string(g->last_exit.cause), *key;
	char text[96];

	(void)cause_restarts(g->last_exit.cause, g->spec->restart_on, &key);
	if (!key)
		return;
	(void)snprintf(text, sizeof(text), "stays down by %s=stay (%s)", key, cause);
	guest_set_reason(g, text);
	why_note(g, WHY_RESTART, "cause", "stay down", "cause=%s %s=stay", cause, key);
}

static void again(struct guest *g, const struct restart_policy *policy, usec_t now)
{
	/* The longest name and the longest span leave room for the rest of the sentence. */
	char text[sizeof(g->reason)], span[TIMESPAN_TEXT_MAX], last[132];

	(void)words_cut(last, sizeof(last), g->last_exit.words);
	(void)snprintf(text, sizeof(text), "starting again in %s (attempt %u of %u): %s",
		format_timespan(span, sizeof(span), usec_sub(g->retry_due, now)),
		g->restart.n_faults, policy->limit, last);
	guest_set_reason(g, text);
	event_note(g, EVENT_RESTART, NULL, LOG_NOTICE, "%s", text);
	char action[64];
	(void)snprintf(action, sizeof(action), "start again in %s", span);
	why_note(g, WHY_RESTART, "back-off", action, "cause=%s restarts=%u/%u",
		cause_to_string(g->last_exit.cause), g->restart.n_faults, policy->limit);
	g->tally.restarts++;
	FAILPOINT(RETRY_SCHEDULED);
}

static void give_up(struct guest *g, const struct restart_policy *policy, usec_t now)
{
	char text[sizeof(g->reason)], span[TIMESPAN_TEXT_MAX], last[132];

	(void)words_cut(last, sizeof(last), g->last_exit.words);
	(void)snprintf(text, sizeof(text),
		"given up after %u faults in %s, the last: %s; then `mediakitd reset-failed %s`",
		g->restart.n_faults, format_timespan(span, sizeof(span), policy->window), last,
		g->spec->name);
	guest_set_reason(g, text);
	event_note(g, EVENT_RESTART, NULL, LOG_ERR, "%s", text);
	why_note(g, WHY_RESTART, "budget used up", "give up",
		"cause=%s restarts=%u limit=%u window=%s", cause_to_string(g->last_exit.cause),
		g->restart.n_faults, policy->limit, span);
	operations_answer(&g->operations, OPERATIONS_START, -EIO, text);
	guest_event(g, GUEST_EV_GIVE_UP, now);
}

void restarting_decide(struct guest *g, usec_t now)
{
	const struct restart_policy policy = restarting_policy(g);
	usec_t at = USEC_INFINITY;

	g->save_due = now;
	switch (restart_after_exit(&g->restart, &policy, g->last_exit.cause, now,
		g->supervisor->config.jitter(), &at)) {
	case RESTART_STEP_AGAIN:
		g->retry_due = at;
		again(g, &policy, now);
		break;
	case RESTART_STEP_GIVE_UP:
		give_up(g, &policy, now);
		break;
	case RESTART_STEP_STAY:
	case RESTART_STEP_NUM:
		guest_set_state(g, GUEST_STOPPED, now);
		if (!g->start_waits)
			operations_answer(&g->operations, OPERATIONS_START, -ECANCELED,
				g->last_exit.words);
		restarting_stays(g);
		break;
	}
}

usec_t restarting_watch(struct guest *g, usec_t now)
{
	const struct restart_policy policy = restarting_policy(g);
	bool well = g->state == GUEST_READY && g->healthy;
	unsigned n = g->restart.n_faults;
	usec_t due;

	if (restart_settle(&g->restart, &policy, well, now, &due)) {
		g->boots = 0;
		g->save_due = now;
		why_note(g, WHY_RESTART, "stable", "forget past restarts", "restarts=%u", n);
	}
	return due;
}
