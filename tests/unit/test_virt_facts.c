/* SPDX-License-Identifier: Apache-2.0 */
/* libvirt's words in ours, and the mailbox between its thread and the main loop. No libvirt
 * function is called. */
/* LINK: base io/hv virt/facts virt/mailbox */
/* LIBS: libvirt libsystemd */
#include "virt/facts.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"
#include "virt/mailbox.h"

#define UUID "6a1f0c52-9d5e-4a40-8f6b-0d3c8e6f1a01"

static void test_states(void **state)
{
	static const struct {
		int state, reason;
		enum hv_domain_state ours;
		enum hv_reason why;
	} rows[] = {
		{ VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED, HV_DOMAIN_RUNNING,
			HV_REASON_BOOTED },
		{ VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_UNPAUSED, HV_DOMAIN_RUNNING,
			HV_REASON_BOOTED },
		{ VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_RESTORED, HV_DOMAIN_RUNNING,
			HV_REASON_RESTORED },
		{ VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_MIGRATED, HV_DOMAIN_RUNNING,
			HV_REASON_UNKNOWN },
		{ VIR_DOMAIN_BLOCKED, VIR_DOMAIN_BLOCKED_UNKNOWN, HV_DOMAIN_RUNNING,
			HV_REASON_UNKNOWN },
		{ VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER, HV_DOMAIN_PAUSED, HV_REASON_USER },
		{ VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_IOERROR, HV_DOMAIN_PAUSED,
			HV_REASON_IOERROR },
		{ VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_SAVE, HV_DOMAIN_PAUSED, HV_REASON_SAVING },
		{ VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_STARTING_UP, HV_DOMAIN_PAUSED,
			HV_REASON_STARTING_UP },
		{ VIR_DOMAIN_PMSUSPENDED, VIR_DOMAIN_PMSUSPENDED_UNKNOWN, HV_DOMAIN_PAUSED,
			HV_REASON_USER },
		{ VIR_DOMAIN_SHUTDOWN, VIR_DOMAIN_SHUTDOWN_USER, HV_DOMAIN_SHUTDOWN,
			HV_REASON_SHUTDOWN },
		{ VIR_DOMAIN_CRASHED, VIR_DOMAIN_CRASHED_PANICKED, HV_DOMAIN_CRASHED,
			HV_REASON_PANICKED },
		{ VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_SHUTDOWN, HV_DOMAIN_OFF,
			HV_REASON_SHUTDOWN },
		{ VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DESTROYED, HV_DOMAIN_OFF,
			HV_REASON_DESTROYED },
		{ VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_CRASHED, HV_DOMAIN_OFF,
			HV_REASON_CRASHED },
		{ VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_SAVED, HV_DOMAIN_OFF, HV_REASON_SAVED },
		{ VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_FAILED, HV_DOMAIN_OFF, HV_REASON_FAILED },
		{ VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DAEMON, HV_DOMAIN_OFF, HV_REASON_DAEMON },
		{ VIR_DOMAIN_NOSTATE, 0, HV_DOMAIN_OFF, HV_REASON_UNKNOWN },
		{ 99, 0, HV_DOMAIN_OFF, HV_REASON_UNKNOWN },
		{ -1, 0, HV_DOMAIN_OFF, HV_REASON_UNKNOWN },
		{ VIR_DOMAIN_SHUTOFF, 99, HV_DOMAIN_OFF, HV_REASON_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(facts_state(rows[i].state), rows[i].ours);
		assert_int_equal(facts_reason(rows[i].state, rows[i].reason), rows[i].why);
	}
	/* Absent is the word for what libvirt does not know: no state of a domain may become it. */
	for (int i = 0; i <= VIR_DOMAIN_PMSUSPENDED; i++)
		assert_int_not_equal(facts_state(i), HV_DOMAIN_ABSENT);
}

static void test_hints(void **state)
{
	(void)state;
	assert_int_equal(
		facts_lifecycle_hint(VIR_DOMAIN_EVENT_CRASHED, VIR_DOMAIN_EVENT_CRASHED_PANICKED),
		HV_HINT_PANICKED);
	assert_int_equal(
		facts_lifecycle_hint(VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_CRASHED),
		HV_HINT_CHANGED);
	assert_int_equal(
		facts_lifecycle_hint(VIR_DOMAIN_EVENT_SHUTDOWN, VIR_DOMAIN_EVENT_SHUTDOWN_GUEST),
		HV_HINT_POWEROFF);
	assert_int_equal(
		facts_lifecycle_hint(VIR_DOMAIN_EVENT_SHUTDOWN, VIR_DOMAIN_EVENT_SHUTDOWN_HOST),
		HV_HINT_TERMINATED);
	/* A QEMU that does not say who. */
	assert_int_equal(
		facts_lifecycle_hint(VIR_DOMAIN_EVENT_SHUTDOWN, VIR_DOMAIN_EVENT_SHUTDOWN_FINISHED),
		HV_HINT_CHANGED);
	assert_int_equal(facts_lifecycle_hint(77, 77), HV_HINT_CHANGED);
}

static void test_errors(void **state)
{
	static const struct {
		int code, int1, error;
	} rows[] = {
		{ VIR_ERR_NO_DOMAIN, -1, -ENOENT },
		{ VIR_ERR_OPERATION_INVALID, -1, -ESRCH },
		{ VIR_ERR_OPERATION_TIMEOUT, -1, -EBUSY },
		{ VIR_ERR_AGENT_UNRESPONSIVE, -1, -ENOTCONN },
		{ VIR_ERR_AUTH_UNAVAILABLE, -1, -EACCES },
		{ VIR_ERR_XML_ERROR, -1, -EINVAL },
		{ VIR_ERR_NO_SUPPORT, -1, -EOPNOTSUPP },
		{ VIR_ERR_NO_MEMORY, -1, -ENOMEM },
		{ VIR_ERR_SYSTEM_ERROR, ENOSPC, -ENOSPC },
		{ VIR_ERR_SYSTEM_ERROR, 0, -EIO },
		{ VIR_ERR_SYSTEM_ERROR, -7, -EIO },
		{ VIR_ERR_SYSTEM_ERROR, 100000, -EIO },
		{ VIR_ERR_INTERNAL_ERROR, ENOSPC, -EIO },
		{ 99999, 0, -EIO },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const virError error = { .code = rows[i].code, .int1 = rows[i].int1 };

		assert_int_equal(facts_errno(&error), rows[i].error);
	}
	assert_int_equal(facts_errno(NULL), -EIO);
}

static virTypedParameter param(const char *field, int type, long long value)
{
	virTypedParameter p = { .type = type };

	(void)snprintf(p.field, sizeof(p.field), "%s", field);
	if (type == VIR_TYPED_PARAM_ULLONG)
		p.value.ul = (unsigned long long)value;
	else if (type == VIR_TYPED_PARAM_LLONG)
		p.value.l = value;
	else if (type == VIR_TYPED_PARAM_INT)
		p.value.i = (int)value;
	else
		p.value.ui = (unsigned)value;
	return p;
}

static void test_stats(void **state)
{
	const virTypedParameter params[] = {
		param("balloon.current", VIR_TYPED_PARAM_ULLONG, 3145728),
		param("balloon.maximum", VIR_TYPED_PARAM_ULLONG, 6291456),
		param("balloon.rss", VIR_TYPED_PARAM_ULLONG, 1234),
		param("balloon.usable", VIR_TYPED_PARAM_ULLONG, 99),
		param("balloon.last-update", VIR_TYPED_PARAM_ULLONG, 1700000000),
		param("balloon.major_fault", VIR_TYPED_PARAM_INT, -2),
		param("balloon.swap_in", VIR_TYPED_PARAM_DOUBLE, 5),
		param("balloon.swap_out", VIR_TYPED_PARAM_UINT, 7),
		param("vcpu.current", VIR_TYPED_PARAM_UINT, 2),
		param("vcpu.0.time", VIR_TYPED_PARAM_ULLONG, 10),
		param("vcpu.0.delay", VIR_TYPED_PARAM_ULLONG, 1),
		param("vcpu.12.time", VIR_TYPED_PARAM_ULLONG, 20),
		param("vcpu.12.delay", VIR_TYPED_PARAM_ULLONG, 2),
		param("vcpu..delay", VIR_TYPED_PARAM_ULLONG, 100),
		param("vcpu.3xdelay", VIR_TYPED_PARAM_ULLONG, 100),
		param("vcpu.3.delays", VIR_TYPED_PARAM_ULLONG, 100),
	};
	struct hv_stats s;

	(void)state;
	facts_stats(params, ARRAY_SIZE(params), &s);
	assert_int_equal(s.balloon_kib, 3145728);
	assert_int_equal(s.maximum_kib, 6291456);
	assert_int_equal(s.rss_kib, 1234);
	assert_int_equal(s.usable_kib, 99);
	assert_int_equal(s.last_update_sec, 1700000000);
	assert_int_equal(s.swap_out_kib, 7);
	assert_int_equal(s.vcpu_delay_nsec, 3);
	assert_int_equal(s.vcpus, 2);
	assert_int_equal(s.cpu_time_nsec, 30);
	assert_true(s.major_faults == HV_STAT_ABSENT);
	assert_true(s.swap_in_kib == HV_STAT_ABSENT);
	assert_true(s.unused_kib == HV_STAT_ABSENT);

	facts_stats(params, 0, &s);
	for (size_t i = 0; i < sizeof(s) / sizeof(uint64_t); i++)
		assert_true(((const uint64_t *)&s)[i] == HV_STAT_ABSENT);
}

static void test_xml(void **state)
{
	static const char agent[] =
		"<domain type='qemu' id='3'>\n<uuid>" UUID "</uuid>"
		"<target type='virtio' name='org.qemu.guest_agent.0' state='connected'/>";
	static const char none[] =
		"<domain type='kvm' id='3'>\n"
		"<target type='virtio' name='org.qemu.guest_agent.0' state='disconnected'/>"
		"<target type='virtio' name='other' state='connected'/>";

	(void)state;
	assert_true(facts_xml_tcg(agent));
	assert_true(facts_xml_agent(agent));
	assert_true(facts_xml_uuid(agent, UUID));
	assert_false(facts_xml_uuid(agent, "6a1f0c52-9d5e-4a40-8f6b-0d3c8e6f1a0"));
	assert_false(facts_xml_uuid(none, UUID));
	assert_false(facts_xml_tcg(none));
	assert_false(facts_xml_agent(none));
	assert_false(facts_xml_agent("<a name='org.qemu.guest_agent.0"));
	assert_false(facts_xml_tcg(""));
}

static void test_uuid(void **state)
{
	static const struct {
		const char *uuid;
		bool valid;
	} rows[] = {
		{ UUID, true },
		{ "", false },
		{ "6A1F0C52-9d5e-4a40-8f6b-0d3c8e6f1a01", false },
		{ "6a1f0c52-9d5e-4a40-8f6b-0d3c8e6f1a0", false },
		{ "6a1f0c52-9d5e-4a40-8f6b-0d3c8e6f1a010", false },
		{ "6a1f0c52x9d5e-4a40-8f6b-0d3c8e6f1a01", false },
		{ "6a1f0c52-9d5e-4a40-8f6b-0d3c8e6f1a0g", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(facts_uuid_valid(rows[i].uuid), rows[i].valid);
}

static bool readable(struct mailbox *mailbox)
{
	struct pollfd p = { .fd = mailbox_fd(mailbox), .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void test_mailbox_coalesces(void **state)
{
	struct mailbox *m;
	struct mail mail;

	(void)state;
	assert_int_equal(mailbox_new(&m), 0);
	assert_false(readable(m));
	mailbox_post(m, HV_HINT_BALLOON, UUID, 1);
	mailbox_post(m, HV_HINT_CHANGED, UUID, 0);
	mailbox_post(m, HV_HINT_BALLOON, UUID, 2);
	assert_true(readable(m));
	mailbox_clear(m);
	assert_false(readable(m));
	assert_true(mailbox_take(m, &mail));
	assert_int_equal(mail.hint, HV_HINT_BALLOON);
	assert_string_equal(mail.uuid, UUID);
	assert_int_equal(mail.kib, 2);
	assert_true(mailbox_take(m, &mail));
	assert_int_equal(mail.hint, HV_HINT_CHANGED);
	assert_false(mailbox_take(m, &mail));
	assert_false(mailbox_take_overflow(m));
	mailbox_unref(m);
}

static void test_mailbox_overflows(void **state)
{
	struct mailbox *m;
	struct mail mail;
	char uuid[VIRT_UUID_LEN + 1];

	(void)state;
	assert_int_equal(mailbox_new(&m), 0);
	for (unsigned i = 0; i < MAILBOX_MAX + 5; i++) {
		(void)snprintf(uuid, sizeof(uuid), "%08x-0000-0000-0000-000000000000", i);
		mailbox_post(m, HV_HINT_CHANGED, uuid, 0);
	}
	for (unsigned i = 0; i < MAILBOX_MAX; i++)
		assert_true(mailbox_take(m, &mail));
	assert_string_equal(mail.uuid, "0000003f-0000-0000-0000-000000000000");
	assert_false(mailbox_take(m, &mail));
	assert_true(mailbox_take_overflow(m));
	assert_false(mailbox_take_overflow(m));
	mailbox_unref(m);
}

static void test_mailbox_closed(void **state)
{
	struct mailbox *m;
	unsigned generation = 0;
	char words[MAILBOX_WORDS_MAX];

	(void)state;
	assert_int_equal(mailbox_new(&m), 0);
	assert_false(mailbox_take_closed(m, &generation, words));
	mailbox_post_closed(m, 3, "third");
	mailbox_post_closed(m, 2, "late news of the second");
	assert_true(readable(m));
	assert_true(mailbox_take_closed(m, &generation, words));
	assert_int_equal(generation, 3);
	assert_string_equal(words, "third");
	assert_false(mailbox_take_closed(m, &generation, words));
	mailbox_unref(m);
}

static void *poster(void *userdata)
{
	for (unsigned i = 0; i < 2000; i++)
		mailbox_post(userdata, HV_HINT_BALLOON, UUID, i);
	mailbox_unref(userdata);
	return NULL;
}

/* The last value always arrives. For -fsanitize=thread too. */
static void test_mailbox_threads(void **state)
{
	struct mailbox *m;
	struct mail mail = { 0 };
	pthread_t id;

	(void)state;
	assert_int_equal(mailbox_new(&m), 0);
	assert_int_equal(pthread_create(&id, NULL, poster, mailbox_ref(m)), 0);
	while (mail.kib != 1999) {
		struct pollfd p = { .fd = mailbox_fd(m), .events = POLLIN };

		assert_int_equal(poll(&p, 1, 10000), 1);
		mailbox_clear(m);
		while (mailbox_take(m, &mail))
			;
	}
	assert_int_equal(pthread_join(id, NULL), 0);
	mailbox_unref(m);
}

static void test_names(void **state)
{
	(void)state;
#define ROUND_TRIP(name, num)                                                                      \
	for (int i_ = 0; i_ < (num); i_++)                                                         \
	assert_int_equal(name##_from_string(name##_to_string(i_)), i_)
	ROUND_TRIP(hv_domain_state, HV_DOMAIN_STATE_NUM);
	ROUND_TRIP(hv_reason, HV_REASON_NUM);
	ROUND_TRIP(hv_verb, HV_VERB_NUM);
	ROUND_TRIP(hv_hint, HV_HINT_NUM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_hints),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_stats),
		cmocka_unit_test(test_xml),
		cmocka_unit_test(test_uuid),
		cmocka_unit_test(test_mailbox_coalesces),
		cmocka_unit_test(test_mailbox_overflows),
		cmocka_unit_test(test_mailbox_closed),
		cmocka_unit_test(test_mailbox_threads),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
