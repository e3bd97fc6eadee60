/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of disks on real files and by the real qemu-img: whole with a record, or gone; no more
 * than are kept; and nothing that is not ours is touched. */
/* clang-format off */
/* LINK: base model io/layout io/record io/disk io/program io/digest io/snapshotfile io/snapshotrecord */
/* clang-format on */
/* LIBS: libcbor jansson inih libsystemd nettle */
#include "io/snapshotfile.h"

#include "base/file.h"
#include "base/macro.h"
#include "io/layout.h"
#include "io/room.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define BYTES (8u << 20)

static char dir[] = "/tmp/test_snapshotfile-XXXXXX";
static uint64_t room_kib;

int room_free(const char *path, uint64_t *ret_free_kib)
{
	assert_non_null(strstr(path, "/images/vm"));
	*ret_free_kib = room_kib;
	return 0;
}

static void shell(const char *what)
{
	char command[1024];

	(void)snprintf(command, sizeof(command), "cd %s/images/vm && %s", dir, what);
	if (system(command) != 0)
		fail_msg("%s", command);
}

static int setup(void **state)
{
	(void)state;
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	assert_non_null(mkdtemp(dir));
	char command[256];
	(void)snprintf(command, sizeof(command), "cd %s && mkdir -p images/vm private/vm", dir);
	assert_int_equal(system(command), 0);
	shell("dd if=/dev/zero of=disk.qcow2 bs=64k count=32 status=none");
	room_kib = 1u << 30;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	char command[256];
	(void)snprintf(command, sizeof(command), "chmod -R u+w %s && rm -rf -- %s", dir, dir);
	assert_int_equal(system(command), 0);
	return 0;
}

static struct snapshot_news news;

static int carry_out(enum snapshot_order_kind kind, usec_t id, unsigned keep)
{
	const struct snapshot_order order = {
		.kind = kind,
		.guest = "vm",
		.bytes = BYTES,
		.keep = keep,
		.made = { .id = id,
			.at_realtime = id + 1,
			.consistency = SNAPSHOT_FROZEN },
	};

	snapshot_carry_out(dir, &order, &news);
	if (news.error < 0)
		assert_string_not_equal(news.reason.text, "");
	return news.error;
}

static usec_t prepare(void)
{
	assert_int_equal(carry_out(SNAPSHOT_PREPARE, 0, 3), 0);
	return news.id;
}

/* As QEMU does it. */
static void copy(void)
{
	shell("qemu-io -f qcow2 -c 'write -P 7 1M 64k' snapshots/*.part >/dev/null");
}

static usec_t make(unsigned keep)
{
	usec_t id = prepare();

	copy();
	if (carry_out(SNAPSHOT_FINISH, id, keep) < 0)
		fail_msg("%s", news.reason.text);
	return id;
}

