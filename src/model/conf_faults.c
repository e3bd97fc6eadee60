/* SPDX-License-Identifier: Apache-2.0 */
/* The list of faults: bounded, and with every error counted whatever happens to its text. */
#include "model/conf_build.h"

#include <stdarg.h>

void conf_faults_clear(struct conf_faults *faults)
{
	for (unsigned i = 0; i < faults->n; i++)
		free(faults->list[i].text);
	free(faults->list);
	*faults = (struct conf_faults){ 0 };
}

/* Takes the text, which may be NULL: a lack of memory. */
static int add_text(struct conf_faults *faults, bool warning, char *text, size_t where_len)
{
	CLEANUP_FREE char *owned = text;

	if (!warning)
		faults->n_errors++;
	if (faults->n >= CONF_FAULTS_MAX) {
		faults->n_dropped++;
		return 0;
	}
	if (!faults->list)
		faults->list = calloc(CONF_FAULTS_MAX, sizeof(*faults->list));
	if (!faults->list || !owned) {
		faults->n_dropped++;
		return -ENOMEM;
	}
	faults->list[faults->n++] = (struct conf_fault){
		.warning = warning, .text = TAKE_PTR(owned), .where_len = where_len
	};
	return 0;
}

int conf_faults_add(struct conf_faults *faults, bool warning, const char *format, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		text = NULL;
	va_end(ap);
	return add_text(faults, warning, text, 0);
}

static char *where_text(const struct conf_place *at)
{
	char *s = NULL;
	int r;

	if (!at->path)
		return strdup("");
	r = at->line ? asprintf(&s, "%s:%u: ", at->path, at->line) : asprintf(&s, "%s: ", at->path);
	return r < 0 ? NULL : s;
}

void conf_report(struct conf_build *b, bool warning, const struct conf_place *at, const char *key,
	const char *format, ...)
{
	CLEANUP_FREE char *where = where_text(at), *what = NULL;
	char *text = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&what, format, ap) < 0)
		what = NULL;
	va_end(ap);
	if (!where || !what ||
		asprintf(&text, "%s%s%s%s", where, key ? key : "", key ? ": " : "", what) < 0)
		text = NULL;
	if (add_text(b->faults, warning, text, where ? strlen(where) : 0) < 0)
		b->out_of_memory = true;
}

const struct conf_place *conf_place_of(const struct conf_item *item, enum conf_key_id id)
{
	return item->places[id].path ? &item->places[id] : &item->opened;
}
