/* SPDX-License-Identifier: Apache-2.0 */
/* Every enum's name table, in both directions: no value without a name, no name twice, nothing
 * found that is none. */
/* LINK: base model policy io/hv io/disk io/program core/operation core/evidence core/cputune_names */
/* LIBS: libcbor jansson inih libsystemd */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/failpoint.h"
#include "base/macro.h"
#include "core/cputune.h"
#include "core/evidence.h"
#include "core/operation.h"
#include "io/disk.h"
#include "io/hv.h"
#include "model/answer.h"
#include "model/cloudinit.h"
#include "model/cloudinit_status.h"
#include "model/conf.h"
#include "model/conf_keys.h"
#include "model/event.h"
#include "model/guestmem.h"
#include "model/report.h"
#include "model/snapshot.h"
#include "model/spec.h"
#include "policy/balloon.h"
#include "policy/boot.h"
#include "policy/boottime.h"
#include "policy/diskpause.h"
#include "policy/fsword.h"
#include "policy/lifecycle.h"
#include "policy/probe.h"
#include "policy/remedy.h"
#include "policy/restart.h"
#include "policy/shutdown.h"
#include "policy/verdict.h"

struct name_table {
	const char *enum_name;
	const char *(*to_string)(int value);
	int (*from_string)(const char *word);
	int num;
};

/* The functions take enums, which a table of pointers can't say. */
#define TABLES                                                                                     \
	TABLE(accel, enum spec_accel, ACCEL_NUM)                                                   \
	TABLE(answer_kind, enum answer_kind, ANSWER_KIND_NUM)                                      \
	TABLE(arch, enum spec_arch, ARCH_NUM)                                                      \
	TABLE(balloon_mode, enum spec_balloon, BALLOON_MODE_NUM)                                   \
	TABLE(cputune_effect, enum cputune_effect, CPUTUNE_NUM)                                    \
	TABLE(balloon_action, enum balloon_action, BALLOON_ACTION_NUM)                             \
	TABLE(balloon_phase, enum balloon_phase, BALLOON_PHASE_NUM)                                \
	TABLE(balloon_reason, enum balloon_reason, BALLOON_REASON_NUM)                             \
	TABLE(boot_stage, enum boot_stage, BOOT_STAGE_NUM)                                         \
	TABLE(boottime_kind, enum boottime_kind, BOOTTIME_KIND_NUM)                                \
	TABLE(cause, enum exit_cause, CAUSE_NUM)                                                   \
	TABLE(cloudinit_state, enum cloudinit_state, CLOUDINIT_STATE_NUM)                          \
	TABLE(cloudinit_text, enum cloudinit_text, CLOUDINIT_TEXT_NUM)                             \
	TABLE(conf_effect, enum conf_effect, CONF_EFFECT_NUM)                                      \
	TABLE(conf_section, enum conf_section, CONF_SECTION_NUM)                                   \
	TABLE(diskpause_step, enum diskpause_step, DISKPAUSE_STEP_NUM)                             \
	TABLE(disk_format, enum disk_format, DISK_FORMAT_NUM)                                      \
	TABLE(egress, enum spec_egress, EGRESS_NUM)                                                \
	TABLE(evidence_word, enum evidence_word, WORD_NUM)                                         \
	TABLE(expect, enum spec_expect, EXPECT_NUM)                                                \
	TABLE(fs_word, enum fs_word, FS_WORD_NUM)                                                  \
	TABLE(event_kind, enum event_kind, EVENT_KIND_NUM)                                         \
	TABLE(why_topic, enum why_topic, WHY_TOPIC_NUM)                                            \
	TABLE(failpoint, enum failpoint, FAILPOINT_NUM)                                            \
	TABLE(guest_action, enum guest_action, GUEST_ACT_NUM)                                      \
	TABLE(guest_flaw, enum guest_flaw, FLAW_NUM)                                               \
	TABLE(guest_event, enum guest_event, GUEST_EV_NUM)                                         \
	TABLE(guest_state, enum guest_state, GUEST_STATE_NUM)                                      \
	TABLE(hv_domain_state, enum hv_domain_state, HV_DOMAIN_STATE_NUM)                          \
	TABLE(hv_hint, enum hv_hint, HV_HINT_NUM)                                                  \
	TABLE(hv_reason, enum hv_reason, HV_REASON_NUM)                                            \
	TABLE(hv_verb, enum hv_verb, HV_VERB_NUM)                                                  \
	TABLE(memory_kill, enum memory_kill, MEMORY_KILL_NUM)                                      \
	TABLE(operation_kind, enum operation_kind, OPERATION_KIND_NUM)                             \
	TABLE(on_stuck, enum spec_on_stuck, ON_STUCK_NUM)                                          \
	TABLE(every_boot, enum spec_every_boot, EVERY_BOOT_NUM)                                    \
	TABLE(on_host, enum spec_on_host, ON_HOST_NUM)                                             \
	TABLE(snapshot_phase, enum snapshot_phase, SNAPSHOT_PHASE_NUM)                             \
	TABLE(snapshot_consistency, enum snapshot_consistency, SNAPSHOT_CONSISTENCY_NUM)           \
	TABLE(start_kind, enum start_kind, START_KIND_NUM)                                         \
	TABLE(probe_kind, enum spec_probe, PROBE_NUM)                                              \
	TABLE(reclaim, enum spec_reclaim, RECLAIM_NUM)                                             \
	TABLE(report_error, enum report_error, REPORT_ERROR_NUM)                                   \
	TABLE(report_status, enum report_status, REPORT_STATUS_NUM)                                \
	TABLE(remedy_sight, enum remedy_sight, REMEDY_SIGHT_NUM)                                   \
	TABLE(remedy_step, enum remedy_step, REMEDY_STEP_NUM)                                      \
	TABLE(restart, enum spec_restart, RESTART_NUM)                                             \
	TABLE(restart_step, enum restart_step, RESTART_STEP_NUM)                                   \
	TABLE(rung, enum shutdown_rung, RUNG_NUM)                                                  \
	TABLE(service_state, enum service_state, SERVICE_STATE_NUM)                                \
	TABLE(verdict, enum verdict, VERDICT_NUM)                                                  \
	TABLE(want, enum guest_want, WANT_NUM)

