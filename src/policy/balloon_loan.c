/* SPDX-License-Identifier: Apache-2.0 */
/* Loans on trial, what they taught, and the orders they are made of. */
#include "base/macro.h"
#include "policy/balloon_parts.h"

uint64_t balloon_halve(uint64_t v, usec_t elapsed, usec_t half)
{
	if (half == 0)
		return 0;
	/* Between two halvings the curve is taken for a line, which is at most 6 % off. */
	uint64_t whole = elapsed / half;
	if (whole >= 63)
		return 0;
	v >>= whole;
	/* Both below 2^40, so in seconds the product stays inside 64 bits. */
	uint64_t rest = (elapsed % half) / USEC_PER_SEC, half_sec = half / USEC_PER_SEC;
	return half_sec ? v - v / 2 * MIN(rest, half_sec) / half_sec : v;
}

/* A lesson stands firm and then halves, slowly; at once and faster while the host is about to fail,
 * which would take guests whole; but slower each time the same guest was hurt in the same state,
 * and never fast where the guest's own counters do not show when it hurts: there every try hurts.
 */
void balloon_decay(const struct balloon_policy *p, struct balloon_seat *s, usec_t now)
{
	struct balloon_memory *m = s->memory;
	unsigned again = MIN(m->again, 6u);
	bool fast = s->work.tight && !m->lesson_unseen;
	usec_t half = fast ? p->recover_ample << again : p->learned_half;
	usec_t from = m->learned_decayed;

	m->learned_kib = MIN(m->learned_kib, BALLOON_KIB_MAX);
	if (!s->work.tight)
		from = MAX(from, m->learned_until);
	else if (!fast)
		from = MAX(from, usec_add(m->lesson_at, p->recover_lesson));
	/* In steps, lest rounding eat the decay. */
	if (now > from && now - from >= 10 * USEC_PER_SEC) {
		m->learned_kib = balloon_halve(m->learned_kib, now - from, half);
		m->learned_decayed = now;
	}
}

uint64_t balloon_loan_level(const struct balloon_policy *p, struct balloon_memory *m, usec_t now)
{
	unsigned old = 0;

	m->n_loans = MIN(m->n_loans, BALLOON_LOANS_MAX);
	while (old < m->n_loans && usec_add(m->loans[old].at, p->watch) <= now)
		old++;
	for (unsigned i = old; i < m->n_loans; i++)
		m->loans[i - old] = m->loans[i];
	m->n_loans -= old;
	return m->n_loans ? m->loans[0].from_kib : 0;
}

/* Pain comes some steps after its cause: half of what was lent is added to what was usable when it
 * hurt, and that much is left usable for a while. In usable memory, not in size: when the guest's
 * needs have changed, the size that hurt says nothing. */
void balloon_learn(
	const struct balloon_policy *p, struct balloon_seat *s, uint64_t loan_level, usec_t now)
{
	struct balloon_memory *m = s->memory;
	uint64_t lent = balloon_less(MIN(loan_level, s->work.max), s->work.actual);
	uint64_t half = MAX(lent / 2, p->step_first_kib);
	uint64_t more = MIN(lent, half);
	bool episode = m->hurt_at && usec_sub(now, m->hurt_at) < p->recover;

	if (!episode) {
		/* The same guest in the same state hurt again, or another lesson? */
		bool same = s->work.usable <= m->lesson_usable_kib + s->work.max / 16 &&
			    m->lesson_usable_kib <= s->work.usable + s->work.max / 16;

		m->again = same ? MIN(m->again + 1, 16u) : 0;
		m->lesson_usable_kib = s->work.usable;
		m->lesson_used_kib = s->work.actual - s->work.usable;
		m->lessons = MIN(m->lessons + 1, 16u);
		m->step_kib = 0;
	}
	if (m->lesson_unseen)
		more = MAX(more, balloon_part(s->work.max, p->unseen_permille, 1000));
	m->learned_kib = MAX(m->learned_kib, s->work.usable + more);
	usec_t firm = p->learned_firm;
	for (unsigned i = 1; i < m->lessons && firm < p->learned_firm_max; i++)
		firm *= 2;
	m->learned_until = usec_add(now, MIN(firm, p->learned_firm_max));
	m->learned_decayed = now;
	m->lesson_at = MAX(now, 1u);
}

/* Steps close together are one loan. A full table forgets its oldest, which has been watched the
 * longest. */
static void lend(
	const struct balloon_policy *p, struct balloon_memory *m, uint64_t from, usec_t now)
{
	usec_t together = p->watch / BALLOON_LOANS_MAX;

	(void)balloon_loan_level(p, m, now);
	if (m->n_loans > 0 && usec_sub(now, m->loans[m->n_loans - 1].at) < together)
		return;
	if (m->n_loans == BALLOON_LOANS_MAX) {
		for (unsigned i = 1; i < BALLOON_LOANS_MAX; i++)
			m->loans[i - 1] = m->loans[i];
		m->n_loans--;
	}
	m->loans[m->n_loans++] = (struct balloon_loan){ .at = now, .from_kib = from };
}

void balloon_ordered(const struct balloon_policy *policy, struct balloon_memory *memory,
	const struct balloon_decision *decision, usec_t now)
{
	uint64_t from = decision->from_kib, to = decision->target_kib;

	if (decision->action == BALLOON_HOLD || decision->reason == BALLOON_STUCK)
		return;
	/* Growth by nothing takes an order back; by then some more of it may have been followed. */
	memory->order_from_kib = to == from ? MIN(memory->ordered_kib, to) : from;
	memory->ordered_kib = to;
	memory->progress_kib = MAX(to, memory->order_from_kib) - MIN(to, memory->order_from_kib);
	memory->progress_at = now;
	memory->anew = false;
	if (decision->action == BALLOON_GROW) {
		memory->grown_at = MAX(now, 1u);
		memory->n_loans = to == from ? memory->n_loans : 0;
		memory->step_kib = 0;
		return;
	}
	memory->shrunk_at = MAX(now, 1u);
	if (decision->reason == BALLOON_OVERRIDE)
		return;
	uint64_t step = MAX(memory->step_kib, policy->step_first_kib);
	memory->step_kib = 2 * MIN(step, BALLOON_KIB_MAX);
	lend(policy, memory, from, now);
}

void balloon_rebooted(struct balloon_memory *memory, bool same_qemu)
{
	struct balloon_memory kept = {
		.fall_kib_s = memory->fall_kib_s,
		.fall_at = memory->fall_at,
		.learned_kib = memory->learned_kib,
		.learned_until = memory->learned_until,
		.learned_decayed = memory->learned_decayed,
		.lessons = memory->lessons,
		.lesson_unseen = memory->lesson_unseen,
		.anew = same_qemu,
	};

	*memory = kept;
}
