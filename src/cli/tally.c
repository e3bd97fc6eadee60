/* SPDX-License-Identifier: Apache-2.0 */
/* Fetches what the daemon counted. A daemon of another age is no fault: what is more than we take
 * is cut, and rows of different lengths are as long as the shortest. */
#include "cli/tally.h"

#include "base/macro.h"
#include "bus/names.h"
#include "cli/client_read.h"

#include <errno.h>
#include <string.h>

static int read_counts(sd_bus_message *m, struct counts *ret)
{
	int r = sd_bus_message_enter_container(m, 'a', "{st}");
	const char *word;
	uint64_t n;

	while (r >= 0 && (r = sd_bus_message_read(m, "{st}", &word, &n)) > 0) {
		if (ret->n >= COUNTS_MAX)
			continue;
		text_take(ret->rows[ret->n].word, sizeof(ret->rows[0].word), word);
		ret->rows[ret->n++].n = n;
	}
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_service(sd_bus_message *m, struct service_counters *ret)
{
	const char *name;
	int r = sd_bus_message_read(m, "st", &name, &ret->spent);

	if (r < 0)
		return r;
	text_take(ret->name, sizeof(ret->name), name);
	return read_counts(m, &ret->verdicts);
}

static int read_services(sd_bus_message *m, struct guest_counters *g)
{
	int r = sd_bus_message_enter_container(m, 'a', "(sta{st})");

	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', "sta{st}")) > 0) {
		struct service_counters one = { 0 }, *more;

		if ((r = read_service(m, &one)) < 0 || (r = sd_bus_message_exit_container(m)) < 0)
			return r;
		if (g->n_services >= VIEW_SERVICES_MAX)
			continue;
		more = reallocarray(g->services, g->n_services + 1, sizeof(*more));
		if (!more)
			return -ENOMEM;
		g->services = more;
		more[g->n_services++] = one;
	}
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_guest(sd_bus_message *m, struct guest_counters *ret)
{
	const char *name;
	int r = sd_bus_message_read(m, "stt", &name, &ret->boots, &ret->restarts);

	if (r < 0)
		return r;
	text_take(ret->name, sizeof(ret->name), name);
	if ((r = read_counts(m, &ret->exits)) < 0)
		return r;
	return read_services(m, ret);
}

static int read_counters(sd_bus_message *m, struct counters *c)
{
	int r = sd_bus_message_enter_container(m, 'a', "(stta{st}a(sta{st}))");

	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', "stta{st}a(sta{st})")) > 0) {
		struct guest_counters *more;

		if (c->n_guests >= VIEW_GUESTS_MAX)
			return 0;
		more = reallocarray(c->guests, c->n_guests + 1, sizeof(*more));
		if (!more)
			return -ENOMEM;
		c->guests = more;
		more[c->n_guests] = (struct guest_counters){ 0 };
		if ((r = read_guest(m, &more[c->n_guests++])) >= 0)
			r = sd_bus_message_exit_container(m);
	}
	return r;
}

int client_counters(struct client *c, struct counters *ret, struct client_reply *reply)
{
	sd_bus_message *m = NULL, *answer = NULL;
	struct counters counters = { 0 };
	int r = sd_bus_message_new_method_call(
		client_bus(c), &m, client_destination(c), BUS_PATH, BUS_IFACE_MANAGER, "Counters");

	r = client_ask(c, r, m, reply, &answer);
	if (r >= 0)
		r = read_counters(answer, &counters);
	sd_bus_message_unref(answer);
	if (r < 0) {
		counters_free(&counters);
		return r;
	}
	*ret = counters;
	return 0;
}

/* One row of numbers; *n becomes no longer than it. */
static int read_row(sd_bus_message *m, char type, void *row, size_t width, unsigned *n)
{
	const void *from;
	size_t size;
	int r = sd_bus_message_read_array(m, type, &from, &size);

	if (r < 0)
		return r;
	size_t points = MIN(size / width, (size_t)HISTORY_POINTS_MAX);
	*n = (unsigned)MIN((size_t)*n, points);
	if (*n > 0)
		memcpy(row, from, *n * width);
	return 0;
}

static int read_service_history(sd_bus_message *m, struct service_history *s)
{
	const char *name;
	int r = sd_bus_message_read(m, "s", &name);

	if (r < 0)
		return r;
	text_take(s->name, sizeof(s->name), name);
	s->n = HISTORY_POINTS_MAX;
	if ((r = read_row(m, 'u', s->latency, sizeof(s->latency[0]), &s->n)) >= 0)
		r = read_row(m, 'y', s->effect, sizeof(s->effect[0]), &s->n);
	return r;
}

static int read_history(sd_bus_message *m, struct history *h)
{
	int r = sd_bus_message_read(m, "tt", &h->newest, &h->step);

	h->n = HISTORY_POINTS_MAX;
	if (r >= 0)
		r = read_row(m, 'u', h->actual_mib, sizeof(h->actual_mib[0]), &h->n);
	if (r >= 0)
		r = read_row(m, 'u', h->usable_mib, sizeof(h->usable_mib[0]), &h->n);
	if (r >= 0)
		r = read_row(m, 'u', h->rss_mib, sizeof(h->rss_mib[0]), &h->n);
	if (r >= 0)
		r = sd_bus_message_enter_container(m, 'a', "(sauay)");
	while (r >= 0 && h->n_services < VIEW_SERVICES_MAX &&
		(r = sd_bus_message_enter_container(m, 'r', "sauay")) > 0)
		if ((r = read_service_history(m, &h->services[h->n_services++])) >= 0)
			r = sd_bus_message_exit_container(m);
	return r;
}

int client_history(
	struct client *c, const char *guest, struct history *ret, struct client_reply *reply)
{
	sd_bus_message *m = NULL, *answer = NULL;
	char *path = NULL;
	int r = sd_bus_path_encode_many(&path, BUS_PATTERN_GUEST, guest);

	if (r >= 0)
		r = sd_bus_message_new_method_call(
			client_bus(c), &m, client_destination(c), path, BUS_IFACE_GUEST, "History");
	free(path);
	r = client_ask(c, r, m, reply, &answer);
	if (r >= 0) {
		*ret = (struct history){ 0 };
		r = read_history(answer, ret);
	}
	sd_bus_message_unref(answer);
	return r < 0 ? r : 0;
}
