/* SPDX-License-Identifier: Apache-2.0 */
/* The seed's texts: golden renderings, hostile values that stay inside their scalar (asked of
 * another YAML parser), and every fault of a template. */
/* LINK: base/memstream base/time model/utf8 model/spec model/cloudinit */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "model/cloudinit.h"

static char hostname[] = "vm-test", user[] = "foundry", package[] = "nginx";

static struct guest_spec guest(void)
{
	return (struct guest_spec){
		.hostname = hostname,
		.user = user,
		.packages = { package },
		.n_packages = 1,
		.egress = EGRESS_NONE,
	};
}

static const char *const keys[] = { "ssh-ed25519 AAAA a@b", "ssh-rsa BBBB" };

/* Renders a user-data, to which the variables it must use are added in a line that is not looked
 * at. */
static int render(
	const struct guest_spec *g, const char *template, char **ret, struct reason *reason)
{
	static const char required[] = "@USER@@AUTHORIZED_KEYS@@FINISHED_MESSAGE@";
	const struct cloudinit_input in = { .guest = g,
		.keys = keys,
		.n_keys = ARRAY_SIZE(keys),
		.host_key = "-----BEGIN\nkey\n",
		.host_key_pub = "ssh-ed25519 AAAA\n",
		.instance_id = "iid-1" };
	CLEANUP_FREE char *whole = NULL;

	assert_true(asprintf(&whole, "%s\n%s", template, required) > 0);
	int r = cloudinit_render(CLOUDINIT_USER_DATA, "t", whole, &in, ret, reason);
	if (r == 0) {
		char *last = strstr(*ret, "\n\"foundry\"[");
		if (last)
			*last = '\0';
	}
	return r;
}

static void test_golden(void **state)
{
	static const struct {
		const char *template, *text;
	} rows[] = {
		{ "h: @HOSTNAME@", "h: \"vm-test\"" },
		{ "k: @AUTHORIZED_KEYS@", "k: [\"ssh-ed25519 AAAA a@b\", \"ssh-rsa BBBB\"]" },
		{ "u=@USER_SHELL@", "u='foundry'" },
		{ "e=@EVERY_BOOT_SHELL@", "e='auto'" },
		{ "@?HOST_KEY@k: @HOST_KEY@\np: @HOST_KEY_PUBLIC@",
			"k: \"-----BEGIN\\u000akey\\u000a\"\np: \"ssh-ed25519 AAAA\\u000a\"" },
		{ "a@@b", "a@b" },
		{ "@@?X", "@?X" },
		{ "a\n@# gone @NOT_A_NAME@\nb", "a\nb" },
		{ "m: @FINISHED_MESSAGE@",
			"m: \"mediakit: cloud-init finished, instance iid-1, up $UPTIME "
			"seconds\"" },
		{ "a\n@?PACKAGES@p: @PACKAGES@\nb", "a\nb" },
		{ "p: @PACKAGES@", "p: []" },
		{ "@?OFFLINE@off\n@?INSTANCE_ID@i: @INSTANCE_ID@", "off\ni: \"iid-1\"" },
		{ "", "" },
	};
	struct guest_spec g = guest();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP_FREE char *text = NULL;
		struct reason reason = { "" };

		if (render(&g, rows[i].template, &text, &reason) < 0)
			fail_msg("%s: %s", rows[i].template, reason.text);
		assert_string_equal(text, rows[i].text);
	}
	g.egress = EGRESS_ALL;
	CLEANUP_FREE char *text = NULL;
	assert_int_equal(render(&g, "@?PACKAGES@p: @PACKAGES@\n@?OFFLINE@off", &text, NULL), 0);
	assert_string_equal(text, "p: [\"nginx\"]");
}

static void test_faults(void **state)
{
	static const struct {
		const char *template, *says;
	} rows[] = {
		{ "a\nb\nc: @COLOUR@", "template t:3: variable COLOUR: unknown" },
		{ "@?COLOUR@x", "template t:1: variable COLOUR: unknown" },
		{ "a@b", "template t:1: a lone @" },
		{ "a: @host@", "template t:1: a lone @" },
		{ "@", "template t:1: a lone @" },
		{ "a: @HOSTNAME", "template t:1: a lone @" },
		{ "a: @HOSTNAME\n@", "template t:1: a lone @" },
		{ "@A_NAME_THAT_IS_LONGER_THAN_ANY_WE_HAVE@", "template t:1: a lone @" },
	};
	const struct guest_spec g = guest();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct reason reason = { "" };
		char *text = NULL;

		assert_int_equal(render(&g, rows[i].template, &text, &reason), -EINVAL);
		assert_null(text);
		if (strncmp(reason.text, rows[i].says, strlen(rows[i].says)) != 0)
			fail_msg("%s: %s", rows[i].template, reason.text);
	}
}

