/* SPDX-License-Identifier: Apache-2.0 */
/* One supervised guest: its state, its services, and the one setter per state field. Owned and changed by core; the
 * bus reads the fields and calls the requests at the end. */
#ifndef MEDIAKIT_CORE_GUEST_H
#define MEDIAKIT_CORE_GUEST_H

#include "core/console.h"
#include "core/operation.h"
#include "io/hv.h"
#include "io/prober.h"
#include "model/spec.h"
#include "policy/boot.h"
#include "policy/lifecycle.h"
#include "policy/probe.h"
#include "policy/restart.h"
#include "policy/shutdown.h"

struct supervisor;
struct guest;

struct service {
	struct guest *guest;
	const struct service_spec *spec; /* into the supervisor's current spec */
	struct probe probe;
	usec_t state_since_realtime;
	usec_t judged_at_realtime;
	bool restored; /* the verdict is from before the daemon's restart */
	/* the question in flight */
	struct question_slot *slot;
	struct unit_question *unit_question;
	char nonce[17];
	bool was_inconclusive; /* the guest was paused or stopping at some time while the question was out */
	bool dirty;
};

/* How the last run ended. */
struct exit_record {
	enum exit_cause cause;
	usec_t at_realtime;
	usec_t uptime;         /* how long it had run */
	enum shutdown_rung rung; /* of the ladder, where one ran */
	usec_t took;           /* from the request to the end, where one ran */
	char words[256];       /* one line for a person: "clean, ACPI, 4.1s" */
};

struct guest {
	struct supervisor *supervisor;
	const struct guest_spec *spec;
	unsigned index;        /* among the guests: staggers their probes */

	enum guest_want want;
	bool want_known;       /* somebody asked, or the state file said; otherwise Autostart= decides */
	enum guest_state state;
	enum guest_state state_before; /* of a pause or a save */
	usec_t state_since, state_since_realtime;
	bool healthy;          /* ready, and every active service up or degraded */
	usec_t healthy_since_realtime; /* of the present value */
	char reason[256];      /* why it is in this state, or what it waits for; printable; may be "" */

	bool seen;             /* the hypervisor told us about it since the daemon began */
	usec_t seen_at;
	struct hv_facts facts; /* as last read */
	struct hv_stats stats;
	usec_t stats_at;       /* 0: none */
	usec_t started_at_realtime; /* of the present run; 0: unknown */
	unsigned boots;        /* attempts since the last success or request */

	struct boot boot;
	struct shutdown ladder;
	struct restart restart;
	struct exit_record last_exit;
	bool restarting;       /* a restart: start again once it is down */
	bool kill_asked;
	char boot_id[37];      /* the current one; "" unknown */
	char past_boot_id[37]; /* the one before; a report that shows it is stale */
	bool boot_id_by_agent;

	uint64_t balloon_target_kib; /* asked for by an operator; 0: none */

	/* timers, USEC_INFINITY when off */
	usec_t read_due, stats_due, retry_due, boot_due, ladder_due, agent_due, console_due, balloon_due, save_due;
	unsigned reads_in_flight;
	bool stats_in_flight, start_in_flight, destroy_in_flight, acpi_in_flight, agent_in_flight;
	bool read_again;

	struct operations operations;
	struct console console;
	int lock_fd;           /* the guest's provisioning lock while QEMU may run; -1 */

	struct service services[SPEC_SERVICES_MAX];
	unsigned n_services;
	bool dirty;
};

/* Requests of the bus. Each answers `done` exactly once: at once through the return value (then `done` is not called:
 * -errno with words in `message`), or later. *ret_op may be used to forget the caller. Errors: -EBUSY, -EALREADY
 * (it is so already: answered 0 with a message instead), -ENOENT not provisioned, -EADDRINUSE a port is
 * taken, -EPERM latched failed. */
struct request {
	enum operation_kind kind;
	uint64_t kib;          /* OPERATION_BALLOON: the size; 0: auto, i.e. the maximum */
	operation_done_t done;
	void *userdata;
};
#define REQUEST_MESSAGE_MAX 512u
int guest_request(struct guest *g, const struct request *request, usec_t now,
	char message[static REQUEST_MESSAGE_MAX], struct operation **ret_op);
int guest_reset_failed(struct guest *g, usec_t now);

#endif
