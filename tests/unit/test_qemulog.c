/* SPDX-License-Identifier: Apache-2.0 */
/* QEMU's log is cut at its limit, its tail kept, and a writer that appends goes on. */
/* LINK: base io/qemulog */
/* LIBS: libsystemd */
#include "remove_tree.h"

#include "base/file.h"
#include "base/macro.h"
#include "io/qemulog.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static off_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? -1 : st.st_size;
}

static void cuts_what_is_over(void **state)
{
	char dir[] = "/tmp/test_qemulog.XXXXXX", line[] = "0123456789abcde\n";

	(void)state;
	assert_non_null(mkdtemp(dir));
	CLEANUP_FREE char *log = path_join(dir, "guest.log"), *small = path_join(dir, "small.log");
	CLEANUP_FREE char *other = path_join(dir, "other.txt"),
			  *tail = path_join(dir, "guest.log.1");
	CLEANUP_CLOSE int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	for (unsigned i = 0; i < 2 * QEMULOG_KEEP / 16; i++)
		assert_int_equal(write(fd, line, 16), 16);
	assert_int_equal(file_write_atomic(small, line, 16, 0600), 0);
	CLEANUP_CLOSE int fd2 = open(other, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(ftruncate(fd2, 10 * QEMULOG_KEEP), 0);

	assert_int_equal(qemulog_trim(dir, QEMULOG_KEEP), 1);
	assert_int_equal(size_of(log), 0);
	assert_int_equal(size_of(tail), QEMULOG_KEEP);
	assert_int_equal(size_of(small), 16);
	assert_int_equal(size_of(other), 10 * QEMULOG_KEEP);
	/* The writer never noticed. */
	assert_int_equal(write(fd, line, 16), 16);
	assert_int_equal(size_of(log), 16);
	assert_int_equal(qemulog_trim(dir, QEMULOG_KEEP), 0);

	assert_int_equal(
		unlink(log) | unlink(small) | unlink(other) | unlink(tail) | rmdir(dir), 0);
	assert_int_equal(qemulog_trim(dir, 1), 0);
}

/* Three that cannot be opened, of which the directory may name any first, hide none. */
static void one_bad_file_hides_none(void **state)
{
	char dir[] = "/tmp/test_qemulog.XXXXXX", name[32];

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (unsigned i = 0; i < 6; i++) {
		(void)snprintf(name, sizeof(name), "%u.log", i);
		CLEANUP_FREE char *path = path_join(dir, name);
		if (i % 2 == 0) {
			assert_int_equal(symlink("/dev/null", path), 0);
			continue;
		}
		CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT, 0600);
		assert_int_equal(ftruncate(fd, QEMULOG_KEEP), 0);
	}
	assert_int_equal(qemulog_trim(dir, QEMULOG_KEEP - 1), -ELOOP);
	for (unsigned i = 0; i < 6; i++) {
		(void)snprintf(name, sizeof(name), "%u.log", i);
		CLEANUP_FREE char *path = path_join(dir, name);
		assert_int_equal(size_of(path), 0);
	}
	assert_int_equal(remove_tree(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts_what_is_over),
		cmocka_unit_test(one_bad_file_hides_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
