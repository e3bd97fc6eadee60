/* SPDX-License-Identifier: Apache-2.0 */
/* io/hv.h on libvirt. */
#ifndef MEDIAKIT_VIRT_HYPERVISOR_H
#define MEDIAKIT_VIRT_HYPERVISOR_H

#include "io/hv.h"

#include <systemd/sd-event.h>

/* Nothing is opened before hv->vtable->connect(). For an embedded driver call virt_embed_prepare
 * (virt/embed.h) first thing in main. The process must ignore SIGPIPE. 0 or -errno.
 *
 * Beyond what io/hv.h says: submit() refuses with -EBUSY (wedged), -ENOBUFS (HV_QUEUE_MAX wait),
 * -ENOTCONN, -EINVAL (no verb, UUID not in libvirt's lower-case spelling, a text missing) and
 * -ENOMEM, and with -EAGAIN where no thread is to be had. A request that was queued can be answered
 * -EBUSY and -ENOTCONN as well, when that comes about while it waits. A timeout counts from the
 * moment the request is begun, so one that waits its turn is not late; those before it are bounded
 * likewise. Three queues per guest: destroy, the guest agent (a silent agent takes 10 s to fail),
 * and everything else. forget() lets what is queued be answered. destroy() answers nothing any
 * more, and must not be called from inside a callback; the process is expected to end soon
 * after. */
int virt_new(sd_event *event, const char *uri, struct hv **ret);

#endif
