/* SPDX-License-Identifier: Apache-2.0 */
/* The store on real files in a temporary directory, with the worker and the loop that the daemon
 * uses. */
/* LINK: base io/worker io/layout io/guestfiles io/filestore */
/* LIBS: libsystemd */
#include "io/filestore.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/macro.h"
#include "io/guestfiles.h"

#define GUEST "vm-mediakit"

struct scene {
	char dir[64];
	sd_event *event;
	struct worker_pool *pool;
	struct store *store;
};

static int setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	(void)snprintf(s->dir, sizeof(s->dir), "/tmp/test_filestore.XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	assert_int_equal(sd_event_new(&s->event), 0);
	assert_int_equal(worker_pool_new(s->event, &s->pool), 0);
	assert_int_equal(filestore_new(s->pool, s->dir, &s->store), 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;
	char command[128];

	if (s->store)
		s->store->vtable->destroy(s->store);
	worker_pool_free(s->pool);
	sd_event_unref(s->event);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", s->dir);
	assert_int_equal(system(command), 0);
	free(s);
	return 0;
}

static void destroy(struct scene *s)
{
	s->store->vtable->destroy(s->store);
	s->store = NULL;
}

static char *path_of(const struct scene *s, const char *guest, const char *file)
{
	static char path[256];

	(void)snprintf(path, sizeof(path), "%s/private/%s%s%s", s->dir, guest, file ? "/" : "",
		file ?: "");
	return path;
}

static void save(struct scene *s, const char *guest, const char *text)
{
	s->store->vtable->save(s->store, guest, text, strlen(text));
}

/* Turns the loop until nothing is on its way to the disk. */
static void run_loop(struct scene *s)
{
	while (!filestore_idle(s->store))
		assert_true(sd_event_run(s->event, USEC_PER_MINUTE) > 0);
}

static void assert_file(const char *path, const char *expected)
{
	CLEANUP_FREE char *text = NULL;

	assert_int_equal(file_read(path, 4 * 1024 * 1024, &text, NULL), 0);
	assert_string_equal(text, expected);
}

static void assert_loads(struct scene *s, const char *guest, const char *expected)
{
	CLEANUP_FREE char *text = NULL;
	size_t len;

	assert_int_equal(s->store->vtable->load(s->store, guest, &text, &len), 0);
	assert_int_equal(len, strlen(expected));
	assert_string_equal(text, expected);
}

static int load_error(struct scene *s, const char *guest)
{
	char *text = (char *)1;
	size_t len = 77;
	int r = s->store->vtable->load(s->store, guest, &text, &len);

	assert_true(r < 0);
	assert_ptr_equal(text, (char *)1);
	assert_int_equal(len, 77);
	return r;
}

static void test_save_and_load(void **state)
{
	struct scene *s = *state;
	struct stat st;

	assert_int_equal(load_error(s, GUEST), -ENOENT);
	save(s, GUEST, "one");
	save(s, "vm-intelligence", "other");
	run_loop(s);
	assert_loads(s, GUEST, "one");
	assert_loads(s, "vm-intelligence", "other");
	assert_int_equal(stat(path_of(s, GUEST, "state.json"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(path_of(s, GUEST, NULL), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_string_equal(s->store->vtable->trouble(s->store), "");
}

/* A thousand texts in one turn of the loop are at most three files: the first, perhaps one
 * between, and the last. */
static void test_last_text_wins(void **state)
{
	struct scene *s = *state;
	char text[32] = "";

	for (int i = 0; i < 1000; i++) {
		(void)snprintf(text, sizeof(text), "text %d", i);
		save(s, GUEST, text);
	}
	run_loop(s);
	assert_loads(s, GUEST, text);
}

static void test_destroy_writes(void **state)
{
	struct scene *s = *state;

	save(s, GUEST, "first");
	save(s, GUEST, "second");
	save(s, "vm-b", "b");
	s->store->vtable->console(s->store, "vm-c", "hello\n", 6);
	destroy(s);
	assert_file(path_of(s, GUEST, "state.json"), "second");
	assert_file(path_of(s, "vm-b", "state.json"), "b");
	assert_file(path_of(s, "vm-c", "console.log"), "hello\n");
}

static void test_console_appends(void **state)
{
	struct scene *s = *state;
	CLEANUP_FREE char *expected = malloc(200 * 8 + 1);
	char word[24];

	for (int i = 0; i < 200; i++) {
		(void)snprintf(word, sizeof(word), "line%03d\n", i);
		memcpy(expected + (size_t)i * 8, word, 9);
		s->store->vtable->console(s->store, GUEST, word, 8);
		if (i % 50 == 0)
			run_loop(s);
	}
	run_loop(s);
	assert_file(path_of(s, GUEST, "console.log"), expected);
}

static char *load_events(struct scene *s, const char *guest, size_t *ret_len)
{
	char *text = NULL;

	assert_int_equal(s->store->vtable->load_events(s->store, guest, &text, ret_len), 0);
	return text;
}

static void test_events_append(void **state)
{
	struct scene *s = *state;
	char *text;
	size_t len;

	assert_int_equal(s->store->vtable->load_events(s->store, GUEST, &text, &len), -ENOENT);
	s->store->vtable->event(s->store, GUEST, "{1}\n", 4);
	s->store->vtable->event(s->store, NULL, "{2}\n", 4);
	s->store->vtable->save(s->store, GUEST, "text", 4);
	s->store->vtable->event(s->store, GUEST, "{3}\n", 4);
	run_loop(s);
	assert_file(path_of(s, GUEST, "events.jsonl"), "{1}\n{3}\n");
	text = load_events(s, NULL, &len);
	assert_int_equal(len, 4);
	assert_memory_equal(text, "{2}\n", 4);
	free(text);
	/* Half a line, left by a crash: the next one does not lengthen it. */
	int fd = open(path_of(s, GUEST, "events.jsonl"), O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, "{4", 2), 2);
	close(fd);
	s->store->vtable->event(s->store, GUEST, "{5}\n", 4);
	run_loop(s);
	assert_file(path_of(s, GUEST, "events.jsonl"), "{1}\n{3}\n{4\n{5}\n");
}

static void test_events_rotate(void **state)
{
	const size_t chunk = 1000, n = 3 * EVENTS_FILE_MAX / chunk;
	struct scene *s = *state;
	char line[1001];
	struct stat st;
	size_t len;

	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(line, sizeof(line), "%0*u\n", (int)chunk - 1, i);
		assert_int_equal(guestfiles_append_events(s->dir, GUEST, line, chunk, false), 0);
	}
	assert_int_equal(stat(path_of(s, GUEST, "events.jsonl"), &st), 0);
	assert_in_range(st.st_size, 1, EVENTS_FILE_MAX);
	assert_int_equal(stat(path_of(s, GUEST, "events.jsonl.1"), &st), 0);
	assert_in_range(st.st_size, EVENTS_FILE_MAX / 2, EVENTS_FILE_MAX);
	/* The last bytes over both files, in order. */
	char *text = load_events(s, GUEST, &len);
	assert_int_equal(len, EVENTS_TAIL_MAX);
	assert_memory_equal(text + len - chunk, line, chunk);
	(void)snprintf(line, sizeof(line), "%0*u\n", (int)chunk - 1, (unsigned)n - 200);
	assert_memory_equal(text + len - 200 * chunk, line, chunk);
	free(text);
	/* The file is gone as after a rotation: the old one is read alone. */
	assert_int_equal(unlink(path_of(s, GUEST, "events.jsonl")), 0);
	free(load_events(s, GUEST, &len));
	assert_true(len > 0);
}

/* A disk that takes nothing: what waits is bounded, the state is written all the same, and a link
 * or a pipe put there is not followed. */
static void test_events_refused(void **state)
{
	struct scene *s = *state;
	char line[1000];
	char *text = NULL;
	size_t len;

	s->store->vtable->save(s->store, GUEST, "text", 4);
	run_loop(s);
	assert_int_equal(symlink("/dev/full", path_of(s, GUEST, "events.jsonl")), 0);
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (unsigned i = 0; i < 1000; i++)
		s->store->vtable->event(s->store, GUEST, line, sizeof(line));
	s->store->vtable->save(s->store, GUEST, "newer", 5);
	run_loop(s);
	assert_file(path_of(s, GUEST, "state.json"), "newer");
	assert_true(s->store->vtable->trouble(s->store)[0]);
	assert_int_equal(s->store->vtable->load_events(s->store, GUEST, &text, &len), -ELOOP);
	assert_int_equal(unlink(path_of(s, GUEST, "events.jsonl")), 0);
	assert_int_equal(mkfifo(path_of(s, GUEST, "events.jsonl"), 0600), 0);
	assert_int_equal(s->store->vtable->load_events(s->store, GUEST, &text, &len), -EINVAL);
	assert_int_equal(unlink(path_of(s, GUEST, "events.jsonl")), 0);
	s->store->vtable->event(s->store, GUEST, "{}\n", 3);
	run_loop(s);
	s->store->vtable->event(s->store, GUEST, "{}\n", 3);
	run_loop(s);
	assert_string_equal(s->store->vtable->trouble(s->store), "");
	assert_null(text);
}

static void test_console_rotates(void **state)
{
	struct scene *s = *state;
	const size_t chunk = 200 * 1024;
	CLEANUP_FREE char *data = malloc(chunk);
	struct stat log, old;

	memset(data, 'x', chunk);
	for (int i = 0; i < 12; i++) {
		s->store->vtable->console(s->store, GUEST, data, chunk);
		run_loop(s);
		assert_int_equal(stat(path_of(s, GUEST, "console.log"), &log), 0);
		assert_true(log.st_size <= (off_t)CONSOLE_FILE_MAX);
	}
	/* 5 x 200 KiB fit a file: 5 in the last rotated one, 2 in the present one. */
	assert_int_equal(stat(path_of(s, GUEST, "console.log.1"), &old), 0);
	assert_int_equal(old.st_size, 5 * chunk);
	assert_int_equal(log.st_size, 2 * chunk);
	assert_int_equal(log.st_mode & 07777, 0600);
}

/* More than the queue holds in one turn of the loop: bounded, and the log says how much went
 * missing. */
static void test_console_bounded(void **state)
{
	struct scene *s = *state;
	const size_t chunk = 100 * 1024;
	CLEANUP_FREE char *data = malloc(chunk);
	CLEANUP_FREE char *text = NULL;
	char mark[96];

	memset(data, 'x', chunk);
	/* The first goes to the worker at once, two wait, seven are dropped. */
	for (int i = 0; i < 10; i++)
		s->store->vtable->console(s->store, GUEST, data, chunk);
	run_loop(s);
	(void)snprintf(mark, sizeof(mark),
		"[mediakitd: %zu bytes of the serial line were not kept]", 7 * chunk);
	assert_int_equal(
		file_read(path_of(s, GUEST, "console.log"), CONSOLE_FILE_MAX, &text, NULL), 0);
	assert_non_null(strstr(text, mark));
	assert_in_range(strlen(text), 3 * chunk, 3 * chunk + sizeof(mark));
}

/* A directory where the file should be makes every write fail, also root's. */
static void test_trouble(void **state)
{
	struct scene *s = *state;
	const char *trouble;

	save(s, GUEST, "old");
	run_loop(s);
	assert_int_equal(mkdir(path_of(s, GUEST, "state.json.tmp"), 0700), 0);
	save(s, GUEST, "new");
	run_loop(s);
	trouble = s->store->vtable->trouble(s->store);
	assert_non_null(strstr(trouble, GUEST));
	assert_non_null(strstr(trouble, strerror(EEXIST)));
	assert_loads(s, GUEST, "old");

	/* One guest's trouble is not the other's, and does not hide behind its success. */
	save(s, "vm-b", "b");
	run_loop(s);
	assert_loads(s, "vm-b", "b");
	assert_non_null(strstr(s->store->vtable->trouble(s->store), GUEST));

	/* What failed is tried again with the next occasion, nothing having been saved anew. */
	assert_int_equal(rmdir(path_of(s, GUEST, "state.json.tmp")), 0);
	s->store->vtable->console(s->store, "vm-b", "x", 1);
	run_loop(s);
	assert_loads(s, GUEST, "new");
	assert_string_equal(s->store->vtable->trouble(s->store), "");
}

static void test_trouble_at_the_end(void **state)
{
	struct scene *s = *state;

	save(s, GUEST, "old");
	run_loop(s);
	assert_int_equal(mkdir(path_of(s, GUEST, "state.json.tmp"), 0700), 0);
	save(s, GUEST, "new");
	destroy(s);
	assert_file(path_of(s, GUEST, "state.json"), "old");
}

static void test_full_disk(void **state)
{
	struct scene *s = *state;
	int r;

	/* /dev/full is no regular file: refused before a byte is written. A log that is a link
	 * is not followed. */
	save(s, GUEST, "x");
	run_loop(s);
	assert_int_equal(symlink("/dev/full", path_of(s, GUEST, "console.log")), 0);
	r = guestfiles_append(s->dir, GUEST, "x", 1, 0);
	assert_int_equal(r, -ELOOP);
	assert_int_equal(unlink(path_of(s, GUEST, "console.log")), 0);
	assert_int_equal(mkfifo(path_of(s, GUEST, "console.log"), 0600), 0);
	r = guestfiles_append(s->dir, GUEST, "x", 1, 0);
	assert_true(r == -ENXIO || r == -EINVAL);
}

static void test_load_refuses(void **state)
{
	struct scene *s = *state;
	const char *path;
	CLEANUP_FREE char *big = calloc(1, STORE_TEXT_MAX + 2);
	CLEANUP_FREE char *text = NULL;
	size_t len;

	save(s, GUEST, "text");
	run_loop(s);
	path = path_of(s, GUEST, "state.json");

	memset(big, 'x', STORE_TEXT_MAX + 1);
	assert_int_equal(file_write_atomic(path, big, STORE_TEXT_MAX + 1, 0600), 0);
	assert_int_equal(load_error(s, GUEST), -EFBIG);
	assert_int_equal(file_write_atomic(path, big, STORE_TEXT_MAX, 0600), 0);
	assert_int_equal(s->store->vtable->load(s->store, GUEST, &text, &len), 0);
	assert_int_equal(len, STORE_TEXT_MAX);

	if (geteuid() == 0) {
		assert_int_equal(chown(path, 65534, 65534), 0);
		assert_int_equal(load_error(s, GUEST), -EPERM);
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(load_error(s, GUEST), -ELOOP);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(load_error(s, GUEST), -EINVAL);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(load_error(s, GUEST), -EINVAL);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(load_error(s, GUEST), -ENOENT);
	assert_int_equal(load_error(s, "../" GUEST), -EINVAL);
	assert_int_equal(load_error(s, ""), -EINVAL);
}

static void put_aside(struct scene *s, int error, const char *expected)
{
	char words[320];

	assert_int_equal(load_error(s, GUEST), error);
	assert_int_equal(s->store->vtable->put_aside(s->store, GUEST, words, sizeof(words)), 0);
	if (!strstr(words, expected) || !strstr(words, "/state.json (") ||
		!strstr(words, "is kept as state.json.bad"))
		fail_msg("%s: not %s", words, expected);
	assert_int_equal(load_error(s, GUEST), -ENOENT);
}

static ino_t inode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_ino;
}

/* Whatever stands where the state should be is kept as it is, the last one only; then a state can
 * be saved again, and is written into nothing that was there. */
static void test_put_aside(void **state)
{
	struct scene *s = *state;
	char target[128], bad[256], path[256];

	(void)snprintf(path, sizeof(path), "%s", path_of(s, GUEST, "state.json"));
	(void)snprintf(bad, sizeof(bad), "%s", path_of(s, GUEST, "state.json.bad"));
	(void)snprintf(target, sizeof(target), "%s/target", s->dir);
	save(s, GUEST, "text");
	run_loop(s);
	assert_int_equal(file_write_atomic(target, "not ours", 8, 0600), 0);

	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(target, path), 0);
	put_aside(s, -ELOOP, "a symbolic link of uid ");
	save(s, GUEST, "after a link");
	run_loop(s);
	assert_file(path, "after a link");
	assert_file(target, "not ours");

	/* A link that nobody looked at before is not written through either. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(target, path), 0);
	save(s, GUEST, "in its place");
	run_loop(s);
	assert_file(path, "in its place");
	assert_file(target, "not ours");
	(void)unlink(path_of(s, GUEST, "state.json.tmp"));
	assert_int_equal(symlink(target, path_of(s, GUEST, "state.json.tmp")), 0);
	save(s, GUEST, "beside a link");
	run_loop(s);
	assert_file(path, "beside a link");
	assert_file(target, "not ours");

	if (geteuid() == 0) {
		assert_int_equal(chown(path, 65534, 65534), 0);
		ino_t of_other = inode_of(path);
		put_aside(s, -EPERM, "a file of uid 65534, mode 0600");
		assert_int_equal(inode_of(bad), of_other);
	}
	(void)unlink(path);
	assert_int_equal(mkfifo(path, 0640), 0);
	put_aside(s, -EINVAL, "no regular file of uid ");
	/* In place of what is kept there, though a directory does not go over a file. */
	assert_int_equal(mkdir(path, 0750), 0);
	put_aside(s, -EINVAL, "a directory of uid ");
	save(s, GUEST, "all is well");
	run_loop(s);
	assert_loads(s, GUEST, "all is well");
	assert_string_equal(s->store->vtable->trouble(s->store), "");
}

static void test_cannot_put_aside(void **state)
{
	struct scene *s = *state;
	char words[320] = "x", bad[256];

	save(s, GUEST, "text");
	run_loop(s);
	(void)snprintf(bad, sizeof(bad), "%s", path_of(s, GUEST, "state.json.bad"));
	assert_int_equal(mkdir(bad, 0700), 0);
	assert_int_equal(
		s->store->vtable->put_aside(s->store, GUEST, words, sizeof(words)), -EISDIR);
	assert_non_null(strstr(words, "a file of uid "));
	assert_non_null(strstr(words, "cannot be moved away: Is a directory; do it by hand"));
	/* It goes on all the same. */
	save(s, GUEST, "new");
	run_loop(s);
	assert_loads(s, GUEST, "new");
	assert_int_equal(
		s->store->vtable->put_aside(s->store, "../" GUEST, words, sizeof(words)), -ENOMEM);
}

/* What a person reads of a directory that cannot be written: which, whose, and what to do. */
static void test_trouble_words(void **state)
{
	static const struct {
		int error;
		const char *words;
	} rows[] = {
		{ -EACCES, "mode 0700): Permission denied; give it and what is in it to uid " },
		{ -EPERM, "): Operation not permitted; give it " },
		{ -ENOSPC, ": No space left on device; free some there" },
		{ -EDQUOT, "; free some there" },
		{ -EROFS, ": Read-only file system; mount it writable" },
		{ -EIO, ": Input/output error" },
	};
	struct scene *s = *state;
	char words[256], dir[128];

	save(s, GUEST, "text");
	run_loop(s);
	(void)snprintf(dir, sizeof(dir), "cannot write in %s/private/" GUEST, s->dir);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		guestfiles_trouble(s->dir, GUEST, rows[i].error, words, sizeof(words));
		assert_memory_equal(words, dir, strlen(dir));
		if (!strstr(words, rows[i].words))
			fail_msg("%s: not %s", words, rows[i].words);
	}
	/* The daemon's own. */
	guestfiles_trouble("/nowhere", "", -EACCES, words, sizeof(words));
	assert_non_null(strstr(words, "in /nowhere (which cannot be looked at): Permission"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_save_and_load),
		TEST(test_last_text_wins),
		TEST(test_destroy_writes),
		TEST(test_console_appends),
		TEST(test_console_rotates),
		TEST(test_events_append),
		TEST(test_events_rotate),
		TEST(test_events_refused),
		TEST(test_console_bounded),
		TEST(test_trouble),
		TEST(test_trouble_at_the_end),
		TEST(test_full_disk),
		TEST(test_load_refuses),
		TEST(test_put_aside),
		TEST(test_cannot_put_aside),
		TEST(test_trouble_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
