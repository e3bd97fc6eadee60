/* SPDX-License-Identifier: Apache-2.0 */
/* Counters as values, apart from the messages they come in. */
#include "cli/tally.h"

#include <stdlib.h>
#include <string.h>

void counters_free(struct counters *c)
{
	for (unsigned i = 0; i < c->n_guests; i++)
		free(c->guests[i].services);
	free(c->guests);
	*c = (struct counters){ 0 };
}

const struct guest_counters *counters_guest(const struct counters *c, const char *name)
{
	for (unsigned i = 0; i < c->n_guests; i++)
		if (strcmp(c->guests[i].name, name) == 0)
			return &c->guests[i];
	return NULL;
}

const struct service_counters *counters_service(const struct guest_counters *g, const char *name)
{
	for (unsigned i = 0; i < g->n_services; i++)
		if (strcmp(g->services[i].name, name) == 0)
			return &g->services[i];
	return NULL;
}
