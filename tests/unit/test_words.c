/* SPDX-License-Identifier: Apache-2.0 */
/* Texts cut at every byte stay UTF-8 and lose no whole character. */
/* LINK: model/utf8 core/words */
#include "core/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "model/utf8.h"

static void test_every_cut(void **state)
{
	static const char text[] = "a\xc3\xa9"
				   "b\xe2\x80\xa6"
				   "c\xf0\x9f\x98\x80"
				   "d\xe2\x80\xa6\xc3\xa9";
	char buf[sizeof(text)];

	(void)state;
	for (size_t size = 1; size <= sizeof(text); size++) {
		assert_ptr_equal(words_cut(buf, size, text), buf);
		size_t len = strlen(buf);

		assert_true(utf8_valid(buf, len));
		assert_memory_equal(buf, text, len);
		/* At most what one character lacks. */
		assert_in_range(size - 1 - len, 0, 3);
		assert_true(len == size - 1 || !utf8_valid(text, size - 1));
	}
	assert_string_equal(buf, text);
}

/* Bytes that were never UTF-8 are not this function's to judge, and do no harm. */
static void test_no_utf8(void **state)
{
	char none[] = "", tail[] = "\x80\x80\x80\x80\x80", lead[] = "\xff";

	(void)state;
	assert_string_equal(words_mend(none), "");
	assert_int_equal(strlen(words_mend(tail)), 5);
	assert_string_equal(words_mend(lead), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_no_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
