/* SPDX-License-Identifier: Apache-2.0 */
/* What is believed of an image: SHA256SUMS, gpgv's answer, manifests, versions of glibc. */
/* LINK: base/parse base/time model/utf8 model/glibc model/sums model/manifest */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model/manifest.h"
#include "model/sums.h"

#define D0 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define D1 "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
#define DU "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF"

static void test_sums(void **state)
{
	static const struct {
		const char *text;
		int result;
	} rows[] = {
		{ D0 " *x.img\n", 0 },
		{ D0 "  x.img\n", 0 },
		{ DU " *x.img\r\n", 0 },
		{ D0 " *x.img", 0 },
		{ D1 " *y.img\n\n# words\n" D0 " *x.img\n", 0 },
		{ D0 " *x.img\n" DU " *x.img\n", 0 },
		{ D0 " *x.img\n" D1 " *x.img\n", -EBADMSG },
		{ "", -ENOENT },
		{ D0 " *x.im\n", -ENOENT },
		{ D0 " *x.img.zsync\n", -ENOENT },
		{ D0 " *X.img\n", -ENOENT },
		{ D0 " */x.img\n", -ENOENT },
		{ D0 " x.img\n", -ENOENT },
		{ D0 " +x.img\n", -ENOENT },
		{ D0 "\tx.img\n", -ENOENT },
		{ "0" D0 " *x.img\n", -ENOENT },
		{ "\\" D0 " *x.img\n", -ENOENT },
		{ D0 " *x.img ", -ENOENT },
	};
	char digest[SUMS_DIGEST], line[SUMS_LINE_MAX + 8];
	struct reason reason;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		(void)strcpy(digest, "old");
		int r = sums_find(rows[i].text, strlen(rows[i].text), "x.img", digest, &reason);
		if (r != rows[i].result)
			fail_msg("row %zu: %d", i, r);
		assert_string_equal(digest, r == 0 ? D0 : "old");
	}
	assert_int_equal(sums_find(D0 " *x.img\0\n", 74, "x.img", digest, &reason), -EBADMSG);
	memset(line, 'a', sizeof(line));
	assert_int_equal(sums_find(line, sizeof(line), "x.img", digest, &reason), -EBADMSG);
	assert_int_equal(sums_find(line, SUMS_BYTES_MAX + 1, "x", digest, &reason), -EBADMSG);
}

#define ME    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define SUB   "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
#define OTHER "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC"
#define G     "[GNUPG:] "
#define GOOD  G "NEWSIG\n" G "GOODSIG 0123 me <me>\n"
/* fingerprint of the signing key, its primary key, the digest's number, the class. */
#define VALID(key, primary, digest, class)                                                         \
	G "VALIDSIG " key " 2026-01-01 1767225600 0 4 0 1 " digest " " class " " primary "\n"

