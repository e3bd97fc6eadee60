/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration when memory runs out: every allocation fails once, and each time the outcome is
 * -ENOMEM, nothing is leaked and no error is lost. */
/* LINK: base model io/confdir */
/* LIBS: inih libcbor jansson libsystemd */
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/confdir.h"

/* Sanitizers bring a malloc of their own, and there can be one only. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAVE_OWN_MALLOC 0
#else
#define HAVE_OWN_MALLOC 1
#endif

/* How many more allocations succeed; below zero: all. And how many are not freed. */
static long budget = -1, live;
static bool failed; /* one did */

#if HAVE_OWN_MALLOC
/* glibc's manual, "Replacing malloc": a program's own definitions serve the whole process, strdup()
 * and inih included. The real ones have these names besides. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);

static bool may_allocate(void)
{
	if (budget == 0) {
		errno = ENOMEM;
		failed = true;
		return false;
	}
	if (budget > 0)
		budget--;
	return true;
}

void *malloc(size_t size)
{
	void *p = may_allocate() ? __libc_malloc(size) : NULL;

	live += p != NULL;
	return p;
}

void *calloc(size_t n, size_t size)
{
	void *p = may_allocate() ? __libc_calloc(n, size) : NULL;

	live += p != NULL;
	return p;
}

void *realloc(void *old, size_t size)
{
	void *p = may_allocate() ? __libc_realloc(old, size) : NULL;

	live += p != NULL && !old;
	return p;
}

void free(void *p)
{
	live -= p != NULL;
	__libc_free(p);
}
#endif

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

/* Lets the first allocation fail, then the second, until the call comes through as it does without.
 */
static void sweep(
	int (*call)(struct spec **, struct conf_faults *), int expected, unsigned n_faults)
{
	long n = 0;
	int r;

#if !HAVE_OWN_MALLOC
	print_message("malloc is the sanitizer's, so none fails here\n");
	skip();
#endif
	do {
		struct conf_faults faults = { 0 };
		struct spec *spec = NULL;
		long before = live;

		failed = false;
		budget = n++;
		r = call(&spec, &faults);
		budget = -1;
		assert_true((spec != NULL) == (r == 0));
		/* A failure that changes nothing is none: glibc's asprintf() lives without its last
		 * realloc(), which only gives bytes back. */
		if (r != -ENOMEM || !failed) {
			assert_int_equal(r, expected);
			assert_int_equal(faults.n, n_faults);
			assert_int_equal(faults.n_dropped, 0);
		}
		conf_faults_clear(&faults);
		spec_free(spec);
		assert_int_equal(live, before);
	} while (failed);
	assert_true(n > 5);
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
	sweep(load_shipped, 0, 1);
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
