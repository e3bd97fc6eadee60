/* SPDX-License-Identifier: Apache-2.0 */
/* Questions and what they come to. */
#include "fake_prober.h"

#include "base/macro.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct question_slot {
	struct question_slot *next;
	struct fake_prober *prober;
	struct fake_service *service;
	enum answer_protocol protocol;
	usec_t began;
	char nonce[17];
	answer_t done;
	void *userdata;
	struct happening *h;
	struct answer answer;
	uint8_t body[512];
};

/* RFC 8949: major types 3 (text) and 5 (map); every length here is below 256. */
static size_t put_head(uint8_t *at, unsigned major, size_t n)
{
	assert(n < 256);
	if (n < 24) {
		at[0] = (uint8_t)(major << 5 | n);
		return 1;
	}
	at[0] = (uint8_t)(major << 5 | 24);
	at[1] = (uint8_t)n;
	return 2;
}

static size_t put_text(uint8_t *at, const char *text)
{
	size_t n = put_head(at, 3, strlen(text));

	memcpy(at + n, text, strlen(text));
	return n + strlen(text);
}

static size_t put_pair(uint8_t *at, const char *key, const char *value)
{
	size_t n = put_text(at, key);

	return n + put_text(at + n, value);
}

/* Major type 0, in four bytes. */
static size_t put_uint(uint8_t *at, uint64_t value)
{
	at[0] = 26;
	for (unsigned i = 0; i < 4; i++)
		at[1 + i] = (uint8_t)(value >> (24 - 8 * i));
	return 5;
}

static void put_report(struct question_slot *q, const char *status, const char *name,
	const char *nonce, const char *boot_id)
{
	const struct fake_guest *d = q->service->guest;
	usec_t age = fake_guest_age(d) - MIN(q->service->began_late, fake_guest_age(d));
	size_t n = put_head(q->body, 5, name ? 5 : 1);

	n += put_pair(q->body + n, "status", status);
	if (name) {
		n += put_pair(q->body + n, "service", name);
		n += put_pair(q->body + n, "nonce", nonce);
		n += put_pair(q->body + n, "boot_id", boot_id);
		n += put_text(q->body + n, "uptime");
		n += put_uint(q->body + n,
			age > d->clock_lost ? (age - d->clock_lost) / USEC_PER_SEC : 0);
	}
	assert(n < sizeof(q->body));
	q->answer.status = 200;
	q->answer.says_cbor = true;
	q->answer.body = q->body;
	q->answer.body_len = n;
}

static void put_plain(struct question_slot *q, int status, bool says_cbor)
{
	memcpy(q->body, "ok\n", 3);
	q->answer.status = status;
	q->answer.says_cbor = says_cbor;
	q->answer.body = q->body;
	q->answer.body_len = 3;
}

/* What the service says, the moment it says it. */
static void speak(struct question_slot *q)
{
	const struct fake_service *s = q->service;
	const char *boot_id = s->guest->boot_id;

	q->answer.kind = ANSWER_WHOLE;
	switch (s->manner) {
	case MANNER_DEGRADED:
		put_report(q, "degraded", s->name, q->nonce, boot_id);
		break;
	case MANNER_STARTING:
		put_report(q, "starting", s->name, q->nonce, boot_id);
		break;
	case MANNER_FAILING:
	case MANNER_FAILING_503:
		put_report(q, "failing", s->name, q->nonce, boot_id);
		q->answer.status = s->manner == MANNER_FAILING ? 200 : 503;
		break;
	case MANNER_PLAIN:
		put_plain(q, 200, false);
		break;
	case MANNER_ERROR_500:
		put_plain(q, 500, false);
		break;
	case MANNER_MALFORMED:
		put_plain(q, 200, true);
		break;
	case MANNER_WRONG_NAME:
		put_report(q, "ok", "somebody-else", q->nonce, boot_id);
		break;
	case MANNER_WRONG_NONCE:
		put_report(q, "ok", s->name, "0123456789abcdef", boot_id);
		break;
	case MANNER_STALE_BOOT:
		put_report(q, "ok", s->name, q->nonce, "ffffffff-0000-4000-8000-000000000000");
		break;
	case MANNER_NO_PROOF:
		put_report(q, "ok", NULL, NULL, NULL);
		break;
	default:
		put_report(q, "ok", s->name, q->nonce, boot_id);
		break;
	}
}

/* How the network takes the question now: what it will come to, and after how long (0: the
 * time-out). */
static enum answer_kind fate(const struct fake_service *s, usec_t *ret_takes)
{
	const struct fake_guest *d = s->guest;

