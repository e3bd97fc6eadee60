/* SPDX-License-Identifier: Apache-2.0 */
/* Where a character of UTF-8 begins and whether all of it is there. */
#include "core/words.h"

#include "model/utf8.h"

#include <stdio.h>
#include <string.h>

char *words_mend(char *s)
{
	size_t len = strlen(s), back = 0;

	/* A character has at most four bytes, so at most three are left of one that lacks its last.
	 */
	while (back < 3 && back < len && ((unsigned char)s[len - 1 - back] & 0xc0) == 0x80)
		back++;
	if (len > back && (unsigned char)s[len - 1 - back] >= 0xc0 &&
		!utf8_valid(s + len - 1 - back, back + 1))
		s[len - 1 - back] = '\0';
	return s;
}

char *words_cut(char *buf, size_t size, const char *s)
{
	(void)snprintf(buf, size, "%s", s);
	return words_mend(buf);
}
