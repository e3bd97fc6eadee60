/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a domain, and bringing one up: paused, console opened, resumed, or nothing left
 * behind. */
#include "virt/calls.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "base/parse.h"
#include "virt/facts.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

/* Ours have two (model/domxml); one that somebody else defined may have more, whose errors count as
 * the first ones'. */
#define CALL_DISKS_MAX 8u

/* The driver's pid file, where it can be read: the embedded driver's always, libvirtd's as root.
 * QEMU writes it once, as it begins. */
static void read_pid(const struct memo *memo, virDomainPtr dom, struct hv_facts *facts)
{
	const char *name = virDomainGetName(dom);
	CLEANUP_FREE char *path = NULL, *text = NULL;
	char file[256];
	struct stat st;
	uint64_t pid;

	if (!memo->pid_dir || !name ||
		(size_t)snprintf(file, sizeof(file), "%s.pid", name) >= sizeof(file))
		return;
	path = path_join(memo->pid_dir, file);
	if (!path || file_read(path, 32, &text, NULL) < 0 || stat(path, &st) < 0)
		return;
	text[strcspn(text, "\n")] = '\0';
	if (parse_u64(text, 1, INT32_MAX, &pid) < 0)
		return;
	/* A file that its process left behind says nothing. */
	if (kill((pid_t)pid, 0) < 0 && errno != EPERM)
		return;
	facts->pid = (int64_t)pid;
	facts->pid_realtime = (usec_t)st.st_mtim.tv_sec * USEC_PER_SEC +
			      (usec_t)st.st_mtim.tv_nsec / 1000;
}

/* Once per run of the domain, and again when an event made us doubt. The period is asked for at the
 * same time: after an adoption it may be another's, or none. */
static void memo_refresh(struct memo *memo, const struct call_on *on)
{
	int id = (int)virDomainGetID(on->dom);
	bool known = memo->generation == on->link->generation && memo->id == id;
	char *xml;

	if (known && !atomic_load(&memo->stale))
		return;
	atomic_store(&memo->stale, false);
	if (!known)
		(void)virDomainSetMemoryStatsPeriod(
			on->dom, CALL_STATS_PERIOD_SEC, VIR_DOMAIN_AFFECT_LIVE);
	xml = virDomainGetXMLDesc(on->dom, 0);
	if (!xml) {
		memo->generation = 0;
		return;
	}
	memo->tcg = facts_xml_tcg(xml);
	memo->agent = facts_xml_agent(xml);
	memo->generation = on->link->generation;
	memo->id = id;
	free(xml);
}

/* A console that somebody else reads is not ours to take; the guest runs all the same, and facts
 * say so. */
static void read_active(struct call *call, const struct call_on *on, struct hv_facts *facts)
{
	struct memo *memo = call->memo;

	memo_refresh(memo, on);
	if (!console_is(memo->console, on->link->generation, (int)virDomainGetID(on->dom)))
		(void)console_open(memo->console, on->conn, on->dom, on->link->generation);
	facts->tcg = memo->tcg;
	facts->agent_connected = memo->agent;
	facts->console_open = console_opened(memo->console);
	read_pid(memo, on->dom, facts);
}

/* A full file system and a failing device are one reason to libvirt; QEMU tells them apart, disk by
 * disk. Asked only where that matters, because it asks QEMU. */
static enum hv_reason read_disk_error(const struct call_on *on)
{
	virDomainDiskError errors[CALL_DISKS_MAX];
	int n = virDomainGetDiskErrors(on->dom, errors, CALL_DISKS_MAX, 0);
	enum hv_reason reason = HV_REASON_IOERROR;

	for (int i = 0; i < n; i++) {
		if (errors[i].error == VIR_DOMAIN_DISK_ERROR_NO_SPACE)
			reason = HV_REASON_NO_SPACE;
		free(errors[i].disk);
	}
	return reason;
}

