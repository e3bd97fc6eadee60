/* SPDX-License-Identifier: Apache-2.0 */
/* Connects peer to peer, reads the objects, follows their signals, and asks for things.
 *
 * Signals come without being asked for, and in order with the answers, so there is no gap between
 * reading the objects and following them. A signal that was sent before the objects were read is
 * applied after them; it can only repeat what they said, because the daemon tells of every later
 * change in a later signal. */
#include "cli/client.h"

#include "base/macro.h"
#include "bus/names.h"
#include "cli/client_read.h"
#include "cli/dial.h"
#include "cli/term.h"
#include "cli/verb.h"
#include "model/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <time.h>

/* A write through the system bus may wait for a person's password. */
#define PERSON_WITHIN (BUS_POLKIT_TIMEOUT + DIAL_ANSWER_WITHIN)

struct client {
	sd_bus *bus;
	const char *to; /* BUS_NAME on the system bus; NULL on a private socket */
	enum client_door door;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct view *view;
	struct client_reply *reply;
	bool changed, gone, quiet;
	void (*on_event)(void *userdata, sd_bus_message *m);
	void *event_userdata;
};

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct client *c = userdata;
	int r = 0;

	(void)error;
	if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.Local", "Disconnected") > 0) {
		c->gone = true;
		return 0;
	}
	if (c->on_event && sd_bus_message_is_signal(m, BUS_IFACE_MANAGER, "Event") > 0) {
		c->on_event(c->event_userdata, m);
		c->changed = true;
		return 1;
	}
	if (!c->view || sd_bus_message_is_signal(m, NULL, NULL) <= 0)
		return 0;
	if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.Properties", "PropertiesChanged") > 0)
		r = changed_read(m, c->view);
	else if (sd_bus_message_is_signal(
			 m, "org.freedesktop.DBus.ObjectManager", "InterfacesAdded") > 0)
		r = object_read(m, c->view);
	else if (sd_bus_message_is_signal(
			 m, "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved") > 0)
		r = removed_read(m, c->view);
	else
		return 0;
	if (r < 0)
		c->gone = true;
	view_sort(c->view);
	c->changed = true;
	return 1;
}

static int open_failed(const struct client *c, int error)
{
	if (c->quiet)
		return CLI_NO_DAEMON;
	if (error == -EACCES || error == -EPERM) {
		fprintf(stderr, "mediakitd: you may not use %s; it takes root or the group %s\n",
			c->path, BUS_CONTROL_GROUP);
		return CLI_FAILED;
	}
	if (error == -ETIMEDOUT || error == -EAGAIN)
		fprintf(stderr, "mediakitd does not answer on %s; is it stopped or overloaded?\n",
			c->path);
	else
		fprintf(stderr,
			"mediakitd is not running: no answer on %s; "
			"start it with `systemctl start mediakitd`\n",
			c->path);
	return CLI_NO_DAEMON;
}

/* Another runtime directory names another daemon, which is not that of the bus. */
static bool bus_may_know(const char *runtime, int error)
{
	return strcmp(runtime, BUS_RUNTIME_DEFAULT) == 0 &&
	       (error == -ENOENT || error == -ECONNREFUSED || error == -EACCES || error == -EPERM);
}

static int open_door(const char *runtime, enum client_door door, bool quiet, struct client **ret)
{
	struct client *c = calloc(1, sizeof(*c));
	if (!c)
		return CLI_FAILED;
	c->quiet = quiet;
	c->door = door;
	int n = snprintf(c->path, sizeof(c->path), "%s/%s", runtime,
		door == CLIENT_CONTROL ? BUS_SOCKET_CONTROL : BUS_SOCKET_STATUS);
	if (n < 0 || (size_t)n >= sizeof(c->path)) {
		fprintf(stderr,
			"mediakitd: the runtime directory's name is too long for a socket: %s\n",
			runtime);
		free(c);
		return CLI_USAGE;
	}
	int r = dial_socket(c->path, &c->bus);
	if (r < 0 && bus_may_know(runtime, r) && dial_system_bus(&c->bus) >= 0) {
		c->to = BUS_NAME;
		r = 0;
	}
	if (r >= 0)
		r = sd_bus_add_filter(c->bus, NULL, on_signal, c);
	if (r < 0) {
		r = open_failed(c, r);
		client_close(c);
		return r;
	}
	*ret = c;
	return 0;
}

