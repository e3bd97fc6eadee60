/* SPDX-License-Identifier: Apache-2.0 */
/* Operations wait in a list of their guest and leave it by exactly one door. */
#include "core/operation.h"

#include <errno.h>

static const char *const operation_kind_names[] = {
	[OPERATION_START] = "start",
	[OPERATION_STOP] = "stop",
	[OPERATION_RESTART] = "restart",
	[OPERATION_KILL] = "kill",
	[OPERATION_BALLOON] = "balloon",
	[OPERATION_SAVE] = "save",
	[OPERATION_SNAPSHOT] = "snapshot",
	[OPERATION_DELETE_SNAPSHOT] = "delete-snapshot",
};
NAME_TABLE_DEFINE(operation_kind, enum operation_kind, OPERATION_KIND_NUM);

struct operation *operation_add(struct operations *list, enum operation_kind kind,
	operation_done_t done, void *userdata, usec_t now, usec_t deadline)
{
	if (list->n >= OPERATIONS_MAX)
		return NULL;
	struct operation *op = malloc(sizeof(*op));
	if (!op)
		return NULL;
	*op = (struct operation){
		.next = list->first,
		.kind = kind,
		.began = now,
		.deadline = deadline,
		.done = done,
		.userdata = userdata,
	};
	list->first = op;
	list->n++;
	return op;
}

static void unlink_at(struct operations *list, struct operation **at)
{
	*at = (*at)->next;
	list->n--;
}

void operation_forget(struct operations *list, struct operation *op)
{
	for (struct operation **at = &list->first; *at; at = &(*at)->next) {
		if (*at != op)
			continue;
		unlink_at(list, at);
		free(op);
		return;
	}
}

bool operations_wait(const struct operations *list, unsigned kinds)
{
	for (const struct operation *op = list->first; op; op = op->next)
		if (kinds & 1u << op->kind)
			return true;
	return false;
}

/* Taken off the list before the callback runs: it may add or forget operations of this very list,
 * so the search begins anew after each answer. */
static struct operation *take_first(struct operations *list, unsigned kinds, usec_t expired_at)
{
	for (struct operation **at = &list->first; *at; at = &(*at)->next) {
		struct operation *op = *at;
		if (!(kinds & 1u << op->kind) || op->deadline > expired_at)
			continue;
		unlink_at(list, at);
		return op;
	}
	return NULL;
}

static void answer(
	struct operations *list, unsigned kinds, usec_t expired_at, int error, const char *message)
{
	struct operation *op;

	while ((op = take_first(list, kinds, expired_at))) {
		operation_done_t done = op->done;
		void *userdata = op->userdata;
		free(op);
		if (done)
			done(userdata, error, message);
	}
}

void operations_answer(struct operations *list, unsigned kinds, int error, const char *message)
{
	answer(list, kinds, USEC_INFINITY, error, message);
}

usec_t operations_expire(struct operations *list, usec_t now)
{
	usec_t next = USEC_INFINITY;

	answer(list, ~0u, now, -ETIMEDOUT,
		"the time for this request is over; what it asked for goes on, see `mediakitd "
		"status`");
	for (const struct operation *op = list->first; op; op = op->next)
		next = MIN(next, op->deadline);
	return next;
}
