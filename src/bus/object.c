/* SPDX-License-Identifier: Apache-2.0 */
/* From object paths to guests and services, and back. */
#include "bus/object.h"

#include <errno.h>
#include <string.h>

char *guest_path(const struct guest *g)
{
	char *path = NULL;

	return sd_bus_path_encode_many(&path, BUS_PATTERN_GUEST, g->spec->name) < 0 ? NULL : path;
}

char *service_path(const struct service *sv)
{
	char *path = NULL;

	return sd_bus_path_encode_many(&path, BUS_PATTERN_SERVICE, sv->guest->spec->name,
		       sv->spec->name) < 0 ? NULL : path;
}

static int target_set(struct bus *b, struct guest *g, struct service *sv, void **ret_found)
{
	b->target = (struct bus_target){ b, g, sv };
	*ret_found = &b->target;
	return 1;
}

int guest_find(sd_bus *connection, const char *path, const char *interface, void *userdata,
	void **ret_found, sd_bus_error *error)
{
	struct bus *b = userdata;
	CLEANUP_FREE char *name = NULL;

	(void)connection, (void)interface, (void)error;
	int r = sd_bus_path_decode_many(path, BUS_PATTERN_GUEST, &name);
	if (r <= 0)
		return r;
	struct guest *g = supervisor_find(b->supervisor, name);
	return g ? target_set(b, g, NULL, ret_found) : 0;
}

int service_find(sd_bus *connection, const char *path, const char *interface, void *userdata,
	void **ret_found, sd_bus_error *error)
{
	struct bus *b = userdata;
	CLEANUP_FREE char *guest = NULL, *service = NULL;

	(void)connection, (void)interface, (void)error;
	int r = sd_bus_path_decode_many(path, BUS_PATTERN_SERVICE, &guest, &service);
	if (r <= 0)
		return r;
	struct guest *g = supervisor_find(b->supervisor, guest);
	for (unsigned i = 0; g && i < g->n_services; i++)
		if (strcmp(g->services[i].spec->name, service) == 0)
			return target_set(b, g, &g->services[i], ret_found);
	return 0;
}

void paths_free(char **paths)
{
	for (size_t i = 0; paths && paths[i]; i++)
		free(paths[i]);
	free(paths);
}

int objects_enumerate(sd_bus *connection, const char *prefix, void *userdata, char ***ret_nodes,
	sd_bus_error *error)
{
	const struct supervisor *s = ((struct bus *)userdata)->supervisor;
	size_t n = 0, max = 0;

	(void)connection, (void)prefix, (void)error;
	for (unsigned i = 0; i < s->n_guests; i++)
		max += 1 + s->guests[i]->n_services;
	char **paths = calloc(max + 1, sizeof(*paths));
	if (!paths)
		return -ENOMEM;
	for (unsigned i = 0; i < s->n_guests; i++) {
		struct guest *g = s->guests[i];

		if (!(paths[n++] = guest_path(g)))
			goto no_memory;
		for (unsigned j = 0; j < g->n_services; j++)
			if (!(paths[n++] = service_path(&g->services[j])))
				goto no_memory;
	}
	*ret_nodes = paths;
	return 0;
no_memory:
	paths_free(paths);
	return -ENOMEM;
}

usec_t realtime_of(usec_t boottime)
{
	usec_t now = now_boottime();

	if (boottime == 0 || boottime == USEC_INFINITY)
		return 0;
	return boottime > now ? usec_add(now_realtime(), boottime - now)
			      : usec_sub(now_realtime(), now - boottime);
}
