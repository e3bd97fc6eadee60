/* SPDX-License-Identifier: Apache-2.0 */
/* What the service manager is told of a reload, whoever asked for it: SIGHUP or a method call. */
#ifndef MEDIAKIT_BASE_NOTIFY_H
#define MEDIAKIT_BASE_NOTIFY_H

/* RELOADING=1, with the time that systemd 253 and later want beside it. */
void notify_reloading(void);
/* READY=1: a start or a reload is over. */
void notify_ready(void);

#endif
