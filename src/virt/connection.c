/* SPDX-License-Identifier: Apache-2.0 */
/* The connection's life, on the main loop: DOWN → (timer) → OPENING → UP → (close, or a call that
 * found it dead) → DOWN. An attempt that passes its deadline wedges the worker: until that call
 * returns the timer goes on and finds it busy, so a stopped libvirtd costs one thread, not one per
 * attempt. */
#include "virt/connection.h"

#include "base/macro.h"
#include "model/utf8.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <string.h>

struct connection {
	struct worker_queue *queue;
	sd_event_source *timer;
	char *uri;
	struct links *links;
	struct mailbox *mailbox;
	connection_changed_t changed;
	void *userdata;
	bool up, opening;
	unsigned generation; /* of the last attempt */
	bool embedded;
	bool kvm_asked, kvm; /* once in our life: the host does not change under libvirt */
	bool closed_early;   /* it closed before we were told that it opened */
	usec_t backoff;
	char message[HV_ERROR_MAX];
};

struct attempt {
	struct connection *connection; /* main loop only, and not once answered */
	char *uri;
	struct links *links;
	struct mailbox *mailbox;
	unsigned generation;
	/* by the worker */
	int error;
	char words[HV_ERROR_MAX];
};

static void attempt_run(void *arg)
{
	struct attempt *a = arg;

	a->error =
		links_open(a->links, a->uri, a->generation, a->mailbox, a->words, sizeof(a->words));
}

static void attempt_undo(void *arg)
{
	struct attempt *a = arg;

	links_retire(a->links, a->generation);
}

static void attempt_free(void *arg)
{
	struct attempt *a = arg;

	if (!a)
		return;
	links_unref(a->links);
	mailbox_unref(a->mailbox);
	free(a->uri);
	free(a);
}

/* Down, or still down, and the next attempt is set. Tells of every new reason, once. */
static void connection_down(struct connection *c, const char *words, usec_t now)
{
	char message[HV_ERROR_MAX];
	bool news;

	(void)utf8_escape(message, sizeof(message), words, strlen(words));
	news = c->up || strcmp(message, c->message) != 0;
	c->up = false;
	memcpy(c->message, message, sizeof(c->message));
	(void)sd_event_source_set_time_relative(c->timer, c->backoff);
	(void)sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
	c->backoff = MIN(2 * c->backoff, CONNECTION_BACKOFF_MAX);
	if (news)
		c->changed(c->userdata, false, c->message, now);
}

static struct attempt *attempt_new(struct connection *c)
{
	struct attempt *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->uri = strdup(c->uri);
	if (!a->uri) {
		free(a);
		return NULL;
	}
	a->connection = c;
	a->links = links_ref(c->links);
	a->mailbox = mailbox_ref(c->mailbox);
	a->generation = c->generation;
	return a;
}

static void connection_is_up(struct connection *c, usec_t now)
{
	c->opening = false;
	if (c->closed_early) {
		connection_down(c, "libvirt closed the connection at once", now);
		return;
	}
	c->up = true;
	c->backoff = CONNECTION_BACKOFF_MIN;
	c->message[0] = '\0';
	c->changed(c->userdata, true, "", now);
}

/* The worker's: an answer at all means that this QEMU runs under KVM as libvirt runs it. */
static void kvm_run(void *arg)
{
	struct attempt *a = arg;
	struct link *link = links_get(a->links);
	char *said = NULL;

	a->error = -ENOTCONN;
	if (!link)
		return;
	said = virConnectGetDomainCapabilities(link->calls, NULL, NULL, NULL, "kvm", 0);
	a->error = said ? 0 : -ENOTSUP;
	free(said);
	link_put(link);
}

static void kvm_done(void *arg, int error, usec_t now)
{
	struct attempt *a = arg;
	struct connection *c = a->connection;

	c->kvm_asked = true;
	c->kvm = error == 0 && a->error == 0;
	connection_is_up(c, now);
}

static bool ask_about_kvm(struct connection *c)
{
	struct worker_job job = { kvm_run, kvm_done, NULL, attempt_free, NULL,
		CONNECTION_KVM_TIMEOUT };

	if (c->kvm_asked || c->embedded || !(job.arg = attempt_new(c)))
		return false;
	if (worker_submit(c->queue, &job) < 0) {
		attempt_free(job.arg);
		return false;
	}
	return true;
}