int call_read(struct call *call, const struct call_on *on)
{
	struct hv_facts facts = { .state = HV_DOMAIN_ABSENT };
	int state, reason;

	if (!on->dom) {
		console_close(call->memo->console);
		call->reply.facts = facts;
		return 0;
	}
	if (virDomainGetState(on->dom, &state, &reason, 0) < 0)
		return call_failed(call, on, NULL);
	facts.state = facts_state(state);
	facts.reason = facts_reason(state, reason);
	if (facts.state == HV_DOMAIN_PAUSED && facts.reason == HV_REASON_IOERROR)
		facts.reason = read_disk_error(on);
	facts.managed_save = virDomainHasManagedSaveImage(on->dom, 0) == 1;
	if (facts.state == HV_DOMAIN_OFF)
		console_close(call->memo->console);
	else
		read_active(call, on, &facts);
	call->reply.facts = facts;
	return 0;
}

/* libvirt would refuse, too, but with words that do not say what to do. */
static int refuse_namesake(struct call *call, const struct call_on *on)
{
	virDomainPtr other = call->name ? virDomainLookupByName(on->conn, call->name) : NULL;
	char uuid[VIR_UUID_STRING_BUFLEN];
	int r = 0;

	if (!other)
		return 0;
	if (virDomainGetUUIDString(other, uuid) == 0 && strcmp(uuid, call->uuid) != 0)
		r = call_refused(call, -ENOTUNIQ,
			"libvirt has another domain named %s, with UUID %s: undefine or rename "
			"that one",
			call->name, uuid);
	(void)virDomainFree(other);
	return r;
}

/* From a domain that is created and paused to one that runs. */
static int start_created(struct call *call, const struct call_on *on)
{
	FAILPOINT_OR_RETURN(CREATED);
	int r = call_read(call, on); /* opens the console */

	if (r < 0)
		return r;
	FAILPOINT_OR_RETURN(RESUME);
	if (virDomainResume(on->dom) < 0)
		return call_failed(call, on, "to resume it");
	FAILPOINT_OR_RETURN(RESUMED);
	return call_read(call, on);
}

/* A save that libvirt finds incomplete it throws away, and boots instead without a word. What it
 * restored is paused for a migration, what it booted as a user would have paused it. */
static int check_restored(struct call *call, const struct call_on *on)
{
	int state, reason;

	if (!call->restore || virDomainGetState(on->dom, &state, &reason, 0) < 0 ||
		state != VIR_DOMAIN_PAUSED || reason != VIR_DOMAIN_PAUSED_USER)
		return 0;
	return call_refused(call, -ESTALE, "libvirt could not read it, and threw it away");
}

static int start_defined(struct call *call, const struct call_on *on)
{
	char message[HV_ERROR_MAX];
	unsigned flags = 0;
	int r = call_save_flags(call, on, &flags);

	if (r < 0)
		return r;
	if (virDomainCreateWithFlags(on->dom, VIR_DOMAIN_START_PAUSED | flags) < 0) {
		r = call_failed(call, on, call->restore ? "libvirt cannot restore it" : NULL);
		/* Somebody was faster. */
		if (virDomainIsActive(on->dom) == 1)
			return -EEXIST;
		return call->restore && r != -ENOTCONN ? -ESTALE : r;
	}
	call->reply.version = call_version(on);
	r = check_restored(call, on);
	if (r == 0)
		r = start_created(call, on);
	if (r == 0)
		return 0;
	/* Nothing half-started stays, and the first failure's words do. */
	memcpy(message, call->reply.message, sizeof(message));
	(void)virDomainDestroyFlags(on->dom, 0);
	console_close(call->memo->console);
	memcpy(call->reply.message, message, sizeof(message));
	return r;
}

int call_start(struct call *call, const struct call_on *on)
{
	struct call_on defined = *on;
	int r;

	if (!facts_xml_uuid(call->text, call->uuid))
		return call_refused(
			call, -EINVAL, "the domain's XML has another UUID than %s", call->uuid);
	if (on->dom && virDomainIsActive(on->dom) != 0)
		return call_refused(call, -EEXIST, "it runs already");
	r = refuse_namesake(call, on);
	if (r < 0)
		return r;
	FAILPOINT_OR_RETURN(DEFINE);
	/* What runs is told, above, before anything is redefined. */
	defined.dom = virDomainDefineXML(on->conn, call->text);
	if (!defined.dom)
		return call_failed(call, on, "to define it");
	FAILPOINT(DEFINED);
	r = start_defined(call, &defined);
	(void)virDomainFree(defined.dom);
	return r;
}
