/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration when memory runs out: every allocation fails once, and each time the outcome is
 * -ENOMEM, nothing is leaked and no error is lost. */
/* LINK: base model io/confdir */
/* LIBS: inih libcbor jansson libsystemd */
#include "alloc_fail.h"

#include <string.h>

#include "io/confdir.h"

#define OK "[Image]\nKernel=/k\n"

static int parse_texts(struct spec **ret, struct conf_faults *faults, bool good)
{
	static const char daemon[] = "[Pool]\nReserve=2G\n";
	static const char guest[] =
		OK "[Guest]\nHostname=\nMemory=1G\n[CloudInit]\nPackages=a1 b1 a1\n"
		   "Packages=\nPackages=c1\n[Network]\nEgress=all\n"
		   "[Service a]\nPort=1\nDependsOn=b\n[Service b]\n";
	static const char bad[] =
		"oops\n[Gest]\n[Guest]\nMemroy=1\nCPUs=0\nCPUs=1\n"
		"[Service a]\nDependsOn=b c\nPort=1\n[Service b]\nDependsOn=a\nPort=1\n";
	const struct conf_text texts[] = {
		{ "d", NULL, daemon, sizeof(daemon) - 1 },
		{ "g", "vm", guest, sizeof(guest) - 1 },
		{ "b", "vm", bad, sizeof(bad) - 1 },
	};

	return conf_parse(texts, good ? 2 : 3, ret, faults);
}

static int parse_good_texts(struct spec **ret, struct conf_faults *faults)
{
	return parse_texts(ret, faults, true);
}

static int parse_bad_texts(struct spec **ret, struct conf_faults *faults)
{
	return parse_texts(ret, faults, false);
}

static int load_shipped(struct spec **ret, struct conf_faults *faults)
{
	return confdir_load("units", "/s", "/r", ret, faults);
}

static int load_nothing(struct spec **ret, struct conf_faults *faults)
{
	return confdir_load("units/none", NULL, NULL, ret, faults);
}

struct conf_try {
	int (*call)(struct spec **, struct conf_faults *);
	int expected;
	unsigned n_faults;
};

static void attempt(void *userdata)
{
	const struct conf_try *t = userdata;
	struct conf_faults faults = { 0 };
	struct spec *spec = NULL;

	alloc_arm();
	int r = t->call(&spec, &faults);
	bool failed = alloc_disarm();
	assert_true((spec != NULL) == (r == 0));
	/* A failure that changes nothing is none: glibc's asprintf() lives without its last
	 * realloc(), which only gives bytes back. */
	if (r != -ENOMEM || !failed) {
		assert_int_equal(r, t->expected);
		assert_int_equal(faults.n, t->n_faults);
		assert_int_equal(faults.n_dropped, 0);
	}
	conf_faults_clear(&faults);
	spec_free(spec);
}

static void sweep(
	int (*call)(struct spec **, struct conf_faults *), int expected, unsigned n_faults)
{
	alloc_sweep(attempt, &(struct conf_try){ call, expected, n_faults }, 5);
}

static void test_good(void **state)
{
	(void)state;
	sweep(parse_good_texts, 0, 1);
}

static void test_bad(void **state)
{
	(void)state;
	sweep(parse_bad_texts, -EINVAL, 9);
}

static void test_shipped(void **state)
{
	(void)state;
	sweep(load_shipped, 0, 0);
}

static void test_nothing(void **state)
{
	(void)state;
	sweep(load_nothing, -EINVAL, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_shipped),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