int client_open(const char *runtime, enum client_door door, struct client **ret)
{
	return open_door(runtime, door, false, ret);
}

int client_open_quietly(const char *runtime, enum client_door door, struct client **ret)
{
	return open_door(runtime, door, true, ret);
}

sd_bus *client_bus(struct client *c)
{
	return c->bus;
}

const char *client_destination(const struct client *c)
{
	return c->to;
}

void client_on_event(
	struct client *c, void (*each)(void *userdata, sd_bus_message *m), void *userdata)
{
	c->on_event = each;
	c->event_userdata = userdata;
}

void client_close(struct client *c)
{
	if (!c)
		return;
	sd_bus_close_unref(c->bus);
	free(c);
}

static int on_manager(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	(void)error;
	if (!sd_bus_message_is_method_error(m, NULL))
		(void)manager_read(m, userdata);
	return 1;
}

/* An ObjectManager does not tell of itself, so the Manager is asked apart; both questions go out
 * before either answer is waited for. The first one's answer is then in the queue when the second
 * one's has come. */
int client_load(struct client *c, struct view *v)
{
	sd_bus_message *reply = NULL;
	int r = dial_wait_ready(c->bus);

	if (r >= 0)
		r = sd_bus_call_method_async(c->bus, NULL, c->to, BUS_PATH,
			"org.freedesktop.DBus.Properties", "GetAll", on_manager, v, "s",
			BUS_IFACE_MANAGER);
	if (r >= 0)
		r = sd_bus_call_method(c->bus, c->to, BUS_PATH,
			"org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL, &reply,
			NULL);

	if (r >= 0)
		r = sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}");
	while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}")) > 0)
		if ((r = object_read(reply, v)) >= 0)
			r = sd_bus_message_exit_container(reply);
	sd_bus_message_unref(reply);
	/* From here on, because signals may be in the queue, too. */
	c->view = v;
	while (r >= 0 && (r = sd_bus_process(c->bus, NULL)) > 0)
		;
	if (r < 0) {
		c->view = NULL;
		return open_failed(c, r);
	}
	view_sort(v);
	return 0;
}

/* Sleeps until the connection has something to do, a signal comes, or `limit` passes.
 * 0, or -EINTR. */
static int wait_for_io(sd_bus *bus, usec_t limit)
{
	struct pollfd p = { .fd = sd_bus_get_fd(bus) };
	uint64_t bus_due = UINT64_MAX;
	int events = sd_bus_get_events(bus);

	if (p.fd < 0 || events < 0)
		return -ENOTCONN;
	p.events = (short)events;
	/* The connection's own time-outs are on CLOCK_MONOTONIC. */
	if (sd_bus_get_timeout(bus, &bus_due) > 0 && bus_due != UINT64_MAX) {
		struct timespec mono;

		(void)clock_gettime(CLOCK_MONOTONIC, &mono);
		limit = MIN(limit, usec_sub(bus_due, (usec_t)mono.tv_sec * USEC_PER_SEC +
							     (usec_t)mono.tv_nsec / 1000));
	}
	struct timespec ts = { .tv_sec = (time_t)(limit / USEC_PER_SEC),
		.tv_nsec = (long)(limit % USEC_PER_SEC * 1000) };
	if (ppoll(&p, 1, limit == USEC_INFINITY ? NULL : &ts, term_wait_mask()) < 0)
		return -errno;
	return 0;
}

