/* SPDX-License-Identifier: Apache-2.0 */
/* The save, its ticket, and whether a start may use it.
 *
 * Theory of operation: io/saves says why a save is used at most once, and only where it is proven
 * to fit. Here is the order that makes it so. Down: HV_SAVE; QEMU is gone; the ticket is written,
 * with the guest's lock still held; only then is the guest stopped, and the operator answered. Up:
 * with the lock held the ticket is taken away; what it says of configuration and files is compared;
 * then HV_START is asked to restore, which looks at QEMU's version, and tells the save's file apart
 * from none. Whatever does not fit is told before the start that boots, which removes libvirt's
 * file. A save that nobody has a ticket for, somebody's `virsh managedsave` or one whose daemon
 * died, cannot be proven to fit: whether the disk was written to since, nobody knows. */
#include "core/saving.h"

#include "base/log.h"
#include "core/exit.h"
#include "core/hvlink.h"
#include "core/setclock.h"
#include "core/starting.h"
#include "core/stopping.h"
#include "core/supervisor.h"
#include "core/words.h"

#include <errno.h>
#include <string.h>

void saving_init(struct guest *g)
{
	g->saving.clock_due = g->saving.abort_due = USEC_INFINITY;
	g->saving.ticket.error = -ENOENT;
}

static struct saves *saves_of(const struct guest *g)
{
	return g->supervisor->config.saves;
}

const char *saving_refusal(const struct guest *g)
{
	if (!saves_of(g))
		return "this daemon keeps no saves";
	if (g->state == GUEST_BOOTING || g->state == GUEST_STARTING)
		return "its boot is not over";
	if (g->state != GUEST_RUNNING && g->state != GUEST_READY)
		return guest_state_to_string(g->state);
	if (!g->saving.xml_sha256[0] || g->saving.version == 0)
		return "it is not known what it was started with: this daemon did not see that";
	return NULL;
}

bool saving_busy(const struct guest *g)
{
	return g->saving.in_flight || g->saving.keeping;
}

static void end_save(struct guest *g, int error, const char *words)
{
	struct guest_saving *s = &g->saving;

	s->error = error;
	s->over = true;
	(void)words_cut(s->words, sizeof(s->words), words);
	g->news |= NEWS_SAVED;
}

static void keep_done(void *userdata, const struct save_news *news, usec_t now)
{
	struct guest *g = userdata;

	(void)now;
	g->hv_in_flight--;
	g->saving.keeping = false;
	g->saving.kept = news->error == 0;
	if (g->saving.kept)
		g->saving.kept_at_realtime = now_realtime();
	end_save(g, 0, news->reason.text);
}

static void keep(struct guest *g)
{
	struct guest_saving *s = &g->saving;
	struct save_made made = { .version = s->version, .at_realtime = now_realtime() };
	int r = -ECANCELED;

	memcpy(made.xml_sha256, s->xml_sha256, sizeof(made.xml_sha256));
	memcpy(made.boot_id, g->boot_id, sizeof(made.boot_id));
	/* Whoever cut its power meanwhile wants none of its memory back. */
	if (!g->kill_asked)
		r = saves_of(g)->vtable->keep(saves_of(g), g->spec->name, &made, keep_done, g);
	s->keeping = r == 0;
	g->hv_in_flight += r == 0;
	if (r < 0)
		end_save(g, 0, r == -ECANCELED ? "it was killed meanwhile" : strerror(-r));
}

static void save_done(void *userdata, const struct hv_reply *reply, usec_t now)
{
	struct guest *g = userdata;

	g->hv_in_flight--;
	g->saving.in_flight = false;
	g->saving.abort_due = USEC_INFINITY;
	g->read_due = now;
	if (reply->error == 0)
		keep(g);
	else
		end_save(g, reply->error, reply->message);
}

void saving_begin(struct guest *g, usec_t now)
{
	struct guest_saving *s = &g->saving;
	char span[TIMESPAN_TEXT_MAX];

	s->kept = s->over = false;
	s->asked = true;
	s->words[0] = '\0';
	s->began = now;
	agent_drop(g);
	int r = hvlink_save(g, save_done);
	s->in_flight = r == 0;
	if (r < 0) {
		end_save(g, r,
			r == -ENOTCONN ? "libvirt is away"
				       : "an earlier call to libvirt does not return");
		return;
	}
	s->abort_due = usec_add(now, g->spec->shutdown_save);
	event_note(g, EVENT_STOP, NULL, LOG_INFO, "saving its memory, for at most %s",
		format_timespan(span, sizeof(span), g->spec->shutdown_save));
}

