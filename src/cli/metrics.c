/* SPDX-License-Identifier: Apache-2.0 */
/* Which metrics there are: one table of families. Every family's head is written even where nothing
 * is known to put below it, so that the names can be looked up in any answer. */
#include "cli/metrics.h"

#include "base/macro.h"
#include "cli/exposition.h"

#include <string.h>

const char *const metrics_guest_states[] = { "absent", "stopped", "starting", "booting", "running",
	"ready", "stopping", "saving", "paused", "crashed", "failed", NULL };
const char *const metrics_service_states[] = { "unknown", "starting", "up", "degraded", "down",
	NULL };

static struct number count(uint64_t n)
{
	return (struct number){ NUMBER_COUNT, n };
}

static struct number span(usec_t usec)
{
	return (struct number){ NUMBER_USEC, usec };
}

/* A point in time, or none. */
static struct number at(usec_t realtime)
{
	return (struct number){ realtime ? NUMBER_USEC : NUMBER_ABSENT, realtime };
}

static struct number kib(uint64_t n)
{
	/* More than 2^53 KiB is no size of anything. */
	return (struct number){ n > UINT64_C(1) << 53 ? NUMBER_ABSENT : NUMBER_KIB, n };
}

/* A size for which 0 stands for unknown. */
static struct number kib_or_none(uint64_t n)
{
	return kib(n ? n : VIEW_ABSENT);
}

static struct number only_if(bool known, struct number n)
{
	return known ? n : (struct number){ NUMBER_ABSENT, 0 };
}

/* What a row's expression may name. */
struct subject {
	const struct metrics *m;
	const struct view *v;
	const struct view_guest *g;
	const struct guest_counters *gc; /* NULL: not told */
	const struct view_service *s;
	const struct service_counters *sc; /* NULL: not told */
};

#define VALUE(name, expr)                                                                          \
	static struct number value_##name(const struct subject *i)                                 \
	{                                                                                          \
		return expr;                                                                       \
	}

