/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP question and what became of it: a libcurl easy handle, made anew for each question.
 * Knows no event loop. Used by io/http only. */
#ifndef MEDIAKIT_IO_HTTP_EXCHANGE_H
#define MEDIAKIT_IO_HTTP_EXCHANGE_H

#include "io/http.h"
#include "io/http_take.h"

#include <curl/curl.h>
#include <netinet/in.h>

#define NONCE_NAME "MediaKit-Nonce: "
#define NONCE_LEN  16u

struct http_exchange {
	CURL *easy;                 /* of the last question, NULL before the first */
	void *private;              /* what CURLINFO_PRIVATE gives */
	struct curl_slist *headers; /* those every question has; borrowed, outlives the exchange */
	struct curl_slist nonce;    /* our own node before `headers`, pointing to: */
	char nonce_line[sizeof(NONCE_NAME) + NONCE_LEN];
	struct sockaddr_in peer; /* the only place a socket of this exchange may go */
	int socket_error;        /* errno of a socket that was not to be had */
	int fd;                  /* while open, else -1 */
	unsigned steps;          /* how often libcurl has got on with it */
	uint64_t raw_bytes; /* off the wire, where it mattered; see on_progress() and on_close() */
	bool flooded;       /* raw_bytes went over HTTP_RAW_MAX */
	struct take take;
};

/* `private` is what CURLINFO_PRIVATE gives for the handle. http_exchange_done() is due in the end.
 */
void http_exchange_init(struct http_exchange *x, struct curl_slist *headers, void *private);
void http_exchange_done(struct http_exchange *x);

/* 0 and *ret_peer, or -EINVAL for a question that http.h says is refused. */
int question_check(const struct question *q, struct sockaddr_in *ret_peer);

/* Makes a handle ready to be added to a multi; the one before is in none. `q` has passed
 * question_check(). 0 or -ENOMEM. */
int http_exchange_ask(
	struct http_exchange *x, const struct question *q, const struct sockaddr_in *peer);

/* Fills everything of the answer but `latency` from libcurl's result. *ret is zeroed by the caller;
 * its body points into the exchange. */
void http_exchange_judge(struct http_exchange *x, CURLcode code, struct answer *ret);

#endif
