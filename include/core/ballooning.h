/* SPDX-License-Identifier: Apache-2.0 */
/* The memory pool at run time: collects what policy/balloon decides on, has its orders carried out,
 * and tells of both.
 *
 * Theory of operation. One round for all guests: statistics are asked for, and once they are there
 * (or BALLOONING_COLLECT later) the policy decides for everybody at once. An order is one setmem;
 * while it is out the guest is asked nothing else, and while statistics are out it is ordered
 * nothing: libvirt answers statistics that meet another call with half of them. That the call
 * succeeded means nothing, with no driver in the guest too: the policy believes the size that later
 * statistics show. Whatever fails is not repeated here; the next round decides anew. An operator's
 * size is an input of the same decision. */
#ifndef MEDIAKIT_CORE_BALLOONING_H
#define MEDIAKIT_CORE_BALLOONING_H

#include "io/hv.h"
#include "policy/balloon.h"

struct guest;
struct state_record;
struct supervisor;

/* Statistics that take longer are decided without: the guest's last ones age. */
#define BALLOONING_COLLECT (1 * USEC_PER_SEC)
/* The last answer of a service, which may have been slow for want of CPU, is that old at most: its
 * interval and some. */
#define BALLOONING_CPU_SHORT (15 * USEC_PER_SEC)
/* A guest that cannot be seen into for so long is told of once. */
#define BALLOONING_BLIND (60 * USEC_PER_SEC)
/* An operator who waits is told that his size is out of reach for now after so long without any
 * movement. */
#define BALLOONING_HELD (30 * USEC_PER_SEC)

struct ballooning {
	struct balloon_memory memory, before; /* `before`: the last decision; for a dry run */
	struct balloon_guest in;              /* what it rested on */
	struct balloon_decision last;
	bool decided;          /* in this run */
	struct hv_stats stats; /* the last whole ones */
	usec_t stats_at;       /* 0: none in this run */

	uint64_t override_kib; /* an operator's size; 0: none */
	usec_t override_until; /* boottime; USEC_INFINITY: until taken back */
	uint64_t release_kib;  /* he took it back: grow so far at once; 0: no */
	usec_t release_until;

	bool in_flight; /* a setmem, which carries out: */
	struct balloon_decision ordered;

	usec_t cpu_short_at; /* its vCPUs were last seen to wait; 0: never */
	usec_t blind_since;  /* up, and not to be seen into; 0: no */
	bool blind_told, aside_told;
	usec_t held_since;                /* somebody waits, and nothing moves; 0: no */
	unsigned grows, shrinks, returns; /* carried out since the daemon began; returns: growth
					   * that gave loans back, counted in grows too */
};

struct pool {
	struct balloon_pool_memory memory, before;
	struct balloon_pool in; /* what the last decision rested on */
	struct balloon_outcome outcome;
	bool decided;
	usec_t due;
	usec_t began,
		collecting; /* the round that is under way, and until when it waits; 0: none */
	struct balloon_seat *seats;
	unsigned n_seats; /* room */
	bool pressed_told, degraded_told, blind_told;
};

void pool_free(struct pool *pool); /* its content */

/* The beginning of a round: wants everybody's statistics. To be called before the guests' turn. */
void ballooning_collect(struct supervisor *s, usec_t now);
/* Its end, once they are there. After the guests' turn; returns when to be called again. */
usec_t ballooning_decide(struct supervisor *s, usec_t now);
/* Decide as soon as may be: something was configured or asked for. */
void ballooning_hurry(struct supervisor *s, usec_t now);

/* New statistics came. */
void ballooning_stats(struct guest *g, usec_t now);
/* The hypervisor answered a setmem. */
void ballooning_answered(struct guest *g, int error, const char *message, usec_t now);
/* Another boot begins, in the QEMU of the boot before or not; the run is over. */
void ballooning_boot(struct guest *g, bool same_qemu);
void ballooning_forget(struct guest *g);

/* An operator's size, until then; 0 KiB: automatic again, and the guest gets back at once what the
 * host can spare without being pressed. */
void ballooning_override(struct guest *g, uint64_t kib, usec_t until, usec_t now);

/* What would be decided for everybody on the last statistics, were nobody overridden and every
 * guest automatic. Changes nothing. 0 and the guest's decision; -ENODATA before the first round;
 * -ENOMEM. */
int ballooning_dry_run(
	const struct guest *g, struct balloon_decision *ret, struct balloon_outcome *ret_outcome);

/* The guest's inputs as they are now. */
void ballooning_input(const struct guest *g, usec_t now, struct balloon_guest *ret);

void ballooning_to_state(const struct guest *g, struct state_record *ret);
void ballooning_from_state(struct guest *g, const struct state_record *record, usec_t now);

/* For the two files of this module. */

/* Events, decisions for `why`, and answers to who waits, of the round that was decided. */
void ballooning_tell(struct supervisor *s, usec_t now);
/* An order goes out. */
void ballooning_tell_order(struct guest *g, const struct balloon_decision *d);
/* The guest's own size, as far as Memory= and the running domain allow. */
uint64_t ballooning_limit(const struct guest *g);

#endif
