/* SPDX-License-Identifier: Apache-2.0 */
/* gpgv that is not there, dies, floods or raves: a script in its place. The real one is in
 * tests/provision/fetch. */
/* LINK: base/file base/parse base/time model/utf8 model/sums io/program io/signature */
#include "base/file.h"
#include "base/macro.h"
#include "io/signature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <errno.h>

#define MINE "0123456789ABCDEF0123456789ABCDEF01234567"
#define SIG  "echo '[GNUPG:] "

static void test_gpgv(void **state)
{
	static const struct {
		const char *script;
		int error;
		const char *says;
	} rows[] = {
		{ SIG "GOODSIG 0 x'; " SIG "VALIDSIG A 2026-11-23 1 0 4 0 1 10 00 " MINE "'", 0,
			"" },
		/* Its exit status says nothing, in either way. */
		{ SIG "GOODSIG 0 x'; " SIG "VALIDSIG A 2026-11-23 1 0 4 0 1 10 00 " MINE
		      "'; exit 2",
			0, "" },
		{ "exit 0", -EKEYREJECTED, "no valid signature" },
		{ "printf 'keyring \\033[2J' >&2; exit 2", -EKEYREJECTED,
			"(gpgv: keyring \\x1b[2J)" },
		{ SIG "GOODSIG 0 x'; " SIG "BADSIG 0 x'", -EKEYREJECTED, "the signature is bad" },
		{ "kill -9 $$", -EIO, "gpgv died of signal 9" },
		{ "yes", -EFBIG, "gpgv: File too large" },
	};
	char dir[] = "/tmp/test_signature-XXXXXX", path[64], text[512], search[96];
	struct reason reason;
	char key[SUMS_KEY];

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/gpgv", dir);
	(void)snprintf(search, sizeof(search), "%s:/usr/bin:/bin", dir);
	(void)setenv("PATH", search, 1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		(void)snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", rows[i].script);
		assert_int_equal(file_write_atomic(path, text, strlen(text), 0755), 0);
		reason.text[0] = key[0] = '\0';
		int r = signature_check(path, "/s", "/d", MINE, NULL, key, &reason);
		if (r != rows[i].error || !strstr(reason.text, rows[i].says))
			fail_msg("row %zu: %d %s", i, r, reason.text);
		assert_string_equal(key, r < 0 ? "" : MINE);
	}
	assert_int_equal(
		signature_check("/nonexistent", "/s", "/d", MINE, NULL, key, &reason), -ENOENT);
	assert_non_null(strstr(reason.text, "gpg --export " MINE));
	(void)setenv("PATH", "/nonexistent", 1);
	assert_int_equal(signature_check(path, "/s", "/d", MINE, NULL, key, &reason), -ENOENT);
	assert_non_null(strstr(reason.text, "install the package gpgv"));
	(void)unlink(path);
	(void)rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gpgv),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
