/* SPDX-License-Identifier: Apache-2.0 */
/* Files: bounded reads, writes that leave the old or the new, directories, locks. */
/* LINK: base/file */
#include "remove_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/macro.h"

/* Every test runs in an empty directory of its own, as its working directory. */
static char dir[64];

static int enter(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(dir, sizeof(dir), "%.40s/test-file-XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int leave(void **state)
{
	(void)state;
	if (chdir("/") < 0)
		return -1;
	return remove_tree(dir);
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static unsigned count_entries(void)
{
	DIR *d = opendir(".");
	unsigned n = 0;

	assert_non_null(d);
	for (const struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.' || strlen(e->d_name) > 2;
	closedir(d);
	return n;
}

static void test_read(void **state)
{
	char *text = NULL;
	size_t len = 99;

	(void)state;
	put("f", "12345");
	assert_int_equal(file_read("f", 5, &text, &len), 0);
	assert_int_equal(len, 5);
	assert_string_equal(text, "12345");
	free(text);
	assert_int_equal(file_read("f", 100, &text, NULL), 0);
	free(text);
	put("empty", "");
	assert_int_equal(file_read("empty", 0, &text, &len), 0);
	assert_int_equal(len, 0);
	assert_string_equal(text, "");
	free(text);
	/* A file that says it has no bytes and has some. */
	assert_int_equal(file_read("/proc/self/status", 65536, &text, &len), 0);
	assert_true(len > 0 && strlen(text) == len);
	free(text);
}

static void test_read_refused(void **state)
{
	char *text = (char *)"untouched";
	size_t len = 99;

	(void)state;
	put("f", "12345");
	assert_int_equal(file_read("f", 4, &text, &len), -EFBIG);
	assert_int_equal(file_read("/proc/self/status", 10, &text, &len), -EFBIG);
	assert_int_equal(file_read("none", 10, &text, &len), -ENOENT);
	assert_int_equal(file_read(".", 10, &text, &len), -EISDIR);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	/* It must not wait for a writer either. */
	assert_int_equal(file_read("fifo", 10, &text, &len), -EINVAL);
	assert_string_equal(file_read_error(-EINVAL), "it is no regular file");
	assert_string_equal(file_read_error(-EISDIR), "Is a directory");
	assert_int_equal(file_read("/dev/zero", 10, &text, &len), -EINVAL);
	assert_string_equal(text, "untouched");
	assert_int_equal(len, 99);
}

static void test_symlinks(void **state)
{
	char *text = NULL;

	(void)state;
	put("f", "x");
	assert_int_equal(symlink("f", "link"), 0);
	assert_int_equal(file_read("link", 10, &text, NULL), 0);
	free(text);
	assert_int_equal(file_read_nofollow("link", 10, &text, NULL), -ELOOP);
	assert_int_equal(file_read_nofollow("f", 10, &text, NULL), 0);
	free(text);
}

static void test_write(void **state)
{
	struct stat st;
	char *text = NULL;
	size_t len;
	mode_t mask = umask(0077);

	(void)state;
	assert_int_equal(file_write_atomic("f", "a\0b", 3, 0644), 0);
	/* The mode is the one asked for, whatever the umask says. */
	assert_int_equal(stat("f", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(file_write_atomic("f", "new", 3, 0600), 0);
	assert_int_equal(stat("f", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(file_read("f", 10, &text, &len), 0);
	assert_int_equal(len, 3);
	assert_string_equal(text, "new");
	free(text);
	assert_int_equal(count_entries(), 1);
	umask(mask);

	char path[128];
	snprintf(path, sizeof(path), "%s/absolute", dir);
	assert_int_equal(file_write_atomic(path, "", 0, 0600), 0);
	assert_int_equal(access("absolute", F_OK), 0);
}

/* What a crash or a stranger left under the temporary name is neither kept nor followed. */
static void test_write_over_leftover(void **state)
{
	char *text = NULL;

	(void)state;
	put("victim", "precious");
	assert_int_equal(symlink("victim", "f.tmp"), 0);
	assert_int_equal(file_write_atomic("f", "x", 1, 0600), 0);
	assert_int_equal(file_read("victim", 10, &text, NULL), 0);
	assert_string_equal(text, "precious");
	free(text);
	assert_int_equal(count_entries(), 2);
}

static void test_write_refused(void **state)
{
	(void)state;
	assert_int_equal(file_write_atomic("no/f", "x", 1, 0600), -ENOENT);
	/* A directory cannot be replaced by a file: it stands, and nothing is left beside it. */
	assert_int_equal(mkdir("d", 0700), 0);
	assert_int_equal(file_write_atomic("d", "x", 1, 0600), -EISDIR);
	assert_int_equal(count_entries(), 1);
}

static void test_dir_make(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(dir_make("a/b/c", 0750), 0);
	assert_int_equal(stat("a/b/c", &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0750);
	assert_int_equal(dir_make("a/b/c", 0700), 0);
	assert_int_equal(dir_make("a/b/c/", 0700), 0);
	put("f", "");
	assert_int_equal(dir_make("f", 0700), -ENOTDIR);
	assert_int_equal(dir_make("f/x", 0700), -ENOTDIR);
	assert_int_equal(dir_make("/", 0700), 0);
}

static void test_lock(void **state)
{
	struct stat st;
	int fd = file_lock("lock");

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	/* flock() is per open file, so one process can play both sides. */
	assert_int_equal(file_lock("lock"), -EWOULDBLOCK);
	assert_int_equal(close(fd), 0);
	fd = file_lock("lock");
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(file_lock("no/lock"), -ENOENT);
	assert_int_equal(symlink("lock", "link"), 0);
	assert_int_equal(file_lock("link"), -ELOOP);
}

static void test_beside_program(void **state)
{
	CLEANUP_FREE char *self = realpath("/proc/self/exe", NULL);
	const char *name = strrchr(self, '/') + 1;
	CLEANUP_FREE char *path = path_beside_program(name);

	(void)state;
	assert_string_equal(path, self);
}

static void test_path_join(void **state)
{
	char *p = path_join("/a", "b");

	(void)state;
	assert_string_equal(p, "/a/b");
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_read, enter, leave),
		cmocka_unit_test_setup_teardown(test_read_refused, enter, leave),
		cmocka_unit_test_setup_teardown(test_symlinks, enter, leave),
		cmocka_unit_test_setup_teardown(test_write, enter, leave),
		cmocka_unit_test_setup_teardown(test_write_over_leftover, enter, leave),
		cmocka_unit_test_setup_teardown(test_write_refused, enter, leave),
		cmocka_unit_test_setup_teardown(test_dir_make, enter, leave),
		cmocka_unit_test_setup_teardown(test_lock, enter, leave),
		cmocka_unit_test(test_path_join),
		cmocka_unit_test(test_beside_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
