/* SPDX-License-Identifier: Apache-2.0 */
/* How long each kind of request may take, with the reason, and what it may not wait behind. */
#include "virt/verbs.h"

static const struct verb_rule verbs[HV_VERB_NUM] = {
	/* No monitor command but after an adoption; the rest is milliseconds. */
	[HV_READ] = {QUEUE_CALLS, 5 * USEC_PER_SEC, false},
	/* 4.5 s under TCG on an idle host, 70 s where libvirt probes QEMU at each look-up. */
	[HV_START] = {QUEUE_CALLS, 120 * USEC_PER_SEC, true},
	/* One monitor command each; below libvirt's own 30 s for its lock. */
	[HV_RESUME] = {QUEUE_CALLS, 5 * USEC_PER_SEC, false},
	[HV_ACPI] = {QUEUE_CALLS, 5 * USEC_PER_SEC, false},
	[HV_SETMEM] = {QUEUE_CALLS, 5 * USEC_PER_SEC, false},
	[HV_STATS] = {QUEUE_CALLS, 5 * USEC_PER_SEC, false},
	[HV_CPU_TUNE] = {QUEUE_CALLS, 5 * USEC_PER_SEC, false},
	/* Opening the target and the job's begin are some monitor commands, and one flush. */
	[HV_BACKUP] = {QUEUE_CALLS, 30 * USEC_PER_SEC, true},
	[HV_DISK] = {QUEUE_CALLS, 5 * USEC_PER_SEC, false},
	[HV_BACKUP_LOOK] = {QUEUE_CALLS, 5 * USEC_PER_SEC, false},
	[HV_BACKUP_ABORT] = {QUEUE_CALLS, 10 * USEC_PER_SEC, true},
	/* Core's own limit goes with the request: memory at the speed of a disk. */
	[HV_SAVE] = {QUEUE_CALLS, 600 * USEC_PER_SEC, false},
	/* One monitor command; the job ends by itself then. It may hang, and the way to end QEMU
	 * must stay free. */
	[HV_SAVE_ABORT] = {QUEUE_AGENT, 15 * USEC_PER_SEC, false},
	/* libvirt waits 5 s for the greeting and 5 s for the answer. */
	[HV_AGENT] = {QUEUE_AGENT, 15 * USEC_PER_SEC, true},
	[HV_AGENT_SHUTDOWN] = {QUEUE_AGENT, 15 * USEC_PER_SEC, false},
	/* SIGTERM, 10 s, SIGKILL, and up to 30 s for a process that does not die (virprocess.c). */
	[HV_QUIT] = {QUEUE_DESTROY, 60 * USEC_PER_SEC, false},
	[HV_DESTROY] = {QUEUE_DESTROY, 60 * USEC_PER_SEC, false},
};

const struct verb_rule *verb_rule(enum hv_verb verb)
{
	return &verbs[verb];
}
