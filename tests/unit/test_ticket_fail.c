/* SPDX-License-Identifier: Apache-2.0 */
/* A save's ticket when an allocation or a system call fails, each in turn: a ticket that is half
 * written is none, and one is good only where it is gone for certain, or it could be used twice. */
/* LINK: base/file base/time base/parse io/ticket io/layout model/jsontext */
/* LIBS: jansson libsystemd */
#include "alloc_fail.h"
#include "call_fail.h"
#include "open_files.h"
#include "ticket_bed.h"

#include <string.h>

#include "base/macro.h"
#include "io/layout.h"

CALL(int, unlink, (const char *path), SYS_unlinkat, AT_FDCWD, path, 0)

static char saved[128];

static int setup(void **state)
{
	(void)state;
	make_bed();
	(void)snprintf(saved, sizeof(saved), "%s/private/vm/saved.json", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	shell("rm -rf -- \"$PWD\"");
	return 0;
}

static bool there(void)
{
	return access(saved, F_OK) == 0;
}

/* A failure is told, and where, and nothing is left of it; what is kept is whole. */
static void judge_kept(const struct save_news *news, int error)
{
	struct save_news taken;

	assert_true(news->error == 0 || news->error == error);
	assert_int_equal(news->error < 0, news->reason.text[0] != '\0');
	if (news->error < 0)
		assert_non_null(strstr(news->reason.text, strerror(-error)));
	ticket_take(dir, "vm", &taken);
	assert_int_equal(taken.error, news->error < 0 ? -ENOENT : 0);
	if (news->error == 0)
		assert_string_equal(taken.made.boot_id, made.boot_id);
	assert_false(there());
}

/* Good, and gone; or not good, and where it stays the reason says so. */
static void judge_taken(const struct save_news *news, int error)
{
	assert_true(news->error == 0 || news->error == error);
	assert_int_equal(news->error < 0, news->reason.text[0] != '\0');
	if (news->error == 0)
		assert_false(there());
	if (there() && !strstr(news->reason.text, "could be used twice"))
		assert_string_equal(news->reason.text, "out of memory");
}

static void keep(void)
{
	struct save_news news;

	ticket_keep(dir, "vm", &made, &news);
	assert_int_equal(news.error, 0);
	assert_true(there());
}

/* Memory runs out, and asprintf() comes through where only what it wished for was not there. */
static void told_without_memory(const struct save_news *news)
{
	bool failed = alloc_disarm();

	if (!failed)
		assert_int_equal(news->error, 0);
	else if (alloc.next == 0 && !alloc.once)
		assert_int_equal(news->error, -ENOMEM);
}

static void keep_without_memory(void *userdata)
{
	struct save_news news;

	(void)userdata;
	alloc_arm();
	ticket_keep(dir, "vm", &made, &news);
	told_without_memory(&news);
	judge_kept(&news, -ENOMEM);
}

static void take_without_memory(void *userdata)
{
	struct save_news news;

	(void)userdata;
	keep();
	alloc_arm();
	ticket_take(dir, "vm", &news);
	told_without_memory(&news);
	judge_taken(&news, -ENOMEM);
}

/* What cannot be dropped stays, and the next take finds it. */
static void drop_without_memory(void *userdata)
{
	(void)userdata;
	keep();
	alloc_arm();
	ticket_drop(dir, "vm");
	if (!alloc_disarm())
		assert_false(there());
	else if (alloc.next == 0 && !alloc.once)
		assert_true(there());
}

static void test_without_memory(void **state)
{
	(void)state;
	alloc_sweep(keep_without_memory, NULL, 20);
	alloc_sweep(take_without_memory, NULL, 20);
	alloc_sweep(drop_without_memory, NULL, 2);
}

static void test_calls_that_fail(void **state)
{
	const unsigned before = open_files();
	bool failed = true;
	long n, told = 0;

	(void)state;
	for (n = 0; failed; n++) {
		struct save_news news;

		calls_arm(n, EIO);
		ticket_keep(dir, "vm", &made, &news);
		failed = calls_disarm();
		judge_kept(&news, -EIO);
		told += news.error < 0;
	}
	assert_int_equal(told, n - 2); /* all but the removal of an old temporary file */
	for (n = 0, failed = true; failed; n++) {
		struct save_news news;

		keep();
		calls_arm(n, EIO);
		ticket_take(dir, "vm", &news);
		failed = calls_disarm();
		assert_int_equal(news.error, failed ? -EIO : 0);
		judge_taken(&news, -EIO);
	}
	assert_true(n > 9);
	assert_int_equal(open_files(), before);
}

/* Gone, and perhaps back after a power cut: that is no ticket that was taken. */
static void test_not_gone_for_certain(void **state)
{
	struct save_news news;
	unsigned gone = 0;
	bool failed = true;

	(void)state;
	for (long n = 0; failed; n++) {
		keep();
		calls_arm(n, EIO);
		ticket_take(dir, "vm", &news);
		failed = calls_disarm();
		if (failed && !there() && strstr(news.reason.text, "could be used twice"))
			gone++;
	}
	assert_int_equal(news.error, 0);
	assert_int_equal(gone, 2); /* the directory's opening, and its syncing */
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_without_memory),
		TEST(test_calls_that_fail),
		TEST(test_not_gone_for_certain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
