/* SPDX-License-Identifier: Apache-2.0 */
/* The seed image: label and names as cloud-init looks for them, content compared, written only when
 * it changed; and the digests that name a seed. */
/* LINK: base/file io/seed io/digest */
/* LIBS: libarchive nettle */
#include "alloc_fail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <sys/stat.h>

#include "base/file.h"
#include "io/digest.h"
#include "io/seed.h"

#define SECTOR 2048u

static const struct seed_file files[] = {
	{ "meta-data", "instance-id: x\n", 15 },
	{ "user-data", "#cloud-config\n", 14 },
	{ "vendor-data", "", 0 },
};

static char dir[] = "/tmp/test_seed-XXXXXX";
static char path[sizeof(dir) + 16];

/* libarchive's own, which fail when a test asks for it: the n-th call from now, once. */
static long library_budget = -1;
static bool library_failed;

static bool library_fails(void)
{
	if (library_budget != 0)
		return library_budget > 0 && library_budget-- < 0;
	library_budget = -1;
	return library_failed = true;
}

#define LIBRARY(type, failure, name, parameters, ...)                                              \
	type name parameters                                                                       \
	{                                                                                          \
		type(*real) parameters = (__typeof__(real))dlsym(RTLD_NEXT, #name);                \
		return library_fails() ? (failure) : real(__VA_ARGS__);                            \
	}

LIBRARY(struct archive_entry *, NULL, archive_entry_new, (void))
LIBRARY(int, ARCHIVE_FATAL, archive_write_set_format_iso9660, (struct archive * a), a)
LIBRARY(int, ARCHIVE_FATAL, archive_write_set_options, (struct archive * a, const char *options), a,
	options)
LIBRARY(int, ARCHIVE_FATAL, archive_write_open_memory,
	(struct archive * a, void *image, size_t room, size_t *used), a, image, room, used)
LIBRARY(int, ARCHIVE_FATAL, archive_write_header, (struct archive * a, struct archive_entry *e), a,
	e)
LIBRARY(la_ssize_t, ARCHIVE_FATAL, archive_write_data,
	(struct archive * a, const void *data, size_t len), a, data, len)
LIBRARY(int, ARCHIVE_FATAL, archive_write_close, (struct archive * a), a)

/* It ends by itself what was not ended. */
int archive_write_free(struct archive *a)
{
	int (*real)(struct archive *) = (__typeof__(real))dlsym(RTLD_NEXT, "archive_write_free");

	library_budget = -1;
	return real(a);
}

/* Memory that runs out once an entry was read, which libarchive itself does not live through. */
static bool short_after_name;

const char *archive_entry_pathname(struct archive_entry *e)
{
	const char *(*real)(struct archive_entry *) =
		(__typeof__(real))dlsym(RTLD_NEXT, "archive_entry_pathname");
	const char *name = real(e);

	if (short_after_name) {
		alloc.next = 0;
		alloc_arm();
	}
	return name;
}

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/seed.iso", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(dir);
}

/* ECMA-119: the volume identifier is at byte 40 of a descriptor; Joliet's is in UCS-2, big endian.
 */
static void test_label(void **state)
{
	CLEANUP_FREE void *image = NULL;
	size_t len = 0;

	(void)state;
	assert_int_equal(seed_build(files, ARRAY_SIZE(files), &image, &len, NULL), 0);
	const char *primary = (const char *)image + 16 * SECTOR, *joliet = primary + SECTOR;
	assert_true(len > 20 * SECTOR && len % SECTOR == 0 && len < 512 * 1024);
	assert_memory_equal(primary, "\1CD001", 6);
	/* cloud-init and blkid take the label in either case (NoCloud: fs_label). */
	assert_int_equal(strncasecmp(primary + 40, "cidata ", 7), 0);
	assert_memory_equal(joliet, "\2CD001", 6);
	assert_memory_equal(joliet + 40, "\0c\0i\0d\0a\0t\0a\0 ", 14);
}

static void test_written_once(void **state)
{
	struct stat before, after;

	(void)state;
	assert_int_equal(seed_write(path, files, ARRAY_SIZE(files), NULL), 1);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(before.st_mode & 07777, 0600);
	assert_int_equal(seed_write(path, files, ARRAY_SIZE(files), NULL), 0);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
}

