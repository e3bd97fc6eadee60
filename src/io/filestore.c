/* SPDX-License-Identifier: Apache-2.0 */
/* What core wants kept, gathered per guest and written one guest at a time.
 *
 * Theory of operation: a sync may take seconds, so files are written by a worker. While it writes,
 * more comes in: of state texts only the last matters, console bytes are appended. So each guest
 * has an entry in which the next write is gathered, and a batch is one entry's content, on its way
 * to the disk. At most one batch is out, which keeps the order of one guest's writes and bounds the
 * memory: per guest one text and one console buffer waiting, and one of each out. The entry keeps
 * its text until the disk has it, because a batch that failed or that nobody waits for any more
 * belongs to the worker. */
#include "io/filestore.h"

#include "base/macro.h"
#include "io/guestfiles.h"

#include <errno.h>
#include <semaphore.h>
#include <string.h>
#include <time.h>

/* Bytes to be appended. */
struct pending {
	char *data;
	size_t len, room;
};

struct entry {
	struct entry *next;
	char *guest; /* "" the daemon itself */
	char *text;  /* the last one saved that the disk does not have; or NULL */
	size_t text_len;
	bool text_out; /* the batch that is out has this very text */
	struct pending console, events;
	uint64_t dropped; /* console bytes, since the last batch */
	int error;        /* of the last write; 0 fine */
	char words[256];  /* for a person, while there is an error */
};

/* Everything the worker needs, owned by nobody else. */
struct batch {
	struct filestore *store; /* for the main loop's eyes only */
	struct entry *entry;     /* likewise */
	char *state_dir, *guest;
	char *text;
	size_t text_len;
	struct pending console, events;
	uint64_t dropped;
	int error;
	char words[256];
	bool text_written;
	sem_t ended;
};

struct filestore {
	struct store store;
	struct worker_pool *pool;
	struct worker_queue *queue;
	char *state_dir;
	struct entry *entries;
	struct batch *out; /* the worker's, or NULL */
	char trouble[256];
};

static void batch_free(void *arg)
{
	struct batch *b = arg;

	if (!b)
		return;
	free(b->state_dir);
	free(b->guest);
	free(b->text);
	free(b->console.data);
	free(b->events.data);
	(void)sem_destroy(&b->ended);
	free(b);
}

static void batch_run(void *arg)
{
	struct batch *b = arg;
	int r = 0;

	/* The text first: of the two it is the one that matters. */
	if (b->text)
		r = guestfiles_save(b->state_dir, b->guest, b->text, b->text_len);
	b->text_written = r >= 0;
	/* Along with a text, which waits for the disk anyway, also the events are made to last. */
	if (r >= 0 && b->events.len > 0)
		r = guestfiles_append_events(b->state_dir, b->guest[0] ? b->guest : NULL,
			b->events.data, b->events.len, b->text != NULL);
	if (r >= 0 && b->console.len > 0)
		r = guestfiles_append(
			b->state_dir, b->guest, b->console.data, b->console.len, b->dropped);
	if (r < 0)
		guestfiles_trouble(b->state_dir, b->guest, r, b->words, sizeof(b->words));
	b->error = r;
	(void)sem_post(&b->ended);
}

static void kick(struct filestore *s);

static void tell_trouble(struct filestore *s)
{
	s->trouble[0] = '\0';
	for (const struct entry *e = s->entries; e; e = e->next) {
		if (e->error == 0)
			continue;
		(void)memcpy(s->trouble, e->words, sizeof(s->trouble));
		return;
	}
}

static void batch_done(void *arg, int error, usec_t now)
{
	struct batch *b = arg;
	struct filestore *s = b->store;
	struct entry *e = b->entry;

	(void)now;
	s->out = NULL;
	/* After a time-out the worker may be writing into *b at this moment. */
	e->error = error != 0 ? error : b->error;
	if (error == 0)
		memcpy(e->words, b->words, sizeof(e->words));
	else
		(void)snprintf(e->words, sizeof(e->words), "cannot write in %s/%s%s: %s",
			s->state_dir, e->guest[0] ? "private/" : "", e->guest,
			error == -ETIMEDOUT ? "the disk does not answer" : strerror(-error));
	if (error == 0 && b->text_written && e->text_out) {
		free(TAKE_PTR(e->text));
		e->text_len = 0;
	}
	if (e->error != 0)
		e->dropped += b->console.len + b->dropped;
	bool tried = e->text_out;
	e->text_out = false;
	tell_trouble(s);
	/* What failed waits for the next occasion: trying it again at once would spin on a full
	 * disk. A text that came in meanwhile was not tried yet, and may well succeed where a log
	 * did not. */
	if (e->error == 0 || (e->text && !tried))
		kick(s);
}