static void attempt_done(void *arg, int error, usec_t now)
{
	struct attempt *a = arg;
	struct connection *c = a->connection;

	c->opening = false;
	if (error == -ETIMEDOUT) {
		connection_down(c, "libvirt does not answer", now);
	} else if (error < 0) {
		connection_down(c, "no worker for the connection", now);
	} else if (a->error < 0) {
		connection_down(c, a->words, now);
	} else {
		c->opening = !c->closed_early && ask_about_kvm(c);
		if (!c->opening)
			connection_is_up(c, now);
	}
}

int connection_begin(struct connection *c)
{
	struct worker_job job = { attempt_run, attempt_done, attempt_undo, attempt_free, NULL,
		c->embedded ? CONNECTION_OPEN_TIMEOUT_EMBEDDED : CONNECTION_OPEN_TIMEOUT };
	int r;

	if (c->up || c->opening)
		return 0;
	c->generation++;
	job.arg = attempt_new(c);
	if (!job.arg)
		return -ENOMEM;
	r = worker_submit(c->queue, &job);
	if (r < 0) {
		attempt_free(job.arg);
		return r;
	}
	c->opening = true;
	c->closed_early = false;
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct connection *c = userdata;
	uint64_t now;
	int r;

	(void)usec;
	r = connection_begin(c);
	if (r < 0 && sd_event_now(sd_event_source_get_event(source), CLOCK_BOOTTIME, &now) >= 0)
		connection_down(c,
			r == -EBUSY ? "libvirt does not answer" : "no worker for the connection",
			now);
	return 0;
}

void connection_closed(struct connection *c, unsigned generation, const char *words, usec_t now)
{
	if (generation != c->generation)
		return;
	if (c->opening)
		c->closed_early = true;
	else if (c->up)
		connection_down(c, words, now);
}

bool connection_up(const struct connection *c)
{
	return c->up;
}

bool connection_kvm(const struct connection *c)
{
	return c->kvm;
}

const char *connection_message(const struct connection *c)
{
	return c->message;
}

int connection_new(sd_event *event, struct worker_pool *pool, const char *uri, struct links *links,
	struct mailbox *mailbox, connection_changed_t changed, void *userdata,
	struct connection **ret)
{
	struct connection *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->links = links_ref(links);
	c->mailbox = mailbox_ref(mailbox);
	c->changed = changed;
	c->userdata = userdata;
	c->backoff = CONNECTION_BACKOFF_MIN;
	c->uri = strdup(uri);
	c->embedded = strstr(uri, ":///embed") != NULL;
	r = c->uri ? 0 : -ENOMEM;
	if (r == 0)
		r = worker_queue_new(pool, "virt-connect", 1, &c->queue);
	if (r == 0)
		r = sd_event_add_time_relative(event, &c->timer, CLOCK_BOOTTIME, 0, 0, on_timer, c);
	if (r >= 0)
		r = sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
	if (r < 0) {
		connection_free(c);
		return r;
	}
	(void)sd_event_source_set_description(c->timer, "virt-reconnect");
	*ret = c;
	return 0;
}

/* The last job of the worker. Its queue is freed at once, so the thread may find it abandoned
 * before it began: then it is the undoing that closes. */
static void close_run(void *arg)
{
	links_retire(((struct attempt *)arg)->links, 0);
}

static void close_done(void *arg, int error, usec_t now)
{
	(void)arg;
	(void)error;
	(void)now;
}

void connection_free(struct connection *c)
{
	struct worker_job job = { close_run, close_done, close_run, attempt_free, NULL,
		USEC_INFINITY };

	if (!c)
		return;
	c->timer = sd_event_source_disable_unref(c->timer);
	/* With an attempt under way, its undoing retires the link. */
	if (c->up && (job.arg = attempt_new(c)) && worker_submit(c->queue, &job) < 0)
		attempt_free(job.arg);
	worker_queue_free(c->queue);
	links_unref(c->links);
	mailbox_unref(c->mailbox);
	free(c->uri);
	free(c);
}
