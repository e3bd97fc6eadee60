/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's options for a long download, and the reading of its outcome. */
#include "io/fetch.h"

#include "base/failpoint.h"
#include "io/fetch_part.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>

#define READ_BUFFER     (256L * 1024L)
#define LOW_SPEED_BYTES 1024L /* a second */

struct transfer {
	const struct fetch *fetch;
	struct fetch_part *part;
	CURL *easy;
	size_t head_bytes;
	struct fetch_head head; /* of the answer whose body comes */
	int error;              /* a callback's, which ended the transfer */
	struct reason *reason;
};

static size_t on_header(char *data, size_t size, size_t n, void *userdata)
{
	struct transfer *t = userdata;

	t->head_bytes += size * n;
	if (t->head_bytes > FETCH_HEAD_MAX) {
		t->error = reason_set(t->reason, -EPROTO, "%s answers without end", t->fetch->url);
		return 0;
	}
	fetch_head_line(&t->head, data, size * n);
	return size * n;
}

static size_t on_body(char *data, size_t size, size_t n, void *userdata)
{
	struct transfer *t = userdata;

	if (!t->part->begun) {
		long status = 0;

		(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
		t->error = fetch_part_begin(t->part, (int)status, &t->head, t->reason);
		if (t->error < 0)
			return 0;
	}
	t->error = fetch_part_write(t->part, data, size * n, t->reason);
	return t->error < 0 ? 0 : size * n;
}

/* Only options that every supported libcurl knows (7.85 and later), so that only memory can fail.
 */
static CURLcode set_options(struct transfer *t, struct curl_slist *lines)
{
	const char *ca = getenv("CURL_CA_BUNDLE") ?: getenv("SSL_CERT_FILE");
	CURL *easy = t->easy;
	long seconds = (long)(t->fetch->patience / USEC_PER_SEC) ?: 1;
	CURLcode r = CURLE_OK;

	r |= curl_easy_setopt(easy, CURLOPT_URL, t->fetch->url);
	r |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
	r |= curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "https");
	r |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
	r |= curl_easy_setopt(easy, CURLOPT_MAXREDIRS, FETCH_REDIRECTS_MAX);
	r |= curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
	r |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	r |= curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
	/* Nothing that was not asked for is unpacked: some layers of it turn a few bytes into hours
	 * of nothing, in which no callback runs. */
	r |= curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	r |= curl_easy_setopt(easy, CURLOPT_USERAGENT, "mediakitd/" MEDIAKIT_VERSION);
	r |= curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, READ_BUFFER);
	r |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, seconds);
	r |= curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, LOW_SPEED_BYTES);
	r |= curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, seconds);
	r |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, lines);
	r |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	r |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
	r |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	r |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
	if (ca && *ca)
		r |= curl_easy_setopt(easy, CURLOPT_CAINFO, ca);
	return r;
}

/* Range and If-Range, where there is something to go on with. NULL and no lines otherwise. */
static struct curl_slist *resume_lines(const struct fetch_part *part)
{
	char range[64], if_range[FETCH_VALIDATOR_MAX + 16];

	if (part->offset == 0)
		return NULL;
	(void)snprintf(range, sizeof(range), "Range: bytes=%ju-", (uintmax_t)part->offset);
	(void)snprintf(if_range, sizeof(if_range), "If-Range: %s", part->validator);
	struct curl_slist *first = curl_slist_append(NULL, range);
	struct curl_slist *both = first ? curl_slist_append(first, if_range) : NULL;
	if (!both)
		curl_slist_free_all(first);
	return both;
}

