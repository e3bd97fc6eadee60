/* SPDX-License-Identifier: Apache-2.0 */
/* The vtable: the table of guests with their queues and consoles, requests in, answers and hints
 * out. */
#include "virt/hypervisor.h"

#include "base/macro.h"
#include "io/worker.h"
#include "virt/calls.h"
#include "virt/connection.h"
#include "virt/embed.h"
#include "virt/facts.h"
#include "virt/guests.h"
#include "virt/verbs.h"

#include <malloc.h>
#include <string.h>

/* When the guest does not take what was typed. */
#define TYPED_RETRY       (200 * USEC_PER_MSEC)
/* Chunks of one guest per dispatch: a flood must not hold the loop up. */
#define CONSOLE_TURNS_MAX 4u

struct virt {
	struct hv hv;
	sd_event *event;
	sd_event_source *mail, *sweep, *typed;
	struct worker_pool *pool;
	struct mailbox *mailbox;
	struct links *links;
	struct connection *connection;
	struct hv_observer observer;
	struct guests guests;
};

struct request {
	struct call call;
	struct virt *virt;   /* main loop */
	struct guest *guest; /* main loop; stays while its queues are not idle */
	struct mailbox *mailbox;
	hv_done_t done;      /* NULL for what is not core's */
	void *userdata;
};

static struct virt *virt_of(struct hv *hv)
{
	static_assert(offsetof(struct virt, hv) == 0, "the cast below");
	return (struct virt *)(void *)hv;
}

static usec_t virt_now(const struct virt *virt)
{
	uint64_t now;

	return sd_event_now(virt->event, CLOCK_BOOTTIME, &now) >= 0 ? now : now_boottime();
}

/* When something of a forgotten guest has ended. */
static void sweep_later(void *userdata)
{
	struct virt *virt = userdata;

	(void)sd_event_source_set_enabled(virt->sweep, SD_EVENT_ONESHOT);
}

/* Requests. */

static void request_run(void *arg)
{
	call_run(&((struct request *)arg)->call);
}

static void request_free(void *arg)
{
	struct request *request = arg;

	if (!request)
		return;
	links_unref(request->call.links);
	memo_unref(request->call.memo);
	free(request->call.name);
	free(request->call.text);
	free(request->call.answer);
	free(request);
}

static struct request *request_new(struct virt *virt, struct guest *guest, enum call_kind kind)
{
	struct request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	request->virt = virt;
	request->guest = guest;
	request->call.kind = kind;
	request->call.links = links_ref(virt->links);
	request->call.memo = memo_ref(guest->memo);
	(void)snprintf(request->call.uuid, sizeof(request->call.uuid), "%s", guest->uuid);
	return request;
}

/* -errno, or 0 with the strings copied. */
static int request_fill(struct request *request, const struct hv_request *from)
{
	struct call *call = &request->call;

	call->verb = from->verb;
	call->kib = from->kib;
	call->weight = from->weight;
	call->quota_pct = from->quota_pct;
	call->restore = from->restore;
	call->version = from->version;
	call->name = from->name ? strdup(from->name) : NULL;
	call->text = from->text ? strdup(from->text) : NULL;
	return (from->name && !call->name) || (from->text && !call->text) ? -ENOMEM : 0;
}

/* Of a call that did not come back nothing may be read: its reply is made here. */
static void request_done(void *arg, int error, usec_t now)
{
	struct request *request = arg;
	struct virt *virt = request->virt;
	struct hv_reply reply = {.verb = request->call.verb, .error = error};

	if (error == -ETIMEDOUT)
		(void)snprintf(reply.message, sizeof(reply.message),
			"libvirt's call does not return");
	else if (error == -EBUSY)
		(void)snprintf(reply.message, sizeof(reply.message),
			"the call before it does not return");
	else if (error < 0)
		(void)snprintf(reply.message, sizeof(reply.message), "no thread for the call");
	if (request->guest->forgotten)
		sweep_later(virt);
	request->done(request->userdata, error < 0 ? &reply : &request->call.reply, now);
}

