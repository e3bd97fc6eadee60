/* SPDX-License-Identifier: Apache-2.0 */
/* `mediakitd bake SUITE DIR`: a guest's image from packages, natively. The work is done by the
 * scripts of src/bake, which this program carries with it. */
#ifndef MEDIAKIT_CLI_BAKE_H
#define MEDIAKIT_CLI_BAKE_H

#include <stddef.h>

/* The scripts, as they are in the tree. NULL name: the end. */
struct bake_file {
	const char *name;
	const char *text, *end;
};
extern const struct bake_file bake_files[];

/* See struct verb. */
int verb_bake(int argc, char **argv);
extern const char usage_bake[];

#endif
