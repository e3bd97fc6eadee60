/* SPDX-License-Identifier: Apache-2.0 */
/* A guest's state to and from the store. What libvirt knows better is read from it anyway; this
 * keeps what it can't know. */
#ifndef MEDIAKIT_CORE_RECORD_H
#define MEDIAKIT_CORE_RECORD_H

#include "core/guest.h"

void record_save(struct guest *g);
/* Into a guest that was just made. A file that is missing, torn or newer is told in the log, and
 * everything is rebuilt from libvirt. */
void record_load(struct guest *g, usec_t now);

#endif
