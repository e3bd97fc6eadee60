/* SPDX-License-Identifier: Apache-2.0 */
/* A list: a look-up among a few guests costs less than anything it precedes. */
#include "virt/guests.h"

#include "base/macro.h"
#include "model/spec.h"

#include <string.h>

struct guest *guests_find(const struct guests *guests, const char *uuid)
{
	for (struct guest *guest = guests->first; guest; guest = guest->next)
		if (strcmp(guest->uuid, uuid) == 0)
			return guest;
	return NULL;
}

static void guest_free(struct guest *guest)
{
	for (size_t i = 0; i < QUEUE_NUM; i++)
		worker_queue_free(guest->queues[i]);
	memo_unref(guest->memo);
	free(guest);
}

static int guest_fill(struct guest *guest, struct worker_pool *pool, struct mailbox *mailbox,
	const char *pid_dir, const char *name)
{
	static const char *const prefixes[QUEUE_NUM] = {"vm", "ag", "de"};
	int r = 0;

	guest->memo = memo_new(mailbox, pid_dir);
	if (!guest->memo)
		return -ENOMEM;
	for (size_t i = 0; i < QUEUE_NUM && r == 0; i++) {
		char thread[32];

		(void)snprintf(thread, sizeof(thread), "%s:%.20s", prefixes[i], name);
		r = worker_queue_new(pool, thread, HV_QUEUE_MAX, &guest->queues[i]);
	}
	return r;
}

int guests_add(struct guests *guests, struct worker_pool *pool, struct mailbox *mailbox,
	const char *uuid, const char *name, struct guest **ret)
{
	struct guest *guest;
	int r;

	if (guests->n >= SPEC_GUESTS_MAX)
		return -ENOBUFS;
	guest = calloc(1, sizeof(*guest));
	if (!guest)
		return -ENOMEM;
	(void)snprintf(guest->uuid, sizeof(guest->uuid), "%s", uuid);
	r = guest_fill(guest, pool, mailbox, guests->pid_dir, name ? name : uuid);
	if (r < 0) {
		guest_free(guest);
		return r;
	}
	guest->next = guests->first;
	guests->first = guest;
	guests->n++;
	*ret = guest;
	return 0;
}

bool guest_idle(const struct guest *guest)
{
	for (size_t i = 0; i < QUEUE_NUM; i++)
		if (!worker_queue_idle(guest->queues[i]))
			return false;
	return true;
}

void guests_sweep(struct guests *guests)
{
	for (struct guest **p = &guests->first; *p;) {
		struct guest *guest = *p;

		if (!guest->forgotten || !guest->closed || !guest_idle(guest)) {
			p = &guest->next;
			continue;
		}
		*p = guest->next;
		guests->n--;
		guest_free(guest);
	}
}

void guests_clear(struct guests *guests)
{
	while (guests->first) {
		struct guest *guest = guests->first;

		guests->first = guest->next;
		guest_free(guest);
	}
	guests->n = 0;
	free(TAKE_PTR(guests->pid_dir));
}
