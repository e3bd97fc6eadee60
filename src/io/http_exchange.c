/* SPDX-License-Identifier: Apache-2.0 */
/* The options that make libcurl fit for a hostile peer, and the reading of its results. */
#include "io/http_exchange.h"

#include "base/macro.h"
#include "io/tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

/* libcurl's own buffer, from the heap for each transfer in flight. An ordinary answer fits in one
 * read. */
#define READ_BUFFER 8192L

/* An ordinary answer takes twelve steps; each reads 100 buffers at most. */
#define FREE_STEPS 16u

static size_t on_line(char *data, size_t size, size_t n, void *userdata)
{
	struct http_exchange *x = userdata;

	return take_line(&x->take, data, size * n) < 0 ? 0 : size * n;
}

static size_t on_body(char *data, size_t size, size_t n, void *userdata)
{
	struct http_exchange *x = userdata;

	return take_body(&x->take, data, size * n) < 0 ? 0 : size * n;
}

/* A kernel that cannot say leaves the time-out as the only bound, and a FIN may count as a byte. */
static uint64_t bytes_received(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (fd < 0 || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return 0;
	return info.tcpi_bytes_received;
}

/*
 * HTTP has room for bytes that reach neither callback above, such as a chunk extension that never
 * ends. libcurl reads those for as long as they come, up to the time-out and without returning to
 * the loop in between, so one guest could stop the daemon for seconds. This is the one callback
 * that runs meanwhile: after FREE_STEPS, which an ordinary answer never needs, the kernel is asked
 * how much came.
 */
static int on_progress(
	void *userdata, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now)
{
	struct http_exchange *x = userdata;

	(void)total;
	(void)now;
	(void)up_total;
	(void)up_now;
	if (++x->steps <= FREE_STEPS)
		return 0;
	x->raw_bytes = bytes_received(x->fd);
	x->flooded = x->raw_bytes > HTTP_RAW_MAX;
	return x->flooded;
}

/* Before the body the count tells a service that closed in the middle of a header line from nobody
 * at all, and a line too long for libcurl from our own want of memory. */
static int on_close(void *userdata, curl_socket_t fd)
{
	struct http_exchange *x = userdata;

	if (fd == x->fd) {
		if (x->take.part != TAKE_BODY)
			x->raw_bytes = bytes_received(fd);
		x->fd = -1;
	}
	return close(fd);
}

/* The last word on where a packet goes, whatever a URL, a redirect or the environment may have
 * said. */
static curl_socket_t on_open(void *userdata, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_exchange *x = userdata;
	struct sockaddr_in to;
	int fd = -1;

	memcpy(&to, &address->addr, sizeof(to));
	if (purpose != CURLSOCKTYPE_IPCXN || address->family != AF_INET ||
		to.sin_port != x->peer.sin_port || to.sin_addr.s_addr != x->peer.sin_addr.s_addr)
		errno = EACCES;
	else
		fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (fd < 0)
		x->socket_error = errno;
	x->fd = fd;
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

/* Sets only options that every supported libcurl knows, so that only memory can fail. */
static CURLcode set_safety(CURL *easy)
{
	CURLcode r = CURLE_OK;

	r |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
	r |= curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http");
	r |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	r |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	r |= curl_easy_setopt(easy, CURLOPT_PROXY, "");
	r |= curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	r |= curl_easy_setopt(easy, CURLOPT_IPRESOLVE, (long)CURL_IPRESOLVE_V4);
	r |= curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	r |= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	r |= curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
	r |= curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	/* libcurl keeps numeric addresses, too, one entry for each port for a minute, and walks all
	 * of them for each question. Nothing kept is nothing to walk. */
	r |= curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	r |= curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	r |= curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	r |= curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, READ_BUFFER);
	/* The question is one segment, so Nagle's algorithm never delays it; this saves a system
	 * call. */
	r |= curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 0L);
	r |= curl_easy_setopt(easy, CURLOPT_USERAGENT, "mediakitd/" MEDIAKIT_VERSION);
	return r;
}

