/* SPDX-License-Identifier: Apache-2.0 */
/* cloud-init's own files as head prints them: which status, what is quoted, and nothing a guest
 * writes does harm. */
/* LINK: model/cloudinit_status model/jsontext model/utf8 */
/* LIBS: jansson */
#include "model/cloudinit_status.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"
#include "model/utf8.h"

#define UUID     "0a1b2c3d-0000-4000-8000-00000000abcd"
#define ID       "==> /proc/sys/kernel/random/boot_id <==\n" UUID "\n"
#define STATUS   "\n==> /run/cloud-init/status.json <==\n"
#define RESULT   "\n==> /run/cloud-init/result.json <==\n"
#define DISABLED "\n==> /run/cloud-init/disabled <==\n"
#define SKIP     "mediakit: cloud-init skipped, "

#define ENDED   "{\"errors\": [], \"finished\": 2.5, \"recoverable_errors\": {}, \"start\": 1.5}"
#define WAITING "{\"errors\": [], \"finished\": null, \"recoverable_errors\": {}, \"start\": null}"
#define RUNNING "{\"errors\": [], \"finished\": null, \"recoverable_errors\": {}, \"start\": 3}"
#define FOUR(local, init, config, final, stage)                                                    \
	"{\n \"v1\": {\n  \"datasource\": \"DataSourceNoCloud [seed=/dev/sr0]\",\n"                \
	"  \"init\": " init ",\n  \"init-local\": " local ",\n  \"modules-config\": " config       \
	",\n  \"modules-final\": " final ",\n  \"stage\": " stage "\n }\n}\n"
#define CLEAN FOUR(ENDED, ENDED, ENDED, ENDED, "null")
#define WARNED                                                                                     \
	"{\"errors\": [], \"finished\": 2.5, \"recoverable_errors\": {\"WARNING\": [\"no key\", "  \
	"\"no \\u001b[2J\"], \"DEPRECATED\": [\"old\"]}, \"start\": 1.5}"
#define FAILED                                                                                     \
	"{\"errors\": [\"('scripts_user', RuntimeError())\"], \"finished\": 2.5, "                 \
	"\"recoverable_errors\": {\"WARNING\": [\"w\"]}, \"start\": 1.5}"
#define OK  "{\"v1\": {\"datasource\": \"DataSourceNoCloud\", \"errors\": []}}\n"
#define BAD "{\"v1\": {\"datasource\": null, \"errors\": [\"one\", 7, \"two\"]}}\n"

static const struct {
	const char *output;
	enum cloudinit_state state;
	const char *stage;
	unsigned steps, errors, warnings;
	const char *quote;
} rows[] = {
	{ ID, CLOUDINIT_UNKNOWN, "", 0, 0, 0, "" },
	{ ID STATUS FOUR(ENDED, RUNNING, WAITING, WAITING, "\"init\""), CLOUDINIT_RUNNING, "init",
		3, 0, 0, "" },
	{ ID STATUS FOUR(ENDED, ENDED, WARNED, RUNNING, "\"modules-final\""), CLOUDINIT_RUNNING,
		"modules-final", 7, 0, 3, "no key | no \\x1b[2J | old" },
	{ ID STATUS CLEAN RESULT OK, CLOUDINIT_DONE, "", 8, 0, 0, "" },
	/* An older cloud-init knows no recoverable errors, and the one file may be missing. */
	{ ID RESULT OK, CLOUDINIT_DONE, "", 0, 0, 0, "" },
	{ ID RESULT BAD, CLOUDINIT_ERROR, "", 0, 3, 0, "one | two" },
	{ ID STATUS FOUR(ENDED, WARNED, ENDED, ENDED, "null") RESULT OK, CLOUDINIT_DEGRADED, "", 8,
		0, 3, "no key | no \\x1b[2J | old" },
	/* Errors come first, and are not counted twice for standing in both. */
	{ ID STATUS FOUR(WARNED, ENDED, ENDED, FAILED, "null") RESULT BAD, CLOUDINIT_ERROR, "", 8,
		1, 4, "('scripts_user', RuntimeError()) | no key | no \\x1b[2J | old | w" },
	{ ID DISABLED, CLOUDINIT_DISABLED, "", 0, 0, 0, "" },
	{ ID DISABLED SKIP "instance iid-1 is complete since noon\n", CLOUDINIT_SKIPPED, "", 0, 0,
		0, "instance iid-1 is complete since noon" },
	{ ID DISABLED SKIP "\033[2J", CLOUDINIT_SKIPPED, "", 0, 0, 0, "\\x1b[2J" },
	{ ID DISABLED SKIP, CLOUDINIT_SKIPPED, "", 0, 0, 0, "" },
	{ ID DISABLED "mediakit: cloud-init skipped,", CLOUDINIT_DISABLED, "", 0, 0, 0, "" },
	{ ID DISABLED "mediakit\n" SKIP "x", CLOUDINIT_DISABLED, "", 0, 0, 0, "" },
	{ ID STATUS CLEAN RESULT OK DISABLED SKIP "x", CLOUDINIT_DONE, "", 8, 0, 0, "" },
	{ ID RESULT OK DISABLED "not this time\n", CLOUDINIT_DONE, "", 0, 0, 0, "" },
	{ ID STATUS CLEAN DISABLED, CLOUDINIT_RUNNING, "", 8, 0, 0, "" },
	/* What is not cloud-init's is not there. */
	{ ID RESULT "", CLOUDINIT_UNKNOWN, "", 0, 0, 0, "" },
	{ ID RESULT "{\"v1\":{\"errors\":[", CLOUDINIT_UNKNOWN, "", 0, 0, 0, "" },
	{ ID RESULT "{\"v2\":{\"errors\":[]}}", CLOUDINIT_UNKNOWN, "", 0, 0, 0, "" },
	{ ID RESULT "[\"v1\"]", CLOUDINIT_UNKNOWN, "", 0, 0, 0, "" },
	{ ID STATUS "{\"v1\":{\"stage\":\"\\u001b\\n\",\"init\":[],\"modules-final\":7}}",
		CLOUDINIT_RUNNING, "\\x1b\\x0a", 0, 0, 0, "" },
	{ ID STATUS "{\"v1\":{\"init\":{\"errors\":{},\"recoverable_errors\":[\"x\"],\"start\":"
		    "true}}}",
		CLOUDINIT_RUNNING, "", 0, 0, 0, "" },
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cloudinit_status s;
		char id[37];

		assert_int_equal(cloudinit_status_parse(rows[i].output, id, &s), 0);
		assert_string_equal(id, UUID);
		assert_string_equal(cloudinit_state_to_string(s.state),
			cloudinit_state_to_string(rows[i].state));
		assert_string_equal(s.stage, rows[i].stage);
		assert_int_equal(s.steps, rows[i].steps);
		assert_int_equal(s.errors, rows[i].errors);
		assert_int_equal(s.warnings, rows[i].warnings);
		assert_string_equal(s.quote, rows[i].quote);
	}
}

