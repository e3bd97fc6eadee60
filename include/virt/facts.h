/* SPDX-License-Identifier: Apache-2.0 */
/* libvirt's words in ours: states, reasons, errors, events and statistics. Pure. */
#ifndef MEDIAKIT_VIRT_FACTS_H
#define MEDIAKIT_VIRT_FACTS_H

#include "io/hv.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

/* `state` and `reason` as virDomainGetState gives them. What a newer libvirt may add is OFF or
 * UNKNOWN, so that a start is tried, which libvirt itself refuses where the domain is active. */
enum hv_domain_state facts_state(int state);
enum hv_reason facts_reason(int state, int reason);

/* The hint that a lifecycle event deserves. */
enum hv_hint facts_lifecycle_hint(int event, int detail);

/* Fills from one domain's record of virDomainListGetStats; whatever is not in it becomes
 * HV_STAT_ABSENT. */
void facts_stats(const virTypedParameter *params, size_t n, struct hv_stats *ret);

/* -errno for libvirt's error: -ENOENT no such domain; -ESRCH it does not run; -EBUSY another call
 * holds its lock; -ENOTCONN the agent does not answer; -EACCES; -EINVAL XML or argument;
 * -EOPNOTSUPP; -ENOMEM; the errno of a system error; -EIO everything else. NULL is -EIO. */
int facts_errno(const virError *error);

/* Of a live domain's XML as libvirt formats it: emulated instead of run by KVM; the agent's channel
 * connected. */
bool facts_xml_tcg(const char *xml);
bool facts_xml_agent(const char *xml);

/* Whether the XML names this domain in its first <uuid>, in libvirt's own spelling (lower case). */
bool facts_xml_uuid(const char *xml, const char *uuid);

/* 8-4-4-4-12 hexadecimal digits, lower case. */
bool facts_uuid_valid(const char *uuid);

#endif
