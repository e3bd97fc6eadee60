/* SPDX-License-Identifier: Apache-2.0 */
/* A disk made of a snapshot where something fails on the way: it is told, no disk is made, and a
 * record that could not be found for want of memory is not taken for none. qemu-img is the test's.
 */
/* LINK: base model io/layout io/digest io/copy cli/provision_from */
/* LIBS: inih libcbor jansson libsystemd nettle */
#include "alloc_fail.h"
#include "call_fail.h"

#include "provision_world.h"

#include <fcntl.h>

#include "io/room.h"
#include "io/snapshotfile.h"

#define COPY "the copy of a disk"

static struct {
	int room_error, record_error;
	uint64_t free_kib;
	struct snapshot_info record;
	struct disk_info info;
	unsigned records_read, disks;
} world;

int room_free(const char *path, uint64_t *ret_free_kib)
{
	assert_string_equal(path, image_dir);
	*ret_free_kib = world.free_kib;
	return world.room_error;
}

int snapshot_record_read(const char *path, struct snapshot_info *ret)
{
	assert_string_equal(path, path_of("snapshot.json"));
	world.records_read++;
	*ret = world.record;
	return world.record_error;
}

int disk_inspect(const char *path, bool bootable, const struct tick *tick, struct disk_info *ret,
	struct reason *reason)
{
	(void)path, (void)tick, (void)reason;
	assert_false(bootable);
	*ret = world.info;
	return 0;
}

int disk_check(
	const char *path, enum disk_format format, const struct tick *tick, struct reason *reason)
{
	(void)path, (void)format, (void)tick, (void)reason;
	return 0;
}

int provision_put_disk(struct provision *p, const char *temporary)
{
	if (rename(temporary, p->disk) < 0)
		return -errno;
	world.disks++;
	return 0;
}

/* As provision_trust has it: what is forgotten is its own test's matter. */
void provision_forget_base(struct provision *p, const char *sha256)
{
	assert_string_equal(sha256, world.records_read > 0 ? world.record.base_sha256 : "");
	p->record.base[0] = '\0';
}

static char from[256];

static int setup_from(void **state)
{
	(void)setup(state);
	put("snapshot.qcow2", COPY);
	(void)snprintf(from, sizeof(from), "%s", path_of("snapshot.qcow2"));
	memset(&world, 0, sizeof(world));
	world.free_kib = 1u << 20;
	world.info = (struct disk_info){ .format = DISK_QCOW2, .virtual_bytes = 1u << 20 };
	world.record = (struct snapshot_info){ .guest = "vm" };
	memset(world.record.base_sha256, 'a', sizeof(world.record.base_sha256) - 1);
	digest_buffer(COPY, strlen(COPY), world.record.sha256);
	guest.image_path = from;
	job.from = from;
	return 0;
}

static void begin_from(void)
{
	begin();
	job.from = from;
}

static int run(void)
{
	int r = provision_find_from(&job);

	return r < 0 ? r : provision_from(&job);
}

static void assert_no_disk(void)
{
	assert_int_equal(world.disks, 0);
	assert_false(there("images/vm/disk.qcow2"));
	assert_false(there("images/vm/disk.tmp"));
}

static void test_made(void **state)
{
	(void)state;
	(void)snprintf(job.record.base, sizeof(job.record.base), "base-of-the-old-disk");
	assert_int_equal(run(), 0);
	assert_int_equal(world.disks, 1);
	assert_string_equal(job.record.base, "");
	assert_non_null(strstr(notes, "disk made: 1 MiB, of "));
	assert_null(strstr(notes, "there is no record"));
	shell("cmp snapshot.qcow2 images/vm/disk.qcow2");
}

/* Under a name of its own it has no record, and the one of another is not read. */
static void test_another_name(void **state)
{
	(void)state;
	shell("mv snapshot.qcow2 snapshot.img");
	(void)snprintf(from, sizeof(from), "%s", path_of("snapshot.img"));
	world.record.guest[0] = 'x';
	assert_int_equal(run(), 0);
	assert_int_equal(world.records_read, 0);
	assert_non_null(strstr(notes, "there is no record beside "));
	assert_int_equal(world.disks, 1);
}

static void test_no_disk_is_wanted(void **state)
{
	(void)state;
	guest.image_path = NULL;
	assert_told(run(), -EINVAL, "configured without a disk");
	assert_int_equal(job.source_fd, -1);
	assert_no_disk();
}

/* 16 MiB are left for others, whatever the size of the file. */
static void test_space(void **state)
{
	(void)state;
	world.free_kib = 16 * 1024 - 1;
	assert_told(run(), -ENOSPC, "not enough space in ");
	assert_non_null(strstr(job.reason.text, "17 MiB needed, 15 MiB available"));
	assert_no_disk();
	begin_from();
	world.room_error = -EIO;
	assert_told(run(), -EIO, "cannot ask for the space in ");
	assert_no_disk();
}

/* The directory goes between the look and the copy. */
static void test_cannot_copy(void **state)
{
	(void)state;
	assert_int_equal(provision_find_from(&job), 0);
	shell("rmdir images/vm");
	assert_told(provision_from(&job), -ENOENT, "cannot copy the snapshot to ");
	assert_no_disk();
}

/* What was right when it was looked at and is not in the copy. */
static void test_changed_meanwhile(void **state)
{
	(void)state;
	assert_int_equal(provision_find_from(&job), 0);
	put("snapshot.new", "the copy of a disc");
	shell("cat snapshot.new >snapshot.qcow2");
	assert_told(provision_from(&job), -EBADMSG, "is not what its record says");
	assert_int_equal(world.disks, 0);
	assert_false(there("images/vm/disk.qcow2"));
	begin_from();
	world.record_error = -EBADMSG;
	assert_told(run(), -EBADMSG, "cannot be read");
	assert_non_null(strstr(job.reason.text, "/snapshot.json, the record"));
	assert_int_equal(world.disks, 0);
}

static void run_without_memory(void *userdata)
{
	(void)userdata;
	begin_from();
	world.disks = world.records_read = 0;
	alloc_arm();
	int r = run();
	bool failed = alloc_disarm();
	assert_short_of_memory(r, failed);
	assert_int_equal(world.disks, r >= 0);
	assert_null(strstr(job.reason.text, "null"));
	if (r >= 0)
		assert_int_equal(world.records_read, 2);
	/* Swept at the end of every run. */
	shell("rm -f images/vm/*");
}

static void test_without_memory(void **state)
{
	(void)state;
	alloc_sweep(run_without_memory, NULL, 4);
}

static void test_calls_that_fail(void **state)
{
	bool failed = true;
	long n;

	(void)state;
	for (n = 0; failed; n++) {
		begin_from();
		world.disks = 0;
		calls_arm(n, EIO);
		int r = run();
		failed = calls_disarm();
		assert_int_equal(r, failed ? -EIO : 0);
		assert_int_equal(world.disks, r == 0);
		shell("rm -f images/vm/*");
	}
	/* At the least: to open and look, and to open, look, make and sync the copy and read it. */
	assert_true(n > 7);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup_from, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_made),
		TEST(test_another_name),
		TEST(test_no_disk_is_wanted),
		TEST(test_space),
		TEST(test_cannot_copy),
		TEST(test_changed_meanwhile),
		TEST(test_without_memory),
		TEST(test_calls_that_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
