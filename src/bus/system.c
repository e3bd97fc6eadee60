/* SPDX-License-Identifier: Apache-2.0 */
/* The connection to the system bus is one more peer: it hears the same signals and serves the same
 * vtables. What differs is who may write, which is polkit's to say, and that it is we who connect,
 * and connect again when dbus-daemon was restarted. */
#include "bus/system.h"

#include "base/log.h"
#include "bus/names.h"
#include "bus/polkit.h"

#include <errno.h>
#include <string.h>

#define WRITE_ARGUMENTS_MAX 4u
#define WRITE_PATH_MAX      1024u
/* The bus itself is asked, in the loop, who sent a message; it answers at once or hangs. */
#define BUS_PATIENCE (5 * USEC_PER_SEC)
/* After everything else: on the sockets each user has so many messages a second
 * (PUMP_REQUESTS_PER_SEC), on the bus nobody is counted, and a flood there is to delay neither the
 * sockets nor what is announced at the end of a turn. */
#define BUS_PRIORITY_SYSTEM (BUS_PRIORITY_FLUSH + 10)

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata);

static void retry_later(struct bus *b)
{
	b->system.delay = MIN(MAX(b->system.delay * 2, SYSTEM_RETRY_MIN), SYSTEM_RETRY_MAX);
	if (sd_event_source_set_time_relative(b->system.retry, b->system.delay) < 0 ||
		sd_event_source_set_enabled(b->system.retry, SD_EVENT_ONESHOT) < 0)
		log_warning("the system bus will not be tried again");
}

/* A message is kept while polkit is asked, and a stranger's may have 32 MiB (the bus's
 * max_message_size). What changes something takes numbers and nothing else, and the paths of our
 * objects are short. */
static bool is_small(sd_bus_message *m)
{
	const char *signature = sd_bus_message_get_signature(m, 1),
		   *path = sd_bus_message_get_path(m);

	return signature && strspn(signature, "btux") == strlen(signature) &&
	       strlen(signature) <= WRITE_ARGUMENTS_MAX && path && strlen(path) <= WRITE_PATH_MAX;
}

static int check_writes(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct bus *b = userdata;

	(void)error;
	if (sd_bus_message_is_method_call(m, NULL, NULL) <= 0 || bus_method_reads(m))
		return 0;
	if (is_small(m))
		return polkit_check(b->system.polkit, m);
	/* Whether or not the caller wants to hear it, the message goes no further. */
	(void)sd_bus_reply_method_errorf(
		m, SD_BUS_ERROR_INVALID_ARGS, "no method here takes such arguments");
	return 1;
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	(void)m, (void)error;
	peer_kill(userdata, NULL);
	return 0;
}

/* Another holds the name: a second daemon, or a name of somebody else's. Either way our objects are
 * of use to nobody on this bus. */
static int on_name(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct peer *p = userdata;
	uint32_t answer = 0;

	(void)error;
	const sd_bus_error *e = sd_bus_message_get_error(m);
	if (!e && sd_bus_message_read(m, "u", &answer) >= 0 && answer == 1) {
		log_info("on the system bus as %s", BUS_NAME);
		p->server->system.delay = 0;
		return 0;
	}
	log_warning("the system bus does not give us the name %s (%s): the private sockets serve",
		BUS_NAME, e ? e->message : "it is taken");
	peer_kill(p, NULL);
	return 0;
}

/* The connection ended and is buried: try again later. */
static void system_lost(struct bus *b)
{
	polkit_free(b->system.polkit);
	b->system.polkit = NULL;
	if (b->system.retry)
		retry_later(b);
}

static int serve(struct bus *b, struct peer *p)
{
	int r;

	if ((r = sd_bus_open_system_with_description(&p->connection, "system")) < 0 ||
		(r = sd_bus_set_exit_on_disconnect(p->connection, 0)) < 0 ||
		(r = sd_bus_set_method_call_timeout(p->connection, BUS_PATIENCE)) < 0 ||
		(r = sd_bus_match_signal_async(p->connection, NULL, "org.freedesktop.DBus.Local",
			 "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
			 "Disconnected", on_disconnected, NULL, p)) < 0 ||
		(r = bus_register(b, p->connection, true)) < 0)
		return r;
	b->system.polkit = polkit_new(p->connection);
	if (!b->system.polkit)
		return -ENOMEM;
	/* Added last, so that it is asked first. */
	if ((r = sd_bus_add_filter(p->connection, NULL, check_writes, b)) < 0 ||
		(r = sd_bus_request_name_async(p->connection, NULL, BUS_NAME, 0, on_name, p)) < 0)
		return r;
	return sd_bus_attach_event(p->connection, b->event, BUS_PRIORITY_SYSTEM);
}

static void try_now(struct bus *b)
{
	struct peer *p = calloc(1, sizeof(*p));
	int r = -ENOMEM;

	if (p) {
		*p = (struct peer){ .server = b, .door = BUS_DOOR_SYSTEM, .buried = system_lost };
		r = serve(b, p);
	}
	if (r < 0) {
		log_debug("no system bus: %s", strerror(-r));
		if (p)
			sd_bus_close_unref(p->connection);
		free(p);
		system_lost(b);
		return;
	}
	peer_add(b, p);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source, (void)usec;
	try_now(userdata);
	return 0;
}

int bus_join_system(struct bus *b)
{
	/* At once, but from the loop: what is not there must not hold up the start. */
	return sd_event_add_time_relative(
		b->event, &b->system.retry, CLOCK_BOOTTIME, 0, 100 * USEC_PER_MSEC, on_retry, b);
}

void system_close(struct bus *b)
{
	sd_event_source_disable_unref(b->system.retry);
	b->system.retry = NULL;
	polkit_free(b->system.polkit);
	b->system.polkit = NULL;
}
