/* SPDX-License-Identifier: Apache-2.0 */
/* One configuration text through inih, with line numbers and every line it could not take. */
#ifndef MEDIAKIT_MODEL_CONF_READ_H
#define MEDIAKIT_MODEL_CONF_READ_H

#include <stddef.h>

#define CONF_LINE_MAX    16384u /* bytes of one line; an RSA key of 16384 bits has 2.8 KiB */
#define CONF_SECTION_MAX 49u    /* bytes between the brackets: what inih keeps */

struct conf_read_ops {
	/* A section begins. `name` is NULL when its header was a fault: the keys to come belong
	 * nowhere. */
	void (*section)(void *userdata, unsigned line, const char *name);
	/* key is not empty and only letters and digits; value has no white space around it, may be
	 * "". */
	void (*key)(void *userdata, unsigned line, const char *key, const char *value);
	/* A line that is neither; `text` says what is wrong with it and what is allowed. */
	void (*fault)(void *userdata, unsigned line, const char *text);
};

/* Calls ops in the order of the text. Sets inih's process-wide options, so only one thread may read
 * at a time. 0 or -ENOMEM. */
int conf_read(const char *text, size_t len, const struct conf_read_ops *ops, void *userdata);

#endif
