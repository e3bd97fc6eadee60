/* SPDX-License-Identifier: Apache-2.0 */
/* Which bytes of a serial line are words, and which only steer a terminal. systemd colours its
 * status lines and wraps shells in operating system commands (ESC ] 3008), firmware moves the
 * cursor about: a matcher of words and a quote for a person both want neither. */
#ifndef MEDIAKIT_MODEL_SERIAL_H
#define MEDIAKIT_MODEL_SERIAL_H

#include "base/macro.h"

#include <stdbool.h>
#include <stddef.h>

/* Where in a control sequence of ECMA-48 (5.3 to 5.6) the last byte left us. */
enum serial_mode {
	SERIAL_WORDS,
	SERIAL_ESCAPE,        /* after ESC */
	SERIAL_SEQUENCE,      /* after ESC [ */
	SERIAL_STRING,        /* after ESC ], P, X, ^ or _ */
	SERIAL_STRING_ESCAPE, /* after an ESC in such a string */
};

/* Whether the byte is the line's own. The end of a line (\n, \r) always is, and ends any sequence,
 * so that one which never closes hides no more than its line. */
bool serial_is_word(enum serial_mode *m, char c);

#define SERIAL_LINE_MAX 256u /* bytes of words in a line; what is longer is cut */

/* Collects the words of one line. All zero is ready. */
struct serial_line {
	enum serial_mode mode;
	char words[SERIAL_LINE_MAX]; /* not terminated, not escaped; tabs are blanks */
	size_t len;
	bool ended;
};

/* True when a line with words in it ended with this byte: they stand in l->words until the next
 * call, without the blanks at the end. Lines of nothing but blanks are passed over. */
bool serial_line_put(struct serial_line *l, char c);

#endif
