/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's files when a system call or an allocation fails, each in turn: an error is told, the
 * old text stands or the new one does, nothing is lost or left open, and the next try succeeds. */
/* LINK: base io/layout io/guestfiles io/qemulog */
/* LIBS: libsystemd */
#include "alloc_fail.h"
#include "call_fail.h"
#include "open_files.h"

#include <string.h>

#include "base/file.h"
#include "base/macro.h"
#include "io/guestfiles.h"
#include "io/layout.h"
#include "io/qemulog.h"
#include "io/store.h"

#define GUEST "vm-test"
#define OLD   "the old text"
#define NEW   "the new text, which is longer"

static char dir[64], text_path[128], log_path[128];

static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/test_files_fail.XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(text_path, sizeof(text_path), "%s/private/" GUEST "/state.json", dir);
	(void)snprintf(log_path, sizeof(log_path), "%s/log/a.log", dir);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

/* One thing to do with files; each begins where `prepare` left them. */
struct deed {
	int (*run)(void); /* 0 or -errno */
	void (*prepare)(void);
	void (*check)(int r);
	bool may_hide; /* an error is no failure: what could not be had counts as nothing */
	long at_least; /* system calls that can fail */
};

static void attempt(void *userdata)
{
	const struct deed *d = userdata;

	d->prepare();
	unsigned before = open_files();
	alloc_arm();
	int r = d->run();
	bool failed = alloc_disarm() | calls_disarm();
	assert_true(r >= 0 || failed);
	assert_int_equal(open_files(), before);
	d->check(r);
	/* It was a moment only. */
	assert_true(d->run() >= 0);
	d->check(0);
}

static void sweep(const struct deed *d)
{
	static const int errors[] = { EIO, ENOSPC, EINTR };

	alloc_sweep(attempt, (void *)(uintptr_t)d, 1);
	alloc.next = -1;
	for (size_t e = 0; e < ARRAY_SIZE(errors); e++)
		for (long n = 0, more = 1; more; n++) {
			d->prepare();
			unsigned before = open_files();
			calls_arm(n, errors[e]);
			int r = d->run();
			more = calls_disarm();
			assert_true(r >= 0 || more);
			/* Who is interrupted in the middle of reading or writing goes on; what
			 * fails otherwise is told. */
			if (more && errors[e] != EINTR && !d->may_hide)
				assert_true(r < 0);
			assert_int_equal(open_files(), before);
			d->check(r);
			assert_true(more || n >= d->at_least);
		}
}

static void nothing(void)
{
}

static void prepare_text(void)
{
	assert_int_equal(guestfiles_save(dir, GUEST, OLD, strlen(OLD)), 0);
}

static void check_text(int r)
{
	CLEANUP_FREE char *text = NULL;

	assert_int_equal(file_read(text_path, 4096, &text, NULL), 0);
	if (r >= 0)
		assert_string_equal(text, NEW);
	else
		assert_true(strcmp(text, OLD) == 0 || strcmp(text, NEW) == 0);
}

static int save(void)
{
	return guestfiles_save(dir, GUEST, NEW, strlen(NEW));
}

static void test_save(void **state)
{
	(void)state;
	sweep(&(struct deed){ save, prepare_text, check_text, .may_hide = true, .at_least = 6 });
}

static int load(void)
{
	CLEANUP_FREE char *text = NULL;
	size_t len = 0;
	int r = guestfiles_load(dir, GUEST, &text, &len);

	assert_true(r < 0 ? text == NULL : strcmp(text, OLD) == 0 && len == strlen(OLD));
	return r;
}

static void check_nothing(int r)
{
	(void)r;
}

static void test_load(void **state)
{
	(void)state;
	sweep(&(struct deed){ load, prepare_text, check_nothing, .at_least = 4 });
}

static int read_whole(void)
{
	CLEANUP_FREE char *text = NULL;
	int r = file_read(text_path, 4096, &text, NULL);

	assert_true(r < 0 ? text == NULL : strcmp(text, OLD) == 0);
	return r;
}

static void test_read(void **state)
{
	(void)state;
	sweep(&(struct deed){ read_whole, prepare_text, check_nothing, .at_least = 4 });
}

static int append(void)
{
	return guestfiles_append(dir, GUEST, "serial\n", 7, 3);
}

