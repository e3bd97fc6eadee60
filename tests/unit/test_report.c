/* SPDX-License-Identifier: Apache-2.0 */
/* The health report: every reason to refuse one, what is taken, and the schema in its CDDL file. */
/* LINK: model/report model/cborscan model/utf8 */
/* LIBS: libcbor */
#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../vectors/hex.h"
#include "../vectors/reports.h"
#include "../vectors/rfc8949_a.h"
#include "../vectors/rfc8949_f1.h"
#include "../vectors/sound.h"
#include "base/macro.h"
#include "model/report.h"

/* Decodes, and checks what holds of any outcome. Returns the name of the error, or "ok". */
static const char *decode_bytes(
	const uint8_t *bytes, size_t len, struct report *ret, struct report_fault *ret_fault)
{
	struct report untouched;
	int r;

	memset(ret, 0x5a, sizeof(*ret));
	memset(&untouched, 0x5a, sizeof(untouched));
	memset(ret_fault, 0, sizeof(*ret_fault));
	r = report_decode(bytes, len, ret, ret_fault);
	if (r == 0) {
		assert_true(sound_report(ret));
		assert_int_equal(ret_fault->text[0], '\0');
		return "ok";
	}
	assert_int_equal(r, -EBADMSG);
	assert_memory_equal(ret, &untouched, sizeof(untouched));
	if (!sound_fault(ret_fault, len))
		fail_msg("fault %d at %zu: \"%.160s\"", ret_fault->code, ret_fault->offset,
			ret_fault->text);
	return report_error_to_string(ret_fault->code);
}

static const char *decode_hex(const char *hex, struct report *ret, struct report_fault *ret_fault)
{
	size_t len;
	uint8_t *bytes = hex_bytes(hex, &len);
	const char *error = decode_bytes(bytes, len, ret, ret_fault);

	free(bytes);
	return error;
}

static const char *vector(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(report_vectors); i++)
		if (strcmp(report_vectors[i].name, name) == 0)
			return report_vectors[i].hex;
	fail_msg("no vector \"%s\"", name);
	return "";
}

static void test_vectors(void **state)
{
	struct report report;
	struct report_fault fault;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(report_vectors); i++) {
		const char *error = decode_hex(report_vectors[i].hex, &report, &fault);

		if (strcmp(error, report_vectors[i].expect) != 0)
			fail_msg("%s: %s (%s), not %s", report_vectors[i].name, error, fault.text,
				report_vectors[i].expect);
	}
}

/* A reason without a case that gives it is a reason nobody has seen. */
static void test_every_error_has_a_vector(void **state)
{
	(void)state;
	for (unsigned e = 0; e < REPORT_ERROR_NUM; e++) {
		const char *name = report_error_to_string((enum report_error)e);
		bool seen = false;

		for (size_t i = 0; i < ARRAY_SIZE(report_vectors); i++)
			seen = seen || strcmp(report_vectors[i].expect, name) == 0;
		if (!seen)
			fail_msg("no vector is refused as %s", name);
	}
}

static void check_everything(const char *name)
{
	struct report r;
	struct report_fault fault;

	assert_string_equal(decode_hex(vector(name), &r, &fault), "ok");
	assert_int_equal(r.status, REPORT_DEGRADED);
	assert_true(r.has_service && r.has_version && r.has_boot_id && r.has_nonce &&
		    r.has_message && r.has_uptime);
	assert_string_equal(r.service, "local-proofreader");
	assert_string_equal(r.version, "1.4.2");
	assert_string_equal(r.boot_id, "8c7f4d1e-52f0-4f5e-9d7a-0c3c1b1f2a99");
	assert_string_equal(r.nonce, "00c0ffee00c0ffee");
	assert_string_equal(r.message, "W\xc3\xb6rterbuch wird geladen");
	assert_int_equal(r.uptime_sec, 86461);
	assert_int_equal(r.n_checks, 3);
	for (unsigned i = 0; i < r.n_checks; i++) {
		enum report_status expect = strcmp(r.checks[i].name, "disk") == 0 ? REPORT_OK
					    : strcmp(r.checks[i].name, "peer") == 0
						    ? REPORT_FAILING
						    : REPORT_DEGRADED;

		assert_int_equal(r.checks[i].status, expect);
	}
}

