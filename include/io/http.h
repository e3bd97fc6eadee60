/* SPDX-License-Identifier: Apache-2.0 */
/* The prober of io/prober.h on real sockets: HTTP questions by libcurl, TCP questions by io/tcp,
 * both on one sd-event loop and with nothing kept from one question to the next that a guest could
 * have shaped. */
#ifndef MEDIAKIT_IO_HTTP_H
#define MEDIAKIT_IO_HTTP_H

#include "io/prober.h"

#include <systemd/sd-event.h>

/* The path's longest, in bytes. It begins with '/' and is printable ASCII without space and '#'. */
#define HTTP_PATH_MAX 255u

/*
 * A prober on `event`, of which it takes a reference. 0; -ENOMEM; or what sd-event says. Frees
 * everything in destroy(), which may be called with questions in flight (their `done` is not
 * called) and from inside a `done`.
 *
 * ask() also gives -EINVAL for an address that is no numeric IPv4, port 0, a path outside the rules
 * above, a nonce that is not 16 hex digits, a time-out of zero or over a day, and a protocol other
 * than ANSWER_HTTP and ANSWER_TCP. cancel() may be called from inside any `done`; on the question
 * whose `done` runs it does nothing.
 *
 * A question ends at most one accuracy (HTTP_TIMER_ACCURACY) after its time-out, whatever the guest
 * sends. The sockets go nowhere but to the address and port of the question; redirects, proxies,
 * cookies and compression are off, and the bytes taken are bounded by ANSWER_BODY_MAX,
 * ANSWER_HEADER_MAX and, for what HTTP hides in its framing, HTTP_RAW_MAX. The caller ignores
 * SIGPIPE.
 *
 * One prober belongs to one thread. The first one made initialises libcurl without TLS, so it is
 * made before other threads use libcurl.
 */
int http_prober_new(sd_event *event, struct prober **ret);

#define HTTP_TIMER_ACCURACY (20 * USEC_PER_MSEC)

/* Bytes off the wire for one answer, framing included, before the question is given up as too
 * large. Chunked framing of one-byte chunks costs six bytes a byte; this allows that and more. */
#define HTTP_RAW_MAX (UINT64_C(8) * (ANSWER_BODY_MAX + ANSWER_HEADER_MAX))

#endif
