/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a controller over a trace in simulated time: in a closed loop on model guests where the
 * trace has a demand column, else telling what would have been decided at each of its lines. */
#ifndef MEDIAKIT_POLICY_BALLOON_REPLAY_H
#define MEDIAKIT_POLICY_BALLOON_REPLAY_H

#include "policy/balloon_trace.h"

#define REPLAY_SPAN_MAX                                                                            \
	(7 * USEC_PER_DAY) /* of a closed loop, which computes four steps a second */
#define REPLAY_REPORT                                                                              \
	(2 * USEC_PER_SEC) /* QEMU's polling of guest statistics, as Proxmox sets it */
#define REPLAY_TURNS 32u

/* Who decides. `targets[i]` is the size guest i is ordered to, 0: left alone. Returns when to be
 * asked again, relative. A guest that is away has phase BALLOON_AWAY. */
struct replay_controller {
	const char *name;
	void *state;
	usec_t (*decide)(void *state, const struct balloon_pool *pool,
		const struct balloon_guest *guests, size_t n, uint64_t *targets);
	void (*booted)(void *state, size_t guest); /* or NULL */
};

struct replay_sample {
	usec_t now;
	uint64_t host_available_kib;
	int64_t returned_kib; /* what QEMU holds less than it would without a balloon, over all
				 guests */
};

struct replay_observer {
	void *userdata;
	void (*sample)(
		void *userdata, const struct replay_sample *sample); /* once a minute; or NULL */
};

struct replay_summary {
	double seconds, guest_seconds;
	double returned_mean_kib, returned_end_kib;
	double pressed_guest_s; /* something in use was not in memory, and would have been */
	double host_short_s;    /* the host had less than nothing */
	uint64_t swap_in_kib;   /* more than without a balloon */
	unsigned ooms;          /* more than without a balloon */
	unsigned turns;         /* of a balloon, while the trace asked for nothing new for 2 min */
	unsigned turns_10min;   /* the most of one guest in ten minutes */
	unsigned falls,
		falls_unmet; /* of demand by 512 MiB; not given back before the next change */
	double back_mean_s;  /* until four fifths of it were the host's */
};

struct replay_guest {
	char name[SPEC_NAME_MAX + 1];
	struct balloon_guest in;
	struct guestmem_input demand;
	uint64_t swap_kib;
	struct guestmem run, alone; /* with the controller, and without a balloon */
	bool runs;
	uint64_t swap_run, swap_alone; /* of earlier boots */
	unsigned ooms_run, ooms_alone;
	int direction;
	uint64_t mark_kib; /* size at the last movement that counted */
	usec_t turns[REPLAY_TURNS];
	unsigned n_turns;
	usec_t fell_at; /* 0: no fall is being timed */
	uint64_t fell_goal;
};

/* Large: not for the stack. */
struct replay {
	struct replay_guest guests[TRACE_GUESTS_MAX];
	struct balloon_guest in[TRACE_GUESTS_MAX];
	uint64_t targets[TRACE_GUESTS_MAX];
	size_t n;
	struct balloon_pool pool, defaults;
	uint64_t other_kib;
	usec_t changed_at; /* when the trace last asked for something else */
	double returned_sum, back_sum;
	uint64_t steps;
	struct replay_summary summary;
};

/* `defaults`: reserve and critical where the trace does not say. 0, or -EINVAL with reader->fault.
 */
int replay_run(struct replay *r, struct trace_reader *reader, const struct balloon_pool *defaults,
	const struct replay_controller *controller, const struct replay_observer *observer,
	struct replay_summary *ret);

/* Our own policy as a controller. */
struct replay_policy {
	const struct balloon_policy *policy;
	struct balloon_pool_memory pool_memory;
	struct balloon_memory memory[TRACE_GUESTS_MAX];
	struct balloon_seat seats[TRACE_GUESTS_MAX];
	struct balloon_outcome outcome;
	void *userdata;
	/* Each decision, also those to hold; or NULL. */
	void (*told)(void *userdata, usec_t now, size_t guest, const struct balloon_decision *d);
};
void replay_policy_init(struct replay_policy *p, const struct balloon_policy *policy,
	struct replay_controller *ret);

/* A recorded trace: decides at each of its times, carries nothing out. 0, or -EINVAL. Names are in
 * r->guests. */
int replay_recorded(struct replay *r, struct trace_reader *reader,
	const struct balloon_pool *defaults, const struct replay_controller *controller);

#endif
