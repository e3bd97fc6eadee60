/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon keeps of a guest across its own restarts, as values and as JSON text. Names of
 * enums travel as words, because numbers change meaning between versions. */
#ifndef MEDIAKIT_MODEL_STATE_H
#define MEDIAKIT_MODEL_STATE_H

#include "base/time.h"
#include "model/glibc.h"
#include "model/spec.h"

#define STATE_VERSION 1
#define STATE_WORD    24u /* bytes of an enum's name, its NUL included */
#define STATE_REASON  256u
#define STATE_FAULTS  16u
#define STATE_BOOTS   32u /* eight each of first and later ones, under TCG and KVM */
#define STATE_KEY     80u

struct state_service {
	char name[SPEC_NAME_MAX + 1];
	char state[STATE_WORD], verdict[STATE_WORD];
	char reason[STATE_REASON];
	usec_t since_realtime, judged_realtime, latency;
	unsigned successes, failures;
	bool proven, flagged;
	unsigned unit_restarts; /* since unit_window_realtime */
	usec_t unit_window_realtime;
};

/* Of the run that was last asked for. */
struct state_forward {
	unsigned port, host_port;
};

/* How long the stages of one boot took that came up; 0: not seen. */
struct state_boot {
	bool tcg, first;
	usec_t firmware, kernel, init, cloud_init, services;
};

struct state_record {
	char host_boot_id[37]; /* of the host's boot in which it was written */
	char want[STATE_WORD]; /* "" unknown */
	char state[STATE_WORD];
	usec_t since_realtime, started_realtime;
	bool healthy;
	usec_t healthy_since_realtime;
	char boot_id[37], past_boot_id[37];
	bool boot_id_by_agent;
	char boot_stage[STATE_WORD];
	char exit_cause[STATE_WORD], exit_rung[STATE_WORD], exit_words[STATE_REASON];
	usec_t exit_at_realtime, exit_uptime, exit_took;
	char ending[STATE_WORD]; /* the cause for which we are stopping it; "" or "none": no such */
	char fs_word[STATE_WORD], fs_words[STATE_REASON];
	usec_t fault_realtime[STATE_FAULTS];
	unsigned n_faults;
	char boot_key[STATE_KEY]; /* disk and seed of the last boot that came up */
	struct state_boot boots[STATE_BOOTS];
	unsigned n_boots;
	/* An operator's size (0: none) and until when; what loans of memory taught. */
	uint64_t balloon_override_kib;
	usec_t balloon_override_until_realtime;
	uint64_t balloon_learned_kib, balloon_fall_kib_s;
	usec_t balloon_learned_until_realtime, balloon_learned_decayed_realtime;
	usec_t balloon_lesson_at_realtime, balloon_fall_at_realtime;
	unsigned balloon_lessons;
	bool balloon_lesson_unseen;
	/* What the present run was started with ("" and 0: unknown), and how; that a save waits. */
	char xml_sha256[65];
	uint64_t qemu_version;
	char start_kind[STATE_WORD], start_words[STATE_REASON];
	usec_t saved_realtime;
	bool save_asked, clock_wrong;
	char glibc[GLIBC_TEXT_MAX]; /* by the guest's own word; "" unknown */
	char glibc_disk[64];        /* which disk it ran on (io/record) */
	/* How the last attempt at a snapshot went. */
	usec_t snapshot_tried_realtime;
	bool snapshot_failed;
	char snapshot_result[STATE_REASON];
	bool thaw_owed; /* its file systems may be frozen */
	struct state_service services[SPEC_SERVICES_MAX];
	unsigned n_services;
	struct state_forward forwards[SPEC_SERVICES_MAX];
	unsigned n_forwards;
	bool forwards_known; /* an older version did not write them */
};

/* The caller's to free; NULL with no memory. */
char *state_to_text(const struct state_record *record);
/* 0; -EBADMSG: torn, empty, random or of the wrong shape; -EPROTONOSUPPORT: of a newer version;
 * -ENOMEM.
 * Texts are cut to their fields and made printable, numbers clamped. *ret is written only on
 * success. */
int state_from_text(const char *text, size_t len, struct state_record *ret);

#endif
