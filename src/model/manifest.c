/* SPDX-License-Identifier: Apache-2.0 */
/* Line by line; what is not asked for is passed over. */
#include "model/manifest.h"

#include "model/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The value behind `key` and one of the bytes of `parts`, or NULL. */
static const char *value_of(const char *line, const char *key, const char *parts)
{
	size_t n = strlen(key);

	if (strncmp(line, key, n) != 0 || !line[n] || !strchr(parts, line[n]))
		return NULL;
	return line + n + 1;
}

static int take_glibc(const char *value, struct manifest *m)
{
	struct glibc_version version;

	if (strlen(value) >= sizeof(m->glibc) || !utf8_printable(value, strlen(value)) ||
		glibc_parse(value, &version) < 0)
		return -EBADMSG;
	(void)snprintf(m->glibc, sizeof(m->glibc), "%s", value);
	return 0;
}

static int take_line(const char *line, const char *name, struct manifest *m)
{
	const char *value = value_of(line, "glibc", "=");
	const char *digest = value_of(line, "sha256", ".");
	size_t n = strlen(name);

	if (!value)
		value = value_of(line, "libc6", " \t");
	if (!value)
		value = value_of(line, "libc6:amd64", " \t");
	if (!value)
		value = value_of(line, "libc6:arm64", " \t");
	if (value)
		return take_glibc(value, m);
	if (digest && strncmp(digest, name, n) == 0 && digest[n] == '=') {
		digest += n + 1;
		if (strlen(digest) != SUMS_DIGEST - 1)
			return -EBADMSG;
		memcpy(m->sha256, digest, SUMS_DIGEST);
	}
	return 0;
}

int manifest_parse(const char *text, size_t len, const char *name, struct manifest *ret)
{
	char line[MANIFEST_LINE_MAX];
	struct manifest m = { 0 };

	if (len > MANIFEST_BYTES_MAX || memchr(text, '\0', len))
		return -EBADMSG;
	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;

		if (n >= sizeof(line))
			return -EBADMSG;
		memcpy(line, text, n);
		line[n] = '\0';
		line[strcspn(line, "\r")] = '\0';
		int r = take_line(line, name, &m);
		if (r < 0)
			return r;
		text += n + (end ? 1 : 0);
		len -= n + (end ? 1 : 0);
	}
	*ret = m;
	return 0;
}

static bool is_library(const char *name, size_t len)
{
	return len > 0 && len < MANIFEST_LIBRARY_MAX && !memchr(name, '/', len) &&
	       !memchr(name, ' ', len) && utf8_printable(name, len);
}

int manifest_libraries(const char *text, size_t len, char **ret)
{
	static const char key[] = "library=";
	const size_t n_key = sizeof(key) - 1;
	char *list = malloc(len + 2); /* never longer than what it is taken from */
	size_t used = 0;
	unsigned n = 0;

	if (!list)
		return -ENOMEM;
	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t line = end ? (size_t)(end - text) : len;

		if (line >= n_key && memcmp(text, key, n_key) == 0) {
			if (!is_library(text + n_key, line - n_key) ||
				n++ >= MANIFEST_LIBRARIES_MAX) {
				free(list);
				return -EBADMSG;
			}
			memcpy(list + used, text + n_key, line - n_key);
			used += line - n_key;
			list[used++] = '\n';
		}
		text += line + (end ? 1 : 0);
		len -= line + (end ? 1 : 0);
	}
	list[used] = '\0';
	if (n == 0) {
		free(list);
		list = NULL;
	}
	*ret = list;
	return 0;
}

bool manifest_has_library(const char *libraries, const char *name)
{
	size_t n = strlen(name);

	while (*libraries) {
		size_t line = strcspn(libraries, "\n");

		if (line == n && memcmp(libraries, name, n) == 0)
			return true;
		libraries += line + (libraries[line] != '\0');
	}
	return false;
}
