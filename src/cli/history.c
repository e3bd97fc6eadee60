/* SPDX-License-Identifier: Apache-2.0 */
/* Rings to JSON. */
#include "cli/history.h"

#include <errno.h>
#include <jansson.h>

/* jansson's own object, under a name of ours, so that nobody else needs its header. */
static json_t *json_of(struct history_json *j)
{
	return (json_t *)j;
}

struct history_json *history_json_new(void)
{
	return (struct history_json *)json_pack("{s:i, s:[]}", "version", 1, "guests");
}

void history_json_free(struct history_json *j)
{
	json_decref(json_of(j));
}

/* A failure anywhere leaves NULL, which the packing above it takes for its own. */
static json_t *numbers(const uint32_t *row, const uint8_t *effect, unsigned n)
{
	json_t *list = json_array();
	int r = list ? 0 : -1;

	for (unsigned i = 0; r == 0 && i < n; i++) {
		bool known = effect ? effect[i] != 0 : row[i] != UINT32_MAX;

		r = json_array_append_new(list, known ? json_integer(row[i]) : json_null());
	}
	if (r == 0)
		return list;
	json_decref(list);
	return NULL;
}

static json_t *effects(const uint8_t *effect, unsigned n)
{
	json_t *list = json_array();
	int r = list ? 0 : -1;

	for (unsigned i = 0; r == 0 && i < n; i++)
		r = json_array_append_new(list, json_integer(effect[i]));
	if (r == 0)
		return list;
	json_decref(list);
	return NULL;
}

static json_t *services(const struct history *h)
{
	json_t *list = json_array();
	int r = list ? 0 : -1;

	for (unsigned i = 0; r == 0 && i < h->n_services; i++) {
		const struct service_history *s = &h->services[i];

		r = json_array_append_new(
			list, json_pack("{s:s, s:o, s:o}", "name", s->name, "latency_usec",
				      numbers(s->latency, s->effect, s->n), "effect",
				      effects(s->effect, s->n)));
	}
	if (r == 0)
		return list;
	json_decref(list);
	return NULL;
}

int history_json_add(struct history_json *j, const char *guest, const struct history *h)
{
	json_t *one = json_pack("{s:s, s:I, s:I, s:o, s:o, s:o, s:o}", "name", guest, "newest_usec",
		(json_int_t)h->newest, "step_usec", (json_int_t)h->step, "actual_mib",
		numbers(h->actual_mib, NULL, h->n), "usable_mib",
		numbers(h->usable_mib, NULL, h->n), "rss_mib", numbers(h->rss_mib, NULL, h->n),
		"services", services(h));

	return json_array_append_new(json_object_get(json_of(j), "guests"), one) < 0 ? -ENOMEM : 0;
}

int history_json_print(FILE *f, const struct history_json *j)
{
	return json_dumpf((const json_t *)j, f, JSON_COMPACT) < 0 ? -ENOMEM : 0;
}
