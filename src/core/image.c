/* SPDX-License-Identifier: Apache-2.0 */
/* The looks at a guest's base, and what follows from them. */
#include "core/image.h"

#include "base/log.h"
#include "core/event.h"
#include "core/supervisor.h"
#include "core/words.h"
#include "model/state.h"

#include <errno.h>
#include <string.h>

/* An agent that was busy or went away is asked again so often. */
#define ASKED_MAX 3u

static void take_news(struct guest *g, const struct base_news *news)
{
	struct guest_image *image = &g->image;

	image->looked = true;
	memcpy(image->disk, news->disk, sizeof(image->disk));
	/* Another disk, or none: what was said was said of the old one. */
	if (image->told[0] && strcmp(image->told_disk, image->disk) != 0) {
		image->told[0] = '\0';
		g->dirty = true;
	}
	if (strcmp(image->glibc, news->glibc) == 0)
		return;
	(void)words_cut(image->glibc, sizeof(image->glibc), news->glibc);
	g->dirty = true;
}

/* Guests that were removed meanwhile are kept until every answer came. */
static int look(struct guest *g, bool check, base_done_t done)
{
	struct bases *bases = g->supervisor->config.bases;
	int r = bases->vtable->look(bases, g->spec->name, check, done, g);

	g->hv_in_flight += r == 0;
	return r;
}

static void read_done(void *userdata, const struct base_news *news, usec_t now)
{
	struct guest *g = userdata;

	(void)now;
	g->hv_in_flight--;
	if (news->error == 0)
		take_news(g, news);
}

void image_read(struct guest *g)
{
	if (g->supervisor->config.bases)
		(void)look(g, false, read_done);
}

static void check_done(void *userdata, const struct base_news *news, usec_t now)
{
	struct guest *g = userdata;

	(void)now;
	g->hv_in_flight--;
	/* A look that failed knows nothing of the library. */
	if (news->error == 0)
		take_news(g, news);
	if (!g->image.start_waits)
		return;
	g->image.error = news->error;
	g->image.reason = news->reason;
	g->news |= NEWS_IMAGE;
	if (news->hashed)
		event_note(g, EVENT_BOOT, NULL, LOG_INFO,
			"its base was hashed again, because inode, size or time had changed, and "
			"is "
			"what it was");
}

int image_check(struct guest *g, struct reason *reason)
{
	if (!g->supervisor->config.bases || !guest_spec_has_disk(g->spec))
		return 0;
	int r = look(g, true, check_done);
	if (r < 0)
		return reason_set(reason, r, "its base cannot be checked: %s",
			r == -EBUSY ? "the disk does not answer" : strerror(-r));
	g->image.start_waits = true;
	return 1;
}

int image_verdict(const struct guest *g, struct reason *reason)
{
	const struct guest_image *image = &g->image;
	const char *name = g->spec->name;

	if (image->error != 0)
		return reason_set(reason, image->error, "%s", image->reason.text);
	if (!glibc_is_under(image_glibc(image), g->spec->glibc_min))
		return 0;
	/* What to change first: a guest's reason is cut at 255 bytes. */
	return reason_set(reason, -ENOEXEC,
		"its glibc is %s%s, under GlibcMin=%s ([Image] in %s/guests.d/%s.conf): give it a "
		"newer image (`mediakitd provision %s --replace-disk=%s`), or lower that line",
		image_glibc(image), image->glibc[0] ? "" : " by its own word", g->spec->glibc_min,
		g->supervisor->config_dir ?: "", name, name, name);
}

static void told(struct guest *g, int error, int exit_status, const char *output, usec_t now)
{
	struct guest_image *image = &g->image;
	char version[GLIBC_TEXT_MAX];

	(void)now;
	if (error != 0)
		return;
	image->asked = ASKED_MAX;
	if (exit_status != 0 || glibc_from_answer(output, version) < 0)
		return;
	bool same = strcmp(image->told, version) == 0;
	memcpy(image->told, version, sizeof(version));
	memcpy(image->told_disk, image->disk, sizeof(image->disk));
	g->dirty |= !same;
	if (!same && glibc_is_under(version, g->spec->glibc_min))
		event_note(g, EVENT_BOOT, NULL, LOG_WARNING,
			"its glibc is %s, says the guest: under GlibcMin=%s. It runs on, its next "
			"start will be refused",
			version, g->spec->glibc_min);
}

void image_boot(struct guest *g)
{
	g->image.asked = 0;
}

/* After its boot_id, so that the answer is of this boot. */
bool image_wants_agent(const struct guest *g)
{
	return g->image.asked < ASKED_MAX && g->image.looked && !g->image.glibc[0] &&
	       g->boot_id_by_agent && g->state == GUEST_READY;
}

bool image_ask(struct guest *g, usec_t now)
{
	if (!image_wants_agent(g) || agent_run_command(g, glibc_command, told, now) < 0)
		return false;
	g->image.asked++;
	return true;
}

void image_to_state(const struct guest *g, struct state_record *ret)
{
	static_assert(sizeof(ret->glibc_disk) == sizeof(g->image.told_disk), "a disk is cut");
	memcpy(ret->glibc, g->image.told, sizeof(ret->glibc));
	memcpy(ret->glibc_disk, g->image.told_disk, sizeof(ret->glibc_disk));
}

void image_from_state(struct guest *g, const struct state_record *record)
{
	struct glibc_version version;

	if (glibc_parse(record->glibc, &version) < 0)
		return;
	memcpy(g->image.told, record->glibc, sizeof(g->image.told));
	memcpy(g->image.told_disk, record->glibc_disk, sizeof(g->image.told_disk));
}
