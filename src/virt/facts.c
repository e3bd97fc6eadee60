/* SPDX-License-Identifier: Apache-2.0 */
/* Tables from libvirt's enums to ours. */
#include "virt/facts.h"

#include "base/macro.h"

#include <string.h>

/* No hole may be left: zero is ABSENT. */
static const enum hv_domain_state states[] = {
	[VIR_DOMAIN_NOSTATE] = HV_DOMAIN_OFF,
	[VIR_DOMAIN_RUNNING] = HV_DOMAIN_RUNNING,
	[VIR_DOMAIN_BLOCKED] = HV_DOMAIN_RUNNING,
	[VIR_DOMAIN_PAUSED] = HV_DOMAIN_PAUSED,
	[VIR_DOMAIN_SHUTDOWN] = HV_DOMAIN_SHUTDOWN,
	[VIR_DOMAIN_SHUTOFF] = HV_DOMAIN_OFF,
	[VIR_DOMAIN_CRASHED] = HV_DOMAIN_CRASHED,
	[VIR_DOMAIN_PMSUSPENDED] = HV_DOMAIN_PAUSED,
};

enum hv_domain_state facts_state(int state)
{
	return state >= 0 && (size_t)state < ARRAY_SIZE(states) ? states[state] : HV_DOMAIN_OFF;
}

static const struct {
	int state, reason;
	enum hv_reason ours;
} reasons[] = {
	{VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED, HV_REASON_BOOTED},
	/* Every start of ours goes through paused. */
	{VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_UNPAUSED, HV_REASON_BOOTED},
	{VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_RESTORED, HV_REASON_RESTORED},
	{VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_FROM_SNAPSHOT, HV_REASON_RESTORED},
	{VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_CRASHED, HV_REASON_PANICKED},
	{VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER, HV_REASON_USER},
	{VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_SAVE, HV_REASON_SAVING},
	{VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_DUMP, HV_REASON_SAVING},
	{VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_SNAPSHOT, HV_REASON_SAVING},
	{VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_FROM_SNAPSHOT, HV_REASON_RESTORED},
	{VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_IOERROR, HV_REASON_IOERROR},
	{VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_WATCHDOG, HV_REASON_WATCHDOG},
	{VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_SHUTTING_DOWN, HV_REASON_SHUTDOWN},
	{VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_CRASHED, HV_REASON_PANICKED},
	{VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_STARTING_UP, HV_REASON_STARTING_UP},
	{VIR_DOMAIN_SHUTDOWN, VIR_DOMAIN_SHUTDOWN_UNKNOWN, HV_REASON_SHUTDOWN},
	{VIR_DOMAIN_SHUTDOWN, VIR_DOMAIN_SHUTDOWN_USER, HV_REASON_SHUTDOWN},
	{VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_SHUTDOWN, HV_REASON_SHUTDOWN},
	{VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DESTROYED, HV_REASON_DESTROYED},
	{VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_CRASHED, HV_REASON_CRASHED},
	{VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_SAVED, HV_REASON_SAVED},
	{VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_FAILED, HV_REASON_FAILED},
	{VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DAEMON, HV_REASON_DAEMON},
	{VIR_DOMAIN_CRASHED, VIR_DOMAIN_CRASHED_UNKNOWN, HV_REASON_PANICKED},
	{VIR_DOMAIN_CRASHED, VIR_DOMAIN_CRASHED_PANICKED, HV_REASON_PANICKED},
	{VIR_DOMAIN_PMSUSPENDED, VIR_DOMAIN_PMSUSPENDED_UNKNOWN, HV_REASON_USER},
};

enum hv_reason facts_reason(int state, int reason)
{
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (reasons[i].state == state && reasons[i].reason == reason)
			return reasons[i].ours;
	return HV_REASON_UNKNOWN;
}

enum hv_hint facts_lifecycle_hint(int event, int detail)
{
	if (event == VIR_DOMAIN_EVENT_CRASHED && detail == VIR_DOMAIN_EVENT_CRASHED_PANICKED)
		return HV_HINT_PANICKED;
	/* QEMU's own SHUTDOWN event says who began it. One that does not say so has
	 * VIR_DOMAIN_EVENT_SHUTDOWN_FINISHED. */
	if (event == VIR_DOMAIN_EVENT_SHUTDOWN && detail == VIR_DOMAIN_EVENT_SHUTDOWN_GUEST)
		return HV_HINT_POWEROFF;
	if (event == VIR_DOMAIN_EVENT_SHUTDOWN && detail == VIR_DOMAIN_EVENT_SHUTDOWN_HOST)
		return HV_HINT_TERMINATED;
	return HV_HINT_CHANGED;
}

static const struct {
	const char *field;
	size_t offset;
} stat_fields[] = {
	{"balloon.current", offsetof(struct hv_stats, balloon_kib)},
	{"balloon.maximum", offsetof(struct hv_stats, maximum_kib)},
	{"balloon.rss", offsetof(struct hv_stats, rss_kib)},
	{"balloon.usable", offsetof(struct hv_stats, usable_kib)},
	{"balloon.unused", offsetof(struct hv_stats, unused_kib)},
	{"balloon.available", offsetof(struct hv_stats, available_kib)},
	{"balloon.disk_caches", offsetof(struct hv_stats, disk_caches_kib)},
	{"balloon.swap_in", offsetof(struct hv_stats, swap_in_kib)},
	{"balloon.swap_out", offsetof(struct hv_stats, swap_out_kib)},
	{"balloon.major_fault", offsetof(struct hv_stats, major_faults)},
	{"balloon.last-update", offsetof(struct hv_stats, last_update_sec)},
	{"vcpu.current", offsetof(struct hv_stats, vcpus)},
};

