/* SPDX-License-Identifier: Apache-2.0 */
/* Removes a test's own directory with all that is in it. */
#ifndef MEDIAKIT_TESTS_REMOVE_TREE_H
#define MEDIAKIT_TESTS_REMOVE_TREE_H

#include <ftw.h>
#include <stdio.h>

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

/* 0, or what nftw() says. No symbolic link is followed. */
static inline int remove_tree(const char *dir)
{
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
