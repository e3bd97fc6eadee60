/* SPDX-License-Identifier: Apache-2.0 */
/* Method calls that wait for an operation of a guest.
 *
 * A call lives until its operation is answered or its caller disconnects, whichever comes first,
 * and each ends the other: an answered call drops its watch on the connection, a lost caller has
 * its operation forgotten. Core answers every operation before it frees the guest, so the guest
 * pointer is good for as long as the call lives. */
#include "bus/call.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>

#define UID_OVERFLOW ((uid_t)65534)

struct call {
	sd_bus_message *message;
	sd_bus_slot *watch;  /* of the going of a caller on a private socket */
	sd_bus_track *track; /* of one on the system bus */
	struct guest *guest;
	struct operation *operation;
	bool beginning; /* inside guest_request(); an answer then must not free us under it */
	bool answered;
};

int bus_error_set(sd_bus_error *error, int number, const char *message)
{
	static const struct {
		int number;
		const char *name;
	} names[] = {
		{ EBUSY, BUS_ERROR_BUSY },
		{ ENOBUFS, BUS_ERROR_BUSY },
		{ ETIMEDOUT, BUS_ERROR_TIMED_OUT },
		{ ENOENT, BUS_ERROR_NOT_PROVISIONED },
		{ EADDRINUSE, BUS_ERROR_PORT_TAKEN },
		{ EPERM, BUS_ERROR_LATCHED },
		{ ENXIO, BUS_ERROR_NOT_RUNNING },
		{ ESRCH, BUS_ERROR_NOT_RUNNING },
		{ ENOTCONN, BUS_ERROR_NO_HYPERVISOR },
		{ ECANCELED, BUS_ERROR_CANCELLED },
		{ EINVAL, BUS_ERROR_INVALID },
		{ ERANGE, BUS_ERROR_INVALID },
	};
	const char *name = BUS_ERROR_FAILED;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].number == -number)
			name = names[i].name;
	return sd_bus_error_set(error, name, message && *message ? message : strerror(-number));
}

/* On the system bus the message names its sender; on a private socket the kernel named it when it
 * connected, which is told by true. */
static bool caller_find(const struct bus *b, sd_bus_message *m, uid_t *uid, pid_t *pid)
{
	const sd_bus *connection = sd_bus_message_get_bus(m);
	sd_bus_creds *creds = NULL;

	for (const struct peer *p = b->peers; p; p = p->next)
		if (p->connection == connection && p->door != BUS_DOOR_SYSTEM) {
			*uid = p->uid;
			*pid = p->pid;
			return true;
		}
	if (sd_bus_query_sender_creds(m, SD_BUS_CREDS_EUID | SD_BUS_CREDS_PID, &creds) >= 0) {
		(void)sd_bus_creds_get_euid(creds, uid);
		(void)sd_bus_creds_get_pid(creds, pid);
	}
	sd_bus_creds_unref(creds);
	return false;
}

char *caller_words(const struct bus *b, sd_bus_message *m, char *buf, size_t size)
{
	uid_t uid = (uid_t)-1;
	pid_t pid = 0;

	/* The kernel's word for a user whom our user namespace (PrivateUsers=) does not have. */
	if (caller_find(b, m, &uid, &pid) && uid == UID_OVERFLOW)
		(void)snprintf(buf, size, "a user of group %s, pid %d", BUS_CONTROL_GROUP, pid);
	else if (uid == (uid_t)-1)
		(void)snprintf(buf, size, "somebody unknown");
	else
		(void)snprintf(buf, size, "uid %u, pid %d", uid, pid);
	return buf;
}

static void call_free(struct call *c)
{
	sd_bus_slot_unref(c->watch);
	sd_bus_track_unref(c->track);
	sd_bus_message_unref(c->message);
	free(c);
}

static void call_reply(struct call *c, int error, const char *message)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	int r;

	/* What was asked for was looked at before it was taken on: an "invalid argument" now is
	 * libvirt's about the domain ("unsupported configuration"), not the caller's. */
	if (error == -EINVAL || error == -ERANGE)
		error = -EIO;
	if (error < 0) {
		(void)bus_error_set(&e, error, message);
		r = sd_bus_reply_method_error(c->message, &e);
		sd_bus_error_free(&e);
	} else {
		r = sd_bus_reply_method_return(c->message, "s", message ? message : "");
	}
	/* The caller may have gone in this very turn. */
	if (r < 0)
		log_debug("an answer could not be sent: %s", strerror(-r));
}

static void on_done(void *userdata, int error, const char *message)
{
	struct call *c = userdata;

	call_reply(c, error, message);
	c->answered = true;
	if (!c->beginning)
		call_free(c);
}

static int on_caller_gone(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct call *c = userdata;

	(void)m, (void)error;
	operation_forget(&c->guest->operations, c->operation);
	call_free(c);
	return 0;
}

static int on_sender_gone(sd_bus_track *track, void *userdata)
{
	(void)track;
	return on_caller_gone(NULL, userdata, NULL);
}

/* On a private socket the caller is the connection; on the system bus it is a name that goes. */
static int watch_caller(struct call *c)
{
	sd_bus *connection = sd_bus_message_get_bus(c->message);
	int r;

	if (sd_bus_is_bus_client(connection) <= 0)
		return sd_bus_match_signal_async(connection, &c->watch,
			"org.freedesktop.DBus.Local", "/org/freedesktop/DBus/Local",
			"org.freedesktop.DBus.Local", "Disconnected", on_caller_gone, NULL, c);
	r = sd_bus_track_new(connection, &c->track, on_sender_gone, c);
	return r < 0 ? r : sd_bus_track_add_sender(c->track, c->message);
}

static struct call *call_new(sd_bus_message *m, struct guest *g)
{
	struct call *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->guest = g;
	c->message = sd_bus_message_ref(m);
	if (watch_caller(c) < 0) {
		call_free(c);
		return NULL;
	}
	return c;
}

int call_begin(sd_bus_message *m, const struct bus_target *t, enum operation_kind kind,
	uint64_t kib, usec_t span, sd_bus_error *error)
{
	struct guest *g = t->guest;
	char message[REQUEST_MESSAGE_MAX] = "", who[64];
	struct call *c = call_new(m, g);
	if (!c)
		return -ENOMEM;
	const struct request request = { .kind = kind,
		.kib = kib,
		.id = kib,
		.span = span,
		.who = caller_words(t->server, m, who, sizeof(who)),
		.done = on_done,
		.userdata = c };

	c->beginning = true;
	int r = guest_request(g, &request, now_boottime(), message, &c->operation);
	c->beginning = false;
	if (r > 0 && !c->answered)
		return 1;
	if (r == 0)
		call_reply(c, 0, message);
	if (r < 0)
		r = bus_error_set(error, r, message);
	call_free(c);
	return r < 0 ? r : 1;
}
