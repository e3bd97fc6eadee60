/* SPDX-License-Identifier: Apache-2.0 */
/* The state directory: paths, modes whatever the umask, versions, sweeping; and the reach of
 * another user. */
/* LINK: base/file base/parse base/time io/layout io/reach */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <pwd.h>
#include <sys/stat.h>

#include "base/file.h"
#include "io/layout.h"
#include "io/reach.h"

static char dir[] = "/tmp/test_layout-XXXXXX";
static char state_dir[sizeof(dir) + 16];

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir) || chmod(dir, 0711) < 0)
		return -1;
	(void)snprintf(state_dir, sizeof(state_dir), "%s/a/state", dir);
	return 0;
}

static int remove_dir(void **state)
{
	char command[sizeof(dir) + 16];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void test_paths(void **state)
{
	static const struct {
		enum layout_file file;
		const char *path;
	} rows[] = {
		{ LAYOUT_VERSION_FILE, "/s/version" },
		{ LAYOUT_STATE_LOCK, "/s/lock" },
		{ LAYOUT_IMAGES, "/s/images" },
		{ LAYOUT_PRIVATE, "/s/private" },
		{ LAYOUT_IMAGE_DIR, "/s/images/g" },
		{ LAYOUT_DISK, "/s/images/g/disk.qcow2" },
		{ LAYOUT_SEED, "/s/images/g/seed.iso" },
		{ LAYOUT_KERNEL, "/s/images/g/vmlinuz" },
		{ LAYOUT_INITRD, "/s/images/g/initrd" },
		{ LAYOUT_GUEST_LOCK, "/s/images/g/lock" },
		{ LAYOUT_SNAPSHOTS, "/s/images/g/snapshots" },
		{ LAYOUT_PRIVATE_DIR, "/s/private/g" },
		{ LAYOUT_SSH_KEY, "/s/private/g/ssh_key" },
		{ LAYOUT_SSH_KEY_PUB, "/s/private/g/ssh_key.pub" },
		{ LAYOUT_HOST_KEY, "/s/private/g/host_key" },
		{ LAYOUT_HOST_KEY_PUB, "/s/private/g/host_key.pub" },
		{ LAYOUT_KNOWN_HOSTS, "/s/private/g/known_hosts" },
		{ LAYOUT_DEPLOY_LOCK, "/s/private/g/deploy.lock" },
		{ LAYOUT_SSH_SOCKET, "/s/private/g/ssh.sock" },
		{ LAYOUT_RECORD, "/s/private/g/provision.json" },
		{ LAYOUT_LIBRARIES, "/s/private/g/libraries" },
		{ LAYOUT_STATE, "/s/private/g/state.json" },
		{ LAYOUT_STATE_BAD, "/s/private/g/state.json.bad" },
		{ LAYOUT_SAVED, "/s/private/g/saved.json" },
		{ LAYOUT_CONSOLE, "/s/private/g/console.log" },
		{ LAYOUT_CONSOLE_OLD, "/s/private/g/console.log.1" },
		{ LAYOUT_EVENTS, "/s/private/g/events.jsonl" },
		{ LAYOUT_EVENTS_OLD, "/s/private/g/events.jsonl.1" },
		{ LAYOUT_DAEMON_EVENTS, "/s/events.jsonl" },
		{ LAYOUT_DAEMON_EVENTS_OLD, "/s/events.jsonl.1" },
	};
	static const char *const bad[] = { NULL, "", ".", "..", "a/b", "../x", "/" };

	(void)state;
	assert_int_equal(ARRAY_SIZE(rows), LAYOUT_FILE_NUM);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP_FREE char *path = layout_path("/s", "g", rows[i].file);
		assert_string_equal(path, rows[i].path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_null(layout_disk("/s", bad[i]));
}

static void test_base_name(void **state)
{
	char name[LAYOUT_BASE_NAME];

	(void)state;
	assert_int_equal(layout_base_name("0123456789abcdef99", "qcow2", name), 0);
	assert_string_equal(name, "base-0123456789abcdef.qcow2");
	assert_int_equal(layout_base_name("0123", "qcow2", name), -EINVAL);
	assert_int_equal(layout_base_name("0123456789abcdef", "ninechars", name), -EINVAL);
}

static unsigned mode_of(const char *below)
{
	CLEANUP_FREE char *path = path_join(state_dir, below);
	struct stat st = { 0 };

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void write_version(const char *text)
{
	CLEANUP_FREE char *path = layout_path(state_dir, NULL, LAYOUT_VERSION_FILE);

	assert_int_equal(file_write_atomic(path, text, strlen(text), 0644), 0);
}

static void test_open(void **state)
{
	struct reason reason = { "" };
	mode_t old = umask(077);

	(void)state;
	assert_int_equal(layout_open(state_dir, &reason), 0);
	assert_int_equal(layout_open_guest(state_dir, "vm", &reason), 0);
	(void)umask(old);
	assert_int_equal(mode_of(""), 0711);
	assert_int_equal(mode_of("images"), 0711);
	assert_int_equal(mode_of("images/vm"), 0711);
	assert_int_equal(mode_of("private"), 0700);
	assert_int_equal(mode_of("private/vm"), 0700);
	assert_int_equal(layout_open(state_dir, &reason), 0);
	assert_int_equal(layout_open_guest(state_dir, "a/b", &reason), -EINVAL);
	assert_non_null(strstr(reason.text, "a/b"));
}

static void test_versions(void **state)
{
	struct reason reason = { "" };

	(void)state;
	assert_int_equal(layout_open(state_dir, NULL), 0);
	write_version("2\n");
	assert_int_equal(layout_open(state_dir, &reason), -EPROTONOSUPPORT);
	assert_non_null(strstr(reason.text, "version 2"));
	assert_non_null(strstr(reason.text, "--state"));
	static const char *const broken[] = { "", "x\n", "0\n", "-1\n", "99999999999\n" };
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		write_version(broken[i]);
		assert_int_equal(layout_open(state_dir, &reason), -EINVAL);
	}
	write_version("1\nwhat a later one may add\n");
	assert_int_equal(layout_open(state_dir, &reason), 0);
	/* More than is read of it, or no file at all: it is not taken for an empty one and written
	 * anew. */
	char big[4098] = "1\n";
	memset(big + 2, 'x', sizeof(big) - 3);
	write_version(big);
	assert_int_equal(layout_open(state_dir, &reason), -EFBIG);
	assert_non_null(strstr(reason.text, "cannot read"));
	CLEANUP_FREE char *path = layout_path(state_dir, NULL, LAYOUT_VERSION_FILE);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(layout_open(state_dir, &reason), -EISDIR);
	assert_non_null(strstr(reason.text, path));
	assert_int_equal(rmdir(path), 0);
}

static void test_unwritable(void **state)
{
	struct reason reason = { "" };

	(void)state;
	assert_true(layout_open("/proc/mediakit/state", &reason) < 0);
	assert_non_null(strstr(reason.text, "/proc/mediakit/state"));
	assert_int_equal(layout_open("/dev/null", &reason), -ENOTDIR);
}

static void test_sweep(void **state)
{
	static const struct {
		const char *name;
		bool stays;
	} rows[] = {
		{ "images/vm/base.tmp", false },
		{ "images/vm/seed.iso.tmp", false },
		{ "private/vm/ssh_key.tmp.pub", false },
		{ "images/vm/disk.qcow2", true },
		{ "images/vm/disk.qcow2.old-1", true },
		{ "images/vm/disk.qcow2.tmp-of-mine", true },
		{ "images/vm/.tmp", true },
	};

	(void)state;
	assert_int_equal(layout_open(state_dir, NULL), 0);
	assert_int_equal(layout_open_guest(state_dir, "vm", NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP_FREE char *path = path_join(state_dir, rows[i].name);
		FILE *f = fopen(path, "w");
		assert_non_null(f);
		(void)fclose(f);
	}
	layout_sweep(state_dir, "vm");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP_FREE char *path = path_join(state_dir, rows[i].name);
		assert_int_equal(access(path, F_OK) == 0, rows[i].stays);
	}
}

static void make_file(const char *below)
{
	CLEANUP_FREE char *path = path_join(state_dir, below);

	assert_int_equal(file_write_atomic(path, "", 0, 0600), 0);
}

static bool is_there(const char *below)
{
	CLEANUP_FREE char *path = path_join(state_dir, below);

	return access(path, F_OK) == 0;
}

/* Downloads go, with what is beside them; what only looks like one stays. */
static void test_sweep_fetches(void **state)
{
	static const struct {
		const char *name;
		bool is_kept, is_fetch; /* the one that goes on; any */
	} rows[] = {
		{ "images/vm/fetch-0123456789abcdef.part", true, true },
		{ "images/vm/fetch-0123456789abcdef.part.meta", true, true },
		{ "images/vm/fetch-0123456789abcde0.part", false, true },
		{ "images/vm/fetch-0123456789abcde0.part.meta", false, true },
		{ "images/vm/fetch-0123456789abcdef", false, false },
		{ "images/vm/fetch-0123456789abcdef.par", false, false },
		{ "images/vm/fetch-0123456789abcde.part", false, false },
		{ "images/vm/fetch-0123456789abcdef0.part", false, false },
		{ "images/vm/fetch-0123456789ABCDEF.part", false, false },
		{ "images/vm/fetch-0123456789abcdeg.part", false, false },
		{ "images/vm/Fetch-0123456789abcdef.part", false, false },
		{ "images/vm/fetch-", false, false },
		{ "images/vm/fetch", false, false },
		{ "images/vm/disk.qcow2", false, false },
		{ "images/other/fetch-0123456789abcde0.part", false, false },
	};
	char name[LAYOUT_FETCH_NAME];

	(void)state;
	assert_int_equal(layout_fetch_name("0123456789abcde", name), -EINVAL);
	assert_int_equal(layout_fetch_name("0123456789abcdef99", name), 0);
	assert_string_equal(name, "fetch-0123456789abcdef.part");
	assert_int_equal(layout_open(state_dir, NULL), 0);
	assert_int_equal(layout_open_guest(state_dir, "vm", NULL), 0);
	assert_int_equal(layout_open_guest(state_dir, "other", NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		make_file(rows[i].name);
	/* No such guest, and no such name. */
	layout_sweep_fetches(state_dir, "none", NULL);
	layout_sweep_fetches(state_dir, "..", NULL);
	layout_sweep(state_dir, "none");
	layout_sweep_fetches(state_dir, "vm", name);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (is_there(rows[i].name) != (rows[i].is_kept || !rows[i].is_fetch))
			fail_msg("%s", rows[i].name);
	layout_sweep_fetches(state_dir, "vm", NULL);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (is_there(rows[i].name) == rows[i].is_fetch)
			fail_msg("%s", rows[i].name);
}

static void test_snapshot_path(void **state)
{
	CLEANUP_FREE char *path = layout_snapshot("/s", "g", "T", LAYOUT_SNAPSHOT_PART);

	(void)state;
	assert_string_equal(path, "/s/images/g/snapshots/T.part");
	assert_null(layout_snapshot("/s", "..", "T", LAYOUT_SNAPSHOT_PART));
}

static void test_reach(void **state)
{
	struct reason reason = { "" };
	char closed[sizeof(dir) + 32], below[sizeof(closed) + 32];

	(void)state;
	if (geteuid() != 0 || !getpwnam("nobody")) {
		print_message("only root can become somebody else, and somebody else must exist\n");
		skip();
	}
	(void)snprintf(closed, sizeof(closed), "%s/closed", dir);
	(void)snprintf(below, sizeof(below), "%s/b/c", closed);
	assert_int_equal(dir_make(below, 0755), 0);
	assert_int_equal(chmod(closed, 0755), 0);
	assert_int_equal(reach_check(below, "nobody", &reason), 0);
	assert_int_equal(chmod(closed, 0700), 0);
	assert_int_equal(reach_check(below, "nobody", &reason), -EACCES);
	assert_non_null(strstr(reason.text, closed));
	assert_null(strstr(reason.text, "closed/b"));
	assert_non_null(strstr(reason.text, "mode 0700"));
	assert_int_equal(reach_check(below, "no-such-user-here", &reason), 0);
	/* The last directory counts as well, and the other's group bit is not the world's. */
	assert_int_equal(chmod(closed, 0755), 0);
	assert_int_equal(chmod(below, 0750), 0);
	assert_int_equal(reach_check(below, "nobody", &reason), -EACCES);
	assert_non_null(strstr(reason.text, below));
	assert_int_equal(reach_check("/nowhere/at/all", "nobody", &reason), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_base_name),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_unwritable),
		cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_sweep_fetches),
		cmocka_unit_test(test_snapshot_path),
		cmocka_unit_test(test_reach),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
