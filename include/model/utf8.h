/* SPDX-License-Identifier: Apache-2.0 */
/* Text that somebody else wrote: is it UTF-8, may it be printed, and how to print it when not. */
#ifndef MEDIAKIT_MODEL_UTF8_H
#define MEDIAKIT_MODEL_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the len bytes are well-formed UTF-8 in the sense of RFC 3629: no overlong form, no
 * surrogate, nothing above U+10FFFF. No bytes at all are valid; U+0000 is a character like others.
 */
bool utf8_valid(const char *s, size_t len);

/* Whether the text is valid and can be printed on one line of a terminal or journal without
 * steering it: no control character (C0, U+007F, C1), no line or paragraph separator (U+2028,
 * U+2029), no bidirectional embedding, override or isolate (U+202A to U+202E, U+2066 to U+2069). */
bool utf8_printable(const char *s, size_t len);

/* Writes src into dst so that the result is always utf8_printable(). Bytes that are not UTF-8 and
 * characters that utf8_printable() refuses become \xNN, byte by byte; a backslash becomes two, so
 * that the original can be told from the escapes. A character or escape is never split: what does
 * not fit is left out and "…" is put in its place (a dst under 4 bytes has no room for the mark and
 * just ends early). At most size bytes are written, the terminating NUL among them; with size 0
 * none. Returns the length of the result without its NUL. The two buffers must not overlap. */
size_t utf8_escape(char *dst, size_t size, const char *src, size_t len);

#endif
