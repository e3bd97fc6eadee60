/* SPDX-License-Identifier: Apache-2.0 */
/* Writes XML so that no value can become markup: every attribute and text is escaped, or refused
 * where XML 1.0 has no way to carry it. */
#ifndef MEDIAKIT_MODEL_XMLWRITER_H
#define MEDIAKIT_MODEL_XMLWRITER_H

#include "base/macro.h"
#include "base/memstream.h"

/* Elements inside each other. Twice what the deepest domain needs. */
#define XMLWRITER_DEPTH_MAX 16u

/* Private to xmlwriter.c but for its size. The first error sticks and is told by the end. */
struct xmlwriter {
	struct memstream stream;
	const char *names[XMLWRITER_DEPTH_MAX];
	unsigned depth;
	bool in_tag;   /* the start tag's '>' is still to come */
	bool has_text; /* the innermost element holds text, so its end tag follows at once */
	int error;
};

/* Pairs with xmlwriter_end(), which releases what this took. Names of elements and attributes are
 * the program's own words: not escaped, not copied, to be kept until the element is closed. */
void xmlwriter_begin(struct xmlwriter *w);

void xmlwriter_open(struct xmlwriter *w, const char *name);
void xmlwriter_close(struct xmlwriter *w);

/* An attribute of the element just opened: before any text or element in it. A NULL value is none.
 */
void xmlwriter_attr(struct xmlwriter *w, const char *name, const char *value);
void xmlwriter_attrf(struct xmlwriter *w, const char *name, const char *format, ...)
	PRINTF_LIKE(3, 4);

/* The text of the element; no elements beside it. */
void xmlwriter_text(struct xmlwriter *w, const char *text);

/* <name>text</name>, and <name attribute='value'/>. */
void xmlwriter_leaf(struct xmlwriter *w, const char *name, const char *text);
void xmlwriter_empty(
	struct xmlwriter *w, const char *name, const char *attribute, const char *value);

/* The text, ending with a newline, is the caller's to free. 0; -ENOMEM; -EINVAL: a value was not
 * UTF-8 or had a character XML 1.0 has no form for (section 2.2); -EOVERFLOW: too deep. */
int xmlwriter_end(struct xmlwriter *w, char **ret);

#endif