/* Moves what waits into a batch. NULL with no memory: it goes on waiting. */
static struct batch *batch_new(struct filestore *s, struct entry *e)
{
	struct batch *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	(void)sem_init(&b->ended, 0, 0);
	b->store = s;
	b->entry = e;
	b->state_dir = strdup(s->state_dir);
	b->guest = strdup(e->guest);
	if (e->text) {
		b->text = malloc(e->text_len + 1);
		if (b->text)
			memcpy(b->text, e->text, e->text_len);
		b->text_len = e->text_len;
	}
	if (!b->state_dir || !b->guest || (e->text && !b->text)) {
		batch_free(b);
		return NULL;
	}
	b->console = e->console;
	b->events = e->events;
	b->dropped = e->dropped;
	e->console = e->events = (struct pending){ 0 };
	e->dropped = 0;
	e->text_out = e->text != NULL;
	return b;
}

/* What the batch took goes back where it was, in front of nothing: no bytes came in meanwhile. */
static void batch_put_back(struct batch *b)
{
	struct entry *e = b->entry;

	e->console = b->console;
	e->events = b->events;
	b->console = b->events = (struct pending){ 0 };
	e->dropped = b->dropped;
	e->text_out = false;
	batch_free(b);
}

static bool entry_waits(const struct entry *e)
{
	return e->text || e->console.len > 0 || e->events.len > 0;
}

static int batch_submit(struct filestore *s, struct worker_queue *queue, struct entry *e)
{
	struct batch *b = batch_new(s, e);

	if (!b)
		return -ENOMEM;
	const struct worker_job job = {
		.run = batch_run,
		.done = batch_done,
		.free = batch_free,
		.arg = b,
		.timeout = FILESTORE_WRITE_TIMEOUT,
	};
	int r = worker_submit(queue, &job);
	if (r < 0)
		batch_put_back(b);
	else
		s->out = b;
	return r;
}

/* Whoever failed last goes to the end of the line, so that one bad directory does not starve the
 * others. */
static struct entry *next_waiting(struct filestore *s)
{
	struct entry *failed = NULL;

	for (struct entry *e = s->entries; e; e = e->next) {
		if (!entry_waits(e))
			continue;
		if (e->error == 0)
			return e;
		failed = failed ? failed : e;
	}
	return failed;
}

static void kick(struct filestore *s)
{
	struct entry *e = s->out ? NULL : next_waiting(s);

	if (e && !worker_queue_wedged(s->queue))
		(void)batch_submit(s, s->queue, e);
}

static struct entry *entry_of(struct filestore *s, const char *guest)
{
	struct entry *e;

	for (e = s->entries; e; e = e->next)
		if (strcmp(e->guest, guest) == 0)
			return e;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->guest = strdup(guest);
	if (!e->guest) {
		free(e);
		return NULL;
	}
	e->next = s->entries;
	s->entries = e;
	return e;
}

static void filestore_save(struct store *store, const char *guest, const char *text, size_t len)
{
	struct filestore *s = (struct filestore *)store;
	struct entry *e = entry_of(s, guest);
	char *copy = e ? malloc(len + 1) : NULL;

	/* Without memory the text before stays, and the next save is not far. */
	if (!copy)
		return;
	memcpy(copy, text, len);
	copy[len] = '\0';
	free(e->text);
	e->text = copy;
	e->text_len = len;
	e->text_out = false;
	kick(s);
}

/* False: there is no room, or no memory, and nothing was taken. */
static bool pending_add(struct pending *p, const void *data, size_t len, size_t max)
{
	size_t want = p->len + len;

	if (want > max)
		return false;
	if (want > p->room) {
		size_t room = MIN(MAX(want, 2 * p->room), max);
		char *grown = realloc(p->data, room);
		if (!grown)
			return false;
		p->data = grown;
		p->room = room;
	}
	memcpy(p->data + p->len, data, len);
	p->len = want;
	return true;
}

