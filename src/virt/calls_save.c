/* SPDX-License-Identifier: Apache-2.0 */
/* The managed save: made, given up, offered once or removed. */
#include "virt/calls.h"

#include "base/failpoint.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <string.h>

uint64_t call_version(const struct call_on *on)
{
	unsigned long version = 0;

	return virConnectGetVersion(on->conn, &version) < 0 ? 0 : version;
}

int call_save(struct call *call, const struct call_on *on)
{
	FAILPOINT_OR_RETURN(SAVE);
	if (virDomainManagedSave(on->dom, 0) < 0)
		return call_failed(call, on, NULL);
	FAILPOINT(SAVE_DONE);
	return 0;
}

/* No job, or no domain any more, is what was asked for. */
int call_save_abort(struct call *call, const struct call_on *on)
{
	int r;

	if (virDomainAbortJob(on->dom) == 0)
		return 0;
	r = call_failed(call, on, NULL);
	if (r == -ESRCH || virDomainIsActive(on->dom) == 0)
		call->reply.message[0] = '\0';
	return call->reply.message[0] ? r : 0;
}

/* "7.2.22" of 7002022. */
static void version_words(uint64_t version, char *buf, size_t size)
{
	(void)snprintf(buf, size, "%llu.%llu.%llu", (unsigned long long)(version / 1000000),
		(unsigned long long)(version / 1000 % 1000), (unsigned long long)(version % 1000));
}

int call_save_flags(struct call *call, const struct call_on *on, unsigned *ret_flags)
{
	bool there = virDomainHasManagedSaveImage(on->dom, 0) == 1;
	char now[64], then[64];

	if (call->restore) {
		uint64_t version = call_version(on);

		if (!there)
			return call_refused(call, -ESTALE, "libvirt has no such save any more");
		version_words(version, now, sizeof(now));
		version_words(call->version, then, sizeof(then));
		if (version == 0 || version != call->version)
			return call_refused(call, -ESTALE, "QEMU %s made it, and QEMU is %s now",
				then, version ? now : "of an unknown version");
		*ret_flags = 0;
		return 0;
	}
	*ret_flags = there ? VIR_DOMAIN_START_FORCE_BOOT : 0;
	if (!there)
		return 0;
	FAILPOINT_OR_RETURN(SAVE_DROP);
	/* Forced, it boots all the same; but a save must not lie there for the next start. libvirt
	 * remembers one whose file somebody removed, and starts without it. */
	if (virDomainManagedSaveRemove(on->dom, 0) == 0)
		return 0;
	const virError *error = virGetLastError();
	if (error && error->code == VIR_ERR_SYSTEM_ERROR && error->int1 == ENOENT)
		return 0;
	return call_failed(call, on, "to remove a save that does not fit");
}
