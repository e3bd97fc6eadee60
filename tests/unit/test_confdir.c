/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration directory: which files are read, in which order, and what is said of those that
 * cannot be. */
/* LINK: base model io/confdir cli/check */
/* LIBS: inih libcbor jansson libsystemd */
#include "remove_tree.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/check.h"
#include "io/confdir.h"

#define OK "[Image]\nKernel=/k\n"

/* Every test runs in an empty directory of its own and reads "c" in it. */
static char dir[64];

static int enter(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(dir, sizeof(dir), "%.40s/test-confdir-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir) || chmod(dir, 0755) < 0 || chdir(dir) < 0)
		return -1;
	return mkdir("c", 0755) < 0 || mkdir("c/guests.d", 0755) < 0 ? -1 : 0;
}

static int leave(void **state)
{
	(void)state;
	if (chdir("/") < 0)
		return -1;
	return remove_tree(dir);
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static struct spec *load_good(void)
{
	struct conf_faults faults = { 0 };
	struct spec *spec = NULL;

	if (confdir_load("c", NULL, NULL, &spec, &faults) < 0)
		fail_msg("refused: %s", faults.n ? faults.list[0].text : "without a word");
	assert_int_equal(faults.n, 0);
	conf_faults_clear(&faults);
	return spec;
}

/* The first fault of several contains the text; with one guest at most nothing else is said. */
static void expect_fault(const char *config, const char *text)
{
	struct conf_faults faults = { 0 };
	struct spec *spec = NULL;

	assert_int_equal(confdir_load(config, NULL, NULL, &spec, &faults), -EINVAL);
	assert_null(spec);
	assert_int_equal(faults.n, 1);
	if (!strstr(faults.list[0].text, text))
		fail_msg("'%s' is not in '%s'", text, faults.list[0].text);
	conf_faults_clear(&faults);
}

static void test_empty(void **state)
{
	struct spec *spec = load_good();

	(void)state;
	assert_int_equal(spec->n_guests, 0);
	assert_string_equal(spec->state_dir, "/var/lib/mediakitd");
	spec_free(spec);
	assert_int_equal(rmdir("c/guests.d"), 0);
	spec_free(load_good());
}

static void test_order(void **state)
{
	struct spec *spec;

	(void)state;
	put("c/mediakitd.conf", "[Pool]\nReserve=2G\n");
	put("c/guests.d/b.conf", OK "[Network]\nPortOffset=20000\n");
	put("c/guests.d/a.conf", OK "[Guest]\nCPUs=1\nMemory=1G\n");
	assert_int_equal(mkdir("c/guests.d/a.conf.d", 0755), 0);
	/* By the bytes of the name, so 10 comes before 9. */
	put("c/guests.d/a.conf.d/10.conf", "[Guest]\nCPUs=3\nMemory=3G\n");
	put("c/guests.d/a.conf.d/9.conf", "[Guest]\nCPUs=4\n");
	/* None of these is a drop-in or a guest. */
	put("c/guests.d/a.conf.d/z.conf~", "nonsense");
	put("c/guests.d/a.conf.d/.z.conf", "nonsense");
	put("c/guests.d/.hidden.conf", "nonsense");
	put("c/guests.d/.conf", "nonsense");
	put("c/guests.d/README", "nonsense");
	spec = load_good();
	assert_int_equal(spec->reserve_kib, 2 << 20);
	assert_int_equal(spec->n_guests, 2);
	assert_string_equal(spec->guests[0].name, "a");
	assert_int_equal(spec->guests[0].cpus, 4);
	assert_int_equal(spec->guests[0].memory_kib, 3 << 20);
	assert_string_equal(spec->guests[1].name, "b");
	assert_int_equal(spec->guests[1].cpus, 2);
	spec_free(spec);
}

static void test_links(void **state)
{
	struct spec *spec;

	(void)state;
	put("elsewhere", OK "[Guest]\nCPUs=7\n");
	assert_int_equal(symlink("../../elsewhere", "c/guests.d/a.conf"), 0);
	assert_int_equal(symlink("c", "link"), 0);
	spec = load_good();
	assert_int_equal(spec->guests[0].cpus, 7);
	spec_free(spec);
	assert_int_equal(unlink("c/guests.d/a.conf"), 0);
	assert_int_equal(symlink("nowhere", "c/guests.d/a.conf"), 0);
	expect_fault("link", "link/guests.d/a.conf: cannot be read: No such file");
	assert_int_equal(unlink("c/guests.d/a.conf"), 0);
	assert_int_equal(symlink("nowhere", "c/mediakitd.conf"), 0);
	expect_fault("c", "c/mediakitd.conf: cannot be read: No such file");
}

static void test_missing(void **state)
{
	(void)state;
	expect_fault("none", "none: cannot be read: No such file");
	put("file", "");
	expect_fault("file", "file: cannot be read: Not a directory");
}

static void test_orphan(void **state)
{
	(void)state;
	assert_int_equal(mkdir("c/guests.d/a.conf.d", 0755), 0);
	/* A directory without drop-ins loses nothing. */
	spec_free(load_good());
	put("c/guests.d/a.conf.d/x.conf", OK);
	expect_fault("c", "c/guests.d/a.conf.d/x.conf: is a drop-in of a guest that is not there; "
			  "allowed: beside guests.d/a.conf");
}

static void test_odd_files(void **state)
{
	(void)state;
	assert_int_equal(mkdir("c/guests.d/a.conf", 0755), 0);
	expect_fault("c", "c/guests.d/a.conf: cannot be read: Is a directory");
	assert_int_equal(rmdir("c/guests.d/a.conf"), 0);
	/* Must not hang. */
	assert_int_equal(mkfifo("c/guests.d/a.conf", 0644), 0);
	expect_fault("c", "c/guests.d/a.conf: is no regular file");
	assert_int_equal(unlink("c/guests.d/a.conf"), 0);
	put("c/guests.d/a.conf", "");
	assert_int_equal(truncate("c/guests.d/a.conf", CONF_FILE_MAX + 1), 0);
	expect_fault(
		"c", "c/guests.d/a.conf: the file is too large; allowed: at most 262144 bytes");
}

static void test_bad_name(void **state)
{
	(void)state;
	put("c/guests.d/VM.conf", OK);
	expect_fault("c", "c/guests.d/VM.conf: 'VM' is no guest name");
}

static void test_too_many(void **state)
{
	char path[64];

	(void)state;
	put("c/guests.d/a.conf", OK);
	assert_int_equal(mkdir("c/guests.d/a.conf.d", 0755), 0);
	for (unsigned i = 0; i <= CONFDIR_DROPINS_MAX; i++) {
		snprintf(path, sizeof(path), "c/guests.d/a.conf.d/%u.conf", i);
		put(path, "");
	}
	expect_fault("c", "c/guests.d/a.conf.d: holds 65 configuration files; allowed: at most 64");
	assert_int_equal(unlink(path), 0);
	spec_free(load_good());
}

static void test_unreadable(void **state)
{
	(void)state;
	put("c/mediakitd.conf", "");
	assert_int_equal(chmod("c/mediakitd.conf", 0200), 0);
	/* Root reads everything; so become somebody else for the moment. */
	if (geteuid() == 0) {
		assert_int_equal(chown("c/mediakitd.conf", 4711, (gid_t)-1), 0);
		assert_int_equal(seteuid(65534), 0);
		expect_fault("c", "c/mediakitd.conf: cannot be read: Permission denied "
				  "(mode 0200, owner uid 4711)");
		assert_int_equal(seteuid(0), 0);
	} else {
		expect_fault("c", "c/mediakitd.conf: cannot be read: Permission denied (mode 0200");
	}
}

static void test_overrides(void **state)
{
	struct conf_faults faults = { 0 };
	struct spec *spec = NULL;

	(void)state;
	assert_int_equal(confdir_load("c", "/s", "/r", &spec, &faults), 0);
	assert_string_equal(spec->state_dir, "/s");
	assert_string_equal(spec->runtime_dir, "/r");
	spec_free(spec);
	spec = NULL;
	assert_int_equal(confdir_load("c", "s", "r", &spec, &faults), -EINVAL);
	assert_null(spec);
	assert_int_equal(faults.n, 2);
	assert_string_equal(faults.list[0].text,
		"--state: 's' is no absolute path; allowed: a path "
		"that begins with '/', at most 4095 printable bytes");
	assert_non_null(strstr(faults.list[1].text, "--runtime: 'r' is no absolute path"));
	conf_faults_clear(&faults);
}

static char out[4096], err[4096];

static void slurp(FILE *f, char *buf, size_t size)
{
	rewind(f);
	buf[fread(buf, 1, size - 1, f)] = '\0';
}

/* Runs the verb, its output into out and err. */
static int check(const char *a, const char *b)
{
	char verb[] = "check", one[64], two[64];
	char *argv[] = { verb, one, two, NULL };
	FILE *o = tmpfile(), *e = tmpfile();

	snprintf(one, sizeof(one), "%s", a ? a : "");
	snprintf(two, sizeof(two), "%s", b ? b : "");
	if (!b)
		argv[2] = NULL;
	if (!a)
		argv[1] = NULL;
	assert_true(o && e);
	fflush(stdout);
	fflush(stderr);
	int saved_out = dup(1), saved_err = dup(2);
	dup2(fileno(o), 1);
	dup2(fileno(e), 2);
	int r = verb_check(1 + (a != NULL) + (b != NULL), argv);
	fflush(stdout);
	fflush(stderr);
	dup2(saved_out, 1);
	dup2(saved_err, 2);
	close(saved_out);
	close(saved_err);
	slurp(o, out, sizeof(out));
	slurp(e, err, sizeof(err));
	fclose(o);
	fclose(e);
	return r;
}

static void test_verb(void **state)
{
	(void)state;
	put("c/guests.d/a.conf", OK "[Service s]\n");
	assert_int_equal(check("--config=c", NULL), 0);
	assert_string_equal(out, "1 guest, 1 service, no faults\n");
	assert_string_equal(err, "");

	put("c/guests.d/a.conf", "[Image]\nPath=/x\n");
	assert_int_equal(check("--config", "c"), 0);
	assert_string_equal(out, "1 guest, 0 services, no faults, 1 warning\n");
	assert_string_equal(err,
		"c/guests.d/a.conf:2: warning: Path: no SHA256= is given, so the image "
		"is unverified\n");

	put("c/guests.d/a.conf", "[Image]\nPath=/x\nFoo=\n[Guest]\nCPUs=0\n");
	assert_int_equal(check("--config=c", NULL), 2);
	assert_string_equal(out, "2 faults, 1 warning\n");
	assert_non_null(strstr(err, "c/guests.d/a.conf:3: Foo: is no key of [Image]"));
	assert_non_null(strstr(err, "\nc/guests.d/a.conf:5: CPUs: '0' is out of bounds"));

	assert_int_equal(check("--config=none", NULL), 2);
	assert_string_equal(err, "none: cannot be read: No such file or directory\n");
}

static void test_verb_usage(void **state)
{
	(void)state;
	assert_int_equal(check("--help", NULL), 0);
	assert_non_null(strstr(out, "Usage: mediakitd check"));
	assert_int_equal(check("--config=c", "extra"), 2);
	assert_non_null(strstr(err, "unexpected argument 'extra'"));
	assert_int_equal(check("--nonsense", NULL), 2);
	assert_string_equal(out, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_empty, enter, leave),
		cmocka_unit_test_setup_teardown(test_order, enter, leave),
		cmocka_unit_test_setup_teardown(test_links, enter, leave),
		cmocka_unit_test_setup_teardown(test_missing, enter, leave),
		cmocka_unit_test_setup_teardown(test_orphan, enter, leave),
		cmocka_unit_test_setup_teardown(test_odd_files, enter, leave),
		cmocka_unit_test_setup_teardown(test_bad_name, enter, leave),
		cmocka_unit_test_setup_teardown(test_too_many, enter, leave),
		cmocka_unit_test_setup_teardown(test_unreadable, enter, leave),
		cmocka_unit_test_setup_teardown(test_overrides, enter, leave),
		cmocka_unit_test_setup_teardown(test_verb, enter, leave),
		cmocka_unit_test_setup_teardown(test_verb_usage, enter, leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