static void test_values(void **state)
{
	struct report r;
	struct report_fault fault;

	(void)state;
	check_everything("everything");
	check_everything("everything, canonical order");
	check_everything("indefinite map");

	assert_string_equal(decode_hex(vector("status alone"), &r, &fault), "ok");
	assert_false(r.has_service || r.has_version || r.has_boot_id || r.has_nonce ||
		     r.has_message || r.has_uptime);
	assert_int_equal(r.n_checks, 0);
	assert_string_equal(decode_hex(vector("status failing"), &r, &fault), "ok");
	assert_int_equal(r.status, REPORT_FAILING);
	assert_string_equal(decode_hex(vector("status starting"), &r, &fault), "ok");
	assert_int_equal(r.status, REPORT_STARTING);
	assert_string_equal(decode_hex(vector("chunked value"), &r, &fault), "ok");
	assert_int_equal(r.status, REPORT_DEGRADED);
	assert_string_equal(decode_hex(vector("chunked message"), &r, &fault), "ok");
	assert_int_equal(strspn(r.message, "x"), 256);
	assert_string_equal(decode_hex(vector("message empty"), &r, &fault), "ok");
	assert_true(r.has_message);
	assert_string_equal(decode_hex(vector("uptime largest"), &r, &fault), "ok");
	assert_true(r.uptime_sec == UINT64_MAX);
	assert_string_equal(decode_hex(vector("uptime in nine bytes"), &r, &fault), "ok");
	assert_int_equal(r.uptime_sec, 7);
	assert_string_equal(decode_hex(vector("uptime 0"), &r, &fault), "ok");
	assert_true(r.has_uptime);
	assert_string_equal(decode_hex(vector("checks of 16"), &r, &fault), "ok");
	assert_int_equal(r.n_checks, 16);
	assert_string_equal(r.checks[15].name, "c15");
}

/* clang-format off */
static const struct {
	const char *vector, *text;
} fault_texts[] = {
	{ "no bytes", "no bytes at all" },
	{ "4097 bytes", "4097 bytes, at most 4096 are taken" },
	{ "9 levels", "nested over 8 levels deep at byte 20" },
	{ "257 items", "over 256 data items at byte 266" },
	{ "a text one byte short", "the item at byte 13 needs 2 bytes, there are 1" },
	{ "a second report", "11 bytes left over after the report, from byte 11" },
	{ "a number", "CBOR, but not a map" },
	{ "no status", "\"status\" is missing" },
	{ "key is a number", "the key at byte 11 is not a text" },
	{ "key twice", "the key \"status\" is given twice" },
	{ "bad UTF-8 under an unknown key", "the text at byte 13 is not UTF-8" },
	{ "status is true", "\"status\" is not a text" },
	{ "uptime is negative", "\"uptime\" is not an unsigned integer" },
	{ "checks is a list", "\"checks\" is not a map" },
	{ "a check is true", "the check \"a\" is not a text" },
	{ "status unknown",
		"\"status\" is \"great\", allowed are ok, degraded, starting, failing" },
	{ "a check is starting",
		"the check \"a\" is \"starting\", allowed are ok, degraded, failing" },
	{ "service of 41", "\"service\" has 41 bytes, allowed are 1 to 40" },
	{ "nonce of 15", "\"nonce\" has 15 bytes instead of 16" },
	{ "checks of 17", "\"checks\" has over 16 entries" },
	{ "message with escape", "\"message\" holds a control character" },
	{ "check name of 65", "the name of a check has 65 bytes, allowed are 1 to 64" },
	/* What the guest sent is quoted escaped and cut. */
	{ "status with NUL",
		"\"status\" is \"ok\\x00\", allowed are ok, degraded, starting, failing" },
	{ "status with escapes",
		"\"status\" is \"\\x1b[2J\\xe2\\x80\\xae\\x1b[2J\\xe2\\x80\\xae\\x1b[2J\xe2\x80\xa6"
		"\", allowed are ok, degraded, starting, failing" },
	{ "a check has a strange status",
		"the check \"ccccccccccccccccccccccccccccccccccccccccccccc\xe2\x80\xa6"
		"\" is \"\\x1b\\x1b\\x1b\\x1b\\x1b\\x1b\\x1b\\x1b\\x1b\\x1b\\x1b\xe2\x80\xa6"
		"\", allowed are ok, degraded, failing" },
};
/* clang-format on */

static void test_fault_texts(void **state)
{
	struct report report;
	struct report_fault fault;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fault_texts); i++) {
		(void)decode_hex(vector(fault_texts[i].vector), &report, &fault);
		if (strcmp(fault.text, fault_texts[i].text) != 0)
			fail_msg("%s: %s", fault_texts[i].vector, fault.text);
	}
}

/* { "status": "ok", "x": … } */
#define BEFORE_X "a266737461747573626f6b6178"
/* { "x": …, "status": "ok" } */
#define BEFORE_X_FIRST "a26178"
#define AFTER_X_FIRST  "66737461747573626f6b"

