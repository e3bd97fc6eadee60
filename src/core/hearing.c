/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of the serial console to those who look for words in them. */
#include "core/hearing.h"

#include "base/log.h"
#include "core/event.h"
#include "core/guest.h"
#include "core/words.h"

/* An agent that was busy or went away is asked again so often. */
#define FS_ASKED_MAX 3u

static bool last_stop_was_clean(const struct guest *g)
{
	const struct exit_record *e = &g->last_exit;

	return e->cause == CAUSE_GUEST_POWEROFF ||
	       (e->cause == CAUSE_OPERATOR && !shutdown_is_forced(e->rung));
}

/* The guest's word became another. It may lie, so it is told and no more. */
static void tell_fs(struct guest *g)
{
	struct hearing *h = &g->hearing;
	bool wrong = h->fs.word == FS_RECOVERED && h->fs_after_stop && last_stop_was_clean(g);

	(void)snprintf(h->fs_words, sizeof(h->fs_words), "%s%s",
		wrong ? "a journal was replayed, though the last stop was recorded as clean: " : "",
		h->fs.line);
	(void)words_mend(h->fs_words);
	g->dirty = true;
	event_note(g, EVENT_BOOT, NULL, wrong || h->fs.word == FS_ERRORS ? LOG_WARNING : LOG_INFO,
		"file system: %s: %s", fs_word_to_string(h->fs.word), h->fs_words);
}

void hearing_boot(struct guest *g, bool by_start)
{
	struct hearing *h = &g->hearing;

	h->fs = (struct fsword){ .word = FS_UNKNOWN };
	h->fs_after_stop = by_start;
	h->fs_asked = 0;
	h->fs_words[0] = '\0';
}

static void fs_answered(struct guest *g, int error, int exit_status, const char *output, usec_t now)
{
	(void)exit_status; /* of the last program in the pipe: says nothing */
	(void)now;
	if (error != 0)
		return;
	g->hearing.fs_asked = FS_ASKED_MAX;
	if (fsword_output(&g->hearing.fs, output))
		tell_fs(g);
}

/* Not before the boot is known to be this one, and its services have had the agent. */
bool hearing_wants_agent(const struct guest *g)
{
	return g->hearing.fs_asked < FS_ASKED_MAX && g->boot_id_by_agent && g->state == GUEST_READY;
}

bool hearing_ask(struct guest *g, usec_t now)
{
	if (!hearing_wants_agent(g) || agent_run_command(g, fsword_command, fs_answered, now) < 0)
		return false;
	g->hearing.fs_asked++;
	return true;
}

void hearing_console(struct guest *g, const void *data, size_t len)
{
	struct hearing *h = &g->hearing;
	const char *s = data;

	for (size_t i = 0; i < len; i++) {
		if (!serial_line_put(&h->line, s[i]))
			continue;
		if (fsword_line(&h->fs, h->line.words, h->line.len))
			tell_fs(g);
		if (g->ladder.began)
			g->dirty |= halt_line(&h->halt, h->line.words, h->line.len);
	}
}

void hearing_stop(struct guest *g)
{
	g->hearing.halt = (struct halt){ "" };
}
