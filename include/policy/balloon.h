/* SPDX-License-Identifier: Apache-2.0 */
/* The memory pool: who gives memory back to the host, who gets some, and why. Pure: time and
 * statistics are arguments, orders are values, what is remembered is plain data the caller keeps.
 *
 * Theory of operation. A guest is asked for memory only while the host needs it (two thresholds
 * apart), in steps that begin small and double while nothing is felt. Every step is a loan on
 * trial: if the guest swaps, faults, answers slowly or takes memory back itself while a loan is
 * younger than `watch`, all loans that young are returned at once, and the level that hurt becomes
 * a learned floor, which stands firm for a while, longer with each lesson, and then decays. A guest
 * that needs memory gets it at once from what the host has above `critical`; that others shrink for
 * it comes after. Near the critical line there is haste: large steps, short rests, lessons that
 * fade fast, and whoever only rests is woken when another's need cannot be met. A lesson that only
 * the answers taught (no counter moved) does not fade fast: that guest's word does not show when it
 * hurts, so each try would hurt again. What a guest says of itself is believed only while it is
 * fresh and not absurd; a guest nobody can see into gives nothing. Rejected: sharing in proportion
 * (squeezed), which takes from guests in need, and one threshold (MOM), which is never at rest. */
#ifndef MEDIAKIT_POLICY_BALLOON_H
#define MEDIAKIT_POLICY_BALLOON_H

#include "base/nametable.h"
#include "base/time.h"
#include "model/spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BALLOON_ABSENT UINT64_MAX /* a statistic that is not there; also io/hv's HV_STAT_ABSENT */
/* 1 PiB in KiB: what is larger is no size of a guest or a host, and sums of SPEC_GUESTS_MAX of them
 * do not wrap. */
#define BALLOON_KIB_MAX   (UINT64_C(1) << 40)
#define BALLOON_LOANS_MAX 8u

enum balloon_action { BALLOON_HOLD, BALLOON_GROW, BALLOON_SHRINK, BALLOON_ACTION_NUM };
NAME_TABLE_DECLARE(balloon_action, enum balloon_action); /* hold grow shrink */

/* What the guest is at, as far as memory is concerned. */
enum balloon_phase {
	BALLOON_AWAY,    /* no QEMU: nothing is decided */
	BALLOON_LEAVING, /* stops, saves, is paused: left alone */
	BALLOON_BOOTING, /* the OS is not up, or not yet ready: may grow, never shrinks */
	BALLOON_UNWELL,  /* up, but an active service is not: may grow, never shrinks */
	BALLOON_UP,
	BALLOON_PHASE_NUM,
};
NAME_TABLE_DECLARE(balloon_phase, enum balloon_phase);

