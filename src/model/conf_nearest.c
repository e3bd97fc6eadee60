/* SPDX-License-Identifier: Apache-2.0 */
/* Which known name an unknown one was meant to be. */
#include "model/conf_keys.h"

#include <limits.h>
#include <strings.h>

#define NAME_BYTES 64u

static unsigned lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned)(c - 'A' + 'a') : (unsigned char)c;
}

/* The optimal string alignment distance, three rows at a time: a swap of neighbours, the commonest
 * slip of the hand, is one edit and not two. */
unsigned conf_edit_distance(const char *a, const char *b)
{
	unsigned rows[3][NAME_BYTES + 1];
	size_t na = strlen(a), nb = strlen(b);

	if (na > NAME_BYTES || nb > NAME_BYTES)
		return UINT_MAX;
	for (size_t j = 0; j <= nb; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned *now = rows[i % 3], *above = rows[(i - 1) % 3];
		const unsigned *two_above = rows[(i + 1) % 3];

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			bool same = lower(a[i - 1]) == lower(b[j - 1]);

			now[j] = MIN(above[j] + 1, now[j - 1] + 1);
			now[j] = MIN(now[j], above[j - 1] + !same);
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
				lower(a[i - 2]) == lower(b[j - 1]))
				now[j] = MIN(now[j], two_above[j - 2] + 1);
		}
	}
	return rows[na % 3][nb];
}

const char *conf_nearest(const char *name, const char *const *candidates, size_t n)
{
	unsigned best = (unsigned)(strlen(name) + 2) / 3 + 1;
	const char *found = NULL;

	for (size_t i = 0; i < n; i++) {
		unsigned d = conf_edit_distance(name, candidates[i]);

		/* As many edits as letters would make any word of any other. */
		if (d < best && d < strlen(name)) {
			best = d;
			found = candidates[i];
		}
	}
	return found;
}
