/* SPDX-License-Identifier: Apache-2.0 */
/* The view as JSON. Keys are only ever added; a change of meaning takes another JSON_VERSION. */
#include "cli/json.h"

#include "base/macro.h"
#include "cli/verb.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

struct pair {
	const char *key;
	json_t *value; /* taken over */
};

/* Half an object would look like a whole one. NULL goes up to json_print(). */
static json_t *or_nothing(json_t *value, bool whole)
{
	if (whole)
		return value;
	json_decref(value);
	return NULL;
}

static json_t *object(const struct pair *pairs, size_t n)
{
	json_t *o = json_object();
	bool whole = true;

	/* Takes each value over, also where it fails for want of memory or of the value itself. */
	for (size_t i = 0; i < n; i++)
		whole &= json_object_set_new(o, pairs[i].key, pairs[i].value) == 0;
	return or_nothing(o, whole);
}

/* What is not known is null, so that nobody takes it for zero. */
static json_t *number_or_null(uint64_t n)
{
	return n ? json_integer((json_int_t)n) : json_null();
}

static json_t *size(uint64_t kib)
{
	return kib != VIEW_ABSENT ? json_integer((json_int_t)kib) : json_null();
}

static json_t *text(const char *s)
{
	return *s ? json_string(s) : json_null();
}

static json_t *words(const char *s)
{
	json_t *list = json_array();
	bool whole = true;

	while (*s) {
		size_t len = strcspn(s, " ");

		whole &= json_array_append_new(list, json_stringn(s, len)) == 0;
		s += len + strspn(s + len, " ");
	}
	return or_nothing(list, whole);
}

static json_t *service_json(const struct view_service *s)
{
	bool judged = s->verdict[0] && strcmp(s->verdict, "none") != 0;
	const struct pair pairs[] = {
		{ "name", json_string(s->name) },
		{ "purpose", text(s->purpose) },
		{ "port", number_or_null(s->port) },
		{ "host_port", number_or_null(s->host_port) },
		{ "probe", text(s->probe) },
		{ "expect", text(s->expect) },
		{ "depends_on", words(s->depends_on) },
		{ "blocked_by", text(s->blocked_by) },
		{ "watched", json_boolean(s->watched) },
		{ "state", json_string(s->state) },
		{ "state_since_usec", number_or_null(s->state_since) },
		{ "up", json_boolean(view_service_up(s)) },
		{ "verdict", text(judged ? s->verdict : "") },
		{ "verdict_at_usec", number_or_null(judged ? s->verdict_at : 0) },
		{ "reason", text(s->reason) },
		{ "latency_usec", number_or_null(judged ? s->latency : 0) },
		{ "proven", json_boolean(s->proven) },
		{ "restored", json_boolean(s->restored) },
		{ "version", text(s->version) },
	};

	return object(pairs, ARRAY_SIZE(pairs));
}

static json_t *memory_json(const struct view_guest *g)
{
	const struct pair pairs[] = {
		{ "configured_kib", number_or_null(g->memory_configured) },
		{ "actual_kib", size(g->memory_actual) },
		{ "maximum_kib", size(g->memory_maximum) },
		{ "usable_kib", size(g->memory_usable) },
		{ "available_kib", size(g->memory_available) },
		{ "rss_kib", size(g->memory_rss) },
		{ "target_kib", number_or_null(g->memory_target) },
		{ "mode", text(g->balloon_mode) },
		{ "until_usec", number_or_null(g->balloon_until) },
		{ "action", text(g->balloon_action) },
		{ "reason", text(g->balloon_reason) },
		{ "wanted_kib", number_or_null(g->balloon_target) },
		{ "floor_kib", number_or_null(g->balloon_floor) },
		{ "on_trial", json_boolean(g->balloon_on_trial) },
		{ "aside_until_usec", number_or_null(g->balloon_aside_until) },
		{ "grows", json_integer(g->balloon_grows) },
		{ "shrinks", json_integer(g->balloon_shrinks) },
		{ "returns", json_integer(g->balloon_returns) },
		{ "at_usec", number_or_null(g->stats_at) },
	};

	return object(pairs, ARRAY_SIZE(pairs));
}

static json_t *cpu_json(const struct view_guest *g)
{
	const struct pair pairs[] = {
		{ "weight", number_or_null(g->cpu_weight) },
		{ "quota_percent", number_or_null(g->cpu_quota) },
		{ "effect", text(g->cpu_tune) },
		{ "words", text(g->cpu_tune_reason) },
	};

	return object(pairs, ARRAY_SIZE(pairs));
}

static json_t *boot_json(const struct view_guest *g)
{
	const struct pair pairs[] = {
		{ "stage", text(g->boot_stage) },
		{ "stage_since_usec", number_or_null(g->boot_stage_since) },
		{ "hint", text(g->boot_hint) },
		{ "began_usec", number_or_null(g->boot_began) },
		{ "expected_usec", number_or_null(g->boot_expected) },
		{ "deadline_usec", number_or_null(g->boot_deadline) },
		{ "stuck", json_boolean(g->boot_stuck) },
		{ "cloud_init", text(g->cloudinit_status) },
		{ "cloud_init_stage", text(g->cloudinit_stage) },
		{ "cloud_init_errors", json_integer(g->cloudinit_errors) },
		{ "cloud_init_warnings", json_integer(g->cloudinit_warnings) },
		{ "cloud_init_quote", text(g->cloudinit_quote) },
		{ "attempts", json_integer(g->boots) },
	};

	return object(pairs, ARRAY_SIZE(pairs));
}

