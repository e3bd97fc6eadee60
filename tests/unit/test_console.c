/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of serial bytes against a simple model of it, and its listeners. */
/* LINK: base/time model/utf8 model/serial core/console */
#include "core/console.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"

/* Every byte is the low byte of a number that counts up oddly, so that a shift shows. */
static void fill(char *buf, size_t len, uint64_t from)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (char)((from + i) * 31 >> 3);
}

static void check_tail(const struct console *c, uint64_t total, size_t size)
{
	size_t kept = (size_t)MIN(total, (uint64_t)CONSOLE_RING), expected = MIN(size, kept);
	CLEANUP_FREE char *got = malloc(size + 1), *want = malloc(expected + 1);

	got[size] = 'X';
	assert_int_equal(console_tail(c, got, size), expected);
	assert_int_equal(got[size], 'X');
	fill(want, expected, total - expected);
	assert_memory_equal(got, want, expected);
}

static void test_ring(void **state)
{
	static const size_t sizes[] = { 1, 7, 4096, 4096, 60000, 1, CONSOLE_RING - 1, CONSOLE_RING,
		3, CONSOLE_RING + 1, 4096, 2 * CONSOLE_RING + 17, 5, 4096 };
	struct console c = { 0 };
	uint64_t total = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		CLEANUP_FREE char *data = malloc(sizes[i]);

		fill(data, sizes[i], total);
		console_write(&c, data, sizes[i], i);
		total += sizes[i];
		assert_int_equal(c.total, total);
		check_tail(&c, total, 1);
		check_tail(&c, total, 4096);
		check_tail(&c, total, CONSOLE_RING);
		check_tail(&c, total, CONSOLE_RING + 100);
	}
	assert_int_equal(c.lost, 13 * 14 / 2);
	console_free(&c);
}

static void test_empty(void **state)
{
	struct console c = { 0 };
	char buf[4] = "abc";

	(void)state;
	assert_int_equal(console_tail(&c, buf, sizeof(buf)), 0);
	assert_string_equal(buf, "abc");
	console_write(&c, "", 0, 3);
	assert_int_equal(console_tail(&c, buf, 0), 0);
	assert_int_equal(c.lost, 3);
	console_free(&c);
	console_free(&c);
}

struct ear {
	struct console *c;
	char heard[32];
	size_t n;
	bool leaves;
};

static void listen_to(void *userdata, const void *data, size_t len)
{
	struct ear *e = userdata;

	memcpy(e->heard + e->n, data, MIN(len, sizeof(e->heard) - e->n));
	e->n += len;
	if (e->leaves)
		console_unlisten(e->c, listen_to, e);
}

static void test_listeners(void **state)
{
	struct console c = { 0 };
	struct ear ears[CONSOLE_LISTENERS + 1] = { 0 };

	(void)state;
	for (size_t i = 0; i < CONSOLE_LISTENERS; i++) {
		ears[i].c = &c;
		assert_int_equal(console_listen(&c, listen_to, &ears[i]), 0);
	}
	assert_int_equal(console_listen(&c, listen_to, &ears[CONSOLE_LISTENERS]), -EBUSY);
	ears[1].leaves = true; /* in its own callback */
	console_write(&c, "one ", 4, 0);
	console_write(&c, "two", 3, 0);
	for (size_t i = 0; i < CONSOLE_LISTENERS; i++)
		assert_string_equal(ears[i].heard, i == 1 ? "one " : "one two");
	assert_int_equal(console_listen(&c, listen_to, &ears[CONSOLE_LISTENERS]), 0);
	console_write(&c, "!", 1, 0);
	assert_string_equal(ears[CONSOLE_LISTENERS].heard, "!");
	/* One that never listened is no matter. */
	console_unlisten(&c, listen_to, &c);
	console_unlisten(&c, listen_to, &ears[0]);
	console_write(&c, "?", 1, 0);
	assert_string_equal(ears[0].heard, "one two!");
	console_free(&c);
}