static CURLcode set_callbacks(struct http_exchange *x)
{
	CURLcode r = CURLE_OK;

	r |= curl_easy_setopt(x->easy, CURLOPT_PRIVATE, x->private);
	r |= curl_easy_setopt(x->easy, CURLOPT_WRITEFUNCTION, on_body);
	r |= curl_easy_setopt(x->easy, CURLOPT_WRITEDATA, x);
	r |= curl_easy_setopt(x->easy, CURLOPT_HEADERFUNCTION, on_line);
	r |= curl_easy_setopt(x->easy, CURLOPT_HEADERDATA, x);
	r |= curl_easy_setopt(x->easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
	r |= curl_easy_setopt(x->easy, CURLOPT_OPENSOCKETDATA, x);
	r |= curl_easy_setopt(x->easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	r |= curl_easy_setopt(x->easy, CURLOPT_CLOSESOCKETDATA, x);
	r |= curl_easy_setopt(x->easy, CURLOPT_NOPROGRESS, 0L);
	r |= curl_easy_setopt(x->easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	r |= curl_easy_setopt(x->easy, CURLOPT_XFERINFODATA, x);
	return r;
}

void http_exchange_init(struct http_exchange *x, struct curl_slist *headers, void *private)
{
	x->headers = headers;
	x->private = private;
	x->nonce = (struct curl_slist){ .data = x->nonce_line, .next = headers };
	memcpy(x->nonce_line, NONCE_NAME, sizeof(NONCE_NAME));
}

void http_exchange_done(struct http_exchange *x)
{
	curl_easy_cleanup(x->easy);
	x->easy = NULL;
}

static bool is_path(const char *path)
{
	size_t len = path ? strlen(path) : 0;

	if (len == 0 || len > HTTP_PATH_MAX || path[0] != '/')
		return false;
	for (size_t i = 0; i < len; i++)
		if (path[i] <= ' ' || path[i] > '~' || path[i] == '#')
			return false;
	return true;
}

static bool is_nonce(const char *nonce)
{
	return strlen(nonce) == NONCE_LEN && strspn(nonce, "0123456789abcdef") == NONCE_LEN;
}

int question_check(const struct question *q, struct sockaddr_in *ret_peer)
{
	struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(q->port) };

	if (!q->address || inet_pton(AF_INET, q->address, &peer.sin_addr) != 1 || q->port == 0)
		return -EINVAL;
	if (q->timeout == 0 || q->timeout > USEC_PER_DAY)
		return -EINVAL;
	if (q->protocol != ANSWER_HTTP && q->protocol != ANSWER_TCP)
		return -EINVAL;
	if (q->protocol == ANSWER_HTTP && (!is_path(q->path) || (q->nonce && !is_nonce(q->nonce))))
		return -EINVAL;
	*ret_peer = peer;
	return 0;
}

static CURLcode set_question(struct http_exchange *x, const struct question *q)
{
	long ms = (long)((q->timeout + USEC_PER_MSEC - 1) / USEC_PER_MSEC);
	char url[sizeof("http://255.255.255.255:65535") + HTTP_PATH_MAX];
	CURLcode r = CURLE_OK;

	/* inet_pton took the address and question_check bounded the path, so it fits. */
	(void)snprintf(url, sizeof(url), "http://%s:%u%s", q->address, q->port, q->path);
	if (q->nonce)
		memcpy(x->nonce_line + strlen(NONCE_NAME), q->nonce, NONCE_LEN + 1);
	r |= curl_easy_setopt(x->easy, CURLOPT_URL, url);
	r |= curl_easy_setopt(x->easy, CURLOPT_TIMEOUT_MS, ms);
	r |= curl_easy_setopt(x->easy, CURLOPT_CONNECTTIMEOUT_MS, ms);
	r |= curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, q->nonce ? &x->nonce : x->headers);
	return r;
}

/*
 * A handle asks once. Reused, the one of libcurl 7.88 remembers the last header line of the answer
 * before, which is freed by then, and hangs a continuation line onto it if the next answer begins
 * with one: with two answers a guest had us write into freed memory. A new handle costs about a
 * microsecond.
 */
int http_exchange_ask(
	struct http_exchange *x, const struct question *q, const struct sockaddr_in *peer)
{
	http_exchange_done(x);
	x->easy = curl_easy_init();
	if (!x->easy || set_safety(x->easy) != CURLE_OK || set_callbacks(x) != CURLE_OK ||
		set_question(x, q) != CURLE_OK)
		return -ENOMEM;
	x->peer = *peer;
	x->socket_error = 0;
	x->fd = -1;
	x->steps = 0;
	x->raw_bytes = 0;
	x->flooded = false;
	take_reset(&x->take);
	return 0;
}

/* `format` and its arguments are ours or numbers: nothing the guest wrote is ever put into a
 * detail. */
static PRINTF_LIKE(3, 4) void judge(
	struct answer *a, enum answer_kind kind, const char *format, ...)
{
	va_list ap;

	a->kind = kind;
	va_start(ap, format);
	(void)vsnprintf(a->detail, sizeof(a->detail), format, ap);
	va_end(ap);
}

/* One byte on the wire may have been a FIN. */
static bool anything_came(const struct http_exchange *x)
{
	return x->take.head_bytes > 0 || x->raw_bytes > 1;
}

static void judge_errno(struct http_exchange *x, struct answer *a)
{
	long error = 0;
	const char *text;

	(void)curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &error);
	if (x->socket_error != 0)
		error = x->socket_error;
	enum answer_kind kind = tcp_errno_kind(error != 0 ? (int)error : ECONNREFUSED, &text);
	judge(a, kind, "%s", text);
}

