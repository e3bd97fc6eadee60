/* SPDX-License-Identifier: Apache-2.0 */
/* The record of a provisioned guest: what is written is read again, and what anybody else may have
 * put there is refused whole. */
/* LINK: base/file base/time model/utf8 model/jsontext io/program io/disk io/record */
/* LIBS: jansson */
#include "alloc_fail.h"

#include "io/record.h"

#include "base/file.h"
#include "model/jsontext.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AT (1795460942 * USEC_PER_SEC)

static char dir[] = "/tmp/test_record-XXXXXX";
static char path[64];

static const struct record whole = { .base = "base-0123456789abcdef.qcow2",
	.sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	.format = DISK_QCOW2,
	.base_bytes = 1u << 30,
	.virtual_bytes = INT64_MAX,
	.verified = true,
	.signer = "ABCDEF0123456789ABCDEF0123456789ABCDEF01",
	.base_inode = 7,
	.base_mtime_nsec = 8,
	.glibc = "2.39-0ubuntu8.3",
	.source = "https://images.example/\"noble\"/image \xc3\xa4.img",
	.device = 1,
	.inode = 2,
	.source_bytes = 3,
	.mtime_nsec = 4,
	.ctime_nsec = 5,
	.instance_id = "i-1" };

static int enter(void **state)
{
	(void)state;
	if (strstr(dir, "XXXXXX"))
		assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/provision.json", dir);
	return 0;
}

static int leave(void **state)
{
	(void)state;
	(void)unlink(path);
	return 0;
}

static void test_round(void **state)
{
	struct record is = { 0 };
	struct stat st;
	char *text = NULL, *again = NULL;

	(void)state;
	assert_int_equal(record_read(path, &is), -ENOENT);
	assert_int_equal(record_write(path, &whole, AT), 1);
	assert_int_equal(record_read(path, &is), 0);
	assert_memory_equal(&is, &whole, sizeof(is));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* The same is not written again: its time is that of the first. */
	assert_int_equal(file_read(path, 65536, &text, NULL), 0);
	assert_non_null(strstr(text, "\"time\": \"2026-11-23T19:09:02Z\""));
	assert_int_equal(record_write(path, &whole, 2 * AT), 0);
	assert_int_equal(file_read(path, 65536, &again, NULL), 0);
	assert_string_equal(text, again);
	is.verified = false;
	assert_int_equal(record_write(path, &is, AT), 1);
	assert_int_equal(record_read(path, &is), 0);
	assert_false(is.verified);
	free(text);
	free(again);
}

/* One word of a good record replaced. */
static void test_mutations(void **state)
{
	static const struct {
		const char *from, *to;
		int error;
	} rows[] = {
		{ "\"version\": 1", "\"version\": 2", -EBADMSG },
		{ "\"version\": 1", "\"version\": \"1\"", -EBADMSG },
		{ "\"qcow2\"", "\"vmdk\"", -EBADMSG },
		{ "\"format\"", "\"fromat\"", -EBADMSG },
		{ "\"base-0123456789abcdef.qcow2\"", "\"../../etc/passwd\"", -EBADMSG },
		{ "\"base-0123456789abcdef.qcow2\"", "[]", -EBADMSG },
		{ "\"sha256\": \"", "\"sha256\": \"0", -EBADMSG },
		{ "\"i-1\"", "null", -EBADMSG },
		{ "\"base_bytes\": 1073741824", "\"base_bytes\": 1.5", -EBADMSG },
		{ "\"base_bytes\": 1073741824", "\"base_bytes\": 9223372036854775808", -EBADMSG },
		{ "\"verified\": true", "\"verified\": 1", -EBADMSG },
		{ "\"inode\": 2", "\"xnode\": 2", -EBADMSG },
		{ "\"base_inode\": 7", "\"base_inode\": \"7\"", -EBADMSG },
		{ "\"signer\": \"",
			"\"signer\": \"0123456789abcdef0123456789abcdef0123456789abcdef",
			-EBADMSG },
		{ "\"signer\": \"", "\"signer\": 1, \"x\": \"", -EBADMSG },
		/* What came later may be missing, and what will come is passed over. */
		{ "\"base_inode\"", "\"of_later\"", 0 },
		{ "\"signer\"", "\"of_later\"", 0 },
		{ "\"glibc\"", "\"of_later\"", 0 },
		{ "}", "", -EBADMSG },
		{ "}", "}}", -EBADMSG },
		{ "\"i-1\"", "\"i-\\u0000\"", -EBADMSG },
		{ "\"i-1\"", "\"i-\xff\"", -EBADMSG },
	};
	char *good = NULL;
	size_t len = 0;

	(void)state;
	assert_int_equal(record_write(path, &whole, AT), 1);
	assert_int_equal(file_read(path, 65536, &good, &len), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char bad[8192];
		struct record is = { .inode = 77 };
		const char *at = strstr(good, rows[i].from);

		assert_non_null(at);
		(void)snprintf(bad, sizeof(bad), "%.*s%s%s", (int)(at - good), good, rows[i].to,
			at + strlen(rows[i].from));
		assert_int_equal(file_write_atomic(path, bad, strlen(bad), 0600), 0);
		int r = record_read(path, &is);
		if (r != rows[i].error)
			fail_msg("%s for %s: %d", rows[i].to, rows[i].from, r);
		/* Half of it is not taken. */
		assert_int_equal(is.inode, r < 0 ? 77 : 2);
		/* What cannot be read is no reason not to write. */
		if (r < 0)
			assert_int_equal(record_write(path, &whole, AT), 1);
	}
	/* Cut off anywhere: the last byte is a line's or a brace's. */
	for (size_t n = 0; n + 1 < len; n++) {
		struct record is;

		assert_int_equal(file_write_atomic(path, good, n, 0600), 0);
		if (record_read(path, &is) != -EBADMSG)
			fail_msg("the first %zu of %zu bytes are a record", n, len);
	}
	free(good);
}

