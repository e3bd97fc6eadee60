/* SPDX-License-Identifier: Apache-2.0 */
/* What ELF programs need, on the fuzzer's seeds, on this very program, and cut off at every byte.
 */
/* LINK: base/file model/utf8 model/spec io/elf */
/* LIBS: libelf */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "io/elf.h"
#include "model/utf8.h"

static struct elf_info info;
static struct reason reason;

static int read_seed(const char *name, size_t cut)
{
	CLEANUP_FREE char *path = path_join("tests/fuzz/corpus/elf", name), *bytes = NULL;
	size_t len = 0;

	if (file_read(path, ELF_FILE_MAX, &bytes, &len) < 0)
		fail_msg("%s is missing", path);
	/* A copy of its own, so that a read past the end is seen. */
	len = MIN(len, cut);
	CLEANUP_FREE char *exact = malloc(len + 1);
	memcpy(exact, bytes, len);
	memset(&info, 0, sizeof(info));
	return elf_read(exact, len, &info, &reason);
}

static void test_needs(void **state)
{
	(void)state;
	assert_int_equal(read_seed("needs-2.38", SIZE_MAX), 0);
	assert_int_equal(info.arch, ARCH_X86_64);
	assert_string_equal(info.interpreter, "/lib64/ld-linux-x86-64.so.2");
	assert_int_equal(info.n_needed, 1);
	assert_string_equal(info.needed[0], "libc.so.6");
	assert_int_equal(info.n_versions, 2);
	assert_string_equal(info.versions[0].name, "GLIBC_2.2.5");
	assert_int_equal(info.versions[0].n_symbols, 0);
	assert_string_equal(info.versions[1].name, "GLIBC_2.38");
	assert_string_equal(info.versions[1].library, "libc.so.6");
	assert_int_equal(info.versions[1].n_symbols, 1);
	assert_string_equal(info.versions[1].symbols[0], "__isoc23_strtol");
	assert_int_equal(read_seed("needs-2.34", SIZE_MAX), 0);
	assert_int_equal(info.n_needed, 2);
	assert_string_equal(info.versions[1].library, "libssl.so.3");
	assert_int_equal(read_seed("arm64", SIZE_MAX), 0);
	assert_int_equal(info.arch, ARCH_AARCH64);
}

static void test_refused(void **state)
{
	static const struct {
		const char *name;
		int result;
	} rows[] = {
		{ "riscv", -ENOEXEC }, { "object", -ENOEXEC }, { "phoff", -EBADMSG },
		{ "phnum", -EBADMSG }, { "load-offset", -EBADMSG }, { "load-size", -EBADMSG },
		{ "dynamic-size", -EBADMSG }, { "interp-escape", -EBADMSG },
		{ "name-escape", -EBADMSG }, { "many-versions", -E2BIG },
		{ "many-libraries", -E2BIG },
		{ "shoff", 0 }, /* only the names of the symbols are in sections */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int r = read_seed(rows[i].name, SIZE_MAX);
		if (r != rows[i].result)
			fail_msg("%s: %d, %s", rows[i].name, r, reason.text);
	}
	assert_int_equal(elf_read("#!/bin/sh\n", 10, &info, &reason), -ENOEXEC);
	assert_int_equal(elf_read("", 0, &info, &reason), -ENOEXEC);
}

static void test_cut_off(void **state)
{
	CLEANUP_FREE char *bytes = NULL;
	size_t len = 0;

	(void)state;
	assert_int_equal(
		file_read("tests/fuzz/corpus/elf/needs-2.38", ELF_FILE_MAX, &bytes, &len), 0);
	for (size_t cut = 0; cut < len; cut++)
		if (read_seed("needs-2.38", cut) >= 0)
			fail_msg("%zu of %zu bytes are taken for a program", cut, len);
}

static void test_this_program(void **state)
{
	CLEANUP_FREE char *bytes = NULL;
	size_t len = 0;
	bool found = false;

	(void)state;
	assert_int_equal(file_read("/proc/self/exe", ELF_FILE_MAX, &bytes, &len), 0);
	assert_int_equal(elf_read(bytes, len, &info, &reason), 0);
	for (unsigned i = 0; i < info.n_versions; i++)
		for (unsigned k = 0; k < MIN(info.versions[i].n_symbols, ELF_SYMBOLS_MAX); k++)
			found = found || info.versions[i].symbols[k][0];
	assert_true(found);
	assert_true(info.n_needed >= 2);
}

/* Any one byte is any other: what comes of it is an answer that can be shown, or a reason. */
static void test_any_byte(void **state)
{
	static const uint8_t masks[] = { 0xff, 0x01, 0x80 };
	CLEANUP_FREE char *bytes = NULL;
	unsigned refused = 0;
	size_t len = 0;

	(void)state;
	assert_int_equal(
		file_read("tests/fuzz/corpus/elf/needs-2.38", ELF_FILE_MAX, &bytes, &len), 0);
	for (size_t i = 0; i < 3 * MIN(len, (size_t)4096); i++) {
		char before = bytes[i / 3];

		bytes[i / 3] ^= (char)masks[i % 3];
		memset(&info, 0, sizeof(info));
		reason.text[0] = '\0';
		int r = elf_read(bytes, len, &info, &reason);
		bytes[i / 3] = before;
		assert_int_equal(r < 0, reason.text[0] != '\0');
		assert_int_equal(r < 0 && info.n_versions > 0, 0);
		assert_true(info.n_needed <= ELF_NEEDED_MAX);
		for (unsigned k = 0; k < info.n_versions; k++)
			assert_true(utf8_printable(info.versions[k].name,
				strnlen(info.versions[k].name, ELF_NAME_MAX)));
		refused += r < 0;
	}
	assert_true(refused > 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_needs),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_this_program),
		cmocka_unit_test(test_any_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
