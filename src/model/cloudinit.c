/* SPDX-License-Identifier: Apache-2.0 */
/* Renders the seed's templates. Every value passes through one of three writers (scalar, list,
 * shell word), so a key, a host name or a package with quotes or newlines in it stays what it is: a
 * value. */
#include "model/cloudinit.h"

#include "base/memstream.h"
#include "model/utf8.h"

#include <errno.h>
#include <string.h>

#define VARIABLE_NAME_MAX 32u

static const char *const cloudinit_text_names[] = {
	[CLOUDINIT_META_DATA] = "meta-data",
	[CLOUDINIT_USER_DATA] = "user-data",
};
NAME_TABLE_DEFINE(cloudinit_text, enum cloudinit_text, CLOUDINIT_TEXT_NUM);

/* How many bytes of s, which is valid UTF-8, form a character that YAML reads as a line break or
 * does not allow in a stream (YAML 1.2.2, 5.1 and 5.4), and which; 0 where it is an ordinary one.
 */
static size_t unprintable(const unsigned char *s, unsigned *ret)
{
	if (*s < 0x20 || *s == 0x7f) {
		*ret = *s;
		return 1;
	}
	if (s[0] == 0xc2 && s[1] < 0xa0) { /* C1, and U+0085 among them */
		*ret = s[1];
		return 2;
	}
	if ((s[0] & 0xf0) != 0xe0)
		return 0;
	unsigned c = (s[0] & 0x0fu) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu);
	if (c != 0x2028 && c != 0x2029 && c != 0xfeff && c != 0xfffe && c != 0xffff)
		return 0;
	*ret = c;
	return 3;
}

int cloudinit_write_scalar(FILE *f, const char *s)
{
	unsigned c = 0;

	if (!utf8_valid(s, strlen(s)))
		return -EILSEQ;
	(void)fputc('"', f);
	while (*s) {
		size_t n = unprintable((const unsigned char *)s, &c);

		if (n > 0) {
			(void)fprintf(f, "\\u%04x", c);
			s += n;
			continue;
		}
		if (*s == '"' || *s == '\\')
			(void)fputc('\\', f);
		(void)fputc(*s++, f);
	}
	(void)fputc('"', f);
	return 0;
}

static int write_list(FILE *f, const char *const *list, size_t n)
{
	(void)fputc('[', f);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			(void)fputs(", ", f);
		int r = cloudinit_write_scalar(f, list[i]);
		if (r < 0)
			return r;
	}
	(void)fputc(']', f);
	return 0;
}

/* A word for sh. Control characters are refused rather than quoted: a newline would leave the line
 * of the YAML block that the script stands in. */
static int write_shell(FILE *f, const char *s)
{
	if (!utf8_printable(s, strlen(s)))
		return -EILSEQ;
	(void)fputc('\'', f);
	for (; *s; s++) {
		if (*s == '\'')
			(void)fputs("'\\''", f);
		else
			(void)fputc(*s, f);
	}
	(void)fputc('\'', f);
	return 0;
}

/* The writers below return 1 where there is a value, 0 where there is none (@?NAME@ drops the
 * line), -EILSEQ where it cannot be written. */
static int put_hostname(FILE *f, const struct cloudinit_input *in)
{
	int r = cloudinit_write_scalar(f, in->guest->hostname);
	return r < 0 ? r : 1;
}

static int put_user(FILE *f, const struct cloudinit_input *in)
{
	int r = cloudinit_write_scalar(f, in->guest->user);
	return r < 0 ? r : 1;
}

static int put_user_shell(FILE *f, const struct cloudinit_input *in)
{
	int r = write_shell(f, in->guest->user);
	return r < 0 ? r : 1;
}

static int put_keys(FILE *f, const struct cloudinit_input *in)
{
	int r = write_list(f, in->keys, in->n_keys);
	return r < 0 ? r : in->n_keys > 0;
}