static bool param_u64(const virTypedParameter *param, uint64_t *ret)
{
	switch (param->type) {
	case VIR_TYPED_PARAM_ULLONG:
		*ret = param->value.ul;
		return true;
	case VIR_TYPED_PARAM_UINT:
		*ret = param->value.ui;
		return true;
	case VIR_TYPED_PARAM_LLONG:
		*ret = (uint64_t)param->value.l;
		return param->value.l >= 0;
	case VIR_TYPED_PARAM_INT:
		*ret = (uint64_t)param->value.i;
		return param->value.i >= 0;
	default:
		return false;
	}
}

/* The WORD of "vcpu.N.WORD", or NULL. */
static const char *vcpu_word(const char *field)
{
	const char *p = field;

	if (strncmp(p, "vcpu.", 5) != 0)
		return NULL;
	p += 5;
	if (*p < '0' || *p > '9')
		return NULL;
	p += strspn(p, "0123456789");
	return *p == '.' ? p + 1 : NULL;
}

static void add(uint64_t *sum, uint64_t value)
{
	*sum = *sum == HV_STAT_ABSENT ? value : *sum + value;
}

static void stats_param(const char *field, uint64_t value, struct hv_stats *stats)
{
	const char *word = vcpu_word(field);

	if (word && strcmp(word, "delay") == 0)
		add(&stats->vcpu_delay_nsec, value);
	else if (word && strcmp(word, "time") == 0)
		add(&stats->cpu_time_nsec, value);
	for (size_t i = 0; !word && i < ARRAY_SIZE(stat_fields); i++)
		if (strcmp(field, stat_fields[i].field) == 0)
			*(uint64_t *)(void *)((char *)stats + stat_fields[i].offset) = value;
}

void facts_stats(const virTypedParameter *params, size_t n, struct hv_stats *ret)
{
	static_assert(HV_STAT_ABSENT == UINT64_MAX, "all bits set means absent");
	memset(ret, 0xff, sizeof(*ret));
	for (size_t i = 0; i < n; i++) {
		uint64_t value;

		if (param_u64(&params[i], &value))
			stats_param(params[i].field, value, ret);
	}
}

static const struct {
	int code, error;
} errors[] = {
	{VIR_ERR_NO_DOMAIN, -ENOENT},
	{VIR_ERR_OPERATION_INVALID, -ESRCH},
	{VIR_ERR_OPERATION_TIMEOUT, -EBUSY},
	{VIR_ERR_RESOURCE_BUSY, -EBUSY},
	{VIR_ERR_AGENT_UNRESPONSIVE, -ENOTCONN},
	{VIR_ERR_AGENT_UNSYNCED, -ENOTCONN},
	{VIR_ERR_AUTH_FAILED, -EACCES},
	{VIR_ERR_AUTH_CANCELLED, -EACCES},
	{VIR_ERR_AUTH_UNAVAILABLE, -EACCES},
	{VIR_ERR_ACCESS_DENIED, -EACCES},
	{VIR_ERR_OPERATION_DENIED, -EACCES},
	{VIR_ERR_XML_ERROR, -EINVAL},
	{VIR_ERR_XML_DETAIL, -EINVAL},
	{VIR_ERR_XML_INVALID_SCHEMA, -EINVAL},
	{VIR_ERR_INVALID_ARG, -EINVAL},
	{VIR_ERR_NO_SUPPORT, -EOPNOTSUPP},
	{VIR_ERR_OPERATION_UNSUPPORTED, -EOPNOTSUPP},
	{VIR_ERR_CONFIG_UNSUPPORTED, -EOPNOTSUPP},
	{VIR_ERR_ARGUMENT_UNSUPPORTED, -EOPNOTSUPP},
	{VIR_ERR_NO_MEMORY, -ENOMEM},
};

int facts_errno(const virError *error)
{
	if (!error)
		return -EIO;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (errors[i].code == error->code)
			return errors[i].error;
	/* int1 is the errno of a system error; 4095 is the kernel's highest (MAX_ERRNO,
	 * linux/err.h). */
	if (error->code == VIR_ERR_SYSTEM_ERROR && error->int1 > 0 && error->int1 <= 4095)
		return -error->int1;
	return -EIO;
}

bool facts_xml_tcg(const char *xml)
{
	static const char start[] = "<domain type='";
	const char *p = strstr(xml, start);

	return p && strncmp(p + sizeof(start) - 1, "qemu'", 5) == 0;
}

bool facts_xml_agent(const char *xml)
{
	/* In text or an attribute libvirt would write &lt; and &apos;, so this cannot be found
	 * anywhere else. */
	const char *p = strstr(xml, " name='org.qemu.guest_agent.0'");
	const char *end = p ? strchr(p, '>') : NULL;
	const char *state = p ? strstr(p, " state='connected'") : NULL;

	return end && state && state < end;
}

bool facts_xml_uuid(const char *xml, const char *uuid)
{
	const char *p = strstr(xml, "<uuid>");

	return p && strncmp(p + 6, uuid, strlen(uuid)) == 0 && p[6 + strlen(uuid)] == '<';
}

bool facts_uuid_valid(const char *uuid)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	for (size_t i = 0; i < sizeof(form); i++) {
		if (form[i] == 'x' ? !strchr("0123456789abcdef", uuid[i]) || uuid[i] == '\0'
				   : uuid[i] != form[i])
			return false;
	}
	return true;
}
