/* SPDX-License-Identifier: Apache-2.0 */
/* What is remembered of a run while it lasts, because it can't be learned once it has ended: who
 * told QEMU to go, and how often the host's kernel had killed for memory until then. */
#ifndef MEDIAKIT_CORE_EVIDENCE_H
#define MEDIAKIT_CORE_EVIDENCE_H

#include "io/hv.h"
#include "io/oomkill.h"

struct guest;

/* Who began the end, as QEMU told it. */
enum evidence_word { WORD_NONE, WORD_GUEST, WORD_HOST, WORD_NUM };
NAME_TABLE_DECLARE(evidence_word, enum evidence_word);

enum memory_kill { MEMORY_KILL_UNKNOWN, MEMORY_KILL_NO, MEMORY_KILL_YES, MEMORY_KILL_NUM };
NAME_TABLE_DECLARE(memory_kill, enum memory_kill);

struct evidence {
	enum evidence_word word; /* the first one counts: libvirt itself ends a QEMU whose guest
				    went off */
	int64_t pid;             /* whose counter was looked for; 0: none yet */
	char counter[OOMKILL_PATH_MAX]; /* "" where there is none */
	/* The last two readings, a statistic apart: the newer one may have been taken while QEMU
	 * was being killed already. */
	uint64_t before, newest;
};

/* A new run, or a reboot: nothing said before is about it. */
void evidence_begin(struct guest *g);
void evidence_hint(struct guest *g, enum hv_hint hint);
/* QEMU was just seen running: reads the counter. */
void evidence_look(struct guest *g);
/* After the end: did the counter rise? A rise by another guest of the same slice within the same
 * seconds is taken for ours; core asks only where QEMU ended without a reason. */
enum memory_kill evidence_memory_kill(const struct guest *g);

#endif