static void test_append(void **state)
{
	(void)state;
	sweep(&(struct deed){
		append, prepare_text, check_nothing, .may_hide = true, .at_least = 4 });
}

static int append_event(void)
{
	return guestfiles_append_events(dir, GUEST, "{}\n", 3, true);
}

static void test_append_events(void **state)
{
	(void)state;
	sweep(&(struct deed){
		append_event, prepare_text, check_nothing, .may_hide = true, .at_least = 4 });
}

static void prepare_event(void)
{
	(void)append_event();
}

static int load_events(void)
{
	CLEANUP_FREE char *lines = NULL;
	size_t len = 0;

	return guestfiles_load_events(dir, GUEST, &lines, &len);
}

static void test_load_events(void **state)
{
	(void)state;
	sweep(&(struct deed){
		load_events, prepare_event, check_nothing, .may_hide = true, .at_least = 3 });
}

static void prepare_log(void)
{
	prepare_text();
	assert_int_equal(append(), 0);
}

/* The tail is for a person: without it there is none. */
static int tail(void)
{
	char buf[64];
	size_t len = guestfiles_tail(dir, GUEST, buf, sizeof(buf));

	assert_true(len == 0 || memcmp(buf + len - 7, "serial\n", 7) == 0);
	return 0;
}

static void test_tail(void **state)
{
	(void)state;
	sweep(&(struct deed){ tail, prepare_log, check_nothing, .may_hide = true, .at_least = 3 });
}

static int put_aside(void)
{
	char words[256];
	int r = guestfiles_put_aside(dir, GUEST, words, sizeof(words));

	/* Done already by the try before. */
	return r == -ENOENT ? 0 : r;
}

static void check_aside(int r)
{
	if (r == 0)
		assert_int_equal(access(text_path, F_OK), -1);
}

static void test_put_aside(void **state)
{
	(void)state;
	sweep(&(struct deed){
		put_aside, prepare_text, check_aside, .may_hide = true, .at_least = 2 });
}

static int open_layout(void)
{
	struct reason reason = { "" };
	int r = layout_open(dir, &reason);

	if (r < 0)
		assert_true(strlen(reason.text) > 10);
	return r;
}

static void test_layout(void **state)
{
	(void)state;
	sweep(&(struct deed){
		open_layout, nothing, check_nothing, .may_hide = true, .at_least = 3 });
}

static int lock(void)
{
	CLEANUP_FREE char *path = path_join(dir, "lock");
	int fd = path ? file_lock(path) : -ENOMEM;

	if (fd >= 0)
		(void)close(fd);
	return fd < 0 ? fd : 0;
}

static void test_lock(void **state)
{
	(void)state;
	sweep(&(struct deed){ lock, nothing, check_nothing, .at_least = 2 });
}

static void prepare_qemu_log(void)
{
	CLEANUP_FREE char *bytes = calloc(1, QEMULOG_KEEP + 100), *log_dir = path_join(dir, "log");

	assert_int_equal(dir_make(log_dir, 0755), 0);
	assert_int_equal(file_write_atomic(log_path, bytes, QEMULOG_KEEP + 100, 0600), 0);
}

static int trim(void)
{
	CLEANUP_FREE char *log_dir = path_join(dir, "log");

	return log_dir ? qemulog_trim(log_dir, QEMULOG_KEEP) : -ENOMEM;
}

static void check_trimmed(int r)
{
	struct stat st;

	assert_int_equal(stat(log_path, &st), 0);
	if (r >= 0)
		assert_true(st.st_size == 0);
}

static void test_trim(void **state)
{
	(void)state;
	sweep(&(struct deed){
		trim, prepare_qemu_log, check_trimmed, .may_hide = true, .at_least = 5 });
}

/* Not even its owner can be told. */
static void test_words(void **state)
{
	char words[128] = "x";

	(void)state;
	calls_arm(0, EACCES);
	guestfiles_trouble(dir, GUEST, -EACCES, words, sizeof(words));
	assert_true(calls_disarm());
	assert_non_null(strstr(words, "which cannot be looked at"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_save),
		TEST(test_load),
		TEST(test_read),
		TEST(test_append),
		TEST(test_append_events),
		TEST(test_load_events),
		TEST(test_tail),
		TEST(test_put_aside),
		TEST(test_layout),
		TEST(test_lock),
		TEST(test_trim),
		TEST(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
