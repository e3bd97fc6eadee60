/* SPDX-License-Identifier: Apache-2.0 */
/* A download's partial file, on what servers say in their headers and what may lie where it is to
 * go. The whole of a download is in tests/provision/fetch. */
/* LINK: base/file base/parse base/time io/copy io/fetch_part */
#include "unit/call_fail.h"

#include "base/file.h"
#include "base/macro.h"
#include "io/fetch_part.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define URL "https://images.example/image.img"

static char dir[] = "/tmp/test_fetch-XXXXXX";
static char path[64], meta[80];
static struct fetch fetch = { .url = URL, .path = path, .bytes_max = 100 };
static struct reason reason;

static int enter(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/part", dir);
	(void)snprintf(meta, sizeof(meta), "%s" FETCH_META, path);
	return 0;
}

static int leave(void **state)
{
	(void)state;
	return rmdir(dir);
}

static int clean(void **state)
{
	(void)state;
	fetch_discard(path);
	fetch.bytes_max = 100;
	fetch.space_spare = 0;
	reason.text[0] = '\0';
	return 0;
}

static void line(struct fetch_head *head, const char *text)
{
	fetch_head_line(head, text, strlen(text));
}

static void test_head(void **state)
{
	static char huge[FETCH_VALIDATOR_MAX + 8] = "ETag: \"";
	struct fetch_head h = { .etag = "\"old\"", .length = 1 };

	(void)state;
	/* A new answer, as after a redirect: nothing of the last one counts. */
	line(&h, "HTTP/1.1 200 OK\r\n");
	assert_string_equal(h.etag, "");
	assert_true(h.length == UINT64_MAX && h.total == UINT64_MAX && !h.has_range);
	line(&h, "eTaG: \t \"a b\" \t\r\n");
	assert_string_equal(h.etag, "\"a b\"");
	line(&h, "ETag: W/\"weak\"\r\n");
	line(&h, "ETag:\r\n");
	line(&h, "ETag: \"a\nb\"\r\n");
	line(&h, "ETag: \"\xc3\xa4\"\r\n");
	line(&h, "ETagx: \"x\"\r\n");
	memset(huge + 7, 'x', sizeof(huge) - 7);
	fetch_head_line(&h, huge, sizeof(huge));
	assert_string_equal(h.etag, "\"a b\"");
	line(&h, "Last-Modified: Mon, 23 Nov 2026 19:09:02 GMT\r\n");
	assert_string_equal(h.modified, "Mon, 23 Nov 2026 19:09:02 GMT");
	line(&h, "Content-Length: 17\r\n");
	assert_int_equal(h.length, 17);
	line(&h, "Content-Length: -1\r\n");
	assert_true(h.length == UINT64_MAX);
	line(&h, "HTTP");
	line(&h, "");
}

static void test_range(void **state)
{
	static const struct {
		const char *value;
		bool good;
		uint64_t from, total;
	} rows[] = {
		{ "bytes 5-9/10", true, 5, 10 },
		{ "bytes 5-9/*", true, 5, UINT64_MAX },
		{ "BYTES 0-0/1", true, 0, 1 },
		{ "bytes 5-9/7", true, 5, UINT64_MAX },
		{ "lines 5-9/10", false, 0, 0 },
		{ "bytes */10", false, 0, 0 },
		{ "bytes 5/9-10", false, 0, 0 },
		{ "bytes 9-5/10", false, 0, 0 },
		{ "bytes x-9/10", false, 0, 0 },
		{ "bytes 5-/10", false, 0, 0 },
		{ "b-/", false, 0, 0 },
		{ "bytes 5-9223372036854775808/10", false, 0, 0 },
	};
	char text[96];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fetch_head h = { .total = UINT64_MAX };

		(void)snprintf(text, sizeof(text), "Content-Range: %s\r\n", rows[i].value);
		line(&h, text);
		if (h.has_range != rows[i].good)
			fail_msg("%s", rows[i].value);
		if (!h.has_range)
			continue;
		assert_int_equal(h.from, rows[i].from);
		assert_true(h.total == rows[i].total);
	}
}

