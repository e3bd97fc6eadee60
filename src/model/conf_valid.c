/* SPDX-License-Identifier: Apache-2.0 */
/* What a written string may look like, one function per type, and the types themselves. Lists of
 * characters are spelt out instead of asking <ctype.h>, which asks the locale. */
#include "model/conf_value.h"
#include "model/glibc.h"
#include "model/utf8.h"

#include <arpa/inet.h>

#define DIGITS "0123456789"
#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool only(const char *s, const char *allowed)
{
	return s[strspn(s, allowed)] == '\0';
}

static bool one_of(char c, const char *allowed)
{
	return c && strchr(allowed, c);
}

bool conf_name_valid(const char *name)
{
	size_t len = strlen(name);

	return len >= 1 && len <= SPEC_NAME_MAX && only(name, LOWER DIGITS "-") && name[0] != '-' &&
	       name[len - 1] != '-';
}

static int valid_text(const struct conf_key *key, const char *s)
{
	(void)key;
	return utf8_printable(s, strlen(s)) ? 0 : -EINVAL;
}

static int valid_uri(const struct conf_key *key, const char *s)
{
	size_t scheme = strspn(s, LOWER DIGITS "+.-");

	if (!one_of(s[0], LOWER) || strncmp(s + scheme, "://", 3) != 0 || strpbrk(s, " \t"))
		return -EINVAL;
	return valid_text(key, s);
}

static int valid_path(const struct conf_key *key, const char *s)
{
	if (s[0] != '/')
		return -EINVAL;
	return valid_text(key, s);
}

/* RFC 1123 section 2.1; 64 bytes in all is what Linux keeps (gethostname(2)), the key's max. */
static int valid_hostname(const struct conf_key *key, const char *s)
{
	(void)key;
	while (*s) {
		size_t len = strspn(s, LOWER UPPER DIGITS "-");

		if (len < 1 || len > 63 || s[0] == '-' || s[len - 1] == '-')
			return -EINVAL;
		s += len;
		if (*s && (*s != '.' || !*++s))
			return -EINVAL;
	}
	return 0;
}

static int valid_user(const struct conf_key *key, const char *s)
{
	(void)key;
	if (!one_of(s[0], LOWER "_") || !only(s, LOWER DIGITS "_-") || strcmp(s, "root") == 0)
		return -EINVAL;
	return 0;
}

static int valid_sha256(const struct conf_key *key, const char *s)
{
	(void)key;
	return strlen(s) == 64 && only(s, DIGITS "abcdefABCDEF") ? 0 : -EINVAL;
}

/* RFC 4880 section 12.2: 20 bytes; 32 for keys of version 5. */
static int valid_fingerprint(const struct conf_key *key, const char *s)
{
	size_t len = strlen(s);

	(void)key;
	return (len == 40 || len == 64) && only(s, DIGITS "abcdefABCDEF") ? 0 : -EINVAL;
}

static int valid_glibc(const struct conf_key *key, const char *s)
{
	struct glibc_version version;

	(void)key;
	if (strcmp(s, "none") == 0)
		return 0;
	return only(s, DIGITS ".") ? glibc_parse(s, &version) : -EINVAL;
}

/* Whoever can read a user name in a URL can read the password behind it, and logs and process lists
 * would have both; a name with a query is not the name in SHA256SUMS. */
static int valid_url(const struct conf_key *key, const char *s)
{
	bool local = strncmp(s, "file:///", 8) == 0;
	const char *rest = s + 8; /* as long as "https://" */

	(void)key;
	if (strlen(s) > SPEC_URL_BYTES)
		return -ERANGE;
	if (!local && strncmp(s, "https://", 8) != 0)
		return -EINVAL;
	for (const char *c = rest; *c; c++)
		if (*c <= ' ' || *c >= 0x7f || one_of(*c, "#?\"<>\\^`{|}"))
			return -EINVAL;
	size_t host = strcspn(rest, "/");
	if (!local && (host == 0 || rest[host] != '/' || memchr(rest, '@', host)))
		return -EINVAL;
	const char *name = strrchr(s, '/') + 1;
	return *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 ? 0 : -EINVAL;
}

static int valid_ipv4(const struct conf_key *key, const char *s)
{
	struct in_addr a;

	(void)key;
	if (inet_pton(AF_INET, s, &a) != 1)
		return -EINVAL;
	/* 224.0.0.0 and above: multicast, reserved, broadcast. Nobody listens there over TCP. */
	return ntohl(a.s_addr) >> 28 < 14 ? 0 : -ERANGE;
}

static int valid_url_path(const struct conf_key *key, const char *s)
{
	(void)key;
	if (s[0] != '/')
		return -EINVAL;
	/* Visible ASCII: the request line is made of it. A fragment never travels (RFC 9110, 7.1).
	 */
	for (; *s; s++)
		if (*s <= ' ' || *s >= 0x7f || one_of(*s, "#\"<>\\^`{|}"))
			return -EINVAL;
	return 0;
}

static int valid_unit(const struct conf_key *key, const char *s)
{
	static const char *const suffixes[] = { ".service", ".socket", ".target", ".timer",
		".mount", ".automount", ".path", ".swap", ".slice", ".scope", ".device" };
	const char *dot = strrchr(s, '.');

	(void)key;
	if (!dot || dot == s || !only(s, LOWER UPPER DIGITS ":-_.\\@") || s[0] == '@')
		return -EINVAL;
	/* A template is no unit that runs: something stands between '@' and the suffix. */
	if (dot[-1] == '@')
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (strcmp(dot, suffixes[i]) == 0)
			return 0;
	return -EINVAL;
}

