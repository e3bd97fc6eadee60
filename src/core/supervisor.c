/* SPDX-License-Identifier: Apache-2.0 */
/* All guests, and the routing of what comes in to the one it is about. */
#include "core/supervisor.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memstream.h"
#include "core/life.h"
#include "core/probing.h"
#include "core/record.h"
#include "io/confdir.h"

#include <errno.h>
#include <string.h>

/* The services of the guest's spec; of the old ones, those of the same name keep their probe. */
static void take_services(struct guest *g, const struct guest_spec *spec)
{
	struct service old[SPEC_SERVICES_MAX];
	unsigned n_old = g->n_services;

	memcpy(old, g->services, sizeof(old));
	g->n_services = spec->n_services;
	for (unsigned i = 0; i < spec->n_services; i++) {
		struct service *s = &g->services[i];
		*s = (struct service){ .guest = g, .spec = &spec->services[i], .dirty = true };
		probe_init(&s->probe);
		for (unsigned k = 0; k < n_old; k++) {
			if (strcmp(old[k].spec->name, s->spec->name) != 0)
				continue;
			*s = old[k];
			s->spec = &spec->services[i];
		}
	}
	probing_find_forwards(g);
}

static struct guest *guest_new(
	struct supervisor *s, const struct guest_spec *spec, unsigned index, usec_t now)
{
	struct guest *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->supervisor = s;
	g->spec = spec;
	g->index = index;
	g->lock_fd = -1;
	g->want = spec->autostart ? WANT_UP : WANT_DOWN;
	g->state = GUEST_STOPPED;
	g->state_since = now;
	g->state_since_realtime = g->healthy_since_realtime = now_realtime();
	g->read_due = now;
	g->stats_due = g->retry_due = g->boot_due = g->ready_due = g->ladder_due = g->agent_due =
		g->save_due = USEC_INFINITY;
	g->dirty = true;
	agent_drop(g);
	saving_init(g);
	snapshotting_init(g);
	take_services(g, spec);
	/* Where no state file says otherwise. */
	probing_forward(g);
	event_restore(s, g);
	record_load(g, now);
	return g;
}

/* Guests of the new spec, in its order; those of the same name are carried over with all they are.
 */
