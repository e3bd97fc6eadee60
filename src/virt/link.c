/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, watching and giving up a pair of connections. */
#include "virt/link.h"

#include "base/macro.h"
#include "virt/event_thread.h"
#include "virt/facts.h"
#include "virt/hint.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { LINK_EVENTS = 6 };

/* What a user sees is the first member. */
struct link_full {
	struct link link;
	atomic_uint refs;
	struct links *links; /* counted */
	struct mailbox *mailbox;
	int events[LINK_EVENTS];         /* libvirt's ids, or -1 */
	bool close_calls, close_destroy; /* there is a close callback */
};

struct links {
	atomic_uint refs;
	atomic_uint count;
	atomic_bool ended;
	pthread_mutex_t lock; /* over `current` */
	struct link_full *current;
};

/* What a callback needs, freed by libvirt through seat_free: it outlives the link where a callback
 * is just running. */
struct seat {
	struct mailbox *mailbox;
	unsigned generation;
};

static void seat_free(void *userdata)
{
	struct seat *seat = userdata;

	mailbox_unref(seat->mailbox);
	free(seat);
}

static struct seat *seat_new(struct link_full *full)
{
	struct seat *seat = calloc(1, sizeof(*seat));

	if (!seat)
		return NULL;
	seat->mailbox = mailbox_ref(full->mailbox);
	seat->generation = full->link.generation;
	return seat;
}

/* The callbacks: the event thread. They copy a name and post. */

static void post(struct seat *seat, virDomainPtr dom, enum hv_hint hint, uint64_t kib)
{
	char uuid[VIR_UUID_STRING_BUFLEN];

	if (virDomainGetUUIDString(dom, uuid) == 0)
		mailbox_post(seat->mailbox, hint, uuid, kib);
}

static int on_lifecycle(virConnectPtr conn, virDomainPtr dom, int event, int detail, void *userdata)
{
	(void)conn;
	post(userdata, dom, facts_lifecycle_hint(event, detail), 0);
	return 0;
}

static void on_reboot(virConnectPtr conn, virDomainPtr dom, void *userdata)
{
	(void)conn;
	post(userdata, dom, HV_HINT_RESET, 0);
}

static void on_watchdog(virConnectPtr conn, virDomainPtr dom, int action, void *userdata)
{
	(void)conn;
	(void)action;
	post(userdata, dom, HV_HINT_WATCHDOG, 0);
}

static void on_io_error(virConnectPtr conn, virDomainPtr dom, const char *path, const char *alias,
	int action, void *userdata)
{
	(void)conn;
	(void)path;
	(void)alias;
	post(userdata, dom,
		action == VIR_DOMAIN_EVENT_IO_ERROR_REPORT ? HV_HINT_DISK : HV_HINT_CHANGED, 0);
}

static void on_balloon(
	virConnectPtr conn, virDomainPtr dom, unsigned long long actual_kib, void *userdata)
{
	(void)conn;
	post(userdata, dom, HV_HINT_BALLOON, actual_kib);
}

static void on_agent(virConnectPtr conn, virDomainPtr dom, int state, int reason, void *userdata)
{
	(void)conn;
	(void)state;
	(void)reason;
	post(userdata, dom, HV_HINT_AGENT, 0);
}

static const struct {
	int id;
	virConnectDomainEventGenericCallback callback;
} events[LINK_EVENTS] = {
	{ VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle) },
	{ VIR_DOMAIN_EVENT_ID_REBOOT, VIR_DOMAIN_EVENT_CALLBACK(on_reboot) },
	{ VIR_DOMAIN_EVENT_ID_WATCHDOG, VIR_DOMAIN_EVENT_CALLBACK(on_watchdog) },
	{ VIR_DOMAIN_EVENT_ID_IO_ERROR, VIR_DOMAIN_EVENT_CALLBACK(on_io_error) },
	{ VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE, VIR_DOMAIN_EVENT_CALLBACK(on_balloon) },
	{ VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_agent) },
};

