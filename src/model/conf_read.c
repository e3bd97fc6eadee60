/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation. inih splits lines into keys and values, and does it well; what it does not
 * do is say where it is, refuse what it half understands ("[Guest] junk", "key: value", text after
 * a NUL), or report more than the first line it could not take. So it reads through us: conf_read()
 * gives inih one line at a time, having counted and judged it first. A line that is no good is
 * reported and reaches inih as an empty one. Section headers are opened here too, because inih only
 * shows a section with its first key and cuts its name; an empty [Service x] is still a service.
 *
 * Held here: inih never sees a line that does not fit its buffer, and every call of its handler
 * belongs to the line counted last. The rejected alternative, a parser of our own, is 60 lines more
 * and one more to trust.
 */
#include "model/conf_read.h"

#include "base/macro.h"
#include "model/utf8.h"

#include <errno.h>
#include <ini.h>
#include <string.h>

struct reader {
	const char *at, *end; /* what is still to be read */
	unsigned line;
	bool in_section;
	const struct conf_read_ops *ops;
	void *userdata;
	const char *piece;           /* of buf, still to be handed to inih */
	char buf[CONF_LINE_MAX + 2]; /* the current line, with its newline */
	char fault[256];
};

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* Reports the current line; the words of it that are quoted are escaped and cut. */
static void report(struct reader *r, const char *what, const char *quoted, size_t len)
{
	char safe[64];

	(void)utf8_escape(safe, sizeof(safe), quoted, len);
	(void)snprintf(r->fault, sizeof(r->fault), "'%s' %s", safe, what);
	r->ops->fault(r->userdata, r->line, r->fault);
}

static void report_plain(struct reader *r, const char *what)
{
	r->ops->fault(r->userdata, r->line, what);
}

/* Whether the bytes of the line are text at all. */
static bool check_bytes(struct reader *r, const char *line, size_t len)
{
	if (len > CONF_LINE_MAX) {
		(void)snprintf(r->fault, sizeof(r->fault),
			"the line has %zu bytes; allowed: at most %u", len, CONF_LINE_MAX);
		report_plain(r, r->fault);
		return false;
	}
	if (memchr(line, '\0', len)) {
		report_plain(r, "the line holds a NUL byte; allowed: UTF-8 text");
		return false;
	}
	if (!utf8_valid(line, len)) {
		report_plain(r, "the line is not valid UTF-8; allowed: UTF-8 text");
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		if (((unsigned char)line[i] < ' ' && line[i] != '\t') || line[i] == 0x7f) {
			report_plain(r, "the line holds a control character; "
					"allowed: UTF-8 text, spaces and tabs");
			return false;
		}
	}
	return true;
}

static bool open_section(struct reader *r, char *s, size_t len)
{
	char *name = s + 1;

	r->in_section = true;
	if (len < 3 || s[len - 1] != ']' || strcspn(name, "[]") != len - 2) {
		report(r, "is no section header; allowed: [Name] alone on its line", s, len);
		r->ops->section(r->userdata, r->line, NULL);
		return false;
	}
	if (len - 2 > CONF_SECTION_MAX) {
		report(r, "is too long for a section; allowed: at most 49 bytes", s, len);
		r->ops->section(r->userdata, r->line, NULL);
		return false;
	}
	s[len - 1] = '\0';
	r->ops->section(r->userdata, r->line, name);
	s[len - 1] = ']';
	return true;
}

