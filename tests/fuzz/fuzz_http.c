/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes a probe from the socket to the verdict: a service that answers with any bytes at all, read
 * by libcurl under our limits and judged. There is no network: connect() is ours, and the answer
 * lies in the socket before the question is asked. */
/* LINK: base model io/http io/http_exchange io/http_multi io/http_take io/tcp policy/verdict */
/* LIBS: libcurl libsystemd libcbor jansson inih */
#include "replay.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macro.h"
#include "io/http.h"
#include "model/utf8.h"
#include "policy/verdict.h"

static const uint8_t *answer_bytes;
static size_t answer_len;
static int far_end = -1;

/* Both are the program's, so libcurl finds them before libc's. A socket that is to go somewhere has
 * a far end that is ours. */
int socket(int domain, int type, int protocol)
{
	int pair[2];

	(void)domain, (void)protocol;
	if (socketpair(AF_UNIX, type, 0, pair) < 0)
		return -1;
	if (far_end >= 0)
		(void)close(far_end);
	far_end = pair[1];
	const int room = 1 << 20;
	(void)setsockopt(far_end, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	(void)send(far_end, answer_bytes, answer_len, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)shutdown(far_end, SHUT_WR);
	return pair[0];
}

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
	(void)fd, (void)address, (void)len;
	return 0;
}

static bool answered;

static void check_answer(void *userdata, const struct answer *a, usec_t now)
{
	static const struct service_spec service = {
		.name = "service-fs", .port = 9100, .probe = PROBE_CBOR
	};
	const struct expectation expect = {
		.nonce = "0123456789abcdef", .boot_id = "", .past_boot_id = ""
	};
	struct judgement j;

	(void)userdata, (void)now;
	answered = true;
	require((unsigned)a->kind < ANSWER_KIND_NUM, "a kind of answer");
	require(a->body_len <= ANSWER_BODY_MAX, "a body is bounded");
	require(a->kind == ANSWER_WHOLE || a->status == 0 ||
			(a->kind == ANSWER_TOO_LARGE && a->body_len == ANSWER_BODY_MAX),
		"only a whole answer has a status, or one with too large a body");
	require(a->kind != ANSWER_WHOLE || (a->status >= 100 && a->status <= 599),
		"and it has one");
	require(utf8_printable(a->detail, strlen(a->detail)), "details can be printed");
	verdict_judge(&service, a, &expect, &j);
	require(j.verdict != VERDICT_NONE && (unsigned)j.verdict < VERDICT_NUM, "a verdict");
	require(utf8_printable(j.reason, strlen(j.reason)), "its reason can be printed");
	require(j.verdict != VERDICT_OK || a->kind == ANSWER_WHOLE, "only a whole answer is ok");
}

static void ask(struct prober *prober, sd_event *event, const uint8_t *data, size_t size)
{
	const struct question q = { .address = "127.0.0.1",
		.port = 19100,
		.protocol = ANSWER_HTTP,
		.path = "/healthz",
		.nonce = "0123456789abcdef",
		.timeout = USEC_PER_SEC };
	int error;

	answer_bytes = data;
	answer_len = size;
	answered = false;
	require(prober->vtable->ask(prober, &q, check_answer, NULL, &error) != NULL, "it asks");
	while (!answered)
		require(sd_event_run(event, 3 * USEC_PER_SEC) > 0, "it answers in time");
}

/* Parts two answers, of which the first must leave nothing behind for the second. */
#define SEPARATOR 0x1e

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static sd_event *event;
	static struct prober *prober;

	if (!event)
		require(sd_event_new(&event) >= 0 && http_prober_new(event, &prober) == 0,
			"there is a prober");
	const uint8_t *part = size > 0 ? memchr(data, SEPARATOR, size) : NULL;
	size_t first = part ? (size_t)(part - data) : size;
	ask(prober, event, data, first);
	if (part)
		ask(prober, event, part + 1, size - first - 1);
	return 0;
}