static void test_signer(void **state)
{
	static const struct {
		const char *text;
		int result;
		const char *says;
	} rows[] = {
		{ GOOD VALID(SUB, ME, "10", "00"), 0, "" },
		{ GOOD VALID(ME, ME, "8", "01"), 0, "" },
		/* Another's beside it, before and after, known or not. */
		{ GOOD VALID(OTHER, OTHER, "10", "00") GOOD VALID(SUB, ME, "10", "00"), 0, "" },
		{ GOOD VALID(SUB, ME, "10", "00") GOOD VALID(OTHER, OTHER, "10", "00"), 0, "" },
		{ G "ERRSIG 01 1 10 00 1 9\n" G "NO_PUBKEY 01\n" GOOD VALID(SUB, ME, "10", "00"), 0,
			"" },
		/* The signing key is mine, its primary is not; then it is no key of mine. */
		{ GOOD VALID(ME, OTHER, "10", "00"), -EKEYREJECTED, "Fingerprint=" OTHER },
		{ GOOD VALID(OTHER, OTHER, "10", "00"), -EKEYREJECTED, "signed by " OTHER },
		{ GOOD VALID(SUB, ME, "2", "00"), -EKEYREJECTED, "forged" },
		{ GOOD VALID(SUB, ME, "10", "10"), -EKEYREJECTED, "forged" },
		{ G "EXPKEYSIG 1 me\n" VALID(SUB, ME, "10", "00"), -EKEYREJECTED, "no valid" },
		{ G "REVKEYSIG 1 me\n" VALID(SUB, ME, "10", "00"), -EKEYREJECTED, "no valid" },
		{ G "EXPSIG 1 me\n" VALID(SUB, ME, "10", "00"), -EKEYREJECTED, "no valid" },
		{ VALID(SUB, ME, "10", "00"), -EKEYREJECTED, "no valid" },
		{ GOOD, -EKEYREJECTED, "no valid" },
		{ "", -EKEYREJECTED, "no valid" },
		{ GOOD VALID(SUB, ME, "10", "00") G "BADSIG 1 x\n", -EKEYREJECTED, "bad" },
		{ GOOD G "VALIDSIG " ME "\n", -EKEYREJECTED, "no valid" },
		{ GOOD G "VALIDSIG\n", -EKEYREJECTED, "no valid" },
		/* Only lines of the status form count; a key's name is anybody's to choose. */
		{ GOOD "VALIDSIG " ME " a b c d e f 10 00 " ME "\n", -EKEYREJECTED, "no valid" },
	};
	static const char mine[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	char key[SUMS_KEY];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct reason reason = { "" };
		int r = sums_signer(rows[i].text, strlen(rows[i].text), mine, key, &reason);

		if (r != rows[i].result || !strstr(reason.text, rows[i].says))
			fail_msg("row %zu: %d %s", i, r, reason.text);
	}
	assert_string_equal(key, ME);
}