static void on_close(virConnectPtr conn, int reason, void *userdata)
{
	static const char *const words[] = {
		[VIR_CONNECT_CLOSE_REASON_ERROR] = "the connection to libvirt failed",
		[VIR_CONNECT_CLOSE_REASON_EOF] = "libvirt closed the connection",
		[VIR_CONNECT_CLOSE_REASON_KEEPALIVE] = "libvirt stopped answering",
		[VIR_CONNECT_CLOSE_REASON_CLIENT] = "the connection was closed on this side",
	};
	struct seat *seat = userdata;
	bool known = reason >= 0 && (size_t)reason < ARRAY_SIZE(words);

	(void)conn;
	mailbox_post_closed(seat->mailbox, seat->generation, words[known ? reason : 0]);
}

static bool watch_close(struct link_full *full, virConnectPtr conn)
{
	struct seat *seat = seat_new(full);

	if (!seat)
		return false;
	if (virConnectRegisterCloseCallback(conn, on_close, seat, seat_free) == 0)
		return true;
	seat_free(seat);
	return false;
}

/* An event that the driver does not have is done without; but for the first, lifecycle: it is what
 * we live on. */
static int watch_events(struct link_full *full)
{
	for (size_t i = 0; i < LINK_EVENTS; i++) {
		struct seat *seat = seat_new(full);

		if (!seat)
			return -ENOMEM;
		full->events[i] = virConnectDomainEventRegisterAny(
			full->link.calls, NULL, events[i].id, events[i].callback, seat, seat_free);
		if (full->events[i] >= 0)
			continue;
		seat_free(seat);
		if (i == 0)
			return facts_errno(virGetLastError());
	}
	return 0;
}

/* Takes the registrations back: each holds a reference to its connection. */
static void link_unwatch(struct link_full *full)
{
	for (size_t i = 0; i < LINK_EVENTS; i++) {
		if (full->events[i] >= 0)
			(void)virConnectDomainEventDeregisterAny(full->link.calls, full->events[i]);
		full->events[i] = -1;
	}
	if (full->close_calls)
		(void)virConnectUnregisterCloseCallback(full->link.calls, on_close);
	if (full->close_destroy)
		(void)virConnectUnregisterCloseCallback(full->link.destroy, on_close);
	full->close_calls = full->close_destroy = false;
}

void link_put(struct link *link)
{
	struct link_full *full = (struct link_full *)(void *)link;

	static_assert(offsetof(struct link_full, link) == 0, "the cast above");
	if (!full || atomic_fetch_sub(&full->refs, 1) > 1)
		return;
	if (link->destroy)
		(void)virConnectClose(link->destroy);
	if (link->calls)
		(void)virConnectClose(link->calls);
	mailbox_unref(full->mailbox);
	(void)atomic_fetch_sub(&full->links->count, 1);
	links_unref(full->links);
	free(full);
}

/* Opens one of the pair. A driver inside our own process (the embedded one, the test driver) has
 * nobody to keep alive and nothing that closes; it accepts a close callback with success, drops it
 * and never frees it. */
static int open_one(struct link_full *full, const char *uri, virConnectPtr *conn, bool *watched)
{
	*conn = virConnectOpen(uri);
	if (!*conn)
		return facts_errno(virGetLastError());
	if (virConnectSetKeepAlive(*conn, LINK_KEEPALIVE_SEC, LINK_KEEPALIVE_COUNT) >= 0)
		*watched = watch_close(full, *conn);
	else if (virGetLastErrorCode() != VIR_ERR_NO_SUPPORT)
		return facts_errno(virGetLastError());
	return 0;
}

static int link_open(struct link_full *full, const char *uri)
{
	int r = open_one(full, uri, &full->link.calls, &full->close_calls);

	if (r == 0)
		r = watch_events(full);
	if (r == 0)
		r = open_one(full, uri, &full->link.destroy, &full->close_destroy);
	return r;
}

