/* SPDX-License-Identifier: Apache-2.0 */
/* Events and decisions. */
#include "core/event.h"

#include "base/log.h"
#include "core/guest.h"

#include <stdarg.h>

static const char *const event_kind_names[] = {
	[EVENT_STATE] = "state",
	[EVENT_EXIT] = "exit",
	[EVENT_RESTART] = "restart",
	[EVENT_STOP] = "stop",
	[EVENT_BOOT] = "boot",
	[EVENT_HEALTH] = "health",
	[EVENT_SERVICE] = "service",
	[EVENT_REMEDY] = "remedy",
	[EVENT_BALLOON] = "balloon",
	[EVENT_REQUEST] = "request",
	[EVENT_HYPERVISOR] = "hypervisor",
};
NAME_TABLE_DEFINE(event_kind, enum event_kind, EVENT_KIND_NUM);

static const char *const why_topic_names[] = {
	[WHY_HEALTH] = "health",
	[WHY_MEMORY] = "memory",
	[WHY_RESTART] = "restart",
	[WHY_SHUTDOWN] = "shutdown",
};
NAME_TABLE_DEFINE(why_topic, enum why_topic, WHY_TOPIC_NUM);

void event_note(struct guest *g, enum event_kind kind, const struct service *s, int level,
	const char *format, ...)
{
	char text[EVENT_TEXT_MAX];
	va_list ap;

	(void)kind;
	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	log_full(level, g->spec->name, s ? s->spec->name : NULL, "%s", text);
}

void why_note(struct guest *g, enum why_topic topic, const char *rule, const char *action,
	const char *inputs, ...)
{
	char text[EVENT_TEXT_MAX];
	va_list ap;

	va_start(ap, inputs);
	(void)vsnprintf(text, sizeof(text), inputs, ap);
	va_end(ap);
	log_full(LOG_DEBUG, g->spec->name, NULL, "%s: %s: %s (%s)", why_topic_to_string(topic),
		rule, action, text);
}
