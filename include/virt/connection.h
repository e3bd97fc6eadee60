/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps a connection to libvirt: opens it in a worker, notices its end, opens it again with
 * back-off. */
#ifndef MEDIAKIT_VIRT_CONNECTION_H
#define MEDIAKIT_VIRT_CONNECTION_H

#include "io/worker.h"
#include "virt/link.h"

#define CONNECTION_BACKOFF_MIN (1 * USEC_PER_SEC)
#define CONNECTION_BACKOFF_MAX (30 * USEC_PER_SEC)

/* virConnectOpen has no limit of its own (over 40 s seen on a stopped libvirtd). */
#define CONNECTION_OPEN_TIMEOUT (10 * USEC_PER_SEC)
/* The embedded driver reads its domains' state and probes QEMU's abilities, 4 s for a binary. */
#define CONNECTION_OPEN_TIMEOUT_EMBEDDED (60 * USEC_PER_SEC)

/* Asking what QEMU can do may make libvirt try its binaries, some seconds each. The answer is worth
 * waiting for, because the first guest's accelerator hangs on it; without one it is no for now, and
 * the next connection is asked. */
#define CONNECTION_KVM_TIMEOUT (30 * USEC_PER_SEC)

/* What the end of the daemon may wait for libvirt: it takes a few milliseconds where it answers. */
#define CONNECTION_CLOSE_MAX (1 * USEC_PER_SEC)

struct connection;

/* On the main loop, from its dispatch: up, or down and why (again for each new reason). */
typedef void (*connection_changed_t)(void *userdata, bool up, const char *message, usec_t now);

/* `uri` is copied; the rest is referenced. 0 or -errno. */
int connection_new(sd_event *event, struct worker_pool *pool, const char *uri, struct links *links,
	struct mailbox *mailbox, connection_changed_t changed, void *userdata,
	struct connection **ret);

/* Blocks for at most CONNECTION_CLOSE_MAX: a connection that is up is closed by a thread of its
 * own, and one that does not close by then is left. NULL is fine. */
void connection_free(struct connection *connection);

/* Makes the first attempt. 0 or -errno. */
int connection_begin(struct connection *connection);

/* The mailbox told that this generation is gone. Others than the present one are ignored. */
void connection_closed(
	struct connection *connection, unsigned generation, const char *words, usec_t now);

bool connection_up(const struct connection *connection);

/* Does libvirt say that KVM works? Asked until it answered, before the connection is told to be up,
 * and never of an embedded driver. */
bool connection_kvm(const struct connection *connection);

/* Why it is not up, escaped; "" when it is. */
const char *connection_message(const struct connection *connection);

#endif