void links_place(struct links *links, struct link *link)
{
	if (!link)
		return;
	pthread_mutex_lock(&links->lock);
	links->current = (struct link_full *)(void *)link;
	pthread_mutex_unlock(&links->lock);
}

int links_open(struct links *links, const char *uri, unsigned generation, struct mailbox *mailbox,
	char *words, size_t size)
{
	struct link_full *full;
	int r;

	r = event_thread_ensure();
	full = r < 0 ? NULL : calloc(1, sizeof(*full));
	if (!full) {
		(void)snprintf(words, size, "no thread for libvirt's events");
		return r < 0 ? r : -ENOMEM;
	}
	atomic_init(&full->refs, 1);
	full->link.generation = generation;
	full->mailbox = mailbox_ref(mailbox);
	full->links = links_ref(links);
	(void)atomic_fetch_add(&links->count, 1);
	memset(full->events, 0xff, sizeof(full->events)); /* -1 */

	virResetLastError();
	r = link_open(full, uri);
	if (r < 0) {
		struct reason hint;
		const char *message = virGetLastErrorMessage();

		(void)snprintf(words, size, "%s", hint_find(message, &hint) ? hint.text : message);
		link_unwatch(full);
		link_put(&full->link);
		return r;
	}
	links_place(links, &full->link);
	return 0;
}

struct link *links_take(struct links *links, unsigned generation)
{
	struct link_full *full = NULL;

	pthread_mutex_lock(&links->lock);
	if (links->current && (generation == 0 || links->current->link.generation == generation))
		full = TAKE_PTR(links->current);
	pthread_mutex_unlock(&links->lock);
	return full ? &full->link : NULL;
}

/* Both checks are local: libvirt's client knows whether its socket is open. */
static void wait_out_limbo(const struct link *link)
{
	usec_t end = usec_add(now_boottime(), LINK_LIMBO);

	while (now_boottime() < end &&
		(virConnectIsAlive(link->calls) == 1 || virConnectIsAlive(link->destroy) == 1))
		(void)usleep(100 * USEC_PER_MSEC);
}

void link_retire(struct link *link, bool limbo)
{
	if (!link)
		return;
	if (limbo)
		wait_out_limbo(link);
	link_unwatch((struct link_full *)(void *)link);
	link_put(link);
}

struct link *links_get(struct links *links)
{
	struct link_full *full;

	pthread_mutex_lock(&links->lock);
	full = links->current;
	if (full)
		(void)atomic_fetch_add(&full->refs, 1);
	pthread_mutex_unlock(&links->lock);
	return full ? &full->link : NULL;
}

bool link_dead(struct link *link, virConnectPtr conn)
{
	struct link_full *full = (struct link_full *)(void *)link;

	if (virConnectIsAlive(conn) != 0)
		return false;
	mailbox_post_closed(full->mailbox, link->generation, "the connection to libvirt is dead");
	return true;
}

struct links *links_new(void)
{
	struct links *links = calloc(1, sizeof(*links));

	if (!links)
		return NULL;
	atomic_init(&links->refs, 1);
	atomic_init(&links->count, 0);
	atomic_init(&links->ended, false);
	(void)pthread_mutex_init(&links->lock, NULL);
	return links;
}

struct links *links_ref(struct links *links)
{
	(void)atomic_fetch_add(&links->refs, 1);
	return links;
}

void links_unref(struct links *links)
{
	if (!links || atomic_fetch_sub(&links->refs, 1) > 1)
		return;
	pthread_mutex_destroy(&links->lock);
	free(links);
}

unsigned links_count(struct links *links)
{
	return atomic_load(&links->count);
}

void links_end(struct links *links)
{
	atomic_store(&links->ended, true);
}

bool links_ended(struct links *links)
{
	return atomic_load(&links->ended);
}