static int put_every_boot(FILE *f, const struct cloudinit_input *in)
{
	int r = write_shell(f, every_boot_to_string(in->guest->every_boot));
	return r < 0 ? r : 1;
}

/* A text of several lines stays one scalar: its newlines are written as escapes. */
static int put_host_key(FILE *f, const struct cloudinit_input *in)
{
	int r = cloudinit_write_scalar(f, in->host_key ?: "");
	return r < 0 ? r : in->host_key != NULL;
}

static int put_host_key_pub(FILE *f, const struct cloudinit_input *in)
{
	int r = cloudinit_write_scalar(f, in->host_key_pub ?: "");
	return r < 0 ? r : in->host_key_pub != NULL;
}

/* Without a way out nothing can be installed, and apt would only wait for its time-outs. */
static int put_packages(FILE *f, const struct cloudinit_input *in)
{
	const struct guest_spec *guest = in->guest;
	size_t n = guest->egress == EGRESS_ALL ? guest->n_packages : 0;
	int r = write_list(f, (const char *const *)guest->packages, n);

	return r < 0 ? r : n > 0;
}

static int put_offline(FILE *f, const struct cloudinit_input *in)
{
	bool offline = in->guest->egress == EGRESS_NONE;

	(void)fputs(offline ? "true" : "false", f);
	return offline;
}

static int put_instance_id(FILE *f, const struct cloudinit_input *in)
{
	if (!in->instance_id)
		return 0;
	int r = cloudinit_write_scalar(f, in->instance_id);
	return r < 0 ? r : 1;
}

static int put_finished(FILE *f, const struct cloudinit_input *in)
{
	char text[128];

	if (!in->instance_id)
		return 0;
	/* $UPTIME is cloud-init's own variable (cc_final_message), the same in every version. */
	(void)snprintf(text, sizeof(text), "%s instance %s, up $UPTIME seconds",
		CLOUDINIT_FINISHED_MARK, in->instance_id);
	int r = cloudinit_write_scalar(f, text);
	return r < 0 ? r : 1;
}

#define IN(text) (1u << (text))

/* `required`: the texts that are of no use without the variable, so that a template edited by an
 * operator cannot lose the way into the guest, or its readiness, without a word. */
static const struct variable {
	const char *name;
	unsigned required;
	int (*put)(FILE *f, const struct cloudinit_input *in);
} variables[] = {
	{ "HOSTNAME", 0, put_hostname },
	{ "USER", IN(CLOUDINIT_USER_DATA), put_user },
	{ "USER_SHELL", 0, put_user_shell },
	{ "EVERY_BOOT_SHELL", 0, put_every_boot },
	{ "AUTHORIZED_KEYS", IN(CLOUDINIT_USER_DATA), put_keys },
	{ "HOST_KEY", 0, put_host_key },
	{ "HOST_KEY_PUBLIC", 0, put_host_key_pub },
	{ "PACKAGES", 0, put_packages },
	{ "OFFLINE", 0, put_offline },
	{ "INSTANCE_ID", IN(CLOUDINIT_META_DATA), put_instance_id },
	{ "FINISHED_MESSAGE", IN(CLOUDINIT_USER_DATA), put_finished },
};

struct render {
	const char *name;
	const struct cloudinit_input *in;
	struct reason *reason;
	unsigned line;
	unsigned used; /* bit per row of `variables` */
};

static int fault(struct render *render, const char *variable, const char *what)
{
	char shown[4 * VARIABLE_NAME_MAX];

	(void)utf8_escape(shown, sizeof(shown), variable, strlen(variable));
	return reason_set(render->reason, -EINVAL, "template %s:%u: variable %s: %s", render->name,
		render->line, shown, what);
}