/* QEMU is gone, with the guest's memory in libvirt's file. */
static void saved(struct guest *g, usec_t now)
{
	g->facts.state = HV_DOMAIN_OFF;
	g->facts.reason = HV_REASON_SAVED;
	g->facts.managed_save = true;
	exit_record(g, CAUSE_SAVED, NULL, now);
	if (!g->saving.kept)
		event_note(g, EVENT_STOP, NULL, LOG_WARNING,
			"it is saved, but what that fits could not be written down (%s): the next "
			"start boots, as after a power cut",
			g->saving.words);
	guest_forget_run(g);
	guest_event(g, GUEST_EV_EXIT_CLEAN, now);
}

void saving_ended(struct guest *g, usec_t now)
{
	struct guest_saving *s = &g->saving;

	if (!s->over)
		return;
	s->over = false;
	g->dirty = true;
	if (s->error == 0) {
		saved(g, now);
		return;
	}
	s->asked = false;
	if (g->state == GUEST_SAVING)
		event_note(g, EVENT_STOP, NULL, LOG_WARNING,
			"it could not be saved: %s; it is shut down instead", s->words);
	guest_event(g, GUEST_EV_SAVE_FAILED, now);
}

/* Up. */

static void left_disk(struct guest *g)
{
	struct guest_saving *s = &g->saving;

	if (--s->at_disk == 0 && s->unlock)
		starting_release_lock(g);
}

static void put_back_done(void *userdata, const struct save_news *news, usec_t now)
{
	struct guest *g = userdata;

	(void)now;
	g->hv_in_flight--;
	if (news->error != 0) {
		g->saving.kept_at_realtime = 0;
		g->dirty = true;
	}
	left_disk(g);
}

void saving_put_back(struct guest *g)
{
	struct guest_saving *s = &g->saving;

	if (s->ticket.error != 0)
		return;
	s->ticket.error = -ENOENT;
	int r = saves_of(g)->vtable->keep(
		saves_of(g), g->spec->name, &s->ticket.made, put_back_done, g);
	g->hv_in_flight += r == 0;
	s->at_disk += r == 0;
	if (r == 0)
		s->kept_at_realtime = s->ticket.made.at_realtime;
}

static void take_done(void *userdata, const struct save_news *news, usec_t now)
{
	struct guest *g = userdata;

	(void)now;
	g->hv_in_flight--;
	g->saving.ticket = *news;
	if (g->saving.take_waits)
		g->news |= NEWS_TICKET;
	else
		saving_put_back(g);
	left_disk(g);
}

int saving_take(struct guest *g)
{
	struct guest_saving *s = &g->saving;

	s->ticket = (struct save_news){ .error = -ENOENT };
	if (!saves_of(g))
		return 0;
	int r = saves_of(g)->vtable->take(saves_of(g), g->spec->name, take_done, g);
	g->hv_in_flight += r == 0;
	s->at_disk += r == 0;
	if (r < 0) {
		/* The ticket stays, but what it fits does not: this start writes to the disk. */
		s->ticket.error = r;
		(void)reason_set(&s->ticket.reason, r, "its record cannot be read now: %s",
			r == -EBUSY ? "the disk does not answer" : strerror(-r));
		return 0;
	}
	s->take_waits = true;
	return 1;
}

static void tell_unused(struct guest *g, const char *why)
{
	(void)words_cut(g->saving.start_words, sizeof(g->saving.start_words), why);
	event_note(g, EVENT_BOOT, NULL, LOG_WARNING, "its save is not used, it boots: %s", why);
}

bool saving_decide(struct guest *g, const char *xml)
{
	struct guest_saving *s = &g->saving;
	const struct save_news *t = &s->ticket;
	bool again = s->refused, fits = false;

	g->supervisor->config.digest(xml, strlen(xml), s->xml_sha256);
	s->refused = false;
	/* Why the hypervisor refused stands. */
	if (!again)
		s->start_words[0] = '\0';
	if (t->error == 0 && strcmp(t->made.xml_sha256, s->xml_sha256) == 0)
		fits = true;
	else if (t->error == 0)
		tell_unused(g, "the guest's configuration, or how it is run, changed since");
	else if (t->error != -ENOENT)
		tell_unused(g, t->reason.text);
	else if (g->facts.managed_save && !again)
		tell_unused(g, "mediakitd has no record of it, so whether the disk is still the "
			       "one it was made with is not known");
	s->version = 0;
	s->kind = fits ? START_WARM : START_COLD;
	s->kept_at_realtime = 0;
	s->clock_due = USEC_INFINITY;
	s->clock_end = 0;
	g->dirty = true;
	if (!fits)
		return false;
	s->version = t->made.version;
	s->clock_due = 0; /* not before it runs */
	/* It is the boot it was; known now, in case nobody sees it come up. */
	memcpy(g->boot_id, t->made.boot_id, sizeof(g->boot_id));
	g->past_boot_id[0] = '\0';
	return true;
}

