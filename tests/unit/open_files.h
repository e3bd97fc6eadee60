/* SPDX-License-Identifier: Apache-2.0 */
/* How many descriptors the test has open, to see that none is left. */
#ifndef MEDIAKIT_TESTS_OPEN_FILES_H
#define MEDIAKIT_TESTS_OPEN_FILES_H

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The one that looks is counted, too: only differences mean something. */
static inline unsigned open_files(void)
{
	DIR *fds = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(fds);
	while (readdir(fds))
		n++;
	(void)closedir(fds);
	return n;
}

#endif
