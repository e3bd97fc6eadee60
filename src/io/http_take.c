/* SPDX-License-Identifier: Apache-2.0 */
/* Caps and header lines of an untrusted HTTP answer. */
#include "io/http_take.h"

#include "base/macro.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define CONTENT_TYPE "content-type:"
#define CBOR_TYPE    "application/cbor"

void take_reset(struct take *t)
{
	t->part = TAKE_START;
	t->interim = t->too_large = t->body_over = false;
	t->head_bytes = t->body_len = 0;
	t->types = t->cbor = 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_empty_line(const char *line, size_t len)
{
	return len == 0 || line[0] == '\n' || (len >= 2 && line[0] == '\r' && line[1] == '\n');
}

/* "HTTP/1.1 103 …": libcurl has already refused what is no status line. */
static bool is_interim(const char *line, size_t len)
{
	const char *space = memchr(line, ' ', len);
	size_t rest = space ? len - (size_t)(space - line) : 0;

	/* 101 ends HTTP and is no interim answer: nothing of HTTP follows it. */
	return rest >= 4 && space[1] == '1' && !(space[2] == '0' && space[3] == '1');
}

/* The value up to a parameter or the line's end is exactly the type. */
static bool is_cbor(const char *value, size_t len)
{
	size_t type = strlen(CBOR_TYPE);

	while (len > 0 && is_blank(*value))
		value++, len--;
	if (len < type || strncasecmp(value, CBOR_TYPE, type) != 0)
		return false;
	for (value += type, len -= type; len > 0 && is_blank(*value); value++)
		len--;
	return len == 0 || *value == ';' || *value == '\r' || *value == '\n';
}

static void take_header(struct take *t, const char *line, size_t len)
{
	size_t name = strlen(CONTENT_TYPE);

	if (len < name || strncasecmp(line, CONTENT_TYPE, name) != 0)
		return;
	t->types++;
	t->cbor += is_cbor(line + name, len - name);
}

int take_line(struct take *t, const char *line, size_t len)
{
	if (len > ANSWER_HEADER_MAX - t->head_bytes) {
		t->too_large = true;
		return -EMSGSIZE;
	}
	t->head_bytes += len;

	switch (t->part) {
	case TAKE_START:
		t->part = TAKE_HEAD;
		t->interim = is_interim(line, len);
		t->http1 = len > 7 && memcmp(line, "HTTP/1.", 7) == 0;
		t->types = t->cbor = 0;
		break;
	case TAKE_HEAD:
		if (is_empty_line(line, len))
			t->part = t->interim ? TAKE_START : TAKE_BODY;
		else
			take_header(t, line, len);
		break;
	case TAKE_BODY:
		/* A trailer: counted above, never believed. */
		break;
	}
	return 0;
}

int take_body(struct take *t, const void *data, size_t len)
{
	size_t fits = MIN(len, ANSWER_BODY_MAX - t->body_len);

	if (fits > 0)
		memcpy(t->body + t->body_len, data, fits);
	t->body_len += fits;
	if (len == fits)
		return 0;
	t->too_large = t->body_over = true;
	return -EMSGSIZE;
}

bool take_says_cbor(const struct take *t)
{
	return t->types > 0 && t->cbor == t->types;
}
