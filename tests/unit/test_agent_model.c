/* SPDX-License-Identifier: Apache-2.0 */
/* The guest agent's JSON: what we write is what QEMU's schema asks for, and nothing a guest
 * writes does harm. */
/* LINK: model/agent model/jsontext */
/* LIBS: jansson */
#include "model/agent.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"

static void test_commands(void **state)
{
	static const char *const argv[] = { "/bin/cat", "a b", "\"quoted\\", "\xc3\xa9", NULL };
	static const char *const alone[] = { "/bin/true", NULL };
	static const char *const broken[] = { "/bin/cat", "\xff", NULL };
	CLEANUP_FREE char *exec = agent_exec_text(argv);
	CLEANUP_FREE char *one = agent_exec_text(alone);
	CLEANUP_FREE char *status = agent_status_text(123456789012);

	(void)state;
	assert_string_equal(exec,
		"{\"execute\":\"guest-exec\",\"arguments\":{\"path\":\"/bin/cat\",\"arg\":[\"a b\","
		"\"\\\"quoted\\\\\",\"\xc3\xa9\"],\"capture-output\":true}}");
	assert_string_equal(one, "{\"execute\":\"guest-exec\",\"arguments\":{\"path\":\"/bin/"
				 "true\",\"arg\":[],\"capture-output\":true}}");
	assert_string_equal(
		status, "{\"execute\":\"guest-exec-status\",\"arguments\":{\"pid\":123456789012}}");
	assert_null(agent_exec_text(broken));
}

static void test_exec(void **state)
{
	static const struct {
		const char *json;
		int result;
		long pid;
	} cases[] = {
		{ "{\"return\":{\"pid\":417}}",                0,        417 },
		{ " {\"return\":{\"more\":[],\"pid\":1}} ",    0,        1   },
		{ "",                                          -EBADMSG, 0   },
		{ "null",                                      -EBADMSG, 0   },
		{ "[]",                                        -EBADMSG, 0   },
		{ "{}",                                        -EBADMSG, 0   },
		{ "{\"return\":null}",                         -EBADMSG, 0   },
		{ "{\"return\":417}",                          -EBADMSG, 0   },
		{ "{\"return\":{}}",                           -EBADMSG, 0   },
		{ "{\"return\":{\"pid\":\"417\"}}",            -EBADMSG, 0   },
		{ "{\"return\":{\"pid\":0}}",                  -EBADMSG, 0   },
		{ "{\"return\":{\"pid\":-1}}",                 -EBADMSG, 0   },
		{ "{\"return\":{\"pid\":1.5}}",                -EBADMSG, 0   },
		{ "{\"return\":{\"pid\":99999999999999999999}}", -EBADMSG, 0 },
		{ "{\"return\":{\"pid\":1,\"pid\":2}}",        -EBADMSG, 0   },
		{ "{\"return\":{\"pid\":417}}x",               -EBADMSG, 0   },
		{ "{\"return\":{\"pid\":417}",                 -EBADMSG, 0   },
		{ "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"\"}}", -EBADMSG, 0 },
		{ "{\"return\":{\"pid\":417,\"x\":\"\xff\"}}", -EBADMSG, 0   },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		long pid = 77;

		assert_int_equal(agent_parse_exec(cases[i].json, &pid), cases[i].result);
		assert_int_equal(pid, cases[i].result == 0 ? cases[i].pid : 77);
	}
}

static const struct {
	const char *json, *out;
	int result, exit_status;
	bool exited;
} answers[] = {
	{ "{\"return\":{\"exited\":false}}", "", 0, 0, false },
	{ "{\"return\":{\"exited\":true,\"exitcode\":0}}", "", 0, 0, true },
	{ "{\"return\":{\"exited\":true,\"exitcode\":3,\"out-data\":\"YWN0aXZlCg==\"}}", "active\n",
		0, 3, true },
	{ "{\"return\":{\"exited\":true,\"signal\":9}}", "", 0, 137, true },
	{ "{\"return\":{\"exited\":true,\"exitcode\":-1}}", "", 0, 255, true },
	{ "{\"return\":{\"exited\":true,\"exitcode\":\"0\",\"out-data\":7}}", "", 0, 0, true },
	/* bytes 0, a stop at the first byte that is no base64, padding in the middle */
	{ "{\"return\":{\"exited\":true,\"out-data\":\"YQBi\"}}", "a?b", 0, 0, true },
	{ "{\"return\":{\"exited\":true,\"out-data\":\"YWJj YWJj\"}}", "abc", 0, 0, true },
	{ "{\"return\":{\"exited\":true,\"out-data\":\"YQ==YQ==\"}}", "a", 0, 0, true },
	{ "{\"return\":{\"exited\":true,\"out-data\":\"Y\"}}", "", 0, 0, true },
	{ "{\"return\":{\"exited\":true,\"out-data\":\"\xc3\xa9\"}}", "", 0, 0, true },
	{ "{\"return\":{\"exited\":1}}", NULL, -EBADMSG, 0, false },
	{ "{\"return\":{}}", NULL, -EBADMSG, 0, false },
	{ "{\"return\":[]}", NULL, -EBADMSG, 0, false },
	{ "", NULL, -EBADMSG, 0, false },
};

static void test_status(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct agent_status status = { .exit_status = 77 };
		char out[32] = "untouched";

		assert_int_equal(agent_parse_status(answers[i].json, &status, out, sizeof(out)),
			answers[i].result);
		if (answers[i].result < 0) {
			assert_int_equal(status.exit_status, 77);
			continue;
		}
		assert_int_equal(status.exited, answers[i].exited);
		assert_int_equal(status.exit_status, answers[i].exit_status);
		assert_string_equal(out, answers[i].out);
	}
}

/* However much the guest sends, the buffer's size holds. */
static void test_output_is_cut(void **state)
{
	static const char head[] = "{\"return\":{\"exited\":true,\"exitcode\":0,\"out-data\":\"";
	CLEANUP_FREE char *json = malloc(70000);

	(void)state;
	memcpy(json, head, sizeof(head) - 1);
	memset(json + sizeof(head) - 1, 'Y', 65536);
	strcpy(json + sizeof(head) - 1 + 65536, "\"}}");
	for (size_t size = 1; size < 300; size += 13) {
		CLEANUP_FREE char *out = malloc(size);
		struct agent_status status;

		assert_int_equal(agent_parse_status(json, &status, out, size), 0);
		assert_int_equal(strlen(out), size - 1);
	}
}

/* Nested deeper than a stack should have to bear. */
static void test_deep(void **state)
{
	CLEANUP_FREE char *json = malloc(65537);
	struct agent_status status;
	char out[16];
	long pid;

	(void)state;
	memset(json, '[', 65536);
	json[65536] = '\0';
	assert_int_equal(agent_parse_exec(json, &pid), -EBADMSG);
	assert_int_equal(agent_parse_status(json, &status, out, sizeof(out)), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_exec),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_output_is_cut),
		cmocka_unit_test(test_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
