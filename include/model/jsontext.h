/* SPDX-License-Identifier: Apache-2.0 */
/* JSON from text and to text with jansson, which does not notice everywhere that memory ran out:
 * here it is whole or not at all. (What is read and written with plenty of memory is the same.) */
#ifndef MEDIAKIT_MODEL_JSONTEXT_H
#define MEDIAKIT_MODEL_JSONTEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* NUL-terminated, the caller's to free; NULL with no memory or without a root. `flags` are those of
 * json_dumps(), which this stands for: that forgets to look whether a key went into its growing
 * buffer (do_dump() in dump.c of 2.14), so with memory short it gives a text without it and calls
 * that a success. */
char *json_text(const json_t *root, size_t flags);

/* `flags` are those of json_loadb(), which this stands for. 0 and *ret, a reference of the
 * caller's; -EBADMSG: no JSON; -ENOMEM. */
int json_read(const char *text, size_t len, size_t flags, json_t **ret);

/* The text at `key` into to[size], NUL and all. False, and nothing written: there is none, it is no
 * text, or it is longer. */
bool json_take_text(const json_t *root, const char *key, char *to, size_t size);

#endif
