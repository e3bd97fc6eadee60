/* SPDX-License-Identifier: Apache-2.0 */
/* Sections, assignments, and lines that go on in the next; nothing else of a unit matters here. */
#include "model/unitfile.h"

#include "model/utf8.h"

#include <errno.h>
#include <string.h>

/* What may stand before the program in ExecStart=: systemd.service(5), "Special executable
 * prefixes". */
#define PREFIXES "@-:+!|"
#define BLANKS   " \t"
#define SHOWN    160u

struct unitfile {
	const char *path, *program;
	struct reason *reason;
	unsigned line;
	bool in_service, service_seen;
	bool wrong;               /* one that stands runs something else, as the reason says */
	unsigned started, starts; /* the line of an ExecStart= that stands, and how many do */
};

static int fault(const struct unitfile *u, unsigned line, const char *what, const char *s, size_t n)
{
	char shown[SHOWN];

	(void)utf8_escape(shown, sizeof(shown), s, n);
	return reason_set(
		u->reason, -EINVAL, "%s:%u: %s%s%s", u->path, line, what, n > 0 ? ": " : "", shown);
}

static void take_start(struct unitfile *u, const char *value, size_t len)
{
	size_t skip = 0;

	if (len == 0) {
		u->starts = 0;
		u->wrong = false;
		return;
	}
	while (skip < len && strchr(PREFIXES, value[skip]))
		skip++;
	const char *first = value + skip;
	size_t n = 0;
	while (skip + n < len && !strchr(BLANKS, first[n]))
		n++;
	bool quoted = n >= 2 && (*first == '"' || *first == '\'') && first[n - 1] == *first;
	if (quoted) {
		first++;
		n -= 2;
	}
	u->starts++;
	u->started = u->line;
	if (n == strlen(u->program) && memcmp(first, u->program, n) == 0)
		return;
	if (u->wrong)
		return;
	char what[SHOWN + 64];
	(void)snprintf(what, sizeof(what), "ExecStart= must run %.150s, it runs", u->program);
	(void)fault(u, u->line, what, first, n);
	u->wrong = true;
}

/* One line without blanks around it. */
static int take_line(struct unitfile *u, const char *s, size_t len)
{
	static const char section[] = "[Service]", key[] = "ExecStart";

	if (len == 0 || *s == '#' || *s == ';')
		return 0;
	if (*s == '[') {
		if (s[len - 1] != ']')
			return fault(u, u->line, "a section that is not closed", s, len);
		u->in_service = len == strlen(section) && memcmp(s, section, len) == 0;
		u->service_seen |= u->in_service;
		return 0;
	}
	const char *equals = memchr(s, '=', len);
	if (!equals)
		return fault(u, u->line, "neither a section nor an assignment", s, len);
	size_t name = (size_t)(equals - s), value = name + 1;
	while (name > 0 && strchr(BLANKS, s[name - 1]))
		name--;
	if (!u->in_service || name != strlen(key) || memcmp(s, key, name) != 0)
		return 0;
	while (value < len && strchr(BLANKS, s[value]))
		value++;
	take_start(u, s + value, len - value);
	return 0;
}

static int take_lines(struct unitfile *u, const char *text)
{
	bool goes_on = false;
	int r = 0;

	for (const char *s = text; r == 0 && *s;) {
		const char *end = strchrnul(s, '\n'), *next = *end ? end + 1 : end;
		bool comment;

		u->line++;
		while (s < end && strchr(BLANKS, *s))
			s++;
		while (end > s && strchr(BLANKS "\r", end[-1]))
			end--;
		/* What goes on a line before is an argument; a comment inside is passed over. */
		comment = *s == '#' || *s == ';';
		if (!goes_on)
			r = take_line(u, s, (size_t)(end - s));
		if (!comment)
			goes_on = end > s && end[-1] == '\\';
		s = next;
	}
	return r;
}

int unitfile_check(
	const char *path, const char *text, size_t len, const char *program, struct reason *reason)
{
	struct unitfile u = { .path = path, .program = program, .reason = reason };

	if (len > UNITFILE_BYTES_MAX)
		return reason_set(reason, -EFBIG, "%s: over %u KiB is no unit file", path,
			UNITFILE_BYTES_MAX / 1024);
	if (strlen(text) != len || !utf8_valid(text, len))
		return reason_set(reason, -EINVAL, "%s: is no text, and so no unit file", path);
	int r = take_lines(&u, text);
	if (r < 0 || u.wrong)
		return r < 0 ? r : -EINVAL;
	if (!u.service_seen || u.starts == 0)
		return reason_set(reason, -EINVAL, "%s: has no %s; write ExecStart=%s", path,
			u.service_seen ? "ExecStart= in [Service]" : "[Service]", program);
	if (u.starts > 1)
		return fault(&u, u.started, "a second ExecStart=: only one is looked after", "", 0);
	return 0;
}
