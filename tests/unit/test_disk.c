/* SPDX-License-Identifier: Apache-2.0 */
/* Images without qemu-img: its answers as texts, headers as bytes. And the runner of programs, its
 * limits and its deadline, on programs that every system has. The real qemu-img is in
 * tests/provision. */
/* LINK: base/file base/time model/utf8 io/program model/jsontext io/disk */
/* LIBS: jansson */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>

#include "base/file.h"
#include "io/disk.h"
#include "io/program.h"

static void test_info(void **state)
{
	static const struct {
		const char *json;
		int error;
		struct disk_info info;
	} rows[] = {
		{ "{\"format\":\"qcow2\",\"virtual-size\":1048576}", 0,
			{ DISK_QCOW2, 1048576, "", 0, 0, 0 } },
		{ "{\"format\":\"raw\",\"virtual-size\":512,\"x\":[1]}", 0,
			{ DISK_RAW, 512, "", 0, 0, 0 } },
		{ "{\"format\":\"qcow2\",\"virtual-size\":1,\"backing-filename\":\"/etc/passwd\"}",
			0, { DISK_QCOW2, 1, "/etc/passwd", 0, 0, 0 } },
		{ "{\"format\":\"qcow2\",\"virtual-size\":1,\"encrypted\":true,\"format-specific\":"
		  "{\"type\":"
		  "\"qcow2\",\"data\":{\"corrupt\":true,\"data-file\":\"x\"}}}",
			0, { DISK_QCOW2, 1, "", true, true, true } },
		{ "{\"format\":\"vmdk\",\"virtual-size\":1}", -EMEDIUMTYPE, { 0 } },
		{ "{\"format\":\"qcow2\"}", -EBADMSG, { 0 } },
		{ "{\"format\":\"qcow2\",\"virtual-size\":-1}", -EBADMSG, { 0 } },
		{ "{\"format\":\"qcow2\",\"virtual-size\":\"1\"}", -EBADMSG, { 0 } },
		{ "{\"format\":1,\"virtual-size\":1}", -EBADMSG, { 0 } },
		{ "{\"format\":\"raw\",\"format\":\"qcow2\",\"virtual-size\":1}", -EBADMSG, { 0 } },
		{ "[]", -EBADMSG, { 0 } },
		{ "", -EBADMSG, { 0 } },
		{ "{\"format\":\"qcow2\",\"virtual-size\":1} x", -EBADMSG, { 0 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct disk_info info = { 0 };
		struct reason reason = { "" };
		int r = disk_info_parse(rows[i].json, strlen(rows[i].json), &info, &reason);

		if (r != rows[i].error)
			fail_msg("%s: %d %s", rows[i].json, r, reason.text);
		assert_int_equal(r < 0, reason.text[0] != '\0');
		assert_int_equal(info.format, rows[i].info.format);
		assert_int_equal(info.virtual_bytes, rows[i].info.virtual_bytes);
		assert_string_equal(info.backing, rows[i].info.backing);
		assert_int_equal(info.data_file, rows[i].info.data_file);
		assert_int_equal(info.encrypted, rows[i].info.encrypted);
		assert_int_equal(info.corrupt, rows[i].info.corrupt);
	}
}

static void test_info_limits(void **state)
{
	CLEANUP_FREE char *json = malloc(DISK_JSON_MAX + 2);
	struct disk_info info = { 0 };

	(void)state;
	assert_non_null(json);
	memset(json, ' ', DISK_JSON_MAX + 1);
	memcpy(json, "{\"format\":\"raw\",\"virtual-size\":1}", 33);
	assert_int_equal(disk_info_parse(json, DISK_JSON_MAX, &info, NULL), 0);
	assert_int_equal(disk_info_parse(json, DISK_JSON_MAX + 1, &info, NULL), -EBADMSG);
	/* Nesting that a recursive parser would die of. */
	memset(json, '[', DISK_JSON_MAX);
	assert_int_equal(disk_info_parse(json, DISK_JSON_MAX, &info, NULL), -EBADMSG);
	/* A name longer than its place must not be cut into another one. */
	int n = snprintf(json, DISK_JSON_MAX,
		"{\"format\":\"qcow2\",\"virtual-size\":1,\"backing-filename\":\"%0300d\"}", 0);
	assert_int_equal(disk_info_parse(json, (size_t)n, &info, NULL), -EBADMSG);
}

static void test_header(void **state)
{
	/* A whole version 3 header; `at` is overwritten with `value`, and only `len` bytes are
	 * there. */
	static const struct {
		size_t len, at;
		uint8_t value;
		const char *says; /* NULL: taken */
	} rows[] = {
		{ 104, 7, 3, NULL },
		{ 104, 0, 'x', NULL }, /* no qcow2: not for this check to say */
		{ 72, 7, 2, NULL }, { 71, 7, 2, "cut off" }, { 103, 7, 3, "cut off" },
		{ 0, 0, 0, "is empty" }, { 104, 7, 4, "version 4" }, { 104, 15, 1, "backing file" },
		{ 104, 8, 1, "backing file" }, { 104, 35, 2, "encrypted" },
		{ 104, 79, 4, "external file" }, { 104, 79, 2, "corrupt" },
		{ 104, 79, 1, NULL }, /* dirty: qemu-img knows what to do */
	};
	char path[] = "/tmp/test_disk-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	(void)close(fd);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t h[104] = { 'Q', 'F', 'I', 0xfb, 0, 0, 0, 3 };
		struct reason reason = { "" };

		h[rows[i].at] = rows[i].value;
		assert_int_equal(file_write_atomic(path, h, rows[i].len, 0600), 0);
		int r = disk_check_header(path, &reason);
		assert_int_equal(r, rows[i].says ? -EINVAL : 0);
		if (rows[i].says && !strstr(reason.text, rows[i].says))
			fail_msg("row %zu: %s", i, reason.text);
	}
	(void)unlink(path);
	assert_int_equal(disk_check_header(path, NULL), -ENOENT);
}

static int run(const char *const *argv, usec_t timeout, const struct tick *tick,
	struct program_result *ret)
{
	const struct program program = {
		.argv = argv, .timeout = timeout, .output_max = 64, .tick = tick
	};

	return program_run(&program, ret);
}

static int run_sh(const char *script, usec_t timeout, struct program_result *ret)
{
	return run((const char *const[]){ "sh", "-c", script, NULL }, timeout, NULL, ret);
}

static void test_program(void **state)
{
	static const struct {
		const char *script;
		int exit_status, signal;
		const char *output, *error;
	} rows[] = {
		{ "echo out; echo err >&2; exit 3", 3, 0, "out\n", "err" },
		{ "kill -9 $$", 0, SIGKILL, "", "" }, { "cat", 0, 0, "", "" }, /* stdin is empty */
		{ "echo $LC_ALL$SECRET", 0, 0, "C\n", "" },
		{ "printf 'a\\033[31mb' >&2", 0, 0, "", "a\\x1b[31mb" },
		{ "ls /proc/self/fd | wc -l", 0, 0, "4\n", "" }, /* three, and that of ls itself */
		{ "head -c 64 /dev/zero | tr '\\0' x | head -c 64", 0, 0, NULL, "" },
		{ "(sleep 30) & echo done", 0, 0, "done\n", "" }, /* a grandchild holds the pipes */
	};

	(void)state;
	(void)setenv("SECRET", "x", 1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(program_result_clear) struct program_result result = { 0 };

		assert_int_equal(run_sh(rows[i].script, 10 * USEC_PER_SEC, &result), 0);
		assert_int_equal(result.exit_status, rows[i].exit_status);
		assert_int_equal(result.signal, rows[i].signal);
		assert_string_equal(result.error, rows[i].error);
		if (rows[i].output)
			assert_string_equal(result.output, rows[i].output);
		assert_int_equal(strlen(result.output), result.output_len);
	}
}

static int refuse(void *userdata)
{
	(void)userdata;
	return -ECANCELED;
}

static void test_program_limits(void **state)
{
	const struct tick tick = { .fn = refuse };
	const char *const none[] = { "mediakit-no-such-program", NULL };
	const char *const slow[] = { "sleep", "1000", NULL };
	const char *const dd[] = { "dd", "if=/dev/zero", "of=/dev/null", "bs=512M", "count=1",
		NULL };
	struct program big = { .argv = dd, .timeout = 20 * USEC_PER_SEC, .output_max = 64 };
	struct program_result result = { 0 };

	(void)state;
	assert_int_equal(run(none, USEC_PER_SEC, NULL, &result), -ENOENT);
	assert_int_equal(run_sh("yes", 10 * USEC_PER_SEC, &result), -EFBIG);
	assert_int_equal(run(slow, 0, NULL, &result), -ETIMEDOUT);
	assert_int_equal(run(slow, 10 * USEC_PER_SEC, &tick, &result), -ECANCELED);
	assert_null(result.output);
	/* More on stderr than is kept neither ends it nor blocks it. */
	assert_int_equal(
		run_sh("head -c 300000 /dev/zero >&2; echo ok", 10 * USEC_PER_SEC, &result), 0);
	assert_string_equal(result.output, "ok\n");
	program_result_clear(&result);
	assert_int_equal(program_run(&big, &result), 0);
	assert_int_equal(result.exit_status, 0);
	program_result_clear(&result);
	big.memory_max_kib = 128 * 1024;
	assert_int_equal(program_run(&big, &result), 0);
	assert_int_not_equal(result.exit_status, 0);
	program_result_clear(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_info),
		cmocka_unit_test(test_info_limits),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_program),
		cmocka_unit_test(test_program_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
