/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a program to its end: no shell, no inherited descriptors or signals, with a deadline and
 * limits on its memory and on what it may print. For short helpers of the offline verbs; it blocks
 * its caller. */
#ifndef MEDIAKIT_IO_PROGRAM_H
#define MEDIAKIT_IO_PROGRAM_H

#include "io/tick.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROGRAM_ERROR_MAX 1024u /* of what it wrote to stderr, the first bytes are kept */

struct program {
	const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH */
	usec_t timeout;
	uint64_t memory_max_kib; /* of address space; 0: no limit */
	size_t output_max;       /* bytes of stdout; more ends the program */
	const struct tick *tick; /* or NULL */
	/* What it reads on stdin, asked for as it takes it: writes at most `size` bytes into `buf`.
	 * Returns how many; 0: that is the end; -errno ends the program. NULL: /dev/null. A
	 * program that stops reading early is not at fault by that. */
	ssize_t (*feed)(void *userdata, void *buf, size_t size);
	void *userdata;
	/* Run as this user, with its group and no other; only root may ask for it. */
	bool as_user;
	uid_t uid;
	gid_t gid;
};

struct program_result {
	int exit_status; /* meaningful where `signal` is 0 */
	int signal;      /* that ended it, or 0 */
	char *output;    /* its stdout, NUL-terminated (the NUL not counted) */
	size_t output_len;
	char error[PROGRAM_ERROR_MAX]; /* its stderr, one line, escaped for printing */
};

/* Takes a zeroed result. */
void program_result_clear(struct program_result *result);

/* 0 when the program ended by itself or by a signal that is not ours, whatever its exit status:
 * *ret is the caller's to clear. -ENOENT or -EACCES where it cannot be executed; -ETIMEDOUT; -EFBIG
 * (stdout over its limit); what the tick or the feed returned; -errno. In these cases the program
 * is dead and reaped, and *ret untouched.
 *
 * The program gets LC_ALL=C, PATH and HOME and no other variable, its feed or /dev/null as stdin, a
 * process group of its own (so that Ctrl-C reaches only us), which does not outlive the call, and
 * SIGKILL should we die. */
int program_run(const struct program *program, struct program_result *ret);

#endif