static int failure_of(struct transfer *t, CURLcode code, const char *words)
{
	const char *url = t->fetch->url;
	long status = 0;

	(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (t->error < 0)
		return t->error;
	switch (code) {
	case CURLE_HTTP_RETURNED_ERROR:
		return reason_set(t->reason, status == 416 ? -ESTALE : -ENOENT, "%s answers %ld%s",
			url, status, status == 404 ? ": there is no such file" : "");
	case CURLE_UNSUPPORTED_PROTOCOL:
		return reason_set(t->reason, -EPROTO,
			"%s redirects to another scheme than https, which is not followed", url);
	case CURLE_TOO_MANY_REDIRECTS:
		return reason_set(t->reason, -EPROTO, "%s redirects more than %ld times", url,
			FETCH_REDIRECTS_MAX);
	case CURLE_OPERATION_TIMEDOUT:
		return reason_set(t->reason, -ETIMEDOUT, "%s stalls: %s", url, words);
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		return reason_set(t->reason, -EACCES, "%s cannot be verified: %s", url, words);
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_HTTP2_STREAM:
		return reason_set(t->reason, -ECONNABORTED, "%s breaks off: %s", url, words);
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	default:
		return reason_set(t->reason, -EHOSTUNREACH, "cannot fetch %s: %s", url, words);
	}
}

static int drive(CURLM *multi, struct transfer *t, CURLcode *ret)
{
	int running = 1, left = 0;

	while (running > 0) {
		if (curl_multi_perform(multi, &running) != CURLM_OK)
			return -ENOMEM;
		const struct fetch_progress progress = { t->part->offset, t->part->total };
		if (t->fetch->progress)
			t->fetch->progress(t->fetch->userdata, &progress);
		int r = tick_call(t->fetch->tick);
		if (r < 0)
			return r;
		if (running > 0)
			(void)curl_multi_poll(
				multi, NULL, 0, (int)(TICK_INTERVAL / USEC_PER_MSEC), NULL);
	}
	const CURLMsg *message = curl_multi_info_read(multi, &left);
	*ret = message ? message->data.result : CURLE_OUT_OF_MEMORY;
	return 0;
}

static int perform(struct transfer *t)
{
	char words[CURL_ERROR_SIZE] = "";
	CURLcode code = CURLE_OUT_OF_MEMORY;
	struct curl_slist *lines = resume_lines(t->part);
	CURLM *multi = curl_multi_init();
	int r = -ENOMEM;

	t->easy = curl_easy_init();
	if (multi && t->easy && (lines || t->part->offset == 0) &&
		set_options(t, lines) == CURLE_OK &&
		curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, words) == CURLE_OK &&
		curl_multi_add_handle(multi, t->easy) == CURLM_OK) {
		r = drive(multi, t, &code);
		if (r >= 0 && code != CURLE_OK)
			r = failure_of(t, code, words[0] ? words : curl_easy_strerror(code));
		(void)curl_multi_remove_handle(multi, t->easy);
	}
	curl_easy_cleanup(t->easy);
	if (multi)
		(void)curl_multi_cleanup(multi);
	curl_slist_free_all(lines);
	/* An answer of no bytes calls nobody. */
	if (r >= 0 && !t->part->begun)
		r = reason_set(t->reason, -EPROTO, "%s answers with nothing", t->fetch->url);
	return r;
}

static int fetch_once(const struct fetch *fetch, struct fetch_part *part, struct reason *reason)
{
	struct transfer t = { .fetch = fetch, .part = part, .reason = reason };
	int r = fetch_part_open(part, fetch, reason);

	if (r >= 0 && !part->whole)
		r = perform(&t);
	if (r >= 0)
		r = fetch_part_finish(part, reason);
	if (r < 0 && part->fd >= 0 && part->offset == 0)
		fetch_discard(fetch->path);
	return r;
}

/* A path out of file:///a%20b; libcurl's own reader of such URLs would wait for a FIFO's writer. */
static int fetch_local(const struct fetch *fetch, struct reason *reason)
{
	CURLU *url = curl_url();
	char *path = NULL;
	int r = -ENOMEM;

	if (url && curl_url_set(url, CURLUPART_URL, fetch->url, 0) == CURLUE_OK &&
		curl_url_get(url, CURLUPART_PATH, &path, CURLU_URLDECODE) == CURLUE_OK)
		r = fetch_part_copy(fetch, path, reason);
	curl_free(path);
	curl_url_cleanup(url);
	return r;
}

int fetch_file(const struct fetch *fetch, struct reason *reason)
{
	uint64_t reached = 0;
	int r = -ENOMEM;

	if (strncmp(fetch->url, "file://", 7) == 0)
		return fetch_local(fetch, reason);
	for (unsigned tries = 0; tries < FETCH_RETRIES; tries++) {
		CLEANUP(fetch_part_close) struct fetch_part part = { .fd = -1 };

		r = fetch_once(fetch, &part, reason);
		/* The end that was asked for does not exist: the file there is another one. */
		if (r == -ESTALE)
			fetch_discard(fetch->path);
		else if (r != -ECONNABORTED || part.offset <= reached)
			break;
		reached = part.offset;
	}
	return r == -ESTALE ? -EPROTO : r;
}
