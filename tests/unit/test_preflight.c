/* SPDX-License-Identifier: Apache-2.0 */
/* What a program needs held against what the guest has, row by row; and where what the guest has is
 * known from: files that are none, or are not there, among them. The program is the test's: what
 * a real one needs is in test_elf. */
/* clang-format off */
/* LINK: base model io/layout io/record io/disk io/program io/confdir cli/args cli/verb cli/preflight */
/* clang-format on */
/* LIBS: inih libcbor jansson libsystemd */
#include "alloc_fail.h"
#include "open_files.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
	char dir[64];
} bed, *const world = &bed;

#include "cli_run.h"

#include "base/file.h"
#include "base/macro.h"
#include "cli/preflight.h"
#include "cli/verb.h"
#include "io/confdir.h"
#include "io/elf.h"
#include "io/record.h"

/* The program ---- */

static struct elf_info elf;
static int elf_error;
static const char *elf_says;

int elf_read(const void *data, size_t len, struct elf_info *ret, struct reason *reason)
{
	(void)data, (void)len;
	*ret = elf;
	return elf_error < 0 && elf_says ? reason_set(reason, elf_error, "%s", elf_says)
					 : elf_error;
}

static void need_library(const char *name)
{
	(void)snprintf(elf.needed[elf.n_needed++], ELF_NAME_MAX, "%s", name);
}

static struct elf_version *need_version(const char *library, const char *name, unsigned symbols)
{
	struct elf_version *v = &elf.versions[elf.n_versions++];

	*v = (struct elf_version){ .n_symbols = symbols };
	(void)snprintf(v->library, sizeof(v->library), "%s", library);
	(void)snprintf(v->name, sizeof(v->name), "%s", name);
	for (unsigned i = 0; i < MIN(symbols, ELF_SYMBOLS_MAX); i++)
		(void)snprintf(v->symbols[i], ELF_NAME_MAX, "f%u", i);
	return v;
}

static void need_nothing(void)
{
	elf = (struct elf_info){ .arch = ARCH_X86_64 };
	elf_error = 0;
	elf_says = NULL;
}

static struct preflight_target vm = { .name = "vm", .arch = ARCH_X86_64, .glibc = "2.36-9" };

static int judge(int argc, char **argv)
{
	(void)argc;
	return preflight_bytes(argv[0], "", 0, &vm);
}

static void expect(int status, const char *says)
{
	assert_int_equal(run(judge, (const char *const[]){ "x", NULL }), status);
	assert_string_equal(status < 0 ? errors : output, says);
	assert_string_equal(status < 0 ? output : errors, "");
}

