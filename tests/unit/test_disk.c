/* SPDX-License-Identifier: Apache-2.0 */
/* Images without qemu-img: its answers as texts, or from a script in its place; headers as bytes.
 * And the runner of programs, its limits and its deadline, on programs that every system has. The
 * real qemu-img is in tests/provision. */
/* LINK: base/file base/time model/utf8 io/program model/jsontext io/disk */
/* LIBS: jansson */
#include "alloc_fail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <sys/resource.h>

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

struct food {
	size_t left;
	int error; /* at its end */
};

static ssize_t give(void *userdata, void *buf, size_t size)
{
	struct food *food = userdata;
	size_t n = MIN(food->left, size);

	n = MIN(n, (size_t)10007);
	memset(buf, 'x', n);
	food->left -= n;
	return n > 0 ? (ssize_t)n : food->error;
}

static void test_program_feed(void **state)
{
	static const struct {
		const char *script;
		size_t food;
		int error, r, exit_status;
		const char *output;
	} rows[] = {
		{ "wc -c", 3000000, 0, 0, 0, "3000000\n" },
		{ "wc -c", 0, 0, 0, 0, "0\n" },
		/* It need not take all of it, and says itself how it went. */
		{ "head -c 5; exec <&-; sleep 0.1; exit 7", 3000000, 0, 0, 7, "xxxxx" },
		{ "exit 7", 3000000, 0, 0, 7, "" },
		{ "cat >/dev/null; sleep 30", 100, -EIO, -EIO, 0, NULL },
		{ "sleep 30", 3000000, 0, -ETIMEDOUT, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(program_result_clear) struct program_result result = { 0 };
		struct food food = { rows[i].food, rows[i].error };
		const char *const argv[] = { "sh", "-c", rows[i].script, NULL };
		const struct program program = { .argv = argv,
			.timeout = rows[i].r == -ETIMEDOUT ? USEC_PER_SEC / 2 : 10 * USEC_PER_SEC,
			.output_max = 64,
			.feed = give,
			.userdata = &food };

		assert_int_equal(program_run(&program, &result), rows[i].r);
		if (!rows[i].output)
			continue;
		assert_int_equal(result.exit_status, rows[i].exit_status);
		assert_string_equal(result.output, rows[i].output);
	}
}

static void attempt_program(void *userdata)
{
	struct program_result result = { 0 };

	(void)userdata;
	alloc_arm();
	int r = run_sh("echo out", 10 * USEC_PER_SEC, &result);
	bool failed = alloc_disarm();
	/* The C library does without some of its own. */
	assert_true(r == 0 || (failed && r == -ENOMEM));
	assert_int_equal(result.output != NULL, r == 0);
	program_result_clear(&result);
}

static int run_fed(struct program_result *ret)
{
	struct food food = { 100, 0 };
	const char *const argv[] = { "wc", "-c", NULL };
	const struct program program = { .argv = argv,
		.timeout = 10 * USEC_PER_SEC,
		.output_max = 64,
		.feed = give,
		.userdata = &food };

	return program_run(&program, ret);
}

static void attempt_fed(void *userdata)
{
	struct program_result result = { 0 };

	(void)userdata;
	alloc_arm();
	int r = run_fed(&result);
	bool failed = alloc_disarm();
	assert_true(r == 0 || (failed && r == -ENOMEM));
	/* gcov has a hand in the child's exec, and dies there without memory. */
	if (r == 0 && !result.signal)
		assert_string_equal(result.output, "100\n");
	program_result_clear(&result);
}

/* Memory, descriptors, or a parent that was told to forget its children. */
static void test_program_without(void **state)
{
	struct program_result result = { 0 };
	struct rlimit before, few;
	int fd = dup(STDIN_FILENO);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	alloc_sweep(attempt_program, NULL, 2);
	alloc_sweep(attempt_fed, NULL, 3);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (rlim_t more = 0; more < 6; more++) {
		few = (struct rlimit){ (rlim_t)fd + more, before.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		assert_int_equal(run_sh("echo out", USEC_PER_SEC, &result), -EMFILE);
		assert_null(result.output);
	}
	/* The pipes are to be had, a socket is not. */
	for (rlim_t more = 6; more < 8; more++) {
		few = (struct rlimit){ (rlim_t)fd + more, before.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		assert_int_equal(run_fed(&result), -EMFILE);
		assert_null(result.output);
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	/* None of them stayed open. */
	int again = dup(STDIN_FILENO);
	assert_int_equal(again, fd);
	close(again);
	(void)signal(SIGCHLD, SIG_IGN);
	int r = run_sh("echo out", 10 * USEC_PER_SEC, &result);
	(void)signal(SIGCHLD, SIG_DFL);
	/* The kernel buries it: before it is looked at, or before it is waited for. */
	assert_true(r == -ESRCH || r == -ECHILD);
	assert_null(result.output);
}

/* As somebody else it is nobody else's either: no group of ours. */
static void test_program_as_user(void **state)
{
	const char *const argv[] = { "sh", "-c", "echo $(id -u) $(id -g) $(id -G)", NULL };
	const struct program program = { .argv = argv,
		.timeout = 10 * USEC_PER_SEC,
		.output_max = 64,
		.as_user = true,
		.uid = 1234,
		.gid = 1235 };
	struct program_result result = { 0 };
	const gid_t ours = 4321;
	gid_t before[64];
	int n = getgroups(ARRAY_SIZE(before), before);

	(void)state;
	assert_true(n >= 0);
	assert_int_equal(setgroups(1, &ours), geteuid() == 0 ? 0 : -1);
	int r = program_run(&program, &result);
	assert_int_equal(r, geteuid() == 0 ? 0 : -EPERM);
	if (r == 0)
		assert_string_equal(result.output, "1234 1235 1235\n");
	program_result_clear(&result);
	if (r == 0)
		assert_int_equal(setgroups((size_t)n, before), 0);
}

/* A qemu-img of the test's: it does what the script says. */
static char bin[] = "/tmp/test_disk-XXXXXX";
static char image[64];

static void play(const char *script)
{
	char path[64], text[1024];

	(void)snprintf(path, sizeof(path), "%s/qemu-img", bin);
	(void)snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", script);
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0755), 0);
}

static int enter(void **state)
{
	char path[96];

	(void)state;
	assert_non_null(mkdtemp(bin));
	(void)snprintf(image, sizeof(image), "%s/image", bin);
	(void)snprintf(path, sizeof(path), "%s:/usr/bin:/bin", bin);
	return setenv("PATH", path, 1);
}

static int leave(void **state)
{
	char path[64];

	(void)state;
	(void)unlink(image);
	(void)snprintf(path, sizeof(path), "%s/qemu-img", bin);
	(void)unlink(path);
	return rmdir(bin);
}

#define SAYS(json) "echo '" json "'"
#define QCOW2_1M   SAYS("{\"format\":\"qcow2\",\"virtual-size\":1048576}")

/* Whatever it says, and however it ends. */
static void test_qemu_img(void **state)
{
	static const struct {
		const char *script;
		int error;
		const char *says;
	} rows[] = {
		{ QCOW2_1M, 0, "" },
		{ "test \"$*\" = \"info --output=json -f qcow2 -- $HOME\" && " QCOW2_1M, 0, "" },
		{ "echo 'Failed to get shared \"write\" lock' >&2; exit 1", -EBUSY,
			"is in use by a running QEMU" },
		{ "printf 'bad\\033[2J' >&2; exit 1", -EINVAL,
			"cannot be used as an image: bad\\x1b[2J" },
		{ "kill -9 $$", -EIO, "qemu-img info died of signal 9" },
		{ "yes", -EFBIG, "qemu-img info: File too large" },
		{ "echo '{'", -EBADMSG, "qemu-img's answer is not understood" },
		{ "true", -EBADMSG, "qemu-img's answer is not understood" },
		{ SAYS("{\"format\":\"vm\\u0007dk\"}"), -EMEDIUMTYPE, "of format vm\\x07dk;" },
	};
	const struct tick tick = { .fn = refuse };
	struct disk_info info = { 0 };
	struct reason reason;

	(void)state;
	(void)setenv("HOME", image, 1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		reason.text[0] = '\0';
		play(rows[i].script);
		info.virtual_bytes = 7;
		int r = disk_info(image, DISK_QCOW2, NULL, &info, &reason);
		if (r != rows[i].error || !strstr(reason.text, rows[i].says))
			fail_msg("row %zu: %d %s", i, r, reason.text);
		assert_int_equal(info.virtual_bytes, r < 0 ? 7 : 1048576);
	}
	play("sleep 100");
	assert_int_equal(disk_info(image, DISK_QCOW2, &tick, &info, &reason), -ECANCELED);
	const char *path = getenv("PATH");
	CLEANUP_FREE char *before = strdup(path);
	(void)setenv("PATH", "/nonexistent", 1);
	assert_int_equal(disk_info(image, DISK_QCOW2, NULL, &info, &reason), -ENOENT);
	assert_non_null(strstr(reason.text, "install the package qemu-utils"));
	assert_int_equal(disk_check(image, DISK_QCOW2, NULL, &reason), -ENOENT);
	(void)setenv("PATH", before, 1);
}

static void write_image(const void *start, size_t len, size_t size)
{
	CLEANUP_FREE uint8_t *bytes = calloc(1, size);

	assert_non_null(bytes);
	memcpy(bytes, start, len);
	assert_int_equal(file_write_atomic(image, bytes, size, 0600), 0);
}

/* The header is ours to judge before qemu-img sees the file; and its word counts where it sees what
 * we did not. */
static void test_inspect(void **state)
{
	static const char boot[] = "eb";
	static const uint8_t qcow2[104] = { 'Q', 'F', 'I', 0xfb, 0, 0, 0, 3 };
	static const struct {
		const char *more, *says;
	} rows[] = {
		{ "\"backing-filename\":\"/etc/passwd\"", "has a backing file" },
		{ "\"format-specific\":{\"data\":{\"data-file\":\"x\"}}",
			"keeps its data in an external file" },
		{ "\"encrypted\":true", "is encrypted" },
		{ "\"format-specific\":{\"data\":{\"corrupt\":true}}", "is marked corrupt" },
	};
	static const struct {
		size_t offset;
		const char *magic, *name;
	} others[] = { { 0, "KDMV", "vmdk" }, { 64, "\x7f\x10\xda\xbe", "vdi" },
		{ 0, "conectix", "vpc" }, { 0, "# Disk DescriptorFile", "vmdk" } };
	struct reason reason = { "" };
	struct disk_info info = { 0 };

	(void)state;
	write_image(qcow2, sizeof(qcow2), 4096);
	play(QCOW2_1M);
	assert_int_equal(disk_inspect(image, true, NULL, &info, &reason), 0);
	assert_int_equal(info.format, DISK_QCOW2);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char script[256];

		(void)snprintf(script, sizeof(script),
			"echo '{\"format\":\"qcow2\",\"virtual-size\":1,%s}'", rows[i].more);
		play(script);
		assert_int_equal(disk_inspect(image, true, NULL, &info, &reason), -EINVAL);
		assert_non_null(strstr(reason.text, rows[i].says));
	}
	/* Not asked at all: it would find out, and open what such a file names. */
	play("kill -9 $$");
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		char start[128] = "";

		memcpy(start + others[i].offset, others[i].magic, strlen(others[i].magic));
		write_image(start, sizeof(start), 1 << 20);
		assert_int_equal(disk_inspect(image, true, NULL, &info, &reason), -EMEDIUMTYPE);
		assert_non_null(strstr(reason.text, others[i].name));
	}
	play(SAYS("{\"format\":\"raw\",\"virtual-size\":1048576}"));
	write_image(boot, 2, 1 << 20);
	assert_int_equal(disk_inspect(image, true, NULL, &info, &reason), -EMEDIUMTYPE);
	assert_non_null(strstr(reason.text, "no boot sector"));
	assert_int_equal(disk_inspect(image, false, NULL, &info, &reason), 0);
	char sector[512] = "";
	memcpy(sector + 510, "\x55\xaa", 2);
	write_image(sector, sizeof(sector), 1 << 20);
	assert_int_equal(disk_inspect(image, true, NULL, &info, &reason), 0);
	write_image(sector, sizeof(sector), (1 << 20) + 1);
	assert_int_equal(disk_inspect(image, true, NULL, &info, &reason), -EMEDIUMTYPE);
	write_image(sector, sizeof(sector), 512);
	assert_int_equal(disk_inspect(image, true, NULL, &info, &reason), -EMEDIUMTYPE);
	assert_int_equal(disk_inspect(bin, true, NULL, &info, &reason), -EISDIR);
	/* It goes away between two looks at it. */
	play("rm -f " "\"$HOME\"; " SAYS("{\"format\":\"raw\",\"virtual-size\":1048576}"));
	assert_int_equal(disk_inspect(image, true, NULL, &info, &reason), -ENOENT);
	assert_non_null(strstr(reason.text, "cannot read"));
}