enum balloon_reason {
	/* hold */
	BALLOON_STEADY,     /* nobody needs anything */
	BALLOON_GUEST_AWAY, /* phases other than up */
	BALLOON_GUEST_LEAVING,
	BALLOON_GUEST_BOOTING,
	BALLOON_GUEST_UNWELL,
	BALLOON_NO_STATISTICS, /* no balloon driver, or one without statistics */
	BALLOON_STALE,         /* statistics are too old, or have not been seen to move yet */
	BALLOON_ABSURD,        /* statistics contradict each other */
	BALLOON_WAITING,       /* for the last order to show in the statistics */
	BALLOON_STUCK, /* does not follow: set aside with back-off (or the order is withdrawn) */
	BALLOON_RECOVERING,    /* was hurt or has grown a short while ago */
	BALLOON_AT_FLOOR,      /* the host needs memory, the guest is at its floor */
	BALLOON_NO_SLACK,      /* the host needs memory, the guest has none to spare */
	BALLOON_SPARED,        /* the host needs memory, others have more to give */
	BALLOON_AT_MAXIMUM,    /* it needs more than it may have */
	BALLOON_POOL_DRY,      /* it needs memory and the host has none above `critical` */
	BALLOON_OVERRIDDEN,    /* the operator's size is in force */
	BALLOON_OVERRIDE_HELD, /* the operator asks for less than the guest can spare */
	/* shrink */
	BALLOON_HOST_NEED,
	BALLOON_IDLE,       /* Reclaim=eager: down to IdleTarget */
	BALLOON_OVER_LIMIT, /* Memory= was lowered */
	BALLOON_OVERRIDE,   /* shrink or grow towards the operator's size */
	/* grow */
	BALLOON_SWAP_IN,
	BALLOON_SWAP_OUT,
	BALLOON_FAULTS,
	BALLOON_LATENCY,
	BALLOON_TOOK_BACK, /* the guest deflated by itself, as on its own lack of memory */
	BALLOON_LOW,       /* usable memory is under the line */
	BALLOON_FALLING,   /* it will soon be */
	BALLOON_UNDER_FLOOR,
	BALLOON_LOST_SIGHT, /* statistics stopped while a loan was on trial */
	BALLOON_REBOOTED,   /* an order of before waits for the driver of this boot */
	BALLOON_RETURN,     /* the host has been at ease for long */
	BALLOON_REASON_NUM,
};
NAME_TABLE_DECLARE(balloon_reason, enum balloon_reason);

/* Every number of the controller. Shares are per mille of the guest's maximum where not said. */
struct balloon_policy {
	unsigned enter_pct, leave_pct; /* of the host's memory: [Pool] ShrinkBelow=, LeaveAbove= */
	/* Of the way from the critical line up to where need begins, at most what the largest guest
	 * grows by at once: a host with no more is tight. */
	unsigned near_permille;
	unsigned psi_enter, psi_leave; /* hundredths of a percent, memory some avg10 */
	usec_t period, period_tcg;     /* between decisions */
	usec_t period_ease;            /* while no guest is below its maximum and none need be */
	usec_t stale_after;            /* at least; and three periods */
	unsigned keep_permille;        /* usable memory no shrink goes below ... */
	uint64_t keep_kib;             /* ... and at least this, but at most a quarter */
	unsigned low_permille;         /* usable memory below which a guest grows ... */
	uint64_t low_kib;
	uint64_t step_first_kib;  /* the first loan of a series; doubled while nothing is felt */
	unsigned step_permille;   /* no loan is larger */
	unsigned urgent_permille; /* except while the host is tight */
	unsigned grow_permille;   /* a guest in distress gets this at once, or its loans back */
	uint64_t change_min_kib;  /* smaller changes are not worth a guest's exit */
	usec_t watch;             /* how long a loan is on trial */
	usec_t recover;           /* no shrink that long after distress or growth */
	usec_t recover_lesson;    /* nor that long after a loan that hurt */
	/* ... that long while the host is tight, doubled each time the same guest hurts
	 * in the same state. */
	usec_t recover_tight;
	usec_t recover_ample; /* and that long where more than a third is usable; also the
			       * half-life of a learned floor then, doubled likewise */
	usec_t learned_firm;  /* a learned floor stands that long, doubled with each lesson ... */
	usec_t learned_firm_max;
	usec_t learned_half; /* ... then what is above the minimum halves in this time */
	/* Using so much less than when it last hurt, a guest rests no longer than `recover`. */
	unsigned other_permille;
	/* Left usable on top of what was when only the answers told that it hurt. */
	unsigned unseen_permille;
	uint64_t swap_kib_s; /* swapping faster than this is distress */
	unsigned faults_s;   /* major faults above three times the guest's usual and this */
	usec_t latency_more; /* answers slower than twice the usual and this ... */
	usec_t latency_for;  /* ... for that long */
	usec_t stuck_after;  /* without progress; under TCG three times this */
	usec_t aside_first, aside_max; /* set aside that long, doubled each time */
	usec_t return_after;           /* host at ease for that long: loans go back, slowly */
};

