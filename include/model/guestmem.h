/* SPDX-License-Identifier: Apache-2.0 */
/* A guest's memory as a model: what a balloon does to free memory, page cache and swap, and what
 * the guest then reports. For replays and comparisons only; the daemon never uses it.
 *
 * What is modelled. Memory = kernel + anonymous + hot cache + cold cache + free + balloon.
 *  - Anonymous memory follows `demand`, at most as fast as pages can be touched; what is given back
 *    is free at once.
 *  - Hot cache is file data in use: where some of it is missing it is read again, which costs major
 *    faults and answers that take longer. Cold cache grows by what is read once, out of free
 * memory.
 *  - Who needs pages takes free ones above the kernel's watermark, then cold cache, then hot cache
 *    down to half, then hot cache and anonymous memory to equal parts, the latter to swap. With no
 *    swap left the kernel kills (counted, and the demand is then cut to what fits).
 *  - What was swapped out is in use: a twentieth of it is wanted back every second.
 *  - The balloon inflates no faster than the accelerator lets it and takes pages as everybody does,
 *    but gives up rather than have something killed; it deflates at once.
 *  - The host holds what was touched: the balloon gives back touched and untouched free pages in
 * the proportion in which they are there, and what it deflates is untouched.
 *  - Statistics are MemAvailable, MemFree, Cached and the counters of Linux, hot cache counted as
 *    available, as Linux does.
 * What is not: NUMA, huge pages, shared memory, zswap, writeback, free page reporting, a guest
 * whose processes react. */
#ifndef MEDIAKIT_MODEL_GUESTMEM_H
#define MEDIAKIT_MODEL_GUESTMEM_H

#include "base/nametable.h"
#include "base/time.h"

#include <stdbool.h>
#include <stdint.h>

/* 1 TiB in KiB: larger inputs are cut to it. */
#define GUESTMEM_KIB_MAX (UINT64_C(1) << 30)
#define GUESTMEM_STEP    (250 * USEC_PER_MSEC)

enum guest_flaw {
	FLAW_NONE,
	FLAW_STUCK,   /* the driver is there and does not follow */
	FLAW_ABSENT,  /* no driver: nothing follows, nothing is reported */
	FLAW_FROZEN,  /* statistics stand still, their timestamp too */
	FLAW_LYING,   /* usable memory is what the balloon leaves, no fault and no swap ever */
	FLAW_GREEDY,  /* always says that next to nothing is usable */
	FLAW_GARBAGE, /* every statistic is UINT64_MAX - 1 */
	FLAW_FUTURE,  /* timestamps of next year */
	FLAW_NUM,
};
NAME_TABLE_DECLARE(guest_flaw, enum guest_flaw);

/* What the guest does from now on. */
struct guestmem_input {
	uint64_t demand_kib; /* anonymous memory its processes want */
	uint64_t hot_kib;    /* file data in use */
	uint64_t read_kib_s; /* file data read once */
	enum guest_flaw flaw;
};

struct guestmem {
	uint64_t max_kib, kernel_kib, swap_size_kib;
	bool tcg;
	uint64_t balloon_kib, target_kib; /* target: of the guest's size, i.e. max - balloon */
	uint64_t anon_kib, swapped_kib, hot_kib, cold_kib;
	uint64_t touched_free_kib;
	uint64_t cut_kib; /* demand that was killed, until demand falls below it */
	/* since the boot */
	uint64_t swap_in_kib, swap_out_kib, major_faults;
	unsigned ooms;
	/* in the last step */
	bool pressed; /* something in use was not in memory */
	uint64_t latency_usec;
	/* as last reported */
	usec_t reported_at;
	uint64_t usable_kib, unused_kib, caches_kib, seen_swap_in, seen_swap_out, seen_faults;
	uint64_t update_sec;
};

/* A guest that has booted: everything `in` wants is in memory, as far as it fits. `swap_kib` 0: the
 * default of 1 GiB, the size of the guest image's swap file. */
void guestmem_boot(struct guestmem *g, uint64_t max_kib, uint64_t swap_kib, bool tcg,
	const struct guestmem_input *in);

/* GUESTMEM_STEP passes, ending at `now`. Statistics are renewed every `period` (QEMU's polling). */
void guestmem_step(struct guestmem *g, const struct guestmem_input *in, usec_t now, usec_t period);

/* The balloon is told of a size of the guest; more than the maximum is the maximum. */
void guestmem_order(struct guestmem *g, uint64_t size_kib);

uint64_t guestmem_free_kib(const struct guestmem *g);
uint64_t guestmem_actual_kib(const struct guestmem *g);
/* What QEMU holds of the host's memory. */
uint64_t guestmem_rss_kib(const struct guestmem *g);

#endif
