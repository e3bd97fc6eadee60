/* SPDX-License-Identifier: Apache-2.0 */
/* The disk's file system as the policy sees it, and what is told of the answer. */
#include "core/diskpause.h"

#include "base/log.h"
#include "base/macro.h"
#include "base/parse.h"
#include "core/event.h"
#include "core/hvlink.h"
#include "core/supervisor.h"
#include "core/words.h"
#include "io/layout.h"

#include <inttypes.h>
#include <string.h>

static bool paused_by_disk(const struct guest *g)
{
	return g->state == GUEST_PAUSED && g->facts.state == HV_DOMAIN_PAUSED &&
	       (g->facts.reason == HV_REASON_NO_SPACE || g->facts.reason == HV_REASON_IOERROR);
}

/* It runs, or is paused for something else, or is gone: what was said of its disk is over, unless
 * somebody has said something else already. */
static usec_t over(struct guest *g, usec_t now)
{
	struct guest_diskpause *d = &g->diskpause;
	const struct diskpause_sight none = { 0 };
	usec_t at;

	d->step = diskpause_step(&d->policy, &none, now, &at);
	if (d->text[0] && strcmp(g->reason, d->text) == 0)
		guest_set_reason(g, "");
	d->text[0] = '\0';
	d->due = 0;
	return at;
}

static void look(const struct guest *g, const char *path, struct diskpause_sight *ret)
{
	const struct supervisor_config *c = &g->supervisor->config;

	*ret = (struct diskpause_sight){
		.paused = true,
		.full = g->facts.reason == HV_REASON_NO_SPACE,
	};
	ret->room_known = c->disk_room && path && c->disk_room(path, &ret->free_kib) == 0;
}

static void set_text(
	struct guest *g, const char *path, const struct diskpause_sight *see, usec_t at, usec_t now)
{
	struct guest_diskpause *d = &g->diskpause;
	char text[sizeof(d->text) + 256], room[32] = "", enough[32], span[TIMESPAN_TEXT_MAX];

	(void)format_size_kib(enough, sizeof(enough), DISKPAUSE_ROOM_KIB);
	(void)format_timespan(span, sizeof(span), usec_sub(at, now));
	if (see->room_known)
		(void)format_size_kib(room, sizeof(room), see->free_kib);
	if (d->step == DISKPAUSE_FULL)
		(void)snprintf(text, sizeof(text),
			"QEMU paused it: the file system of its disk is full (%s free): make it "
			"%s, and it "
			"runs on by itself within %s (%s)",
			room, enough, span, path);
	else
		(void)snprintf(text, sizeof(text),
			"QEMU paused it: %s%s%s%s; to be resumed within %s (%s)",
			see->full ? "its disk could not grow" : "its disk failed a read or a write",
			room[0] ? ", with " : "", room, room[0] ? " free" : "", span, path);
	(void)words_cut(d->text, sizeof(d->text), text);
}

static const char *rule_of(const struct diskpause_sight *see, enum diskpause_step step)
{
	if (step == DISKPAUSE_FULL)
		return "disk full";
	return see->full ? "disk was full" : "disk failed";
}

static void resume(struct guest *g, const struct diskpause_sight *see)
{
	char room[32] = "an unknown amount";
	unsigned tries = g->diskpause.policy.tries;

	if (see->room_known)
		(void)format_size_kib(room, sizeof(room), see->free_kib);
	event_note(g, EVENT_DISK, NULL, LOG_NOTICE,
		"paused by its disk, with %s free: resuming it (attempt %u)", room, tries);
	/* Where it cannot be asked, libvirt is away or behind: the next attempt is due anyway. */
	(void)hvlink_stop(g, HV_RESUME);
}

usec_t diskpause_run(struct guest *g, usec_t now)
{
	struct guest_diskpause *d = &g->diskpause;
	enum diskpause_step was = d->step;
	struct diskpause_sight see;

	if (!paused_by_disk(g))
		return d->policy.since || d->text[0] ? over(g, now) : USEC_INFINITY;
	if (now < d->due)
		return d->due;
	CLEANUP_FREE char *path = layout_disk(g->supervisor->spec->state_dir, g->spec->name);
	look(g, path, &see);
	d->step = diskpause_step(&d->policy, &see, now, &d->due);
	why_note(g, WHY_RESTART, rule_of(&see, d->step),
		d->step == DISKPAUSE_RESUME ? "resume it" : "leave it paused",
		"free=%" PRIu64 "K room=%uK attempts=%u", see.room_known ? see.free_kib : 0,
		DISKPAUSE_ROOM_KIB, d->policy.tries);
	set_text(g, path ? path : "its path is unknown", &see, d->due, now);
	guest_set_reason(g, d->text);
	if (d->step == DISKPAUSE_RESUME) {
		resume(g, &see);
	} else if (was != d->step) {
		/* Nobody can use it: that its services were well when it stopped is no comfort. */
		guest_set_healthy(g, false);
		event_note(g, EVENT_DISK, NULL, LOG_ERR, "%s", d->text);
	}
	return d->due;
}

void diskpause_reported(struct guest *g)
{
	CLEANUP_FREE char *path = layout_disk(g->supervisor->spec->state_dir, g->spec->name);

	event_note(g, EVENT_DISK, NULL, LOG_ERR,
		"a read or a write of its disk failed, and the guest was told so: see this host's "
		"kernel "
		"log, then whether the guest's file systems are still writable (%s)",
		path ? path : "out of memory");
}
