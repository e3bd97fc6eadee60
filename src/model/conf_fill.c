/* SPDX-License-Identifier: Apache-2.0 */
/* The defaults that follow from other values, filled in once everything has been read. */
#include "model/conf_build.h"

/* A floor below which a Debian or Ubuntu guest with its services starts to thrash: what the
 * smallest of them is said to need. */
#define MEMORY_MIN_LEAST (UINT64_C(512) * 1024)

static bool is_set(const struct conf_item *item, enum conf_key_id id)
{
	return item->places[id].path;
}

static int fill_service(const struct guest_spec *g, struct service_spec *s,
	const struct conf_item *at, struct conf_build *b)
{
	if (!is_set(at, CONF_KEY_PROBE))
		s->probe = s->port ? PROBE_CBOR : PROBE_UNIT;
	if (s->port && !is_set(at, CONF_KEY_HOST_PORT)) {
		unsigned port = s->port + (unsigned)g->port_offset;
		if (port > UINT16_MAX)
			conf_report(b, false, conf_place_of(at, CONF_KEY_PORT), "Port",
				"%u and PortOffset %u make %u; allowed: 65535 at most together, or "
				"a "
				"HostPort= of its own",
				s->port, g->port_offset, port);
		else
			s->host_port = (uint16_t)port;
	}
	if (!is_set(at, CONF_KEY_FAST_INTERVAL))
		s->fast_interval = MIN(s->fast_interval, s->interval);
	s->timeout_set = is_set(at, CONF_KEY_TIMEOUT);
	s->start_budget_set = is_set(at, CONF_KEY_START_BUDGET);
	if (!s->unit && asprintf(&s->unit, "%s.service", s->name) < 0) {
		s->unit = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int fill_guest(struct guest_spec *g, const struct conf_guest *at, struct conf_build *b)
{
	const struct conf_item *own = &at->own;

	if (!g->hostname && !(g->hostname = strdup(g->name)))
		return -ENOMEM;
	if (!is_set(own, CONF_KEY_MEMORY_MIN)) {
		g->memory_min_kib = MAX(g->memory_kib / 4, MEMORY_MIN_LEAST);
		g->memory_min_kib = MIN(g->memory_min_kib, g->memory_kib);
	}
	if (!is_set(own, CONF_KEY_SSH_PORT)) {
		unsigned port = 22 + (unsigned)g->port_offset;
		if (port > UINT16_MAX)
			conf_report(b, false, conf_place_of(own, CONF_KEY_PORT_OFFSET),
				"PortOffset",
				"%u leaves no port for SSH; allowed: 65513 at most, or an SSHPort= "
				"of its own",
				g->port_offset);
		else
			g->ssh_port = (uint16_t)port;
	}
	for (unsigned i = 0; i < g->n_services; i++) {
		int r = fill_service(g, &g->services[i], &at->services[i], b);
		if (r < 0)
			return r;
	}
	return 0;
}

int conf_fill_defaults(struct conf_build *b)
{
	for (unsigned i = 0; i < b->spec->n_guests; i++) {
		int r = fill_guest(&b->spec->guests[i], &b->guests[i], b);
		if (r < 0)
			return r;
	}
	return 0;
}
