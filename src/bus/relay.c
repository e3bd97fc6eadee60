/* SPDX-License-Identifier: Apache-2.0 */
/* Carries the serial line to a person and keys back.
 *
 * The serial line belongs to the guest and is written on the main loop, so a reader who does not
 * keep up must cost nothing: what its socket does not take waits in one bounded buffer, and when
 * that is full the relay ends. Keys are best effort, as on a real serial line without flow
 * control. */
#include "bus/relay.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define KEYS_MAX 512u /* taken at one time */

struct relay {
	struct relay *next;
	struct bus *server;
	struct guest *guest;
	/* tells a guest that is gone from another at the same address */
	char guest_name[SPEC_NAME_MAX + 1];
	int fd;
	sd_event_source *source;
	char *buffer;
	size_t start, len;
	bool dead; /* found so inside the console's own callback; ended in the next io event */
};

/* `listening` is false when the guest, and its list of listeners with it, is gone. */
static void relay_end(struct relay *r, bool listening);

static void relay_want_write(struct relay *r, bool want)
{
	if (sd_event_source_set_io_events(r->source, EPOLLIN | (want ? EPOLLOUT : 0u)) < 0)
		r->dead = true;
}

/* Closing our side of the socket wakes our own io source, which then buries the relay: the console
 * must not lose a listener while it goes through them. */
static void relay_condemn(struct relay *r)
{
	r->dead = true;
	(void)shutdown(r->fd, SHUT_RDWR);
}

static void relay_queue(struct relay *r, const char *data, size_t len)
{
	if (len > RELAY_BUFFER - r->len) {
		log_full(LOG_NOTICE, r->guest_name, NULL,
			"a reader of the console is too slow and is dropped");
		relay_condemn(r);
		return;
	}
	if (r->start + r->len + len > RELAY_BUFFER) {
		memmove(r->buffer, r->buffer + r->start, r->len);
		r->start = 0;
	}
	memcpy(r->buffer + r->start + r->len, data, len);
	r->len += len;
	relay_want_write(r, true);
}

static void on_console(void *userdata, const void *data, size_t len)
{
	struct relay *r = userdata;
	ssize_t sent = 0;

	if (r->dead)
		return;
	if (r->len == 0) {
		sent = send(r->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno != EAGAIN) {
			relay_condemn(r);
			return;
		}
		sent = MAX(sent, (ssize_t)0);
	}
	if ((size_t)sent < len)
		relay_queue(r, (const char *)data + sent, len - (size_t)sent);
}

static int relay_flush(struct relay *r)
{
	ssize_t sent = send(r->fd, r->buffer + r->start, r->len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent < 0)
		return errno == EAGAIN ? 0 : -errno;
	r->start += (size_t)sent;
	r->len -= (size_t)sent;
	if (r->len == 0) {
		r->start = 0;
		relay_want_write(r, false);
	}
	return 0;
}

static int relay_take_keys(struct relay *r)
{
	struct hv *hv = r->server->supervisor->config.hv;
	char keys[KEYS_MAX];
	ssize_t n = recv(r->fd, keys, sizeof(keys), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n == 0)
		return -EPIPE;
	/* Keys typed while nobody reads them are lost, as they would be on a wire. */
	if (hv)
		(void)hv->vtable->console_write(hv, r->guest->spec->uuid, keys, (size_t)n);
	return 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct relay *r = userdata;
	int e = r->dead ? -EPIPE : 0;

	(void)source, (void)fd;
	if (e == 0 && (events & EPOLLOUT) && r->len > 0)
		e = relay_flush(r);
	if (e == 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		e = relay_take_keys(r);
	if (e < 0)
		relay_end(r, true);
	return 0;
}

static void relay_end(struct relay *r, bool listening)
{
	for (struct relay **at = &r->server->relays; *at; at = &(*at)->next)
		if (*at == r) {
			*at = r->next;
			break;
		}
	if (listening)
		console_unlisten(&r->guest->console, on_console, r);
	sd_event_source_disable_unref(r->source);
	if (r->fd >= 0)
		(void)close(r->fd);
	free(r->buffer);
	free(r);
}

static int relay_start(struct relay *r, size_t tail, int *ret_fd)
{
	int pair[2];

	r->buffer = malloc(RELAY_BUFFER);
	if (!r->buffer)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	r->fd = pair[0];
	CLEANUP_CLOSE int theirs = pair[1];

	int e = sd_event_add_io(r->server->event, &r->source, r->fd, EPOLLIN, on_io, r);
	if (e < 0)
		return e;
	r->len = console_tail(&r->guest->console, r->buffer, MIN(tail, (size_t)RELAY_BUFFER));
	if (r->len > 0)
		relay_want_write(r, true);
	*ret_fd = TAKE_FD(theirs);
	return 0;
}

int relay_new(struct bus *b, struct guest *g, size_t tail, int *ret_fd)
{
	int theirs = -1;
	struct relay *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->server = b;
	r->guest = g;
	r->fd = -1;
	(void)snprintf(r->guest_name, sizeof(r->guest_name), "%s", g->spec->name);
	r->next = b->relays;
	b->relays = r;

	int e = relay_start(r, tail, &theirs);
	bool listening = e == 0;
	if (e == 0 && (e = console_listen(&g->console, on_console, r)) < 0) {
		listening = false;
		(void)close(theirs);
	}
	if (e < 0) {
		relay_end(r, listening);
		return e;
	}
	*ret_fd = theirs;
	return 0;
}

void relays_check(struct bus *b)
{
	for (struct relay *r = b->relays, *next; r; r = next) {
		next = r->next;
		if (supervisor_find(b->supervisor, r->guest_name) != r->guest)
			relay_end(r, false);
	}
}

void relays_free(struct bus *b)
{
	for (struct relay *r = b->relays, *next; r; r = next) {
		next = r->next;
		relay_end(r, true);
	}
}