static int request_submit(struct request *request, enum queue queue, usec_t timeout,
	void (*done)(void *arg, int error, usec_t now))
{
	struct worker_job job = {request_run, done, NULL, request_free, request, timeout};
	int r = worker_submit(request->guest->queues[queue], &job);

	if (r < 0)
		request_free(request);
	return r;
}

static int virt_submit(struct hv *hv, const struct hv_request *from, hv_done_t done, void *userdata)
{
	struct virt *virt = virt_of(hv);
	struct request *request;
	struct guest *guest;
	int r;

	if ((unsigned)from->verb >= HV_VERB_NUM || !done || !from->uuid ||
		!facts_uuid_valid(from->uuid) || (verb_rule(from->verb)->needs_text && !from->text))
		return -EINVAL;
	if (!virt->connection || !connection_up(virt->connection))
		return -ENOTCONN;
	guest = guests_find(&virt->guests, from->uuid);
	r = 0;
	if (!guest)
		r = guests_add(&virt->guests, virt->pool, virt->mailbox, from->uuid, from->name,
			&guest);
	if (r < 0)
		return r;
	guest->forgotten = false;
	request = request_new(virt, guest, CALL_REQUEST);
	if (!request)
		return -ENOMEM;
	r = request_fill(request, from);
	if (r < 0) {
		request_free(request);
		return r;
	}
	request->done = done;
	request->userdata = userdata;
	return request_submit(request, verb_rule(from->verb)->queue,
		from->timeout ? from->timeout : verb_rule(from->verb)->timeout, request_done);
}

/* The console. */

static int guest_flush(struct virt *virt, struct guest *guest);

static void typed_done(void *arg, int error, usec_t now)
{
	struct request *request = arg;
	struct guest *guest = request->guest;

	(void)now;
	guest->typing = false;
	if (error < 0 || request->call.reply.error < 0)
		return;
	if (request->call.reply.error > 0) {
		(void)sd_event_source_set_time_relative(request->virt->typed, TYPED_RETRY);
		(void)sd_event_source_set_enabled(request->virt->typed, SD_EVENT_ONESHOT);
	} else if (guest->typed) {
		(void)guest_flush(request->virt, guest);
	}
}

static int guest_flush(struct virt *virt, struct guest *guest)
{
	struct request *request;
	int r;

	guest->typed = guest->typing;
	if (guest->typing)
		return 0;
	request = request_new(virt, guest, CALL_TYPE);
	if (!request)
		return -ENOMEM;
	r = request_submit(request, QUEUE_CALLS, verb_rule(HV_READ)->timeout, typed_done);
	guest->typing = r == 0;
	return r;
}

static int on_typed(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct virt *virt = userdata;

	(void)source;
	(void)usec;
	for (struct guest *guest = virt->guests.first; guest; guest = guest->next)
		if (console_opened(guest->memo->console))
			(void)guest_flush(virt, guest);
	return 0;
}

static int virt_console_write(struct hv *hv, const char *uuid, const void *data, size_t len)
{
	struct virt *virt = virt_of(hv);
	struct guest *guest = guests_find(&virt->guests, uuid);
	int r;

	/* A stream may not have noticed that its connection is gone. */
	if (!guest || guest->forgotten || !connection_up(virt->connection))
		return -ENOTCONN;
	/* Else what is typed now would reach the guest minutes later, with the first key then. */
	if (worker_queue_wedged(guest->queues[QUEUE_CALLS]))
		return -EBUSY;
	r = console_type(guest->memo->console, data, len);
	return r < 0 ? r : guest_flush(virt, guest);
}

/* Returns whether there may be more. The observer may forget guests, but those go in the sweep
 * only. */
