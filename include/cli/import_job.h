/* SPDX-License-Identifier: Apache-2.0 */
/* What a shell script left of a guest, taken over by `import-predecessor`: the part of the job that
 * comes before provisioning. Private to src/cli/import*.c and provision.c.
 *
 * Theory of operation. The disk is the only copy of what the guest knows, so it is moved by one
 * rename and never copied, never given a second name (two names for a disk are two QEMUs on it, one
 * day), and only where nobody has it open, which is looked at before the move and again after it:
 * whoever opened it in between by its old name is found then, and the move is taken back; later
 * nobody can. The seed goes first and the disk last, each refusing to replace anything. So an end
 * at any point leaves the disk whole under the old name or the new one, and the same command, or
 * `provision` once the disk is here, goes on.
 *
 * The old seed is kept and not used. Its instance-id belongs to a machine with another network
 * card: with it the guest would keep the old card's network configuration and be unreachable. The
 * seed that provisioning makes is a new instance to cloud-init, which then writes that anew, and
 * makes the user and the keys of the configuration; host keys and data stay. */
#ifndef MEDIAKIT_CLI_IMPORT_JOB_H
#define MEDIAKIT_CLI_IMPORT_JOB_H

#include "cli/provision_job.h"

#include <limits.h>

#define IMPORT_ENTRIES_MAX    4096u /* of the directory, looked at */
#define IMPORT_CANDIDATES_MAX 8u

struct import_file {
	char name[NAME_MAX + 1]; /* in the old directory; "" for none */
	int fd;                  /* or -1 */
	struct stat was;
	char *to;   /* where it goes */
	bool moved; /* it is there */
};

struct import {
	const char *dir;
	const char *named; /* --disk=, or NULL */
	int dir_fd, to_fd; /* of both directories, or -1 */
	struct import_file disk, seed;
};

void import_init(struct import *im, const char *dir, const char *named);
void import_clear(struct import *im);

/* The stages. They need a run of `provision` whose `import` is set. */
int import_find(struct provision *p);  /* the two files; looked at, nothing changed */
int import_check(struct provision *p); /* whether the disk may be taken */
int import_move(struct provision *p);

/* Refusals that two of them share. */
int import_check_free(struct provision *p);
int import_refuse_far(struct provision *p, const char *size);

#endif
