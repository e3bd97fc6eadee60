/* SPDX-License-Identifier: Apache-2.0 */
/* The model guest: who takes pages from whom. Integers throughout, so that a replay is the same
 * everywhere. */
#include "model/guestmem.h"

#include "base/macro.h"

#define MIB UINT64_C(1024)

/* Touching fresh pages: a TCG guest was seen to fill some 130 MB/s, hardware does about 1 GB/s. */
#define TOUCH_KVM (1024 * MIB)
#define TOUCH_TCG (128 * MIB)
/* Inflating, by 4 KiB pages and one exit for 256 of them. */
#define INFLATE_KVM (1024 * MIB)
#define INFLATE_TCG (64 * MIB)
/* Reading hot data again from the disk image, and swapping. */
#define DISK_KVM (200 * MIB)
#define DISK_TCG (50 * MIB)
/* One major fault reads 64 KiB ahead. */
#define FAULT_KIB 64
/* QEMU besides the guest's memory; TCG keeps its translations. */
#define QEMU_KVM (60 * MIB)
#define QEMU_TCG (250 * MIB)
/* A service's answer when all it needs is in memory. */
#define LATENCY_KVM  (10 * USEC_PER_MSEC)
#define LATENCY_TCG  (150 * USEC_PER_MSEC)
#define SWAP_DEFAULT (1024 * MIB)

static const char *const guest_flaw_names[] = {
	[FLAW_NONE] = "none",
	[FLAW_STUCK] = "stuck",
	[FLAW_ABSENT] = "absent",
	[FLAW_FROZEN] = "frozen",
	[FLAW_LYING] = "lying",
	[FLAW_GREEDY] = "greedy",
	[FLAW_GARBAGE] = "garbage",
	[FLAW_FUTURE] = "future",
};
NAME_TABLE_DEFINE(guest_flaw, enum guest_flaw, FLAW_NUM);

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static uint64_t in_step(uint64_t per_second)
{
	return per_second * (GUESTMEM_STEP / USEC_PER_MSEC) / 1000;
}

uint64_t guestmem_actual_kib(const struct guestmem *g)
{
	return g->max_kib - g->balloon_kib;
}

uint64_t guestmem_free_kib(const struct guestmem *g)
{
	return less(guestmem_actual_kib(g), g->kernel_kib + g->anon_kib + g->hot_kib + g->cold_kib);
}

uint64_t guestmem_rss_kib(const struct guestmem *g)
{
	uint64_t used = less(guestmem_actual_kib(g), guestmem_free_kib(g));

	return used + g->touched_free_kib + (g->tcg ? QEMU_TCG : QEMU_KVM);
}

/* Linux's low watermark is near this for guests of some GiB. */
static uint64_t watermark(const struct guestmem *g)
{
	return g->max_kib / 128;
}

/* Pages out of free memory are touched ones in the proportion in which these are there. */
static void use_free(struct guestmem *g, uint64_t free_before, uint64_t kib)
{
	uint64_t touched = free_before ? g->touched_free_kib * kib / free_before : 0;

	g->touched_free_kib -= MIN(touched, g->touched_free_kib);
}

static void evict_anon(struct guestmem *g, uint64_t kib)
{
	g->anon_kib -= kib;
	g->swapped_kib += kib;
	g->swap_out_kib += kib;
	g->pressed |= kib > 0;
}

/* Makes up to `kib` pages free above the watermark; returns how many are there. `hard`: something
 * in use may go as well. */
static uint64_t reclaim(struct guestmem *g, uint64_t kib, bool hard)
{
	uint64_t have = less(guestmem_free_kib(g), watermark(g)), before = have, take;

	if (have >= kib)
		return kib;
	take = MIN(kib - have, g->cold_kib);
	g->cold_kib -= take;
	have += take;
	if (hard && have < kib) {
		take = MIN(kib - have, g->hot_kib / 2);
		g->hot_kib -= take;
		have += take;
	}
	if (hard && have < kib) {
		uint64_t room = less(g->swap_size_kib, g->swapped_kib);

		take = MIN((kib - have) / 2, g->hot_kib);
		g->hot_kib -= take;
		have += take;
		take = MIN(kib - have, g->anon_kib);
		take = MIN(take, room);
		evict_anon(g, take);
		have += take;
	}
	g->touched_free_kib += have - before;
	return have;
}

