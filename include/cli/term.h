/* SPDX-License-Identifier: Apache-2.0 */
/* What the terminal can do and what it wants to tell: colour, width, characters, signals. */
#ifndef MEDIAKIT_CLI_TERM_H
#define MEDIAKIT_CLI_TERM_H

#include "base/time.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

/* How a screen is drawn. A pipe is no terminal and has no colour; its width is 0, that is without
 * limit. */
struct style {
	bool terminal, color;
	bool utf8; /* else other characters than ASCII become '?' */
	unsigned width, height;
	usec_t now_realtime; /* ages are counted from here */
};

/* Of the file: colour on a terminal, unless $NO_COLOR is there or $TERM is dumb; the width from
 * $COLUMNS, else from the terminal, else 80. Sets the character type of the process's locale. */
struct style term_style(FILE *f);

enum term_color {
	COLOR_NONE,
	COLOR_BOLD,
	COLOR_DIM,
	COLOR_GREEN,
	COLOR_YELLOW,
	COLOR_RED,
	COLOR_CYAN,
	COLOR_NUM,
};
/* The escape sequence, "" where the style has no colour or the colour is none. */
const char *term_color(const struct style *style, enum term_color color);
const char *term_reset(const struct style *style, enum term_color color);

/* How many columns the text takes; texts that may not be printed count as nothing. */
unsigned text_width(const char *text);
/* Every character that is not ASCII becomes '?', in place. Returns text. */
char *text_plain(char *text);
/* Prints at most `width` columns (0: all), with an ellipsis where it was cut. */
void text_put(FILE *f, const struct style *style, const char *text, unsigned width);
/* Prints the text in lines of at most `width` columns, broken between words; all but the first line
 * begin with `indent` spaces. */
void text_wrap(
	FILE *f, const struct style *style, const char *text, unsigned width, unsigned indent);

/* From here on SIGINT, SIGTERM, SIGHUP and SIGWINCH only come in while waiting, and
 * are remembered. */
void term_watch_signals(void);
/* For ppoll(): the mask to wait with; NULL before term_watch_signals(). */
const sigset_t *term_wait_mask(void);
/* The signal that asks us to end, 0 without. */
int term_ending(void);
/* The exit status of who stops for such a signal, by the shell's convention: 130 for Ctrl-C. */
int term_exit(void);
/* Whether the window changed since the last question. */
bool term_resized(void);

#endif
