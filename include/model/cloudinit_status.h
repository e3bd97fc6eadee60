/* SPDX-License-Identifier: Apache-2.0 */
/* What cloud-init in a guest says of itself, out of the files it keeps under /run/cloud-init. They
 * are read instead of asking `cloud-init status`, which is Python and takes seconds under TCG; the
 * words are the same (cloudinit/cmd/status.py). Every byte is the guest's. */
#ifndef MEDIAKIT_MODEL_CLOUDINIT_STATUS_H
#define MEDIAKIT_MODEL_CLOUDINIT_STATUS_H

#include "base/nametable.h"

#include <stdbool.h>
#include <stddef.h>

enum cloudinit_state {
	CLOUDINIT_UNKNOWN, /* not asked yet, or no answer */
	CLOUDINIT_RUNNING,
	CLOUDINIT_DONE,
	CLOUDINIT_DEGRADED, /* done, with recoverable errors: `cloud-init status` exits with 2 */
	CLOUDINIT_ERROR,    /* done, with errors; it exits with 1 */
	CLOUDINIT_DISABLED, /* there is nothing to wait for */
	CLOUDINIT_SKIPPED,  /* likewise, because all it does was done before; the quote says when */
	CLOUDINIT_STATE_NUM,
};
NAME_TABLE_DECLARE(cloudinit_state, enum cloudinit_state);

/* Of each file, and of all messages together. A status.json without errors has about 1 KiB; one
 * that is cut can't be read, and then the result's existence alone must do. */
#define CLOUDINIT_FILE_MAX  8192u
#define CLOUDINIT_QUOTE_MAX 320u
#define CLOUDINIT_PIECE_MAX 160u /* of one message */
#define CLOUDINIT_STAGE_MAX 24u

struct cloudinit_status {
	enum cloudinit_state state;
	char stage[CLOUDINIT_STAGE_MAX]; /* "modules-final"; "" when none runs; printable */
	unsigned steps;                  /* stages begun and ended, 0 to 8: only ever grows */
	unsigned errors, warnings;
	char quote[CLOUDINIT_QUOTE_MAX]; /* the first of them, errors first, parted by " | ";
					    printable; "" where there are none */
};

/* The command that reads the guest's boot_id and those files; it ends with NULL. */
extern const char *const cloudinit_status_command[];
/* Its output apart: the boot_id, 36 bytes and a NUL, and the status. 0; -ENOMEM; -EBADMSG where
 * there is no boot_id; then nothing is written. What is no JSON of cloud-init's shape counts as not
 * there.
 */
int cloudinit_status_parse(
	const char *output, char ret_boot_id[static 37], struct cloudinit_status *ret);

/* It has ended, or will never begin. */
bool cloudinit_state_over(enum cloudinit_state state);

#endif