/* Without a boot_id nobody knows which boot it is about. */
static void test_no_id(void **state)
{
	static const char *const outputs[] = {
		"",
		RESULT OK,
		"==> /proc/sys/kernel/random/boot_id <==\n",
		"==> /proc/sys/kernel/random/boot_id <==\nshort\n" RESULT OK,
		"==> /proc/sys/kernel/random/boot_id <==\n" UUID "0\n",
		"==> /proc/sys/kernel/random/boot_id "
		"<==\n0a1b2c3d-0000-4000-8000-00000000ab\033d\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(outputs); i++) {
		struct cloudinit_status s = { .steps = 77 };
		char id[37] = "untouched";

		assert_int_equal(cloudinit_status_parse(outputs[i], id, &s), -EBADMSG);
		assert_string_equal(id, "untouched");
		assert_int_equal(s.steps, 77);
	}
}

static char *long_result(size_t len)
{
	static const char head[] = ID RESULT "{\"v1\": {\"errors\": [\"";
	char *text = malloc(sizeof(head) + len);

	assert_non_null(text);
	memset(text, 'x', sizeof(head) - 1 + len);
	memcpy(text, head, sizeof(head) - 1);
	text[sizeof(head) - 1 + len] = '\0';
	return text;
}

/* Cut by head: the file is there, so cloud-init has ended; and it is no short one. */
static void test_cut(void **state)
{
	CLEANUP_FREE char *cut = long_result(CLOUDINIT_FILE_MAX);
	CLEANUP_FREE char *torn = long_result(100);
	struct cloudinit_status s;
	char id[37];

	(void)state;
	assert_int_equal(cloudinit_status_parse(cut, id, &s), 0);
	assert_int_equal(s.state, CLOUDINIT_ERROR);
	assert_true(cloudinit_state_over(s.state));
	assert_int_equal(cloudinit_status_parse(torn, id, &s), 0);
	assert_int_equal(s.state, CLOUDINIT_UNKNOWN);
	assert_false(cloudinit_state_over(s.state));
}

/* Many and long messages: whole ones, within the bound. */
static void test_quote_is_bounded(void **state)
{
	(void)state;
	for (unsigned len = 1; len < 700; len += 7) {
		CLEANUP_FREE char *text = malloc(16384);
		struct cloudinit_status s;
		char id[37];
		size_t at =
			(size_t)sprintf(text, "%s", ID RESULT "{\"v1\": {\"errors\": [\"first\"");

		for (unsigned i = 0; i < 9; i++) {
			at += (size_t)sprintf(text + at, ",\"");
			memset(text + at, 'e', len);
			at += len;
			at += (size_t)sprintf(text + at, "\"");
		}
		(void)sprintf(text + at, "]}}");
		assert_int_equal(cloudinit_status_parse(text, id, &s), 0);
		assert_int_equal(s.errors, 10);
		assert_true(strlen(s.quote) < sizeof(s.quote));
		assert_true(utf8_printable(s.quote, strlen(s.quote)));
		assert_memory_equal(s.quote, "first | e", 9);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_no_id),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_quote_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