static void test_versions(void **state)
{
	static const struct {
		const char *library, *name;
		unsigned symbols;
		const char *missing; /* or NULL */
	} rows[] = {
		{ "libc.so.6", "GLIBC_2.36", 1, NULL },
		{ "libc.so.6", "GLIBC_2.2.5", 1, NULL },
		{ "libc.so.6", "GLIBC_2.38", 1, "GLIBC_2.38 (libc.so.6): f0" },
		{ "libm.so.6", "GLIBC_3.0", 0, "GLIBC_3.0 (libm.so.6)" },
		{ "libc.so.6", "GLIBC_2.38", 4, "GLIBC_2.38 (libc.so.6): f0, f1, f2, f3" },
		{ "libc.so.6", "GLIBC_2.38", 7,
			"GLIBC_2.38 (libc.so.6): f0, f1, f2, f3 and 3 more" },
		{ "libc.so.6", "GLIBC_ABI_DT_RELR", 0, NULL },
		/* Not by a number: of what comes after this, or of glibc's own libraries. */
		{ "libc.so.6", "GLIBC_PRIVATE", 0, "GLIBC_PRIVATE (libc.so.6)" },
		{ "libc.so.6", "GLIBC_ABI_NEXT", 0, "GLIBC_ABI_NEXT (libc.so.6)" },
		{ "libc.so.6", "OTHER_1.0", 0, "OTHER_1.0 (libc.so.6)" },
		/* Of other libraries nobody knows. */
		{ "libssl.so.3", "OPENSSL_3.9.9", 1, NULL },
	};
	char says[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		need_nothing();
		struct elf_version *v =
			need_version(rows[i].library, rows[i].name, rows[i].symbols);
		(void)snprintf(says, sizeof(says),
			"x would not run in vm, which has glibc 2.36-9; missing there:\n  %s\n",
			rows[i].missing ?: "");
		assert_int_equal(run(judge, (const char *const[]){ "x", NULL }),
			rows[i].missing != NULL);
		if (rows[i].missing)
			assert_string_equal(output, says);
		/* The loader only warns of a weak one. */
		v->weak = true;
		expect(0, "x: x86_64, needs nothing of glibc\n");
	}
	need_nothing();
	need_version("libc.so.6", "GLIBC_2.34", 1);
	need_version("libc.so.6", "GLIBC_2.4", 1);
	need_version("libm.so.6", "GLIBC_2.29", 1);
	expect(0, "x: x86_64, needs glibc 2.34, vm has 2.36-9\n");
	need_version("libc.so.6", "GLIBC_2.38", 0);
	need_version("libm.so.6", "GLIBC_2.39", 0);
	expect(1, "x would not run in vm, which has glibc 2.36-9; missing there:\n"
		  "  GLIBC_2.38 (libc.so.6)\n  GLIBC_2.39 (libm.so.6)\n");
	need_nothing();
	need_version("libc.so.6", "GLIBC_ABI_DT_RELR", 0);
	strcpy(vm.glibc, "2.35");
	expect(1, "x would not run in vm, which has glibc 2.35; missing there:\n"
		  "  GLIBC_ABI_DT_RELR (libc.so.6)\n");
	strcpy(vm.glibc, "2.36-9");
}

static void test_machine(void **state)
{
	(void)state;
	need_nothing();
	elf.arch = ARCH_AARCH64;
	expect(1, "x would not run in vm: it is built for aarch64, the guest is x86_64\n");
	vm.arch = ARCH_NUM; /* any */
	expect(0, "x: aarch64, needs nothing of glibc\n");
	strcpy(elf.interpreter, "/lib/ld-linux-aarch64.so.1");
	expect(0, "x: aarch64, needs nothing of glibc\n");
	strcpy(elf.interpreter, "/lib/ld-musl-aarch64.so.1");
	expect(1, "x would not run in vm: its interpreter is /lib/ld-musl-aarch64.so.1, a glibc "
		  "guest has /lib/ld-linux-aarch64.so.1\n");
	vm.arch = ARCH_X86_64;
}

static void test_libraries(void **state)
{
	static char there[] = "libssl.so.3\nlibz.so.1\n";

	(void)state;
	need_nothing();
	need_library("libc.so.6");
	need_library("libssl.so.3");
	need_library("libssl.so");
	need_library("libz.so.1");
	need_library("libpq.so.5");
	expect(0, "x: x86_64, needs nothing of glibc; not known to be there: libssl.so.3, "
		  "libssl.so, libz.so.1, libpq.so.5\n");
	vm.libraries = there;
	expect(1, "x would not run in vm; libraries missing there: libssl.so, libpq.so.5\n");
	vm.may_have_more = true;
	expect(0, "x: x86_64, needs nothing of glibc; not known to be there: libssl.so, "
		  "libpq.so.5\n");
	vm.may_have_more = false;
	elf.n_needed = 2;
	expect(0, "x: x86_64, needs nothing of glibc\n");
	vm.libraries = NULL;
}

