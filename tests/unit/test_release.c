/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest says of its releases, honest and hostile; names that order as their times; unit
 * files that run something else; headers that tar reads. */
/* LINK: base model */
/* LIBS: libcbor inih jansson libsystemd */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"
#include "model/release.h"
#include "model/tarhead.h"
#include "model/unitfile.h"

#define SHA  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ONE  "20261124T044100Z-0123456789ab"
#define TWO  "20261124T044101Z-00000000000f"
#define PATH "/opt/mediakit/bin/service-fs"

static void test_names(void **state)
{
	static const char *const bad[] = { "", "-", "..", ONE "0", "20261124T044100Z-0123456789aB",
		"20261124T044100Z-0123456789a", "20261124 044100Z-0123456789ab",
		"2026112\xd9\xa4T044100Z-0123456789a", "../../etc/passwd-0123456789ab",
		"20261124T044100Z_0123456789ab" };
	char name[RELEASE_TEXT], later[RELEASE_TEXT];

	(void)state;
	release_name(1795495260 * USEC_PER_SEC, SHA, name);
	assert_string_equal(name, ONE);
	assert_true(release_name_valid(name));
	release_name(1795495261 * USEC_PER_SEC, "00" SHA, later);
	assert_true(strcmp(name, later) < 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(release_name_valid(bad[i]));
}

static int facts(const char *text, struct release_facts *ret)
{
	return release_facts(text, strlen(text), ret);
}

static void test_facts(void **state)
{
	struct release_facts f;

	(void)state;
	assert_int_equal(facts("Welcome to the guest\nfree 1024\ncurrent " TWO "\nglibc 2.41\n"
			       "exec " PATH "\nrelease " ONE "\nrelease " TWO "\npid 77\n"
			       "put\ndata done\ndropped a\nundone a b\nsettled\n\n"
			       "log free \033[31m",
				 &f),
		0);
	assert_true(f.has_free && f.free_kib == 1024 && f.pid == 77 && f.n == 2);
	assert_true(f.put && f.data && f.undone && f.dropped && f.settled);
	assert_string_equal(f.current, TWO);
	assert_string_equal(f.glibc, "2.41");
	assert_string_equal(f.exec, PATH);
	assert_string_equal(release_before(&f), ONE);
	assert_int_equal(facts("undone a b\ncurrent -\nexec \nglibc \nrelease " ONE, &f), 0);
	assert_string_equal(f.current, "");
	assert_true(f.undone && !f.dropped);
	assert_null(release_before(&f));
	assert_int_equal(facts("current " ONE "\nrelease " ONE "\nrelease " TWO, &f), 0);
	assert_null(release_before(&f)); /* none is older */
	assert_int_equal(facts("", &f), 0);
}

static void test_hostile_facts(void **state)
{
	static const char *const bad[] = { "free", "free -1", "free 99999999999999999999",
		"free 18014398509481984", "current ../x", "current ?", "release ",
		"release " ONE " x", "exec \033[2J", "exec \xff", "glibc none", "glibc 2.41\033[2J",
		"pid x", "pid 4294967296" };
	struct release_facts f;
	char text[RELEASES_MAX * 64 + 128] = "", line[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (facts(bad[i], &f) != -EBADMSG)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(release_facts("free 1\0free 2", 13, &f), -EBADMSG);
	for (unsigned i = 0; i < RELEASES_MAX; i++)
		strcat(text, "release " ONE "\n");
	assert_int_equal(facts(text, &f), 0);
	assert_int_equal(f.n, RELEASES_MAX);
	assert_int_equal(facts(strcat(text, "release " ONE "\n"), &f), -EBADMSG);
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	assert_int_equal(facts(line, &f), -EBADMSG);
}

static void test_rows(void **state)
{
	static const char *const bad[] = { "release", "release a", "release service-fs " ONE " 12",
		"release service-fs " ONE " 12 kept more", "release service-fs " ONE " -1 kept",
		"release service-fs x 12 kept", "release ../fs " ONE " 12 kept",
		"release service-fs " ONE " 12 \033[2J",
		"release aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa " ONE " 12 kept" };
	const char *text = "hello\nrelease service-fs " ONE " 12 kept\n\nrelease x " TWO
			   " 18446744073709551615 current";
	struct release_row row;

	(void)state;
	assert_int_equal(release_row_next(&text, &row), 1);
	assert_string_equal(row.service, "service-fs");
	assert_string_equal(row.name, ONE);
	assert_string_equal(row.mark, "kept");
	assert_true(row.bytes == 12);
	assert_int_equal(release_row_next(&text, &row), 1);
	assert_string_equal(row.mark, "current");
	assert_int_equal(release_row_next(&text, &row), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		text = bad[i];
		/* A line of another word is not ours. */
		if (release_row_next(&text, &row) != (i == 0 ? 0 : -EBADMSG))
			fail_msg("taken: %s", bad[i]);
	}
}

static void test_units(void **state)
{
	static const struct {
		const char *text, *says; /* NULL: it is as it should be */
	} rows[] = {
		{ "[Service]\nExecStart=" PATH "\n", NULL },
		{ "[Unit]\nA=b\n\n[Service]\n# x\nExecStart = -" PATH " --a \\\n  --b\nUser=x\n",
			NULL },
		{ "[Service]\r\nExecStart=\"" PATH "\" x\r\n", NULL },
		{ "[Service]\nExecStart=/bin/other\nExecStart=\nExecStart=" PATH, NULL },
		{ "[Service]\nExecStart=" PATH "\nExecStart=\nExecStart=@" PATH " a\n", NULL },
		{ "[Service]\nExecStartPre=/bin/other\nExecStart=!!" PATH "\n", NULL },
		{ "[Service]\n\nExecStart=/usr/bin/python3 x\n",
			"u:3: ExecStart= must run " PATH ", it runs: /usr/bin/python3" },
		{ "[Service]\nExecStart=" PATH "-other\n", "u:2: " },
		{ "[Service]\nExecStart=\033[2J\n", "\\x1b[2J" },
		{ "[Service]\nUser=x\n", "u: has no ExecStart= in [Service]" },
		{ "[Unit]\nExecStart=" PATH "\n", "u: has no [Service]" },
		{ "[Service]\nUser=x\\\nExecStart=" PATH "\n", "has no ExecStart=" },
		{ "[Service]\nUser=x\\\n# a comment inside\nExecStart=" PATH "\n",
			"has no ExecStart=" },
		{ "[Service]\nExecStart=" PATH "\nExecStart=" PATH "\n",
			"u:3: a second ExecStart=" },
		{ "[Service\nExecStart=" PATH "\n", "u:1: a section that is not closed" },
		{ "#!/bin/sh\nexec x\n", "u:2: neither a section nor an assignment: exec x" },
		{ "[Service]\nExecStart=\n", "has no ExecStart=" },
		{ "[Service]\n=\nExecStart=" PATH, NULL },
		{ "", "has no [Service]" },
		{ "\xff", "is no text" },
	};
	struct reason reason;
	static char big[UNITFILE_BYTES_MAX + 2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		reason.text[0] = '\0';
		int r = unitfile_check("u", rows[i].text, strlen(rows[i].text), PATH, &reason);

		assert_int_equal(r, rows[i].says ? -EINVAL : 0);
		if (rows[i].says && !strstr(reason.text, rows[i].says))
			fail_msg("row %zu: %s", i, reason.text);
	}
	assert_int_equal(unitfile_check("u", "[Service]\0x", 11, PATH, &reason), -EINVAL);
	memset(big, '\n', sizeof(big) - 1);
	assert_int_equal(unitfile_check("u", big, sizeof(big) - 1, PATH, &reason), -EFBIG);
}

static void test_tar(void **state)
{
	unsigned char h[TAR_BLOCK];
	char path[300];
	unsigned sum = 0, told = 0;

	(void)state;
	assert_int_equal(tar_header("deep/er/file", 01234567, 017, true, h), 0);
	assert_string_equal((char *)h, "deep/er/file");
	assert_string_equal((char *)h + 100, "0000755");
	assert_string_equal((char *)h + 124, "00001234567");
	assert_string_equal((char *)h + 136, "00000000017");
	assert_int_equal(h[156], '0');
	assert_string_equal((char *)h + 257, "ustar");
	for (size_t i = 0; i < sizeof(h); i++)
		sum += i >= 148 && i < 156 ? ' ' : h[i];
	assert_int_equal(sscanf((char *)h + 148, "%o", &told), 1);
	assert_int_equal(told, sum);
	assert_int_equal(tar_header("f", TAR_SIZE_MAX, TAR_SIZE_MAX, false, h), 0);
	assert_string_equal((char *)h + 124, "77777777777");
	assert_int_equal(tar_header("f", TAR_SIZE_MAX + 1, 0, false, h), -EFBIG);
	assert_int_equal(tar_header("f", 0, TAR_SIZE_MAX + 1, false, h), -EFBIG);

	/* A name of a hundred bytes fills its field; a longer one is split. */
	memset(path, 'x', sizeof(path));
	path[100] = '\0';
	assert_int_equal(tar_header(path, 0, 0, false, h), 0);
	assert_memory_equal(h, path, 100);
	path[100] = 'x';
	path[101] = '\0';
	assert_int_equal(tar_header(path, 0, 0, false, h), -ENAMETOOLONG);
	path[155] = '/';
	path[101] = 'x';
	path[255] = '\0';
	assert_int_equal(tar_header(path, 0, 0, false, h), 0);
	assert_memory_equal(h + 345, path, 155);
	path[254] = '/';
	assert_int_equal(tar_header(path, 0, 0, false, h), 0);
	path[254] = 'x';
	path[255] = 'x';
	path[256] = '\0';
	assert_int_equal(tar_header(path, 0, 0, false, h), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_hostile_facts),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_tar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