#define TABLE(name, type, number)                                                                  \
	static const char *name##_name(int value)                                                  \
	{                                                                                          \
		return name##_to_string((type)value);                                              \
	}
TABLES
#undef TABLE

#define TABLE(name, type, number) { #name, name##_name, name##_from_string, number },
static const struct name_table tables[] = { TABLES };
#undef TABLE

static void check_values(const struct name_table *t)
{
	for (int v = 0; v < t->num; v++) {
		const char *word = t->to_string(v);

		if (!word || !*word || strcmp(word, "invalid") == 0)
			fail_msg("%s: value %d has no name", t->enum_name, v);
		/* Words travel in JSON, in state files and on command lines. */
		if (strspn(word,
			    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") !=
			strlen(word))
			fail_msg("%s: \"%s\" is no word", t->enum_name, word);
		/* Found again under its own number, so no name stands twice. */
		if (t->from_string(word) != v)
			fail_msg("%s: \"%s\" is %d and %d", t->enum_name, word, v,
				t->from_string(word));
	}
}

static void test_round_trip(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		check_values(&tables[i]);
}

static void test_strangers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		const struct name_table *t = &tables[i];

		assert_string_equal(t->to_string(t->num), "invalid");
		assert_string_equal(t->to_string(-1), "invalid");
		assert_string_equal(t->to_string(INT32_MAX), "invalid");
		assert_int_equal(t->from_string(""), -EINVAL);
		assert_int_equal(t->from_string(NULL), -EINVAL);
		assert_int_equal(t->from_string("invalid"), -EINVAL);
	}
}

/* This file counts by hand; the headers know better. */
static void test_none_forgotten(void **state)
{
	FILE *f = popen("cat include/*/*.h 2>/dev/null", "r");
	char line[512], word[64];
	unsigned seen = 0;

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		bool known = false;

		if (sscanf(line, "NAME_TABLE_DECLARE(%63[a-z_],", word) != 1)
			continue;
		seen++;
		for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
			known |= strcmp(tables[i].enum_name, word) == 0;
		if (!known)
			fail_msg("the name table of %s is not tested here", word);
	}
	(void)pclose(f);
	if (seen == 0)
		skip(); /* not run from the top of the source tree */
	assert_int_equal(seen, ARRAY_SIZE(tables));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_none_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
