/* SPDX-License-Identifier: Apache-2.0 */
/* One guest's life.
 *
 * Theory of operation: everything asynchronous (answers of the hypervisor, of services, of the
 * agent, serial bytes) lands in the guest's fields and in `news`. life_run() is called after every
 * dispatch; it has core/news turn news into events in one fixed order, events go through the table
 * of policy/lifecycle, and core/guest does the table's actions, which put new requests. So there is
 * one place where the state changes, one where events are made, and no callback that finds the
 * guest half-way through another change. */
#include "core/life.h"

#include "base/log.h"
#include "core/hvlink.h"
#include "core/news.h"
#include "core/probing.h"
#include "core/record.h"
#include "core/restarting.h"
#include "core/stopping.h"
#include "core/supervisor.h"
#include "model/cloudinit_status.h"

#include <errno.h>
#include <string.h>

/* Events are hints, so what runs is read again this often even if nothing happens. */
#define READ_EVERY  (15 * USEC_PER_SEC)
#define STATS_EVERY (5 * USEC_PER_SEC)
/* The boot_id and cloud-init's result are asked for this often until both are known; the boot_id
 * again this often afterwards, in case a reset event was missed. */
#define AGENT_EVERY      (5 * USEC_PER_SEC)
#define AGENT_CALM_EVERY (60 * USEC_PER_SEC)
/* While the agent has another command, units' for one: it comes as regularly as this, and would
 * stand in the way for ever. */
#define AGENT_BUSY_EVERY (1 * USEC_PER_SEC)
#define RETRY_WHEN_AWAY  (5 * USEC_PER_SEC)
#define SAVE_AGAIN       (10 * USEC_PER_SEC)

/* The boot_id, and how far cloud-init is. */
static void identity_answered(
	struct guest *g, int error, int exit_status, const char *output, usec_t now)
{
	struct cloudinit_status status;
	char id[sizeof(g->boot_id)];

	(void)exit_status; /* not zero while one of the files is not there */
	if (error != 0 || cloudinit_status_parse(output, id, &status) < 0)
		return;
	if (g->boot_id[0] && strcmp(g->boot_id, id) != 0 && g->boot_id_by_agent) {
		/* A boot that nobody told us of. The id we have is the past one now; the new one is
		 * asked for again at once, by that boot. */
		g->news |= NEWS_BOOT_ID;
		return;
	}
	if (strcmp(g->boot_id, id) != 0 || !g->boot_id_by_agent) {
		memcpy(g->boot_id, id, sizeof(id));
		g->boot_id_by_agent = true;
		g->dirty = true;
	}
	bootwatch_cloudinit(g, &status, now);
	if (cloudinit_state_over(status.state))
		g->news |= NEWS_READY;
}

static void ask_identity(struct guest *g, usec_t now)
{
	/* The serial line may have said before the agent that cloud-init is through. */
	bool told = g->bootwatch.cloudinit.state != CLOUDINIT_RUNNING;
	bool calm = told && g->boot_id_by_agent && g->state == GUEST_READY &&
		    !hearing_wants_agent(g) && !image_wants_agent(g);

	g->agent_due = usec_add(now, calm ? AGENT_CALM_EVERY : AGENT_EVERY);
	if (!g->facts.agent_connected || hearing_ask(g, now) || image_ask(g, now))
		return;
	if (agent_run_command(g, cloudinit_status_command, identity_answered, now) == -EBUSY)
		g->agent_due = usec_add(now, AGENT_BUSY_EVERY);
}

static void run_timers(struct guest *g, usec_t now)
{
	struct store *store = g->supervisor->config.store;

	if (now >= g->ready_due) {
		g->ready_due = USEC_INFINITY;
		guest_event(g, GUEST_EV_READY, now);
	}
	if (now >= g->boot_due)
		bootwatch_run(g, now);
	if (now >= g->ladder_due)
		stopping_climb(g, now);
	/* While libvirt is away an attempt would fail for that alone, and use up the guest's
	 * budget. */
	if (now >= g->retry_due && !g->supervisor->hv_health.connected) {
		g->retry_due = usec_add(now, RETRY_WHEN_AWAY);
	} else if (now >= g->retry_due) {
		g->retry_due = USEC_INFINITY;
		guest_event(g, GUEST_EV_RETRY_DUE, now);
	}
	if (now >= g->read_due) {
		g->read_due = usec_add(now, READ_EVERY);
		hvlink_read(g, now);
	}
	if (now >= g->stats_due) {
		g->stats_due = usec_add(now, STATS_EVERY);
		hvlink_stats(g, now);
	}
	if (now >= g->agent_due)
		ask_identity(g, now);
	if (now >= g->save_due) {
		g->save_due = USEC_INFINITY;
		record_save(g);
	}
	/* A disk that was full or hung may have missed what a guest at rest will not say again. */
	if (store->vtable->trouble(store)[0])
		g->save_due = MIN(g->save_due, usec_add(now, SAVE_AGAIN));
}

usec_t life_run(struct guest *g, usec_t now)
{
	/* An event may make news itself (a start refused at once). Four rounds are more than any
	 * chain of the table takes; what is left is taken at the next call, at once. */
	for (unsigned i = 0; i < 4 && g->news; i++)
		news_take(g, now);
	run_timers(g, now);
	usec_t remedy_due = remedy_run(g, now);
	const usec_t dues[] = {
		remedy_due,
		probing_run(g, now),
		agent_tick(g, now),
		operations_expire(&g->operations, now),
		starving_run(g, now),
		cputune_run(g, now),
		diskpause_run(g, now),
		restarting_watch(g, now),
		saving_run(g, now),
		snapshotting_run(g, now),
		event_tick(g->supervisor, g, now),
		g->boot_due,
		g->ready_due,
		g->ladder_due,
		g->retry_due,
		g->read_due,
		g->stats_due,
		g->agent_due,
		g->save_due,
	};
	usec_t next = USEC_INFINITY;
	for (size_t i = 0; i < ARRAY_SIZE(dues); i++)
		next = MIN(next, dues[i]);
	return g->news ? now : next;
}

void life_console(struct guest *g, const void *data, size_t len, uint64_t lost, usec_t now)
{
	struct store *store = g->supervisor->config.store;

	console_write(&g->console, data, len, lost);
	store->vtable->console(store, g->spec->name, data, len);
	if (!guest_state_has_qemu(g->state))
		return;
	hearing_console(g, data, len);
	bool panicked = g->boot.panicked;
	if (boot_console(&g->boot, data, len, now)) {
		bootwatch_moved(g);
		probing_progress(g, now);
	}
	if (g->boot.panicked && !panicked) {
		event_note(
			g, EVENT_BOOT, NULL, LOG_WARNING, "the serial line says: %s", g->boot.hint);
		g->boot_due = now;
		g->dirty = true;
	}
	if (g->state == GUEST_BOOTING && g->boot_due == USEC_INFINITY)
		g->boot_due = now;
	if (g->boot.stage >= BOOT_SERVICES)
		g->news |= NEWS_USERSPACE;
	if (g->boot.finished_mark)
		g->news |= NEWS_READY;
}
