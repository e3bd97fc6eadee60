/* SPDX-License-Identifier: Apache-2.0 */
/* What is replaced is kept, whatever fails on the way, and how often it is replaced. */
/* LINK: base model io/layout io/digest io/record io/disk io/program cli/provision_aside */
/* LIBS: inih libcbor jansson libsystemd nettle */
#include "alloc_fail.h"
#include "call_fail.h"

#include "provision_world.h"

#define DISK      "images/vm/disk.qcow2"
#define TEMPORARY "images/vm/disk.tmp"

/* The path of what is to take its place. */
static const char *begin_with_disk(const char *content)
{
	begin();
	put(DISK, content);
	put(TEMPORARY, "a new disk");
	job.old_disk = true;
	return path_of(TEMPORARY);
}

static void assert_count(const char *words, unsigned n)
{
	char command[128];

	(void)snprintf(
		command, sizeof(command), "test $(grep -lx '%s' " DISK "* | wc -l) = %u", words, n);
	shell(command);
}

static void test_twice_in_a_second(void **state)
{
	char content[32];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		(void)snprintf(content, sizeof(content), "ledger %u", i);
		const char *temporary = begin_with_disk(content);

		assert_int_equal(provision_put_disk(&job, temporary), 0);
		shell("grep -qx 'a new disk' " DISK);
	}
	for (unsigned i = 0; i < 4; i++) {
		(void)snprintf(content, sizeof(content), "ledger %u", i);
		assert_count(content, 1);
	}
	assert_non_null(strstr(notes, "the old disk is kept as "));
}

static void test_calls_that_fail(void **state)
{
	bool failed = true;
	unsigned n_told = 0, n_new = 0;

	(void)state;
	for (long n = 0; failed; n++) {
		const char *temporary = begin_with_disk("ledger");

		calls_arm(n, EIO);
		int r = provision_put_disk(&job, temporary);
		failed = calls_disarm();
		assert_int_equal(r, failed ? -EIO : 0);
		/* Once, under one name or the other, and if under the other it is said which. */
		assert_count("ledger", 1);
		bool is_new = !there(TEMPORARY);
		assert_int_equal(is_new, strstr(notes, "is kept as ") != NULL);
		n_told += r < 0;
		n_new += is_new;
		shell("rm -f images/vm/*");
	}
	assert_int_equal(n_told, 3); /* to open the directory, to rename, to sync */
	assert_int_equal(n_new, 2);
}

static void put_without_memory(void *userdata)
{
	(void)userdata;

	const char *temporary = begin_with_disk("ledger");

	alloc_arm();
	int r = provision_put_disk(&job, temporary);
	bool failed = alloc_disarm();
	assert_short_of_memory(r, failed);
	assert_count("ledger", 1);
	shell("rm -f images/vm/*");
}

static void test_without_memory(void **state)
{
	(void)state;
	alloc_sweep(put_without_memory, NULL, 2);
}

#define BASE "base-0123456789abcdef.qcow2"

/* A base that was changed is kept, whether a new one takes its name or none does; what is none has
 * no second name. */
static void test_base(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		const char *temporary = begin_with_disk("ledger");

		shell("printf bad >images/vm/" BASE);
		if (i > 0)
			memcpy(job.bad_base, BASE, sizeof(BASE));
		if (i < 2)
			assert_int_equal(provision_put_base(&job, temporary, BASE), 0);
		assert_int_equal(provision_drop_bad_base(&job), 0);
		assert_string_equal(job.bad_base, "");
		assert_int_equal(there("images/vm/" BASE), i < 2);
		if (i < 2)
			shell("grep -qx 'a new disk' images/vm/" BASE);
		if (i == 0)
			shell("! ls images/vm/" BASE ".*");
		else
			shell("grep -qx bad images/vm/" BASE ".bad-*");
		shell("grep -qx ledger " DISK);
		shell("rm -f images/vm/*");
	}
	/* One that is gone meanwhile. */
	begin();
	memcpy(job.bad_base, BASE, sizeof(BASE));
	assert_told(provision_drop_bad_base(&job), -ENOENT, "cannot keep the base that was ");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_twice_in_a_second),
		TEST(test_calls_that_fail),
		TEST(test_base),
		TEST(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
