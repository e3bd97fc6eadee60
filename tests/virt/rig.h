/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of virt/ share: one daemon's worth of loop and hypervisor, requests asked and
 * waited for, a small guest, and cases that run each in a process of its own. */
#ifndef TESTS_VIRT_RIG_H
#define TESTS_VIRT_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/macro.h"
#include "virt/hypervisor.h"

#define UUID     "6a1f0c52-9d5e-4a40-8f6b-0d3c8e6f1a01"
#define NAME     "virt-test"
#define UUID2    "6a1f0c52-9d5e-4a40-8f6b-0d3c8e6f1a02"
#define PATIENCE (60 * USEC_PER_SEC)

/* The directory with the guest's disk, boot.img. Set once. */
extern char root_dir[256];

/* The guest's disk there, a qcow2, instead of boot.img. */
extern const char *rig_disk;

/* One daemon's worth: a loop, a hypervisor, and what it told. */
struct rig {
	sd_event *event;
	struct hv *hv;
	sd_event_source *ticker;
	usec_t last_tick, last_waited, worst_gap;
	unsigned hints[HV_HINT_NUM];
	char text[32768]; /* of the serial line */
	size_t text_len;
	uint64_t bytes, lost;
	char message[HV_ERROR_MAX]; /* of the last hint that had one */
	bool inside;                /* a call into the hypervisor is under way */
	unsigned answers;
};

struct answer {
	struct rig *rig;
	unsigned done; /* its place among the rig's answers, from 1; 0: not there yet */
	struct hv_reply reply;
	char text[256];
};

/* Turns the loop until the condition holds. */
#define RUN_UNTIL(rig, condition)                                                                  \
	do {                                                                                       \
		usec_t end_ = now_boottime() + PATIENCE;                                           \
		while (!(condition)) {                                                             \
			if (now_boottime() > end_)                                                 \
				fail_msg("waited in vain for: %s", #condition);                    \
			assert_true(sd_event_run((rig)->event, USEC_PER_SEC) >= 0);                \
		}                                                                                  \
	} while (false)

void rig_begin(struct rig *rig, const char *uri);
void rig_end(struct rig *rig);

/* Begun, and connected. */
void rig_connected(struct rig *rig, const char *uri);

/* Connected, the guest started anew, its hello read. Returns the answer to the start. */
struct answer rig_started(struct rig *rig, const char *uri);

/* Destroys the guest, sees that it is off and that the loop never stood still, and ends the rig. */
void rig_destroyed(struct rig *rig);

/* hv_submit with the checks on when callbacks come. */
int submit(struct rig *rig, struct answer *answer, const struct hv_request *request);

/* Submitted and waited for. */
struct answer ask_full(struct rig *rig, const struct hv_request *request);
struct answer ask(struct rig *rig, enum hv_verb verb);
struct answer start(struct rig *rig);
/* From its managed save, which a QEMU of this version made. */
struct answer start_restored(struct rig *rig, uint64_t version);

/* The loop ticks every 20 ms: it never came half a second late, the time left out in which it
 * waited for a CPU. */
void assert_responsive(const struct rig *rig);

/* While there is nothing to do nothing is done: a second of it costs under 0.2 s of CPU, in all the
 * threads. */
void assert_idle(struct rig *rig);

struct test_case {
	const char *name;
	void (*function)(void **state);
};
#define CASE(f) {#f, f}

/* Each in a child: one process has room for one embedded driver, and a case that hangs or crashes
 * must not take the others along. `only` names one, or is NULL. The process's exit status. */
int run_cases(const struct test_case *cases, size_t n, const char *only);

#endif
