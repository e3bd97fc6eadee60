/* SPDX-License-Identifier: Apache-2.0 */
/* A copy of a guest's disk while it runs: one actor for each guest, with one end. */
#ifndef MEDIAKIT_CORE_SNAPSHOTTING_H
#define MEDIAKIT_CORE_SNAPSHOTTING_H

#include "core/thawing.h"
#include "io/hv.h"
#include "io/snapshots.h"
#include "model/state.h"

struct guest;

#define SNAPSHOT_WORDS_MAX 256u

struct guest_snapshotting {
	enum snapshot_phase phase;
	bool out;     /* a call about the copy is with the hypervisor */
	bool ordered; /* something is with the files' worker */
	bool run_over; /* QEMU ended since the copy began */
	usec_t due;    /* when the phase wants to be looked at; USEC_INFINITY: an answer moves it */
	usec_t began, deadline;
	usec_t id, at_realtime;
	uint64_t copied, total; /* bytes of the disk */
	bool frozen;            /* it was begun with the guest's file systems frozen */
	char unfrozen_words[SNAPSHOT_WORDS_MAX]; /* why it was not */
	struct thawing thawing;

	/* Of ending. */
	int error;
	char words[SNAPSHOT_WORDS_MAX];
	bool begun;    /* QEMU may have been told to begin */
	usec_t answer_by; /* then the caller is answered, whatever is left to do */

	/* A save was asked for, and begins when this has ended, at the latest then a shutdown
	 * instead. USEC_INFINITY: none. */
	usec_t save_by;
	bool delete_waits; /* a deletion is under way */

	/* What is there, oldest first. */
	unsigned n;
	struct snapshot_info list[SPEC_SNAPSHOTS_MAX];
	/* How the last attempt went; 0 and "": none is known. */
	usec_t tried_realtime;
	bool failed;
	char result[SNAPSHOT_WORDS_MAX];
};

void snapshotting_init(struct guest *g);

/* 0: one can be begun now. -ESRCH, -EBUSY, -ENOTCONN, -EOPNOTSUPP, with the reason in words. */
int snapshotting_refusal(const struct guest *g, const char **ret_why);
void snapshotting_begin(struct guest *g, usec_t now);
/* 0: OPERATION_DELETE_SNAPSHOT will be answered; -errno: nothing is done. */
int snapshotting_delete(struct guest *g, usec_t id);
/* -ESRCH: none is under way that could be cancelled. */
int snapshotting_cancel(struct guest *g, const char *why, usec_t now);

/* One is under way, or what is left of it. */
bool snapshotting_busy(const struct guest *g);
/* Its end gives way to a save: NEWS_ASKED_SAVE comes again. */
void snapshotting_give_way(struct guest *g, usec_t now);
/* The agent answers nothing but what is about freezing now, or must not be kept from it. */
bool snapshotting_wants_agent(const struct guest *g);

/* The daemon ends, and with it one that is being made; a thaw that is owed is asked for at once. */
void snapshotting_wind_up(struct guest *g, usec_t now);

/* QEMU is gone. */
void snapshotting_forget_run(struct guest *g);
/* Removed from the configuration: what has been begun is called off as far as can be. */
void snapshotting_retire(struct guest *g);

usec_t snapshotting_run(struct guest *g, usec_t now);

void snapshotting_to_state(const struct guest *g, struct state_record *ret);
void snapshotting_from_state(struct guest *g, const struct state_record *r, usec_t now);

#endif
