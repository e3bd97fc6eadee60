/* SPDX-License-Identifier: Apache-2.0 */
/* A systemd unit file that is to be taken to a guest: does it run what is deployed with it? */
#ifndef MEDIAKIT_MODEL_UNITFILE_H
#define MEDIAKIT_MODEL_UNITFILE_H

#include "model/reason.h"

#define UNITFILE_BYTES_MAX (64u * 1024u)

/* Reads the len bytes as systemd.syntax(7) says, as far as it matters here: [Service] must be
 * there, and what ExecStart= runs in the end (an empty one takes back those before) must be
 * `program`, alone. `path` is for messages: "FILE:LINE: ...". 0; -EINVAL or -EFBIG with the reason.
 */
int unitfile_check(
	const char *path, const char *text, size_t len, const char *program, struct reason *reason);

#endif
