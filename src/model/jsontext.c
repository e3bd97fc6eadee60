/* SPDX-License-Identifier: Apache-2.0 */
/* Texts are measured first, then written into a buffer that is large enough, so nothing grows on
 * the way.
 *
 * The reader saves each token in a growing buffer and forgets to look whether that grew (lex_save()
 * in load.c of jansson 2.14): a byte is then missing, and where it was a string's closing quote the
 * copying of that string runs on into memory of others. It does so only if the allocation after the
 * one that failed succeeds. So once one failed inside json_read(), all others do until it is left;
 * test_parsers_alloc tries each. */
#include "model/jsontext.h"

#include "base/macro.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

char *json_text(const json_t *root, size_t flags)
{
	size_t len = json_dumpb(root, NULL, 0, flags);
	CLEANUP_FREE char *text = len > 0 ? malloc(len + 1) : NULL;

	if (!text || json_dumpb(root, text, len, flags) != len)
		return NULL;
	text[len] = '\0';
	return TAKE_PTR(text);
}

static _Thread_local enum { READS_NOT, READS, READS_NO_MORE } reader;

static void *allocate(size_t size)
{
	void *p = reader == READS_NO_MORE ? NULL : malloc(size);

	if (!p && reader == READS)
		reader = READS_NO_MORE;
	return p;
}

/* Before main(), because jansson wants it before anything else and knows no lock. */
__attribute__((constructor)) static void use_our_malloc(void)
{
	json_set_alloc_funcs(allocate, free);
}

int json_read(const char *text, size_t len, size_t flags, json_t **ret)
{
	reader = READS;
	json_t *root = json_loadb(text, len, flags, NULL);
	bool short_of_memory = reader == READS_NO_MORE;
	reader = READS_NOT;

	/* What came through all the same may lack a digit. */
	if (short_of_memory) {
		json_decref(root);
		return -ENOMEM;
	}
	if (!root)
		return -EBADMSG;
	*ret = root;
	return 0;
}

bool json_take_text(const json_t *root, const char *key, char *to, size_t size)
{
	const json_t *value = json_object_get(root, key);

	if (!json_is_string(value) || json_string_length(value) >= size)
		return false;
	memcpy(to, json_string_value(value), json_string_length(value) + 1);
	return true;
}
