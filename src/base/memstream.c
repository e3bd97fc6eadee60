/* SPDX-License-Identifier: Apache-2.0 */
/* Why not open_memstream(): when glibc's runs out of memory, fclose() says 0 all the same and the
 * text is NULL, or lacks what did not fit (libio/memstream.c and strops.c of 2.36). */
#include "base/memstream.h"

#include "base/macro.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST 512u

static bool make_room(struct memstream *m, size_t size)
{
	size_t want, room = m->room ? m->room : ROOM_FIRST;

	if (__builtin_add_overflow(m->len + 1, size, &want))
		return false;
	while (room < want && room <= SIZE_MAX / 2)
		room *= 2;
	if (room <= m->room && m->text)
		return true;
	char *grown = realloc(m->text, MAX(room, want));
	if (!grown)
		return false;
	m->text = grown;
	m->room = MAX(room, want);
	return true;
}

/* What comes after something that is missing is not kept either. */
static ssize_t on_write(void *cookie, const char *data, size_t size)
{
	struct memstream *m = cookie;

	m->failed = m->failed || !make_room(m, size);
	if (m->failed)
		return 0;
	memcpy(m->text + m->len, data, size);
	m->len += size;
	return (ssize_t)size;
}

FILE *memstream_open(struct memstream *m)
{
	*m = (struct memstream){ 0 };
	m->f = fopencookie(m, "w", (cookie_io_functions_t){ .write = on_write });
	m->failed = !m->f;
	return m->f;
}

int memstream_close(struct memstream *m, char **ret, size_t *ret_len)
{
	if (m->f && (ferror(m->f) | fclose(m->f)))
		m->failed = true;
	m->f = NULL;
	CLEANUP_FREE char *text = NULL;
	if (!m->failed && !make_room(m, 0))
		m->failed = true;
	text = TAKE_PTR(m->text);
	if (m->failed)
		return -ENOMEM;
	text[m->len] = '\0';
	if (ret_len)
		*ret_len = m->len;
	if (ret)
		*ret = TAKE_PTR(text);
	return 0;
}
