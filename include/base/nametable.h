/* SPDX-License-Identifier: Apache-2.0 */
/* Names of enum values: one table per enum, pinned to the enum's size, used in both directions. */
#ifndef MEDIAKIT_BASE_NAMETABLE_H
#define MEDIAKIT_BASE_NAMETABLE_H

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

/* The value whose name is `s`, or -EINVAL. */
static inline int nametable_find(const char *const *names, size_t n, const char *s)
{
	for (size_t i = 0; s && i < n; i++)
		if (names[i] && strcmp(names[i], s) == 0)
			return (int)i;
	return -EINVAL;
}

/* Declares, in a header: const char *NAME_to_string(enum TYPE); int NAME_from_string(const char *).
 * to_string never returns NULL: a value outside the enum is "invalid". */
#define NAME_TABLE_DECLARE(name, type)                                                             \
	const char *name##_to_string(type v);                                                      \
	int name##_from_string(const char *s)

/* Defines both over `static const char *const name##_names[] = {[VALUE] = "word", …}`. */
#define NAME_TABLE_DEFINE(name, type, num)                                                         \
	static_assert(sizeof(name##_names) / sizeof(name##_names[0]) == (num),                     \
		"a value of this enum has no name");                                               \
	const char *name##_to_string(type v)                                                       \
	{                                                                                          \
		return (size_t)v < (size_t)(num) ? name##_names[v] : "invalid";                    \
	}                                                                                          \
	int name##_from_string(const char *s)                                                      \
	{                                                                                          \
		return nametable_find(name##_names, (num), s);                                     \
	}                                                                                          \
	static_assert((num) > 0, "an enum without values")

#endif
