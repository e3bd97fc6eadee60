/* SPDX-License-Identifier: Apache-2.0 */
/* The n-th system call of one kind fails once, where call_fail.h fails the n-th of all. A test
 * numbers its kinds and defines each with CALL(): its own definitions are found before libc's, also
 * by the libraries. */
#ifndef MEDIAKIT_TESTS_KIND_FAIL_H
#define MEDIAKIT_TESTS_KIND_FAIL_H

#include <errno.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
	int which;
	long budget; /* how many more succeed; below zero: all */
	int error;   /* what the failing one says */
	bool failed; /* it did */
} calls = { .budget = -1 };

static inline bool may(int which)
{
	if (which != calls.which || calls.budget < 0 || calls.budget-- > 0)
		return true;
	calls.failed = true;
	errno = calls.error;
	return false;
}

static inline void calls_arm(int which, long next, int error)
{
	calls.which = which;
	calls.error = error;
	calls.failed = false;
	calls.budget = next;
}

/* Did it fail? */
static inline bool calls_disarm(void)
{
	calls.budget = -1;
	return calls.failed;
}

#define CALL(which, type, name, parameters, ...)                                                   \
	type name parameters                                                                       \
	{                                                                                          \
		return may(which) ? (type)syscall(__VA_ARGS__) : -1;                               \
	}

#endif