static void test_other_files(void **state)
{
	CLEANUP_FREE char *large = malloc(65537);
	struct record is;
	char other[80];

	(void)state;
	assert_non_null(large);
	memset(large, ' ', 65537);
	assert_int_equal(file_write_atomic(path, large, 65537, 0600), 0);
	assert_int_equal(record_read(path, &is), -EFBIG);
	memset(large, '[', 65536);
	assert_int_equal(file_write_atomic(path, large, 65536, 0600), 0);
	assert_int_equal(record_read(path, &is), -EBADMSG);
	(void)unlink(path);

	(void)snprintf(other, sizeof(other), "%s/other", dir);
	assert_int_equal(record_write(other, &whole, AT), 1);
	assert_int_equal(symlink(other, path), 0);
	assert_int_equal(record_read(path, &is), -ELOOP);
	(void)unlink(path);
	(void)unlink(other);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(record_read(path, &is), -EINVAL);
	(void)unlink(path);
	assert_int_equal(record_read("/nonexistent/x", &is), -ENOENT);
	assert_int_equal(record_write("/nonexistent/x", &whole, AT), -ENOENT);
	/* A path that JSON cannot hold: what is there stays. */
	struct record latin = whole;
	(void)snprintf(latin.source, sizeof(latin.source), "/b\xe4r.img");
	assert_int_equal(record_write(path, &whole, AT), 1);
	assert_int_equal(record_write(path, &latin, AT), -EINVAL);
	assert_int_equal(record_read(path, &is), 0);
	assert_string_equal(is.source, whole.source);
}

static void test_times(void **state)
{
	char text[RECORD_TIME_TEXT];

	(void)state;
	record_time(AT, false, text);
	assert_string_equal(text, "2026-11-23T19:09:02Z");
	record_time(AT, true, text);
	assert_string_equal(text, "20261123T190902Z");
	/* A clock far off has a year that fits nowhere. */
	record_time(UINT64_MAX, false, text);
	assert_true(strlen(text) < sizeof(text));
	record_time((usec_t)253402300800000000ull * 1000, false, text);
	assert_true(strlen(text) < sizeof(text));
}

static void attempt_load(void *userdata)
{
	static struct record is;

	(void)userdata;
	is.inode = 77;
	alloc_arm();
	int r = record_read(path, &is);
	bool failed = alloc_disarm();
	assert_int_equal(r, failed ? -ENOMEM : 0);
	assert_int_equal(is.inode, failed ? 77 : 2);
}

/* Whole, or what was there. */
static void attempt_save(void *userdata)
{
	static struct record is;

	(void)userdata;
	is = whole;
	is.inode = 99;
	(void)record_write(path, &whole, AT);
	alloc_arm();
	int r = record_write(path, &is, AT);
	bool failed = alloc_disarm();
	assert_true(r == 1 || (failed && r < 0));
	assert_int_equal(record_read(path, &is), 0);
	/* The last step is the directory's, when the new one is in its place. */
	assert_true(is.inode == 99 || (r < 0 && is.inode == 2));
}

static void test_without_memory(void **state)
{
	(void)state;
	assert_int_equal(record_write(path, &whole, AT), 1);
	alloc_sweep(attempt_load, NULL, 10);
	alloc_sweep(attempt_save, NULL, 20);
}

static int end(void **state)
{
	(void)state;
	return rmdir(dir);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, enter, leave)
	const struct CMUnitTest tests[] = {
		TEST(test_round),
		TEST(test_mutations),
		TEST(test_other_files),
		TEST(test_times),
		TEST(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, end);
}
