/* SPDX-License-Identifier: Apache-2.0 */
/* The words of the balloon's decisions, and its numbers with where they come from. */
#include "policy/balloon.h"

static const char *const balloon_action_names[] = {
	[BALLOON_HOLD] = "hold",
	[BALLOON_GROW] = "grow",
	[BALLOON_SHRINK] = "shrink",
};
NAME_TABLE_DEFINE(balloon_action, enum balloon_action, BALLOON_ACTION_NUM);

static const char *const balloon_phase_names[] = {
	[BALLOON_AWAY] = "away",
	[BALLOON_LEAVING] = "leaving",
	[BALLOON_BOOTING] = "booting",
	[BALLOON_UNWELL] = "unwell",
	[BALLOON_UP] = "up",
};
NAME_TABLE_DEFINE(balloon_phase, enum balloon_phase, BALLOON_PHASE_NUM);

static const char *const balloon_reason_names[] = {
	[BALLOON_STEADY] = "steady",
	[BALLOON_GUEST_AWAY] = "away",
	[BALLOON_GUEST_LEAVING] = "leaving",
	[BALLOON_GUEST_BOOTING] = "booting",
	[BALLOON_GUEST_UNWELL] = "unwell",
	[BALLOON_NO_STATISTICS] = "no-statistics",
	[BALLOON_STALE] = "stale",
	[BALLOON_ABSURD] = "absurd",
	[BALLOON_WAITING] = "waiting",
	[BALLOON_STUCK] = "stuck",
	[BALLOON_RECOVERING] = "recovering",
	[BALLOON_AT_FLOOR] = "at-floor",
	[BALLOON_NO_SLACK] = "no-slack",
	[BALLOON_SPARED] = "spared",
	[BALLOON_AT_MAXIMUM] = "at-maximum",
	[BALLOON_POOL_DRY] = "pool-dry",
	[BALLOON_OVERRIDDEN] = "overridden",
	[BALLOON_OVERRIDE_HELD] = "override-held",
	[BALLOON_HOST_NEED] = "host-need",
	[BALLOON_IDLE] = "idle",
	[BALLOON_OVER_LIMIT] = "over-limit",
	[BALLOON_OVERRIDE] = "override",
	[BALLOON_SWAP_IN] = "swap-in",
	[BALLOON_SWAP_OUT] = "swap-out",
	[BALLOON_FAULTS] = "faults",
	[BALLOON_LATENCY] = "latency",
	[BALLOON_TOOK_BACK] = "took-back",
	[BALLOON_LOW] = "low",
	[BALLOON_FALLING] = "falling",
	[BALLOON_UNDER_FLOOR] = "under-floor",
	[BALLOON_LOST_SIGHT] = "lost-sight",
	[BALLOON_REBOOTED] = "rebooted",
	[BALLOON_RETURN] = "return",
};
NAME_TABLE_DEFINE(balloon_reason, enum balloon_reason, BALLOON_REASON_NUM);

const struct balloon_policy balloon_policy_default = {
	/* Where MOM (20 % free) and Proxmox (80 % used) begin; the distance between the two lines
	 * is what MOM lacks and Proxmox has 10 MiB of. */
	.enter_pct = 20,
	.leave_pct = 25,
	/* What grows in one decision comes out of what is above the critical line, and others take
	 * many seconds to give as much: haste begins while there is still something to give. */
	.near_permille = 333,
	/* systemd-oomd acts on sustained 60 %; at 5 % work is already being delayed. */
	.psi_enter = 500,
	.psi_leave = 250,
	/* Proxmox has QEMU poll its guests every 2 s; faster than that its statistics do not move.
	 * Under TCG the exchange costs the guest more, but it must be seen before it swaps. */
	.period = 1 * USEC_PER_SEC,
	.period_tcg = 2 * USEC_PER_SEC,
	.period_ease = 5 * USEC_PER_SEC,
	.stale_after = 15 * USEC_PER_SEC,
	/* MOM leaves 20 % and no less than 15 % unused. A guest under TCG was seen to fill 128
	 * MiB/s, and two periods may pass before that is seen. */
	.keep_permille = 150,
	.keep_kib = 512 * 1024,
	.low_permille = 80,
	/* What is filled until it is seen is the same for a small guest: left with less, the next
	 * burst swaps before anybody knows of it. */
	.low_kib = 448 * 1024,
	.step_first_kib = 64 * 1024,
	.step_permille = 30, /* MOM: 50 a tick of 10 s */
	.urgent_permille = 125,
	.grow_permille = 250, /* kernel reclaim outruns anything slower; MOM's 50 took minutes */
	.change_min_kib = 16 * 1024, /* Qubes ignores moves below 15 MiB */
	.watch = 60 * USEC_PER_SEC,
	.recover = 60 * USEC_PER_SEC,
	.recover_lesson = 10 * USEC_PER_MINUTE, /* at most one change of direction in that time */
	.recover_tight = 2 * USEC_PER_MINUTE,
	.recover_ample = 30 * USEC_PER_SEC,
	.learned_firm = 30 * USEC_PER_MINUTE,
	.learned_firm_max = 8 * USEC_PER_HOUR,
	.learned_half = USEC_PER_HOUR,
	.other_permille = 125,
	.unseen_permille = 125,
	.swap_kib_s = 64, /* sixteen pages: below that old pages come back by chance */
	.faults_s = 30,
	.latency_more = 50 * USEC_PER_MSEC,
	/* Interval= of a service: each has been asked once more by then. A burst of work on the
	 * host made half of them slow for some seconds. */
	.latency_for = 10 * USEC_PER_SEC,
	/* squeezed: 5 s without progress; Qubes: 3 s at 100 MB/s. Steps here are smaller, hosts
	 * busier. */
	.stuck_after = 10 * USEC_PER_SEC,
	.aside_first = 2 * USEC_PER_MINUTE,
	.aside_max = 15 * USEC_PER_MINUTE,
	.return_after = 10 * USEC_PER_MINUTE,
};
