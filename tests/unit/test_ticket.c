/* SPDX-License-Identifier: Apache-2.0 */
/* A save's ticket on real files: it fits only what it was written for, and is gone once it was
 * looked at. */
/* LINK: base/file base/time base/parse io/ticket io/filesaves io/worker io/layout model/jsontext */
/* LIBS: jansson libsystemd */
#include "ticket_bed.h"

#include "base/macro.h"
#include "io/layout.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int setup(void **state)
{
	(void)state;
	make_bed();
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
	CLEANUP_FREE char *path = layout_path(dir, "vm", LAYOUT_SAVED);

	return access(path, F_OK) == 0;
}

static void keep(void)
{
	struct save_news news;

	ticket_keep(dir, "vm", &made, &news);
	assert_int_equal(news.error, 0);
	assert_true(there());
}

/* What it says, and that it says nothing a second time. */
static struct save_news take(int error)
{
	struct save_news news, again;

	ticket_take(dir, "vm", &news);
	assert_int_equal(news.error, error);
	assert_false(there());
	ticket_take(dir, "vm", &again);
	assert_int_equal(again.error, -ENOENT);
	return news;
}

static void test_fits_once(void **state)
{
	struct save_news news;

	(void)state;
	(void)take(-ENOENT);
	keep();
	news = take(0);
	assert_string_equal(news.made.xml_sha256, made.xml_sha256);
	assert_string_equal(news.made.boot_id, made.boot_id);
	assert_int_equal(news.made.version, made.version);
	assert_int_equal(news.made.at_realtime, made.at_realtime);
}

static void test_other_files(void **state)
{
	static const struct {
		const char *what, *says;
	} rows[] = {
		{ "echo more >>images/vm/disk.qcow2", "its disk was written to since" },
		{ "touch images/vm/disk.qcow2", "its disk was written to since" },
		{ "cp -p images/vm/disk.qcow2 x && mv x images/vm/disk.qcow2",
			"its disk is another file" },
		{ "rm images/vm/disk.qcow2", "its disk is gone" },
		{ "touch images/vm/seed.iso", "its seed was written to since" },
		{ "touch images/vm/vmlinuz", "its kernel was not there" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		(void)setup(state);
		keep();
		shell(rows[i].what);
		struct save_news news = take(-ESTALE);
		assert_string_equal(news.reason.text, rows[i].says);
		(void)teardown(state);
	}
	(void)setup(state);
}

static void test_unreadable(void **state)
{
	static const char *const rows[] = {
		": >private/vm/saved.json",
		"echo '{}' >private/vm/saved.json",
		"echo '[1]' >private/vm/saved.json",
		"sed -i 's/\"version\": 1/\"version\": 2/' private/vm/saved.json",
		"sed -i 's/7002022/\"7\"/' private/vm/saved.json",
		"sed -i 's/7002022/-1/' private/vm/saved.json",
		"sed -i 's/abc/'$(printf %0200d 0)'/' private/vm/saved.json",
		"truncate -s 100 private/vm/saved.json",
		"rm private/vm/saved.json; ln -s ../../images/vm/seed.iso private/vm/saved.json",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct save_news news;

		keep();
		shell(rows[i]);
		ticket_take(dir, "vm", &news);
		if (news.error >= 0 || news.error == -ENOENT)
			fail_msg("%s: %d", rows[i], news.error);
		assert_string_not_equal(news.reason.text, "");
		assert_false(there());
	}
	/* No word of the files is no proof of them. */
	keep();
	shell("sed -i 's/\"disk\"/\"dusk\"/' private/vm/saved.json");
	assert_string_equal(take(-ESTALE).reason.text, "its disk is not in its record");
}

static void test_no_room(void **state)
{
	struct save_news news;

	(void)state;
	shell("rm -rf private/vm");
	ticket_keep(dir, "vm", &made, &news);
	assert_int_equal(news.error, -ENOENT);
	assert_non_null(strstr(news.reason.text, "private/vm/saved.json: No such file"));
}

/* Files that cannot be looked at are not taken for those that were there, nor for none. */
static void test_cannot_look(void **state)
{
	struct save_news news;

	(void)state;
	keep();
	shell("rm -r images/vm; : >images/vm");
	assert_string_equal(
		take(-ENOTDIR).reason.text, "its disk cannot be looked at: Not a directory");
	ticket_keep(dir, "vm", &made, &news);
	assert_int_equal(news.error, -ENOTDIR);
	assert_false(there());
}

/* A ticket that stays could be used twice. */
static void test_cannot_take(void **state)
{
	struct save_news news;

	(void)state;
	shell("mkdir private/vm/saved.json");
	ticket_take(dir, "vm", &news);
	assert_int_equal(news.error, -EISDIR);
	assert_non_null(strstr(news.reason.text, "could be used twice"));
	assert_true(there());
}

static void never(void *userdata, const struct save_news *news, usec_t now)
{
	(void)userdata;
	(void)news;
	(void)now;
	fail();
}

/* A ticket whose writing nobody waits for any more is not there: the guest's lock may be somebody
 * else's by then, and the disk another. */
static void test_given_up(void **state)
{
	struct worker_pool *pool;
	struct saves *saves;
	sd_event *event;

	(void)state;
	keep();
	assert_int_equal(sd_event_new(&event), 0);
	assert_int_equal(worker_pool_new(event, &pool), 0);
	assert_int_equal(filesaves_new(pool, dir, &saves), 0);
	assert_int_equal(saves->vtable->keep(saves, "vm", &made, never, NULL), 0);
	saves->vtable->destroy(saves);
	worker_pool_free(pool);
	sd_event_unref(event);
	for (unsigned i = 0; there() && i < 1000; i++)
		(void)usleep(10 * 1000);
	assert_false(there());
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_fits_once),
		TEST(test_other_files),
		TEST(test_unreadable),
		TEST(test_no_room),
		TEST(test_cannot_look),
		TEST(test_cannot_take),
		TEST(test_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
