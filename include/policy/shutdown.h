/* SPDX-License-Identifier: Apache-2.0 */
/* The ladder of a shutdown: a table of rungs, climbed by time and by what can be seen.
 *
 * Theory of operation: three spans follow one another. In the first the guest is asked: one that is
 * paused is resumed, because it can hear nothing; an agent that is connected is asked once and gets
 * a time of its own; then the power button is pressed every few seconds, because a press before
 * logind runs is lost. In the second span QEMU is asked to quit: the guest loses what it had not
 * written, but QEMU's block layer is flushed. In the third it is killed, again and again until its
 * end is seen. The spans are known when the ladder begins, so its end is: who waits can be told
 * when (shutdown_end). Time in which nobody could be asked, because the host slept or libvirt is
 * away, is no time that the guest had, and puts the end off: else a guest would lose its power
 * without ever having been asked. Rejected: one destroy that does both ends, as libvirt offers it,
 * since nobody would know which of the two it was. */
#ifndef MEDIAKIT_POLICY_SHUTDOWN_H
#define MEDIAKIT_POLICY_SHUTDOWN_H

#include "base/nametable.h"
#include "base/time.h"

#include <stdbool.h>

/* KubeVirt re-sends ACPI every 5 s, too. */
#define SHUTDOWN_PRESS_EVERY (5 * USEC_PER_SEC)
/* A resume is a moment's work: then it is seen whether the guest runs. */
#define SHUTDOWN_RESUME_EVERY USEC_PER_SEC
/* While libvirt is away it is looked whether it is back this often. */
#define SHUTDOWN_AWAY_EVERY USEC_PER_SEC
/* A destroy that did not end QEMU is repeated after this long. */
#define SHUTDOWN_DESTROY_EVERY (30 * USEC_PER_SEC)
/* What the last rung takes as a rule: libvirt sends SIGTERM, waits 10 s, sends SIGKILL
 * (virprocess.c); measured 11.7 s with a QEMU that was stopped. */
#define SHUTDOWN_DESTROY_TAKES (15 * USEC_PER_SEC)

enum shutdown_rung {
	RUNG_NONE,
	RUNG_RESUME,  /* let the vCPUs of a paused guest run */
	RUNG_AGENT,   /* ask the guest agent */
	RUNG_ACPI,    /* press the power button */
	RUNG_QUIT,    /* SIGTERM: QEMU flushes its block layer and ends */
	RUNG_DESTROY, /* SIGKILL, if need be */
	RUNG_NUM,
};
NAME_TABLE_DECLARE(rung, enum shutdown_rung); /* none resume agent ACPI quit forced */

/* [Shutdown] */
struct shutdown_budget {
	usec_t agent; /* AgentTimeout=: inside `guest`, before the button is pressed as well */
	usec_t guest; /* Timeout=: for the guest to go down, however it is asked */
	usec_t quit;  /* QuitTimeout=: for QEMU to end after SIGTERM; 0: no such rung */
};

/* What can be seen of the guest at a step. */
struct shutdown_sight {
	bool paused; /* by somebody, so that a resume helps */
	bool agent_connected;
	/* A call to QEMU's monitor did not come back: what hangs hears no SIGTERM, and while
	 * libvirt waits for that it has the domain locked. */
	bool qemu_hangs;
	bool away; /* there is nobody to ask: libvirt is */
};

struct shutdown {
	usec_t began; /* 0: no ladder runs */
	struct shutdown_budget budget;
	usec_t next;             /* when to look again */
	enum shutdown_rung rung; /* the last one used */
	usec_t forced_at;        /* 0: the spans decide */
	bool agent_asked;
	unsigned presses;
};

void shutdown_begin(struct shutdown *s, const struct shutdown_budget *budget, usec_t now);
/* The next rung to climb at `now`, or RUNG_NONE; s->next is when to ask again. */
enum shutdown_rung shutdown_step(struct shutdown *s, const struct shutdown_sight *see, usec_t now);
/* The agent said no, or did not answer: it is not waited for. */
void shutdown_refused(struct shutdown *s, usec_t now);
/* Straight to the last rung. */
void shutdown_force(struct shutdown *s, usec_t now);
/* How long a whole ladder may take. */
usec_t shutdown_total(const struct shutdown_budget *budget);
/* When this one should have ended, the last rung's own time included; 0 when none runs. */
usec_t shutdown_end(const struct shutdown *s);
/* Did the guest lose its power on this rung? */
bool shutdown_is_forced(enum shutdown_rung rung);

#endif
