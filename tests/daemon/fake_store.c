/* SPDX-License-Identifier: Apache-2.0 */
/* A list of texts by guest. */
#include "fake_store.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_text *fake_store_text(struct fake_store *s, const char *guest)
{
	struct fake_text *t = s->texts;

	while (t && strcmp(t->guest, guest) != 0)
		t = t->next;
	if (t)
		return t;
	t = calloc(1, sizeof(*t));
	assert(t);
	t->guest = strdup(guest);
	t->next = s->texts;
	s->texts = t;
	return t;
}

static int fake_load(struct store *s, const char *guest, char **ret, size_t *ret_len)
{
	const struct fake_text *t = fake_store_text((struct fake_store *)s, guest);

	if (!t->text)
		return -ENOENT;
	if (((struct fake_store *)s)->load_error)
		return ((struct fake_store *)s)->load_error;
	*ret = strdup(t->text);
	*ret_len = strlen(t->text);
	return 0;
}

static int fake_put_aside(struct store *s, const char *guest, char *words, size_t size)
{
	struct fake_text *t = fake_store_text((struct fake_store *)s, guest);

	free(t->aside);
	t->aside = t->text;
	t->text = NULL;
	(void)snprintf(words, size, "it is kept");
	return 0;
}

static void fake_save(struct store *s, const char *guest, const char *text, size_t len)
{
	struct fake_text *t = fake_store_text((struct fake_store *)s, guest);

	if (((struct fake_store *)s)->dead)
		return;
	assert(len == strlen(text) && len < STORE_TEXT_MAX);
	((struct fake_store *)s)->lost = ((struct fake_store *)s)->full;
	if (((struct fake_store *)s)->full)
		return;
	free(t->text);
	t->text = strdup(text);
	t->saves++;
}

static void fake_console(struct store *s, const char *guest, const void *data, size_t len)
{
	(void)data;
	fake_store_text((struct fake_store *)s, guest)->console_bytes += len;
}

static size_t fake_console_tail(struct store *s, const char *guest, char *buf, size_t size)
{
	(void)s;
	(void)guest;
	(void)buf;
	(void)size;
	return 0;
}

static void fake_event(struct store *s, const char *guest, const char *line, size_t len)
{
	struct fake_text *t = fake_store_text((struct fake_store *)s, guest ? guest : "");
	size_t have = t->events ? strlen(t->events) : 0;

	if (((struct fake_store *)s)->dead)
		return;
	assert(len == strlen(line) && line[len - 1] == '\n');
	t->events = realloc(t->events, have + len + 1);
	assert(t->events);
	memcpy(t->events + have, line, len + 1);
}

static int fake_load_events(struct store *s, const char *guest, char **ret, size_t *ret_len)
{
	const struct fake_text *t = fake_store_text((struct fake_store *)s, guest ? guest : "");

	if (!t->events)
		return -ENOENT;
	*ret = strdup(t->events);
	*ret_len = strlen(t->events);
	return 0;
}

static const char *fake_trouble(struct store *s)
{
	return ((struct fake_store *)s)->lost ? "No space left on device" : "";
}

struct fake_store *fake_store_new(void)
{
	static const struct store_vtable vtable = {
		.load = fake_load,
		.put_aside = fake_put_aside,
		.save = fake_save,
		.console = fake_console,
		.console_tail = fake_console_tail,
		.event = fake_event,
		.load_events = fake_load_events,
		.trouble = fake_trouble,
	};
	struct fake_store *s = calloc(1, sizeof(*s));

	assert(s);
	s->store.vtable = &vtable;
	return s;
}

void fake_store_free(struct fake_store *s)
{
	while (s->texts) {
		struct fake_text *t = s->texts;

		s->texts = t->next;
		free(t->guest);
		free(t->text);
		free(t->aside);
		free(t->events);
		free(t);
	}
	free(s);
}
