/* SPDX-License-Identifier: Apache-2.0 */
/* From verdicts to the state of one service: thresholds, start-up budget, when to ask next. No
 * clock, no I/O. */
#ifndef MEDIAKIT_POLICY_PROBE_H
#define MEDIAKIT_POLICY_PROBE_H

#include "policy/verdict.h"

/* unknown: never judged since the guest's boot, or not for too long, because the host starved the
 *           guest. Left by any verdict that counts.
 * starting: the guest boots or the service said so, and the start-up budget runs. Left to up by the
 *           first verdict that counts as up; to down when the budget is over and Fall failures
 *           stand.
 * up, degraded: the last Rise answers counted as up (one is enough out of unknown and starting);
 *           degraded where the last verdict is `degraded`. Left to down by Fall failures in a row.
 * down: left by Rise successes in a row. */
enum service_state {
	SERVICE_UNKNOWN,
	SERVICE_STARTING,
	SERVICE_UP,
	SERVICE_DEGRADED,
	SERVICE_DOWN,
	SERVICE_STATE_NUM,
};
NAME_TABLE_DECLARE(service_state, enum service_state);

/* Everything the decision rests on; plain data, kept in the state file. */
struct probe {
	enum service_state state;
	usec_t state_since;
	unsigned successes, failures; /* runs, saturating */
	bool in_flight;
	bool enabled; /* the guest is in a state in which asking makes sense */
	bool stale;   /* the question in flight is from before a BOOT or DISABLE */
	usec_t grid;  /* questions fall due at grid + k * interval */
	usec_t next;  /* when to ask; USEC_INFINITY: not at all */
	usec_t asked_at;
	usec_t budget_until; /* end of the start-up budget; 0: none runs */
	usec_t judged_at;    /* when `last` was given; 0: never */
	usec_t excused;      /* how long questions were out that were missed and excused, since the
				last verdict that counted */
	struct judgement last;
};

enum probe_event {
	PROBE_EV_BOOT,      /* the guest began to boot, or the unit to start: starting, budget
			       anew, ask soon */
	PROBE_EV_PROGRESS,  /* the boot visibly moved: the budget is extended to now + budget */
	PROBE_EV_ADOPT,     /* the daemon came back, the guest runs: keep the state, ask at once */
	PROBE_EV_DISABLE,   /* the guest is not there: no questions; state unknown */
	PROBE_EV_TICK,      /* is it time to ask? */
	PROBE_EV_ANSWER,    /* `judgement` is the answer to the question in flight */
	PROBE_EV_CANCELLED, /* the question in flight will not be answered (dropped by us) */
	PROBE_EV_NUM,
};

struct probe_input {
	enum probe_event event;
	usec_t now;
	usec_t stagger; /* this guest's offset: delays the first question after
			 * BOOT and ADOPT */
	bool tcg;
	const struct judgement *judgement; /* with PROBE_EV_ANSWER */
};

struct probe_act {
	bool ask; /* put the question now; the machine is in flight from here on */
	bool state_changed;
	bool verdict_changed;
	enum service_state old_state;
};

/* A service nobody has asked yet, disabled. */
void probe_init(struct probe *p);

/* Whether the state is in doubt, so that questions come every FastInterval: unknown and starting
 * always are; up with a failure standing, down with a success standing; and any state after an
 * inconclusive verdict. */
bool probe_in_doubt(const struct probe *p);

/* What the words above leave open, decided:
 *  - The start-up budget ends with the first verdict that counts as up: what fails after that
 *    counts at once. Failures inside it are shown but not counted, so Fall of them must follow its
 *    end.
 *  - `starting` outside a budget counts as a failure, but out of `unknown`, where it opens a budget
 *    of its own.
 *  - `not-cbor` is up, not degraded: today's services answer so. Only `degraded` makes the state
 *    degraded.
 *  - BOOT and DISABLE void a question in flight: its answer frees the slot and is not judged. ADOPT
 *    is a new process, in which nothing can be in flight. An answer nobody waits for is ignored.
 *  - An answer that took longer than FastInterval while in doubt is followed by the next question
 *    at once, so a dead service is down within Interval + (Fall - 1) * max(FastInterval, time-out)
 *    + time-out after it died.
 *  - Questions missed and excused (the host starved the guest) change nothing until they were out
 *    for the service's start-up budget together, without any verdict that counts in between. Then
 *    up, degraded, and starting past its budget become unknown: nobody knows any more, and it is
 *    shown. down stays down. The daemon's restart and a boot begin that count anew.
 *  - Probe=none is never enabled. */
/* Never two questions in flight: TICK while in flight asks nothing. A verdict of `inconclusive`
 * changes neither state nor runs (but for the cap above), and is asked again after FastInterval.
 * While the run of verdicts contradicts the state the interval is FastInterval; questions keep the
 * grid of Interval otherwise (no drift: next = previous next + interval, never in the past, never a
 * burst after a suspend). */
void probe_step(struct probe *p, const struct service_spec *service, const struct probe_input *in,
	struct probe_act *ret);

#endif
