/* SPDX-License-Identifier: Apache-2.0 */
/* The table of rungs, and how it is climbed. */
#include "policy/shutdown.h"

#include "base/macro.h"

static const char *const rung_names[] = {
	[RUNG_NONE] = "none",
	[RUNG_RESUME] = "resume",
	[RUNG_AGENT] = "agent",
	[RUNG_ACPI] = "ACPI",
	[RUNG_QUIT] = "quit",
	[RUNG_DESTROY] = "forced",
};
NAME_TABLE_DEFINE(rung, enum shutdown_rung, RUNG_NUM);

enum span { SPAN_GUEST, SPAN_QUIT, SPAN_DESTROY };
enum need { NEED_NOTHING, NEED_PAUSED, NEED_AGENT };

/* At each look the first rung of the span whose need is met. */
/* clang-format off */
static const struct {
	enum span span;
	enum need need;
	usec_t every; /* then look again; 0: after the budget of the rung's own */
} rungs[RUNG_NUM] = {
	[RUNG_RESUME]  = { SPAN_GUEST,   NEED_PAUSED,  SHUTDOWN_RESUME_EVERY },
	[RUNG_AGENT]   = { SPAN_GUEST,   NEED_AGENT,   0 },
	[RUNG_ACPI]    = { SPAN_GUEST,   NEED_NOTHING, SHUTDOWN_PRESS_EVERY },
	[RUNG_QUIT]    = { SPAN_QUIT,    NEED_NOTHING, 0 },
	[RUNG_DESTROY] = { SPAN_DESTROY, NEED_NOTHING, SHUTDOWN_DESTROY_EVERY },
};
/* clang-format on */

void shutdown_begin(struct shutdown *s, const struct shutdown_budget *budget, usec_t now)
{
	*s = (struct shutdown){ .began = now, .budget = *budget, .next = now };
}

void shutdown_force(struct shutdown *s, usec_t now)
{
	if (s->began == 0)
		s->began = now;
	if (s->forced_at == 0)
		s->forced_at = now;
	s->next = now;
}

void shutdown_refused(struct shutdown *s, usec_t now)
{
	if (s->began != 0 && s->rung == RUNG_AGENT)
		s->next = MIN(s->next, now);
}

usec_t shutdown_total(const struct shutdown_budget *budget)
{
	return usec_add(usec_add(budget->guest, budget->quit), SHUTDOWN_DESTROY_TAKES);
}

usec_t shutdown_end(const struct shutdown *s)
{
	if (s->began == 0)
		return 0;
	return s->forced_at ? usec_add(s->forced_at, SHUTDOWN_DESTROY_TAKES)
			    : usec_add(s->began, shutdown_total(&s->budget));
}

bool shutdown_is_forced(enum shutdown_rung rung)
{
	return rung == RUNG_QUIT || rung == RUNG_DESTROY;
}

/* *ret_end: of the span. */
static enum span span_at(const struct shutdown *s, usec_t now, usec_t *ret_end)
{
	usec_t guest_end = usec_add(s->began, s->budget.guest);
	usec_t quit_end = usec_add(guest_end, s->budget.quit);

	*ret_end = USEC_INFINITY;
	if (s->forced_at || now >= quit_end)
		return SPAN_DESTROY;
	*ret_end = now < guest_end ? guest_end : quit_end;
	return now < guest_end ? SPAN_GUEST : SPAN_QUIT;
}

static bool is_met(enum need need, const struct shutdown *s, const struct shutdown_sight *see)
{
	switch (need) {
	case NEED_PAUSED:
		return see->paused;
	/* Asked once, first: it says at once whether it heard. One that comes up later is not
	 * needed any more, the button works by then. */
	case NEED_AGENT:
		return see->agent_connected && !s->agent_asked && s->presses == 0;
	case NEED_NOTHING:
		break;
	}
	return true;
}

/* The span that ran at `from`, one that was about to end included, ends so much later. */
static void prolong(struct shutdown *s, usec_t from, usec_t by)
{
	usec_t end;

	if (span_at(s, usec_sub(from, 1), &end) == SPAN_GUEST)
		s->budget.guest = usec_add(s->budget.guest, by);
	else if (s->forced_at == 0 && end != USEC_INFINITY)
		s->budget.quit = usec_add(s->budget.quit, by);
}

enum shutdown_rung shutdown_step(struct shutdown *s, const struct shutdown_sight *see, usec_t now)
{
	usec_t end;

	if (s->began == 0 || now < s->next)
		return RUNG_NONE;
	/* Looked at so late only because the host slept, and the guest and QEMU with it: that is no
	 * time they had. */
	if (now - s->next > SHUTDOWN_PRESS_EVERY)
		prolong(s, s->next, now - s->next);
	if (see->away) {
		prolong(s, now, SHUTDOWN_AWAY_EVERY);
		s->next = usec_add(now, SHUTDOWN_AWAY_EVERY);
		return RUNG_NONE;
	}
	enum span span = span_at(s, now, &end);
	if (span == SPAN_QUIT && see->qemu_hangs) {
		span = SPAN_DESTROY;
		end = USEC_INFINITY;
	}
	unsigned i = RUNG_NONE + 1;
	while (rungs[i].span != span || !is_met(rungs[i].need, s, see))
		i++;
	usec_t every = i == RUNG_AGENT  ? s->budget.agent
		       : i == RUNG_QUIT ? s->budget.quit
					: rungs[i].every;
	s->next = MIN(usec_add(now, every), end);
	s->agent_asked |= i == RUNG_AGENT;
	s->presses += i == RUNG_ACPI;
	s->rung = (enum shutdown_rung)i;
	return s->rung;
}