static void test_differences(void **state)
{
	static const struct {
		const char *what;
		struct seed_file files[4];
		size_t n;
	} rows[] = {
		{ "other content",
			{ { "meta-data", "instance-id: y\n", 15 },
				{ "user-data", "#cloud-config\n", 14 }, { "vendor-data", "", 0 } },
			3 },
		{ "shorter",
			{ { "meta-data", "instance-id: x", 14 },
				{ "user-data", "#cloud-config\n", 14 }, { "vendor-data", "", 0 } },
			3 },
		{ "longer",
			{ { "meta-data", "instance-id: x\n\n", 16 },
				{ "user-data", "#cloud-config\n", 14 }, { "vendor-data", "", 0 } },
			3 },
		{ "one less",
			{ { "meta-data", "instance-id: x\n", 15 },
				{ "user-data", "#cloud-config\n", 14 } },
			2 },
		{ "one more",
			{ { "meta-data", "instance-id: x\n", 15 },
				{ "user-data", "#cloud-config\n", 14 }, { "vendor-data", "", 0 },
				{ "network-config", "", 0 } },
			4 },
		{ "other name",
			{ { "meta-data", "instance-id: x\n", 15 },
				{ "user-date", "#cloud-config\n", 14 }, { "vendor-data", "", 0 } },
			3 },
	};

	(void)state;
	assert_true(seed_write(path, files, ARRAY_SIZE(files), NULL) >= 0);
	assert_int_equal(seed_matches(path, files, ARRAY_SIZE(files)), 1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (seed_matches(path, rows[i].files, rows[i].n) != 0)
			fail_msg("%s", rows[i].what);
}

static void test_no_image_is_written_anew(void **state)
{
	(void)state;
	assert_int_equal(file_write_atomic(path, "no image", 8, 0600), 0);
	assert_int_equal(seed_matches(path, files, ARRAY_SIZE(files)), 0);
	assert_int_equal(seed_write(path, files, ARRAY_SIZE(files), NULL), 1);
	(void)unlink(path);
	assert_int_equal(seed_matches(path, files, ARRAY_SIZE(files)), 0);
}

static void test_large_and_too_large(void **state)
{
	const size_t large = 8u * 1024 * 1024;
	CLEANUP_FREE char *data = malloc(SEED_BYTES_MAX);
	struct seed_file one = { "vendor-data", data, large };
	struct reason reason = { "" };

	(void)state;
	assert_non_null(data);
	memset(data, 'x', SEED_BYTES_MAX);
	assert_int_equal(seed_write(path, &one, 1, NULL), 1);
	assert_int_equal(seed_matches(path, &one, 1), 1);
	one.len = SEED_BYTES_MAX;
	assert_int_equal(seed_write(path, &one, 1, &reason), -EFBIG);
	assert_non_null(strstr(reason.text, "32 MiB"));
}

/* FIPS 180-4's own examples. */
static void test_digest(void **state)
{
	char hex[DIGEST_TEXT], moved[DIGEST_TEXT];
	const struct digest_part a[] = { { "ab", 2 }, { "c", 1 } },
				 b[] = { { "a", 1 }, { "bc", 2 } };

	(void)state;
	digest_buffer("abc", 3, hex);
	assert_string_equal(
		hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(file_write_atomic(path, "abc", 3, 0600), 0);
	assert_int_equal(digest_file(path, NULL, moved), 0);
	assert_string_equal(hex, moved);
	(void)unlink(path);
	assert_int_equal(digest_file(path, NULL, moved), -ENOENT);
	digest_parts(a, 2, hex);
	digest_parts(b, 2, moved);
	assert_string_not_equal(hex, moved);
}

/* Cut off or changed anywhere in what matters, it is not the seed that is wanted; where it cannot
 * go, that is said. */
static void test_damaged(void **state)
{
	CLEANUP_FREE char *image = NULL;
	struct reason reason = { "" };
	size_t len = 0;

	(void)state;
	assert_true(seed_write(path, files, ARRAY_SIZE(files), NULL) >= 0);
	assert_int_equal(file_read(path, SEED_BYTES_MAX, &image, &len), 0);
	for (size_t n = 0; n < len; n += 2048) {
		assert_int_equal(file_write_atomic(path, image, n, 0600), 0);
		assert_int_equal(seed_matches(path, files, ARRAY_SIZE(files)), 0);
	}
	(void)unlink(path);
	assert_int_equal(
		seed_write("/nonexistent/seed", files, ARRAY_SIZE(files), &reason), -ENOENT);
	assert_non_null(strstr(reason.text, "cannot write /nonexistent/seed"));
}

/* The first allocations are ours; libarchive ends the program by some of its own. */
static void test_without_memory(void **state)
{
	(void)state;
	assert_true(seed_write(path, files, ARRAY_SIZE(files), NULL) >= 0);
	for (alloc.next = 0; alloc.next < 2; alloc.next++) {
		const long before = alloc.live;
		struct reason reason;
		void *image = NULL;
		size_t len = 0;

		alloc_arm();
		int r = seed_matches(path, files, ARRAY_SIZE(files));
		assert_true(alloc_disarm());
		assert_true(r == -ENOMEM || r == 0);
		alloc_arm();
		r = seed_build(files, ARRAY_SIZE(files), &image, &len, &reason);
		assert_true(alloc_disarm());
		assert_true(r < 0);
		assert_null(image);
		if (ALLOC_COUNTS)
			assert_int_equal(alloc.live, before);
	}
}

/* What could not be compared is not written anew, or each look would make another seed. */
static void test_no_memory_to_compare(void **state)
{
	struct stat before, after;

	(void)state;
	assert_true(seed_write(path, files, ARRAY_SIZE(files), NULL) >= 0);
	assert_int_equal(stat(path, &before), 0);
	short_after_name = alloc.once = true;
	int r = seed_write(path, files, ARRAY_SIZE(files), NULL);
	short_after_name = alloc.once = false;
	assert_true(alloc_disarm());
	assert_int_equal(r, -ENOMEM);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
}

/* Whatever libarchive fails by, it is told and there is no seed. */
static void test_library_fails(void **state)
{
	/* Three to begin, for each file an entry and a header, the content of two, and the end. */
	const unsigned calls = 3 + 3 * 2 + 2 + 1;
	unsigned n = 0;

	(void)state;
	do {
		CLEANUP_FREE void *image = NULL;
		struct reason reason = { "" };
		size_t len = 0;

		library_failed = false;
		library_budget = n;
		int r = seed_build(files, ARRAY_SIZE(files), &image, &len, &reason);
		library_budget = -1;
		if (!library_failed) {
			assert_int_equal(r, 0);
			break;
		}
		assert_int_equal(r, -EIO);
		assert_null(image);
		assert_string_equal(reason.text, "cannot make the seed: libarchive says nothing");
	} while (++n < 100);
	assert_int_equal(n, calls);
}

/* libarchive gathers the files in one of its own, in $TMPDIR. Where that fails it (3.6.2) loses the
 * buffer that it writes from, which the sanitizer would take for ours. */
static void test_nowhere_to_gather(void **state)
{
	struct reason reason = { "" };

	(void)state;
	if (!ALLOC_COUNTS)
		skip();
	(void)unlink(path);
	assert_int_equal(setenv("TMPDIR", "/nonexistent", 1), 0);
	int r = seed_write(path, files, ARRAY_SIZE(files), &reason);
	assert_int_equal(unsetenv("TMPDIR"), 0);
	assert_int_equal(r, -EIO);
	assert_non_null(strstr(reason.text, "cannot make the seed: "));
	assert_null(strstr(reason.text, "says nothing"));
	assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_label),
		cmocka_unit_test(test_written_once),
		cmocka_unit_test(test_differences),
		cmocka_unit_test(test_no_image_is_written_anew),
		cmocka_unit_test(test_large_and_too_large),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_without_memory),
		cmocka_unit_test(test_no_memory_to_compare),
		cmocka_unit_test(test_library_fails),
		cmocka_unit_test(test_nowhere_to_gather),
		cmocka_unit_test(test_digest),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
