/* SPDX-License-Identifier: Apache-2.0 */
/* Line by line, without allocating. */
#include "model/sums.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#define HEX            "0123456789abcdefABCDEF"
#define DIGITS         64u
#define STATUS         "[GNUPG:] "
#define VALIDSIG_WORDS 10u

/* Copies the next line into `line`, NUL-terminated. Its length; -ENOENT at the end; -EBADMSG. */
static int next_line(const char **text, size_t *len, char line[static SUMS_LINE_MAX])
{
	if (*len == 0)
		return -ENOENT;
	const char *end = memchr(*text, '\n', *len);
	size_t n = end ? (size_t)(end - *text) : *len;

	if (n >= SUMS_LINE_MAX || memchr(*text, '\0', n))
		return -EBADMSG;
	memcpy(line, *text, n);
	line[n] = '\0';
	*text += n + (end ? 1 : 0);
	*len -= n + (end ? 1 : 0);
	if (n > 0 && line[n - 1] == '\r')
		line[--n] = '\0';
	return (int)n;
}

/* The name in a line of sha256sum(1): a blank, then ' ' for text or '*' for binary. */
static bool names(const char *line, const char *name)
{
	return strspn(line, HEX) == DIGITS && line[DIGITS] == ' ' &&
	       (line[DIGITS + 1] == ' ' || line[DIGITS + 1] == '*') &&
	       strcmp(line + DIGITS + 2, name) == 0;
}

int sums_find(const char *text, size_t len, const char *name, char ret[static SUMS_DIGEST],
	struct reason *reason)
{
	char line[SUMS_LINE_MAX], found[SUMS_DIGEST] = "";
	int r;

	if (len > SUMS_BYTES_MAX)
		return reason_set(reason, -EBADMSG, "SHA256SUMS is too long");
	while ((r = next_line(&text, &len, line)) >= 0) {
		if (!names(line, name))
			continue;
		line[DIGITS] = '\0';
		if (found[0] && strcasecmp(found, line) != 0)
			return reason_set(
				reason, -EBADMSG, "SHA256SUMS has two digests for %s", name);
		for (size_t i = 0; i <= DIGITS; i++)
			found[i] = (char)tolower((unsigned char)line[i]);
	}
	if (r != -ENOENT)
		return reason_set(reason, r, "SHA256SUMS has a line that is too long, or a NUL");
	if (!found[0])
		return reason_set(reason, -ENOENT, "SHA256SUMS does not name %s", name);
	memcpy(ret, found, sizeof(found));
	return 0;
}

/* RFC 4880 section 9.4: 1 MD5, 2 SHA-1, 3 RIPEMD-160; 5.2.1: 00 a binary, 01 a text document. */
static bool is_sound(const char *digest, const char *class)
{
	static const char *const broken[] = { "1", "2", "3" };

	for (size_t i = 0; i < ARRAY_SIZE(broken); i++)
		if (strcmp(digest, broken[i]) == 0)
			return false;
	return strcmp(class, "00") == 0 || strcmp(class, "01") == 0;
}

/* fingerprint, date, time, expiry, version, reserved, key's algorithm, digest's, class, primary. */
static int valid_signature(char *words, const char *fingerprint, char key[static SUMS_KEY])
{
	const char *word[VALIDSIG_WORDS];
	unsigned n = 0;

	for (char *s; n < VALIDSIG_WORDS && (s = strsep(&words, " "));)
		word[n++] = s;
	if (n < VALIDSIG_WORDS || strlen(word[9]) >= SUMS_KEY ||
		word[9][strspn(word[9], HEX)] != '\0')
		return -EBADMSG;
	(void)snprintf(key, SUMS_KEY, "%s", word[9]);
	return strcasecmp(key, fingerprint) == 0 && is_sound(word[7], word[8]) ? 1 : 0;
}

static int refuse(struct reason *reason, const char *fingerprint, const char *other, bool weak)
{
	if (weak)
		return reason_set(reason, -EKEYREJECTED,
			"the signature of %s uses a digest that can be forged, or is not over the "
			"whole text",
			other);
	if (other[0])
		return reason_set(reason, -EKEYREJECTED,
			"signed by %s, and Fingerprint= pins %s: if the publisher has changed its "
			"key "
			"(ask it), set Fingerprint=%s",
			other, fingerprint, other);
	return reason_set(reason, -EKEYREJECTED,
		"no valid signature of a key in Keyring=; the pinned one is %s", fingerprint);
}

int sums_signer(const char *status, size_t len, const char *fingerprint, char ret[static SUMS_KEY],
	struct reason *reason)
{
	char line[SUMS_LINE_MAX], key[SUMS_KEY], other[SUMS_KEY] = "", mine[SUMS_KEY] = "";
	bool good = false, weak = false;
	int r;

	while ((r = next_line(&status, &len, line)) >= 0) {
		if (strncmp(line, STATUS, sizeof(STATUS) - 1) != 0)
			continue;
		char *words = line + sizeof(STATUS) - 1;
		const char *word = strsep(&words, " ");

		if (strcmp(word, "BADSIG") == 0)
			return reason_set(reason, -EKEYREJECTED,
				"the signature is bad: the sums are not what was signed");
		/* VALIDSIG also comes with EXPKEYSIG and REVKEYSIG. */
		if (strcmp(word, "VALIDSIG") != 0) {
			size_t n = strlen(word);
			if (n > 3 && strcmp(word + n - 3, "SIG") == 0)
				good = strcmp(word, "GOODSIG") == 0;
			continue;
		}
		r = good && words ? valid_signature(words, fingerprint, key) : -EBADMSG;
		if (r > 0)
			memcpy(mine, key, sizeof(mine));
		else if (r == 0)
			memcpy(other, key, sizeof(other));
		if (r == 0)
			weak = strcasecmp(key, fingerprint) == 0;
		good = false;
	}
	if (r != -ENOENT)
		return reason_set(reason, -EKEYREJECTED, "gpgv's answer is not understood");
	if (!mine[0])
		return refuse(reason, fingerprint, other, weak);
	memcpy(ret, mine, sizeof(mine));
	return 0;
}