static void test_missing(void **state)
{
	const struct guest_spec g = guest();
	struct cloudinit_input in = { .guest = &g, .keys = keys, .n_keys = ARRAY_SIZE(keys) };
	struct reason reason = { "" };
	char *text = NULL;

	(void)state;
	assert_int_equal(cloudinit_render(CLOUDINIT_META_DATA, "m", "a\nid: @INSTANCE_ID@", &in,
				 &text, &reason),
		-EINVAL);
	assert_string_equal(reason.text, "template m:2: variable INSTANCE_ID: has no value here");
	in.instance_id = "";
	assert_int_equal(
		cloudinit_render(CLOUDINIT_META_DATA, "m", "h: @HOSTNAME@", &in, &text, &reason),
		-EINVAL);
	assert_string_equal(reason.text,
		"template m: variable INSTANCE_ID: is never used, and meta-data needs it");
	assert_int_equal(cloudinit_render(CLOUDINIT_USER_DATA, "u", "@USER@ @FINISHED_MESSAGE@",
				 &in, &text, &reason),
		-EINVAL);
	assert_non_null(strstr(reason.text, "AUTHORIZED_KEYS"));
	assert_null(text);
}

/* What could end a scalar, a line, a document or a script. */
static const char *const hostile[] = {
	"a\"b",
	"a\\",
	"\\\"",
	"\\u0041",
	"a: b",
	"- a",
	"#cloud-config",
	"a\nb: c",
	"\r\n---\n...\n",
	"a\tb",
	"{a: 1}",
	"[x",
	"!!python/object",
	"&a *a",
	"%YAML 1.2",
	"@USER@",
	"$(id)`id`",
	"'\"'",
	"ä 水 𐅑",
	"\xc2\x85",
	"\xe2\x80\xa8x\xe2\x80\xa9",
	"\xef\xbb\xbfx",
	"\x01\x1b[31m\x7f",
	"\xc2\x9b",
	"\xef\xbf\xbf",
	"",
	"null",
	"yes",
	"0x10",
	" lead and trail ",
};

/* Each on a line, then what it was made of in hex, for a parser that is not ours. */
static void write_hostile(FILE *f)
{
	for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
		(void)fputs("- [", f);
		assert_int_equal(cloudinit_write_scalar(f, hostile[i]), 0);
		(void)fputs(", \"", f);
		for (const char *s = hostile[i]; *s; s++)
			(void)fprintf(f, "%02x", (unsigned char)*s);
		(void)fputs("\"]\n", f);
	}
}

static void test_hostile_is_one_line(void **state)
{
	CLEANUP_FREE char *text = NULL;
	size_t len = 0, lines = 0;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	assert_non_null(f);
	write_hostile(f);
	(void)fclose(f);
	for (const char *s = text; *s; s++) {
		lines += *s == '\n';
		assert_true(*s == '\n' || (unsigned char)*s >= 0x20);
	}
	assert_int_equal(lines, ARRAY_SIZE(hostile));
}

static void test_hostile_under_a_yaml_parser(void **state)
{
	static const char check[] =
		"/usr/bin/python3 -c 'import sys, yaml\n"
		"rows = yaml.safe_load(sys.stdin.buffer)\n"
		"assert len(rows) > 20\n"
		"for text, hex in rows:\n"
		"    assert text.encode() == bytes.fromhex(hex), (text, hex)\n'";

	(void)state;
	if (system("/usr/bin/python3 -c 'import yaml' 2>/dev/null") != 0) {
		print_message("python3-yaml is not installed\n");
		skip();
	}
	FILE *f = popen(check, "w");
	assert_non_null(f);
	write_hostile(f);
	assert_int_equal(pclose(f), 0);
}

static void test_hostile_shell_word(void **state)
{
	struct guest_spec g = guest();
	char quoted[] = "a'b$(id)", broken[] = "a\nb", invalid[] = "\xff";
	struct reason reason = { "" };
	CLEANUP_FREE char *text = NULL;
	char *none = NULL;

	(void)state;
	g.user = quoted;
	assert_int_equal(render(&g, "u=@USER_SHELL@", &text, NULL), 0);
	assert_memory_equal(text, "u='a'\\''b$(id)'\n", 16);
	g.user = broken;
	assert_int_equal(render(&g, "u=@USER_SHELL@", &none, &reason), -EINVAL);
	assert_non_null(strstr(reason.text, "template t:1: variable USER_SHELL"));
	g.user = invalid;
	assert_int_equal(render(&g, "u: @USER@", &none, &reason), -EINVAL);
	assert_non_null(strstr(reason.text, "template t:1: variable USER: its value is not UTF-8"));
	assert_null(none);
}

static void test_instance_id(void **state)
{
	char id[CLOUDINIT_ID_TEXT];

	(void)state;
	cloudinit_instance_id("0123456789abcdef0123456789abcdef", id);
	assert_string_equal(id, "iid-0123456789abcdef0123");
	for (int i = 0; i < CLOUDINIT_TEXT_NUM; i++)
		assert_int_equal(cloudinit_text_from_string(cloudinit_text_to_string(i)), i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_hostile_is_one_line),
		cmocka_unit_test(test_hostile_under_a_yaml_parser),
		cmocka_unit_test(test_hostile_shell_word),
		cmocka_unit_test(test_instance_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
