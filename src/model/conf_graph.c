/* SPDX-License-Identifier: Apache-2.0 */
/* Dependencies of services and owners of host ports. */
#include "model/conf_graph.h"

/* The walk through one guest's dependencies, depth first. Depth is at most the number of services.
 */
struct walk {
	struct conf_build *build;
	const struct guest_spec *guest;
	const struct conf_guest *at;
	enum { UNSEEN, ON_PATH, DONE } seen[SPEC_SERVICES_MAX];
	unsigned path[SPEC_SERVICES_MAX], depth;
};

static const char *nearest_service(const struct guest_spec *g, const char *name)
{
	const char *names[SPEC_SERVICES_MAX];

	for (unsigned i = 0; i < g->n_services; i++)
		names[i] = g->services[i].name;
	return conf_nearest(name, names, g->n_services);
}

/* The index of the dependency, or -1: unknown or itself, which are told only once, by the caller.
 */
static int index_of(const struct guest_spec *g, const char *name)
{
	for (unsigned i = 0; i < g->n_services; i++)
		if (strcmp(g->services[i].name, name) == 0)
			return (int)i;
	return -1;
}

static void report_cycle(struct walk *w, unsigned back_to)
{
	char text[SPEC_SERVICES_MAX * (SPEC_NAME_MAX + 4) + 1] = "";
	unsigned from = 0, last = w->path[w->depth - 1];
	size_t len = 0;

	while (w->path[from] != back_to)
		from++;
	for (unsigned i = from; i < w->depth; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s -> ",
			w->guest->services[w->path[i]].name);
	conf_report(w->build, false, conf_place_of(&w->at->services[last], CONF_KEY_DEPENDS_ON),
		"DependsOn", "the services wait for each other: %s%s; allowed: no cycle", text,
		w->guest->services[back_to].name);
}

static void walk_from(struct walk *w, unsigned i)
{
	const struct service_spec *s = &w->guest->services[i];

	w->seen[i] = ON_PATH;
	w->path[w->depth++] = i;
	for (unsigned d = 0; d < s->n_depends; d++) {
		int to = index_of(w->guest, s->depends_on[d]);

		if (to < 0 || to == (int)i)
			continue;
		if (w->seen[to] == ON_PATH)
			report_cycle(w, (unsigned)to);
		else if (w->seen[to] == UNSEEN)
			walk_from(w, (unsigned)to);
	}
	w->depth--;
	w->seen[i] = DONE;
}

static void check_names(struct walk *w, unsigned i)
{
	const struct service_spec *s = &w->guest->services[i];
	const struct conf_place *at = conf_place_of(&w->at->services[i], CONF_KEY_DEPENDS_ON);

	for (unsigned d = 0; d < s->n_depends; d++) {
		const char *on = s->depends_on[d];
		int to = index_of(w->guest, on);

		if (to == (int)i) {
			conf_report(w->build, false, at, "DependsOn",
				"service %s depends on itself; allowed: other services of the "
				"guest",
				on);
		} else if (to < 0) {
			const char *near = nearest_service(w->guest, on);
			conf_report(w->build, false, at, "DependsOn",
				near ? "guest %s has no service %s; did you mean %s?"
				     : "guest %s has no service %s; allowed: services of the same "
				       "guest",
				w->guest->name, on, near);
		}
	}
}

void conf_check_depends(
	struct conf_build *b, const struct guest_spec *g, const struct conf_guest *at)
{
	struct walk w = { .build = b, .guest = g, .at = at };

	for (unsigned i = 0; i < g->n_services; i++)
		check_names(&w, i);
	for (unsigned i = 0; i < g->n_services; i++)
		if (w.seen[i] == UNSEEN)
			walk_from(&w, i);
}

/* Who asks for a port: a service of a guest, or its SSH where service is NULL. */
struct claim {
	const struct guest_spec *guest;
	const struct service_spec *service;
};

static void claim_text(char *buf, size_t size, const struct claim *c)
{
	if (c->service)
		(void)snprintf(
			buf, size, "service %s of guest %s", c->service->name, c->guest->name);
	else
		(void)snprintf(buf, size, "SSH of guest %s", c->guest->name);
}

/* The first who asked for the port; somebody did. Only a fault is worth the search. */
static struct claim first_claim(const struct spec *spec, uint16_t port)
{
	for (unsigned i = 0; i < spec->n_guests; i++) {
		const struct guest_spec *g = &spec->guests[i];

		if (g->ssh_port == port)
			return (struct claim){ g, NULL };
		for (unsigned s = 0; s < g->n_services; s++)
			if (g->services[s].host_port == port)
				return (struct claim){ g, &g->services[s] };
	}
	return (struct claim){ 0 };
}

#define WORD_BITS 64u

/* A bit for each port that is asked for already. */
struct taken {
	uint64_t words[(UINT16_MAX + 1u) / WORD_BITS];
};

static bool take(struct taken *taken, uint16_t port)
{
	uint64_t *word = &taken->words[port / WORD_BITS], bit = UINT64_C(1) << (port % WORD_BITS);
	bool was_free = !(*word & bit);

	*word |= bit;
	return was_free;
}

static void claim_port(struct conf_build *b, struct taken *taken, uint16_t port, struct claim c,
	const struct conf_item *at)
{
	char first[2 * SPEC_NAME_MAX + 32], second[sizeof(first)];
	enum conf_key_id id = CONF_KEY_SSH_PORT;

	if (port == 0 || take(taken, port))
		return;
	struct claim holder = first_claim(b->spec, port);
	if (c.service)
		id = at->places[CONF_KEY_HOST_PORT].path ? CONF_KEY_HOST_PORT : CONF_KEY_PORT;
	claim_text(first, sizeof(first), &holder);
	claim_text(second, sizeof(second), &c);
	conf_report(b, false, conf_place_of(at, id), conf_key(id)->name,
		"host port %u of %s is taken by %s; allowed: a port of its own, by %s= or "
		"PortOffset=",
		port, second, first, c.service ? "HostPort" : "SSHPort");
}

void conf_check_host_ports(struct conf_build *b)
{
	struct taken taken = { 0 };

	for (unsigned i = 0; i < b->spec->n_guests; i++) {
		const struct guest_spec *g = &b->spec->guests[i];
		const struct conf_guest *at = &b->guests[i];

		claim_port(b, &taken, g->ssh_port, (struct claim){ g, NULL }, &at->own);
		for (unsigned s = 0; s < g->n_services; s++)
			claim_port(b, &taken, g->services[s].host_port,
				(struct claim){ g, &g->services[s] }, &at->services[s]);
	}
}
