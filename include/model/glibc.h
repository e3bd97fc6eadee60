/* SPDX-License-Identifier: Apache-2.0 */
/* Versions of the GNU C library, which decide whether a binary runs. */
#ifndef MEDIAKIT_MODEL_GLIBC_H
#define MEDIAKIT_MODEL_GLIBC_H

#include <stdbool.h>

#define GLIBC_TEXT_MAX 64u /* with the NUL, of a version as a distribution writes it */

struct glibc_version {
	unsigned major, minor;
};

/* Reads "2.39", "2.39-0ubuntu8.4", "2.41-12+deb13u1" or a symbol's "2.2.5", whose third number is
 * left out. 0; -EINVAL: does not begin with two numbers of at most four digits. */
int glibc_parse(const char *text, struct glibc_version *ret);

/* <0, 0, >0 as a is older than, as old as, newer than b. */
int glibc_compare(const struct glibc_version *a, const struct glibc_version *b);

/* Is it known to be under `least`? False where one of the two says no version ("", "none"). */
bool glibc_is_under(const char *is, const char *least);

/* Run in a guest, it says "glibc 2.39": a program of libc-bin, which every image has. */
extern const char *const glibc_command[];

/* The version out of that answer, which is the guest's word and may be anything. 0; -EBADMSG: it is
 * not one line of that form. */
int glibc_from_answer(const char *output, char ret[static GLIBC_TEXT_MAX]);

#endif
