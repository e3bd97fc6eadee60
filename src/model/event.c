/* SPDX-License-Identifier: Apache-2.0 */
/* Events to and from lines of JSON, and what their kinds are called. */
#include "model/event.h"

#include "base/macro.h"
#include "model/jsontext.h"
#include "model/utf8.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

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
	[EVENT_SNAPSHOT] = "snapshot",
	[EVENT_DISK] = "disk",
	[EVENT_REQUEST] = "request",
	[EVENT_HYPERVISOR] = "hypervisor",
	[EVENT_DAEMON] = "daemon",
};
NAME_TABLE_DEFINE(event_kind, enum event_kind, EVENT_KIND_NUM);

static const char *const why_topic_names[] = {
	[WHY_HEALTH] = "health",
	[WHY_MEMORY] = "memory",
	[WHY_RESTART] = "restart",
	[WHY_SHUTDOWN] = "shutdown",
};
NAME_TABLE_DEFINE(why_topic, enum why_topic, WHY_TOPIC_NUM);

/* Made once by `systemd-id128 new`; units/mediakitd.catalog speaks of the same. */
static const char *const message_ids[] = {
	[EVENT_STATE] = "420a648b659f49368e60e93fd7fe6757",
	[EVENT_EXIT] = "83fd2c6a1244442e8bf217e7ea6bd647",
	[EVENT_RESTART] = "95f8a4461e044d3c99d11b0b467fb798",
	[EVENT_STOP] = "44797d666de54ba3abcf8382af7fe595",
	[EVENT_BOOT] = "839467388db3408dbb5b197bddce67d6",
	[EVENT_HEALTH] = "3bbd9e1801b54ab79d0e62d30309acc7",
	[EVENT_SERVICE] = "9a234ede57354f3eb54d04ba4e2d2af1",
	[EVENT_REMEDY] = "729359b6238146078538607ff9d1617d",
	[EVENT_BALLOON] = "f6d45c69acb54523820ae9554ec2b546",
	[EVENT_SNAPSHOT] = "f404a914ab694d5985c041ba08e0b58f",
	[EVENT_DISK] = "fa01dfd95ad34a6d8499c5dd0e30313c",
	[EVENT_REQUEST] = "9df050a0fb5a46eaac0ddae7dbae7d96",
	[EVENT_HYPERVISOR] = "d5fe12935e1d41159ed114891b46f859",
	[EVENT_DAEMON] = "f2c187cea9384e2fb0eafacbf8ab2c22",
};
static_assert(ARRAY_SIZE(message_ids) == EVENT_KIND_NUM, "a kind without a MESSAGE_ID");

const char *event_message_id(enum event_kind kind)
{
	return (size_t)kind < EVENT_KIND_NUM ? message_ids[kind] : NULL;
}

/* Numbers above are no numbers of ours: counting on from there would end one day. */
#define SEQ_MAX (1ll << 52)

/* What may be printed is taken as it is, because escaping doubles each backslash. */
static void take_text(char *dst, size_t size, const char *src)
{
	size_t len = strlen(src);

	if (len < size && utf8_printable(src, len))
		memcpy(dst, src, len + 1);
	else
		(void)utf8_escape(dst, size, src, len);
}

struct event *event_new(const struct event *like, const char *text)
{
	char shown[EVENT_TEXT_MAX];
	struct event *e;

	take_text(shown, sizeof(shown), text);
	size_t len = strlen(shown);
	e = malloc(sizeof(*e) + len + 1);
	if (!e)
		return NULL;
	*e = *like;
	take_text(e->service, sizeof(e->service), like->service);
	take_text(e->cause, sizeof(e->cause), like->cause);
	memcpy(e->text, shown, len + 1);
	return e;
}

char *event_to_line(const struct event *e)
{
	char *line = NULL;
	json_t *root = json_pack("{s:I, s:I, s:I, s:s, s:i, s:s, s:s, s:s}", "seq",
		(json_int_t)e->seq, "at", (json_int_t)e->realtime, "boottime",
		(json_int_t)e->boottime, "kind", event_kind_to_string(e->kind), "level", e->level,
		"service", e->service, "cause", e->cause, "text", e->text);
	CLEANUP_FREE char *json = json_text(root, JSON_COMPACT);

	json_decref(root);
	return json && asprintf(&line, "%s\n", json) >= 0 ? line : NULL;
}

static int from_root(const json_t *root, struct event **ret)
{
	json_int_t seq = json_integer_value(json_object_get(root, "seq"));
	json_int_t at = json_integer_value(json_object_get(root, "at"));
	json_int_t boottime = json_integer_value(json_object_get(root, "boottime"));
	json_int_t level = json_integer_value(json_object_get(root, "level"));
	int kind = event_kind_from_string(json_string_value(json_object_get(root, "kind")));
	const char *text = json_string_value(json_object_get(root, "text"));
	const char *service = json_string_value(json_object_get(root, "service"));
	const char *cause = json_string_value(json_object_get(root, "cause"));

	/* A kind of a newer daemon has no name here, and is left out. */
	if (seq < 1 || seq > SEQ_MAX || at < 0 || boottime < 0 || level < 0 || level > 7 ||
		kind < 0 || !text)
		return -EBADMSG;
	struct event e = {
		.seq = (uint64_t)seq,
		.realtime = (usec_t)at,
		.boottime = (usec_t)boottime,
		.kind = (enum event_kind)kind,
		.level = (int)level,
	};
	take_text(e.service, sizeof(e.service), service ? service : "");
	take_text(e.cause, sizeof(e.cause), cause ? cause : "");
	struct event *made = event_new(&e, text);
	if (!made)
		return -ENOMEM;
	*ret = made;
	return 0;
}

int event_from_line(const char *line, size_t len, struct event **ret)
{
	if (len > EVENT_LINE_MAX)
		return -EBADMSG;
	json_t *root = NULL;
	int r = json_read(line, len, JSON_REJECT_DUPLICATES, &root);
	if (r >= 0)
		r = json_is_object(root) ? from_root(root, ret) : -EBADMSG;
	json_decref(root);
	return r;
}