/* Reads "NAME@" at s. Returns the row, *ret_end behind the closing @; or -EINVAL. */
static int find_variable(struct render *render, const char *s, const char **ret_end)
{
	char name[VARIABLE_NAME_MAX + 1];
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

	if (n == 0 || s[n] != '@' || n > VARIABLE_NAME_MAX)
		return reason_set(render->reason, -EINVAL,
			"template %s:%u: a lone @ (write @@ for one, @NAME@ for a variable)",
			render->name, render->line);
	memcpy(name, s, n);
	name[n] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
		if (strcmp(variables[i].name, name) != 0)
			continue;
		*ret_end = s + n + 1;
		return (int)i;
	}
	return fault(render, name, "unknown");
}

/* Writes one value, or with f NULL only asks whether there is one. */
static int put_variable(struct render *render, FILE *f, int row)
{
	CLEANUP_FREE char *text = NULL;
	size_t len = 0;
	struct memstream m;
	int r = memstream_open(&m) ? variables[row].put(m.f, render->in) : -ENOMEM;

	if (memstream_close(&m, &text, &len) < 0)
		return -ENOMEM;
	if (r == -EILSEQ)
		return fault(render, variables[row].name,
			"its value is not UTF-8 or has a control character in it");
	if (r >= 0 && f) {
		render->used |= 1u << row;
		(void)fwrite(text, 1, len, f);
	}
	return r;
}

static int render_line(struct render *render, FILE *f, const char *s, const char *end)
{
	while (s < end) {
		if (*s != '@') {
			(void)fputc(*s++, f);
			continue;
		}
		s++;
		if (s < end && *s == '@') {
			(void)fputc(*s++, f);
			continue;
		}
		int row = find_variable(render, s, &s);
		if (row < 0)
			return row;
		int r = put_variable(render, f, row);
		if (r < 0)
			return r;
		/* `false` and `[]` are values as well; only what is not known yet has none. */
		if (r == 0 && !render->in->instance_id &&
			(variables[row].put == put_instance_id ||
				variables[row].put == put_finished))
			return fault(render, variables[row].name, "has no value here");
	}
	(void)fputc('\n', f);
	return 0;
}

static int render_lines(struct render *render, FILE *f, const char *template)
{
	for (const char *s = template; *s;) {
		const char *end = strchrnul(s, '\n');
		const char *next = *end ? end + 1 : end;
		int keep = 1;

		render->line++;
		if (s[0] == '@' && s[1] == '#') {
			keep = 0;
		} else if (s[0] == '@' && s[1] == '?') {
			int row = find_variable(render, s + 2, &s);
			keep = row < 0 ? row : put_variable(render, NULL, row);
		}
		if (keep > 0)
			keep = render_line(render, f, s, end);
		if (keep < 0)
			return keep;
		s = next;
	}
	return 0;
}

static int check_required(const struct render *render, enum cloudinit_text kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
		if ((variables[i].required & IN(kind)) && !(render->used & 1u << i))
			return reason_set(render->reason, -EINVAL,
				"template %s: variable %s: is never used, and %s needs it",
				render->name, variables[i].name, cloudinit_text_to_string(kind));
	return 0;
}

int cloudinit_render(enum cloudinit_text kind, const char *name, const char *template,
	const struct cloudinit_input *in, char **ret, struct reason *reason)
{
	struct render render = { .name = name, .in = in, .reason = reason };
	CLEANUP_FREE char *text = NULL;
	size_t len = 0;
	struct memstream m;
	int r = memstream_open(&m) ? render_lines(&render, m.f, template) : -ENOMEM;

	if (memstream_close(&m, &text, &len) < 0)
		return -ENOMEM;
	if (r >= 0)
		r = check_required(&render, kind);
	if (r >= 0 && len > CLOUDINIT_TEXT_MAX)
		r = reason_set(reason, -EFBIG,
			"template %s: the text made from it is over %u bytes", name,
			CLOUDINIT_TEXT_MAX);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(text);
	return 0;
}

void cloudinit_instance_id(const char *digest_hex, char ret[static CLOUDINIT_ID_TEXT])
{
	(void)snprintf(ret, CLOUDINIT_ID_TEXT, "iid-%.*s", (int)CLOUDINIT_ID_DIGITS, digest_hex);
}
