/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest that is being stopped says it is doing, off the lines of its serial console: the
 * words for a shutdown that was too slow. Nothing is decided by them. */
#ifndef MEDIAKIT_POLICY_HALT_H
#define MEDIAKIT_POLICY_HALT_H

#include <stdbool.h>
#include <stddef.h>

#define HALT_WORDS_MAX 80u

struct halt {
	char at[HALT_WORDS_MAX]; /* "Stopping nginx.service", printable; "" while nothing was said
				  */
};

/* One line without control sequences (model/serial). True when h->at changed. */
bool halt_line(struct halt *h, const char *words, size_t len);

#endif