static int valid_package(const struct conf_key *key, const char *s)
{
	size_t len = strlen(s);

	(void)key;
	/* Debian policy 5.6.1. */
	if (len < 2 || len > 128)
		return -EINVAL;
	return one_of(s[0], LOWER DIGITS) && only(s, LOWER DIGITS "+-.") ? 0 : -EINVAL;
}

static int valid_name(const struct conf_key *key, const char *s)
{
	(void)key;
	return conf_name_valid(s) ? 0 : -EINVAL;
}

static int base64_digit(char c)
{
	static const char digits[] = UPPER LOWER DIGITS "+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Decodes at most `room` bytes of the len characters at s; all of them are checked. The number of
 * bytes written, or -EINVAL. */
static int base64_head(const char *s, size_t len, unsigned char *buf, size_t room)
{
	size_t digits = len, n = 0;
	uint32_t bits = 0;

	while (digits > 0 && s[digits - 1] == '=')
		digits--;
	if (len % 4 || len - digits > 2)
		return -EINVAL;
	for (size_t i = 0; i < digits; i++) {
		int d = base64_digit(s[i]);

		if (d < 0)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)d;
		if (i % 4 && n < room)
			buf[n++] = (unsigned char)(bits >> (6 - 2 * (i % 4)));
	}
	return (int)n;
}

/* RFC 4253 section 6.6 and sshd(8): the type in words, then in base64 a blob that begins with the
 * type's length (four bytes, big endian) and the type again. That it repeats it catches cut and
 * mixed lines. */
bool conf_ssh_key_valid(const char *s)
{
	static const char *const types[] = { "ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256",
		"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "sk-ssh-ed25519@openssh.com",
		"sk-ecdsa-sha2-nistp256@openssh.com" };
	unsigned char head[64];
	size_t type_len = strcspn(s, " "), i = 0;

	while (i < ARRAY_SIZE(types) &&
		(strlen(types[i]) != type_len || memcmp(types[i], s, type_len) != 0))
		i++;
	if (i == ARRAY_SIZE(types) || !s[type_len])
		return false;
	const char *blob = s + type_len + strspn(s + type_len, " ");
	/* The smallest key blob of all types, ed25519's, has 51 bytes. */
	int n = base64_head(blob, strcspn(blob, " "), head, sizeof(head));
	return n >= 51 && !head[0] && !head[1] && !head[2] && head[3] == type_len &&
	       memcmp(head + 4, s, type_len) == 0;
}

static int valid_ssh_key(const struct conf_key *key, const char *s)
{
	return conf_ssh_key_valid(s) ? valid_text(key, s) : -EINVAL;
}

const struct conf_type conf_type_uri = { .noun = "libvirt URI", .valid = valid_uri };
const struct conf_type conf_type_path = { .noun = "absolute path", .valid = valid_path };
const struct conf_type conf_type_text = { .noun = "printable text", .valid = valid_text };
const struct conf_type conf_type_hostname = { .noun = "host name", .valid = valid_hostname };
const struct conf_type conf_type_user = { .noun = "user name", .valid = valid_user };
const struct conf_type conf_type_sha256 = {
	.noun = "SHA-256 digest", .valid = valid_sha256, .lower = true
};
const struct conf_type conf_type_fingerprint = {
	.noun = "key fingerprint", .valid = valid_fingerprint, .lower = true
};
const struct conf_type conf_type_glibc = { .noun = "glibc version", .valid = valid_glibc };
const struct conf_type conf_type_urls = {
	.noun = "image URL", .kind = CONF_LIST, .valid = valid_url, .words = true
};
const struct conf_type conf_type_ipv4 = { .noun = "numeric IPv4 address", .valid = valid_ipv4 };
const struct conf_type conf_type_url_path = { .noun = "request path", .valid = valid_url_path };
const struct conf_type conf_type_unit = { .noun = "systemd unit name", .valid = valid_unit };
const struct conf_type conf_type_ssh_keys = {
	.noun = "SSH public key", .kind = CONF_LIST, .valid = valid_ssh_key
};
const struct conf_type conf_type_packages = {
	.noun = "package name", .kind = CONF_LIST, .valid = valid_package, .words = true
};
const struct conf_type conf_type_names = {
	.noun = "service name", .kind = CONF_LIST, .valid = valid_name, .words = true
};
const struct conf_type conf_type_size = { .noun = "size", .kind = CONF_SIZE };
const struct conf_type conf_type_span = { .noun = "time span", .kind = CONF_SPAN };
const struct conf_type conf_type_number = { .noun = "number", .kind = CONF_UINT };
const struct conf_type conf_type_percent = {
	.noun = "percentage", .kind = CONF_UINT, .suffix = "%"
};
const struct conf_type conf_type_port = { .noun = "port", .kind = CONF_U16 };
const struct conf_type conf_type_port_or_none = {
	.noun = "port", .kind = CONF_U16, .zero_is_none = true
};
const struct conf_type conf_type_offset = { .noun = "port offset", .kind = CONF_U16 };
const struct conf_type conf_type_bool = { .noun = "yes or no", .kind = CONF_BOOL };
const struct conf_type conf_type_word = { .noun = "known word", .kind = CONF_ENUM };
