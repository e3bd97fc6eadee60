/* SPDX-License-Identifier: Apache-2.0 */
/* Did the host give the guest its CPU? Only then does a question that was not answered say anything
 * about the service.
 *
 * Theory of operation: four witnesses are heard, each for a window of time that ended when it
 * spoke.
 *  - delay: how long the vCPU threads were runnable and not run (vcpu.N.delay of the domain
 *    statistics, the kernel's run_delay). The one witness that is both about this guest and not the
 *    guest's word, so it alone starts and ends starvation by itself.
 *  - pressure: `some` of /proc/pressure/cpu, the share of the time in which somebody on the host
 *    waited for a CPU. It does not say who, so it is believed only where delay is silent, only
 *    about a question that was missed, and not of vCPUs that ran nearly all the time.
 *  - clock: the uptime, as the reports of one service tell it, went much slower than ours. The
 *    guest's word; a lie in it wins no more than the cap below allows.
 *  - late: this daemon itself came to look long after the question's time-out.
 *
 * And one speaks against: where every other service of the guest, and two at least, answered
 * promptly while the question was out, the one that did not lacks something else than a CPU.
 * Without it a host that is always a little short, as one that runs TCG often is, would hide a
 * service that hangs.
 *
 * A guest that is starved for ever hides nothing for ever. What is excused is a missed question and
 * nothing else: a service that died is still `refused`, one that is broken still says so. Misses
 * that follow each other without any answer in between are excused for the service's StartBudget
 * and no longer (policy/probe): that is how long the operator said that a service may be silent
 * while its machine is slow. Then the state is `unknown`, not `down`: nothing was learned about the
 * service, so nothing may be restarted for it, and the guest is not healthy either, so that
 * somebody looks. Rejected: `down`, which would have the remedies load a starved host further; and
 * staying `up`, which is a claim nobody can make after a quarter of an hour of silence.
 *
 * Latency: statistics come every five seconds and once more a second before a question is given up,
 * so starvation is seen at most one period and one reply after it began, and by the time a
 * question is missed. It ends at the second statistics below STARVE_LEAVE, and never sooner than
 * STARVE_HOLD after the last sign: what piled up in the guest is worked off first. */
#ifndef MEDIAKIT_POLICY_STARVE_H
#define MEDIAKIT_POLICY_STARVE_H

#include "base/time.h"
#include "model/spec.h"

#include <stdbool.h>

#define STARVE_ABSENT UINT64_MAX

/* Of delay, for each vCPU and in thousandths of the time. VMware, which calls it ready time, gives
 * 10 % for a vCPU as where a guest begins to suffer ("Performance Threshold: 10% per vCPU", its
 * knowledge base, 2002181); twice that is where we begin to excuse. */
#define STARVE_ENTER 200u
#define STARVE_LEAVE 100u
/* Of pressure. systemd-oomd acts at 60 % (DefaultMemoryPressureLimit=, oomd.conf(5)). */
#define STARVE_PRESSURE_ENTER 600u
/* vCPUs that ran this much of the time did not lack a CPU. */
#define STARVE_FULL 900u
/* Of clock: uptime must have advanced by less than half of the time that passed, beyond what its
 * whole seconds leave open. */
#define STARVE_CLOCK_HALF 500u
#define STARVE_CLOCK_MIN  (5 * USEC_PER_SEC)
/* Our own timers are kept within HTTP_TIMER_ACCURACY and PROBING_GRACE, together 70 ms. */
#define STARVE_LATE (1 * USEC_PER_SEC)

/* A window shorter than the first is noise, and the counter waits for more; one longer than the
 * second says nothing of its end, and the counter begins anew. */
#define STARVE_WINDOW_MIN (500 * USEC_PER_MSEC)
#define STARVE_WINDOW_MAX (30 * USEC_PER_SEC)
#define STARVE_HOLD       (10 * USEC_PER_SEC)

#define STARVE_REASON_MAX 96u

/* A counter and what it last came to. */
struct starve_counter {
	bool known;        /* `at` and `value` hold */
	bool told;         /* `permille`, `from` and `at` are of a whole window */
	usec_t from, at;   /* the window that `permille` is of */
	uint64_t value;    /* at `at` */
	unsigned permille; /* of the window, at most 1000 */
};

/* All zero before the first sample. */
struct starve {
	struct starve_counter delay, run, pressure;
	struct {
		bool known;
		char who[SPEC_NAME_MAX + 1]; /* the service whose uptime it is */
		char boot_id[37];
		usec_t at;
		uint64_t uptime_sec;
	} clock;
	bool starved;
	bool by_miss;                   /* begun by a missed question, not by delay */
	usec_t since;                   /* of the present starvation: when its first window began */
	usec_t sign_at;                 /* the last sign of it */
	usec_t left_at;                 /* when the last one ended; 0: there was none */
	unsigned calm;                  /* statistics in a row below STARVE_LEAVE */
	char reason[STARVE_REASON_MAX]; /* "the host starved the guest: …"; "" unless starved */
	char past_reason[STARVE_REASON_MAX]; /* of the one that ended */
};

struct starve_sample {
	uint64_t delay_nsec;    /* summed over the vCPUs; STARVE_ABSENT, and 0, which no kernel that
				   counts it shows: unknown */
	uint64_t run_nsec;      /* likewise, CPU time had; STARVE_ABSENT: unknown */
	uint64_t pressure_usec; /* `total` of `some`; STARVE_ABSENT: unknown */
	unsigned vcpus;         /* 0 counts as 1 */
};

/* One set of statistics, or the host's pressure alone with the rest absent. Counters that went
 * backwards (another QEMU) begin anew. True when starved or its reason's witness changed. */
bool starve_sample(struct starve *s, const struct starve_sample *sample, usec_t now);

/* A report of the service `who` told an uptime, which may be that service's own: it is held against
 * no other's. The first to tell one is the clock until it is silent for STARVE_WINDOW_MAX. Another
 * boot_id, or an uptime that went backwards, begins anew. */
bool starve_clock(
	struct starve *s, const char *who, const char *boot_id, uint64_t uptime_sec, usec_t now);

/* How prompt an answer speaks against starvation: within this part of its time-out. */
#define STARVE_PROMPT 4u
/* How many others must have answered so. */
#define STARVE_OTHERS 2u

/* A question asked at `asked` and due at `due` was given up now. `alone`: every other service
 * answered promptly. True: it proves nothing, and *ret_why, valid until the next call with `s`,
 * says why. */
bool starve_excuses(
	struct starve *s, usec_t asked, usec_t due, usec_t now, bool alone, const char **ret_why);

/* Time passed: ends what no statistics end any more. Returns when to look again. */
usec_t starve_tick(struct starve *s, usec_t now);

#endif
