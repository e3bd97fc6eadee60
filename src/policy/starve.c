/* SPDX-License-Identifier: Apache-2.0 */
/* Four witnesses to whether the guest was run, and one belief. */
#include "policy/starve.h"

#include "base/macro.h"

#include <string.h>

#define NSEC_PER_USEC 1000u
#define PERMILLE      1000u

/* Takes the counter's next value, in microseconds for `width` clocks side by side. True: a whole
 * window was closed and `permille` is of it. */
static bool counter_take(struct starve_counter *c, uint64_t value, unsigned width, usec_t now)
{
	usec_t span = usec_sub(now, c->at);

	if (c->known && value >= c->value && span < STARVE_WINDOW_MIN)
		return false;
	bool whole = c->known && value >= c->value && span <= STARVE_WINDOW_MAX;
	if (whole) {
		/* Both are far below 2^53, the sum of all vCPUs' years in microseconds. */
		double share = (double)(value - c->value) / ((double)span * width);

		c->permille = share >= 1 ? PERMILLE : (unsigned)(share * PERMILLE);
		c->from = c->at;
	}
	c->told = whole;
	c->known = true;
	c->value = value;
	c->at = now;
	return whole;
}

static void counter_forget(struct starve_counter *c)
{
	*c = (struct starve_counter){ 0 };
}

/* Does what it last came to still speak of the time after `from`? */
static bool counter_covers(const struct starve_counter *c, usec_t from, usec_t now)
{
	return c->told && c->at >= from && usec_sub(now, c->at) <= STARVE_WINDOW_MAX;
}

static bool enter(struct starve *s, usec_t from, usec_t now, bool by_miss)
{
	bool news = !s->starved;

	if (news) {
		s->since = from;
		s->by_miss = by_miss;
	}
	s->starved = true;
	s->sign_at = now;
	s->calm = 0;
	return news;
}

static bool leave(struct starve *s, usec_t now)
{
	s->starved = false;
	s->left_at = now;
	s->calm = 0;
	memcpy(s->past_reason, s->reason, sizeof(s->past_reason));
	s->reason[0] = '\0';
	return true;
}

static const char *span_text(char *buf, size_t size, usec_t from, usec_t to)
{
	return format_timespan(buf, size, usec_sub(to, from));
}

static void say_delay(struct starve *s)
{
	char span[TIMESPAN_TEXT_MAX];

	(void)snprintf(s->reason, sizeof(s->reason),
		"the host starved the guest: vCPUs waited %u%% of the last %s",
		s->delay.permille / 10, span_text(span, sizeof(span), s->delay.from, s->delay.at));
}

/* The one witness that starts and ends it by itself. */
static bool weigh_delay(struct starve *s, usec_t now)
{
	if (s->delay.permille >= STARVE_ENTER) {
		bool news = enter(s, s->delay.from, now, false);

		/* What was begun on weaker evidence stands on this now. */
		s->by_miss = false;
		say_delay(s);
		return news;
	}
	if (!s->starved)
		return false;
	if (s->delay.permille >= STARVE_LEAVE) {
		s->calm = 0;
		s->sign_at = s->by_miss ? s->sign_at : now;
		return false;
	}
	if (++s->calm >= 2 && now >= usec_add(s->sign_at, STARVE_HOLD))
		return leave(s, now);
	return false;
}

bool starve_sample(struct starve *s, const struct starve_sample *sample, usec_t now)
{
	unsigned vcpus = MAX(sample->vcpus, 1u);
	bool news = false;

	if (sample->pressure_usec != STARVE_ABSENT)
		(void)counter_take(&s->pressure, sample->pressure_usec, 1, now);
	else
		counter_forget(&s->pressure);
	if (sample->run_nsec != STARVE_ABSENT)
		(void)counter_take(&s->run, sample->run_nsec / NSEC_PER_USEC, vcpus, now);
	if (sample->delay_nsec != STARVE_ABSENT && sample->delay_nsec != 0 &&
		counter_take(&s->delay, sample->delay_nsec / NSEC_PER_USEC, vcpus, now))
		news = weigh_delay(s, now);
	(void)starve_tick(s, now);
	return news || (!s->starved && s->left_at == now);
}

