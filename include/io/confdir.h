/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a configuration directory: mediakitd.conf, guests.d/<guest>.conf,
 * guests.d/<guest>.conf.d/<drop-in>.conf, in that order, drop-ins by name. */
#ifndef MEDIAKIT_IO_CONFDIR_H
#define MEDIAKIT_IO_CONFDIR_H

#include "model/conf.h"

#define CONFDIR_DEFAULT "/etc/mediakitd"

/* Entries of guests.d (each guest may have a file and a directory) and of one guest's drop-ins. */
#define CONFDIR_GUESTS_MAX  (2u * SPEC_GUESTS_MAX)
#define CONFDIR_DROPINS_MAX 64u

/* As conf_parse(); a missing mediakitd.conf is an empty one, a missing directory a fault;
 * unreadable files and directories are faults with their path and reason. `state_dir` and
 * `runtime_dir` override the file's values where not NULL. */
int confdir_load(const char *dir, const char *state_dir, const char *runtime_dir, struct spec **ret,
	struct conf_faults *faults);

#endif