static void test_unreadable(void **state)
{
	(void)state;
	need_nothing();
	elf_error = -ENOEXEC;
	elf_says = "it is no program";
	expect(-ENOEXEC, "mediakitd preflight: x: it is no program\n");
	elf_error = -ENOMEM;
	elf_says = NULL;
	expect(-ENOMEM, "mediakitd preflight: x: Cannot allocate memory\n");
}

/* The verb ---- */

static char conf[80], state_dir[80], text[1024];

static const char *path_in(const char *below)
{
	(void)snprintf(text, sizeof(text), "%s/%s", bed.dir, below);
	return text;
}

static void put(const char *below, const char *content)
{
	assert_int_equal(file_write_atomic(path_in(below), content, strlen(content), 0644), 0);
}

static void shell(const char *what)
{
	char line[1024];

	(void)snprintf(line, sizeof(line), "cd %s && { %s; }", bed.dir, what);
	if (system(line) != 0)
		fail_msg("%s", line);
}

static int setup(void **state)
{
	(void)state;
	(void)snprintf(bed.dir, sizeof(bed.dir), "/tmp/test_preflight.XXXXXX");
	assert_non_null(mkdtemp(bed.dir));
	(void)snprintf(conf, sizeof(conf), "--config=%s/etc", bed.dir);
	(void)snprintf(state_dir, sizeof(state_dir), "--state=%s/state", bed.dir);
	shell("mkdir -p etc/guests.d state/private/vm-a state/images/vm-a && echo program >x");
	put("etc/mediakitd.conf", "[Daemon]\n");
	put("etc/guests.d/vm-a.conf", "[Image]\nPath=/nonexistent.qcow2\n[Guest]\nArch=x86_64\n");
	need_nothing();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	shell("rm -rf $PWD");
	return 0;
}

static struct record record;

static void put_record(const char *glibc)
{
	CLEANUP_FREE char *path = strdup(path_in("state/private/vm-a/provision.json"));

	(void)snprintf(record.glibc, sizeof(record.glibc), "%s", glibc);
	(void)snprintf(record.base, sizeof(record.base), "base-0123456789abcdef.qcow2");
	assert_true(record_write(path, &record, 1) >= 0);
}

#define RUN(...) run(verb_preflight, (const char *const[]){ "preflight", __VA_ARGS__, NULL })

static void test_command_line(void **state)
{
	char program[1024];

	(void)state;
	(void)snprintf(program, sizeof(program), "%s", path_in("x"));
	need_version("libc.so.6", "GLIBC_2.36", 1);
	assert_int_equal(
		run(verb_preflight, (const char *const[]){ "preflight", NULL }), CLI_USAGE);
	assert_int_equal(RUN(program, "--glibc=new"), CLI_USAGE);
	assert_non_null(strstr(errors, "a version such as 2.39"));
	assert_int_equal(RUN(program, "--glibc=2.39-and-a-suffix-that-is-much-longer-than-any-"
				      "distribution-would-ever-have"), CLI_USAGE);
	assert_int_equal(RUN(program, "--glibc=2.39", "--guest=vm-a"), CLI_USAGE);
	assert_int_equal(RUN(program, "--glibc=2.39"), CLI_OK);
	assert_non_null(strstr(output, "/x: x86_64, needs glibc 2.36, the guest has 2.39\n"));
	assert_int_equal(RUN(program, "--glibc=2.35"), CLI_FAILED);
	/* One that cannot be read does not keep the others from being judged. */
	assert_int_equal(RUN("/nonexistent/x", bed.dir, "/dev/null", program, "--glibc=2.36"),
		CLI_FAILED);
	assert_non_null(strstr(output, "/x: x86_64"));
	assert_non_null(strstr(errors, "preflight: /nonexistent/x: No such file or directory\n"));
	assert_non_null(strstr(errors, ": Is a directory\n"));
	assert_non_null(strstr(errors, "preflight: /dev/null: it is no regular file\n"));
}