	*ret_takes = USEC_PER_MSEC;
	if (!fake_guest_has_qemu(d) || s->manner == MANNER_CUT_OFF)
		return ANSWER_UNREACHABLE;
	*ret_takes = 0;
	/* The forward takes the connection in any case: only an answer counts. */
	if (!fake_guest_runs(d) || d->panicked || fake_guest_age(d) < d->network_at ||
		s->manner == MANNER_HANG)
		return ANSWER_TIMEOUT;
	*ret_takes = s->latency;
	if (fake_guest_age(d) < d->services_at || s->manner == MANNER_REFUSE)
		return ANSWER_CLOSED;
	return ANSWER_WHOLE;
}

static void take_out(struct question_slot *q)
{
	struct question_slot **at = &q->prober->slots;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	q->prober->in_flight--;
	q->service->in_flight--;
}

static void answered(void *userdata, usec_t now)
{
	struct question_slot *q = userdata;

	if (q->answer.kind == ANSWER_WHOLE)
		speak(q);
	q->answer.latency = now - q->began;
	take_out(q);
	q->done(q->userdata, &q->answer, now);
	free(q);
}

static struct question_slot *fake_ask(struct prober *prober, const struct question *question,
	answer_t done, void *userdata, int *ret_error)
{
	struct fake_prober *p = (struct fake_prober *)prober;
	struct fake_service *s = fake_prober_find(p, question->port);
	usec_t takes;

	assert(s);
	assert(strcmp(question->address, "127.0.0.1") == 0);
	assert(question->timeout > 0);
	if (s->manner == MANNER_NO_ROOM || p->in_flight >= PROBER_QUESTIONS_MAX) {
		*ret_error = -ENOBUFS;
		return NULL;
	}
	/* No probe is ever in flight twice for a service. */
	assert(s->in_flight == 0);
	struct question_slot *q = calloc(1, sizeof(*q));
	assert(q);
	q->prober = p;
	q->service = s;
	q->began = p->timeline->now;
	q->done = done;
	q->userdata = userdata;
	q->answer.protocol = question->protocol;
	q->answer.kind = fate(s, &takes);
	if (question->nonce) {
		assert(strlen(question->nonce) == 16 && strcmp(question->nonce, s->nonce) != 0);
		memcpy(q->nonce, question->nonce, sizeof(q->nonce));
		memcpy(s->nonce, question->nonce, sizeof(s->nonce));
	}
	if (takes == 0 || takes >= question->timeout) {
		q->answer.kind = ANSWER_TIMEOUT;
		takes = question->timeout;
	}
	q->next = p->slots;
	p->slots = q;
	p->in_flight++;
	p->asked++;
	s->in_flight++;
	s->asked++;
	s->asked_at = q->began;
	if (s->manner != MANNER_NEVER)
		q->h = timeline_at(p->timeline, q->began + takes, answered, q);
	return q;
}

static void fake_cancel(struct prober *prober, struct question_slot *q)
{
	struct fake_prober *p = (struct fake_prober *)prober;

	timeline_cancel(p->timeline, q->h);
	q->service->cancelled++;
	take_out(q);
	free(q);
}

struct fake_service *fake_prober_find(struct fake_prober *p, uint16_t port)
{
	struct fake_service *s = p->services;

	while (s && s->port != port)
		s = s->next;
	return s;
}

struct fake_service *fake_prober_service(
	struct fake_prober *p, uint16_t port, struct fake_guest *guest, const char *name)
{
	struct fake_service *s = fake_prober_find(p, port);

	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	assert(s);
	s->guest = guest;
	s->port = port;
	s->latency = 3 * USEC_PER_MSEC;
	(void)snprintf(s->name, sizeof(s->name), "%s", name);
	s->next = p->services;
	p->services = s;
	return s;
}

void fake_prober_orphan(struct fake_prober *p)
{
	while (p->slots)
		fake_cancel(&p->prober, p->slots);
}

struct fake_prober *fake_prober_new(struct timeline *timeline)
{
	static const struct prober_vtable vtable = { .ask = fake_ask, .cancel = fake_cancel };
	struct fake_prober *p = calloc(1, sizeof(*p));

	assert(p);
	p->prober.vtable = &vtable;
	p->timeline = timeline;
	return p;
}

void fake_prober_free(struct fake_prober *p)
{
	fake_prober_orphan(p);
	while (p->services) {
		struct fake_service *s = p->services;

		p->services = s->next;
		free(s);
	}
	free(p);
}
