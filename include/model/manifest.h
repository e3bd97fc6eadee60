/* SPDX-License-Identifier: Apache-2.0 */
/* The manifest beside an image: which C library is in it, and which image it speaks of. */
#ifndef MEDIAKIT_MODEL_MANIFEST_H
#define MEDIAKIT_MODEL_MANIFEST_H

#include "model/glibc.h"
#include "model/sums.h"

#include <stdbool.h>

#define MANIFEST_BYTES_MAX     (4u * 1024u * 1024u) /* Ubuntu's have 40 KiB */
#define MANIFEST_LINE_MAX      4096u
#define MANIFEST_LIBRARIES_MAX 8192u
#define MANIFEST_LIBRARY_MAX   96u /* with the NUL; no program names a longer one (io/elf.h) */

struct manifest {
	char glibc[GLIBC_TEXT_MAX]; /* "2.41-12+deb13u1"; "" where it does not say */
	char sha256[SUMS_DIGEST];   /* that it gives for the image; "" where it gives none */
};

/* Takes two forms: KEY=VALUE lines with glibc= and sha256.NAME=, as our own builder writes, and
 * lists of "package version" lines, as Ubuntu publishes them, of which it reads libc6's. `name` is
 * the image's file name. 0; -EBADMSG: too long, a NUL, or a version that is none. */
int manifest_parse(const char *text, size_t len, const char *name, struct manifest *ret);

/* The libraries that the dynamic loader finds in the image, by the names programs ask for
 * ("libssl.so.3"), as its library= lines have them: one a line, each ended. *ret is the caller's;
 * NULL where it lists none. 0; -EBADMSG: too many, or a name that is none; -ENOMEM. */
int manifest_libraries(const char *text, size_t len, char **ret);

/* Is it in such a list? */
bool manifest_has_library(const char *libraries, const char *name);

#endif