int client_wait(struct client *c, usec_t timeout)
{
	usec_t until = usec_add(now_boottime(), timeout);

	c->changed = false;
	for (;;) {
		int r = sd_bus_process(c->bus, NULL);

		if (c->reply && c->reply->done)
			return 1;
		if (r < 0 || c->gone)
			return r < 0 ? r : -ECONNRESET;
		if (r > 0)
			continue;
		if (c->changed)
			return 1;
		usec_t now = now_boottime();
		if (now >= until)
			return 0;
		if ((r = wait_for_io(c->bus, usec_sub(until, now))) < 0)
			return r == -EINTR ? 0 : r;
	}
}

/* What an error means to whoever waits for the exit status. */
static int error_exit(const sd_bus_error *e)
{
	static const struct {
		const char *name;
		int status;
	} statuses[] = {
		{ BUS_ERROR_NO_GUEST, CLI_NO_GUEST },
		{ SD_BUS_ERROR_UNKNOWN_OBJECT, CLI_NO_GUEST },
		{ BUS_ERROR_TIMED_OUT, CLI_TIMED_OUT },
		{ SD_BUS_ERROR_NO_REPLY, CLI_NO_DAEMON },
		{ SD_BUS_ERROR_TIMEOUT, CLI_NO_DAEMON },
		{ SD_BUS_ERROR_DISCONNECTED, CLI_NO_DAEMON },
		{ BUS_ERROR_NOT_RUNNING, CLI_NOT_RUNNING },
		{ BUS_ERROR_INVALID, CLI_USAGE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		if (sd_bus_error_has_name(e, statuses[i].name))
			return statuses[i].status;
	return CLI_FAILED;
}

static void reply_take(
	struct client_reply *reply, int error, const sd_bus_error *e, const char *message)
{
	static const char silent[] = "the daemon does not answer; is it stopped or overloaded?";

	reply->done = true;
	reply->status = CLI_OK;
	if (e && sd_bus_error_is_set(e)) {
		reply->status = error_exit(e);
		message = e->message && *e->message ? e->message : e->name;
		/* sd-bus says "Connection terminated", and nothing of whose. */
		if (sd_bus_error_has_name(e, SD_BUS_ERROR_NO_REPLY) ||
			sd_bus_error_has_name(e, SD_BUS_ERROR_DISCONNECTED))
			message = "the daemon ended before it answered; guests are left as they "
				  "are";
	} else if (error < 0) {
		reply->status = CLI_NO_DAEMON;
		message = error == -ETIMEDOUT ? silent : strerror(-error);
	}
	text_take(reply->message, sizeof(reply->message), message ? message : "");
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct client *c = userdata;
	const char *message = "";

	(void)error;
	if (!sd_bus_message_is_method_error(m, NULL))
		(void)sd_bus_message_read(m, "s", &message);
	reply_take(c->reply, 0, sd_bus_message_get_error(m), message);
	return 1;
}

static char *guest_path(const char *guest)
{
	char *path = NULL;

	return sd_bus_path_encode_many(&path, BUS_PATTERN_GUEST, guest) < 0 ? NULL : path;
}

int client_begin(struct client *c, const char *guest, const char *method, const uint64_t *numbers,
	unsigned n_numbers, struct client_reply *reply)
{
	CLEANUP_FREE char *path = guest_path(guest);
	sd_bus_message *m = NULL;

	if (!path)
		return -ENOMEM;
	*reply = (struct client_reply){ 0 };
	c->reply = reply;
	int r = sd_bus_message_new_method_call(c->bus, &m, c->to, path, BUS_IFACE_GUEST, method);
	for (unsigned i = 0; r >= 0 && i < n_numbers; i++)
		r = sd_bus_message_append(m, "t", numbers[i]);
	/* How long a guest takes to stop is the daemon's business; it answers in any case. */
	if (r >= 0)
		r = sd_bus_call_async(c->bus, NULL, m, on_reply, c, UINT64_MAX);
	sd_bus_message_unref(m);
	return r < 0 ? r : 0;
}

static int reload_read(
	sd_bus_message *m, void (*print)(bool is_fault, const char *line), bool *ret_ok)
{
	char text[1024];
	const char *line;
	int ok, r = sd_bus_message_enter_container(m, 'a', "s");

	while (r >= 0 && (r = sd_bus_message_read(m, "s", &line)) > 0) {
		text_take(text, sizeof(text), line);
		print(true, text);
	}
	if (r < 0 || (r = sd_bus_message_exit_container(m)) < 0 ||
		(r = sd_bus_message_read(m, "sb", &line, &ok)) < 0)
		return r;
	while (*line) {
		size_t len = strcspn(line, "\n");

		(void)utf8_escape(text, sizeof(text), line, len);
		if (len > 0)
			print(false, text);
		line += len + (line[len] == '\n');
	}
	*ret_ok = ok;
	return 0;
}

int client_ask(struct client *c, int error, sd_bus_message *m, struct client_reply *reply,
	sd_bus_message **ret_answer)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	usec_t limit = c->to && c->door == CLIENT_CONTROL ? PERSON_WITHIN : 0; /* the default */
	int r = error < 0 ? error : dial_wait_ready(c->bus);

	if (r >= 0)
		r = sd_bus_call(c->bus, m, limit, &e, ret_answer);
	reply_take(reply, r, &e, NULL);
	sd_bus_error_free(&e);
	sd_bus_message_unref(m);
	return r < 0 ? r : 0;
}

/* Calls and waits; *ret_answer is the caller's to unref where 0 is returned. */
static int call(struct client *c, const char *path, const char *interface, const char *method,
	const uint32_t *argument, struct client_reply *reply, sd_bus_message **ret_answer)
{
	sd_bus_message *m = NULL;
	int r = sd_bus_message_new_method_call(c->bus, &m, c->to, path, interface, method);

	if (r >= 0 && argument)
		r = sd_bus_message_append(m, "u", *argument);
	return client_ask(c, r, m, reply, ret_answer);
}

int client_reload(struct client *c, void (*print)(bool is_fault, const char *line), bool *ret_ok,
	struct client_reply *reply)
{
	sd_bus_message *m = NULL;
	int r = call(c, BUS_PATH, BUS_IFACE_MANAGER, "Reload", NULL, reply, &m);

	if (r < 0)
		return r;
	r = reload_read(m, print, ret_ok);
	sd_bus_message_unref(m);
	return r;
}

int client_console_tail(struct client *c, const char *guest, char **ret, size_t *ret_len,
	struct client_reply *reply)
{
	CLEANUP_FREE char *path = guest_path(guest);
	sd_bus_message *m = NULL;
	const void *bytes;
	size_t len;
	int r = path ? call(c, path, BUS_IFACE_GUEST, "ConsoleTail", NULL, reply, &m) : -ENOMEM;

	if (r < 0)
		return r;
	if ((r = sd_bus_message_read_array(m, 'y', &bytes, &len)) >= 0) {
		char *copy = malloc(len + 1);

		if (copy) {
			memcpy(copy, len ? bytes : "", len);
			copy[len] = '\0';
			*ret = copy;
			*ret_len = len;
		}
		r = copy ? 0 : -ENOMEM;
	}
	sd_bus_message_unref(m);
	return r;
}

int client_console_open(
	struct client *c, const char *guest, unsigned tail, int *ret_fd, struct client_reply *reply)
{
	CLEANUP_FREE char *path = guest_path(guest);
	sd_bus_message *m = NULL;
	const uint32_t argument = tail;
	int fd, r = path ? call(c, path, BUS_IFACE_GUEST, "OpenConsole", &argument, reply, &m)
			 : -ENOMEM;

	if (r < 0)
		return r;
	/* The message owns its descriptor. */
	if ((r = sd_bus_message_read(m, "h", &fd)) >= 0) {
		fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		r = fd < 0 ? -errno : 0;
	}
	sd_bus_message_unref(m);
	if (r == 0)
		*ret_fd = fd;
	return r;
}
