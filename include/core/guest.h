/* SPDX-License-Identifier: Apache-2.0 */
/* One supervised guest: its state, its services, and the one setter per state field. Owned and
 * changed by core; the bus reads the fields and calls the requests at the end. */
#ifndef MEDIAKIT_CORE_GUEST_H
#define MEDIAKIT_CORE_GUEST_H

#include "core/agent.h"
#include "core/ballooning.h"
#include "core/bootwatch.h"
#include "core/console.h"
#include "core/cputune.h"
#include "core/diskpause.h"
#include "core/event.h"
#include "core/evidence.h"
#include "core/hearing.h"
#include "core/image.h"
#include "core/operation.h"
#include "core/remedy.h"
#include "core/saving.h"
#include "core/snapshotting.h"
#include "core/starving.h"
#include "core/tally.h"
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

enum guest_news {
	NEWS_FACTS = 1 << 0,     /* guest->facts were read */
	NEWS_START = 1 << 1,     /* the start was answered: start_error, start_message */
	NEWS_RESET = 1 << 2,     /* the guest rebooted itself */
	NEWS_PANIC = 1 << 3,     /* pvpanic */
	NEWS_USERSPACE = 1 << 4, /* a sign that the guest's userspace runs */
	NEWS_READY = 1 << 5,     /* cloud-init is done */
	NEWS_BOOT_ID = 1 << 6,   /* the agent shows another boot than the one we knew */
	NEWS_HEALTH = 1 << 7,    /* a service's state or verdict changed */
	NEWS_STATS = 1 << 8,
	NEWS_WATCHDOG = 1 << 13,   /* it stopped feeding it */
	NEWS_JUDGED = 1 << 12,     /* a service was judged, and nothing changed */
	NEWS_ASKED_START = 1 << 9, /* an operator asked: taken up here, so that no request is
				      answered before it returned */
	NEWS_ASKED_STOP = 1 << 10,
	NEWS_ASKED_KILL = 1 << 11,
	NEWS_ASKED_SAVE = 1 << 15,
	NEWS_SAVED = 1 << 16,  /* its save is over, one way or the other */
	NEWS_TICKET = 1 << 17, /* what was recorded of its save, for the start that waits */
	NEWS_IMAGE = 1 << 14, /* the look at the base that a start waits for is over */
};

/* A port of the guest and the host's that leads to it. */
struct forward {
	uint16_t port, host_port;
};

struct service {
	struct guest *guest;
	const struct service_spec *spec; /* into the supervisor's current spec */
	struct probe probe;
	usec_t state_since_realtime;
	usec_t judged_at_realtime;
	bool restored; /* the verdict is from before the daemon's restart */
	uint16_t host_port; /* of the forward that leads to it; 0: there is none */
	struct service_remedy remedy;
	struct service_tally tally;
	/* the question in flight */
	struct question_slot *slot;
	bool unit_wanted,
		unit_asked; /* due for the agent's next command; part of the running one */
	char nonce[17];
	bool was_inconclusive; /* the guest was paused or stopping at some time while the question
				  was out */
	bool looked;           /* at the statistics, because it is about to be missed */
	bool dirty;
};

/* How the last run ended. */
struct exit_record {
	enum exit_cause cause;
	usec_t at_realtime;
	usec_t uptime;           /* how long it had run */
	enum shutdown_rung rung; /* of the ladder, where one ran */
	usec_t took;             /* from the request to the end, where one ran */
	char words[256];         /* one line for a person: "clean, ACPI, 4.1s" */
};

struct guest {
	struct supervisor *supervisor;
	const struct guest_spec *spec;
	struct guest
		*next_removed; /* of the supervisor's list, once removed from the configuration */
	unsigned index;        /* among the guests: staggers their probes */

	enum guest_want want;
	bool want_known; /* somebody asked, or the state file said; otherwise Autostart= decides */
	bool rests; /* it went down by itself before the daemon's restart: not to be started for
		       that */
	enum guest_state state;
	enum guest_state state_before; /* of a pause or a save */
	usec_t state_since, state_since_realtime;
	bool healthy;                  /* ready, and every active service up or degraded */
	usec_t healthy_since_realtime; /* of the present value */
	char reason[256]; /* why it is in this state, or what it waits for; printable; may be "" */