static void judge_timeout(struct http_exchange *x, struct answer *a)
{
	curl_off_t connected = 0;

	(void)curl_easy_getinfo(x->easy, CURLINFO_CONNECT_TIME_T, &connected);
	if (connected == 0)
		judge(a, ANSWER_TIMEOUT, "no connection in time");
	else if (!anything_came(x))
		judge(a, ANSWER_TIMEOUT, "connected, but not a byte came");
	else
		judge(a, ANSWER_TIMEOUT, "not whole after %zu bytes of headers and %zu of body",
			x->take.head_bytes, x->take.body_len);
}

/* The connection ended before libcurl thought the answer whole. */
static void judge_cut(struct http_exchange *x, struct answer *a)
{
	if (!anything_came(x))
		judge(a, ANSWER_CLOSED, "connection closed before any byte");
	else if (x->take.part != TAKE_BODY)
		judge(a, ANSWER_NOT_HTTP, "cut off in the headers");
	else
		judge(a, ANSWER_NOT_HTTP, "cut off after %zu bytes of body", x->take.body_len);
}

/* The head is whole; what it says is taken if it is one of HTTP/1.x, and as much of the body as
 * came. */
static bool hear(struct http_exchange *x, struct answer *a)
{
	long status = 0, version = 0;

	(void)curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(x->easy, CURLINFO_HTTP_VERSION, &version);
	/* Newer ones take any status line that is shaped like one, and report their own version. */
	if (!x->take.http1 ||
		(version != CURL_HTTP_VERSION_1_0 && version != CURL_HTTP_VERSION_1_1)) {
		judge(a, ANSWER_NOT_HTTP, "no HTTP/1.x status line");
		return false;
	}
	if (status < 100 || status > 599) {
		judge(a, ANSWER_NOT_HTTP, "HTTP status out of range");
		return false;
	}
	a->status = (int)status;
	a->says_cbor = take_says_cbor(&x->take);
	a->body = x->take.body;
	a->body_len = x->take.body_len;
	return true;
}

/* libcurl is content; we are if it was one whole response. */
static void judge_whole(struct http_exchange *x, struct answer *a)
{
	if (x->take.part != TAKE_BODY)
		judge_cut(x, a);
	else if (hear(x, a))
		judge(a, ANSWER_WHOLE, "%s",
			x->take.types > 1 ? "several Content-Type headers" : "");
}

static void judge_too_large(struct http_exchange *x, struct answer *a)
{
	if (x->flooded)
		judge(a, ANSWER_TOO_LARGE, "over %u bytes that are mostly HTTP framing",
			(unsigned)HTTP_RAW_MAX);
	else if (!x->take.body_over)
		judge(a, ANSWER_TOO_LARGE, "%s over %u bytes",
			x->take.part == TAKE_BODY ? "trailers" : "headers", ANSWER_HEADER_MAX);
	else if (hear(x, a))
		judge(a, ANSWER_TOO_LARGE, "body over %u bytes", ANSWER_BODY_MAX);
}

void http_exchange_judge(struct http_exchange *x, CURLcode code, struct answer *ret)
{
	ret->protocol = ANSWER_HTTP;
	if (x->take.too_large || x->flooded) {
		judge_too_large(x, ret);
		return;
	}
	switch (code) {
	case CURLE_OK:
		judge_whole(x, ret);
		break;
	case CURLE_COULDNT_CONNECT:
		judge_errno(x, ret);
		break;
	case CURLE_OPERATION_TIMEDOUT:
		judge_timeout(x, ret);
		break;
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_PARTIAL_FILE:
		judge_cut(x, ret);
		break;
#if LIBCURL_VERSION_NUM >= 0x080600
	case CURLE_TOO_LARGE: /* a header line over libcurl's own limit */
#endif
		judge_too_large(x, ret);
		break;
	case CURLE_OUT_OF_MEMORY:
		/* libcurl 7.88 also says so of a header line over its own limit, of 100 KiB; later
		 * ones have a code for that. */
		if (x->take.part == TAKE_BODY || x->raw_bytes > ANSWER_HEADER_MAX)
			judge_too_large(x, ret);
		else
			judge(ret, ANSWER_LOCAL_ERROR, "out of memory");
		break;
	case CURLE_FAILED_INIT:
	case CURLE_URL_MALFORMAT:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_BAD_FUNCTION_ARGUMENT:
	case CURLE_ABORTED_BY_CALLBACK:
		judge(ret, ANSWER_LOCAL_ERROR, "libcurl: %s", curl_easy_strerror(code));
		break;
	default:
		judge(ret, ANSWER_NOT_HTTP, "%s", curl_easy_strerror(code));
	}
}