/* Takes up to `kib` pages and returns how many it got; the caller puts them to use. */
static uint64_t take_pages(struct guestmem *g, uint64_t kib, bool hard)
{
	uint64_t got = reclaim(g, kib, hard);

	use_free(g, guestmem_free_kib(g), got);
	return got;
}

static void release_anon(struct guestmem *g, uint64_t kib)
{
	uint64_t all = g->anon_kib + g->swapped_kib;
	uint64_t swapped = all ? g->swapped_kib * kib / all : 0;
	uint64_t resident = MIN(kib - swapped, g->anon_kib);

	g->swapped_kib -= swapped;
	g->anon_kib -= resident;
	g->touched_free_kib += resident;
}

static void follow_demand(struct guestmem *g, uint64_t demand)
{
	uint64_t all = g->anon_kib + g->swapped_kib;

	if (demand <= g->cut_kib || g->cut_kib == 0)
		g->cut_kib = 0;
	else
		demand = MIN(demand, g->cut_kib);
	if (demand < all) {
		release_anon(g, all - demand);
		return;
	}
	uint64_t want = MIN(demand - all, in_step(g->tcg ? TOUCH_TCG : TOUCH_KVM));
	uint64_t got = take_pages(g, want, true);
	g->anon_kib += got;
	/* Nothing left to reclaim and nowhere to swap to. */
	if (got < want && g->swapped_kib >= g->swap_size_kib && g->hot_kib < 16 * MIB) {
		g->ooms++;
		g->cut_kib = MAX(all / 2, 1u);
		g->pressed = true;
	}
}

static void swap_in(struct guestmem *g)
{
	uint64_t want = MIN(g->swapped_kib, g->swapped_kib / 20 + 64);
	uint64_t limit = in_step(g->tcg ? DISK_TCG : DISK_KVM);

	want = in_step(want);
	want = MIN(want, limit);
	uint64_t got = take_pages(g, want, true);
	got = MIN(got, g->swapped_kib);
	g->anon_kib += got;
	g->swapped_kib -= got;
	g->swap_in_kib += got;
	g->major_faults += got / 4;
	g->pressed |= want > 0;
}

static void refill_hot(struct guestmem *g, uint64_t hot)
{
	if (g->hot_kib > hot) {
		/* No longer in use, still in the cache. */
		g->cold_kib += g->hot_kib - hot;
		g->hot_kib = hot;
	}
	uint64_t missing = hot - g->hot_kib;
	/* A fifth of what is missing is asked for each second. */
	uint64_t want = in_step(missing / 5 + 64);
	want = MIN(want, missing);
	want = MIN(want, in_step(g->tcg ? DISK_TCG : DISK_KVM));
	uint64_t got = take_pages(g, want, false);
	g->hot_kib += got;
	/* What found no room was read as well, and pushed its like out. */
	g->major_faults += (want + FAULT_KIB - 1) / FAULT_KIB;
	g->pressed |= missing > hot / 50;
	g->latency_usec = g->tcg ? LATENCY_TCG : LATENCY_KVM;
	if (hot)
		g->latency_usec += g->latency_usec * 20 * missing / hot;
	if (g->swapped_kib)
		g->latency_usec += g->latency_usec * (g->swapped_kib / MIB) / 16;
}

static void read_once(struct guestmem *g, uint64_t kib)
{
	uint64_t room = less(guestmem_free_kib(g), watermark(g));
	uint64_t take = MIN(in_step(kib), room);

	use_free(g, guestmem_free_kib(g), take);
	g->cold_kib += take;
}

