/* SPDX-License-Identifier: Apache-2.0 */
/* One run of `provision`: what its stages share. Private to src/cli/provision*.c.
 *
 * Theory of operation. The disk is a write-once ledger, so the order is: refuse first, change last.
 * The stages stand in a table and pass one after the other; each returns 0, or -errno with a reason
 * that ends the run. Whatever is made is made under a temporary name, synced, and renamed into
 * place, so that an end at any point (a failure, a signal, a power cut) leaves the old state or the
 * new one; temporary files are swept at the end of every run and at the beginning of the next. No
 * stage opens an existing disk for writing, and none gives an existing base or disk another
 * content: a base is named by its digest, a disk that is replaced keeps its content under another
 * name. */
#ifndef MEDIAKIT_CLI_PROVISION_JOB_H
#define MEDIAKIT_CLI_PROVISION_JOB_H

#include "cli/stageline.h"
#include "io/disk.h"
#include "io/record.h"
#include "io/tick.h"
#include "model/spec.h"

#include <sys/stat.h>

struct provision {
	const struct guest_spec *guest;
	const char *state_dir;
	bool replace_disk;
	struct stageline line;
	struct tick tick;
	struct reason reason;

	char *image_dir, *disk; /* paths */
	int lock_fd;

	bool has_disk;         /* one that stays: false with --replace-disk */
	struct disk_info info; /* of that disk */
	struct record record;  /* what is known; all zero where nothing is */

	int source_fd; /* of the image, or -1: gone, or none configured */
	struct stat source;
	bool source_known; /* the file the record speaks of, untouched, and its base is there */
	struct disk_info source_info; /* where !source_known */
};

/* The stages, in the order of the table in provision.c. */
int provision_find_disk(struct provision *p);
int provision_find_image(struct provision *p);
int provision_check_space(struct provision *p);
int provision_base(struct provision *p);
int provision_disk(struct provision *p);
int provision_boot_files(struct provision *p);
int provision_seed(struct provision *p);

/* Renames and syncs the directory, so that the name is as durable as the content. */
int provision_rename(const char *from, const char *to, struct reason *reason);

#endif