static bool guest_relay(struct virt *virt, struct guest *guest, usec_t now)
{
	uint8_t chunk[HV_CONSOLE_CHUNK];
	uint64_t lost = 0;

	for (unsigned i = 0; i < CONSOLE_TURNS_MAX; i++) {
		size_t n = console_take(guest->memo->console, chunk, sizeof(chunk), &lost);

		if (n == 0)
			return false;
		if (virt->observer.console && !guest->forgotten)
			virt->observer.console(virt->observer.userdata, guest->uuid, chunk, n, lost,
				now);
	}
	return true;
}

/* Hints. */

static void tell(struct virt *virt, enum hv_hint hint, const char *uuid, uint64_t kib,
	const char *message, usec_t now)
{
	const struct hv_event event = {hint, uuid, kib, message};

	if (virt->observer.event)
		virt->observer.event(virt->observer.userdata, &event, now);
}

static void on_connection(void *userdata, bool up, const char *message, usec_t now)
{
	tell(userdata, up ? HV_HINT_CONNECTED : HV_HINT_DISCONNECTED, NULL, 0, message, now);
}

/* While there is no connection a hint is of no use: everything is read again after the next one. */
static void virt_hint(struct virt *virt, const struct mail *mail, usec_t now)
{
	struct guest *guest = guests_find(&virt->guests, mail->uuid);

	if (!guest || guest->forgotten || !connection_up(virt->connection))
		return;
	if (mail->hint == HV_HINT_AGENT)
		atomic_store(&guest->memo->stale, true);
	tell(virt, mail->hint, guest->uuid, mail->kib, NULL, now);
}

static void virt_hint_all(struct virt *virt, usec_t now)
{
	struct mail mail = {.hint = HV_HINT_CHANGED};

	/* Submitting from the callback puts new guests in front, forgetting removes none: the walk
	 * holds. */
	for (struct guest *guest = virt->guests.first; guest; guest = guest->next) {
		memcpy(mail.uuid, guest->uuid, sizeof(mail.uuid));
		atomic_store(&guest->memo->stale, true);
		virt_hint(virt, &mail, now);
	}
}

static int on_mail(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct virt *virt = userdata;
	usec_t now = virt_now(virt);
	char words[MAILBOX_WORDS_MAX];
	unsigned generation;
	struct mail mail;
	bool more = false;

	(void)source;
	(void)fd;
	(void)revents;
	mailbox_clear(virt->mailbox);
	if (virt->connection && mailbox_take_closed(virt->mailbox, &generation, words))
		connection_closed(virt->connection, generation, words, now);
	/* What it said on the serial line before what became of it. */
	for (struct guest *guest = virt->guests.first; guest; guest = guest->next)
		more |= guest_relay(virt, guest, now);
	/* No more than there can be: an observer's answer must not keep us here. */
	for (unsigned i = 0; i < MAILBOX_MAX && mailbox_take(virt->mailbox, &mail); i++)
		virt_hint(virt, &mail, now);
	if (mailbox_take_overflow(virt->mailbox))
		virt_hint_all(virt, now);
	if (more)
		mailbox_wake(virt->mailbox);
	return 0;
}

/* The rest of the vtable. */

static void virt_observe(struct hv *hv, const struct hv_observer *observer)
{
	virt_of(hv)->observer = *observer;
}

static int virt_connect(struct hv *hv)
{
	return connection_begin(virt_of(hv)->connection);
}

static void close_done(void *arg, int error, usec_t now)
{
	struct request *request = arg;

	(void)now;
	request->guest->closed = error == 0;
	sweep_later(request->virt);
}

/* A forgotten guest's console is closed once nothing else is under way, and then it goes. */
static int on_sweep(sd_event_source *source, void *userdata)
{
	struct virt *virt = userdata;

	(void)source;
	for (struct guest *guest = virt->guests.first; guest; guest = guest->next) {
		struct request *request;

		if (!guest->forgotten || guest->closed || !guest_idle(guest))
			continue;
		request = request_new(virt, guest, CALL_CLOSE);
		if (request)
			(void)request_submit(request, QUEUE_CALLS, verb_rule(HV_READ)->timeout,
				close_done);
	}
	guests_sweep(&virt->guests);
	return 0;
}

