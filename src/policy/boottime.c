/* SPDX-License-Identifier: Apache-2.0 */
/* Medians of stages, and the deadlines that follow from them. */
#include "policy/boottime.h"

#include "base/macro.h"

#include <string.h>

static const char *const boottime_kind_names[] = {
	[BOOTTIME_LATER] = "later",
	[BOOTTIME_FIRST] = "first",
};
NAME_TABLE_DEFINE(boottime_kind, enum boottime_kind, BOOTTIME_KIND_NUM);

/* Before anything was learned, under TCG. */
static const usec_t unlearned[BOOT_DONE] = {
	[BOOT_FIRMWARE] = 5 * USEC_PER_MINUTE,
	[BOOT_KERNEL] = 5 * USEC_PER_MINUTE,
	[BOOT_INIT] = 10 * USEC_PER_MINUTE,
	[BOOT_CLOUD_INIT] = 30 * USEC_PER_MINUTE,
	[BOOT_SERVICES] = 15 * USEC_PER_MINUTE,
};
#define UNLEARNED_KVM_PART 3u

static usec_t whole_of(const struct boottime_sample *sample)
{
	usec_t sum = 0;

	for (unsigned i = 0; i < BOOT_DONE; i++)
		sum = usec_add(sum, sample->took[i]);
	return sum;
}

void boottime_add(struct boottime *t, struct boottime_how how, const struct boottime_sample *sample)
{
	struct boottime_series *s = &t->series[how.tcg][how.kind];
	struct boottime_sample bounded;

	for (unsigned i = 0; i < BOOT_DONE; i++)
		bounded.took[i] = MIN(sample->took[i], BOOTTIME_SAMPLE_MAX);
	if (whole_of(&bounded) == 0)
		return;
	if (s->n == BOOTTIME_KEEP)
		memmove(s->samples, s->samples + 1, --s->n * sizeof(s->samples[0]));
	s->samples[s->n++] = bounded;
}

void boottime_learn(struct boottime *t, struct boottime_how how, const struct boot *b)
{
	struct boottime_sample sample;

	if (b->stage != BOOT_DONE)
		return;
	memcpy(sample.took, b->took, sizeof(sample.took));
	boottime_add(t, how, &sample);
}

/* Of the values above 0; 0 where there is none. */
static usec_t median(const usec_t *values, unsigned n)
{
	usec_t sorted[BOOTTIME_KEEP];
	unsigned known = 0;

	for (unsigned i = 0; i < n; i++) {
		if (values[i] == 0)
			continue;
		unsigned at = known++;
		for (; at > 0 && sorted[at - 1] > values[i]; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = values[i];
	}
	return known ? sorted[known / 2] : 0;
}

static usec_t stage_of(const struct boottime_series *s, enum boot_stage stage)
{
	usec_t values[BOOTTIME_KEEP];

	for (unsigned i = 0; i < s->n; i++)
		values[i] = s->samples[i].took[stage];
	return median(values, s->n);
}

static const struct boottime_series *series_for(const struct boottime *t, struct boottime_how how)
{
	const struct boottime_series *of_accel = t->series[how.tcg];

	if (how.kind == BOOTTIME_LATER && of_accel[BOOTTIME_LATER].n == 0)
		return &of_accel[BOOTTIME_FIRST];
	return &of_accel[how.kind];
}

usec_t boottime_stage(const struct boottime *t, struct boottime_how how, enum boot_stage stage)
{
	return stage < BOOT_DONE ? stage_of(series_for(t, how), stage) : 0;
}

usec_t boottime_whole(const struct boottime *t, struct boottime_how how)
{
	const struct boottime_series *s = series_for(t, how);
	usec_t values[BOOTTIME_KEEP];

	for (unsigned i = 0; i < s->n; i++)
		values[i] = whole_of(&s->samples[i]);
	return median(values, s->n);
}

static usec_t stage_budget(const struct boottime *t, const struct boottime_policy *policy,
	struct boottime_how how, enum boot_stage stage)
{
	usec_t learned = boottime_stage(t, how, stage);
	usec_t preset = how.tcg ? unlearned[stage] : unlearned[stage] / UNLEARNED_KVM_PART;
	usec_t budget = learned * policy->factor;

	/* How much a first boot has to do depends on its seed, which is new by definition. */
	if (learned == 0 || how.kind == BOOTTIME_FIRST)
		budget = MAX(budget, preset);
	return MAX(budget, policy->least);
}

usec_t boottime_budget(const struct boottime *t, const struct boottime_policy *policy,
	struct boottime_how how, const struct boot *b)
{
	usec_t budget = 0;

	if (b->stage >= BOOT_DONE)
		return USEC_INFINITY;
	bool silent = !b->spoke && boottime_stage(t, how, BOOT_KERNEL) == 0;
	if (b->stage != BOOT_FIRMWARE || !(b->unseen || silent))
		return stage_budget(t, policy, how, b->stage);
	for (enum boot_stage s = BOOT_FIRMWARE; s < BOOT_DONE; s++)
		budget = usec_add(budget, stage_budget(t, policy, how, s));
	return budget;
}

usec_t boottime_deadline(const struct boottime *t, const struct boottime_policy *policy,
	struct boottime_how how, const struct boot *b)
{
	usec_t budget = boottime_budget(t, policy, how, b);

	if (budget == USEC_INFINITY)
		return USEC_INFINITY;
	usec_t plain = usec_add(b->stage_since, budget);
	usec_t moving = usec_add(b->moved_at, policy->least);
	usec_t end = usec_add(b->stepped_at, budget * BOOTTIME_STRETCH);
	return how.starved ? end : MIN(MAX(plain, moving), end);
}