static json_t *exit_json(const struct view_guest *g)
{
	if (!g->exit_cause[0] || strcmp(g->exit_cause, "none") == 0)
		return json_null();

	const struct pair pairs[] = {
		{ "cause", json_string(g->exit_cause) },
		{ "words", text(g->exit_words) },
		{ "at_usec", number_or_null(g->exit_at) },
	};
	return object(pairs, ARRAY_SIZE(pairs));
}

static json_t *snapshot_json(const struct view_guest *g)
{
	const struct pair pairs[] = {
		{ "phase", text(g->snapshot_phase) },
		{ "since_usec", number_or_null(g->snapshot_since) },
		{ "copied_bytes", json_integer((json_int_t)g->snapshot_copied) },
		{ "total_bytes", number_or_null(g->snapshot_total) },
		{ "kept", json_integer(g->snapshots) },
		{ "newest_usec", number_or_null(g->snapshot_at) },
		{ "tried_usec", number_or_null(g->snapshot_tried) },
		{ "failed", json_boolean(g->snapshot_failed) },
		{ "result", text(g->snapshot_result) },
	};

	return object(pairs, ARRAY_SIZE(pairs));
}

static json_t *services_json(const struct view_guest *g)
{
	json_t *list = json_array();
	bool whole = true;

	for (unsigned i = 0; i < g->n_services; i++)
		whole &= json_array_append_new(list, service_json(&g->services[i])) == 0;
	return or_nothing(list, whole);
}

static json_t *guest_json(const struct view_guest *g)
{
	unsigned up, active;

	view_count(g, &up, &active);

	const struct pair pairs[] = {
		{ "name", json_string(g->name) },
		{ "uuid", text(g->uuid) },
		{ "state", json_string(g->state) },
		{ "state_since_usec", number_or_null(g->state_since) },
		{ "reason", text(g->reason) },
		{ "want", text(g->want) },
		{ "healthy", json_boolean(g->healthy) },
		{ "healthy_since_usec", number_or_null(g->healthy_since) },
		{ "active_services", json_integer(active) },
		{ "active_services_up", json_integer(up) },
		{ "accelerator", text(g->accelerator) },
		{ "started_at_usec", number_or_null(g->started_at) },
		{ "retry_at_usec", number_or_null(g->retry_at) },
		{ "cpus", number_or_null(g->cpus) },
		{ "pid", number_or_null(g->pid > 0 ? (uint64_t)g->pid : 0) },
		{ "memory", memory_json(g) },
		{ "cpu", cpu_json(g) },
		{ "boot", boot_json(g) },
		{ "last_exit", exit_json(g) },
		{ "last_start", text(g->last_start) },
		{ "last_start_reason", text(g->last_start_reason) },
		{ "saved_at_usec", number_or_null(g->saved_at) },
		{ "snapshot", snapshot_json(g) },
		{ "file_system", text(g->fs_word) },
		{ "file_system_words", text(g->fs_words) },
		{ "glibc", text(g->glibc) },
		{ "glibc_min", text(g->glibc_min) },
		{ "glibc_source", text(g->glibc_source) },
		{ "bind", text(g->bind) },
		{ "ssh_port", number_or_null(g->ssh_port) },
		{ "egress", text(g->egress) },
		{ "agent_connected", json_boolean(g->agent) },
		{ "wedged", json_boolean(g->wedged) },
		{ "starved", json_boolean(g->starved) },
		{ "starved_reason", text(g->starved_reason) },
		{ "starved_since_usec", number_or_null(g->starved_since) },
		{ "services", services_json(g) },
	};
	return object(pairs, ARRAY_SIZE(pairs));
}

static json_t *daemon_json(const struct view *v)
{
	const struct pair pool[] = {
		{ "reserve_kib", json_integer((json_int_t)v->pool_reserve) },
		{ "critical_kib", json_integer((json_int_t)v->pool_critical) },
		{ "total_kib", number_or_null(v->pool_total) },
		{ "available_kib", size(v->pool_available) },
		{ "need_kib", json_integer((json_int_t)v->pool_need) },
		{ "enter_kib", json_integer((json_int_t)v->pool_enter) },
		{ "leave_kib", json_integer((json_int_t)v->pool_leave) },
		{ "pressed", json_boolean(v->pool_pressed) },
		{ "below_critical", json_boolean(v->pool_below_critical) },
		{ "degraded", json_boolean(v->pool_degraded) },
	};
	const struct pair pairs[] = {
		{ "version", text(v->version) },
		{ "began_usec", number_or_null(v->began) },
		{ "connection", text(v->uri) },
		{ "connected", json_boolean(v->connected) },
		{ "connection_since_usec", number_or_null(v->connection_since) },
		{ "connection_message", text(v->connection_message) },
		{ "wedged_queues", json_integer(v->wedged_queues) },
		{ "store_trouble", text(v->store_trouble) },
		{ "pool", object(pool, ARRAY_SIZE(pool)) },
	};

	return object(pairs, ARRAY_SIZE(pairs));
}

int json_print(FILE *f, const struct view *v, const char *only, bool compact)
{
	json_t *guests = json_array();
	bool whole = true;

	for (unsigned i = 0; whole && i < v->n_guests; i++)
		if (!only || strcmp(v->guests[i].name, only) == 0)
			whole = json_array_append_new(guests, guest_json(&v->guests[i])) == 0;

	const struct pair pairs[] = {
		{ "version", json_integer(JSON_VERSION) },
		{ "daemon", daemon_json(v) },
		{ "guests", guests },
	};
	json_t *top = object(pairs, ARRAY_SIZE(pairs));
	whole &= top != NULL;
	int r = whole ? json_dumpf(top, f, compact ? JSON_COMPACT : JSON_INDENT(2)) : -1;

	json_decref(top);
	if (r < 0)
		return -ENOMEM;
	fputc('\n', f);
	return 0;
}