static int take_guests(struct supervisor *s, const struct spec *spec, usec_t now)
{
	struct guest **list = calloc(spec->n_guests + 1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	/* All that can fail comes first, so that a failure leaves the old list whole. */
	for (unsigned i = 0; i < spec->n_guests; i++) {
		list[i] = supervisor_find(s, spec->guests[i].name);
		if (list[i])
			continue;
		list[i] = guest_new(s, &spec->guests[i], i, now);
		if (!list[i]) {
			for (unsigned k = 0; k < i; k++)
				if (!supervisor_find(s, spec->guests[k].name))
					guest_free(list[k]);
			free(list);
			return -ENOMEM;
		}
	}
	for (unsigned k = 0; k < s->n_guests; k++) {
		struct guest *g = s->guests[k];
		bool stays = false;
		for (unsigned i = 0; i < spec->n_guests; i++)
			stays |= list[i] == g;
		if (stays)
			continue;
		event_note(g, EVENT_DAEMON, NULL, LOG_NOTICE, "removed from the configuration%s",
			guest_state_has_qemu(g->state) ? "; it goes on running, unwatched" : "");
		snapshotting_retire(g);
		s->config.hv->vtable->forget(s->config.hv, g->spec->uuid);
		guest_retire(g);
		g->next_removed = s->removed;
		s->removed = g;
	}
	free(s->guests);
	s->guests = list;
	s->n_guests = spec->n_guests;
	return 0;
}

struct guest *supervisor_find(struct supervisor *s, const char *name)
{
	for (unsigned i = 0; i < s->n_guests; i++)
		if (strcmp(s->guests[i]->spec->name, name) == 0)
			return s->guests[i];
	return NULL;
}

static struct guest *find_uuid(struct supervisor *s, const char *uuid)
{
	for (unsigned i = 0; uuid && i < s->n_guests; i++)
		if (strcmp(s->guests[i]->spec->uuid, uuid) == 0)
			return s->guests[i];
	return NULL;
}

static void take_connection(struct supervisor *s, bool connected, const char *message, usec_t now)
{
	s->dirty = true;
	s->hv_since_realtime = now_realtime();
	for (unsigned i = 0; i < s->n_guests; i++) {
		s->guests[i]->boot_id_doubt = true;
		/* Whoever waits reads why, and the newest why. */
		if (!connected && s->guests[i]->start_waits)
			s->guests[i]->news |= NEWS_ASKED_START;
	}
	if (!connected) {
		event_note_daemon(s, EVENT_HYPERVISOR, LOG_WARNING,
			"libvirt (%s) is away: %s; probing goes on, states stand",
			s->spec->connection, message ? message : "no reason given");
		return;
	}
	event_note_daemon(s, EVENT_HYPERVISOR, LOG_INFO, "connected to %s", s->spec->connection);
	/* Events may have been lost: everything is read anew. */
	for (unsigned i = 0; i < s->n_guests; i++)
		s->guests[i]->read_due = now;
}

static void hv_event(void *userdata, const struct hv_event *event, usec_t now)
{
	struct supervisor *s = userdata;
	struct guest *g = find_uuid(s, event->uuid);

	if (event->hint == HV_HINT_CONNECTED || event->hint == HV_HINT_DISCONNECTED)
		take_connection(s, event->hint == HV_HINT_CONNECTED, event->message, now);
	if (!g)
		return;
	evidence_hint(g, event->hint);
	switch (event->hint) {
	case HV_HINT_RESET:
		g->news |= NEWS_RESET;
		break;
	case HV_HINT_PANICKED:
		g->news |= NEWS_PANIC;
		break;
	case HV_HINT_WATCHDOG:
		g->news |= NEWS_WATCHDOG;
		break;
	case HV_HINT_DISK:
		diskpause_reported(g);
		break;
	case HV_HINT_BALLOON:
		g->stats_due = now;
		break;
	default:
		break;
	}
	g->read_due = now;
}

static void hv_console(
	void *userdata, const char *uuid, const void *data, size_t len, uint64_t lost, usec_t now)
{
	struct guest *g = find_uuid(userdata, uuid);

	if (g)
		life_console(g, data, len, lost, now);
}

static void read_host_boot_id(struct supervisor *s)
{
	CLEANUP_FREE char *text = NULL;

	if (file_read("/proc/sys/kernel/random/boot_id", 64, &text, NULL) == 0)
		(void)snprintf(s->host_boot_id, sizeof(s->host_boot_id), "%.36s", text);
}

int supervisor_new(const struct supervisor_config *config, usec_t now, struct supervisor **ret)
{
	struct supervisor *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->config = *config;
	s->spec = config->spec;
	s->config.spec = NULL; /* a reload replaces it: there is one place to look */
	s->began_realtime = s->hv_since_realtime = now_realtime();
	s->end_by = USEC_INFINITY;
	s->dirty = true;
	read_host_boot_id(s);
	s->config_dir = config->config_dir ? strdup(config->config_dir) : NULL;
	event_restore(s, NULL);
	int r = take_guests(s, s->spec, now);
	if (r < 0) {
		s->spec = NULL; /* not taken over */
		supervisor_free(s);
		return r;
	}
	const struct hv_observer observer = {
		.event = hv_event, .console = hv_console, .userdata = s
	};
	config->hv->vtable->observe(config->hv, &observer);
	for (unsigned i = 0; i < s->n_guests; i++)
		image_read(s->guests[i]);
	event_begin(s);
	event_note_daemon(s, EVENT_DAEMON, LOG_INFO, "began, with %u guest%s", s->n_guests,
		s->n_guests == 1 ? "" : "s");
	*ret = s;
	return 0;
}

static void free_removed(struct supervisor *s, bool all)
{
	for (struct guest **at = &s->removed; *at;) {
		struct guest *g = *at;
		if (g->hv_in_flight > 0 && !all) {
			at = &g->next_removed;
			continue;
		}
		*at = g->next_removed;
		guest_free(g);
	}
}

void supervisor_free(struct supervisor *s)
{
	if (!s)
		return;
	free_removed(s, true);
	for (unsigned i = 0; i < s->n_guests; i++) {
		record_save(s->guests[i]);
		guest_free(s->guests[i]);
	}
	event_flush(s, NULL);
	events_free(&s->events);
	pool_free(&s->pool);
	free(s->guests);
	spec_free(s->spec);
	free(s->config_dir);
	free(s);
}

void supervisor_observe(struct supervisor *s, const struct supervisor_observer *observer)
{
	s->observer = *observer;
}

static void note_wedged(struct supervisor *s, unsigned queues)
{
	if (queues > 0)
		event_note_daemon(s, EVENT_HYPERVISOR, LOG_WARNING,
			"calls to libvirt about %u guest%s do not return; the others go on", queues,
			queues == 1 ? "" : "s");
	else
		event_note_daemon(
			s, EVENT_HYPERVISOR, LOG_NOTICE, "all calls to libvirt return again");
}

usec_t supervisor_run(struct supervisor *s, usec_t now)
{
	struct hv_health health;
	usec_t next = s->end_by;
	bool dirty = false;

	ballooning_collect(s, now);
	for (unsigned i = 0; i < s->n_guests; i++)
		next = MIN(next, life_run(s->guests[i], now));
	next = MIN(next, ballooning_decide(s, now));
	for (unsigned i = 0; i < s->n_guests; i++) {
		const struct guest *g = s->guests[i];
		dirty |= g->dirty;
		for (unsigned k = 0; k < g->n_services && !dirty; k++)
			dirty = g->services[k].dirty;
	}
	free_removed(s, false);
	s->config.hv->vtable->health(s->config.hv, &health);
	if (health.connected != s->hv_health.connected ||
		health.wedged_queues != s->hv_health.wedged_queues) {
		s->dirty = true;
	}
	if (health.wedged_queues != s->hv_health.wedged_queues)
		note_wedged(s, health.wedged_queues);
	s->hv_health = health;
	next = MIN(next, event_tick(s, NULL, now));
	if ((dirty || s->dirty) && s->observer.changed)
		s->observer.changed(s->observer.userdata, s);
	return next;
}

void supervisor_end(struct supervisor *s, usec_t now)
{
	s->end_by = MIN(s->end_by, usec_add(now, SUPERVISOR_ENDING_MAX));
	for (unsigned i = 0; i < s->n_guests; i++)
		snapshotting_wind_up(s->guests[i], now);
}

bool supervisor_is_ending(const struct supervisor *s)
{
	return s->end_by != USEC_INFINITY;
}

bool supervisor_may_end(const struct supervisor *s, usec_t now)
{
	bool owed = false;

	for (unsigned i = 0; i < s->n_guests && now < s->end_by; i++)
		owed |= snapshotting_busy(s->guests[i]);
	return supervisor_is_ending(s) && !owed;
}

struct diff_report {
	FILE *f;
	unsigned n;
};

static void report_change(void *userdata, const struct conf_change *change)
{
	struct diff_report *report = userdata;
	static const char *const when[CONF_EFFECT_NUM] = {
		[CONF_LIVE] = "live now",
		[CONF_NEXT_BOOT] = "at the guest's next boot",
		[CONF_RESTART_DAEMON] = "when mediakitd is restarted",
		[CONF_PROVISION] = "after `mediakitd provision`",
	};

	report->n++;
	fprintf(report->f, "%s%s%s%s%s: %s\n", change->guest ? change->guest : "mediakitd",
		change->service ? ": " : "", change->service ? change->service : "", ": ",
		change->key, when[change->effect]);
}

static char *describe_changes(const struct spec *from, const struct spec *to)
{
	char *text = NULL;
	struct memstream m;
	struct diff_report report = { .f = memstream_open(&m) };

	if (report.f)
		conf_diff(from, to, report_change, &report);
	if (report.f && report.n == 0)
		fputs("nothing changed\n", report.f);
	(void)memstream_close(&m, &text, NULL);
	return text;
}

/* A guest that was removed while it runs is no longer watched, and goes on running. */
static void bind_specs(struct supervisor *s, usec_t now)
{
	for (unsigned i = 0; i < s->n_guests; i++) {
		struct guest *g = s->guests[i];
		const struct guest_spec *spec = &s->spec->guests[i];
		bool kept = g->spec != spec;
		/* Questions in flight hold pointers to services that move. */
		if (kept && guest_state_probes(g->state))
			probing_drop(g);
		g->spec = spec;
		g->index = i;
		if (kept)
			take_services(g, spec);
		if (kept && guest_state_probes(g->state))
			probing_adopt(g, now);
		cputune_reload(g, now);
		image_read(g);
		g->news |= NEWS_HEALTH;
		g->dirty = true;
	}
	ballooning_hurry(s, now);
}

int supervisor_reload(
	struct supervisor *s, usec_t now, struct conf_faults *faults, char **ret_report)
{
	struct spec *spec = NULL;

	/* The directories are those of this process, whatever the file says now. */
	int r = confdir_load(
		s->config_dir, s->spec->state_dir, s->spec->runtime_dir, &spec, faults);
	if (r < 0)
		return r;
	char *report = describe_changes(s->spec, spec);
	if (s->observer.guests_changing)
		s->observer.guests_changing(s->observer.userdata, s, false);
	r = take_guests(s, spec, now);
	if (r == 0) {
		struct spec *old = s->spec;
		s->spec = spec;
		bind_specs(s, now);
		spec_free(old);
		event_note_daemon(s, EVENT_DAEMON, LOG_NOTICE, "configuration reloaded");
	} else {
		spec_free(spec);
	}
	if (s->observer.guests_changing)
		s->observer.guests_changing(s->observer.userdata, s, true);
	if (r < 0) {
		free(report);
		return r;
	}
	*ret_report = report;
	return 0;
}
