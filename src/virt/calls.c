/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs that are one libvirt call each, and the frame around all of them. */
#include "virt/calls.h"

#include "base/failpoint.h"
#include "model/utf8.h"
#include "virt/facts.h"
#include "virt/hint.h"
#include "virt/shares.h"

#include <libvirt/libvirt-qemu.h>
#include <stdarg.h>
#include <string.h>

struct memo *memo_new(struct mailbox *mailbox, const char *pid_dir)
{
	struct memo *memo = calloc(1, sizeof(*memo));

	if (!memo)
		return NULL;
	atomic_init(&memo->refs, 1);
	memo->console = console_new(mailbox);
	memo->pid_dir = pid_dir ? strdup(pid_dir) : NULL;
	if (!memo->console || (pid_dir && !memo->pid_dir)) {
		memo_unref(memo);
		return NULL;
	}
	return memo;
}

struct memo *memo_ref(struct memo *memo)
{
	(void)atomic_fetch_add(&memo->refs, 1);
	return memo;
}

void memo_unref(struct memo *memo)
{
	if (!memo || atomic_fetch_sub(&memo->refs, 1) > 1)
		return;
	console_unref(memo->console);
	free(memo->pid_dir);
	free(memo);
}

int call_refused(struct call *call, int error, const char *format, ...)
{
	char text[HV_ERROR_MAX];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	(void)utf8_escape(call->reply.message, sizeof(call->reply.message), text, strlen(text));
	return error;
}

static int failed(struct call *call, const struct call_on *on, const char *what, bool advise)
{
	const virError *error = virGetLastError();
	int r = facts_errno(error);
	const char *words = error && error->message ? error->message : "unknown error";
	struct reason hint;

	/* The words first: asking about the connection overwrites them. */
	if (advise && hint_find(words, &hint))
		(void)call_refused(call, r, "%s", hint.text);
	else
		(void)call_refused(call, r, "%s%s%s", what ? what : "", what ? ": " : "", words);
	return link_dead(on->link, on->conn) ? -ENOTCONN : r;
}

int call_failed(struct call *call, const struct call_on *on, const char *what)
{
	return failed(call, on, what, true);
}

/* From here on a verb each. Those without `dom` in their name are called with one. */

static int call_acpi(struct call *call, const struct call_on *on)
{
	FAILPOINT_OR_RETURN(ACPI);
	if (virDomainShutdownFlags(on->dom, VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN) < 0)
		return call_failed(call, on, NULL);
	FAILPOINT(ACPI_DONE);
	return 0;
}

/* An agent that never connected is libvirt's "argument unsupported" (no channel) or "unresponsive".
 * One that refuses has its own words in libvirt's, and those are the guest's: it names no file of
 * the host's to look at, and gives its operator no advice. */
static int agent_failed(struct call *call, const struct call_on *on)
{
	int r = failed(call, on, NULL, false);

	return r == -EOPNOTSUPP ? -ENOTCONN : r;
}

static int call_agent_shutdown(struct call *call, const struct call_on *on)
{
	FAILPOINT_OR_RETURN(AGENT_SHUTDOWN);
	if (virDomainShutdownFlags(on->dom, VIR_DOMAIN_SHUTDOWN_GUEST_AGENT) < 0)
		return agent_failed(call, on);
	FAILPOINT(AGENT_SHUTDOWN_DONE);
	return 0;
}

static int call_agent(struct call *call, const struct call_on *on)
{
	FAILPOINT_OR_RETURN(AGENT);
	/* libvirt's default wait, 5 s (QEMU_AGENT_WAIT_TIME); its greeting may take as long
	 * again. */
	char *answer = virDomainQemuAgentCommand(
		on->dom, call->text, VIR_DOMAIN_QEMU_AGENT_COMMAND_DEFAULT, 0);

	if (!answer)
		return agent_failed(call, on);
	FAILPOINT(AGENT_ANSWERED);
	if (strlen(answer) > HV_AGENT_BYTES_MAX) {
		free(answer);
		return call_refused(
			call, -EMSGSIZE, "the agent's answer is over %u bytes", HV_AGENT_BYTES_MAX);
	}
	call->answer = answer;
	return 0;
}

static int call_resume(struct call *call, const struct call_on *on)
{
	int state = VIR_DOMAIN_NOSTATE, r;

	if (virDomainResume(on->dom) == 0)
		return 0;
	r = call_failed(call, on, NULL);
	if (virDomainGetState(on->dom, &state, NULL, 0) < 0 || state != VIR_DOMAIN_RUNNING)
		return r;
	/* Somebody was faster. */
	call->reply.message[0] = '\0';
	return 0;
}

/* A domain that is not there, or does not run, is what was asked for. */
static int end_domain(struct call *call, const struct call_on *on, unsigned flags)
{
	int r;

	FAILPOINT_OR_RETURN(DESTROY);
	r = on->dom ? virDomainDestroyFlags(on->dom, flags) : 0;
	FAILPOINT(DESTROYED);
	if (r == 0)
		return 0;
	r = call_failed(call, on, NULL);
	if (virDomainIsActive(on->dom) != 0)
		return r;
	call->reply.message[0] = '\0';
	return 0;
}

/* With a QEMU that is stopped libvirt gives up after 15 s (virprocess.c), but 9.0.0 takes that for
 * its end, and kills it when it cleans up behind it: 26.6 s. */
static int call_quit(struct call *call, const struct call_on *on)
{
	return end_domain(call, on, VIR_DOMAIN_DESTROY_GRACEFUL);
}