static void test_glibc(void **state)
{
	static const char *const bad[] = { "", "2", "2.", ".2", "a.b", "2.x", "2.39x", "-2.39",
		"22222.1", "2.39000", " 2.39" };
	struct glibc_version a = { 0 }, b = { 0 };

	(void)state;
	assert_int_equal(glibc_parse("2.39-0ubuntu8.4", &a), 0);
	assert_int_equal(glibc_parse("2.2.5", &b), 0);
	assert_int_equal(a.minor, 39);
	assert_int_equal(b.minor, 2);
	assert_true(glibc_compare(&a, &b) > 0);
	assert_true(glibc_compare(&b, &a) < 0);
	assert_int_equal(glibc_compare(&a, &a), 0);
	assert_int_equal(glibc_parse("3.1", &b), 0);
	assert_true(glibc_compare(&a, &b) < 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (glibc_parse(bad[i], &a) != -EINVAL)
			fail_msg("%s", bad[i]);
}

/* What a guest says of itself: one line of one form, or nothing is known. */
static void test_glibc_from_answer(void **state)
{
	static const char *const bad[] = { "", "glibc 2.39", "glibc 2.39\n\n",
		"glibc 2.39\nglibc 9.9\n", "glibc 2.39 \n", " glibc 2.39\n", "glibc  2.39\n",
		"musl 1.2\n", "glibc \n", "glibc .\n", "glibc 2.39\033[2J\n",
		"glibc 2.39-0ubuntu8\n", "glibc 99999.1\n", "glibc undefined\n", "glibc 2.39\r\n",
		"glibc "
		"2.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1\n" };
	char version[GLIBC_TEXT_MAX] = "untouched";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (glibc_from_answer(bad[i], version) != -EBADMSG)
			fail_msg("%s", bad[i]);
	assert_string_equal(version, "untouched");
	assert_int_equal(glibc_from_answer("glibc 2.39\n", version), 0);
	assert_string_equal(version, "2.39");
	assert_int_equal(glibc_from_answer("glibc 2.39.9000\n", version), 0);
	assert_string_equal(version, "2.39.9000");
}

static void test_glibc_under(void **state)
{
	(void)state;
	assert_true(glibc_is_under("2.36-9+deb12u9", "2.39"));
	assert_false(glibc_is_under("2.39-0ubuntu8.4", "2.39"));
	assert_false(glibc_is_under("2.41", "2.39"));
	assert_false(glibc_is_under("", "2.39"));
	assert_false(glibc_is_under("2.36", "none"));
}

static int read_manifest(const char *text, struct manifest *m)
{
	return manifest_parse(text, strlen(text), "x.qcow2", m);
}

static void test_manifest(void **state)
{
	struct manifest m;

	(void)state;
	assert_int_equal(read_manifest("inputs=1\nglibc=2.41-12+deb13u1\nsha256.x.qcow2=" D0
				       "\nsha256.x.qcow=" D1 "\n",
				 &m),
		0);
	assert_string_equal(m.glibc, "2.41-12+deb13u1");
	assert_string_equal(m.sha256, D0);
	assert_int_equal(read_manifest("libc6-dev\t9.9\nlibc6:amd64\t2.39-0ubuntu8.4\r\n", &m), 0);
	assert_string_equal(m.glibc, "2.39-0ubuntu8.4");
	assert_string_equal(m.sha256, "");
	assert_int_equal(read_manifest("libc6 2.36-9\nzlib1g 1\n", &m), 0);
	assert_string_equal(m.glibc, "2.36-9");
	assert_int_equal(read_manifest("words\n", &m), 0);
	assert_string_equal(m.glibc, "");
	assert_int_equal(read_manifest("glibc=new\n", &m), -EBADMSG);
	assert_int_equal(read_manifest("glibc=2.39\033[1m\n", &m), -EBADMSG);
	assert_int_equal(read_manifest("sha256.x.qcow2=12\n", &m), -EBADMSG);
	assert_int_equal(manifest_parse("a\0b", 3, "x", &m), -EBADMSG);
}

static void test_libraries(void **state)
{
	static const char *const bad[] = { "library=\n", "library=a b\n", "library=/lib/a.so\n",
		"library=a\033[1m\n", "x\nlibrary=a\nlibrary=\377\n" };
	char *list = NULL;

	(void)state;
	static const char good[] = "glibc=2.41\nlibrary=libz.so.1\nlibrary=libssl.so.3";
	assert_int_equal(manifest_libraries(good, strlen(good), &list), 0);
	assert_string_equal(list, "libz.so.1\nlibssl.so.3\n");
	assert_true(manifest_has_library(list, "libz.so.1"));
	assert_true(manifest_has_library(list, "libssl.so.3"));
	assert_false(manifest_has_library(list, "libssl.so"));
	assert_false(manifest_has_library(list, "libssl.so.30"));
	assert_false(manifest_has_library(list, ""));
	assert_true(manifest_has_library("a\nb", "b")); /* a file somebody else wrote */
	free(list);
	assert_int_equal(manifest_libraries("glibc=2.41\n", 11, &list), 0);
	assert_null(list);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (manifest_libraries(bad[i], strlen(bad[i]), &list) != -EBADMSG)
			fail_msg("row %zu", i);
	/* As many, and as long, as there may be; one more of each. */
	size_t len = 0;
	char *many = malloc((MANIFEST_LIBRARIES_MAX + 1) * 16);
	assert_non_null(many);
	for (unsigned i = 0; i < MANIFEST_LIBRARIES_MAX; i++)
		len += (size_t)sprintf(many + len, "library=a\n");
	assert_int_equal(manifest_libraries(many, len, &list), 0);
	free(list);
	len += (size_t)sprintf(many + len, "library=a\n");
	assert_int_equal(manifest_libraries(many, len, &list), -EBADMSG);
	len = (size_t)sprintf(many, "library=%0*d\n", (int)MANIFEST_LIBRARY_MAX - 1, 7);
	assert_int_equal(manifest_libraries(many, len, &list), 0);
	free(list);
	len = (size_t)sprintf(many, "library=%0*d\n", (int)MANIFEST_LIBRARY_MAX, 7);
	assert_int_equal(manifest_libraries(many, len, &list), -EBADMSG);
	free(many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_signer),
		cmocka_unit_test(test_glibc),
		cmocka_unit_test(test_glibc_from_answer),
		cmocka_unit_test(test_glibc_under),
		cmocka_unit_test(test_manifest),
		cmocka_unit_test(test_libraries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
