/* SPDX-License-Identifier: Apache-2.0 */
/* The serial line.
 *
 * Three threads meet here. The guest's worker opens, closes and writes the stream; the event thread
 * reads it; the main loop empties the ring. The stream's pointer is the worker's own (the callback
 * is handed it anew each time), everything else is under the lock, which is never held across a
 * call into libvirt. */
#include "virt/console.h"

#include "base/macro.h"
#include "virt/facts.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* Reads per callback, each of so many bytes: other guests' events must have their turn. */
#define CONSOLE_READS_MAX  4u
#define CONSOLE_READ_BYTES 4096u

#define STREAM_EVENTS                                                                              \
	(VIR_STREAM_EVENT_READABLE | VIR_STREAM_EVENT_ERROR | VIR_STREAM_EVENT_HANGUP)

struct console {
	atomic_uint refs;
	struct mailbox *mailbox;

	/* the worker's */
	virStreamPtr stream;
	unsigned generation;
	int id;

	/* seats_lock */
	struct console *next_seat;
	uintptr_t seat;

	pthread_mutex_t lock; /* over all below */
	bool open;
	uint8_t *ring; /* CONSOLE_RING_BYTES once it was open */
	size_t head, len;
	uint64_t lost;
	uint8_t typed[CONSOLE_TYPED_MAX];
	size_t typed_len;
};

struct console *console_new(struct mailbox *mailbox)
{
	struct console *console = calloc(1, sizeof(*console));

	if (!console)
		return NULL;
	atomic_init(&console->refs, 1);
	(void)pthread_mutex_init(&console->lock, NULL);
	console->mailbox = mailbox_ref(mailbox);
	return console;
}

struct console *console_ref(struct console *console)
{
	(void)atomic_fetch_add(&console->refs, 1);
	return console;
}

void console_unref(struct console *console)
{
	if (!console || atomic_fetch_sub(&console->refs, 1) > 1)
		return;
	mailbox_unref(console->mailbox);
	pthread_mutex_destroy(&console->lock);
	free(console->ring);
	free(console);
}

/* A stream's callback is handed a number instead of a pointer: libvirt's remote driver (9.0) never
 * calls the function that would free what the pointer holds (remoteStreamCallbackFree asks for a
 * callback that is NULL, and none ever is), and its event thread may be in the callback while the
 * stream is closed. A number that nobody has any more finds nothing. */
static pthread_mutex_t seats_lock = PTHREAD_MUTEX_INITIALIZER;
static struct console *seats; /* the open ones, each a reference */
static uintptr_t seats_given;

static void *seat_take(struct console *console)
{
	void *seat;

	pthread_mutex_lock(&seats_lock);
	console->seat = ++seats_given;
	console->next_seat = seats;
	seats = console_ref(console);
	seat = (void *)console->seat;
	pthread_mutex_unlock(&seats_lock);
	return seat;
}

/* Nothing is done where it has none. */
static void seat_leave(struct console *console)
{
	struct console **p = &seats;
	bool found;

	pthread_mutex_lock(&seats_lock);
	while (*p && *p != console)
		p = &(*p)->next_seat;
	found = *p != NULL;
	if (found)
		*p = console->next_seat;
	pthread_mutex_unlock(&seats_lock);
	if (found)
		console_unref(console);
}

/* To be unreferenced; NULL when it was closed. */
static struct console *seat_find(const void *seat)
{
	struct console *console;

	pthread_mutex_lock(&seats_lock);
	for (console = seats; console; console = console->next_seat)
		if (console->seat == (uintptr_t)seat)
			break;
	if (console)
		(void)console_ref(console);
	pthread_mutex_unlock(&seats_lock);
	return console;
}

/* Called locked. The oldest bytes give way: what a guest wrote last is what tells why it died. */
static void ring_push(struct console *console, const uint8_t *data, size_t len)
{
	size_t over, at, first;

	over = console->len + len > CONSOLE_RING_BYTES ? console->len + len - CONSOLE_RING_BYTES
						       : 0;
	console->head = (console->head + over) % CONSOLE_RING_BYTES;
	console->len -= over;
	console->lost += over;

	at = (console->head + console->len) % CONSOLE_RING_BYTES;
	first = MIN(len, CONSOLE_RING_BYTES - at);
	memcpy(console->ring + at, data, first);
	memcpy(console->ring, data + first, len - first);
	console->len += len;
}

size_t console_take(struct console *console, void *data, size_t size, uint64_t *ret_lost)
{
	size_t n, first;

	pthread_mutex_lock(&console->lock);
	n = MIN(size, console->len);
	first = MIN(n, CONSOLE_RING_BYTES - console->head);
	if (n > 0) {
		memcpy(data, console->ring + console->head, first);
		memcpy((uint8_t *)data + first, console->ring, n - first);
		console->head = (console->head + n) % CONSOLE_RING_BYTES;
		console->len -= n;
		*ret_lost = console->lost;
		console->lost = 0;
	}
	pthread_mutex_unlock(&console->lock);
	return n;
}

/* The event thread: reads what is there, up to its share. Returns false at the end of the
 * stream. */
