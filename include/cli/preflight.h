/* SPDX-License-Identifier: Apache-2.0 */
/* `mediakitd preflight BINARY…`: would it run in the guest? Asked before it is taken there. */
#ifndef MEDIAKIT_CLI_PREFLIGHT_H
#define MEDIAKIT_CLI_PREFLIGHT_H

#include "model/glibc.h"
#include "model/spec.h"

/* What is known of where it is to run. */
struct preflight_target {
	const char *name; /* "vm-mediakit", for messages */
	enum spec_arch arch;
	char glibc[GLIBC_TEXT_MAX];
	bool own_word; /* the glibc is what the guest itself said, at some time */
	char *libraries; /* see manifest_libraries(); NULL: it is not known which there are */
	bool may_have_more; /* it can install others: Egress=all */
};

/* What is known of a guest: its processor, C library and libraries. `spec` and `guest` must outlive
 * it. `glibc` stays "" where the image had no manifest and the guest never said. 0, or the exit
 * status after a line on stderr. */
int preflight_target_read(const struct spec *spec, const struct guest_spec *guest,
	struct preflight_target *ret);

/* As below, of what was read already; `path` is for messages. */
int preflight_bytes(const char *path, const void *bytes, size_t len,
	const struct preflight_target *target);

/* Reads the file and tells, on stdout, what it needs or what it would miss. 0: it would run, as far
 * as that can be known; 1: it would not; -errno: it cannot be read, told on stderr. */
int preflight_file(const char *path, const struct preflight_target *target);

/* See struct verb. */
int verb_preflight(int argc, char **argv);
extern const char usage_preflight[];

#endif
