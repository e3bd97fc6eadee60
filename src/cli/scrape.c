/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the daemon and renders what it said. */
#include "cli/scrape.h"

#include "base/macro.h"
#include "base/memstream.h"
#include "cli/client_read.h"
#include "cli/history.h"
#include "cli/json.h"
#include "cli/metrics.h"
#include "cli/verb.h"

#include <errno.h>
#include <string.h>

struct look {
	struct client *client;
	struct view view;
	usec_t began;
	char *why;
};

static int gone(const struct look *l, const char *reason)
{
	(void)snprintf(l->why, SCRAPE_WHY_MAX, "mediakitd broke off: %.480s", reason);
	return -ECONNRESET;
}

static int write_metrics(struct look *l, FILE *f, enum metrics_format format)
{
	struct client_reply reply = { .message = "" };
	struct counters counters = { 0 };

	if (client_counters(l->client, &counters, &reply) < 0)
		return gone(l, reply.message);
	const struct metrics m = { .view = &l->view,
		.counters = &counters,
		.taken_realtime = now_realtime(),
		.asking = usec_sub(now_boottime(), l->began) };

	metrics_write(f, &m, format);
	counters_free(&counters);
	return 0;
}

static int write_history(struct look *l, FILE *f)
{
	struct client_reply reply = { .message = "" };
	struct history_json *json = history_json_new();
	CLEANUP_FREE struct history *h = malloc(sizeof(*h));
	int r = json && h ? 0 : -ENOMEM;

	for (unsigned i = 0; r == 0 && i < l->view.n_guests; i++) {
		if (client_history(l->client, l->view.guests[i].name, h, &reply) < 0)
			r = gone(l, reply.message);
		else
			r = history_json_add(json, l->view.guests[i].name, h);
	}
	if (r == 0)
		r = history_json_print(f, json);
	history_json_free(json);
	return r;
}

static int write_kind(struct look *l, FILE *f, enum scrape_kind kind)
{
	switch (kind) {
	case SCRAPE_METRICS:
		return write_metrics(l, f, METRICS_PROMETHEUS);
	case SCRAPE_OPENMETRICS:
		return write_metrics(l, f, METRICS_OPENMETRICS);
	case SCRAPE_HISTORY:
		return write_history(l, f);
	default:
		return json_print(f, &l->view, NULL, true);
	}
}

static int write_text(struct look *l, enum scrape_kind kind, char **ret, size_t *ret_len)
{
	struct memstream m;
	int r = memstream_open(&m) ? write_kind(l, m.f, kind) : -ENOMEM;
	int closed = memstream_close(&m, r == 0 ? ret : NULL, ret_len);

	if (r == 0)
		r = closed;
	if (r == -ENOMEM)
		(void)snprintf(l->why, SCRAPE_WHY_MAX, "no memory");
	return r;
}

int scrape(const char *runtime, enum scrape_kind kind, usec_t limit, char **ret, size_t *ret_len,
	char why[static SCRAPE_WHY_MAX])
{
	struct look l = { .began = now_boottime(), .why = why };
	int r = -ENOTCONN;

	(void)snprintf(why, SCRAPE_WHY_MAX,
		"mediakitd does not answer on its socket in %s: it is not running, or hangs; see "
		"`systemctl status mediakitd`",
		runtime);
	if (client_open_quietly(runtime, CLIENT_STATUS, &l.client) == CLI_OK) {
		(void)sd_bus_set_method_call_timeout(client_bus(l.client), limit);
		if (client_load(l.client, &l.view) == CLI_OK)
			r = write_text(&l, kind, ret, ret_len);
	}
	client_close(l.client);
	view_free(&l.view);
	return r;
}
