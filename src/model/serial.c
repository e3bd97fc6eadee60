/* SPDX-License-Identifier: Apache-2.0 */
/* The control sequences of ECMA-48, as far as passing over them needs. */
#include "model/serial.h"

#define ESC 0x1b
#define BEL 0x07

static enum serial_mode after_escape(unsigned char c)
{
	if (c == '[')
		return SERIAL_SEQUENCE;
	if (c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_')
		return SERIAL_STRING;
	/* Intermediate bytes go on, ESC begins anew, any other byte is the final one. */
	return (c >= 0x20 && c <= 0x2f) || c == ESC ? SERIAL_ESCAPE : SERIAL_WORDS;
}

bool serial_is_word(enum serial_mode *m, char byte)
{
	unsigned char c = (unsigned char)byte;

	if (c == '\n' || c == '\r') {
		*m = SERIAL_WORDS;
		return true;
	}
	switch (*m) {
	case SERIAL_WORDS:
		if (c != ESC)
			return true;
		*m = SERIAL_ESCAPE;
		break;
	case SERIAL_ESCAPE:
		*m = after_escape(c);
		break;
	case SERIAL_SEQUENCE:
		if (c == ESC)
			*m = SERIAL_ESCAPE;
		else if (c >= 0x40 && c <= 0x7e)
			*m = SERIAL_WORDS;
		break;
	case SERIAL_STRING:
		if (c == ESC)
			*m = SERIAL_STRING_ESCAPE;
		else if (c == BEL) /* how xterm ends them */
			*m = SERIAL_WORDS;
		break;
	case SERIAL_STRING_ESCAPE:
		/* ESC \ ends the string; any other escape breaks it off. */
		*m = after_escape(c);
		break;
	}
	return false;
}

bool serial_line_put(struct serial_line *l, char c)
{
	if (l->ended)
		l->len = 0;
	l->ended = false;
	if (!serial_is_word(&l->mode, c))
		return false;
	if (c != '\n' && c != '\r') {
		if (l->len < sizeof(l->words))
			l->words[l->len++] = (char)(c == '\t' ? ' ' : c);
		return false;
	}
	while (l->len > 0 && l->words[l->len - 1] == ' ')
		l->len--;
	l->ended = true;
	return l->len > 0;
}
