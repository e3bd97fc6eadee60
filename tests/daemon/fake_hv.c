/* SPDX-License-Identifier: Apache-2.0 */
/* The fake hypervisor's requests: queues, deadlines, effects, answers. */
#include "fake_hv.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_guest.h"

struct fake_request {
	struct fake_request *next;
	struct fake_guest *d;
	enum hv_verb verb;
	char *text;
	uint64_t kib;
	unsigned weight, quota_pct;
	bool restore;
	uint64_t version;
	usec_t timeout;
	hv_done_t done;
	void *userdata;
	struct fake_queue *queue;
};

/* Of its own for the agent and for the end, as virt/ has it, so that neither waits for what
 * hangs. */
static struct fake_queue *queue_of(struct fake_guest *d, enum hv_verb verb)
{
	if (verb == HV_DESTROY || verb == HV_QUIT)
		return &d->destroy;
	if (verb == HV_SAVE_ABORT)
		return &d->agent;
	return verb == HV_AGENT || verb == HV_AGENT_SHUTDOWN ? &d->agent : &d->calls;
}

/* As virt/ has them. */
static usec_t default_timeout(enum hv_verb verb)
{
	switch (verb) {
	case HV_START:
		return 120 * USEC_PER_SEC;
	case HV_BACKUP:
		return 30 * USEC_PER_SEC;
	case HV_BACKUP_ABORT:
		return 10 * USEC_PER_SEC;
	case HV_AGENT:
	case HV_AGENT_SHUTDOWN:
		return 15 * USEC_PER_SEC;
	case HV_QUIT:
	case HV_DESTROY:
		return 60 * USEC_PER_SEC;
	default:
		return 5 * USEC_PER_SEC;
	}
}

static struct fake_guest *find(struct fake_hv *hv, const char *uuid)
{
	struct fake_guest *d = hv->guests;

	while (d && strcmp(d->uuid, uuid) != 0)
		d = d->next;
	return d;
}

struct fake_guest *fake_hv_guest(struct fake_hv *hv, const char *uuid, const char *name)
{
	struct fake_guest *d = find(hv, uuid);

	if (d)
		return d;
	d = calloc(1, sizeof(*d));
	assert(d);
	fake_guest_init(d, hv, uuid, name);
	d->next = hv->guests;
	hv->guests = d;
	return d;
}

static void read_facts(const struct fake_guest *d, struct hv_facts *ret)
{
	bool qemu = fake_guest_has_qemu(d);

	*ret = (struct hv_facts) {
		.state = d->state,
		.reason = d->reason,
		.pid = qemu ? d->pid : 0,
		.pid_realtime = qemu ? d->pid_realtime : 0,
		.tcg = qemu,
		.managed_save = d->has_save,
		.agent_connected = qemu && d->agent_told,
		.console_open = qemu && d->console_open,
	};
}

static void read_stats(struct fake_guest *d, struct hv_stats *ret)
{
	const struct guestmem *m = fake_guest_memory(d);

	memset(ret, 0xff, sizeof(*ret)); /* all absent */
	ret->balloon_kib = fake_guest_balloon_kib(d);
	ret->maximum_kib = d->maximum_kib;
	ret->rss_kib = guestmem_rss_kib(m);
	ret->usable_kib = m->usable_kib;
	ret->unused_kib = m->unused_kib;
	ret->disk_caches_kib = m->caches_kib;
	ret->swap_in_kib = m->seen_swap_in;
	ret->swap_out_kib = m->seen_swap_out;
	ret->major_faults = m->seen_faults;
	ret->last_update_sec = m->update_sec;
	if (d->no_delay)
		return;
	/* No thread ever got every CPU it wanted at once. */
	ret->vcpu_delay_nsec = 1000000 + d->delay_nsec;
	ret->cpu_time_nsec = d->run_nsec;
	ret->vcpus = 2;
}

static int need_running(const struct fake_guest *d)
{
	return fake_guest_has_qemu(d) ? 0 : -ENOENT;
}

static void abort_save(struct fake_guest *d);

