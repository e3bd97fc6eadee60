/* SPDX-License-Identifier: Apache-2.0 */
/* What the boots of one guest take, learned, and when the present one is late.
 *
 * Theory of operation: there is no time-out that suits both a KVM guest that is up in six seconds
 * and a first boot under TCG that installs packages for an hour, so each guest teaches its own. Of
 * the last BOOTTIME_KEEP boots that came up the time of each stage is kept, apart for the two
 * accelerators (5 to 40 times between them) and for first and later boots (cloud-init does its work
 * once: 63 s against 42 for the stand-in under TCG). What is expected is the median, the upper one
 * of an even number: up to half of the samples may be freaks without moving it far, and a guest
 * that became slower for good has taught that after at most five boots. Rejected: the largest of
 * the last eight, which one starved boot spoils for a week, and mean plus deviation, which it
 * spoils more.
 *
 * A stage may last `factor` times what is expected of it, and never less than `least`, because a
 * stage of a fraction of a second says nothing about a busy host. Past that the boot is late,
 * unless it moves: each move (policy/boot) puts the deadline at least `least` ahead. Talk alone
 * can't do so for ever: the extension ends BOOTTIME_STRETCH budgets after the last step, and steps
 * are numbered. While the host starves the guest (policy/starve) it gets all of that stretch. Being
 * late is a statement, not a sentence: who is told of it, and that nothing that may have a writable
 * disk is ended for it, is core/bootwatch's. */
#ifndef MEDIAKIT_POLICY_BOOTTIME_H
#define MEDIAKIT_POLICY_BOOTTIME_H

#include "policy/boot.h"

#define BOOTTIME_KEEP 8u
/* A budget may be stretched by moving to this many of it, counted from the last step. */
#define BOOTTIME_STRETCH 4u
/* Longer ones count as this: predecessors' first boots, the longest known, took 90 minutes. */
#define BOOTTIME_SAMPLE_MAX (6 * USEC_PER_HOUR)

/* A boot is a guest's first when its disk or its seed is another one than at the last boot that
 * came up: then cloud-init does its work. */
enum boottime_kind { BOOTTIME_LATER, BOOTTIME_FIRST, BOOTTIME_KIND_NUM };
NAME_TABLE_DECLARE(boottime_kind, enum boottime_kind); /* later first */

struct boottime_sample {
	usec_t took[BOOT_DONE]; /* of each stage; 0: it was not seen */
};

struct boottime_series {
	struct boottime_sample samples[BOOTTIME_KEEP]; /* oldest first */
	unsigned n;
};

struct boottime {
	struct boottime_series series[2][BOOTTIME_KIND_NUM]; /* [tcg] */
};

struct boottime_policy {
	unsigned factor; /* at most 100 */
	usec_t least;    /* at most a day */
};

/* How a boot is run, and so what it is to be compared with. */
struct boottime_how {
	bool tcg;
	enum boottime_kind kind;
	bool starved; /* the host does not give it its CPU now: it gets all of the stretch */
};

/* Takes a boot that came up into its series. Only for one that was watched from its beginning. */
void boottime_learn(struct boottime *t, struct boottime_how how, const struct boot *b);
/* The same of a sample that was kept. */
void boottime_add(
	struct boottime *t, struct boottime_how how, const struct boottime_sample *sample);

/* What a stage, or a whole boot from its beginning, is expected to take; 0: nothing is known. For a
 * later boot what is known of first ones must do where nothing else is; never the other way. */
usec_t boottime_stage(const struct boottime *t, struct boottime_how how, enum boot_stage stage);
usec_t boottime_whole(const struct boottime *t, struct boottime_how how);

/* How long the present stage may last without moving. Before anything was learned under TCG:
 * firmware and kernel 5 min each, init 10 min, cloud-init 30 min (it may install packages),
 * services 15 min (the start budget of a service under TCG, wire.md); under KVM a third. A first
 * boot gets that at least. A boot whose beginning nobody saw, and a serial line that
 * never spoke, hide all stages behind the first, which then has the budgets of all. */
usec_t boottime_budget(const struct boottime *t, const struct boottime_policy *policy,
	struct boottime_how how, const struct boot *b);

/* When the boot becomes late, as far as it has moved by now; USEC_INFINITY once it is done. */
usec_t boottime_deadline(const struct boottime *t, const struct boottime_policy *policy,
	struct boottime_how how, const struct boot *b);

#endif