static void move_balloon(struct guestmem *g, enum guest_flaw flaw)
{
	uint64_t size = guestmem_actual_kib(g);

	if (flaw == FLAW_STUCK || flaw == FLAW_ABSENT)
		return;
	if (g->target_kib >= size) {
		g->balloon_kib -= MIN(g->target_kib - size, g->balloon_kib);
		return;
	}
	uint64_t want = MIN(size - g->target_kib, in_step(g->tcg ? INFLATE_TCG : INFLATE_KVM));
	uint64_t got = take_pages(g, want, true);
	g->balloon_kib += got;
}

static void report(struct guestmem *g, enum guest_flaw flaw, usec_t now)
{
	uint64_t cache = g->hot_kib + g->cold_kib, free_kib = guestmem_free_kib(g);

	g->reported_at = now;
	if (flaw == FLAW_FROZEN)
		return;
	if (flaw == FLAW_ABSENT) {
		g->usable_kib = g->unused_kib = g->caches_kib = UINT64_MAX;
		g->seen_swap_in = g->seen_swap_out = g->seen_faults = UINT64_MAX;
		g->update_sec = 0;
		return;
	}
	/* mm/show_mem.c: si_mem_available(). */
	g->usable_kib = less(free_kib, watermark(g)) + less(cache, MIN(cache / 2, watermark(g)));
	g->unused_kib = free_kib;
	g->caches_kib = cache;
	g->seen_swap_in = g->swap_in_kib;
	g->seen_swap_out = g->swap_out_kib;
	g->seen_faults = g->major_faults;
	/* The epoch is arbitrary; 0 means never. */
	g->update_sec = 1000000000 + now / USEC_PER_SEC;
	if (flaw == FLAW_LYING) {
		g->usable_kib = g->unused_kib = less(guestmem_actual_kib(g), g->kernel_kib);
		g->caches_kib = 0;
		g->seen_swap_in = g->seen_swap_out = g->seen_faults = 0;
	} else if (flaw == FLAW_GREEDY) {
		g->usable_kib = g->unused_kib = g->caches_kib = 4 * MIB;
	} else if (flaw == FLAW_GARBAGE) {
		g->usable_kib = g->unused_kib = g->caches_kib = UINT64_MAX - 1;
		g->seen_swap_in = g->seen_swap_out = g->seen_faults = UINT64_MAX - 1;
	} else if (flaw == FLAW_FUTURE) {
		g->update_sec += 365 * 86400;
	}
}

void guestmem_order(struct guestmem *g, uint64_t size_kib)
{
	g->target_kib = MIN(size_kib, g->max_kib);
}

void guestmem_boot(struct guestmem *g, uint64_t max_kib, uint64_t swap_kib, bool tcg,
	const struct guestmem_input *in)
{
	uint64_t max = MIN(max_kib, GUESTMEM_KIB_MAX);

	*g = (struct guestmem){
		.max_kib = max,
		.target_kib = max,
		.kernel_kib = MIN(80 * MIB + max / 64, max / 2),
		.swap_size_kib = MIN(swap_kib ? swap_kib : SWAP_DEFAULT, GUESTMEM_KIB_MAX),
		.tcg = tcg,
	};
	uint64_t room = less(guestmem_free_kib(g), watermark(g));
	g->anon_kib = MIN(in->demand_kib, room);
	g->hot_kib = MIN(in->hot_kib, room - g->anon_kib);
	report(g, in->flaw, 0);
}

void guestmem_step(struct guestmem *g, const struct guestmem_input *in, usec_t now, usec_t period)
{
	g->pressed = false;
	move_balloon(g, in->flaw);
	follow_demand(g, MIN(in->demand_kib, GUESTMEM_KIB_MAX));
	swap_in(g);
	refill_hot(g, MIN(in->hot_kib, GUESTMEM_KIB_MAX));
	read_once(g, MIN(in->read_kib_s, GUESTMEM_KIB_MAX));
	g->touched_free_kib = MIN(g->touched_free_kib, guestmem_free_kib(g));
	if (usec_sub(now, g->reported_at) >= period)
		report(g, in->flaw, now);
}