/* SIGTERM, and SIGKILL 10 s later (virprocess.c): 11.7 s for a QEMU that is stopped. */
static int call_destroy(struct call *call, const struct call_on *on)
{
	return end_domain(call, on, 0);
}

static int call_setmem(struct call *call, const struct call_on *on)
{
	FAILPOINT_OR_RETURN(SETMEM);
	if (virDomainSetMemoryFlags(on->dom, call->kib, VIR_DOMAIN_AFFECT_LIVE) < 0)
		return call_failed(call, on, NULL);
	FAILPOINT(SETMEM_DONE);
	return 0;
}

/* One bulk call has the balloon's statistics too. NOWAIT: where another call holds the domain's
 * lock we get what can be had without it, instead of an error after 30 s. Not asked for: CPU_TOTAL,
 * the cgroup's CPU time, for which libvirt looks at the host's caches and to that end probes every
 * QEMU binary there is (over 30 s under a new embedded root). */
static int call_stats(struct call *call, const struct call_on *on)
{
	virDomainPtr doms[] = { on->dom, NULL };
	virDomainStatsRecordPtr *records = NULL;
	int n = virDomainListGetStats(doms, VIR_DOMAIN_STATS_BALLOON | VIR_DOMAIN_STATS_VCPU,
		&records, VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);

	if (n < 0)
		return call_failed(call, on, NULL);
	if (n > 0)
		facts_stats(records[0]->params, (size_t)records[0]->nparams, &call->reply.stats);
	virDomainStatsRecordListFree(records);
	return n > 0 ? 0 : call_refused(call, -ESRCH, "libvirt has no statistics of the domain");
}

static int call_cpu_tune(struct call *call, const struct call_on *on)
{
	enum { PERIOD_USEC = 100000 }; /* systemd's own, and libvirt's default */
	virTypedParameterPtr params = NULL;
	int n = 0, max = 0, r = 0;
	long long quota = call->quota_pct ? (long long)call->quota_pct * (PERIOD_USEC / 100) : -1;

	if (call->weight > 0)
		r = virTypedParamsAddULLong(&params, &n, &max, VIR_DOMAIN_SCHEDULER_CPU_SHARES,
			shares_of_weight(SHARES_CGROUPS, call->weight));
	if (r == 0)
		r = virTypedParamsAddULLong(
			&params, &n, &max, VIR_DOMAIN_SCHEDULER_GLOBAL_PERIOD, PERIOD_USEC);
	if (r == 0)
		r = virTypedParamsAddLLong(
			&params, &n, &max, VIR_DOMAIN_SCHEDULER_GLOBAL_QUOTA, quota);
	if (r == 0)
		r = virDomainSetSchedulerParametersFlags(
			on->dom, params, n, VIR_DOMAIN_AFFECT_LIVE);
	if (r < 0) {
		r = call_failed(call, on, NULL);
		/* "cgroup CPU controller is not mounted" has the same code as "domain is not
		 * running". */
		if (r == -ESRCH && virDomainIsActive(on->dom) == 1)
			r = -EOPNOTSUPP;
	}
	virTypedParamsFree(params, n);
	return r;
}

static const struct {
	int (*run)(struct call *call, const struct call_on *on);
	bool absent;  /* bears a domain that is not there */
	bool destroy; /* on the connection for destroy */
} verbs[HV_VERB_NUM] = {
	[HV_READ] = { call_read, true, false },
	[HV_START] = { call_start, true, false },
	[HV_ACPI] = { call_acpi, false, false },
	[HV_AGENT_SHUTDOWN] = { call_agent_shutdown, false, false },
	[HV_RESUME] = { call_resume, false, false },
	[HV_QUIT] = { call_quit, true, true },
	[HV_DESTROY] = { call_destroy, true, true },
	[HV_SETMEM] = { call_setmem, false, false },
	[HV_STATS] = { call_stats, false, false },
	[HV_AGENT] = { call_agent, false, false },
	[HV_CPU_TUNE] = { call_cpu_tune, false, false },
	[HV_DISK] = { call_disk, false, false },
	[HV_BACKUP] = { call_backup, false, false },
	[HV_BACKUP_LOOK] = { call_backup_look, false, false },
	[HV_BACKUP_ABORT] = { call_backup_abort, true, false },
	[HV_SAVE] = { call_save, false, false },
	[HV_SAVE_ABORT] = { call_save_abort, false, false },
};

static int call_request(struct call *call, struct link *link)
{
	struct call_on on = { .link = link };
	int r;

	on.conn = verbs[call->verb].destroy ? link->destroy : link->calls;
	on.dom = virDomainLookupByUUIDString(on.conn, call->uuid);
	if (!on.dom) {
		r = call_failed(call, &on, NULL);
		if (r != -ENOENT || !verbs[call->verb].absent)
			return r;
		call->reply.message[0] = '\0';
	}
	r = verbs[call->verb].run(call, &on);
	if (on.dom)
		(void)virDomainFree(on.dom);
	return r;
}

void call_run(struct call *call)
{
	struct link *link;

	call->reply.verb = call->verb;
	if (call->kind == CALL_CLOSE) {
		console_close(call->memo->console);
		return;
	}
	link = links_get(call->links);
	if (!link) {
		call->reply.error = call_refused(call, -ENOTCONN, "not connected to libvirt");
		return;
	}
	virResetLastError();
	if (call->kind == CALL_TYPE)
		call->reply.error = console_flush(call->memo->console);
	else
		call->reply.error = call_request(call, link);
	call->reply.text = call->answer;
	link_put(link);
}
