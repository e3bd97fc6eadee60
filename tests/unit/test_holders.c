/* SPDX-License-Identifier: Apache-2.0 */
/* Who holds a file, on a /proc and a /sys/block of the test's own: processes that end, that cannot
 * be looked at and that call themselves something, loop devices, locks; and whatever fails, a file
 * that is held never counts as free. The real ones are in tests/provision. */
/* LINK: base/file base/time model/utf8 io/holders */
#include "alloc_fail.h"
#include "open_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/macro.h"
#include "io/holders.h"

static char dir[64], file[80];
static bool ours;           /* these are to be seen, not the machine's */
static const char *refused; /* a directory that cannot be opened */
static int refused_error;
static uid_t user;

/* What libc would open, opened below the test's directory. */
static int open_instead(const char *path, int flags, mode_t mode)
{
	char instead[512];

	if (ours && (strncmp(path, "/proc", 5) == 0 || strncmp(path, "/sys", 4) == 0)) {
		(void)snprintf(instead, sizeof(instead), "%s%s", dir, path);
		path = instead;
	}
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if (flags & O_CREAT) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	return open_instead(path, flags, mode);
}

DIR *opendir(const char *path)
{
	if (ours && refused && strcmp(path, refused) == 0) {
		errno = refused_error;
		return NULL;
	}
	int fd = open_instead(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d && fd >= 0)
		(void)close(fd);
	return d;
}

uid_t geteuid(void)
{
	return user;
}

static void PRINTF_LIKE(1, 2) shell(const char *format, ...)
{
	char what[512], command[640];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(what, sizeof(what), format, ap);
	va_end(ap);
	(void)snprintf(command, sizeof(command), "cd %s && { %s; }", dir, what);
	if (system(command) != 0)
		fail_msg("%s", command);
}

static int fd; /* of the file */

static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/test_holders.XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(file, sizeof(file), "%s/file", dir);
	shell("mkdir -p proc/1/fd proc/1/map_files proc/1234/fd proc/1234/map_files proc/sys/fd "
	      "sys/block/loop0 sys/block/vda && echo disk >file && echo other >other && "
	      "ln -s ../../../other proc/1/fd/0 && ln -s /none proc/1234/fd/0 && "
	      "ln -s ../../../file proc/sys/fd/0 && echo a >proc/version && "
	      "echo init >proc/1/comm && echo qemu >proc/1234/comm");
	fd = open(file, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	refused = NULL;
	user = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)close(fd);
	shell("rm -rf %s", dir);
	return 0;
}

static char who[HOLDERS_WHO_MAX];

static int find(int of)
{
	unsigned before = open_files();

	strcpy(who, "nobody was asked");
	ours = true;
	int r = holders_find(of, who);
	ours = false;
	assert_int_equal(open_files(), before);
	return r;
}

static void test_nobody(void **state)
{
	(void)state;
	assert_int_equal(find(fd), 0);
	assert_string_equal(who, "");
	/* We ourselves are nobody. */
	shell("mkdir -p proc/%d/fd && ln -s ../../../file proc/%d/fd/3", (int)getpid(),
		(int)getpid());
	assert_int_equal(find(fd), 0);
	user = 1000;
	assert_int_equal(find(fd), -EPERM);
	assert_string_equal(who, "");
	user = 0;
	assert_int_equal(find(-1), -EBADF);
}

static void test_process(void **state)
{
	static const struct {
		const char *name, *says;
	} rows[] = {
		{ "printf 'qemu-system-x86\\n' >comm", "pid 1234 (qemu-system-x86)" },
		{ "printf 'no newline' >comm", "pid 1234 (no newline)" },
		{ "printf '\\033[2J\\n\\n' >comm", "pid 1234 (\\x1b[2J\\x0a)" },
		{ "printf '\\n' >comm", "pid 1234 (?)" },
		{ ": >comm", "pid 1234 (?)" },
		{ "rm comm", "pid 1234 (?)" },
	};

	(void)state;
	shell("ln -s ../../../file proc/1234/fd/17");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		shell("cd proc/1234 && %s", rows[i].name);
		assert_int_equal(find(fd), 1);
		assert_string_equal(who, rows[i].says);
	}
	/* By another name it is the same file. */
	shell("ln file second && ln -sfn ../../../second proc/1234/fd/17");
	assert_int_equal(find(fd), 1);
	shell("rm proc/1234/fd/17 && ln -s ../../../file proc/1234/map_files/7f00-7f01");
	assert_int_equal(find(fd), 1);
	/* Not the file, but one in its place. */
	shell("rm file second && echo disk >file");
	assert_int_equal(find(fd), 0);
}

