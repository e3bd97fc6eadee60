/* SPDX-License-Identifier: Apache-2.0 */
/* A method call whose answer takes time: answered exactly once, or forgotten when its
 * caller goes. */
#ifndef MEDIAKIT_BUS_CALL_H
#define MEDIAKIT_BUS_CALL_H

#include "bus/server.h"
#include "core/request.h"

/* Puts the request to the guest; `kib` is also the name for OPERATION_DELETE_SNAPSHOT. The
 * reply, "s" with a line for the operator, or an error, is sent
 * when the operation is done. Returns what a method handler returns. */
int call_begin(sd_bus_message *m, const struct bus_target *t, enum operation_kind kind,
	uint64_t kib, usec_t span, sd_bus_error *error);

/* The D-Bus error for -errno of core, with `message` (where empty: errno's words). Returns a
 * negative number. */
int bus_error_set(sd_bus_error *error, int number, const char *message);

/* Who asks, in words for the log: "uid 1000, pid 4242". Returns buf. */
char *caller_words(const struct bus *b, sd_bus_message *m, char *buf, size_t size);

#endif