static bool check_assignment(struct reader *r, const char *s, size_t len)
{
	size_t name = strspn(s, NAME_CHARS);
	size_t equals = name + strspn(s + name, " \t");

	if (name > 0 && s[equals] == '=') {
		/* systemd would go on with the next line; inih would not, and silence would lose
		 * it. */
		if (s[len - 1] == '\\') {
			report_plain(r, "the line ends in '\\'; allowed: one line for each "
					"assignment, a list goes on with its key again");
			return false;
		}
		if (r->in_section)
			return true;
		(void)snprintf(r->fault, sizeof(r->fault),
			"%.*s: stands before the first section; allowed: keys behind a [Section]",
			(int)MIN(name, (size_t)64), s);
		report_plain(r, r->fault);
		return false;
	}
	if (!strchr(s, '='))
		report(r,
			"is no assignment; allowed: Key=Value, [Section], or a comment behind "
			"'#' or ';'",
			s, len);
	else
		report(r, "is no key; allowed: letters and digits, then '='", s, strcspn(s, "="));
	return false;
}

/* Judges one line of len bytes, already in buf. False: it was reported, inih must not see it. */
static bool check_line(struct reader *r, size_t len)
{
	char *s = r->buf;

	while (len > 0 && strchr(" \t\r", s[len - 1]))
		len--;
	while (len > 0 && (*s == ' ' || *s == '\t')) {
		s++;
		len--;
	}
	if (len == 0 || *s == '#' || *s == ';')
		return true;
	char after = s[len];
	s[len] = '\0';
	bool good = *s == '[' ? open_section(r, s, len) : check_assignment(r, s, len);
	s[len] = after;
	return good;
}

/* Takes the next line of the text into buf. False at the end. */
static bool next_line(struct reader *r)
{
	if (r->at == r->end)
		return false;
	const char *line = r->at;
	const char *newline = memchr(line, '\n', (size_t)(r->end - line));
	size_t len = (size_t)((newline ? newline : r->end) - line);

	r->at = newline ? newline + 1 : r->end;
	/* A mark at the start, as some editors write it, is no part of the first line. */
	if (r->line++ == 0 && len >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) {
		line += 3;
		len -= 3;
	}
	r->piece = r->buf;
	size_t text = len > 0 && line[len - 1] == '\r' ? len - 1 : len;
	if (!check_bytes(r, line, text)) {
		memcpy(r->buf, "\n", 2);
		return true;
	}
	memcpy(r->buf, line, text);
	memcpy(r->buf + text, "\n", 2);
	if (!check_line(r, text))
		memcpy(r->buf, "\n", 2);
	return true;
}

/* fgets over the checked lines. */
static char *give_line(char *str, int num, void *stream)
{
	struct reader *r = stream;

	if (num < 2 || (!*r->piece && !next_line(r)))
		return NULL;
	size_t n = MIN(strlen(r->piece), (size_t)num - 1);
	memcpy(str, r->piece, n);
	str[n] = '\0';
	r->piece += n;
	return str;
}

static int take_key(void *user, const char *section, const char *name, const char *value)
{
	struct reader *r = user;

	(void)section;
	r->ops->key(r->userdata, r->line, name, value);
	return 1;
}

int conf_read(const char *text, size_t len, const struct conf_read_ops *ops, void *userdata)
{
	CLEANUP_FREE struct reader *r = malloc(sizeof(*r));

	if (!r)
		return -ENOMEM;
	*r = (struct reader){ .at = text, .end = text + len, .ops = ops, .userdata = userdata };
	r->piece = r->buf;
	/* 200 bytes of line on the stack is the packaged default; three more than the longest line,
	 * says ini.h. Values keep their ';', and a line that begins with a space is no
	 * continuation. */
	ini_use_stack = false;
	ini_allow_realloc = true;
	ini_initial_alloc = CONF_LINE_MAX + 4;
	ini_max_line = CONF_LINE_MAX + 4;
	ini_allow_multiline = false;
	ini_allow_inline_comments = false;
	ini_allow_bom = false;
	ini_stop_on_first_error = false;
	ini_allow_no_value = false;
	int e = ini_parse_stream(give_line, r, take_key, r);
	/* Every line inih could refuse has been replaced, so what is left is its malloc. */
	assert(e == 0 || e == -2);
	return e == 0 ? 0 : -ENOMEM;
}
