/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of a running guest's disk: libvirt's backup job in push mode, which holds the disk as it
 * was at the begin, leaves no overlay behind, and goes on without us. */
#include "virt/calls.h"

#include "base/failpoint.h"
#include "model/xmlwriter.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <string.h>

/* The guest's own disk; the other one is the seed (model/domxml). */
#define DISK "vda"

int call_disk(struct call *call, const struct call_on *on)
{
	virDomainBlockInfo info;

	if (virDomainGetBlockInfo(on->dom, DISK, &info, 0) < 0)
		return call_failed(call, on, NULL);
	call->reply.backup.total = info.capacity;
	return 0;
}

static int build(const char *path, char **ret)
{
	struct xmlwriter w;

	xmlwriter_begin(&w);
	xmlwriter_open(&w, "domainbackup");
	xmlwriter_attr(&w, "mode", "push");
	xmlwriter_open(&w, "disks");
	/* Disks that are not named take no part. */
	xmlwriter_open(&w, "disk");
	xmlwriter_attr(&w, "name", DISK);
	xmlwriter_attr(&w, "type", "file");
	xmlwriter_empty(&w, "driver", "type", "qcow2");
	xmlwriter_empty(&w, "target", "file", path);
	xmlwriter_close(&w);
	xmlwriter_close(&w);
	xmlwriter_close(&w);
	return xmlwriter_end(&w, ret);
}

/* The target was made by us, so that libvirt remembers whose it is and gives it back. */
int call_backup(struct call *call, const struct call_on *on)
{
	CLEANUP_FREE char *xml = NULL;
	int r = build(call->text, &xml);

	if (r < 0)
		return call_refused(call, r, "the backup cannot be described: %s", strerror(-r));
	FAILPOINT_OR_RETURN(SNAPSHOT_BEGIN);
	if (virDomainBackupBegin(on->dom, xml, NULL, VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL) < 0)
		return call_failed(call, on, NULL);
	FAILPOINT(SNAPSHOT_BEGUN);
	return 0;
}

static uint64_t param(virTypedParameterPtr params, int n, const char *name)
{
	unsigned long long value = 0;

	(void)virTypedParamsGetULLong(params, n, name, &value);
	return value;
}

/* Why, as far as libvirt kept it. */
static void tell_failure(struct call *call, virTypedParameterPtr params, int n)
{
	const char *words = NULL;

	(void)virTypedParamsGetString(params, n, VIR_DOMAIN_JOB_ERRMSG, &words);
	(void)call_refused(call, 0, "%s", words ? words : "QEMU's copying failed or was aborted");
}

static enum hv_backup_state state_of(int type)
{
	switch (type) {
	case VIR_DOMAIN_JOB_BOUNDED:
	case VIR_DOMAIN_JOB_UNBOUNDED:
		return HV_BACKUP_RUNS;
	case VIR_DOMAIN_JOB_COMPLETED:
		return HV_BACKUP_DONE;
	case VIR_DOMAIN_JOB_FAILED:
	case VIR_DOMAIN_JOB_CANCELLED:
		return HV_BACKUP_FAILED;
	default:
		return HV_BACKUP_NONE;
	}
}

/* One that runs, else (`flags`) the last that ended. */
static int look(struct call *call, const struct call_on *on, unsigned flags)
{
	virTypedParameterPtr params = NULL;
	struct hv_backup *backup = &call->reply.backup;
	int type = VIR_DOMAIN_JOB_NONE, n = 0, operation = VIR_DOMAIN_JOB_OPERATION_BACKUP;

	if (virDomainGetJobStats(on->dom, &type, &params, &n, flags) < 0)
		return call_failed(call, on, NULL);
	(void)virTypedParamsGetInt(params, n, VIR_DOMAIN_JOB_OPERATION, &operation);
	if (operation == VIR_DOMAIN_JOB_OPERATION_BACKUP) {
		backup->state = state_of(type);
		backup->copied = param(params, n, VIR_DOMAIN_JOB_DISK_PROCESSED);
		backup->total = param(params, n, VIR_DOMAIN_JOB_DISK_TOTAL);
	}
	if (backup->state == HV_BACKUP_FAILED)
		tell_failure(call, params, n);
	virTypedParamsFree(params, n);
	return 0;
}

int call_backup_look(struct call *call, const struct call_on *on)
{
	int r = look(call, on, 0);

	if (r < 0 || call->reply.backup.state != HV_BACKUP_NONE)
		return r;
	return look(call, on, VIR_DOMAIN_JOB_STATS_COMPLETED | VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED);
}

/* Somebody else's backup is theirs. */
int call_backup_abort(struct call *call, const struct call_on *on)
{
	CLEANUP_FREE char *xml = NULL;

	if (!on->dom || virDomainIsActive(on->dom) == 0)
		return 0;
	xml = virDomainBackupGetXMLDesc(on->dom, 0);
	if (!xml) {
		const virError *error = virGetLastError();

		if (error && error->code == VIR_ERR_NO_DOMAIN_BACKUP)
			return 0;
		return call_failed(call, on, NULL);
	}
	if (!strstr(xml, call->text))
		return 0;
	if (virDomainAbortJob(on->dom) < 0) {
		int r = call_failed(call, on, NULL);

		/* It ended meanwhile; the next look finds none. */
		return r == -ESRCH ? -EINPROGRESS : r;
	}
	return -EINPROGRESS;
}
