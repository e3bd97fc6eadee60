/* SPDX-License-Identifier: Apache-2.0 */
/* A ring of pointers, each event as large as its text. */
#include "core/eventring.h"

#include "base/macro.h"

#include <string.h>

void events_free(struct events *e)
{
	for (unsigned i = 0; i < e->n; i++)
		free(e->ring[(e->start + i) % EVENTS_MAX]);
	free(e->ring);
	for (unsigned k = 0; k < EVENT_KIND_NUM; k++)
		free(e->floods[k].last);
	*e = (struct events){ .closed = true };
}

void events_add(struct events *e, struct event *event)
{
	if (!e->ring && !e->closed)
		e->ring = calloc(EVENTS_MAX, sizeof(struct event *));
	if (!e->ring) {
		free(event);
		return;
	}
	if (e->n == EVENTS_MAX) {
		free(e->ring[e->start]);
		e->start = (e->start + 1) % EVENTS_MAX;
		e->n--;
	}
	e->ring[(e->start + e->n++) % EVENTS_MAX] = event;
}

const struct event *events_at(const struct events *e, unsigned i)
{
	return e->ring[(e->start + i) % EVENTS_MAX];
}

/* Where the last EVENTS_MAX lines begin. */
static size_t last_lines(const char *text, size_t len)
{
	unsigned lines = 0;

	for (size_t at = len; at > 0; at--)
		if (text[at - 1] == '\n' && ++lines > EVENTS_MAX)
			return at;
	return 0;
}

uint64_t events_load(struct events *e, const char *text, size_t len)
{
	uint64_t highest = 0;

	for (size_t at = last_lines(text, len), n; at < len; at += n + 1) {
		const char *end = memchr(text + at, '\n', len - at);
		struct event *event;

		n = end ? (size_t)(end - (text + at)) : len - at;
		if (event_from_line(text + at, n, &event) < 0)
			continue;
		if (event->seq <= highest) {
			free(event);
			continue;
		}
		highest = event->seq;
		events_add(e, event);
	}
	return highest;
}