static void test_what_cannot_be_looked_at(void **state)
{
	static const struct {
		const char *path;
		int error, r;
		const char *says;
	} rows[] = {
		/* It has ended. */
		{ "/proc/1234/fd", ENOENT, 0, "" },
		{ "/proc/1234/fd", ESRCH, 0, "" },
		{ "/proc/1234/fd", EACCES, -EACCES, "pid 1234 (qemu)" },
		{ "/proc/1234/fd", EMFILE, -EMFILE, "" },
		/* Not every root may. */
		{ "/proc/1234/map_files", EACCES, 0, "" },
		{ "/proc/1234/map_files", EPERM, 0, "" },
		{ "/proc/1234/map_files", ENOENT, 0, "" },
		{ "/proc/1234/map_files", EMFILE, -EMFILE, "" },
		{ "/proc", EMFILE, -EMFILE, "" },
		/* No block devices, as in a container. */
		{ "/sys/block", ENOENT, 0, "" },
		{ "/sys/block", EMFILE, -EMFILE, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		refused = rows[i].path;
		refused_error = rows[i].error;
		int r = find(fd);
		if (r != rows[i].r || strcmp(who, rows[i].says) != 0)
			fail_msg("row %zu: %d %s", i, r, who);
	}
}

static void test_loop_devices(void **state)
{
	static const struct {
		const char *backing_file;
		int r;
	} rows[] = {
		{ "echo $PWD/file >$at", 1 },
		{ "printf %s $PWD/file >$at", 1 },
		{ "printf 'file\\n%s\\n' $PWD/file >$at", 0 },
		{ "echo \"$PWD/file (deleted)\" >$at", 0 },
		{ "echo $PWD/gone >$at", 0 },
		{ "echo $PWD/other >$at", 0 },
		{ "rm $at", 0 },
		{ "head -c 5000 /dev/zero >$at", -EFBIG },
		{ "rm $at; mkdir $at", -EISDIR },
	};

	(void)state;
	/* One that is no loop device has no such file, whatever it says. */
	shell("mkdir -p sys/block/vda/loop && echo %s >sys/block/vda/loop/backing_file", file);
	assert_int_equal(find(fd), 0);
	shell("mkdir -p sys/block/loop7/loop");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		shell("at=sys/block/loop7/loop/backing_file; %s", rows[i].backing_file);
		int r = find(fd);
		if (r != rows[i].r)
			fail_msg("row %zu: %d %s", i, r, who);
		assert_string_equal(who, r == 1 ? "/dev/loop7 (losetup -d /dev/loop7)" : "");
	}
}

static void test_locks(void **state)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 100, .l_len = 1 };
	int other = open(file, O_RDONLY | O_CLOEXEC), path = open(file, O_PATH | O_CLOEXEC);

	(void)state;
	assert_int_equal(fcntl(other, F_OFD_SETLK, &lock), 0);
	assert_int_equal(find(fd), 1);
	assert_non_null(strstr(who, "not seen from here (it holds a lock, as QEMU does)"));
	lock.l_type = F_UNLCK;
	assert_int_equal(fcntl(other, F_OFD_SETLK, &lock), 0);
	assert_int_equal(flock(other, LOCK_SH), 0);
	assert_int_equal(find(fd), 1);
	assert_non_null(strstr(who, "not seen from here (flock)"));
	assert_int_equal(flock(other, LOCK_UN), 0);
	assert_int_equal(find(fd), 0);
	/* And the lock that it looked with is nobody's problem. */
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
	(void)close(other);
	/* Where no lock can be, there is none. */
	assert_int_equal(find(path), 0);
	(void)close(path);
}

static void attempt(void *userdata)
{
	(void)userdata;
	ours = true;
	alloc_arm();
	int r = holders_find(fd, who);
	bool failed = alloc_disarm();
	ours = false;
	assert_true(r == 1 || (failed && r < 0));
}

static void test_without_memory(void **state)
{
	(void)state;
	shell("ln -s ../../../file proc/1234/map_files/7f00-7f01");
	alloc_sweep(attempt, NULL, 3);
	shell("rm proc/1234/map_files/* && mkdir -p sys/block/loop7/loop && "
	      "echo %s >sys/block/loop7/loop/backing_file", file);
	alloc_sweep(attempt, NULL, 3);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_nobody),
		TEST(test_process),
		TEST(test_what_cannot_be_looked_at),
		TEST(test_loop_devices),
		TEST(test_locks),
		TEST(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