static void put(const char *at, const char *text)
{
	assert_int_equal(file_write_atomic(at, text, strlen(text), 0600), 0);
}

/* What lies there is gone on with only where the meta file says that it is a part of this. */
static void test_found(void **state)
{
	static const struct {
		const char *meta;
		uint64_t offset;
		bool whole;
	} rows[] = {
		{ URL "\n\"v\"\n10\n", 4, false },
		{ URL "\n\"v\"\n4\n", 4, true },
		{ URL "\n\n4\n", 4, true },
		{ URL "\n\"v\"\n0\n", 4, false },
		{ URL "\n\n10\n", 0, false }, /* nothing to ask with */
		{ URL "x\n\"v\"\n10\n", 0, false },
		{ URL "\n\"v\"\n3\n", 0, false }, /* more is there than there can be */
		{ URL "\n\"v\"\nten\n", 0, false },
		{ URL "\n\"v\"", 0, false },
		{ "", 0, false },
	};
	static char huge[600] = URL "\n";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows) + 1; i++) {
		struct fetch_part part = { .fd = -1 };

		memset(huge + strlen(URL) + 1, 'v', 300);
		strcpy(huge + strlen(URL) + 301, "\n10\n");
		put(path, "four");
		put(meta, i < ARRAY_SIZE(rows) ? rows[i].meta : huge);
		assert_int_equal(fetch_part_open(&part, &fetch, &reason), 0);
		assert_int_equal(part.offset, i < ARRAY_SIZE(rows) ? rows[i].offset : 0);
		assert_int_equal(part.whole, i < ARRAY_SIZE(rows) && rows[i].whole);
		fetch_part_close(&part);
	}
	/* Links to elsewhere, on either side. */
	fetch_discard(path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	struct fetch_part part = { .fd = -1 };
	assert_int_equal(fetch_part_open(&part, &fetch, &reason), -ELOOP);
	assert_non_null(strstr(reason.text, "cannot write"));
}

