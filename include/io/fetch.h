/* SPDX-License-Identifier: Apache-2.0 */
/* Fetches one file over https, or from file://, into a file of ours. It blocks its caller; for the
 * offline verbs.
 *
 * Theory of operation. What comes is hostile until its digest was checked, and that is the caller's
 * part; here every amount is bounded: time without progress, redirects (to https only), header
 * bytes, body bytes, and space, which is asked for before the first byte is written. A transfer
 * that breaks off leaves what came under `path`, and beside it, in `path`.meta, the server's
 * validator (its strong ETag, else Last-Modified); the next call for the same URL asks for the rest
 * with Range and If-Range, so that a server whose file has changed sends the whole of the new one.
 * Rejected: keeping the bytes of one mirror for another; their validators cannot be compared. */
#ifndef MEDIAKIT_IO_FETCH_H
#define MEDIAKIT_IO_FETCH_H

#include "base/time.h"
#include "io/tick.h"
#include "model/reason.h"

#define FETCH_META ".meta" /* suffix of the file beside a partial one */

#define FETCH_REDIRECTS_MAX 5L
#define FETCH_HEAD_MAX      (64u * 1024u) /* bytes of header lines, of all answers together */
#define FETCH_RETRIES       5u            /* breaks with progress, before a mirror is given up */

struct fetch_progress {
	uint64_t done, total; /* bytes; total 0: the server has not said */
};

struct fetch {
	const char *url;      /* checked by the configuration: https:// or file:// */
	const char *path;     /* where to; what is there is gone on with, where that is possible */
	uint64_t bytes_max;   /* more is refused */
	uint64_t space_spare; /* bytes that must be left on the file system */
	usec_t patience;      /* to connect, and for how long less than 1 KiB/s may come */
	const struct tick *tick;
	/* Called before each tick; may be NULL. */
	void (*progress)(void *userdata, const struct fetch_progress *progress);
	void *userdata;
};

/* 0: the server says that this was all, and it is synced; the meta file stays. On failure, with the
 * reason: -ENOSPC (before anything is written, where the server says how much will come; the
 * partial file is removed where it grew until there was no more room); -EFBIG (over bytes_max);
 * -ENOENT (404 and its like, or no such local file); -EPROTO (another scheme, a broken or
 * nonsensical answer); -ETIMEDOUT (it stalls); -ECONNABORTED (it broke off; tried FETCH_RETRIES
 * times while there was progress); -EACCES (TLS cannot be verified); what the tick returned;
 * -errno.
 *
 * Proxies are those of the environment (libcurl-env(3)); $CURL_CA_BUNDLE or $SSL_CERT_FILE replace
 * the system's certificates, as for curl(1). */
int fetch_file(const struct fetch *fetch, struct reason *reason);

/* Removes what is at `path` and its meta file. Best effort. */
void fetch_discard(const char *path);

#endif