static void virt_forget(struct hv *hv, const char *uuid)
{
	struct virt *virt = virt_of(hv);
	struct guest *guest = guests_find(&virt->guests, uuid);

	if (!guest || guest->forgotten)
		return;
	guest->forgotten = true;
	guest->closed = false;
	sweep_later(virt);
}

static void virt_health(struct hv *hv, struct hv_health *ret)
{
	struct virt *virt = virt_of(hv);

	*ret = (struct hv_health){connection_up(virt->connection), connection_kvm(virt->connection),
		.wedged_queues = worker_pool_wedged(virt->pool)};
	(void)snprintf(ret->message, sizeof(ret->message), "%s",
		connection_message(virt->connection));
}

/* A silent agent is no wedge of the guest's: it has a queue of its own for that reason. */
static bool virt_wedged(struct hv *hv, const char *uuid)
{
	struct guest *guest = guests_find(&virt_of(hv)->guests, uuid);

	return guest && (worker_queue_wedged(guest->queues[QUEUE_CALLS]) ||
				worker_queue_wedged(guest->queues[QUEUE_DESTROY]));
}

static void virt_destroy(struct hv *hv)
{
	struct virt *virt = hv ? virt_of(hv) : NULL;

	if (!virt)
		return;
	virt->mail = sd_event_source_disable_unref(virt->mail);
	virt->sweep = sd_event_source_disable_unref(virt->sweep);
	virt->typed = sd_event_source_disable_unref(virt->typed);
	guests_clear(&virt->guests);
	connection_free(virt->connection);
	worker_pool_free(virt->pool);
	links_unref(virt->links);
	mailbox_unref(virt->mailbox);
	sd_event_unref(virt->event);
	free(virt);
}

static const struct hv_vtable virt_vtable = {
	.destroy = virt_destroy,
	.observe = virt_observe,
	.connect = virt_connect,
	.submit = virt_submit,
	.console_write = virt_console_write,
	.forget = virt_forget,
	.health = virt_health,
	.wedged = virt_wedged,
};

static int virt_add_sources(struct virt *virt)
{
	int r;

	r = sd_event_add_io(virt->event, &virt->mail, mailbox_fd(virt->mailbox), EPOLLIN, on_mail,
		virt);
	if (r >= 0)
		r = sd_event_add_defer(virt->event, &virt->sweep, on_sweep, virt);
	if (r >= 0)
		r = sd_event_source_set_enabled(virt->sweep, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time_relative(virt->event, &virt->typed, CLOCK_BOOTTIME, 0, 0,
			on_typed, virt);
	if (r >= 0)
		r = sd_event_source_set_enabled(virt->typed, SD_EVENT_OFF);
	return r;
}

int virt_new(sd_event *event, const char *uri, struct hv **ret)
{
	struct virt *virt = calloc(1, sizeof(*virt));
	int r;

	if (!virt)
		return -ENOMEM;
	/* Private memory with a guest in the embedded driver: 5.1 MiB with as many arenas as glibc
	 * likes, 4.6 with two, 4.2 with one. */
	(void)mallopt(M_ARENA_MAX, 1);
	virt->hv.vtable = &virt_vtable;
	virt->event = sd_event_ref(event);
	virt->links = links_new();
	r = virt->links ? virt_pid_dir(uri, &virt->guests.pid_dir) : -ENOMEM;
	if (r == 0)
		r = mailbox_new(&virt->mailbox);
	if (r == 0)
		r = worker_pool_new(event, &virt->pool);
	if (r == 0)
		worker_pool_on_unwedged(virt->pool, sweep_later, virt);
	if (r == 0)
		r = connection_new(event, virt->pool, uri, virt->links, virt->mailbox,
			on_connection, virt, &virt->connection);
	if (r == 0)
		r = virt_add_sources(virt);
	if (r < 0) {
		virt_destroy(&virt->hv);
		return r;
	}
	*ret = &virt->hv;
	return 0;
}