static void test_answers(void **state)
{
	static const struct {
		int status;
		struct fetch_head head;
		int error;
		uint64_t offset, total;
	} rows[] = {
		{ 206, { .has_range = true, .from = 4, .total = 20, .length = 16 }, 0, 4, 20 },
		{ 206, { .has_range = true, .from = 4, .total = UINT64_MAX }, 0, 4, 10 },
		{ 206, { .has_range = true, .from = 5, .total = 20 }, -EPROTO, 4, 10 },
		{ 206, { .has_range = false }, -EPROTO, 4, 10 },
		{ 204, { .length = 0 }, -EPROTO, 4, 10 },
		{ 200, { .length = 30, .etag = "\"n\"" }, 0, 0, 30 },
		{ 200, { .length = UINT64_MAX }, 0, 0, 0 },
		{ 200, { .length = 101 }, -EFBIG, 0, 101 },
		{ 206, { .has_range = true, .from = 4, .total = INT64_MAX }, -EFBIG, 4, INT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fetch_part part = { .fd = -1 };

		put(path, "four");
		put(meta, URL "\n\"v\"\n10\n");
		assert_int_equal(fetch_part_open(&part, &fetch, &reason), 0);
		int r = fetch_part_begin(&part, rows[i].status, &rows[i].head, &reason);
		if (r != rows[i].error)
			fail_msg("row %zu: %d %s", i, r, reason.text);
		assert_int_equal(part.begun, r == 0);
		assert_int_equal(part.offset, rows[i].offset);
		assert_int_equal(part.total, rows[i].total);
		fetch_part_close(&part);
	}
}

/* No more than was said, no more than may be, and not less. */
static void test_lengths(void **state)
{
	const struct fetch_head said = { .length = 10, .total = UINT64_MAX },
				unsaid = { .length = UINT64_MAX, .total = UINT64_MAX };
	static char bytes[101];
	struct fetch_part part = { .fd = -1 };

	(void)state;
	assert_int_equal(fetch_part_open(&part, &fetch, &reason), 0);
	assert_int_equal(fetch_part_begin(&part, 200, &said, &reason), 0);
	assert_int_equal(fetch_part_write(&part, bytes, 6, &reason), 0);
	assert_int_equal(fetch_part_finish(&part, &reason), -ECONNABORTED);
	assert_non_null(strstr(reason.text, "breaks off after 6 of 10 bytes"));
	assert_int_equal(fetch_part_write(&part, bytes, 5, &reason), -EFBIG);
	assert_non_null(strstr(reason.text, "sends more than it said it would"));
	assert_int_equal(fetch_part_write(&part, bytes, 4, &reason), 0);
	assert_int_equal(fetch_part_finish(&part, &reason), 0);
	assert_int_equal(fetch_part_begin(&part, 200, &unsaid, &reason), 0);
	assert_int_equal(fetch_part_write(&part, bytes, 101, &reason), -EFBIG);
	fetch_part_close(&part);
	/* A disk that is full, or nearly: what would fill it is thrown away. */
	fetch.space_spare = INT64_MAX;
	assert_int_equal(fetch_part_open(&part, &fetch, &reason), 0);
	assert_int_equal(fetch_part_begin(&part, 200, &said, &reason), -ENOSPC);
	part.begun = true;
	part.free = 0;
	assert_int_equal(fetch_part_write(&part, bytes, 4, &reason), -ENOSPC);
	assert_int_equal(access(path, F_OK), -1);
	fetch_part_close(&part);
}

static int one_download(void)
{
	const struct fetch_head said = { .length = 4, .total = UINT64_MAX, .etag = "\"v\"" };
	struct fetch_part part = { .fd = -1 };
	int r = fetch_part_open(&part, &fetch, &reason);

	if (r >= 0)
		r = fetch_part_begin(&part, 200, &said, &reason);
	if (r >= 0)
		r = fetch_part_write(&part, "four", 4, &reason);
	if (r >= 0)
		r = fetch_part_finish(&part, &reason);
	fetch_part_close(&part);
	return r;
}

/* Each call on files fails in turn: the error comes out, and what is left is no lie. */
static void test_calls_fail(void **state)
{
	static const int errors[] = { EIO, ENOSPC };

	(void)state;
	for (size_t e = 0; e < ARRAY_SIZE(errors); e++) {
		bool failed = true;

		for (long n = 0; failed; n++) {
			fetch_discard(path);
			calls_arm(n, errors[e]);
			int r = one_download();
			failed = calls_disarm();
			/* A look at what was there may fail without harm. */
			if (r == 0)
				continue;
			assert_true(failed);
			assert_int_equal(r, -errors[e]);
			struct fetch_part part = { .fd = -1 };
			assert_int_equal(fetch_part_open(&part, &fetch, &reason), 0);
			assert_true(part.offset == 0 || part.offset == 4);
			fetch_part_close(&part);
			assert_true(n < 100);
		}
	}
}

static void test_copy(void **state)
{
	char from[64], *text = NULL;

	(void)state;
	(void)snprintf(from, sizeof(from), "%s/from", dir);
	put(from, "four");
	assert_int_equal(fetch_part_copy(&fetch, from, &reason), 0);
	assert_int_equal(file_read(path, 100, &text, NULL), 0);
	assert_string_equal(text, "four");
	free(text);
	fetch.bytes_max = 3;
	assert_int_equal(fetch_part_copy(&fetch, from, &reason), -EFBIG);
	fetch.bytes_max = 100;
	assert_int_equal(fetch_part_copy(&fetch, dir, &reason), -EPROTO);
	assert_non_null(strstr(reason.text, "no regular file"));
	fetch.space_spare = INT64_MAX;
	assert_int_equal(fetch_part_copy(&fetch, from, &reason), -ENOSPC);
	assert_int_equal(unlink(from), 0);
	assert_int_equal(fetch_part_copy(&fetch, from, &reason), -ENOENT);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, clean)
	const struct CMUnitTest tests[] = {
		TEST(test_head),
		TEST(test_range),
		TEST(test_found),
		TEST(test_answers),
		TEST(test_lengths),
		TEST(test_calls_fail),
		TEST(test_copy),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