/* What the call does, at the moment at which it returns. */
static int effect(struct fake_request *r, struct hv_reply *reply)
{
	struct fake_guest *d = r->d;

	switch (r->verb) {
	case HV_READ:
		d->reads++;
		d->console_open |= fake_guest_has_qemu(d);
		read_facts(d, &reply->facts);
		return 0;
	case HV_START:
		reply->version = d->hv->version;
		if (d->stale) {
			d->stale = false;
			(void)snprintf(reply->message, sizeof(reply->message), "%s",
				d->save_unreadable ? "libvirt could not read it"
				: d->has_save      ? "another QEMU made it"
						   : "libvirt has no such save any more");
			return -ESTALE;
		}
		if (!d->appeared)
			return d->start_error ? d->start_error : -EEXIST;
		d->appeared = false;
		read_facts(d, &reply->facts);
		return 0;
	case HV_ACPI:
		return need_running(d) < 0 ? -ENOENT : fake_guest_press(d);
	case HV_AGENT_SHUTDOWN:
		if (d->agent_told && !fake_guest_runs(d))
			return -ETIMEDOUT;
		return need_running(d) < 0 ? -ENOENT : fake_guest_agent_shutdown(d);
	case HV_RESUME:
		if (need_running(d) < 0)
			return -ENOENT;
		d->resumes++;
		if (d->state == HV_DOMAIN_PAUSED && !d->stays_paused)
			fake_guest_resume(d);
		return 0;
	case HV_SAVE:
		return fake_guest_save(d);
	case HV_SAVE_ABORT:
		d->aborts++;
		abort_save(d);
		return 0;
	case HV_QUIT:
		d->quits++;
		d->destroyed_at = d->hv->timeline->now;
		if (!fake_guest_has_qemu(d))
			return 0;
		if (d->sigstopped || d->ignores_term)
			return -EBUSY;
		fake_guest_end(d, HV_REASON_DESTROYED);
		return 0;
	case HV_DESTROY:
		d->destroys++;
		d->destroyed_at = d->hv->timeline->now;
		if (fake_guest_has_qemu(d))
			fake_guest_end(d, HV_REASON_DESTROYED);
		return 0;
	case HV_SETMEM:
		return need_running(d) < 0 ? -ENOENT : fake_guest_setmem(d, r->kib);
	case HV_STATS:
		d->stats_asked++;
		fake_guest_starve(d, d->starve_permille);
		read_stats(d, &reply->stats);
		return need_running(d);
	case HV_AGENT:
		/* libvirt gives an agent that does not answer this long, and no longer. */
		if (d->agent_told && !fake_guest_runs(d))
			return -ETIMEDOUT;
		if (!d->agent_told || need_running(d) < 0)
			return -ENOTCONN;
		int error = 0;
		reply->text = fake_freeze_answer(d, r->text, &error);
		if (!reply->text && error == 0)
			reply->text = fake_agent_answer(d, r->text);
		return error;
	case HV_CPU_TUNE:
		d->cpu_tunes++;
		if (d->cpu_tune_error)
			return d->cpu_tune_error;
		d->cpu_weight = r->weight;
		d->cpu_quota_pct = r->quota_pct;
		return need_running(d);
	case HV_DISK:
		reply->backup.total = UINT64_C(20) << 30;
		return need_running(d);
	case HV_BACKUP:
		return need_running(d) < 0 ? -ESRCH : fake_backup_begin(d, r->text);
	case HV_BACKUP_LOOK:
		fake_backup_look(d, &reply->backup);
		return need_running(d) < 0 ? -ESRCH : 0;
	case HV_BACKUP_ABORT:
		return fake_backup_abort(d, r->text);
	case HV_VERB_NUM:
		break;
	}
	return -EINVAL;
}

static void begin(struct fake_queue *q);

static void answer(struct fake_request *r, struct hv_reply *reply, usec_t now)
{
	if (reply->error != 0 && !reply->message[0])
		(void)snprintf(reply->message, sizeof(reply->message), "fake: %s",
			strerror(-reply->error));
	r->done(r->userdata, reply, now);
	free((char *)reply->text);
	free(r->text);
	free(r);
}

static struct fake_request *shift(struct fake_queue *q)
{
	struct fake_request *r = q->first;

	if (r) {
		q->first = r->next;
		q->n--;
	}
	return r;
}

static void returned(void *userdata, usec_t now)
{
	struct fake_queue *q = userdata;
	struct fake_request *r = shift(q);
	struct hv_reply reply = { .verb = r->verb };

	q->timer = NULL;
	reply.error = effect(r, &reply);
	/* The connection went away under the call: what it did is done, its answer is lost. */
	if (!r->d->hv->connected)
		reply.error = -ENOTCONN;
	if (r->verb == HV_START && reply.error == r->d->start_error && r->d->start_message)
		(void)snprintf(reply.message, sizeof(reply.message), "%s", r->d->start_message);
	begin(q);
	answer(r, &reply, now);
}

static void hung(void *userdata, usec_t now)
{
	struct fake_queue *q = userdata;
	struct fake_request *r = shift(q);
	struct hv_reply reply = { .verb = r->verb, .error = -ETIMEDOUT };

	q->timer = NULL;
	q->wedged = true;
	answer(r, &reply, now);
	while ((r = shift(q))) {
		struct hv_reply busy = { .verb = r->verb, .error = -EBUSY };
		answer(r, &busy, now);
	}
}