static void test_which_guest(void **state)
{
	(void)state;
	assert_int_equal(RUN("x", "--config=/nonexistent"), CLI_USAGE);
	assert_non_null(strstr(errors, "/nonexistent: cannot be read: No such file"));
	put_record("2.36");
	assert_int_equal(RUN("/nonexistent/x", conf, state_dir), CLI_FAILED);
	assert_non_null(strstr(errors, "/nonexistent/x: No such file"));
	assert_int_equal(RUN("x", conf, state_dir, "--guest=vm-b"), CLI_NO_GUEST);
	assert_string_equal(errors, "mediakitd preflight: there is no guest vm-b; name one with "
				    "--guest=, configured: vm-a\n");
	put("etc/guests.d/vm-b.conf",
		"[Image]\nPath=/nonexistent.qcow2\n[Network]\nPortOffset=20000\n");
	assert_int_equal(RUN("x", conf, state_dir), CLI_USAGE);
	assert_string_equal(errors, "mediakitd preflight: which guest?; name one with --guest=, "
				    "configured: vm-a vm-b\n");
	assert_int_equal(RUN("x", conf, state_dir, "--guest=vm-b"), CLI_FAILED);
	assert_string_equal(errors, "mediakitd preflight: vm-b is not provisioned: `mediakitd "
				    "provision vm-b`; say it with --glibc=\n");
	put("etc/guests.d/vm-b.conf", "[Image]\nColour=red\n");
	assert_int_equal(RUN("x", conf, state_dir, "--guest=vm-a"), CLI_USAGE);
	assert_non_null(strstr(errors, "vm-b.conf:2: Colour: "));
}

static int ask(void)
{
	char program[1024];

	(void)snprintf(program, sizeof(program), "%s", path_in("x"));
	return RUN(program, conf, state_dir, "--guest=vm-a");
}

static void put_state(const char *glibc, const char *disk)
{
	char content[512];

	(void)snprintf(content, sizeof(content),
		"{\"version\": 1, \"glibc\": \"%s\", \"glibc_disk\": \"%s\"}\n", glibc, disk);
	put("state/private/vm-a/state.json", content);
}

/* By its image's manifest, or its own word of the disk that it has. */
static void test_what_is_known(void **state)
{
	CLEANUP_FREE char *image = strdup(path_in("state/images/vm-a/disk.qcow2"));
	char disk[RECORD_DISK_TEXT];

	(void)state;
	need_version("libc.so.6", "GLIBC_2.34", 1);
	put_record("2.36-9");
	assert_int_equal(ask(), CLI_OK);
	assert_non_null(strstr(output, "needs glibc 2.34, vm-a has 2.36-9"));
	/* The manifest's word is taken before the guest's. */
	put("state/images/vm-a/disk.qcow2", "");
	record_disk(&record, image, disk);
	put_state("2.41", disk);
	assert_int_equal(ask(), CLI_OK);
	assert_non_null(strstr(output, "vm-a has 2.36-9"));
	put_record("");
	assert_int_equal(ask(), CLI_OK);
	assert_non_null(strstr(output, "vm-a has 2.41"));
	static const struct {
		const char *glibc, *disk;
	} others[] = { { "2.41", "1 base-0123456789abcdef.qcow2" }, { "2.41", "" },
		{ "new", NULL }, { "", NULL }, { "2.41\\u001b[2J", NULL } };
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		put_state(others[i].glibc, others[i].disk ?: disk);
		assert_int_equal(ask(), CLI_FAILED);
		assert_non_null(strstr(errors, "the glibc of vm-a is not known: its image "));
		assert_null(strchr(errors, '\033'));
	}
	put_state("2.41", disk);
	shell("cd state/private/vm-a && mv state.json other && ln -s other state.json");
	assert_int_equal(ask(), CLI_FAILED);
	shell("cd state/private/vm-a && rm state.json && head -c 300000 /dev/zero >state.json");
	assert_int_equal(ask(), CLI_FAILED);
	shell("cd state/private/vm-a && echo '{\"version\": 1' >state.json");
	assert_int_equal(ask(), CLI_FAILED);
	shell("rm state/private/vm-a/state.json");
	assert_int_equal(ask(), CLI_FAILED);
	put("state/private/vm-a/provision.json", "{\"version\": 1,");
	assert_int_equal(ask(), CLI_FAILED);
	assert_string_equal(errors, "mediakitd preflight: the glibc of vm-a is not known: Bad "
				    "message; say it with --glibc=\n");
}

