/* SPDX-License-Identifier: Apache-2.0 */
/* Other projects' rules for balloons, written from their published description, to compare with. */
#ifndef MEDIAKIT_TESTS_BALLOON_RIVALS_H
#define MEDIAKIT_TESTS_BALLOON_RIVALS_H

#include "policy/balloon_replay.h"

enum rival { RIVAL_NONE, RIVAL_MOM, RIVAL_PROXMOX, RIVAL_SQUEEZED, RIVAL_NUM };

#define MOM_SAMPLES 10u

struct rivals {
	/* MOM: moving means over the last ten samples */
	struct {
		double host[MOM_SAMPLES];
		double cur[TRACE_GUESTS_MAX][MOM_SAMPLES], unused[TRACE_GUESTS_MAX][MOM_SAMPLES];
		unsigned n[TRACE_GUESTS_MAX], host_n, ticks;
	} mom;
	struct {
		bool started[TRACE_GUESTS_MAX];
	} proxmox;
	struct {
		uint64_t target[TRACE_GUESTS_MAX], actual[TRACE_GUESTS_MAX];
		usec_t progress_at[TRACE_GUESTS_MAX];
		bool stuck[TRACE_GUESTS_MAX];
	} squeezed;
};

void rival_init(struct rivals *r, enum rival which, struct replay_controller *ret);

#endif
