/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a configuration directory: mediakitd.conf, guests.d/<guest>.conf, guests.d/<guest>.conf.d/<drop-in>.conf, in that
 * order, drop-ins by name. */
#ifndef MEDIAKIT_IO_CONFDIR_H
#define MEDIAKIT_IO_CONFDIR_H

#include "model/conf.h"

#define CONFDIR_DEFAULT "/etc/mediakitd"

/* As conf_parse(); unreadable files and directories are faults with their path and reason. `state_dir`
 * and `runtime_dir` override the file's values where not NULL. */
int confdir_load(const char *dir, const char *state_dir, const char *runtime_dir, struct spec **ret,
	struct conf_faults *faults);

#endif
