/* SPDX-License-Identifier: Apache-2.0 */
/* Lines for people put together from parts that may hold a guest's own letters, and cut to their
 * fields. */
#ifndef MEDIAKIT_CORE_WORDS_H
#define MEDIAKIT_CORE_WORDS_H

#include <stddef.h>

/* Drops the beginning of a character that was cut at the end of `s`: D-Bus and JSON refuse a text
 * that is no UTF-8, and with it all that travels along. Returns `s`. */
char *words_mend(char *s);

/* Copies at most `size` - 1 bytes of `s`, whole characters only. Returns `buf`. */
char *words_cut(char *buf, size_t size, const char *s);

#endif