/* Makes a save that is under way return at once. */
static void abort_save(struct fake_guest *d)
{
	struct timeline *t = d->hv->timeline;
	struct fake_queue *q = &d->calls;

	if (!q->first || q->first->verb != HV_SAVE || !q->timer)
		return;
	d->aborted = true;
	timeline_cancel(t, q->timer);
	q->timer = timeline_at(t, t->now, returned, q);
}

static bool restorable(const struct fake_request *r)
{
	const struct fake_guest *d = r->d;

	return d->has_save && !d->save_unreadable && d->save_version == d->hv->version &&
		r->version == d->hv->version;
}

static usec_t takes(const struct fake_request *r)
{
	const struct fake_guest *d = r->d;

	if (r->verb == HV_SAVE)
		return d->save_takes;
	if (r->verb == HV_START && r->restore)
		return 2 * USEC_PER_SEC;

	if (r->verb == HV_START && !fake_guest_has_qemu(d))
		return d->start_takes;
	if (r->verb == HV_QUIT)
		return d->sigstopped || d->ignores_term ? 15 * USEC_PER_SEC : USEC_PER_SEC;
	if (r->verb == HV_DESTROY)
		return d->sigstopped || d->ignores_term ? 12 * USEC_PER_SEC : USEC_PER_SEC;
	if (r->verb == HV_AGENT || r->verb == HV_AGENT_SHUTDOWN)
		return d->agent_told && !fake_guest_runs(d) ? 5 * USEC_PER_SEC : 20 * USEC_PER_MSEC;
	if (r->verb == HV_BACKUP && d->backup_begins)
		return d->backup_begins;
	if (r->verb == HV_SETMEM && d->setmem_takes)
		return d->setmem_takes;
	return r->verb == HV_READ ? d->read_takes : 5 * USEC_PER_MSEC;
}

/* Does the call wait for QEMU's monitor? */
static bool hangs(const struct fake_request *r)
{
	return r->d->sigstopped && fake_guest_has_qemu(r->d) && r->verb != HV_READ &&
		r->verb != HV_DESTROY && r->verb != HV_QUIT &&
		r->verb != HV_CPU_TUNE && r->verb != HV_START &&
		r->verb != HV_AGENT && r->verb != HV_AGENT_SHUTDOWN;
}

static void begin(struct fake_queue *q)
{
	struct fake_request *r = q->first;

	if (!r || q->timer)
		return;
	struct timeline *t = r->d->hv->timeline;
	q->hangs = hangs(r);
	if (q->hangs) {
		q->timer = timeline_at(t, t->now + r->timeout, hung, q);
		return;
	}
	if (r->verb == HV_START && r->restore && !restorable(r)) {
		r->d->stale = true;
	} else if (r->verb == HV_START) {
		r->d->restoring = r->restore;
		r->d->has_save &= r->restore;
		fake_guest_create(r->d, takes(r));
	}
	if (r->verb == HV_SAVE && fake_guest_runs(r->d))
		fake_guest_pause(r->d, HV_REASON_SAVING);
	q->timer = timeline_at(t, t->now + takes(r), returned, q);
}

static int fake_submit(
	struct hv *hv_, const struct hv_request *request, hv_done_t done, void *userdata)
{
	struct fake_hv *hv = (struct fake_hv *)hv_;
	struct fake_guest *d = fake_hv_guest(hv, request->uuid, request->name);
	struct fake_queue *q = queue_of(d, request->verb);
	struct fake_request **at = &q->first;

	if (!hv->connected)
		return -ENOTCONN;
	if (q->wedged)
		return -EBUSY;
	if (q->n >= HV_QUEUE_MAX)
		return -ENOBUFS;
	struct fake_request *r = calloc(1, sizeof(*r));
	assert(r);
	*r = (struct fake_request) {
		.d = d,
		.verb = request->verb,
		.text = request->text ? strdup(request->text) : NULL,
		.kib = request->kib,
		.weight = request->weight,
		.quota_pct = request->quota_pct,
		.restore = request->restore,
		.version = request->version,
		.timeout = request->timeout ? request->timeout : default_timeout(request->verb),
		.done = done,
		.userdata = userdata,
		.queue = q,
	};
	for (; *at; at = &(*at)->next) {
		bool stats = (*at)->verb == HV_STATS || r->verb == HV_STATS;
		bool setmem = (*at)->verb == HV_SETMEM || r->verb == HV_SETMEM;
		bool both = (*at)->verb == HV_SETMEM && r->verb == HV_SETMEM;
		d->overlaps += (stats && setmem) || both;
	}
	if (r->verb == HV_START)
		d->kvm = r->text && strstr(r->text, " type='kvm'");
	*at = r;
	q->n++;
	hv->submitted++;
	begin(q);
	return 0;
}