/* The defaults; their sources stand at the definition. */
extern const struct balloon_policy balloon_policy_default;
/* The defaults with what [Pool] says. */
void balloon_policy_from_spec(const struct spec *spec, struct balloon_policy *ret);

#define BALLOON_PSI_ABSENT UINT32_MAX

/* The host, now. */
struct balloon_pool {
	usec_t now;              /* never goes back */
	uint64_t total_kib;      /* 0: unknown, then the percentages mean nothing */
	uint64_t available_kib;  /* MemAvailable of the host; BALLOON_ABSENT: unknown */
	uint32_t psi_some_avg10; /* hundredths of a percent, or BALLOON_PSI_ABSENT */
	uint64_t reserve_kib, critical_kib;
	uint64_t realtime_sec; /* the clock of last_update_sec; 0: unknown, no timestamp is then
				* called a future one */
};

/* A guest, now. Statistics as they come from the hypervisor, unjudged. */
struct balloon_guest {
	enum balloon_phase phase;
	bool tcg;
	uint64_t max_kib;   /* the running domain's maximum */
	uint64_t limit_kib; /* Memory=, where it is below that; 0: none */
	uint64_t min_kib;   /* MemoryMin= */
	uint64_t idle_kib;  /* IdleTarget= with Reclaim=eager; 0: shrink under need only */
	unsigned weight;    /* 0 counts as 1 */
	uint64_t actual_kib, rss_kib;
	uint64_t usable_kib, unused_kib, caches_kib;
	uint64_t swap_in_kib, swap_out_kib, major_faults; /* since the guest's boot */
	uint64_t last_update_sec;                         /* 0: never */
	usec_t latency;        /* median of the services' last answers; 0: none */
	uint64_t override_kib; /* the operator's size; 0: none. Clamped to [min, max] */
	usec_t override_until; /* boottime; 0 or USEC_INFINITY: until taken back */
};

struct balloon_loan {
	usec_t at;
	uint64_t from_kib;
};

/* What is remembered of a guest between decisions. Plain data, zero at the beginning. Worth keeping
 * over a restart of the daemon (same boot of the host): the whole; at least learned_*, lessons,
 * lesson_unseen, fall_kib_s. */
struct balloon_memory {
	/* statistics */
	uint64_t update_sec;
	usec_t update_at; /* when update_sec was first seen */
	bool moving;      /* it has been seen to move */
	bool counted;     /* the counters below are from update_at */
	uint64_t swap_in_kib, swap_out_kib, major_faults, usable_kib, actual_kib;
	uint64_t usable_slow_kib; /* moving mean */
	uint64_t fall_kib_s;      /* fastest fall of usable memory, halved every hour */
	usec_t fall_at;
	uint64_t faults_usual_milli; /* per second, moving mean */
	usec_t latency_usual;
	usec_t latency_high_at; /* since when answers are slow; 0: they are not */
	/* the last order */
	uint64_t ordered_kib; /* 0: none stands */
	uint64_t order_from_kib, progress_kib;
	usec_t progress_at;
	uint64_t level_kib;                  /* the balloon as last confirmed; 0: not yet */
	usec_t shrunk_at, grown_at, hurt_at; /* 0: never */
	uint64_t step_kib;
	/* loans on trial, oldest first */
	struct balloon_loan loans[BALLOON_LOANS_MAX];
	unsigned n_loans;
	/* lessons */
	uint64_t learned_kib; /* usable memory to leave; 0: none. The learned floor is what is used
			       * and this */
	usec_t learned_until, learned_decayed;
	usec_t lesson_at;
	uint64_t lesson_usable_kib; /* usable memory when that lesson hurt */
	uint64_t lesson_used_kib;   /* and the rest of what it had */
	usec_t swapped_at;          /* when it last swapped something out; 0: never */
	bool lesson_unseen;         /* no counter moved, only the answers told of it */
	unsigned again;             /* lessons in a row with about that much */
	unsigned lessons;
	/* set aside */
	usec_t aside_until, aside_span;
	bool anew; /* rebooted with orders of before; see balloon_rebooted() */
};

