/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that runs libvirt's default event loop: one per process, for as long as the process
 * lives. */
#ifndef MEDIAKIT_VIRT_EVENT_THREAD_H
#define MEDIAKIT_VIRT_EVENT_THREAD_H

/* From a worker, before the first connection is opened. May be called again; only the first call
 * that succeeds does something. It never ends: callbacks may come long after virConnectClose, and
 * keepalive lives here too. It also silences libvirt's own printing of errors on stderr. 0 or
 * -errno. */
int event_thread_ensure(void);

#endif
