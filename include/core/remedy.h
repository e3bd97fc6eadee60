/* SPDX-License-Identifier: Apache-2.0 */
/* Healing: restarts a service's unit through the guest's agent, and a guest by shutting it down and
 * starting it, as policy/remedy decides. */
#ifndef MEDIAKIT_CORE_REMEDY_H
#define MEDIAKIT_CORE_REMEDY_H

#include "policy/remedy.h"
#include "policy/restart.h"

struct guest;
struct service;

/* Of a service. */
struct service_remedy {
	struct remedy_unit policy;
	bool asked; /* the agent was told to restart its unit, and has not answered */
	/* What `why` was told last, so that it is told changes alone. `held` is static storage. */
	enum remedy_step told;
	const char *held;
};

/* Of a guest. */
struct guest_remedy {
	usec_t quorum_since;
	enum remedy_step told;
	const char *held;
	enum exit_cause ending; /* CAUSE_NONE, or why we are stopping it */
	char words[96];         /* the same for people */
};

/* Looks at all of the guest's services; returns when to look again. */
usec_t remedy_run(struct guest *g, usec_t now);
/* The guest stopped feeding its watchdog. */
void remedy_watchdog(struct guest *g, usec_t now);

/* Nobody waits any more for what the agent was told. */
void remedy_drop(struct guest *g);
/* An operator asked for something else: if it is being stopped, it is for that. */
void remedy_superseded(struct guest *g);
/* All budgets anew: after reset-failed and an operator's start. */
void remedy_clear(struct guest *g);

#endif