struct balloon_decision {
	enum balloon_action action;
	uint64_t from_kib;   /* the balloon's size the decision started from */
	uint64_t target_kib; /* within [floor_kib, max]; with hold: where it is, clamped */
	uint64_t floor_kib;  /* the larger of MemoryMin= and the learned floor, at most max */
	enum balloon_reason reason;
	bool rolled_back; /* this growth returns loans on trial */
	bool on_trial;
	bool sighted;        /* its statistics were believed */
	uint64_t slack_kib;  /* what it could spare beyond what it keeps */
	uint64_t wanted_kib; /* what it would have grown to, had the host had it; 0: nothing */
	usec_t aside_until;  /* with BALLOON_STUCK */
};

/* One guest at the table. The caller fills `in` and `memory`; `work` is scratch. */
struct balloon_seat {
	struct balloon_guest in;
	struct balloon_memory *memory;
	struct balloon_decision out;
	struct balloon_work {
		uint64_t max, limit, floor, actual, usable, keep, low, spare, grow_to;
		usec_t period;
		enum balloon_reason sign;  /* why it needs memory; BALLOON_STEADY: it does not */
		enum balloon_reason block; /* why it gives nothing; BALLOON_STEADY: it may */
		enum balloon_reason cause; /* why it gives */
		bool hard;                 /* the sign is of pain, not of foresight */
		bool pending;              /* an order stands unconfirmed */
		bool withdraw;             /* and is to be withdrawn */
		bool fresh;                /* the statistics are new since the last decision */
		bool tight;                /* the host is near its critical line, or below it */
		bool light_rest;           /* it rests, but was not hurt within `recover` */
		uint64_t fall_kib_s; /* of usable memory, right now, by the guest's own doing */
	} work;
};

/* What is remembered of the pool. Zero at the beginning. */
struct balloon_pool_memory {
	bool pressed;    /* between entering and leaving host need */
	bool tight;      /* near its critical line or below it: near_permille */
	usec_t eased_at; /* since when it is not */
};

struct balloon_outcome {
	bool pressed;
	bool critical;        /* the host is below its critical line */
	bool tight;           /* or near it: haste */
	bool degraded;        /* the minimums and the reserve together are over the host's memory */
	bool blind;           /* the host's own memory is not known: nobody shrinks */
	uint64_t need_kib;    /* what the guests are to give in all */
	uint64_t granted_kib; /* what grew in this decision */
	uint64_t enter_kib, leave_kib;
	usec_t period; /* decide again after this */
};

/* Decides for all. `n` at most SPEC_GUESTS_MAX (those beyond are held). Writes each seat's `out`
 * and memory, the pool's memory and *ret. Never fails: what makes no sense is held, with a reason.
 */
void balloon_decide(const struct balloon_policy *policy, const struct balloon_pool *pool,
	struct balloon_pool_memory *pool_memory, struct balloon_seat *seats, size_t n,
	struct balloon_outcome *ret);

/* To be told once the hypervisor has taken the order (action grow or shrink). A decision nobody
 * carries out (a dry run, a full queue) is simply not told, and comes again. */
void balloon_ordered(const struct balloon_policy *policy, struct balloon_memory *memory,
	const struct balloon_decision *decision, usec_t now);

/* The guest booted anew: its counters begin at zero and no order of ours stands. Lessons are kept.
 * `same_qemu`: QEMU went on, and so does what it was told: it calls the balloon as large as it was
 * though nothing is in it, and the driver will inflate it at once when it is loaded, in the middle
 * of the boot. So that much is given back before, but for the smallest change: a driver that finds
 * nothing to do never tells QEMU that the balloon is empty (Linux, virtballoon_probe), and the size
 * would be wrong until the next order. */
void balloon_rebooted(struct balloon_memory *memory, bool same_qemu);

#endif