bool starve_clock(
	struct starve *s, const char *who, const char *boot_id, uint64_t uptime_sec, usec_t now)
{
	bool anothers = s->clock.known && strcmp(s->clock.who, who) != 0;
	usec_t from = s->clock.at, passed = usec_sub(now, from);

	if (anothers && passed <= STARVE_WINDOW_MAX)
		return false;
	bool same = s->clock.known && !anothers && boot_id[0] &&
		    strcmp(s->clock.boot_id, boot_id) == 0 && uptime_sec >= s->clock.uptime_sec;

	if (same && passed < STARVE_CLOCK_MIN)
		return false;
	uint64_t advanced = uptime_sec - s->clock.uptime_sec;

	s->clock.known = boot_id[0] != '\0';
	s->clock.at = now;
	s->clock.uptime_sec = uptime_sec;
	(void)snprintf(s->clock.who, sizeof(s->clock.who), "%s", who);
	(void)snprintf(s->clock.boot_id, sizeof(s->clock.boot_id), "%s", boot_id);
	/* A window that long tells of a pause, or of nobody asking, not of now. */
	if (!same || passed > STARVE_WINDOW_MAX || advanced >= passed / USEC_PER_SEC)
		return false;
	/* Whole seconds at both ends: up to one may be missing for nothing. */
	usec_t most = (advanced + 1) * USEC_PER_SEC;
	if (most >= passed * STARVE_CLOCK_HALF / PERMILLE)
		return false;

	char span[TIMESPAN_TEXT_MAX];
	bool news = enter(s, from, now, true);
	(void)snprintf(s->reason, sizeof(s->reason),
		"the host starved the guest: its clock went %llus in %s",
		(unsigned long long)advanced, span_text(span, sizeof(span), from, now));
	return news;
}

/* Pressure speaks only where delay is silent, and not of vCPUs that ran. */
static bool pressure_excuses(struct starve *s, usec_t asked, usec_t now)
{
	char span[TIMESPAN_TEXT_MAX];

	if (counter_covers(&s->delay, asked, now) || !counter_covers(&s->pressure, asked, now) ||
		s->pressure.permille < STARVE_PRESSURE_ENTER)
		return false;
	if (counter_covers(&s->run, asked, now) && s->run.permille >= STARVE_FULL)
		return false;
	(void)enter(s, s->pressure.from, now, true);
	(void)snprintf(s->reason, sizeof(s->reason),
		"the host starved the guest: it was short of CPUs for %u%% of the last %s",
		s->pressure.permille / 10,
		span_text(span, sizeof(span), s->pressure.from, s->pressure.at));
	return true;
}

static bool late_excuses(struct starve *s, usec_t asked, usec_t due, usec_t now)
{
	char span[TIMESPAN_TEXT_MAX];

	if (now < usec_add(due, STARVE_LATE))
		return false;
	(void)enter(s, asked, now, true);
	(void)snprintf(s->reason, sizeof(s->reason),
		"the host slept or starved this daemon: it came to look %s late",
		span_text(span, sizeof(span), due, now));
	return true;
}

bool starve_excuses(
	struct starve *s, usec_t asked, usec_t due, usec_t now, bool alone, const char **ret_why)
{
	*ret_why = s->reason;
	if (late_excuses(s, asked, due, now))
		return true;
	(void)starve_tick(s, now);
	if (alone)
		return false;
	if (s->starved)
		return true;
	if (pressure_excuses(s, asked, now))
		return true;
	/* It ended while the question was out. */
	*ret_why = s->past_reason;
	return s->left_at > asked && s->past_reason[0];
}

usec_t starve_tick(struct starve *s, usec_t now)
{
	if (!s->starved)
		return USEC_INFINITY;
	/* Delay ends by itself what it began, while it is heard. */
	usec_t end = usec_add(s->sign_at, s->by_miss ? STARVE_HOLD : STARVE_WINDOW_MAX);
	if (now < end)
		return end;
	(void)leave(s, now);
	return USEC_INFINITY;
}
