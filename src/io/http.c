/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation: a question occupies a slot from ask() until its `done` returns or cancel().
 * Slots are kept and used again, each with its easy handle, so that a probe in steady state sets no
 * option but the target's.
 *
 * A slot is on exactly one list: `spare`, `flying`, or `failed` (all transfers are being given up
 * in this turn and this one's turn has not come). While its `done` runs it is on none, which is
 * what makes these safe from inside a `done`: ask() takes another slot; cancel() of another
 * question takes it off its list, before its turn came or not; cancel() of this one finds it
 * ANSWERED and leaves it alone; destroy() cancels all others and marks the prober dead, and the
 * outermost dispatch sweeps it (`busy` counts them).
 *
 * ask() never answers: libcurl starts in the next turn of the loop, when `kick` fires, for all
 * questions asked in this one. That is where the saving of asking for a guest's services together
 * comes from.
 */
#include "io/http.h"

#include "base/macro.h"
#include "io/http_exchange.h"
#include "io/http_multi.h"
#include "io/tcp.h"

#include <errno.h>
#include <string.h>
#include <sys/queue.h>

enum slot_state {
	SLOT_SPARE,    /* no question */
	SLOT_HTTP,     /* its easy handle is in the multi */
	SLOT_TCP,      /* its tcp is open */
	SLOT_ANSWERED, /* its `done` runs */
};

LIST_HEAD(slot_list, question_slot);

struct question_slot {
	LIST_ENTRY(question_slot) link;
	struct http_prober *prober;
	enum slot_state state;
	usec_t asked;
	answer_t done;
	void *userdata;
	struct tcp tcp;
	struct http_exchange http;
};

struct http_prober {
	struct prober prober; /* first: the vtable's functions cast back */
	sd_event *event;
	struct http_multi multi;
	struct slot_list spare, flying, failed;
	unsigned n_flying; /* n_flying: the failed too */
	struct curl_slist *headers;
	unsigned busy;
	bool dead;
};

static struct http_prober *prober_of(struct prober *p)
{
	return (struct http_prober *)p;
}

static struct question_slot *slot_take(struct http_prober *p)
{
	struct question_slot *s = LIST_FIRST(&p->spare);

	if (s) {
		LIST_REMOVE(s, link);
		return s;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->prober = p;
	s->tcp.fd = -1;
	http_exchange_init(&s->http, p->headers, s);
	return s;
}

static void slot_give_back(struct question_slot *s)
{
	struct http_prober *p = s->prober;

	s->state = SLOT_SPARE;
	s->done = NULL;
	s->userdata = NULL;
	LIST_INSERT_HEAD(&p->spare, s, link);
}

/* Off its list and off the network. */
static void slot_stop(struct question_slot *s)
{
	if (s->state == SLOT_HTTP)
		(void)curl_multi_remove_handle(s->prober->multi.curl, s->http.easy);
	else
		tcp_close(&s->tcp);
	LIST_REMOVE(s, link);
	s->prober->n_flying--;
}

static void prober_free(struct http_prober *p)
{
	struct question_slot *s, *next;

	for (s = LIST_FIRST(&p->spare); s; s = LIST_NEXT(s, link))
		http_exchange_done(&s->http);
	/* Closes what connections there are, and that is still told to their exchange. */
	http_multi_done(&p->multi);
	for (s = LIST_FIRST(&p->spare); s; s = next) {
		next = LIST_NEXT(s, link);
		free(s);
	}
	curl_slist_free_all(p->headers);
	sd_event_unref(p->event);
	curl_global_cleanup();
	free(p);
}

static void prober_enter(struct http_prober *p)
{
	p->busy++;
}

static void prober_leave(struct http_prober *p)
{
	if (--p->busy == 0 && p->dead)
		prober_free(p);
}

static void slot_answer(struct question_slot *s, struct answer *a, usec_t now)
{
	slot_stop(s);
	s->state = SLOT_ANSWERED;
	s->done(s->userdata, a, now);
	slot_give_back(s);
}

static struct question_slot *slot_of(CURL *easy)
{
	char *private = NULL;

	(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
	return (struct question_slot *)(void *)private;
}

/* Each is moved aside first, so that a question asked from inside a `done` is not given up with the
 * others, and finds a multi handle that is whole: see http_multi_renew(). Without memory for that
 * the next question tries again. */
static void fail_all(struct http_prober *p, usec_t now)
{
	struct question_slot *s, *next;

	for (s = LIST_FIRST(&p->flying); s; s = next) {
		next = LIST_NEXT(s, link);
		if (s->state != SLOT_HTTP)
			continue;
		(void)curl_multi_remove_handle(p->multi.curl, s->http.easy);
		LIST_REMOVE(s, link);
		LIST_INSERT_HEAD(&p->failed, s, link);
	}
	(void)http_multi_renew(&p->multi);
	while ((s = LIST_FIRST(&p->failed))) {
		struct answer a = {
			.protocol = ANSWER_HTTP,
			.kind = ANSWER_LOCAL_ERROR,
			.latency = usec_sub(now, s->asked),
			.detail = "libcurl or epoll failed",
		};

		slot_answer(s, &a, now);
	}
}

static void on_turn(void *userdata, bool broken)
{
	struct http_prober *p = userdata;
	usec_t now = now_boottime();
	struct CURLMsg *message;
	int left;

	prober_enter(p);
	while ((message = curl_multi_info_read(p->multi.curl, &left))) {
		struct question_slot *s = slot_of(message->easy_handle);

		/* Every handle that was added has one. */
		assert(s);
		struct answer a = { .latency = usec_sub(now, s->asked) };

		/* The message dies with the handle's removal, in slot_answer(). */
		http_exchange_judge(&s->http, message->data.result, &a);
		slot_answer(s, &a, now);
	}
	if (broken)
		fail_all(p, now);
	prober_leave(p);
}

static void on_tcp(
	void *userdata, enum answer_kind kind, usec_t latency, const char *text, usec_t now)
{
	struct question_slot *s = userdata;
	struct http_prober *p = s->prober;
	struct answer a = { .protocol = ANSWER_TCP, .kind = kind, .latency = latency };

	(void)snprintf(a.detail, sizeof(a.detail), "%s", text);
	prober_enter(p);
	slot_answer(s, &a, now);
	prober_leave(p);
}

static int slot_start(
	struct question_slot *s, const struct question *q, const struct sockaddr_in *peer)
{
	struct http_prober *p = s->prober;
	int r;

	if (q->protocol == ANSWER_TCP) {
		s->state = SLOT_TCP;
		return tcp_open(&s->tcp, p->event, peer, q->timeout, TCP_SETTLE, on_tcp, s);
	}
	s->state = SLOT_HTTP;
	r = p->multi.curl ? 0 : http_multi_renew(&p->multi);
	if (r >= 0)
		r = http_exchange_ask(&s->http, q, peer);
	if (r < 0)
		return r;
	return curl_multi_add_handle(p->multi.curl, s->http.easy) == CURLM_OK ? 0 : -ENOMEM;
}

static struct question_slot *http_ask(struct prober *prober, const struct question *q,
	answer_t done, void *userdata, int *ret_error)
{
	struct http_prober *p = prober_of(prober);
	struct question_slot *s = NULL;
	struct sockaddr_in peer;
	int r;

	r = question_check(q, &peer);
	if (r == 0 && p->n_flying >= PROBER_QUESTIONS_MAX)
		r = -ENOBUFS;
	if (r == 0) {
		s = slot_take(p);
		r = s ? slot_start(s, q, &peer) : -ENOMEM;
	}
	if (r < 0 || !s) {
		if (s)
			slot_give_back(s);
		*ret_error = r;
		return NULL;
	}
	s->asked = now_boottime();
	s->done = done;
	s->userdata = userdata;
	LIST_INSERT_HEAD(&p->flying, s, link);
	p->n_flying++;
	return s;
}

static void http_cancel(struct prober *prober, struct question_slot *s)
{
	(void)prober;
	if (!s || s->state == SLOT_ANSWERED || s->state == SLOT_SPARE)
		return;
	slot_stop(s);
	slot_give_back(s);
}

static void http_destroy(struct prober *prober)
{
	struct http_prober *p = prober_of(prober);

	while (!LIST_EMPTY(&p->flying))
		http_cancel(prober, LIST_FIRST(&p->flying));
	while (!LIST_EMPTY(&p->failed))
		http_cancel(prober, LIST_FIRST(&p->failed));
	p->dead = true;
	prober_enter(p);
	prober_leave(p);
}

static const struct prober_vtable http_vtable = {
	.destroy = http_destroy,
	.ask = http_ask,
	.cancel = http_cancel,
};

int http_prober_new(sd_event *event, struct prober **ret)
{
	struct http_prober *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	/* No TLS: none is spoken, and its tables cost memory. */
	if (curl_global_init(CURL_GLOBAL_NOTHING) != CURLE_OK) {
		free(p);
		return -ENOMEM;
	}
	p->prober.vtable = &http_vtable;
	p->event = sd_event_ref(event);
	p->multi.epoll = -1;
	p->multi.turn = on_turn;
	p->multi.userdata = p;
	p->headers = curl_slist_append(NULL, "Accept: application/cbor, */*;q=0.1");
	r = p->headers ? http_multi_init(&p->multi, event) : -ENOMEM;
	if (r < 0) {
		prober_free(p);
		return r;
	}
	*ret = &p->prober;
	return 0;
}