bool saving_refused(struct guest *g)
{
	struct guest_saving *s = &g->saving;

	s->ticket.error = -ENOENT;
	/* It was not refused where its answer was lost: it may go on all the same, as the boot it
	 * was. */
	if (s->kind != START_WARM || g->start_error == -ENOTCONN || g->start_error == -ETIMEDOUT)
		return false;
	memcpy(g->past_boot_id, g->boot_id, sizeof(g->past_boot_id));
	g->boot_id[0] = '\0';
	s->kind = START_COLD;
	s->clock_due = USEC_INFINITY;
	s->refused = true;
	tell_unused(g, g->start_message);
	return g->start_error == -ESTALE && g->state == GUEST_STARTING;
}

void saving_adopt(struct guest *g, usec_t now)
{
	bool warm = g->saving.clock_due != USEC_INFINITY;

	g->saving.xml_sha256[0] = '\0';
	g->saving.version = 0;
	(void)saving_drop(g);
	/* A start that was cut short may have restored it, and so may a person. */
	setclock_begin(g, now);
	if (warm)
		return;
	g->saving.kind = START_UNKNOWN;
	g->saving.start_words[0] = '\0';
}

const char *saving_start_words(const struct guest *g, char *buf, size_t size, usec_t now)
{
	const struct guest_saving *s = &g->saving;
	char span[TIMESPAN_TEXT_MAX];

	(void)format_timespan(span, sizeof(span), usec_sub(now, s->start_began));
	if (s->kind == START_WARM)
		(void)snprintf(buf, size, "running (warm, %s)", span);
	else if (s->start_words[0])
		(void)snprintf(buf, size, "started (cold: %s)", s->start_words);
	else
		(void)snprintf(buf, size, "started");
	return words_mend(buf);
}

static void drop_done(void *userdata, const struct save_news *news, usec_t now)
{
	struct guest *g = userdata;

	(void)now;
	g->hv_in_flight--;
	if (news->error == 0 || news->error == -ESTALE || news->error == -EBADMSG)
		event_note(g, EVENT_STOP, NULL, LOG_NOTICE,
			"its save is thrown away: the next start boots");
}

bool saving_drop(struct guest *g)
{
	if (!saves_of(g) || g->saving.kept_at_realtime == 0 ||
		saves_of(g)->vtable->take(saves_of(g), g->spec->name, drop_done, g) < 0)
		return false;
	g->hv_in_flight++;
	g->saving.kept_at_realtime = 0;
	g->dirty = true;
	return true;
}

usec_t saving_run(struct guest *g, usec_t now)
{
	struct guest_saving *s = &g->saving;

	if (s->in_flight && now >= s->abort_due) {
		s->abort_due = USEC_INFINITY;
		event_note(g, EVENT_STOP, NULL, LOG_WARNING,
			"saving takes longer than SaveTimeout=: it is given up");
		(void)hvlink_stop(g, HV_SAVE_ABORT);
	}
	return MIN(s->abort_due, setclock_run(g, now));
}

void saving_to_state(const struct guest *g, struct state_record *ret)
{
	const struct guest_saving *s = &g->saving;

	memcpy(ret->xml_sha256, s->xml_sha256, sizeof(ret->xml_sha256));
	(void)snprintf(
		ret->start_kind, sizeof(ret->start_kind), "%s", start_kind_to_string(s->kind));
	(void)snprintf(ret->start_words, sizeof(ret->start_words), "%s", s->start_words);
	ret->qemu_version = s->version;
	ret->saved_realtime = s->kept_at_realtime;
	ret->save_asked = s->asked;
	ret->clock_wrong = s->clock_due != USEC_INFINITY;
}

void saving_from_state(struct guest *g, const struct state_record *r, usec_t now)
{
	struct guest_saving *s = &g->saving;
	int kind = start_kind_from_string(r->start_kind);

	memcpy(s->xml_sha256, r->xml_sha256, sizeof(s->xml_sha256));
	(void)words_cut(s->start_words, sizeof(s->start_words), r->start_words);
	s->kind = kind < 0 ? START_UNKNOWN : (enum start_kind)kind;
	s->version = r->qemu_version;
	s->kept_at_realtime = r->saved_realtime;
	s->asked = r->save_asked;
	if (r->clock_wrong)
		setclock_begin(g, now);
}
