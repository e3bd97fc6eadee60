/* SPDX-License-Identifier: Apache-2.0 */
/* Asks, sets, asks again: what the guest's agent answered is believed only of the time it shows.
 *
 * A guest's clock stands still while it is saved. QEMU's own, the RTC, goes on with the host's, but
 * nothing in the guest reads that again, and guest-set-time without a time does so by a program
 * that not every image has (hwclock). With a time it calls settimeofday() itself; that it then may
 * fail to write the RTC, and says so, is no matter. */
#include "core/setclock.h"

#include "base/log.h"
#include "core/hvlink.h"
#include "core/supervisor.h"
#include "model/agent.h"

#include <errno.h>

/* Off by less is right: an answer takes its time under TCG. */
#define CLOCK_GOOD   USEC_PER_SEC
#define CLOCK_EVERY  (500 * USEC_PER_MSEC)
#define CLOCK_GIVEUP (120 * USEC_PER_SEC)
#define CLOCK_SETS   3u

void setclock_begin(struct guest *g, usec_t now)
{
	struct guest_saving *s = &g->saving;

	s->clock_due = now;
	s->clock_end = USEC_INFINITY; /* it counts from when the guest is up */
	s->clock_sets = 0;
	s->clock_lag_usec = 0;
}

static void end(struct guest *g)
{
	g->saving.clock_due = USEC_INFINITY;
	/* What is kept says that it was to be done. */
	g->save_due = 0;
	g->dirty = true;
}

static bool is_good(int64_t lag)
{
	return lag < (int64_t)CLOCK_GOOD && lag > -(int64_t)CLOCK_GOOD;
}

static void words_of(int64_t lag, char *buf, size_t size)
{
	char span[TIMESPAN_TEXT_MAX];

	(void)format_timespan(span, sizeof(span), (usec_t)(lag < 0 ? -lag : lag));
	(void)snprintf(buf, size, "%s %s", span, lag < 0 ? "ahead" : "behind");
}

static void put(struct guest *g, char *text, hv_done_t done)
{
	struct guest_saving *s = &g->saving;

	s->clock_out = text && !snapshotting_wants_agent(g) && hvlink_agent(g, text, done) == 0;
	free(text);
}

static void set_done(void *userdata, const struct hv_reply *reply, usec_t now)
{
	struct guest *g = userdata;

	(void)reply; /* the next question tells */
	g->hv_in_flight--;
	g->saving.clock_out = false;
	g->saving.clock_due = now;
}

static void take_lag(struct guest *g, int64_t lag, usec_t now)
{
	struct guest_saving *s = &g->saving;
	char words[TIMESPAN_TEXT_MAX + 16];

	if (s->clock_sets == 0)
		s->clock_lag_usec = lag;
	words_of(is_good(lag) ? s->clock_lag_usec : lag, words, sizeof(words));
	if (is_good(lag) && s->kind != START_WARM && s->clock_sets == 0) {
		end(g);
	} else if (is_good(lag)) {
		event_note(g, EVENT_BOOT, NULL, LOG_INFO, "its clock is right%s%s",
			s->clock_sets ? "; it was " : "", s->clock_sets ? words : "");
		end(g);
	} else if (s->clock_sets >= CLOCK_SETS) {
		event_note(g, EVENT_BOOT, NULL, LOG_WARNING,
			"its clock is %s, and its agent cannot set it: set it in the guest", words);
		end(g);
	} else {
		s->clock_sets++;
		put(g, agent_set_time_text((int64_t)now_realtime() * 1000), set_done);
		s->clock_due = s->clock_out ? now : usec_add(now, CLOCK_EVERY);
	}
}

static void get_done(void *userdata, const struct hv_reply *reply, usec_t now)
{
	struct guest *g = userdata;
	struct guest_saving *s = &g->saving;
	int64_t nsec;

	g->hv_in_flight--;
	s->clock_out = false;
	if (s->clock_due == USEC_INFINITY)
		return;
	s->clock_due = usec_add(now, CLOCK_EVERY);
	if (reply->error == 0 && agent_parse_time(reply->text, &nsec) == 0)
		take_lag(g, (int64_t)now_realtime() - nsec / 1000, now);
}

usec_t setclock_run(struct guest *g, usec_t now)
{
	struct guest_saving *s = &g->saving;
	bool up = g->state == GUEST_RUNNING || g->state == GUEST_READY;

	if (s->clock_due == USEC_INFINITY || s->clock_end == 0)
		return USEC_INFINITY;
	if (!guest_state_has_qemu(g->state) && g->seen) {
		s->clock_due = USEC_INFINITY;
		return USEC_INFINITY;
	}
	if (!up || s->clock_out)
		return USEC_INFINITY;
	if (s->clock_end == USEC_INFINITY)
		s->clock_end = usec_add(now, CLOCK_GIVEUP);
	if (now >= s->clock_end && s->kind != START_WARM) {
		end(g);
		return USEC_INFINITY;
	}
	if (now >= s->clock_end) {
		event_note(g, EVENT_BOOT, NULL, LOG_WARNING,
			"its clock is behind by as long as it was saved: it has no guest agent "
			"that answers; set it in the guest");
		end(g);
		return USEC_INFINITY;
	}
	if (now >= s->clock_due) {
		s->clock_due = usec_add(now, CLOCK_EVERY);
		if (g->facts.agent_connected)
			put(g, agent_get_time_text(), get_done);
	}
	return s->clock_out ? s->clock_end : MIN(s->clock_due, s->clock_end);
}
