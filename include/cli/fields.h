/* SPDX-License-Identifier: Apache-2.0 */
/* The tables by which the daemon's properties become fields of the view. */
#ifndef MEDIAKIT_CLI_FIELDS_H
#define MEDIAKIT_CLI_FIELDS_H

#include <stddef.h>

/* One property. Numbers have the same width in the view as on D-Bus; texts go into char arrays of
 * `size`. */
struct field {
	const char *name;
	char type; /* D-Bus's letter; 'a' stands for "as", joined by spaces */
	size_t offset, size;
};

/* Each ends with a row without a name. */
extern const struct field manager_fields[]; /* into struct view */
extern const struct field guest_fields[];   /* into struct view_guest */
extern const struct field service_fields[]; /* into struct view_service */

/* NULL: a property of a newer daemon. */
const struct field *field_find(const struct field *fields, const char *name);

#endif
