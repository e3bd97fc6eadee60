/* SPDX-License-Identifier: Apache-2.0 */
/* The view as JSON. Keys are only ever added; a change of meaning takes another JSON_VERSION. */
#include "cli/json.h"

#include "base/macro.h"
#include "cli/verb.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

/* Nothing known is null, so that nobody takes it for zero. */
static json_t *time_json(usec_t at)
{
	return at ? json_integer((json_int_t)at) : json_null();
}

static json_t *size_json(uint64_t kib)
{
	return kib != VIEW_ABSENT ? json_integer((json_int_t)kib) : json_null();
}

static json_t *text_json(const char *text)
{
	return *text ? json_string(text) : json_null();
}

static json_t *number_json(uint64_t n)
{
	return n ? json_integer((json_int_t)n) : json_null();
}

static json_t *words_json(const char *words)
{
	json_t *list = json_array();

	while (*words) {
		size_t len = strcspn(words, " ");

		(void)json_array_append_new(list, json_stringn(words, len));
		words += len + strspn(words + len, " ");
	}
	return list;
}

static json_t *service_json(const struct view_service *s)
{
	bool judged = strcmp(s->verdict, "none") != 0 && s->verdict[0];

	return json_pack("{s:s, s:o, s:o, s:o, s:s, s:s, s:o, s:o, s:b, s:s, s:o, s:b, s:o, s:o, s:o, s:o, s:b, s:b, s:o}",
		"name", s->name,
		"purpose", text_json(s->purpose),
		"port", number_json(s->port),
		"host_port", number_json(s->host_port),
		"probe", s->probe,
		"expect", s->expect,
		"depends_on", words_json(s->depends_on),
		"blocked_by", text_json(s->blocked_by),
		"watched", s->watched,
		"state", s->state,
		"state_since_usec", time_json(s->state_since),
		"up", view_service_up(s),
		"verdict", judged ? json_string(s->verdict) : json_null(),
		"verdict_at_usec", judged ? time_json(s->verdict_at) : json_null(),
		"reason", text_json(s->reason),
		"latency_usec", judged ? number_json(s->latency) : json_null(),
		"proven", s->proven,
		"restored", s->restored,
		"version", text_json(s->version));
}

static json_t *memory_json(const struct view_guest *g)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"configured_kib", number_json(g->memory_configured),
		"actual_kib", size_json(g->memory_actual),
		"maximum_kib", size_json(g->memory_maximum),
		"usable_kib", size_json(g->memory_usable),
		"available_kib", size_json(g->memory_available),
		"rss_kib", size_json(g->memory_rss),
		"target_kib", number_json(g->memory_target),
		"at_usec", time_json(g->stats_at));
}

static json_t *exit_json(const struct view_guest *g)
{
	if (strcmp(g->exit_cause, "none") == 0 || !g->exit_cause[0])
		return json_null();
	return json_pack("{s:s, s:s, s:o}", "cause", g->exit_cause, "words", g->exit_words, "at_usec",
		time_json(g->exit_at));
}

static json_t *boot_json(const struct view_guest *g)
{
	return json_pack("{s:o, s:o, s:o, s:i, s:i}",
		"stage", text_json(g->boot_stage),
		"stage_since_usec", time_json(g->boot_stage_since),
		"hint", text_json(g->boot_hint),
		"cloud_init_errors", (int)g->cloudinit_errors,
		"attempts", (int)g->boots);
}

static json_t *services_json(const struct view_guest *g)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < g->n_services; i++)
		(void)json_array_append_new(list, service_json(&g->services[i]));
	return list;
}

static json_t *guest_json(const struct view_guest *g)
{
	unsigned up, active;

	view_count(g, &up, &active);
	return json_pack("{s:s, s:o, s:s, s:o, s:o, s:s, s:b, s:o, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
			 "s:o, s:o, s:b, s:b, s:o}",
		"name", g->name,
		"uuid", text_json(g->uuid),
		"state", g->state,
		"state_since_usec", time_json(g->state_since),
		"reason", text_json(g->reason),
		"want", g->want,
		"healthy", g->healthy,
		"healthy_since_usec", time_json(g->healthy_since),
		"active_services", (int)active,
		"active_services_up", (int)up,
		"accelerator", text_json(g->accelerator),
		"started_at_usec", time_json(g->started_at),
		"retry_at_usec", time_json(g->retry_at),
		"cpus", number_json(g->cpus),
		"pid", number_json(g->pid > 0 ? (uint64_t)g->pid : 0),
		"memory", memory_json(g),
		"boot", boot_json(g),
		"last_exit", exit_json(g),
		"bind", text_json(g->bind),
		"ssh_port", number_json(g->ssh_port),
		"egress", text_json(g->egress),
		"agent_connected", g->agent,
		"wedged", g->wedged,
		"services", services_json(g));
}

static json_t *daemon_json(const struct view *v)
{
	return json_pack("{s:s, s:o, s:s, s:b, s:o, s:o, s:i, s:o, s:{s:I, s:I}}",
		"version", v->version,
		"began_usec", time_json(v->began),
		"connection", v->uri,
		"connected", v->connected,
		"connection_since_usec", time_json(v->connection_since),
		"connection_message", text_json(v->connection_message),
		"wedged_queues", (int)v->wedged_queues,
		"store_trouble", text_json(v->store_trouble),
		"pool", "reserve_kib", (json_int_t)v->pool_reserve, "critical_kib", (json_int_t)v->pool_critical);
}

int json_print(FILE *f, const struct view *v, const char *only, bool compact)
{
	json_t *guests = json_array();
	bool whole = guests != NULL;

	for (unsigned i = 0; whole && i < v->n_guests; i++)
		if (!only || strcmp(v->guests[i].name, only) == 0)
			whole = json_array_append_new(guests, guest_json(&v->guests[i])) == 0;
	json_t *top = json_pack("{s:i, s:o, s:o}", "version", JSON_VERSION, "daemon", daemon_json(v), "guests",
		guests);
	int r = top && whole ? json_dumpf(top, f, compact ? JSON_COMPACT : JSON_INDENT(2)) : -1;

	json_decref(top);
	if (r < 0)
		return -ENOMEM;
	fputc('\n', f);
	return 0;
}