static void test_libraries_that_are_known(void **state)
{
	static const char *const none[] = { "rm libraries && mkdir libraries",
		"rm -r libraries && ln -s provision.json libraries",
		"rm libraries && truncate -s 5M libraries" };

	(void)state;
	put_record("2.36-9");
	need_library("libssl.so.3");
	put("state/private/vm-a/libraries", "libssl.so.3\n");
	assert_int_equal(ask(), CLI_OK);
	assert_null(strstr(output, "not known"));
	put("state/private/vm-a/libraries", "libssl.so.33\n");
	assert_int_equal(ask(), CLI_FAILED);
	assert_non_null(strstr(output, "libraries missing there: libssl.so.3\n"));
	/* It may have installed it since. */
	put("etc/guests.d/vm-a.conf", "[Image]\nPath=/nonexistent.qcow2\n[Guest]\nArch=x86_64\n"
				      "[Network]\nEgress=all\n");
	assert_int_equal(ask(), CLI_OK);
	assert_non_null(strstr(output, "not known to be there: libssl.so.3\n"));
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		char what[256];

		(void)snprintf(what, sizeof(what), "cd state/private/vm-a && %s", none[i]);
		shell(what);
		assert_int_equal(ask(), CLI_FAILED);
		assert_non_null(strstr(errors, "mediakitd preflight: cannot read "));
		assert_non_null(strstr(errors, "/private/vm-a/libraries: "));
	}
}

static struct spec *spec;
static int found;

static int find(int argc, char **argv)
{
	struct preflight_target target = { .name = "none" };

	(void)argc, (void)argv;
	alloc_arm();
	found = preflight_target_read(spec, &spec->guests[0], &target);
	bool failed = alloc_disarm();
	assert_true(found == 0 || (failed && found == CLI_FAILED));
	/* What the guest said is known, or it is not. */
	if (found == 0) {
		assert_true(strcmp(target.glibc, "2.41") == 0 || (failed && !target.glibc[0]));
		assert_string_equal(target.libraries, "libssl.so.3\n");
	}
	free(target.libraries);
	return 0;
}

static void attempt(void *userdata)
{
	(void)userdata;
	unsigned before = open_files();
	(void)run(find, (const char *const[]){ NULL });
	assert_int_equal(open_files(), before);
	assert_int_equal(errors[0] != '\0', found != 0);
}

static void test_without_memory(void **state)
{
	CLEANUP_FREE char *image = strdup(path_in("state/images/vm-a/disk.qcow2"));
	struct conf_faults faults = { 0 };
	char disk[RECORD_DISK_TEXT];

	(void)state;
	put_record("");
	put("state/images/vm-a/disk.qcow2", "");
	record_disk(&record, image, disk);
	put_state("2.41", disk);
	put("state/private/vm-a/libraries", "libssl.so.3\n");
	assert_int_equal(confdir_load(conf + strlen("--config="), state_dir + strlen("--state="),
				 NULL, &spec, &faults),
		0);
	conf_faults_clear(&faults);
	alloc_sweep(attempt, NULL, 10);
	spec_free(spec);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_machine),
		cmocka_unit_test(test_libraries),
		cmocka_unit_test(test_unreadable),
		TEST(test_command_line),
		TEST(test_which_guest),
		TEST(test_what_is_known),
		TEST(test_libraries_that_are_known),
		TEST(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
