/* SPDX-License-Identifier: Apache-2.0 */
/* Names of releases, and lines from a guest, each word held against its shape. */
#include "model/release.h"

#include "base/macro.h"
#include "base/parse.h"
#include "model/conf_value.h"
#include "model/utf8.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#define LINE_MAX_BYTES 512u

void release_name(usec_t realtime, const char *sha256, char ret[static RELEASE_TEXT])
{
	time_t seconds = (time_t)(realtime / USEC_PER_SEC);
	char stamp[32] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		(void)strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
	(void)snprintf(ret, RELEASE_TEXT, "%.16s-%.*s", stamp, (int)RELEASE_DIGITS, sha256);
}

bool release_name_valid(const char *name)
{
	/* 9 a digit, f a hex digit */
	static const char shape[] = "99999999T999999Z-ffffffffffff";

	static_assert(sizeof(shape) == RELEASE_TEXT, "the shape is not as long as a name");
	if (strlen(name) != sizeof(shape) - 1)
		return false;
	for (size_t i = 0; shape[i]; i++) {
		bool fits = shape[i] == '9'   ? isdigit((unsigned char)name[i]) != 0
			    : shape[i] == 'f' ? strchr("0123456789abcdef", name[i]) != NULL
					      : name[i] == shape[i];
		if (!fits)
			return false;
	}
	return true;
}

/* Takes a line off *text into `line`, without its end. False: there is none. -EBADMSG: too long. */
static int next_line(const char **text, char line[static LINE_MAX_BYTES])
{
	size_t len = strcspn(*text, "\n");

	if (**text == '\0')
		return 0;
	if (len >= LINE_MAX_BYTES)
		return -EBADMSG;
	memcpy(line, *text, len);
	line[len] = '\0';
	*text += len + ((*text)[len] == '\n');
	return 1;
}

static int take_release(const char *value, char ret[static RELEASE_TEXT])
{
	if (!release_name_valid(value))
		return -EBADMSG;
	memcpy(ret, value, RELEASE_TEXT);
	return 0;
}

static int take_text(const char *value, char *ret, size_t size)
{
	if (strlen(value) >= size || !utf8_printable(value, strlen(value)))
		return -EBADMSG;
	memcpy(ret, value, strlen(value) + 1);
	return 0;
}

static int take_listed(const char *value, struct release_facts *f)
{
	if (f->n == RELEASES_MAX)
		return -EBADMSG;
	int r = take_release(value, f->list[f->n]);
	if (r == 0)
		f->n++;
	return r;
}

static int take_fact(const char *word, const char *value, struct release_facts *f)
{
	struct glibc_version version;

	if (strcmp(word, "free") == 0) {
		f->has_free = true;
		return parse_u64(value, 0, UINT64_MAX / 1024, &f->free_kib) < 0 ? -EBADMSG : 0;
	}
	if (strcmp(word, "current") == 0)
		return strcmp(value, "-") == 0 ? 0 : take_release(value, f->current);
	if (strcmp(word, "exec") == 0)
		return take_text(value, f->exec, sizeof(f->exec));
	if (strcmp(word, "glibc") == 0 && *value)
		return glibc_parse(value, &version) < 0
			       ? -EBADMSG
			       : take_text(value, f->glibc, sizeof(f->glibc));
	if (strcmp(word, "release") == 0)
		return take_listed(value, f);
	if (strcmp(word, "pid") == 0)
		return parse_uint(value, 0, INT32_MAX, &f->pid) < 0 ? -EBADMSG : 0;
	f->put |= strcmp(word, "put") == 0;
	f->data |= strcmp(word, "data") == 0;
	f->settled |= strcmp(word, "settled") == 0;
	f->undone |= strcmp(word, "undone") == 0;
	f->dropped |= strcmp(word, "dropped") == 0;
	return 0;
}

int release_facts(const char *text, size_t len, struct release_facts *ret)
{
	struct release_facts *f = ret;
	char line[LINE_MAX_BYTES];
	int r;

	*f = (struct release_facts){ 0 };
	if (strlen(text) != len)
		return -EBADMSG;
	while ((r = next_line(&text, line)) > 0) {
		char *value = strchr(line, ' ');

		if (value)
			*value++ = '\0';
		r = take_fact(line, value ?: "", f);
		if (r < 0)
			return r;
	}
	return r;
}

const char *release_before(const struct release_facts *facts)
{
	const char *best = NULL;

	for (unsigned i = 0; facts->current[0] && i < facts->n; i++)
		if (strcmp(facts->list[i], facts->current) < 0 &&
			(!best || strcmp(facts->list[i], best) > 0))
			best = facts->list[i];
	return best;
}

static bool is_mark(const char *word)
{
	return strcmp(word, "current") == 0 || strcmp(word, "kept") == 0 ||
	       strcmp(word, "unproven") == 0;
}

static int take_row(char *line, struct release_row *ret)
{
	char *at = NULL, *words[5];
	size_t n = 0;

	for (char *word = strtok_r(line, " ", &at); word; word = strtok_r(NULL, " ", &at)) {
		if (n == ARRAY_SIZE(words))
			return -EBADMSG;
		words[n++] = word;
	}
	if (n != ARRAY_SIZE(words) || !conf_name_valid(words[1]) || !is_mark(words[4]) ||
		take_release(words[2], ret->name) < 0 ||
		parse_u64(words[3], 0, UINT64_MAX, &ret->bytes) < 0)
		return -EBADMSG;
	(void)snprintf(ret->service, sizeof(ret->service), "%s", words[1]);
	(void)snprintf(ret->mark, sizeof(ret->mark), "%s", words[4]);
	return 1;
}

int release_row_next(const char **text, struct release_row *ret)
{
	char line[LINE_MAX_BYTES];
	int r;

	while ((r = next_line(text, line)) > 0)
		if (strncmp(line, "release ", 8) == 0)
			return take_row(line, ret);
	return r;
}
