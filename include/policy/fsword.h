/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's own word on its file systems after a boot: were they left clean, had a journal to be
 * replayed, are there errors. Off the kernel's and fsck's lines, on the serial line or through the
 * agent. The guest may lie: this is shown, and nothing is decided by it. */
#ifndef MEDIAKIT_POLICY_FSWORD_H
#define MEDIAKIT_POLICY_FSWORD_H

#include "base/nametable.h"

#include <stdbool.h>
#include <stddef.h>

enum fs_word {
	FS_UNKNOWN,   /* nothing was said that tells */
	FS_CLEAN,     /* mounted without anything to mend */
	FS_RECOVERED, /* a journal was replayed: the last run ended without an unmount */
	FS_ERRORS,    /* the file system knows of errors, or fsck wants a person */
	FS_WORD_NUM,
};
NAME_TABLE_DECLARE(fs_word, enum fs_word); /* unknown clean recovered errors */

#define FSWORD_LINE_MAX 112u

struct fsword {
	enum fs_word word;          /* the worst that was said in this boot */
	char line[FSWORD_LINE_MAX]; /* that says so, printable; "" while unknown */
};

/* One line without control sequences (model/serial). True when the word became worse. */
bool fsword_line(struct fsword *f, const char *words, size_t len);

/* The output of the command that fsword_command is, NUL-terminated. A kernel log that begins at its
 * beginning and tells of mounts, and of nothing to mend, means clean. True when the word changed.
 */
bool fsword_output(struct fsword *f, const char *output);
extern const char *const fsword_command[];

#endif
