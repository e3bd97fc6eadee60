/* SPDX-License-Identifier: Apache-2.0 */
/* The fake guests' disks: a backup job that takes its time, and file systems that freeze. */
#include "fake_hv.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DISK_BYTES (UINT64_C(20) << 30)

int fake_backup_begin(struct fake_guest *d, const char *target)
{
	struct hv_backup now;

	d->backups++;
	fake_backup_look(d, &now);
	if (now.state == HV_BACKUP_RUNS)
		return -EBUSY;
	if (d->backup_error)
		return d->backup_error;
	(void)snprintf(d->backup_target, sizeof(d->backup_target), "%s", target);
	d->backup = HV_BACKUP_RUNS;
	d->backup_at = d->hv->timeline->now;
	d->backup_frozen = d->frozen;
	return 0;
}

void fake_backup_look(struct fake_guest *d, struct hv_backup *ret)
{
	usec_t age = d->hv->timeline->now - d->backup_at, takes = d->backup_takes;

	if (!fake_guest_has_qemu(d))
		d->backup = HV_BACKUP_NONE;
	if (d->backup == HV_BACKUP_RUNS && d->backup_breaks && age >= takes / 2)
		d->backup = HV_BACKUP_FAILED;
	if (d->backup == HV_BACKUP_RUNS && age >= takes)
		d->backup = HV_BACKUP_DONE;
	*ret = (struct hv_backup){ .state = d->backup, .total = DISK_BYTES };
	if (d->backup == HV_BACKUP_RUNS && takes > 0)
		ret->copied = DISK_BYTES / 1000 * (age * 1000 / takes);
}

int fake_backup_abort(struct fake_guest *d, const char *marker)
{
	struct hv_backup now;

	fake_backup_look(d, &now);
	if (now.state != HV_BACKUP_RUNS || !strstr(d->backup_target, marker))
		return 0;
	d->backup_aborts++;
	if (!d->no_snapshot_abort)
		d->backup = HV_BACKUP_FAILED;
	return -EINPROGRESS;
}

char *fake_freeze_answer(struct fake_guest *d, const char *command, int *ret_error)
{
	usec_t now = d->hv->timeline->now;

	if (strstr(command, "guest-fsfreeze-freeze")) {
		d->freezes++;
		*ret_error = d->freeze_error ? d->freeze_error
			: d->freeze_unanswered ? -ETIMEDOUT : 0;
		if (d->freeze_error)
			return NULL;
		d->frozen = true;
		d->frozen_at = now;
		return *ret_error ? NULL : strdup("{\"return\":2}");
	}
	if (strstr(command, "guest-fsfreeze-thaw")) {
		d->thaws++;
		*ret_error = d->thaw_error;
		if (d->thaw_error)
			return NULL;
		if (d->thaws_unanswered > 0) {
			d->thaws_unanswered--;
			*ret_error = -ETIMEDOUT;
			return NULL;
		}
		d->thawed_at = d->frozen ? now : d->thawed_at;
		d->frozen = false;
		return strdup("{\"return\":2}");
	}
	if (strstr(command, "guest-fsfreeze-status"))
		return strdup(d->frozen ? "{\"return\":\"frozen\"}"
					: "{\"return\":\"thawed\"}");
	return NULL;
}