static void check_lines(const char *said, unsigned n, size_t size, const char *want)
{
	struct console c = { 0 };
	char buf[512];

	memset(buf, 'X', sizeof(buf));
	console_write(&c, said, strlen(said), 0);
	assert_int_equal(console_last_lines(&c, n, buf, size), strlen(want));
	assert_string_equal(buf, want);
	assert_int_equal(buf[size], 'X');
	console_free(&c);
}

static void test_last_lines(void **state)
{
	(void)state;
	check_lines("", 3, 100, "");
	check_lines("one", 0, 100, "");
	check_lines("one", 1, 100, "one");
	check_lines("one\r\ntwo\r\n\r\n  \t\r\nthree", 2, 100, "two\nthree");
	check_lines("one\r\ntwo\r\n", 9, 100, "one\ntwo");
	check_lines("one\r\ntwo\r\n", 1000000, 100, "one\ntwo");
	/* systemd's colours and contexts, a firmware's clearing, a title, a charset, a cut string.
	 */
	check_lines("\x1b[2J\x1b[01;01H\x1b[=3hSeaBIOS\n[\x1b[0;32m  OK  \x1b[0m] Stopped "
		    "\x1b[0;1;39mnginx\x1b[0m.\n",
		5, 100, "SeaBIOS\n[  OK  ] Stopped nginx.");
	check_lines("\x1b]3008;start=ab;type=boot\x1b\\"
		    "a\x1b]0;title\x07 b\x1b(B c\n",
		5, 100, "a b c");
	check_lines("\x1bP+q never closed\nnext\x1b[1;3", 5, 100, "next");
	/* What is left cannot steer, and an escape cannot be forged. */
	check_lines("a\x07\xff\xe2\x80\xae"
		    "b\\x41\tz\n",
		5, 100, "a\\x07\\xff\\xe2\\x80\\xaeb\\\\x41 z");
}

static void test_last_lines_bounded(void **state)
{
	struct console c = { 0 };
	char buf[2000];

	(void)state;
	check_lines("one\ntwo\nthree\n", 9, 14, "one\ntwo\nthree");
	check_lines("one\ntwo\nthree\n", 9, 13, "two\nthree");
	check_lines("one\ntwo\nthree\n", 9, 9, "three");
	check_lines("one\ntwo\nthree\n", 9, 5, "t\xe2\x80\xa6");
	check_lines("one\ntwo\nthree\n", 9, 1, "");
	/* The rest of a line whose beginning was overwritten is none. */
	console_write(&c, "1mred fish\n", 11, 0);
	for (unsigned i = 0; i < CONSOLE_RING - 11; i++)
		console_write(&c, " ", 1, 0);
	console_write(&c, "\nend\n", 5, 0);
	assert_int_equal(console_last_lines(&c, 4, buf, sizeof(buf)), 3);
	assert_int_equal(console_last_lines(&c, 4, buf, 0), 0);
	/* Neither a flood of lines nor one line without an end takes more than its share. */
	for (unsigned i = 0; i < 70000; i++)
		console_write(&c, "a\n", 2, 0);
	console_write(&c, "b\n", 2, 0);
	assert_int_equal(console_last_lines(&c, 1000, buf, sizeof(buf)), 2 * CONSOLE_LINES_MAX - 1);
	assert_memory_equal(buf + 2 * CONSOLE_LINES_MAX - 4, "a\nb", 4);
	for (unsigned i = 0; i < 3 * CONSOLE_RING; i++)
		console_write(&c, "\x1b", 1, 0);
	assert_int_equal(console_last_lines(&c, 4, buf, sizeof(buf)), 0);
	console_write(&c, "\n", 1, 0);
	for (unsigned i = 0; i < 3000; i++)
		console_write(&c, "\x01", 1, 0);
	assert_int_equal(console_last_lines(&c, 4, buf, sizeof(buf)), 1024);
	console_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ring),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_listeners),
		cmocka_unit_test(test_last_lines),
		cmocka_unit_test(test_last_lines_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
