/* SPDX-License-Identifier: Apache-2.0 */
/* A base held against its record, on real files, by the worker and the loop the daemon uses. */
/* LINK: base model io/worker io/layout io/digest io/record io/basecheck io/filebases io/disk io/program */
/* LIBS: libsystemd jansson nettle libcbor inih */
#include "io/filebases.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/file.h"
#include "io/basecheck.h"

#define GUEST "vm-mediakit"
#define BASE  "base-0123456789abcdef.qcow2"

struct scene {
	char dir[64], base[160], record[160];
	sd_event *event;
	struct worker_pool *pool;
	struct bases *bases;
	struct base_news news;
	unsigned answers;
};

static void shell(const char *format, const char *a)
{
	char command[256];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(command, sizeof(command), format, a);
#pragma GCC diagnostic pop
	assert_int_equal(system(command), 0);
}

static void write_base(struct scene *s, const char *text)
{
	assert_int_equal(file_write_atomic(s->base, text, strlen(text), 0644), 0);
}

/* As `provision` leaves it. */
static int setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	struct record record = { .base = BASE, .glibc = "2.41-12", .format = DISK_QCOW2 };
	struct stat st;

	assert_non_null(s);
	(void)snprintf(s->dir, sizeof(s->dir), "/tmp/test_filebases.XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	shell("mkdir -p '%s'/images/" GUEST, s->dir);
	shell("mkdir -p '%s'/private/" GUEST, s->dir);
	(void)snprintf(s->base, sizeof(s->base), "%s/images/" GUEST "/" BASE, s->dir);
	(void)snprintf(s->record, sizeof(s->record), "%s/private/" GUEST "/provision.json", s->dir);
	write_base(s, "a base");
	digest_buffer("a base", 6, record.sha256);
	assert_int_equal(stat(s->base, &st), 0);
	basecheck_hashed(&record, &st);
	assert_int_equal(record_write(s->record, &record, 0), 1);
	assert_int_equal(sd_event_new(&s->event), 0);
	assert_int_equal(worker_pool_new(s->event, &s->pool), 0);
	assert_int_equal(filebases_new(s->pool, s->dir, &s->bases), 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;

	s->bases->vtable->destroy(s->bases);
	worker_pool_free(s->pool);
	sd_event_unref(s->event);
	shell("rm -rf '%s'", s->dir);
	free(s);
	return 0;
}

static void answered(void *userdata, const struct base_news *news, usec_t now)
{
	struct scene *s = userdata;

	(void)now;
	s->news = *news;
	s->answers++;
}

static const struct base_news *look(struct scene *s, bool check)
{
	unsigned before = s->answers;

	assert_int_equal(s->bases->vtable->look(s->bases, GUEST, check, answered, s), 0);
	assert_int_equal(s->answers, before);
	for (unsigned i = 0; s->answers == before && i < 100; i++)
		assert_true(sd_event_run(s->event, 10 * USEC_PER_SEC) >= 0);
	assert_int_equal(s->answers, before + 1);
	return &s->news;
}

static void touch(struct scene *s)
{
	const struct timespec times[2] = { { 1, 0 }, { 1, 0 } };

	assert_int_equal(utimensat(AT_FDCWD, s->base, times, 0), 0);
}

/* Not read again while nothing changed; read once where the time did, and then not again. */
static void test_hashed_when_changed(void **state)
{
	struct scene *s = *state;
	const struct base_news *news = look(s, true);

	assert_int_equal(news->error, 0);
	assert_false(news->hashed);
	assert_string_equal(news->glibc, "2.41-12");
	touch(s);
	news = look(s, true);
	assert_int_equal(news->error, 0);
	assert_true(news->hashed);
	news = look(s, true);
	assert_int_equal(news->error, 0);
	assert_false(news->hashed);
	write_base(s, "a base"); /* the same bytes and time in another inode */
	touch(s);
	assert_true(look(s, true)->hashed);
}

static void test_changed(void **state)
{
	struct scene *s = *state;
	CLEANUP_FREE char *before = NULL, *after = NULL;

	assert_int_equal(file_read(s->record, 65536, &before, NULL), 0);
	write_base(s, "a Base");
	for (unsigned i = 0; i < 2; i++) {
		const struct base_news *news = look(s, true);

		assert_int_equal(news->error, -EBADMSG);
		assert_non_null(strstr(news->reason.text, BASE " has been changed"));
		assert_non_null(strstr(news->reason.text, "--replace-disk=" GUEST));
	}
	/* A refusal changes nothing, so that the next look refuses, too. */
	assert_int_equal(file_read(s->record, 65536, &after, NULL), 0);
	assert_string_equal(before, after);
	/* Reading what is recorded is no check. */
	assert_int_equal(look(s, false)->error, 0);
	assert_int_equal(unlink(s->base), 0);
	const struct base_news *news = look(s, true);
	assert_int_equal(news->error, -ENOENT);
	assert_non_null(strstr(news->reason.text, "put it back"));
}

/* The size alone, with the old time and inode. */
static void test_grown(void **state)
{
	struct scene *s = *state;
	struct stat st;
	int fd = open(s->base, O_WRONLY | O_APPEND | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(write(fd, "x", 1), 1);
	const struct timespec times[2] = { st.st_atim, st.st_mtim };
	assert_int_equal(futimens(fd, times), 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(look(s, true)->error, -EBADMSG);
}

/* Without a record, or with one that makes no sense, nothing is known and nothing is refused. */
static void test_unrecorded(void **state)
{
	struct scene *s = *state;

	assert_int_equal(file_write_atomic(s->record, "{", 1, 0600), 0);
	assert_int_equal(look(s, true)->error, 0);
	assert_string_equal(s->news.glibc, "");
	assert_int_equal(unlink(s->record), 0);
	assert_int_equal(look(s, true)->error, 0);
	assert_int_equal(look(s, false)->error, 0);
	assert_string_equal(s->news.glibc, "");
}

/* The disk has the same words until it is another file, or stands on another base. */
static void test_disk_is_told(void **state)
{
	struct scene *s = *state;
	char first[BASES_DISK_TEXT], path[160], other[168];

	assert_string_equal(look(s, false)->disk, "0 " BASE); /* none yet */
	(void)snprintf(path, sizeof(path), "%s/images/" GUEST "/disk.qcow2", s->dir);
	(void)snprintf(other, sizeof(other), "%s.new", path);
	assert_int_equal(file_write_atomic(path, "1", 1, 0600), 0);
	memcpy(first, look(s, false)->disk, sizeof(first));
	assert_non_null(strstr(first, " " BASE));
	assert_int_equal(file_write_atomic(other, "2", 1, 0600), 0);
	assert_string_equal(look(s, true)->disk, first);
	assert_int_equal(rename(other, path), 0);
	assert_string_not_equal(look(s, false)->disk, first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hashed_when_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_grown, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unrecorded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_disk_is_told, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
