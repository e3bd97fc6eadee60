/* SPDX-License-Identifier: Apache-2.0 */
/* A base that cannot be held against its record, for want of memory or of a file that can be read:
 * that is told, and it is neither taken for unchanged nor for another. */
/* LINK: base model io/layout io/digest io/record io/basecheck io/disk io/program */
/* LIBS: jansson nettle libcbor inih libsystemd */
#include "alloc_fail.h"
#include "call_fail.h"
#include "open_files.h"

#include "io/basecheck.h"

#include <string.h>

#include "base/file.h"
#include "base/macro.h"
#include "io/layout.h"

#define BASE "base-0123456789abcdef.qcow2"

static char dir[64], base[128], path[128], *fresh;
static unsigned n_told;

static void shell(const char *what)
{
	char command[256];

	(void)snprintf(command, sizeof(command), "cd %s && %s", dir, what);
	assert_int_equal(system(command), 0);
}

/* The base is as its record says, but for its time. */
static int setup(void **state)
{
	struct record record = { .base = BASE, .format = DISK_QCOW2 };

	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/test_basecheck-XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(base, sizeof(base), "%s/images/vm/" BASE, dir);
	(void)snprintf(path, sizeof(path), "%s/private/vm/provision.json", dir);
	shell("mkdir -p images/vm private/vm; printf 'a base' >images/vm/" BASE);
	digest_buffer("a base", 6, record.sha256);
	assert_int_equal(record_write(path, &record, 0), 1);
	return file_read(path, 65536, &fresh, NULL);
}

static int teardown(void **state)
{
	(void)state;
	free(fresh);
	shell("rm -rf -- \"$PWD\"");
	return 0;
}

static struct record seen;
static struct reason reason;

static int check(void)
{
	memset(&reason, 0, sizeof(reason));
	return basecheck_guest(dir, "vm", NULL, &seen, &reason);
}

/* Whether the record has been given the base's time: it is then not read a second time. */
static bool is_noted(void)
{
	struct record record = { 0 };
	struct stat st;

	assert_int_equal(record_read(path, &record), 0);
	assert_int_equal(stat(base, &st), 0);
	return basecheck_unchanged(&record, &st);
}

static void test_hashed_and_noted(void **state)
{
	(void)state;
	assert_false(is_noted());
	assert_int_equal(check(), 1);
	assert_true(is_noted());
	assert_int_equal(check(), 0);
}

/* Something is there by that name; what it holds cannot be known. */
static void test_cannot_read(void **state)
{
	(void)state;
	shell("rm images/vm/" BASE "; mkdir images/vm/" BASE);
	assert_true(check() < 0);
	assert_non_null(strstr(reason.text, "cannot read "));
	assert_non_null(strstr(reason.text, base));
	assert_false(is_noted());
}

/* As much of a qcow2 as tells whether another image is under it. */
static void put_disk(uint8_t backing_at)
{
	uint8_t header[104] = { 'Q', 'F', 'I', 0xfb, [7] = 3, [15] = backing_at };
	char disk[128];

	(void)snprintf(disk, sizeof(disk), "%s/images/vm/disk.qcow2", dir);
	assert_int_equal(file_write_atomic(disk, header, sizeof(header), 0600), 0);
}

/* Whatever became of the base is no matter to a disk that stands on none. */
static void test_disk_that_stands_alone(void **state)
{
	(void)state;
	put_disk(0);
	shell("printf 'a Base' >images/vm/" BASE);
	assert_int_equal(check(), 0);
	put_disk(112);
	assert_int_equal(check(), -EBADMSG);
	shell("rm images/vm/" BASE);
	assert_int_equal(check(), -ENOENT);
	put_disk(0);
	assert_int_equal(check(), 0);
	assert_false(reason.text[0]);
	/* What is no qcow2, or not even its header, says nothing of that. */
	shell("printf 'QFI' >images/vm/disk.qcow2");
	assert_int_equal(check(), -ENOENT);
	shell("head -c 200 /dev/zero >images/vm/disk.qcow2");
	assert_int_equal(check(), -ENOENT);
}

/* As the record was before anybody looked. */
static void forget(void)
{
	assert_int_equal(file_write_atomic(path, fresh, strlen(fresh), 0600), 0);
	assert_false(is_noted());
}

/* The same content, an error that is told, or no record. What was hashed and could not be noted is
 * hashed once more. */
static void judge(int r, bool failed, int error)
{
	if (r < 0) {
		assert_true(failed);
		assert_int_equal(r, error);
		assert_false(is_noted());
	} else if (r == 0) {
		assert_true(failed);
		assert_string_equal(seen.sha256, "");
		assert_false(is_noted());
	} else {
		assert_string_equal(seen.base, BASE);
		assert_true(failed || is_noted());
	}
}

static void check_without_memory(void *userdata)
{
	(void)userdata;
	forget();
	alloc_arm();
	int r = check();
	bool failed = alloc_disarm();
	n_told += r == -ENOMEM;
	judge(r, failed, -ENOMEM);
}

static void test_without_memory(void **state)
{
	(void)state;
	n_told = 0;
	alloc_sweep(check_without_memory, NULL, 20);
	/* The record's path, the directory's, the base's, and the buffer that it is read by. */
	if (ALLOC_COUNTS)
		assert_true(n_told >= 4);
}

static void test_calls_that_fail(void **state)
{
	const unsigned before = open_files();
	bool failed = true;
	long n;

	(void)state;
	n_told = 0;
	for (n = 0; failed; n++) {
		forget();
		calls_arm(n, EIO);
		int r = check();
		failed = calls_disarm();
		judge(r, failed, -EIO);
		n_told += r == -EIO;
		assert_int_equal(r < 0, reason.text[0] != '\0');
	}
	assert_true(n > 10);
	assert_int_equal(n_told, 4); /* to look, to open, and twice to read */
	assert_int_equal(open_files(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hashed_and_noted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cannot_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_disk_that_stands_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_calls_that_fail, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