static bool is_word(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static bool os_is_up(const struct view_guest *g)
{
	return is_word(g->state, "running") || is_word(g->state, "ready");
}

static unsigned active(const struct view_guest *g, bool only_up)
{
	unsigned up, all;

	view_count(g, &up, &all);
	return only_up ? up : all;
}

static bool judged(const struct view_service *s)
{
	return s->verdict[0] && !is_word(s->verdict, "none");
}

VALUE(began, at(i->v->began))
VALUE(connected, count(i->v->connected))
VALUE(connection_since, at(i->v->connection_since))
VALUE(wedged_queues, count(i->v->wedged_queues))
VALUE(store_failed, count(i->v->store_trouble[0] != '\0'))
VALUE(pool_reserve, kib(i->v->pool_reserve))
VALUE(pool_critical, kib(i->v->pool_critical))
VALUE(taken, at(i->m->taken_realtime))
VALUE(asking, span(i->m->asking))

VALUE(guest_up, count(os_is_up(i->g)))
VALUE(guest_wanted, count(is_word(i->g->want, "up")))
VALUE(guest_healthy, count(i->g->healthy))
VALUE(guest_healthy_since, at(i->g->healthy_since))
VALUE(guest_state_since, at(i->g->state_since))
VALUE(guest_started, at(i->g->started_at))
VALUE(guest_active, count(active(i->g, false)))
VALUE(guest_active_up, count(active(i->g, true)))
VALUE(guest_configured, kib_or_none(i->g->memory_configured))
VALUE(guest_actual, kib(i->g->memory_actual))
VALUE(guest_maximum, kib(i->g->memory_maximum))
VALUE(guest_usable, kib(i->g->memory_usable))
VALUE(guest_available, kib(i->g->memory_available))
VALUE(guest_rss, kib(i->g->memory_rss))
VALUE(guest_target, kib_or_none(i->g->balloon_target))
VALUE(guest_floor, kib_or_none(i->g->balloon_floor))
VALUE(balloon_grows, count(i->g->balloon_grows))
VALUE(balloon_shrinks, count(i->g->balloon_shrinks))
VALUE(balloon_returns, count(i->g->balloon_returns))
VALUE(guest_stats_at, at(i->g->stats_at))
VALUE(guest_starved, count(i->g->starved))
VALUE(guest_wedged, count(i->g->wedged))
VALUE(guest_agent, count(i->g->agent))
VALUE(guest_stuck, count(i->g->boot_stuck))
VALUE(guest_ci_errors, count(i->g->cloudinit_errors))
VALUE(guest_ci_warnings, count(i->g->cloudinit_warnings))
VALUE(guest_faults, count(i->g->faults))
VALUE(guest_fault_limit, count(i->g->fault_limit))
VALUE(guest_boots, only_if(i->gc, count(i->gc ? i->gc->boots : 0)))
VALUE(guest_restarts, only_if(i->gc, count(i->gc ? i->gc->restarts : 0)))
VALUE(guest_exit_at, at(i->g->exit_at))
VALUE(guest_snapshot_at, at(i->g->snapshot_at))
VALUE(guest_snapshot_failed, only_if(i->g->snapshot_tried != 0, count(i->g->snapshot_failed)))
VALUE(guest_snapshots, count(i->g->snapshots))

VALUE(service_up, count(view_service_up(i->s)))
VALUE(service_expected, count(view_service_counts(i->s)))
VALUE(service_watched, count(i->s->watched))
VALUE(service_proven, count(i->s->proven))
VALUE(service_since, at(i->s->state_since))
VALUE(probe_duration, only_if(judged(i->s), span(i->s->latency)))
VALUE(probe_at, only_if(judged(i->s), at(i->s->verdict_at)))
VALUE(probe_time, only_if(i->sc, span(i->sc ? i->sc->spent : 0)))

/* Families with labels of their own ---- */

static const struct label nothing[] = { { NULL, NULL } };

static void build_info(struct exposition *e, const struct subject *i)
{
	const struct label labels[] = { { "version", i->v->version }, { NULL, NULL } };

	exposition_sample(e, labels, count(1));
}

static void guest_info(struct exposition *e, const struct subject *i)
{
	const struct label labels[] = { { "guest", i->g->name }, { "uuid", i->g->uuid },
		{ "accelerator", i->g->accelerator }, { "arch", i->g->arch }, { NULL, NULL } };

	exposition_sample(e, labels, count(1));
}

static void one_of(struct exposition *e, const struct subject *i, const char *label,
	const char *word, bool present)
{
	const struct label of_guest[] = { { "guest", i->g->name }, { label, word },
		{ NULL, NULL } };
	const struct label of_service[] = { { "guest", i->g->name },
		{ "service", i->s ? i->s->name : "" }, { label, word }, { NULL, NULL } };

	exposition_sample(e, i->s ? of_service : of_guest, count(present));
}

static void guest_state(struct exposition *e, const struct subject *i)
{
	for (const char *const *word = metrics_guest_states; *word; word++)
		one_of(e, i, "state", *word, is_word(*word, i->g->state));
}

static void guest_stage(struct exposition *e, const struct subject *i)
{
	if (i->g->boot_stage[0])
		one_of(e, i, "stage", i->g->boot_stage, true);
}

/* The policy's word, one of some thirty: a reason for an alert to name. */
static void guest_balloon(struct exposition *e, const struct subject *i)
{
	if (i->g->balloon_reason[0])
		one_of(e, i, "reason", i->g->balloon_reason, true);
}

static void guest_last_exit(struct exposition *e, const struct subject *i)
{
	if (i->g->exit_cause[0] && !is_word(i->g->exit_cause, "none"))
		one_of(e, i, "cause", i->g->exit_cause, true);
}

static void guest_exits(struct exposition *e, const struct subject *i)
{
	for (unsigned k = 0; i->gc && k < i->gc->exits.n; k++) {
		const struct label labels[] = { { "guest", i->g->name },
			{ "cause", i->gc->exits.rows[k].word }, { NULL, NULL } };

		exposition_sample(e, labels, count(i->gc->exits.rows[k].n));
	}
}

static void service_state(struct exposition *e, const struct subject *i)
{
	for (const char *const *word = metrics_service_states; *word; word++)
		one_of(e, i, "state", *word, is_word(*word, i->s->state));
}

static void service_verdict(struct exposition *e, const struct subject *i)
{
	if (judged(i->s))
		one_of(e, i, "verdict", i->s->verdict, true);
}

static void probes(struct exposition *e, const struct subject *i)
{
	for (unsigned k = 0; i->sc && k < i->sc->verdicts.n; k++) {
		const struct label labels[] = { { "guest", i->g->name }, { "service", i->s->name },
			{ "verdict", i->sc->verdicts.rows[k].word }, { NULL, NULL } };

		exposition_sample(e, labels, count(i->sc->verdicts.rows[k].n));
	}
}

enum scope { OF_DAEMON, OF_GUEST, OF_SERVICE };

/* clang-format off */
static const struct family {
	const char *name;
	enum scope scope;
	enum family_type type;
	const char *unit;
	struct number (*value)(const struct subject *i);                    /* or: */
	void (*samples)(struct exposition *e, const struct subject *i);
	const char *help;
} families[] = {
	{ "mediakit_build", OF_DAEMON, FAMILY_INFO, NULL, NULL, build_info,
		"The daemon's version." },
	{ "mediakit_daemon_start_time_seconds", OF_DAEMON, FAMILY_GAUGE,
		"seconds", value_began, NULL,
		"When the daemon began, since 1970; all counters count from here." },
	{ "mediakit_libvirt_connected", OF_DAEMON, FAMILY_GAUGE, NULL, value_connected, NULL,
		"Whether the daemon is connected to libvirt." },
	{ "mediakit_libvirt_change_timestamp_seconds", OF_DAEMON, FAMILY_GAUGE,
		"seconds", value_connection_since, NULL,
		"When the connection came or went last." },
	{ "mediakit_libvirt_wedged_queues", OF_DAEMON, FAMILY_GAUGE,
		NULL, value_wedged_queues, NULL,
		"Guests about whom a call into libvirt does not return." },
	{ "mediakit_state_store_failed", OF_DAEMON, FAMILY_GAUGE, NULL, value_store_failed, NULL,
		"Whether the last write of the daemon's state failed." },
	{ "mediakit_pool_reserve_bytes", OF_DAEMON, FAMILY_GAUGE,
		"bytes", value_pool_reserve, NULL,
		"Memory of the host that is kept from guests." },
	{ "mediakit_pool_critical_bytes", OF_DAEMON, FAMILY_GAUGE,
		"bytes", value_pool_critical, NULL,
		"Free memory of the host below which guests have to give." },
	{ "mediakit_scrape_timestamp_seconds", OF_DAEMON, FAMILY_GAUGE,
		"seconds", value_taken, NULL, "When the daemon gave these answers." },
	{ "mediakit_scrape_duration_seconds", OF_DAEMON, FAMILY_GAUGE,
		"seconds", value_asking, NULL, "How long asking the daemon took." },

	{ "mediakit_guest", OF_GUEST, FAMILY_INFO, NULL, NULL, guest_info,
		"What the guest is." },
	{ "mediakit_guest_up", OF_GUEST, FAMILY_GAUGE, NULL, value_guest_up, NULL,
		"Whether its operating system is up: state running or ready." },
	{ "mediakit_guest_wanted_up", OF_GUEST, FAMILY_GAUGE, NULL, value_guest_wanted, NULL,
		"Whether the operator wants it up." },
	{ "mediakit_guest_healthy", OF_GUEST, FAMILY_GAUGE, NULL, value_guest_healthy, NULL,
		"Whether it is ready and each active service up." },
	{ "mediakit_guest_healthy_change_timestamp_seconds", OF_GUEST, FAMILY_GAUGE,
		"seconds", value_guest_healthy_since, NULL,
		"When it became healthy, or ceased to be." },
	{ "mediakit_guest_state", OF_GUEST, FAMILY_GAUGE, NULL, NULL, guest_state,
		"1 for the state it is in, 0 for all others." },
	{ "mediakit_guest_state_change_timestamp_seconds", OF_GUEST, FAMILY_GAUGE,
		"seconds", value_guest_state_since, NULL, "When it entered its state." },
	{ "mediakit_guest_start_time_seconds", OF_GUEST, FAMILY_GAUGE,
		"seconds", value_guest_started, NULL, "When its present run began, since 1970." },
	{ "mediakit_guest_boot_stage", OF_GUEST, FAMILY_INFO, NULL, NULL, guest_stage,
		"How far the present boot is." },
	{ "mediakit_guest_boot_stuck", OF_GUEST, FAMILY_GAUGE, NULL, value_guest_stuck, NULL,
		"Whether its boot stands still." },
	{ "mediakit_guest_cloud_init_errors", OF_GUEST, FAMILY_GAUGE,
		NULL, value_guest_ci_errors, NULL, "Errors cloud-init counted in this boot." },
	{ "mediakit_guest_cloud_init_warnings", OF_GUEST, FAMILY_GAUGE,
		NULL, value_guest_ci_warnings, NULL,
		"Warnings cloud-init counted in this boot." },
	{ "mediakit_guest_active_services", OF_GUEST, FAMILY_GAUGE,
		NULL, value_guest_active, NULL, "Services that count for its health." },
	{ "mediakit_guest_active_services_up", OF_GUEST, FAMILY_GAUGE,
		NULL, value_guest_active_up, NULL, "How many of them are up." },
	{ "mediakit_guest_memory_configured_bytes", OF_GUEST, FAMILY_GAUGE,
		"bytes", value_guest_configured, NULL, "Memory of its configuration." },
	{ "mediakit_guest_memory_actual_bytes", OF_GUEST, FAMILY_GAUGE,
		"bytes", value_guest_actual, NULL, "Memory the balloon leaves it." },
	{ "mediakit_guest_memory_maximum_bytes", OF_GUEST, FAMILY_GAUGE,
		"bytes", value_guest_maximum, NULL, "Memory it has with the balloon empty." },
	{ "mediakit_guest_memory_target_bytes", OF_GUEST, FAMILY_GAUGE,
		"bytes", value_guest_target, NULL,
		"What the balloon was last set to; absent while nobody set it." },
	{ "mediakit_guest_memory_floor_bytes", OF_GUEST, FAMILY_GAUGE,
		"bytes", value_guest_floor, NULL,
		"What the policy does not push it below." },
	{ "mediakit_guest_balloon", OF_GUEST, FAMILY_INFO, NULL, NULL, guest_balloon,
		"Why the policy gives, takes or holds." },
	{ "mediakit_guest_balloon_grows", OF_GUEST, FAMILY_COUNTER, NULL, value_balloon_grows, NULL,
		"Orders that gave it memory." },
	{ "mediakit_guest_balloon_shrinks", OF_GUEST, FAMILY_COUNTER,
		NULL, value_balloon_shrinks, NULL, "Orders that asked it for memory." },
	{ "mediakit_guest_balloon_returns", OF_GUEST, FAMILY_COUNTER,
		NULL, value_balloon_returns, NULL,
		"Loans on trial that were given back because it hurt." },
	{ "mediakit_guest_memory_usable_bytes", OF_GUEST, FAMILY_GAUGE,
		"bytes", value_guest_usable, NULL, "Memory it could still use; its own word." },
	{ "mediakit_guest_memory_available_bytes", OF_GUEST, FAMILY_GAUGE,
		"bytes", value_guest_available, NULL,
		"Memory it takes for its size; its own word." },
	{ "mediakit_guest_memory_rss_bytes", OF_GUEST, FAMILY_GAUGE,
		"bytes", value_guest_rss, NULL, "Memory of the host its QEMU holds." },
	{ "mediakit_guest_memory_statistics_timestamp_seconds", OF_GUEST, FAMILY_GAUGE,
		"seconds", value_guest_stats_at, NULL,
		"When the numbers of its memory were read." },
	{ "mediakit_guest_starved", OF_GUEST, FAMILY_GAUGE, NULL, value_guest_starved, NULL,
		"Whether the host does not give it its CPU." },
	{ "mediakit_guest_wedged", OF_GUEST, FAMILY_GAUGE, NULL, value_guest_wedged, NULL,
		"Whether a call into libvirt about it does not return." },
	{ "mediakit_guest_agent_connected", OF_GUEST, FAMILY_GAUGE, NULL, value_guest_agent, NULL,
		"Whether its guest agent is connected." },
	{ "mediakit_guest_restart_faults", OF_GUEST, FAMILY_GAUGE, NULL, value_guest_faults, NULL,
		"Faults inside the window of [Restart]." },
	{ "mediakit_guest_restart_fault_limit", OF_GUEST, FAMILY_GAUGE,
		NULL, value_guest_fault_limit, NULL,
		"Faults inside the window after which it is given up." },
	{ "mediakit_guest_boots", OF_GUEST, FAMILY_COUNTER, NULL, value_guest_boots, NULL,
		"Boots that began, its own reboots among them." },
	{ "mediakit_guest_restarts", OF_GUEST, FAMILY_COUNTER, NULL, value_guest_restarts, NULL,
		"Starts the daemon scheduled after an end, or to heal it." },
	{ "mediakit_guest_exits", OF_GUEST, FAMILY_COUNTER, NULL, NULL, guest_exits,
		"Ends of a run, by cause." },
	{ "mediakit_guest_last_exit", OF_GUEST, FAMILY_INFO, NULL, NULL, guest_last_exit,
		"The cause of its last end." },
	{ "mediakit_guest_last_exit_timestamp_seconds", OF_GUEST, FAMILY_GAUGE,
		"seconds", value_guest_exit_at, NULL, "When it ended last." },
	{ "mediakit_guest_snapshots", OF_GUEST, FAMILY_GAUGE, NULL, value_guest_snapshots, NULL,
		"Whole copies of its disk that are kept." },
	{ "mediakit_guest_snapshot_timestamp_seconds", OF_GUEST, FAMILY_GAUGE,
		"seconds", value_guest_snapshot_at, NULL,
		"Of when the newest of them is; absent while there is none." },
	{ "mediakit_guest_snapshot_failed", OF_GUEST, FAMILY_GAUGE,
		NULL, value_guest_snapshot_failed, NULL,
		"Whether the last attempt at one failed; absent before the first." },

	{ "mediakit_service_up", OF_SERVICE, FAMILY_GAUGE, NULL, value_service_up, NULL,
		"Whether it is up or degraded, after thresholds." },
	{ "mediakit_service_active", OF_SERVICE, FAMILY_GAUGE, NULL, value_service_expected, NULL,
		"Whether it counts for its guest's health; 0: pending, or not asked." },
	{ "mediakit_service_watched", OF_SERVICE, FAMILY_GAUGE, NULL, value_service_watched, NULL,
		"Whether it is asked at all." },
	{ "mediakit_service_state", OF_SERVICE, FAMILY_GAUGE, NULL, NULL, service_state,
		"1 for the state it is in, 0 for all others." },
	{ "mediakit_service_state_change_timestamp_seconds", OF_SERVICE, FAMILY_GAUGE,
		"seconds", value_service_since, NULL, "When it entered its state." },
	{ "mediakit_service_verdict", OF_SERVICE, FAMILY_INFO, NULL, NULL, service_verdict,
		"What its last answer meant: why it failed, or ok." },
	{ "mediakit_service_proven", OF_SERVICE, FAMILY_GAUGE, NULL, value_service_proven, NULL,
		"Whether its last answer echoed nonce, name and boot." },
	{ "mediakit_probe_duration_seconds", OF_SERVICE, FAMILY_GAUGE,
		"seconds", value_probe_duration, NULL, "How long its last answer took." },
	{ "mediakit_probe_timestamp_seconds", OF_SERVICE, FAMILY_GAUGE,
		"seconds", value_probe_at, NULL, "When it was judged last." },
	{ "mediakit_probe_time_seconds", OF_SERVICE, FAMILY_COUNTER,
		"seconds", value_probe_time, NULL, "Time spent on all its answers." },
	{ "mediakit_probes", OF_SERVICE, FAMILY_COUNTER, NULL, NULL, probes,
		"Its answers, and what was taken for one, by verdict." },
};
/* clang-format on */

static void family_one(struct exposition *e, const struct family *f, const struct subject *i)
{
	const struct label of_guest[] = { { "guest", i->g ? i->g->name : "" }, { NULL, NULL } };
	const struct label of_service[] = { of_guest[0], { "service", i->s ? i->s->name : "" },
		{ NULL, NULL } };

	if (f->samples)
		f->samples(e, i);
	else
		exposition_sample(e, i->s ? of_service : i->g ? of_guest : nothing, f->value(i));
}

static void family_guest(struct exposition *e, const struct family *f, struct subject *i)
{
	if (f->scope == OF_GUEST) {
		family_one(e, f, i);
		return;
	}
	for (unsigned k = 0; k < i->g->n_services; k++) {
		i->s = &i->g->services[k];
		i->sc = i->gc ? counters_service(i->gc, i->s->name) : NULL;
		family_one(e, f, i);
	}
	i->s = NULL;
}

void metrics_write(FILE *f, const struct metrics *m, enum metrics_format format)
{
	struct exposition e = { .f = f, .m = m, .format = format };

	for (size_t k = 0; k < ARRAY_SIZE(families); k++) {
		struct subject i = { .m = m, .v = m->view };

		exposition_head(
			&e, families[k].name, families[k].type, families[k].unit, families[k].help);
		if (families[k].scope == OF_DAEMON)
			family_one(&e, &families[k], &i);
		for (unsigned g = 0; families[k].scope != OF_DAEMON && g < m->view->n_guests; g++) {
			i.g = &m->view->guests[g];
			i.gc = counters_guest(m->counters, i.g->name);
			family_guest(&e, &families[k], &i);
		}
	}
	exposition_end(&e);
}

const char *metrics_type(enum metrics_format format)
{
	return format == METRICS_OPENMETRICS
		       ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		       : "text/plain; version=0.0.4; charset=utf-8";
}
