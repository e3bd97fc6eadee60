/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of a piece of code fails once: the first, then the second, and so on until the
 * code comes through without a failure. A test includes this and gets a malloc of its own, which
 * serves the whole process, libraries included. */
#ifndef MEDIAKIT_TESTS_ALLOC_FAIL_H
#define MEDIAKIT_TESTS_ALLOC_FAIL_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* glibc's manual, "Replacing malloc": a program's own definitions are everybody's, strdup() and
 * inih included, and the real ones have a name besides. GCC's sanitizers are a shared library that
 * does the same and gives its own names; it finds what is lost or used too late all by itself, and
 * its strdup() does not come past here, so nothing is counted. */
#if defined(__SANITIZE_ADDRESS__)
#define ALLOC_COUNTS     0
#define ALLOC_REAL(name) __interceptor_##name
#else
#define ALLOC_COUNTS     1
#define ALLOC_REAL(name) __libc_##name
#endif

void *ALLOC_REAL(malloc)(size_t size);
void *ALLOC_REAL(calloc)(size_t n, size_t size);
void *ALLOC_REAL(realloc)(void *p, size_t size);
void ALLOC_REAL(free)(void *p);

static struct {
	long next;   /* the one to fail in the present try */
	long budget; /* how many more succeed; below zero: all */
	long live;   /* not freed yet */
	bool failed; /* one did, in the present try */
	bool once;   /* memory is short for a moment only; else from then on */
} alloc = { .budget = -1 };

static inline bool alloc_may(void)
{
	if (alloc.budget == 0) {
		if (alloc.once)
			alloc.budget = -1;
		errno = ENOMEM;
		alloc.failed = true;
		return false;
	}
	if (alloc.budget > 0)
		alloc.budget--;
	return true;
}

void *malloc(size_t size)
{
	void *p = alloc_may() ? ALLOC_REAL(malloc)(size) : NULL;

	alloc.live += p != NULL;
	return p;
}

void *calloc(size_t n, size_t size)
{
	void *p = alloc_may() ? ALLOC_REAL(calloc)(n, size) : NULL;

	alloc.live += p != NULL;
	return p;
}

void *realloc(void *old, size_t size)
{
	void *p = alloc_may() ? ALLOC_REAL(realloc)(old, size) : NULL;

	alloc.live += p != NULL && !old;
	return p;
}

void free(void *p)
{
	alloc.live -= p != NULL;
	ALLOC_REAL(free)(p);
}

/* Around the code under test; what judges it stands outside, because it may allocate too. */
static inline void alloc_arm(void)
{
	alloc.failed = false;
	alloc.budget = alloc.next;
}

/* Whether an allocation failed since alloc_arm(). */
static inline bool alloc_disarm(void)
{
	alloc.budget = -1;
	return alloc.failed;
}

static inline void alloc_sweep_all(void (*attempt)(void *userdata), void *userdata, long at_least)
{
	alloc.next = 0;
	do {
		/* What a library allocates once is no leak; what it loses it loses again. */
		for (int again = 0; again < 2; again++) {
			long before = alloc.live;

			alloc.failed = false;
			attempt(userdata);
			if (!ALLOC_COUNTS || alloc.live == before)
				break;
			if (again)
				fail_msg("%ld blocks lost where allocation %ld fails%s",
					alloc.live - before, alloc.next,
					alloc.once ? " alone" : "");
		}
		alloc.next++;
	} while (alloc.failed);
	if (ALLOC_COUNTS)
		assert_true(alloc.next > at_least);
}

/* Tries `attempt`, which arms, runs, disarms, judges and frees, with every allocation failing in
 * turn, alone and with all that follow; there must be more than `at_least`, or the test looks at
 * nothing. */
static inline void alloc_sweep(void (*attempt)(void *userdata), void *userdata, long at_least)
{
	/* What libraries allocate once is no leak. */
	alloc.next = -1;
	attempt(userdata);
	alloc.once = false;
	alloc_sweep_all(attempt, userdata, at_least);
	alloc.once = true;
	alloc_sweep_all(attempt, userdata, at_least);
}

#endif
