/* SPDX-License-Identifier: Apache-2.0 */
/* Asks polkit.
 *
 * Theory of operation: the answer may take as long as a person takes to type a password, so the
 * call is put aside with a reference and the question is sent on. When polkit allows it the message
 * goes back to the head of the connection's queue, and on its second way through the filter it is
 * found in the list and passes. Every question is in the list until it is answered, and the list is
 * bounded, so that a crowd of callers costs a written amount. Nothing is cached: an authorisation
 * is for one call. */
#include "bus/polkit.h"

#include "base/log.h"
#include "bus/names.h"
#include "bus/object.h"
#include "policy/ratelimit.h"

#include <errno.h>
#include <string.h>

#define POLKIT_NAME      "org.freedesktop.PolicyKit1"
#define POLKIT_PATH      "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"

enum { POLKIT_ALLOW_INTERACTION = 1 };

struct polkit_question {
	struct polkit_question *next;
	struct polkit *polkit;
	sd_bus_message *message;
	sd_bus_slot *slot; /* NULL once answered */
	bool allowed;      /* on its second way through the filter */
};

/* Anybody may be refused as often as he likes, and the journal tells of it this often. */
static const struct ratelimit_rule told_rule = { .burst = 10, .every = 6 * USEC_PER_SEC };

struct polkit {
	sd_bus *connection;
	struct ratelimit told;
	unsigned untold;
	struct polkit_question *questions;
	unsigned n;
};

static const char *action_of(sd_bus_message *m)
{
	static const struct {
		const char *interface, *member, *action;
	} actions[] = {
		{ BUS_IFACE_MANAGER, "Reload", BUS_NAME ".reload" },
		{ BUS_IFACE_GUEST, "SetBalloon", BUS_NAME ".set-balloon" },
		{ BUS_IFACE_GUEST, "SetBalloonFor", BUS_NAME ".set-balloon" },
		{ BUS_IFACE_GUEST, "OpenConsole", BUS_NAME ".open-console" },
		{ BUS_IFACE_GUEST, "ConsoleTail", BUS_NAME ".open-console" },
		{ BUS_IFACE_GUEST, "Kill", BUS_NAME ".kill-guest" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (sd_bus_message_is_method_call(m, actions[i].interface, actions[i].member) > 0)
			return actions[i].action;
	/* A method added later is closed by the strictest of the common ones until it is listed. */
	return BUS_NAME ".manage-guest";
}

static void question_free(struct polkit_question *q)
{
	for (struct polkit_question **at = &q->polkit->questions; *at; at = &(*at)->next)
		if (*at == q) {
			*at = q->next;
			q->polkit->n--;
			break;
		}
	sd_bus_slot_unref(q->slot);
	sd_bus_message_unref(q->message);
	free(q);
}

static bool sender_is_root(sd_bus_message *m)
{
	sd_bus_creds *creds = NULL;
	uid_t uid = (uid_t)-1;

	if (sd_bus_query_sender_creds(m, SD_BUS_CREDS_EUID, &creds) >= 0)
		(void)sd_bus_creds_get_euid(creds, &uid);
	sd_bus_creds_unref(creds);
	return uid == 0;
}

static bool may_tell(struct polkit *p)
{
	if (!ratelimit_take(&p->told, &told_rule, now_boottime())) {
		p->untold++;
		return false;
	}
	if (p->untold > 0)
		log_info("polkit: %u calls more were refused", p->untold);
	p->untold = 0;
	return true;
}

static void refuse(struct polkit_question *q, bool challenge)
{
	sd_bus_message *m = q->message;

	if (may_tell(q->polkit))
		log_info("polkit does not allow %s to %s (%s)", sd_bus_message_get_sender(m),
			sd_bus_message_get_member(m), action_of(m));
	if (challenge)
		(void)sd_bus_reply_method_errorf(m, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
			"%s needs a password, and nobody could be asked for it here: run it with "
			"sudo, or as a member of group '%s'",
			sd_bus_message_get_member(m), BUS_CONTROL_GROUP);
	else
		(void)sd_bus_reply_method_errorf(m, SD_BUS_ERROR_ACCESS_DENIED,
			"you may not do this (%s): become a member of group '%s', or root",
			action_of(m), BUS_CONTROL_GROUP);
}

static void allow(struct polkit_question *q)
{
	q->allowed = true;
	int r = sd_bus_enqueue_for_read(q->polkit->connection, q->message);
	if (r < 0) {
		(void)sd_bus_reply_method_errno(q->message, r, NULL);
		question_free(q);
	}
}

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	struct polkit_question *q = userdata;
	int allowed = 0, challenge = 0;

	(void)error;
	q->slot = sd_bus_slot_unref(q->slot);
	const sd_bus_error *e = sd_bus_message_get_error(reply);
	if (e && (strcmp(e->name, SD_BUS_ERROR_SERVICE_UNKNOWN) == 0 ||
			 strcmp(e->name, SD_BUS_ERROR_NAME_HAS_NO_OWNER) == 0)) {
		/* No polkit on this host: root needs nobody's leave. */
		allowed = sender_is_root(q->message);
	} else if (e) {
		if (may_tell(q->polkit))
			log_warning("polkit cannot be asked: %s", e->message);
	} else if (sd_bus_message_enter_container(reply, 'r', "bba{ss}") < 0 ||
		   sd_bus_message_read(reply, "bb", &allowed, &challenge) < 0) {
		allowed = challenge = 0;
	}
	if (allowed) {
		allow(q);
	} else {
		refuse(q, challenge);
		question_free(q);
	}
	return 0;
}

static int ask(struct polkit_question *q)
{
	sd_bus_message *call = NULL;
	uint32_t flags = sd_bus_message_get_allow_interactive_authorization(q->message) > 0
				 ? POLKIT_ALLOW_INTERACTION
				 : 0;
	int r = sd_bus_message_new_method_call(q->polkit->connection, &call, POLKIT_NAME,
		POLKIT_PATH, POLKIT_INTERFACE, "CheckAuthorization");

	if (r >= 0)
		r = sd_bus_message_append(call, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name",
			"s", sd_bus_message_get_sender(q->message), action_of(q->message), 0, flags,
			"");
	if (r >= 0)
		r = sd_bus_call_async(
			q->polkit->connection, &q->slot, call, on_answer, q, BUS_POLKIT_TIMEOUT);
	sd_bus_message_unref(call);
	return r;
}

int polkit_check(struct polkit *p, sd_bus_message *m)
{
	for (struct polkit_question *q = p->questions; q; q = q->next)
		if (q->message == m && q->allowed) {
			question_free(q);
			return 0;
		}
	if (p->n >= POLKIT_PENDING_MAX) {
		/* Whether or not the caller wants to hear it, the message goes no further. */
		(void)sd_bus_reply_method_errorf(
			m, BUS_ERROR_BUSY, "too many callers wait for polkit: try again");
		return 1;
	}
	struct polkit_question *q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	*q = (struct polkit_question){
		.polkit = p, .message = sd_bus_message_ref(m), .next = p->questions
	};
	p->questions = q;
	p->n++;
	int r = ask(q);
	if (r < 0)
		question_free(q);
	return r < 0 ? r : 1;
}

struct polkit *polkit_new(sd_bus *connection)
{
	struct polkit *p = calloc(1, sizeof(*p));

	if (p)
		p->connection = connection;
	return p;
}

void polkit_free(struct polkit *p)
{
	if (!p)
		return;
	while (p->questions)
		question_free(p->questions);
	free(p);
}