static void filestore_console(struct store *store, const char *guest, const void *data, size_t len)
{
	struct filestore *s = (struct filestore *)store;
	struct entry *e = entry_of(s, guest);

	if (!e || len == 0)
		return;
	if (!pending_add(&e->console, data, len, FILESTORE_CONSOLE_WAITING))
		e->dropped += len;
	kick(s);
}

static void filestore_event(struct store *store, const char *guest, const char *line, size_t len)
{
	struct filestore *s = (struct filestore *)store;
	struct entry *e = entry_of(s, guest ? guest : "");

	/* One that finds no room is missing on disk alone: its number tells. */
	if (e && pending_add(&e->events, line, len, FILESTORE_EVENTS_WAITING))
		kick(s);
}

static int filestore_load_events(
	struct store *store, const char *guest, char **ret, size_t *ret_len)
{
	return guestfiles_load_events(((struct filestore *)store)->state_dir, guest, ret, ret_len);
}

static int filestore_load(struct store *store, const char *guest, char **ret, size_t *ret_len)
{
	return guestfiles_load(((struct filestore *)store)->state_dir, guest, ret, ret_len);
}

static int filestore_put_aside(struct store *store, const char *guest, char *words, size_t size)
{
	return guestfiles_put_aside(((struct filestore *)store)->state_dir, guest, words, size);
}

static const char *filestore_trouble(struct store *store)
{
	return ((struct filestore *)store)->trouble;
}

/* False: the time is over. */
static bool wait_for(struct batch *b, const struct timespec *until)
{
	int r;

	do
		r = sem_clockwait(&b->ended, CLOCK_MONOTONIC, until);
	while (r < 0 && errno == EINTR);
	return r == 0;
}

/* The main loop runs no more, so nothing is answered: each batch gets a queue of its own and is
 * waited for by its semaphore. Also here a disk that hangs must not hang the daemon. */
static void flush(struct filestore *s)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(FILESTORE_FLUSH_TIMEOUT / USEC_PER_SEC);
	/* Two writers of one file would undo each other. */
	if (worker_queue_wedged(s->queue) || (s->out && !wait_for(s->out, &until)))
		return;
	/* It is not asked how it went: a text that is written twice does no harm. */
	for (struct entry *e = s->entries; e; e = e->next) {
		struct worker_queue *queue;

		if (!entry_waits(e) || worker_queue_new(s->pool, "store-flush", 1, &queue) < 0)
			continue;
		bool ended = batch_submit(s, queue, e) < 0 || wait_for(s->out, &until);
		worker_queue_free(queue);
		if (!ended)
			return;
	}
}

static void filestore_destroy(struct store *store)
{
	struct filestore *s = (struct filestore *)store;

	if (!s)
		return;
	flush(s);
	worker_queue_free(s->queue);
	while (s->entries) {
		struct entry *e = s->entries;

		s->entries = e->next;
		free(e->guest);
		free(e->text);
		free(e->console.data);
		free(e->events.data);
		free(e);
	}
	free(s->state_dir);
	free(s);
}

static size_t filestore_console_tail(struct store *store, const char *guest, char *buf, size_t size)
{
	const struct filestore *s = (const struct filestore *)store;

	return guestfiles_tail(s->state_dir, guest, buf, size);
}

bool filestore_idle(const struct store *store)
{
	return !((const struct filestore *)store)->out;
}

int filestore_new(struct worker_pool *pool, const char *state_dir, struct store **ret)
{
	static const struct store_vtable vtable = {
		.destroy = filestore_destroy,
		.load = filestore_load,
		.put_aside = filestore_put_aside,
		.save = filestore_save,
		.console = filestore_console,
		.console_tail = filestore_console_tail,
		.event = filestore_event,
		.load_events = filestore_load_events,
		.trouble = filestore_trouble,
	};
	struct filestore *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->store.vtable = &vtable;
	s->pool = pool;
	s->state_dir = strdup(state_dir);
	int r = s->state_dir ? worker_queue_new(pool, "store", 1, &s->queue) : -ENOMEM;
	if (r < 0) {
		free(s->state_dir);
		free(s);
		return r;
	}
	*ret = &s->store;
	return 0;
}