static bool stream_drain(virStreamPtr stream, struct console *console)
{
	char data[CONSOLE_READ_BYTES];

	for (unsigned i = 0; i < CONSOLE_READS_MAX; i++) {
		int n = virStreamRecv(stream, data, sizeof(data));

		if (n == -2)
			return true;
		if (n <= 0)
			return false;
		pthread_mutex_lock(&console->lock);
		ring_push(console, (const uint8_t *)data, (size_t)n);
		pthread_mutex_unlock(&console->lock);
	}
	return true;
}

/* A hang-up that comes with bytes is seen again once they are read. An ended stream that kept its
 * callback would be called for ever; the worker closes it when the guest is next read. */
static void on_stream(virStreamPtr stream, int revents, void *userdata)
{
	struct console *console = seat_find(userdata);
	bool on = console != NULL;

	if (on && (revents & VIR_STREAM_EVENT_READABLE))
		on = stream_drain(stream, console);
	else if (revents & (VIR_STREAM_EVENT_ERROR | VIR_STREAM_EVENT_HANGUP))
		on = false;
	if (!on)
		(void)virStreamEventRemoveCallback(stream);
	if (!console)
		return;
	if (!on) {
		pthread_mutex_lock(&console->lock);
		console->open = false;
		pthread_mutex_unlock(&console->lock);
	}
	mailbox_wake(console->mailbox);
	console_unref(console);
}

bool console_opened(struct console *console)
{
	bool open;

	pthread_mutex_lock(&console->lock);
	open = console->open;
	pthread_mutex_unlock(&console->lock);
	return open;
}

bool console_is(struct console *console, unsigned generation, int id)
{
	return console->stream && console->generation == generation && console->id == id &&
		console_opened(console);
}

void console_close(struct console *console)
{
	virStreamPtr stream = TAKE_PTR(console->stream);

	if (!stream)
		return;
	pthread_mutex_lock(&console->lock);
	console->open = false;
	console->typed_len = 0;
	pthread_mutex_unlock(&console->lock);
	/* Fails where the event thread removed it at the stream's end. */
	(void)virStreamEventRemoveCallback(stream);
	(void)virStreamAbort(stream);
	(void)virStreamFree(stream);
	seat_leave(console);
}

/* Marks it open before the callback can run, so that an end seen at once is not overwritten. */
static int console_prepare(struct console *console)
{
	int r = 0;

	pthread_mutex_lock(&console->lock);
	if (!console->ring)
		console->ring = malloc(CONSOLE_RING_BYTES);
	if (!console->ring)
		r = -ENOMEM;
	else
		console->open = true;
	pthread_mutex_unlock(&console->lock);
	return r;
}

static int console_error(void)
{
	const virError *error = virGetLastError();

	/* libvirt has no code of its own for "Active console session exists for this domain". */
	return error && error->code == VIR_ERR_OPERATION_FAILED ? -EBUSY : facts_errno(error);
}

int console_open(struct console *console, virConnectPtr conn, virDomainPtr dom, unsigned generation)
{
	virStreamPtr stream;
	int r;

	console_close(console);
	stream = virStreamNew(conn, VIR_STREAM_NONBLOCK);
	if (!stream)
		return facts_errno(virGetLastError());
	if (virDomainOpenConsole(dom, NULL, stream, 0) < 0) {
		r = console_error();
		(void)virStreamFree(stream);
		return r;
	}
	console->stream = stream;
	console->generation = generation;
	console->id = (int)virDomainGetID(dom);
	r = console_prepare(console);
	if (r == 0 && virStreamEventAddCallback(stream, STREAM_EVENTS, on_stream,
			      seat_take(console), NULL) < 0)
		r = facts_errno(virGetLastError());
	if (r < 0)
		console_close(console);
	return r;
}

int console_type(struct console *console, const void *data, size_t len)
{
	int r = 0;

	pthread_mutex_lock(&console->lock);
	if (!console->open) {
		r = -ENOTCONN;
	} else if (len > sizeof(console->typed) - console->typed_len) {
		r = -ENOBUFS;
	} else {
		memcpy(console->typed + console->typed_len, data, len);
		console->typed_len += len;
	}
	pthread_mutex_unlock(&console->lock);
	return r;
}

int console_flush(struct console *console)
{
	uint8_t data[CONSOLE_TYPED_MAX];
	size_t len;
	int n;

	if (!console->stream || !console_opened(console))
		return -ENOTCONN;
	pthread_mutex_lock(&console->lock);
	len = console->typed_len;
	memcpy(data, console->typed, len);
	pthread_mutex_unlock(&console->lock);
	if (len == 0)
		return 0;

	n = virStreamSend(console->stream, (const char *)data, len);
	if (n < 0 && n != -2)
		return -ENOTCONN;
	n = MAX(n, 0);
	/* The main loop only adds behind, so what was sent is still in front. */
	pthread_mutex_lock(&console->lock);
	console->typed_len -= (size_t)n;
	memmove(console->typed, console->typed + n, console->typed_len);
	len = console->typed_len;
	pthread_mutex_unlock(&console->lock);
	return (int)len;
}