static void test_appendix_a_is_skipped(void **state)
{
	struct report report;
	struct report_fault fault;
	char hex[160];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rfc8949_a); i++) {
		(void)snprintf(hex, sizeof(hex), BEFORE_X "%s", rfc8949_a[i]);
		if (strcmp(decode_hex(hex, &report, &fault), "ok") != 0)
			fail_msg("%s last: %s", rfc8949_a[i], fault.text);
		(void)snprintf(hex, sizeof(hex), BEFORE_X_FIRST "%s" AFTER_X_FIRST, rfc8949_a[i]);
		if (strcmp(decode_hex(hex, &report, &fault), "ok") != 0)
			fail_msg("%s first: %s", rfc8949_a[i], fault.text);
		/* As the value of a key that is known only a text in range would do, and none is.
		 */
		(void)snprintf(hex, sizeof(hex), "a166737461747573%s", rfc8949_a[i]);
		assert_string_not_equal(decode_hex(hex, &report, &fault), "ok");
		/* And bytes after the map stay bytes after the map. */
		(void)snprintf(hex, sizeof(hex), BEFORE_X "00%s", rfc8949_a[i]);
		assert_string_equal(decode_hex(hex, &report, &fault), "trailing-bytes");
	}
}

static void test_appendix_f1_is_refused(void **state)
{
	struct report report;
	struct report_fault fault;
	char hex[160];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rfc8949_f1); i++) {
		const char *bad = rfc8949_f1[i].hex;

		(void)snprintf(hex, sizeof(hex), BEFORE_X "%s", bad);
		if (strcmp(decode_hex(hex, &report, &fault), "truncated") != 0 &&
			fault.code != REPORT_ERROR_NOT_WELL_FORMED &&
			fault.code != REPORT_ERROR_TOO_DEEP)
			fail_msg("%s last: %s", bad, fault.text);
		(void)snprintf(hex, sizeof(hex), BEFORE_X_FIRST "%s" AFTER_X_FIRST, bad);
		if (rfc8949_f1[i].syntax &&
			strcmp(decode_hex(hex, &report, &fault), "not-well-formed") != 0)
			fail_msg("%s first: %s", bad, fault.text);
		(void)snprintf(hex, sizeof(hex), BEFORE_X "00%s", bad);
		assert_string_equal(decode_hex(hex, &report, &fault), "trailing-bytes");
		assert_string_not_equal(decode_hex(bad, &report, &fault), "ok");
	}
}

static void test_every_cut_is_refused(void **state)
{
	struct report report;
	struct report_fault fault;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(report_vectors); i++) {
		size_t len;
		uint8_t *bytes = hex_bytes(report_vectors[i].hex, &len);

		for (size_t n = 0; strcmp(report_vectors[i].expect, "ok") == 0 && n < len; n++) {
			/* Sized exactly, for memory checkers. */
			uint8_t *cut = malloc(n > 0 ? n : 1);

			assert_non_null(cut);
			memcpy(cut, bytes, n);
			if (strcmp(decode_bytes(cut, n, &report, &fault),
				    n == 0 ? "empty" : "truncated") != 0)
				fail_msg(
					"%s cut to %zu: %s", report_vectors[i].name, n, fault.text);
			free(cut);
		}
		free(bytes);
	}
}

/* One bit at a time, and each byte to each value. Whatever comes out has to be sound. */
static void test_flips(void **state)
{
	static const char *const names[] = { "everything", "indefinite map", "chunked message",
		"unknown keys", "checks of 16" };
	struct report report;
	struct report_fault fault;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t len;
		uint8_t *bytes = hex_bytes(vector(names[i]), &len);

		for (size_t n = 0; n < len; n++) {
			uint8_t good = bytes[n];

			for (unsigned v = 0; v < 256; v++) {
				bytes[n] = (uint8_t)v;
				(void)decode_bytes(bytes, len, &report, &fault);
			}
			bytes[n] = good;
		}
		free(bytes);
	}
}

static void test_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < REPORT_STATUS_NUM; i++) {
		const char *name = report_status_to_string((enum report_status)i);

		assert_int_equal(report_status_from_string(name), i);
	}
	for (unsigned i = 0; i < REPORT_ERROR_NUM; i++) {
		const char *name = report_error_to_string((enum report_error)i);

		assert_int_equal(report_error_from_string(name), i);
	}
	assert_int_equal(report_status_from_string("great"), -EINVAL);
}

/* The schema file, without comments and with single blanks: rule by rule, member by member. */
struct cddl {
	char line[64][160];
	unsigned n_lines;
};

static FILE *cddl_open(void)
{
	static const char name[] = "include/model/health.cddl";
	char path[512];
	FILE *f = fopen(name, "re");

	/* Started elsewhere than at the top of the tree: beside the source of this test. */
	if (!f) {
		const char *slash = strstr(__FILE__, "tests/unit/");

		(void)snprintf(path, sizeof(path), "%.*s%s", slash ? (int)(slash - __FILE__) : 0,
			__FILE__, name);
		f = fopen(path, "re");
	}
	return f;
}

