/* SPDX-License-Identifier: Apache-2.0 */
/* Elements, attributes and text into memory, indented by two spaces as libvirt does. */
#include "model/xmlwriter.h"

#include "model/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

static void fail(struct xmlwriter *w, int error)
{
	if (w->error == 0)
		w->error = error;
}

/* Errors of the stream are sticky, so they are looked for once, at the end. */
static void put(struct xmlwriter *w, const char *s)
{
	if (w->error == 0)
		(void)fputs(s, w->stream.f);
}

static void put_indent(struct xmlwriter *w, unsigned depth)
{
	if (w->error == 0)
		(void)fprintf(w->stream.f, "%*s", (int)(2 * depth), "");
}

/* What stands for a byte, NULL for itself. Tab and line ends are written as references: as they
 * are, an attribute would be read back with spaces in their place (XML 1.0, section 3.3.3). */
static const char *reference(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '\'':
		return "&apos;";
	case '"':
		return "&quot;";
	case '\t':
		return "&#9;";
	case '\n':
		return "&#10;";
	case '\r':
		return "&#13;";
	default:
		return NULL;
	}
}

/* Whether XML 1.0 can carry the text: no control character but the three above, not U+FFFE and
 * U+FFFF. (Surrogates are no UTF-8 to begin with.) */
static bool can_carry(const char *s)
{
	size_t len = strlen(s);

	if (!utf8_valid(s, len))
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20 && !reference(s[i]))
			return false;
	return !strstr(s, "\xef\xbf\xbe") && !strstr(s, "\xef\xbf\xbf");
}

static void put_escaped(struct xmlwriter *w, const char *s)
{
	if (!can_carry(s)) {
		fail(w, -EINVAL);
		return;
	}
	for (; *s && w->error == 0; s++) {
		const char *r = reference(*s);

		if (r)
			(void)fputs(r, w->stream.f);
		else
			(void)fputc(*s, w->stream.f);
	}
}

void xmlwriter_begin(struct xmlwriter *w)
{
	*w = (struct xmlwriter){ .error = 0 };
	if (!memstream_open(&w->stream))
		fail(w, -ENOMEM);
}

void xmlwriter_open(struct xmlwriter *w, const char *name)
{
	if (w->depth >= XMLWRITER_DEPTH_MAX)
		fail(w, -EOVERFLOW);
	if (w->error < 0)
		return;
	assert(!w->has_text);
	if (w->in_tag)
		put(w, ">\n");
	put_indent(w, w->depth);
	put(w, "<");
	put(w, name);
	w->names[w->depth++] = name;
	w->in_tag = true;
}

void xmlwriter_close(struct xmlwriter *w)
{
	if (w->error < 0)
		return;
	assert(w->depth > 0);
	const char *name = w->names[--w->depth];

	if (w->in_tag) {
		put(w, "/>\n");
	} else {
		if (!w->has_text)
			put_indent(w, w->depth);
		put(w, "</");
		put(w, name);
		put(w, ">\n");
	}
	w->in_tag = w->has_text = false;
}

void xmlwriter_attr(struct xmlwriter *w, const char *name, const char *value)
{
	if (w->error < 0 || !value)
		return;
	assert(w->in_tag);
	put(w, " ");
	put(w, name);
	put(w, "='");
	put_escaped(w, value);
	put(w, "'");
}

void xmlwriter_attrf(struct xmlwriter *w, const char *name, const char *format, ...)
{
	CLEANUP_FREE char *value = NULL;
	va_list ap;

	va_start(ap, format);
	int n = vasprintf(&value, format, ap);
	va_end(ap);
	if (n < 0) {
		value = NULL;
		fail(w, -ENOMEM);
		return;
	}
	xmlwriter_attr(w, name, value);
}

void xmlwriter_text(struct xmlwriter *w, const char *text)
{
	if (w->error < 0)
		return;
	assert(w->in_tag);
	put(w, ">");
	put_escaped(w, text);
	w->in_tag = false;
	w->has_text = true;
}

void xmlwriter_leaf(struct xmlwriter *w, const char *name, const char *text)
{
	xmlwriter_open(w, name);
	xmlwriter_text(w, text);
	xmlwriter_close(w);
}

void xmlwriter_empty(
	struct xmlwriter *w, const char *name, const char *attribute, const char *value)
{
	xmlwriter_open(w, name);
	xmlwriter_attr(w, attribute, value);
	xmlwriter_close(w);
}

int xmlwriter_end(struct xmlwriter *w, char **ret)
{
	assert(w->error < 0 || w->depth == 0);
	CLEANUP_FREE char *text = NULL;
	if (memstream_close(&w->stream, &text, NULL) < 0)
		fail(w, -ENOMEM);
	if (w->error == 0)
		*ret = TAKE_PTR(text);
	return w->error;
}
