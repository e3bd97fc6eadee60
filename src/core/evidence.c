/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping what an end will be judged by. */
#include "core/evidence.h"

#include "core/supervisor.h"

static const char *const evidence_word_names[] = {
	[WORD_NONE] = "none",
	[WORD_GUEST] = "guest",
	[WORD_HOST] = "host",
};
NAME_TABLE_DEFINE(evidence_word, enum evidence_word, WORD_NUM);

static const char *const memory_kill_names[] = {
	[MEMORY_KILL_UNKNOWN] = "unknown",
	[MEMORY_KILL_NO] = "no",
	[MEMORY_KILL_YES] = "yes",
};
NAME_TABLE_DEFINE(memory_kill, enum memory_kill, MEMORY_KILL_NUM);

void evidence_begin(struct guest *g)
{
	g->evidence.word = WORD_NONE;
}

void evidence_hint(struct guest *g, enum hv_hint hint)
{
	if (g->evidence.word != WORD_NONE)
		return;
	if (hint == HV_HINT_POWEROFF)
		g->evidence.word = WORD_GUEST;
	else if (hint == HV_HINT_TERMINATED)
		g->evidence.word = WORD_HOST;
}

void evidence_look(struct guest *g)
{
	const struct oomkill *oomkill = g->supervisor->config.oomkill;
	struct evidence *e = &g->evidence;
	uint64_t count;

	if (g->facts.pid <= 0)
		return;
	/* Looked for once: where a QEMU lives does not change. */
	if (e->pid != g->facts.pid) {
		e->pid = g->facts.pid;
		if (oomkill->find(e->pid, e->counter) < 0 ||
			oomkill->read(e->counter, &e->newest) < 0)
			e->counter[0] = '\0';
		e->before = e->newest;
		return;
	}
	if (!e->counter[0] || oomkill->read(e->counter, &count) < 0)
		return;
	e->before = e->newest;
	e->newest = count;
}

enum memory_kill evidence_memory_kill(const struct guest *g)
{
	const struct evidence *e = &g->evidence;
	uint64_t count;

	if (!e->counter[0] || g->supervisor->config.oomkill->read(e->counter, &count) < 0)
		return MEMORY_KILL_UNKNOWN;
	return count > e->before ? MEMORY_KILL_YES : MEMORY_KILL_NO;
}
