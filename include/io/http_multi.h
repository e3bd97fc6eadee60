/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's multi-socket interface driven by sd-event: sockets, the one timer, and nothing about
 * questions. Used by io/http only. */
#ifndef MEDIAKIT_IO_HTTP_MULTI_H
#define MEDIAKIT_IO_HTTP_MULTI_H

#include "base/time.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

struct http_multi {
	CURLM *curl;
	int epoll;              /* libcurl's sockets; -1: not open */
	sd_event_source *ready; /* the epoll set has events */
	sd_event_source *timer; /* libcurl's next time-out, */
	usec_t timer_at;        /* armed for then; 0: not armed */
	sd_event_source *kick;  /* armed: libcurl wants to be called in the next turn of the loop */
	bool broken;
	/* Called last in every dispatch, so it may free the multi. `broken`: libcurl's state is
	 * uncertain or a socket could not be watched, so every transfer has to be removed. */
	void (*turn)(void *userdata, bool broken);
	void *userdata;
};

/* `turn` and `userdata` are set by the caller, the rest zeroed. 0 or -errno (-ENOMEM, -EMFILE);
 * http_multi_done() is due in both cases, with every transfer removed first. */
int http_multi_init(struct http_multi *m, sd_event *event);
void http_multi_done(struct http_multi *m);
/* A new multi handle in place of one that failed, once no transfer is in it. 0, or -ENOMEM: `curl`
 * is NULL then. A handle that was short of memory once cannot be trusted: libcurl 7.88 keeps an
 * entry of the socket it could not watch (singlesocket() in multi.c), and divides by zero when a
 * descriptor of that number comes again. */
int http_multi_renew(struct http_multi *m);

#endif
