/* SPDX-License-Identifier: Apache-2.0 */
/* Repaints the screen as things change.
 *
 * No flicker means: never clear, overwrite. A frame is drawn into memory, and written at once as
 * "home", each line with "clear to its end", and "clear below"; on the alternate screen, so that
 * the terminal's history stays clean. Signals of the daemon are gathered for a fifth of a second;
 * ages move on once a second without any. */
#include "cli/watch.h"

#include "base/macro.h"
#include "base/memstream.h"
#include "cli/json.h"
#include "cli/screen.h"
#include "cli/verb.h"

#include <string.h>

#define FRAME_MIN (200 * USEC_PER_MSEC)
#define FRAME_MAX USEC_PER_SEC

#define ENTER_SCREEN "\033[?1049h\033[?25l"
#define LEAVE_SCREEN "\033[?25h\033[?1049l"

static char *draw(const struct session *s, const struct style *style)
{
	char *text = NULL;
	struct memstream m;

	if (memstream_open(&m))
		screen_print(m.f, &s->view, s->guest, style);
	(void)memstream_close(&m, &text, NULL);
	return text;
}

/* A frame that is longer than the window would scroll it, so the rest is announced
 * and not shown. */
static void paint(const char *frame, const struct style *style)
{
	unsigned row = 1;

	(void)fputs("\033[H", stdout);
	while (*frame && row < style->height) {
		size_t len = strcspn(frame, "\n");

		(void)fwrite(frame, 1, len, stdout);
		(void)fputs("\033[K\r\n", stdout);
		frame += len + (frame[len] == '\n');
		row++;
	}
	(void)fprintf(stdout, "%s%s%s\033[K\033[J", term_color(style, COLOR_DIM),
		*frame ? "more below; make the window taller, or name one guest" : "Ctrl-C ends",
		term_reset(style, COLOR_DIM));
	(void)fflush(stdout);
}

static int show_plain(const struct session *s)
{
	const struct style style = term_style(stdout);

	if (s->args.json && json_print(stdout, &s->view, s->guest, true) < 0)
		return CLI_FAILED;
	if (!s->args.json) {
		screen_print(stdout, &s->view, s->guest, &style);
		fputc('\n', stdout);
	}
	return fflush(stdout) == 0 ? 0 : CLI_FAILED;
}

static int show_frame(const struct session *s)
{
	const struct style style = term_style(stdout);
	CLEANUP_FREE char *frame = draw(s, &style);

	if (!frame)
		return CLI_FAILED;
	paint(frame, &style);
	return 0;
}

/* Waits for a reason to draw again: a change, or on a terminal the next second or another size. */
static int wait_for_change(struct session *s, bool live)
{
	usec_t began = now_boottime();

	for (;;) {
		usec_t left = live ? usec_sub(began + FRAME_MAX, now_boottime()) : USEC_INFINITY;
		int r = client_wait(s->client, left);

		if (r < 0 || term_ending())
			return r;
		if (r == 0 && (term_resized() || live))
			return 0;
		if (r > 0)
			break;
	}
	/* Gathers what else comes in, up to the shortest time between two frames. */
	for (usec_t now; (now = now_boottime()) < began + FRAME_MIN && !term_ending();) {
		int r = client_wait(s->client, began + FRAME_MIN - now);

		if (r < 0)
			return r;
	}
	return 0;
}

int watch_run(struct session *s)
{
	bool live = !s->args.json && term_style(stdout).terminal;
	int r = 0;

	term_watch_signals();
	if (live)
		(void)fputs(ENTER_SCREEN, stdout);
	while (r == 0 && !term_ending()) {
		r = live ? show_frame(s) : show_plain(s);
		if (r == 0 && wait_for_change(s, live) < 0)
			r = CLI_NO_DAEMON;
	}
	if (live) {
		(void)fputs(LEAVE_SCREEN, stdout);
		(void)fflush(stdout);
	}
	return r == CLI_NO_DAEMON ? session_lost() : r;
}