	bool seen; /* the hypervisor told us about it since the daemon began */
	usec_t seen_at;
	struct hv_facts facts; /* as last read */
	struct hv_stats stats;
	usec_t stats_at; /* 0: none */
	struct starving starving;
	usec_t started_at_realtime; /* of the present run; 0: unknown */
	unsigned boots;             /* attempts since the last success or request */

	struct boot boot;
	struct bootwatch bootwatch;
	struct shutdown ladder;
	struct hearing hearing;
	struct restart restart;
	struct evidence evidence;
	struct guest_remedy remedy;
	struct exit_record last_exit;
	bool kill_asked;
	bool start_waits; /* asked for before the first look, or while libvirt was away */
	/* NEWS_ASKED_STOP or _KILL, asked for while it is not known that nothing runs: comes again
	 * where the next look finds that it does. 0: none. */
	unsigned stop_waits;
	/* A start that a former daemon asked for may come true until then, though it was seen to be
	 * off; 0: there was none. */
	usec_t orphan_until;
	/* A start of ours may have been cut short, with QEMU created and paused; it may be resumed
	 * so often. 0 once the guest was seen to run. */
	unsigned resumes_left;
	char boot_id[37];      /* the current one; "" unknown */
	char past_boot_id[37]; /* the one before; a report that shows it is stale */
	bool boot_id_by_agent;
	bool boot_id_doubt; /* nobody looked for a while: it may have rebooted itself */
	enum boot_stage restored_stage;

	struct ballooning ballooning;
	struct cputune cputune;
	struct guest_diskpause diskpause;
	struct guest_image image;
	struct guest_saving saving;
	struct guest_snapshotting snapshotting;

	/* Timers; USEC_INFINITY when off. */
	usec_t read_due, stats_due, retry_due, boot_due, ready_due, ladder_due, agent_due, save_due;

	/* What came in since life_run() last looked. Everything asynchronous lands here and is
	 * turned into events in one place, in one order. */
	unsigned news; /* of enum guest_news */
	int start_error;
	char start_message[HV_ERROR_MAX];
	/* The answer to a start was lost, with libvirt or behind a call that does not return: it
	 * may run all the same. Until the next look. */
	bool start_lost;

	unsigned hv_in_flight;   /* requests the hypervisor has yet to answer */
	unsigned stop_in_flight; /* of the ladder's gentle rungs: 1 << enum hv_verb */
	bool start_in_flight, read_in_flight, read_again, stats_in_flight, destroy_in_flight;
	struct agent agent;

	struct events events;
	struct decisions decisions;
	struct guest_tally tally;
	struct operations operations;
	struct console console;
	int lock_fd; /* the guest's provisioning lock while QEMU may run; -1 */

	struct service services[SPEC_SERVICES_MAX];
	unsigned n_services;
	/* Those that QEMU was given at the last start that was asked for: a reload moves none of
	 * them. */
	struct forward forwards[SPEC_SERVICES_MAX];
	unsigned n_forwards;
	bool dirty;

	/* Once removed from the configuration: what is left of its spec. Embedded, so that to
	 * remove a guest cannot fail. */
	struct guest_spec retired;
	char retired_name[SPEC_NAME_MAX + 1];
};

/* One event through the table of policy/lifecycle, with its action. */
void guest_event(struct guest *g, enum guest_event event, usec_t now);
/* The setter of the state, for the few changes that no event of the table describes. */
void guest_set_state(struct guest *g, enum guest_state next, usec_t now);

/* Why it is in its state, or what it waits for; "" for nothing to tell. */
void guest_set_reason(struct guest *g, const char *text);
void guest_set_healthy(struct guest *g, bool healthy);
/* The start that waited for its save's record goes on; and one whose save the hypervisor would not
 * restore, once more. */
void guest_ticket_seen(struct guest *g, usec_t now);
void guest_start_cold(struct guest *g, usec_t now);
/* The look at its base that the start waited for is over: the start goes on, or is refused. */
void guest_image_seen(struct guest *g, usec_t now);
/* It runs without our start: watch it, and ask its services, whose states stand. */
void guest_adopt(struct guest *g, usec_t now);
/* The run is over, however: nothing of it may leak into the next. */
void guest_forget_run(struct guest *g);

/* Removed from the configuration: asks nothing more, answers who waits. What runs goes on running.
 * It may be freed once hv_in_flight is 0. */
void guest_retire(struct guest *g);

void guest_free(struct guest *g);

#endif
