/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's multi-socket interface driven by sd-event: sockets, the one timer, and nothing about
 * questions. Used by io/http only. */
#ifndef MEDIAKIT_IO_HTTP_MULTI_H
#define MEDIAKIT_IO_HTTP_MULTI_H

#include <curl/curl.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

struct http_socket;

struct http_multi {
	CURLM *curl;
	sd_event *event;
	sd_event_source *timer; /* curl's next time-out */
	sd_event_source *kick;  /* armed: curl wants to be called in the next turn of the loop */
	struct http_socket
		*spare; /* watched sockets of the past: their event sources are used again */
	unsigned n_spare;
	bool broken;
	/* Called last in every dispatch, so it may free the multi. `broken`: libcurl's state is
	 * uncertain or a socket could not be watched, so every transfer has to be removed. */
	void (*turn)(void *userdata, bool broken);
	void *userdata;
};

/* `turn` and `userdata` are set by the caller, the rest zeroed. 0 or -errno (-ENOMEM);
 * http_multi_done() is due in both cases, with every transfer removed first. */
int http_multi_init(struct http_multi *m, sd_event *event);
void http_multi_done(struct http_multi *m);

#endif
