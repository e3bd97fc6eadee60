/* SPDX-License-Identifier: Apache-2.0 */
/* The watch over one guest's boot: is it dead, is it late, what did it teach, and what does
 * cloud-init say.
 *
 * What is done about a boot that is past its deadline (policy/boottime) depends on what could be
 * lost. A kernel that has spoken and has not come to its first program has no writable disk: such a
 * boot is ended like a dead one, though never sooner than BOOT_SILENT_AFTER. So is one that the
 * serial line calls panicked, once its disk was left alone (policy/boot). Anything later is
 * *stuck*: that is said in the reason, as an event and in the journal, with the stage and the last
 * lines of the console, and nothing is cut off. With OnStuck=restart the guest is asked to power
 * off, by the agent and by the button, for as long as [Shutdown] Timeout=; if it does, that counts
 * as a fault (boot-stuck) and is started again by the restart policy; if it does not, or if the
 * policy's budget is spent already, it stays as it is, and stuck. */
#ifndef MEDIAKIT_CORE_BOOTWATCH_H
#define MEDIAKIT_CORE_BOOTWATCH_H

#include "model/cloudinit_status.h"
#include "policy/boottime.h"

#include <time.h>

struct guest;
struct state_record;

/* Looked at this often while a boot runs: the agent and the services are seen to have moved, and
 * time that the host slept is noticed to within this. */
#define BOOTWATCH_EVERY (5 * USEC_PER_SEC)

struct bootwatch {
	struct boottime learned;
	char key[80];       /* disk and seed of this boot; "" unknown */
	char known_key[80]; /* of the last one that came up */
	bool whole;         /* watched from its beginning without a break: worth learning from */
	bool was_starved;   /* by the host, at some time in this boot */
	bool agent_seen;    /* in this boot */
	unsigned most_up;   /* services that answered at one time in this boot */
	unsigned cloudinit_steps, cloudinit_told;
	usec_t looked_at;
	struct timespec disk_mtime; /* as it was last seen; 0: it was not */
	usec_t expected; /* from its beginning to its end; 0: unknown, or begun unseen */
	usec_t deadline; /* as it was last reckoned; USEC_INFINITY: none */
	bool stuck;
	unsigned stuck_steps; /* the boot's, when it became so */
	char words[256];      /* that say so */
	/* OnStuck=restart: since when it is asked to go down; 0: it is not. Once for each boot. */
	usec_t asked_since, ask_next;
	bool asked_enough;
	struct cloudinit_status cloudinit;
};

/* A boot begins. `whole`: it is seen from its beginning. */
void bootwatch_begin(struct guest *g, bool whole, usec_t now);
/* At boot_due, which it sets anew. */
void bootwatch_run(struct guest *g, usec_t now);
/* It reached another stage: tells of it. */
void bootwatch_moved(struct guest *g);
/* The guest is ready: the boot is over, and taught what it did. */
void bootwatch_ready(struct guest *g, usec_t now);
/* cloud-init's word, of this boot. */
void bootwatch_cloudinit(struct guest *g, const struct cloudinit_status *status, usec_t now);

/* It powered itself off because a stuck boot was asked to. */
bool bootwatch_asked_down(const struct guest *g);

void bootwatch_to_state(const struct guest *g, struct state_record *ret);
void bootwatch_from_state(struct guest *g, const struct state_record *record);

#endif
