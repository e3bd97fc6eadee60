/* SPDX-License-Identifier: Apache-2.0 */
/* The connection's life, on the main loop: DOWN → (timer) → OPENING → UP → (close, or a call that
 * found it dead) → DOWN. An attempt that passes its deadline wedges the worker: until that call
 * returns the timer goes on and finds it busy, so a stopped libvirtd costs one thread, not one per
 * attempt.
 *
 * An old link is given up by a thread of its own that nobody waits for: libvirt's client may never
 * come back from that (link_retire), and the attempts go on beside it, up to LINKS_MAX. */
#include "virt/connection.h"

#include "base/macro.h"
#include "model/utf8.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <string.h>
#include <unistd.h>

struct connection {
	struct worker_queue *queue;
	struct worker_pool *pool;
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

struct retirement {
	struct link *link; /* the thread's; NULL once it has it in hand */
	bool limbo;
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

/* Came too late: the next attempt retires it, where there will be one. */
static void attempt_undo(void *arg)
{
	struct attempt *a = arg;

	if (links_ended(a->links))
		link_retire(links_take(a->links, a->generation), false);
}

static void retirement_run(void *arg)
{
	struct retirement *r = arg;

	link_retire(TAKE_PTR(r->link), r->limbo);
}

static void retirement_done(void *arg, int error, usec_t now)
{
	(void)arg;
	(void)error;
	(void)now;
}

/* Its queue is freed at once, so the thread may find it abandoned before it began: then it is the
 * undoing that closes. Where there is no thread to be had the old link stays in its place. */
static int retire(struct connection *c, bool limbo)
{
	struct worker_job job = { retirement_run, retirement_done, retirement_run, free, NULL,
		USEC_INFINITY };
	struct worker_queue *queue = NULL;
	struct retirement *r;
	struct link *link;
	int error;

	if (links_count(c->links) == 0)
		return 0;
	r = calloc(1, sizeof(*r));
	error = r ? worker_queue_new(c->pool, "virt-close", 1, &queue) : -ENOMEM;

	if (error < 0) {
		free(r);
		return error;
	}
	link = links_take(c->links, 0);
	r->link = link;
	r->limbo = limbo;
	job.arg = r;
	if (link)
		error = worker_submit(queue, &job);
	if (!link || error < 0) {
		links_place(c->links, link);
		free(r);
	}
	worker_queue_free(queue);
	return error;
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
	/* A connection that ended under the question is no answer. */
	if (said || virConnectIsAlive(link->calls) == 1)
		a->error = said ? 0 : -ENOTSUP;
	free(said);
	link_put(link);
}

static void kvm_done(void *arg, int error, usec_t now)
{
	struct attempt *a = arg;
	struct connection *c = a->connection;

	c->kvm_asked = error == 0 && a->error != -ENOTCONN;
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
	r = retire(c, true);
	if (r == 0 && links_count(c->links) >= LINKS_MAX)
		r = -EUSERS;
	if (r < 0)
		return r;
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
			r == -EBUSY    ? "libvirt does not answer"
			: r == -EUSERS ? "libvirt's client lets go of no connection: restart "
					 "mediakitd, which leaves the guests alone"
				       : "no worker for the connection",
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
	c->pool = pool;
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

/* The process is about to end, and libvirt's and its libraries' destructors run into a close that
 * is under way: "double free or corruption" was seen. */
static void wait_for_close(struct links *links)
{
	usec_t end = usec_add(now_boottime(), CONNECTION_CLOSE_MAX);

	while (links_count(links) > 0 && now_boottime() < end)
		(void)usleep(2 * USEC_PER_MSEC);
}

void connection_free(struct connection *c)
{
	if (!c)
		return;
	c->timer = sd_event_source_disable_unref(c->timer);
	if (c->links) {
		/* From here on the undoing of an attempt under way retires what it opened. */
		links_end(c->links);
		(void)retire(c, false);
		wait_for_close(c->links);
	}
	worker_queue_free(c->queue);
	links_unref(c->links);
	mailbox_unref(c->mailbox);
	free(c->uri);
	free(c);
}
