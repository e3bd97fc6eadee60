/* SPDX-License-Identifier: Apache-2.0 */
/* Commands run in the guest by its agent: one at a time for each guest, bounded in time and output.
 * Used to read the boot_id and cloud-init's status, and to ask systemd in the guest about units.
 * The answers are the guest's word. */
#ifndef MEDIAKIT_CORE_AGENT_H
#define MEDIAKIT_CORE_AGENT_H

#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>

struct guest;

/* The guest agent has no time limit for guest-exec and goes on running a command nobody waits for,
 * so nothing new is asked until the last one ended or this long has passed. */
#define AGENT_COMMAND_MAX (30 * USEC_PER_SEC)
#define AGENT_POLL_EVERY  (500 * USEC_PER_MSEC)
/* Who was turned away comes again within a second or so; until then who asks all the time holds
 * back. */
#define AGENT_TURN (2 * USEC_PER_SEC)
/* boot_id and three files of at most CLOUDINIT_FILE_MAX, with head's headings; in base64 well below
 * HV_AGENT_BYTES_MAX. Written by the guest into a buffer of ours, never kept. */
#define AGENT_OUTPUT_MAX (28u * 1024u)
#define AGENT_ARGS_MAX   40u

/* `error` 0 with the exit status and the output (NUL-terminated, at most AGENT_OUTPUT_MAX,
 * otherwise as the guest wrote it); -ENOTCONN, -ETIMEDOUT, -EBADMSG. */
typedef void (*agent_done_t)(
	struct guest *g, int error, int exit_status, const char *output, usec_t now);

struct agent {
	bool busy;
	bool waits_for_hv; /* the hypervisor has yet to answer, even if the command was dropped
			      meanwhile */
	long pid;          /* in the guest; 0: not known yet */
	usec_t began, poll_due;
	agent_done_t done;
	bool turned_away; /* somebody was, since the last command began */
	usec_t idle_since;
};

/* -EBUSY while one runs or the guest is frozen, -ENOTCONN without an agent. `argv` ends with
 * NULL. */
int agent_run_command(struct guest *g, const char *const argv[], agent_done_t done, usec_t now);
/* Whether who asks all the time, the units' watch, is to let others come first: in a slow guest it
 * has its next question ready when the last is answered, and nobody else would ever find the agent
 * idle. It does not ask while the agent is busy either, or it would be taken for one of them. */
bool agent_yields(const struct guest *g, usec_t now);
/* Polls what runs; returns when to look again. */
usec_t agent_tick(struct guest *g, usec_t now);
/* The guest is gone or reset: nothing will answer any more. */
void agent_drop(struct guest *g);

#endif
