/* SPDX-License-Identifier: Apache-2.0 */
/* The log: one line per event on stderr (with systemd's <N> prefix when it is not a terminal), or
 * the journal with structured fields when stderr is connected to it. Only core, bus and cli log. */
#ifndef MEDIAKIT_BASE_LOG_H
#define MEDIAKIT_BASE_LOG_H

#include "base/macro.h"

#include <stdbool.h>
#include <syslog.h>

/* Messages above `level` (LOG_DEBUG is the most) are dropped. The default is LOG_INFO. */
void log_set_max_level(int level);

/* Tests take the lines instead of stderr; NULL puts stderr back. */
void log_set_sink(
	void (*sink)(int level, const char *guest, const char *service, const char *line));

/* `guest` and `service` may be NULL; they become MEDIAKIT_GUEST= and MEDIAKIT_SERVICE= in the
 * journal and a "guest vm-mediakit: " prefix elsewhere. The text is cut at LOG_LINE_MAX bytes. */
void log_full(int level, const char *guest, const char *service, const char *format, ...)
	PRINTF_LIKE(4, 5);

/* The same, with further journal fields: `fields` holds up to LOG_FIELDS_MAX texts "NAME=value" and
 * ends with NULL; a value may have several lines. `message_id` is 32 hexadecimal digits, which name
 * the kind of message (systemd.journal-fields(7)), or NULL. Outside the journal the fields are left
 * out: what a person must read there belongs into the text, or into further lines where
 * log_takes_fields() is false. A sink gets each field as a line of LOG_DEBUG. */
void log_struct(int level, const char *guest, const char *service, const char *message_id,
	const char *const fields[], const char *format, ...) PRINTF_LIKE(6, 7);

/* Do lines go to the journal, and their fields with them? */
bool log_takes_fields(void);

#define LOG_LINE_MAX   1024u
#define LOG_FIELDS_MAX 8u

#define log_error(...)   log_full(LOG_ERR, NULL, NULL, __VA_ARGS__)
#define log_warning(...) log_full(LOG_WARNING, NULL, NULL, __VA_ARGS__)
#define log_notice(...)  log_full(LOG_NOTICE, NULL, NULL, __VA_ARGS__)
#define log_info(...)    log_full(LOG_INFO, NULL, NULL, __VA_ARGS__)
#define log_debug(...)   log_full(LOG_DEBUG, NULL, NULL, __VA_ARGS__)

#endif
