/* SPDX-License-Identifier: Apache-2.0 */
/* The model behind every screen: a growing, sorted copy of what the daemon says. */
#include "cli/view.h"

#include "base/macro.h"
#include "cli/verb.h"

#include <string.h>

void view_free(struct view *v)
{
	for (unsigned i = 0; i < v->n_guests; i++)
		free(v->guests[i].services);
	free(v->guests);
	*v = (struct view){ 0 };
}

struct view_guest *view_guest(const struct view *v, const char *name)
{
	for (unsigned i = 0; i < v->n_guests; i++)
		if (strcmp(v->guests[i].name, name) == 0)
			return &v->guests[i];
	return NULL;
}

struct view_service *view_service(const struct view_guest *g, const char *name)
{
	for (unsigned i = 0; i < g->n_services; i++)
		if (strcmp(g->services[i].name, name) == 0)
			return &g->services[i];
	return NULL;
}

struct view_guest *view_guest_make(struct view *v, const char *name)
{
	struct view_guest *g = view_guest(v, name);

	if (g || v->n_guests >= VIEW_GUESTS_MAX || strlen(name) >= sizeof(g->name))
		return g;
	struct view_guest *more = reallocarray(v->guests, v->n_guests + 1, sizeof(*more));
	if (!more)
		return NULL;
	v->guests = more;
	g = &more[v->n_guests++];
	/* Unknown until told: a size of zero would be a lie. */
	*g = (struct view_guest){
		.memory_actual = VIEW_ABSENT,
		.memory_maximum = VIEW_ABSENT,
		.memory_usable = VIEW_ABSENT,
		.memory_available = VIEW_ABSENT,
		.memory_rss = VIEW_ABSENT,
	};
	strcpy(g->name, name);
	return g;
}

struct view_service *view_service_make(struct view_guest *g, const char *name)
{
	struct view_service *s = view_service(g, name);

	if (s || g->n_services >= VIEW_SERVICES_MAX || strlen(name) >= sizeof(s->name))
		return s;
	struct view_service *more = reallocarray(g->services, g->n_services + 1, sizeof(*more));
	if (!more)
		return NULL;
	g->services = more;
	s = &more[g->n_services++];
	*s = (struct view_service){ 0 };
	strcpy(s->name, name);
	return s;
}

void view_guest_drop(struct view *v, const char *name)
{
	struct view_guest *g = view_guest(v, name);

	if (!g)
		return;
	free(g->services);
	memmove(g, g + 1, (size_t)(v->guests + v->n_guests - (g + 1)) * sizeof(*g));
	v->n_guests--;
}

void view_service_drop(struct view_guest *g, const char *name)
{
	struct view_service *s = view_service(g, name);

	if (!s)
		return;
	memmove(s, s + 1, (size_t)(g->services + g->n_services - (s + 1)) * sizeof(*s));
	g->n_services--;
}

static int by_guest(const void *a, const void *b)
{
	return strcmp(((const struct view_guest *)a)->name, ((const struct view_guest *)b)->name);
}

static int by_port(const void *a, const void *b)
{
	const struct view_service *x = a, *y = b;
	/* Unsigned, so that "no port" comes last. */
	unsigned p = (unsigned)x->port - 1, q = (unsigned)y->port - 1;

	if (p != q)
		return p < q ? -1 : 1;
	return strcmp(x->name, y->name);
}

void view_sort(struct view *v)
{
	if (v->n_guests > 0)
		qsort(v->guests, v->n_guests, sizeof(*v->guests), by_guest);
	for (unsigned i = 0; i < v->n_guests; i++)
		if (v->guests[i].n_services > 0)
			qsort(v->guests[i].services, v->guests[i].n_services,
				sizeof(struct view_service), by_port);
}

bool view_is(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

bool view_runs(const struct view_guest *g)
{
	static const char *const there[] = {
		"starting", "booting", "running", "ready", "stopping", "saving", "paused", NULL,
	};

	return view_is(g->state, there);
}

bool view_service_up(const struct view_service *s)
{
	static const char *const up[] = { "up", "degraded", NULL };

	return view_is(s->state, up);
}

bool view_service_pending(const struct view_service *s)
{
	return strcmp(s->expect, "pending") == 0;
}

bool view_service_counts(const struct view_service *s)
{
	/* A unit out of the agent's sight counts as what it was seen to be, if it was seen. */
	bool seen = strcmp(s->probe, "unit") == 0 && strcmp(s->state, "unknown") != 0 &&
		    strcmp(s->state, "starting") != 0;

	return !view_service_pending(s) && (s->watched || seen);
}

void view_count(const struct view_guest *g, unsigned *ret_up, unsigned *ret_active)
{
	unsigned up = 0, active = 0;

	for (unsigned i = 0; i < g->n_services; i++) {
		if (!view_service_counts(&g->services[i]))
			continue;
		active++;
		up += view_service_up(&g->services[i]);
	}
	*ret_up = up;
	*ret_active = active;
}

int view_guest_exit(const struct view_guest *g)
{
	static const char *const at_rest[] = { "absent", "stopped", NULL };

	if (g->healthy)
		return CLI_OK;
	return view_is(g->state, at_rest) ? CLI_NOT_RUNNING : CLI_FAILED;
}

int view_exit(const struct view *v)
{
	int worst = CLI_OK;

	for (unsigned i = 0; i < v->n_guests; i++) {
		int status = view_guest_exit(&v->guests[i]);

		if (status == CLI_FAILED)
			return CLI_FAILED;
		worst = MAX(worst, status);
	}
	return worst;
}