static void cddl_squeeze(char *dst, size_t size, const char *src)
{
	size_t n = 0;

	for (; *src && *src != ';' && n + 1 < size; src++)
		if (!isspace((unsigned char)*src))
			dst[n++] = *src;
		else if (n > 0 && dst[n - 1] != ' ')
			dst[n++] = ' ';
	while (n > 0 && (dst[n - 1] == ' ' || dst[n - 1] == ','))
		n--;
	dst[n] = '\0';
}

static void cddl_read(struct cddl *cddl)
{
	FILE *f = cddl_open();
	char line[256];

	if (!f)
		fail_msg("no include/model/health.cddl");
	cddl->n_lines = 0;
	while (fgets(line, sizeof(line), f)) {
		assert_in_range(cddl->n_lines, 0, ARRAY_SIZE(cddl->line) - 1);
		cddl_squeeze(cddl->line[cddl->n_lines], sizeof(cddl->line[0]), line);
		if (cddl->line[cddl->n_lines][0] != '\0')
			cddl->n_lines++;
	}
	(void)fclose(f);
}

/* Takes the line out, so that what is left over in the end was in the file only. */
static void cddl_expect(struct cddl *cddl, const char *line)
{
	for (unsigned i = 0; i < cddl->n_lines; i++)
		if (strcmp(cddl->line[i], line) == 0) {
			memset(cddl->line[i], 0, sizeof(cddl->line[i]));
			return;
		}
	fail_msg("health.cddl has no line \"%s\"", line);
}

static void cddl_words(char *dst, size_t size, const char *rule, unsigned statuses)
{
	size_t n = (size_t)snprintf(dst, size, "%s =", rule);

	for (unsigned s = 0; s < REPORT_STATUS_NUM; s++)
		if (statuses & 1u << s)
			n += (size_t)snprintf(dst + n, size - n, "%s \"%s\"",
				dst[n - 1] == '=' ? "" : " /",
				report_status_to_string((enum report_status)s));
}

static void cddl_size(char *dst, size_t size, uint64_t min, uint64_t max)
{
	if (min == max)
		(void)snprintf(dst, size, "tstr .size %llu", (unsigned long long)max);
	else
		(void)snprintf(dst, size, "tstr .size (%llu..%llu)", (unsigned long long)min,
			(unsigned long long)max);
}

static void cddl_field(struct cddl *cddl, const struct report_field *f)
{
	char type[80] = "status", line[160];

	switch (f->type) {
	case REPORT_TYPE_STATUS:
		cddl_words(line, sizeof(line), "status", f->statuses);
		cddl_expect(cddl, line);
		break;
	case REPORT_TYPE_TEXT:
		cddl_size(type, sizeof(type), f->min, f->max);
		break;
	case REPORT_TYPE_UINT:
		/* CDDL's uint is the whole range of 64 bits. */
		assert_true(f->min == 0 && f->max == UINT64_MAX);
		strcpy(type, "uint");
		break;
	case REPORT_TYPE_CHECKS:
		(void)snprintf(type, sizeof(type), "{ %llu*%llu check-name => check-status }",
			(unsigned long long)f->min, (unsigned long long)f->max);
		cddl_words(line, sizeof(line), "check-status", f->statuses);
		cddl_expect(cddl, line);
		break;
	case REPORT_TYPE_NUM:
		fail();
	}
	(void)snprintf(line, sizeof(line), "%s\"%s\" : %s", f->required ? "" : "? ", f->key, type);
	cddl_expect(cddl, line);
}

static void test_cddl(void **state)
{
	static struct cddl cddl;
	unsigned n_fields;
	const struct report_field *fields = report_fields(&n_fields);
	char line[160] = "check-name = ";

	(void)state;
	cddl_read(&cddl);
	cddl_expect(&cddl, "report = {");
	for (unsigned i = 0; i < n_fields; i++)
		cddl_field(&cddl, &fields[i]);
	cddl_size(line + strlen(line), sizeof(line) - strlen(line), 1,
		sizeof(((struct report_check *)NULL)->name) - 1);
	cddl_expect(&cddl, line);
	cddl_expect(&cddl, "* tstr => any");
	cddl_expect(&cddl, "}");
	for (unsigned i = 0; i < cddl.n_lines; i++)
		if (cddl.line[i][0] != '\0')
			fail_msg("only in health.cddl: %s", cddl.line[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_every_error_has_a_vector),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_fault_texts),
		cmocka_unit_test(test_appendix_a_is_skipped),
		cmocka_unit_test(test_appendix_f1_is_refused),
		cmocka_unit_test(test_every_cut_is_refused),
		cmocka_unit_test(test_flips),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_cddl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
