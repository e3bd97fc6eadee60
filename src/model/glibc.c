/* SPDX-License-Identifier: Apache-2.0 */
/* Two numbers out of a version, and a version out of a guest's answer. */
#include "model/glibc.h"

#include "base/parse.h"

#include <errno.h>
#include <string.h>

const char *const glibc_command[] = { "/usr/bin/getconf", "GNU_LIBC_VERSION", NULL };

static int number(const char **s, unsigned *ret)
{
	char digits[8];
	size_t len = strspn(*s, "0123456789");

	if (len < 1 || len > 4)
		return -EINVAL;
	memcpy(digits, *s, len);
	digits[len] = '\0';
	*s += len;
	return parse_uint(digits, 0, 9999, ret);
}

int glibc_parse(const char *text, struct glibc_version *ret)
{
	struct glibc_version version;
	int r = number(&text, &version.major);

	if (r < 0 || *text++ != '.')
		return -EINVAL;
	r = number(&text, &version.minor);
	if (r < 0 || (*text && !strchr(".-+~", *text)))
		return -EINVAL;
	*ret = version;
	return 0;
}

int glibc_compare(const struct glibc_version *a, const struct glibc_version *b)
{
	if (a->major != b->major)
		return a->major < b->major ? -1 : 1;
	return a->minor < b->minor ? -1 : a->minor > b->minor;
}

bool glibc_is_under(const char *is, const char *least)
{
	struct glibc_version a, b;

	return glibc_parse(is, &a) == 0 && glibc_parse(least, &b) == 0 && glibc_compare(&a, &b) < 0;
}

int glibc_from_answer(const char *output, char ret[static GLIBC_TEXT_MAX])
{
	static const char word[] = "glibc ";
	struct glibc_version version;
	char text[GLIBC_TEXT_MAX];

	if (strncmp(output, word, sizeof(word) - 1) != 0)
		return -EBADMSG;
	output += sizeof(word) - 1;
	/* No more than "2.39" or "2.39.90": so there is nothing in it that could be escaped. */
	size_t len = strspn(output, "0123456789.");
	if (len >= sizeof(text) || strcmp(output + len, "\n") != 0)
		return -EBADMSG;
	memcpy(text, output, len);
	text[len] = '\0';
	if (glibc_parse(text, &version) < 0)
		return -EBADMSG;
	memcpy(ret, text, len + 1);
	return 0;
}
