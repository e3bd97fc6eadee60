/* SPDX-License-Identifier: Apache-2.0 */
/* The looks at a guest's base, and what follows from them. */
#include "core/image.h"

#include "base/log.h"
#include "core/supervisor.h"
#include "core/words.h"

#include <errno.h>
#include <string.h>

static void take_glibc(struct guest *g, const struct base_news *news)
{
	if (strcmp(g->image.glibc, news->glibc) == 0)
		return;
	(void)words_cut(g->image.glibc, sizeof(g->image.glibc), news->glibc);
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
		take_glibc(g, news);
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
		take_glibc(g, news);
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
	if (!glibc_is_under(image->glibc, g->spec->glibc_min))
		return 0;
	/* What to change first: a guest's reason is cut at 255 bytes. */
	return reason_set(reason, -ENOEXEC,
		"its glibc is %s, under GlibcMin=%s ([Image] in %s/guests.d/%s.conf): give it a "
		"newer image (`mediakitd provision %s --replace-disk=%s`), or lower that line",
		image->glibc, g->spec->glibc_min, g->supervisor->config_dir ?: "", name, name,
		name);
}