static void test_whole(void **state)
{
	struct stat st;
	char path[256];

	(void)state;
	assert_int_equal(carry_out(SNAPSHOT_LOOK, 0, 3), 0);
	assert_int_equal(news.n, 0);
	usec_t id = prepare();
	assert_int_equal(carry_out(SNAPSHOT_LOOK, 0, 3), 0);
	assert_true(news.leftover);
	assert_int_equal(news.n, 0);
	(void)snprintf(path, sizeof(path), "%s/images/vm/snapshots", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
	copy();
	assert_int_equal(carry_out(SNAPSHOT_FINISH, id, 3), 0);
	assert_int_equal(news.n, 1);
	assert_false(news.leftover);
	const struct snapshot_info *info = &news.list[0];
	assert_int_equal(info->id, id);
	assert_int_equal(info->at_realtime, id + 1);
	assert_int_equal(info->consistency, SNAPSHOT_FROZEN);
	assert_int_equal(info->virtual_bytes, BYTES);
	assert_string_equal(info->guest, "vm");
	shell("qemu-img check -q snapshots/*.qcow2 && test $(stat -c %a snapshots/*.qcow2) = 600");
	(void)snprintf(path, sizeof(path), "test $(sha256sum snapshots/*.qcow2 | cut -c1-64) = %s",
		info->sha256);
	shell(path);
	assert_int_equal(carry_out(SNAPSHOT_DELETE, id + USEC_PER_SEC, 3), -ENOENT);
	assert_int_equal(carry_out(SNAPSHOT_DELETE, id, 3), 0);
	assert_int_equal(news.n, 0);
	shell("test -z \"$(ls snapshots)\"");
}

static void test_pruned(void **state)
{
	usec_t ids[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		ids[i] = make(3);
	assert_int_equal(news.pruned, 1);
	assert_int_equal(news.n, 3);
	assert_int_equal(news.list[0].id, ids[1]);
	assert_int_equal(news.list[2].id, ids[3]);
	shell("test $(ls snapshots | wc -l) = 6");
	/* Fewer are kept from now on. */
	(void)make(1);
	assert_int_equal(news.pruned, 3);
	assert_int_equal(news.n, 1);
	shell("test $(ls snapshots | wc -l) = 2");
}

/* Those of before were made while the clock was years ahead. */
static void test_clock_set_back(void **state)
{
	usec_t id = prepare(), ahead = id + 3 * 365 * USEC_PER_DAY;
	char name[SNAPSHOT_NAME_TEXT], command[128];

	(void)state;
	copy();
	(void)snprintf(command, sizeof(command), "mv snapshots/*.part snapshots/%s.part",
		snapshot_name(ahead, name));
	shell(command);
	assert_int_equal(carry_out(SNAPSHOT_FINISH, ahead, 1), 0);
	id = make(1);
	assert_int_equal(news.pruned, 1);
	assert_int_equal(news.n, 1);
	assert_int_equal(news.list[0].id, id);
	assert_int_equal(id, ahead + USEC_PER_SEC);
}

static void nothing_left(void)
{
	shell("test -z \"$(ls snapshots)\"");
}

static void test_not_right(void **state)
{
	static const char *const what[] = {
		/* A refcount of 0 for a cluster that is used; cut off; another image; no image. */
		"qemu-io -f qcow2 -c 'write -P 7 1M 64k' snapshots/*.part >/dev/null && "
		"dd if=/dev/zero of=$(ls snapshots/*.part) bs=64k seek=2 count=1 conv=notrunc "
		"status=none",
		"truncate -s 100 snapshots/*.part",
		"qemu-img create -q -f qcow2 $(ls snapshots/*.part) 16M",
		"qemu-img create -q -f qcow2 -F raw -b ../disk.qcow2 $(ls snapshots/*.part) 8M",
		"echo hello >$(ls snapshots/*.part)",
		"rm snapshots/*.part",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(what); i++) {
		usec_t id = prepare();
		shell(what[i]);
		if (carry_out(SNAPSHOT_FINISH, id, 3) >= 0)
			fail_msg("taken: %s", what[i]);
		print_message("%s\n", news.reason.text);
		nothing_left();
	}
}

static void test_no_room(void **state)
{
	(void)state;
	room_kib = SNAPSHOT_RESERVE_KIB + 1024;
	assert_int_equal(carry_out(SNAPSHOT_PREPARE, 0, 3), -ENOSPC);
	assert_non_null(strstr(news.reason.text, "not enough space in "));
	assert_non_null(strstr(news.reason.text, "259 MiB needed, 257 MiB available"));
	nothing_left();
	room_kib = SNAPSHOT_RESERVE_KIB + 4096;
	(void)prepare();
}

static void test_no_directory(void **state)
{
	(void)state;
	shell("ln -s /tmp snapshots");
	assert_true(carry_out(SNAPSHOT_PREPARE, 0, 3) < 0);
	assert_non_null(strstr(news.reason.text, "cannot use the directory"));
	shell("rm snapshots; touch snapshots");
	assert_int_equal(carry_out(SNAPSHOT_PREPARE, 0, 3), -ENOTDIR);
	shell("rm snapshots; mkdir -m 500 snapshots");
	if (geteuid() != 0)
		assert_true(carry_out(SNAPSHOT_PREPARE, 0, 3) < 0);
}

/* Only what is called as ours is, is ours. */
static void test_others_files(void **state)
{
	(void)state;
	(void)make(3);
	shell("cd snapshots && touch mine.part mine.qcow2 20261129T075501Z.part.bak "
	      "20261329T075501Z.part 20261129T075501Z.qcow2 && echo '{}' >20200101T000000Z.json && "
	      "touch 20200101T000000Z.qcow2 && echo '{}' >20200101T000001Z.json && "
	      "touch 20200101T000002Z.part");
	assert_int_equal(carry_out(SNAPSHOT_LOOK, 0, 3), 0);
	assert_int_equal(news.n, 1);
	assert_true(news.leftover);
	/* A record whose copy is gone. */
	shell("cd snapshots && ! test -e 20200101T000001Z.json && test -e 20200101T000000Z.json");
	assert_int_equal(carry_out(SNAPSHOT_DISCARD, 0, 3), 0);
	assert_false(news.leftover);
	shell("cd snapshots && test -e mine.part -a -e mine.qcow2 -a -e 20261129T075501Z.part.bak "
	      "-a -e 20261329T075501Z.part -a -e 20261129T075501Z.qcow2");
}

static void test_names(void **state)
{
	static const char *const none[] = { "", "20261129T075501", "20261129T075560Z",
		"20261329T075501Z", "2026112T0755011Z", "20261129T075501Z ",
		"../20261129T075501Z" };
	char name[SNAPSHOT_NAME_TEXT];
	usec_t id;

	(void)state;
	assert_int_equal(snapshot_name_parse("20261129T075501Z", &id), 0);
	assert_string_equal(snapshot_name(id, name), "20261129T075501Z");
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		if (snapshot_name_parse(none[i], &id) != -EINVAL)
			fail_msg("taken: %s", none[i]);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_whole),
		TEST(test_pruned),
		TEST(test_clock_set_back),
		TEST(test_not_right),
		TEST(test_no_room),
		TEST(test_no_directory),
		TEST(test_others_files),
		TEST(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
