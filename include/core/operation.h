/* SPDX-License-Identifier: Apache-2.0 */
/* A request that takes time and is answered exactly once, whatever happens to the guest, the caller
 * or the daemon. */
#ifndef MEDIAKIT_CORE_OPERATION_H
#define MEDIAKIT_CORE_OPERATION_H

#include "base/macro.h"
#include "base/nametable.h"
#include "base/time.h"

enum operation_kind {
	OPERATION_START,
	OPERATION_STOP,
	OPERATION_RESTART,
	OPERATION_KILL,
	OPERATION_BALLOON,
	OPERATION_SAVE,
	OPERATION_SNAPSHOT,
	OPERATION_DELETE_SNAPSHOT,
	OPERATION_KIND_NUM,
};
NAME_TABLE_DECLARE(operation_kind, enum operation_kind);

/* Sets of kinds: those answered by a guest that is down, and by one that runs. */
#define OPERATIONS_STOP  (1u << OPERATION_STOP | 1u << OPERATION_KILL | 1u << OPERATION_SAVE)
#define OPERATIONS_START (1u << OPERATION_START | 1u << OPERATION_RESTART)

#define OPERATIONS_MAX 32u /* waiting on one guest; one more is refused with -EBUSY */

/* `error` is 0 or -errno, `message` one line for the operator (what it came to, or what to do
 * next). */
typedef void (*operation_done_t)(void *userdata, int error, const char *message);

struct operation {
	struct operation *next; /* of the same guest */
	enum operation_kind kind;
	usec_t began, deadline;
	operation_done_t done;
	void *userdata;
};

struct operations {
	struct operation *first;
	unsigned n;
};

/* The operation, owned by the list until answered; NULL with no memory or OPERATIONS_MAX waiting.
 */
struct operation *operation_add(struct operations *list, enum operation_kind kind,
	operation_done_t done, void *userdata, usec_t now, usec_t deadline);
/* The caller went away: `done` is not called. Takes an operation of the list, once. */
void operation_forget(struct operations *list, struct operation *op);
/* Does any of these kinds wait? */
bool operations_wait(const struct operations *list, unsigned kinds);
/* Answers every waiting operation whose kind is in the bit mask (1u << kind). */
void operations_answer(struct operations *list, unsigned kinds, int error, const char *message);
/* Answers those past their deadline with -ETIMEDOUT; returns when to look again. */
usec_t operations_expire(struct operations *list, usec_t now);

#endif