static void drop_queue(struct fake_hv *hv, struct fake_queue *q)
{
	struct fake_request *r;

	timeline_cancel(hv->timeline, q->timer);
	q->timer = NULL;
	while ((r = shift(q))) {
		free(r->text);
		free(r);
	}
}

void fake_hv_orphan(struct fake_hv *hv)
{
	for (struct fake_guest *d = hv->guests; d; d = d->next) {
		drop_queue(hv, &d->calls);
		drop_queue(hv, &d->agent);
		drop_queue(hv, &d->destroy);
		d->calls.wedged = d->destroy.wedged = false;
		d->console_open = d->appeared = d->stale = d->aborted = false;
	}
	hv->observer = (struct hv_observer) { 0 };
	hv->connected = false;
}

void fake_hv_unhang(struct fake_guest *d)
{
	struct timeline *t = d->hv->timeline;
	struct fake_queue *q = &d->calls;

	q->wedged = false;
	if (!q->hangs || !q->timer)
		return;
	q->hangs = false;
	timeline_cancel(t, q->timer);
	q->timer = timeline_at(t, t->now, returned, q);
}

void fake_guest_wake(struct fake_guest *d)
{
	d->sigstopped = false;
	fake_hv_unhang(d);
	fake_guest_go_on(d);
}

static void tell(struct fake_hv *hv, enum hv_hint hint, const char *message, usec_t now)
{
	const struct hv_event event = { .hint = hint, .message = message };

	if (hv->observer.event)
		hv->observer.event(hv->observer.userdata, &event, now);
}

static void connected(void *userdata, usec_t now)
{
	struct fake_hv *hv = userdata;

	hv->connected = true;
	hv->message[0] = '\0';
	tell(hv, HV_HINT_CONNECTED, NULL, now);
}

static int fake_connect(struct hv *hv_)
{
	struct fake_hv *hv = (struct fake_hv *)hv_;

	(void)timeline_at(hv->timeline, hv->timeline->now + 100 * USEC_PER_MSEC, connected, hv);
	return 0;
}

static void disconnected(void *userdata, usec_t now)
{
	struct fake_hv *hv = userdata;

	tell(hv, HV_HINT_DISCONNECTED, hv->message, now);
}

void fake_hv_disconnect(struct fake_hv *hv, const char *why)
{
	hv->connected = false;
	(void)snprintf(hv->message, sizeof(hv->message), "%s", why);
	(void)timeline_at(hv->timeline, hv->timeline->now, disconnected, hv);
}

static void fake_observe(struct hv *hv, const struct hv_observer *observer)
{
	((struct fake_hv *)hv)->observer = *observer;
}

static int fake_console_write(struct hv *hv, const char *uuid, const void *data, size_t len)
{
	(void)data;
	(void)len;
	const struct fake_guest *d = find((struct fake_hv *)hv, uuid);
	return d && d->console_open ? 0 : -ENOTCONN;
}

static void fake_forget(struct hv *hv, const char *uuid)
{
	struct fake_guest *d = find((struct fake_hv *)hv, uuid);

	if (d)
		d->console_open = false;
}

static void fake_health(struct hv *hv_, struct hv_health *ret)
{
	const struct fake_hv *hv = (const struct fake_hv *)hv_;

	*ret = (struct hv_health) { .connected = hv->connected, .kvm = hv->kvm };
	memcpy(ret->message, hv->message, sizeof(ret->message));
	for (const struct fake_guest *d = hv->guests; d; d = d->next)
		ret->wedged_queues += d->calls.wedged;
}

static bool fake_wedged(struct hv *hv, const char *uuid)
{
	const struct fake_guest *d = find((struct fake_hv *)hv, uuid);

	return d && d->calls.wedged;
}

struct fake_hv *fake_hv_new(struct timeline *timeline)
{
	static const struct hv_vtable vtable = {
		.observe = fake_observe,
		.connect = fake_connect,
		.submit = fake_submit,
		.console_write = fake_console_write,
		.forget = fake_forget,
		.health = fake_health,
		.wedged = fake_wedged,
	};
	struct fake_hv *hv = calloc(1, sizeof(*hv));

	assert(hv);
	hv->hv.vtable = &vtable;
	hv->timeline = timeline;
	hv->next_pid = 4000;
	hv->version = 7002022;
	return hv;
}

void fake_hv_free(struct fake_hv *hv)
{
	while (hv->guests) {
		struct fake_guest *d = hv->guests;

		hv->guests = d->next;
		drop_queue(hv, &d->calls);
		drop_queue(hv, &d->agent);
		drop_queue(hv, &d->destroy);
		free(d);
	}
	free(hv);
}