static void test_check_and_create(void **state)
{
	static const struct {
		const char *script;
		int error;
		const char *says;
	} checks[] = {
		{ "exit 0", 0, "" },
		{ "exit 3", 0, "" }, /* leaked clusters */
		{ "printf 'ERROR cluster 1\\nand more' >&2; exit 2", -EUCLEAN,
			"(qemu-img check: ERROR cluster 1" },
		{ "exit 1", -EUCLEAN, "(qemu-img check: errors found)" },
		{ "kill -9 $$", -EIO, "qemu-img check died of signal 9" },
	};
	struct reason reason = { "" };
	char path[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		play(checks[i].script);
		assert_int_equal(disk_check(image, DISK_QCOW2, NULL, &reason), checks[i].error);
		assert_non_null(strstr(reason.text, checks[i].says));
		assert_int_equal(disk_check(image, DISK_RAW, NULL, &reason), 0);
	}
	(void)snprintf(path, sizeof(path), "%s/disk", bin);
	play("for a; do last=$before; before=$a; done; echo \"$a\" >\"$last\"");
	assert_int_equal(
		disk_create_overlay(path, "base", DISK_RAW, 1024, NULL, &reason), 0);
	assert_int_equal(unlink(path), 0);
	/* Half of one is not left behind. */
	play("for a; do last=$before; before=$a; done; echo >\"$last\"; echo full >&2; exit 1");
	assert_int_equal(
		disk_create_overlay(path, "base", DISK_RAW, 1024, NULL, &reason), -EIO);
	assert_non_null(strstr(reason.text, "cannot make the disk"));
	assert_int_equal(access(path, F_OK), -1);
	/* One that says it did, and did not. */
	play("exit 0");
	assert_int_equal(
		disk_create_overlay(path, "base", DISK_QCOW2, 1024, NULL, &reason), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_info),
		cmocka_unit_test(test_info_limits),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_program),
		cmocka_unit_test(test_program_limits),
		cmocka_unit_test(test_program_feed),
		cmocka_unit_test(test_program_without),
		cmocka_unit_test(test_program_as_user),
		cmocka_unit_test(test_qemu_img),
		cmocka_unit_test(test_inspect),
		cmocka_unit_test(test_check_and_create),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
