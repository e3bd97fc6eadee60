/* SPDX-License-Identifier: Apache-2.0 */
/* Short lists of decisions. */
#include "core/decision.h"

#include "base/macro.h"
#include "model/utf8.h"

#include <string.h>

void decisions_free(struct decisions *d)
{
	for (unsigned i = 0; i < WHY_TOPIC_NUM; i++)
		free(d->lists[i]);
	*d = (struct decisions){ 0 };
}

static void take(char *dst, size_t size, const char *src)
{
	size_t len = strlen(src);

	if (len < size && utf8_printable(src, len))
		memcpy(dst, src, len + 1);
	else
		(void)utf8_escape(dst, size, src, len);
}

bool decisions_add(struct decisions *d, enum why_topic topic, const char *rule, const char *action,
	const char *inputs, usec_t now_realtime_usec)
{
	struct decision made = {
		.first_realtime = now_realtime_usec, .last_realtime = now_realtime_usec, .count = 1
	};
	struct decision *list = d->lists[topic];

	take(made.rule, sizeof(made.rule), rule);
	take(made.action, sizeof(made.action), action);
	take(made.inputs, sizeof(made.inputs), inputs);
	if (!list)
		list = d->lists[topic] = calloc(DECISIONS_MAX, sizeof(*list));
	if (!list)
		return false;
	bool same = d->n[topic] > 0 && strcmp(list->rule, made.rule) == 0 &&
		    strcmp(list->action, made.action) == 0;
	if (same) {
		made.first_realtime = list->first_realtime;
		made.count = list->count < UINT32_MAX ? list->count + 1 : list->count;
	} else {
		memmove(list + 1, list, (DECISIONS_MAX - 1) * sizeof(*list));
		if (d->n[topic] < DECISIONS_MAX)
			d->n[topic]++;
	}
	list[0] = made;
	return !same;
}
