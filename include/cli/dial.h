/* SPDX-License-Identifier: Apache-2.0 */
/* Connects to the daemon, by its socket or its name on the system bus, within a limit. */
#ifndef MEDIAKIT_CLI_DIAL_H
#define MEDIAKIT_CLI_DIAL_H

#include "base/time.h"

#include <systemd/sd-bus.h>

/* A main loop that never blocks answers at once; a daemon that does not is stopped or gone. */
#define DIAL_ANSWER_WITHIN (5 * USEC_PER_SEC)

/* Both: *ret is the caller's, each call limited to DIAL_ANSWER_WITHIN; or -errno. `path` fits
 * sun_path. */
int dial_socket(const char *path, sd_bus **ret);
/* Where a person without the group may be asked for a password by polkit. */
int dial_system_bus(sd_bus **ret);

/* Waits until the greetings were exchanged, before the first call. 0; -ETIMEDOUT: somebody listens
 * and does not answer within DIAL_ANSWER_WITHIN; or another -errno. */
int dial_wait_ready(sd_bus *bus);

#endif
