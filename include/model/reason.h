/* SPDX-License-Identifier: Apache-2.0 */
/* Why something failed, in words, where an errno is too poor: filled by floors that do not log. */
#ifndef MEDIAKIT_MODEL_REASON_H
#define MEDIAKIT_MODEL_REASON_H

#include "base/macro.h"

#include <stdarg.h>

#define REASON_MAX 768u

/* Never unterminated; a text that does not fit is cut. */
struct reason {
	char text[REASON_MAX];
};

/* Writes the text and returns `error`, so that a refusal is one statement. `reason` may be NULL. */
static inline int PRINTF_LIKE(3, 4)
	reason_set(struct reason *reason, int error, const char *format, ...)
{
	va_list ap;

	if (!reason)
		return error;
	va_start(ap, format);
	(void)vsnprintf(reason->text, sizeof(reason->text), format, ap);
	va_end(ap);
	return error;
}

#endif
