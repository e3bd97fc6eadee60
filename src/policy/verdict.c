/* SPDX-License-Identifier: Apache-2.0 */
/* One answer in, one verdict and its reason in an operator's words out. */
#include "policy/verdict.h"

#include "base/macro.h"
#include "model/utf8.h"

#include <stdarg.h>

static const char *const verdict_names[] = {
	[VERDICT_NONE] = "none",
	[VERDICT_OK] = "ok",
	[VERDICT_DEGRADED] = "degraded",
	[VERDICT_NOT_CBOR] = "not-cbor",
	[VERDICT_STARTING] = "starting",
	[VERDICT_FAILING] = "failing",
	[VERDICT_HTTP_STATUS] = "http-status",
	[VERDICT_MALFORMED] = "malformed",
	[VERDICT_WRONG_SERVICE] = "wrong-service",
	[VERDICT_STALE_BOOT] = "stale-boot",
	[VERDICT_REFUSED] = "refused",
	[VERDICT_TIMEOUT] = "timeout",
	[VERDICT_UNREACHABLE] = "unreachable",
	[VERDICT_INCONCLUSIVE] = "inconclusive",
};
NAME_TABLE_DEFINE(verdict, enum verdict, VERDICT_NUM);

enum verdict_effect verdict_effect(enum verdict v)
{
	static const enum verdict_effect effects[VERDICT_NUM] = {
		[VERDICT_NONE] = EFFECT_NOTHING,
		[VERDICT_OK] = EFFECT_UP,
		[VERDICT_DEGRADED] = EFFECT_UP,
		[VERDICT_NOT_CBOR] = EFFECT_UP,
		[VERDICT_STARTING] = EFFECT_NEITHER,
		[VERDICT_FAILING] = EFFECT_DOWN,
		[VERDICT_HTTP_STATUS] = EFFECT_DOWN,
		[VERDICT_MALFORMED] = EFFECT_DOWN,
		[VERDICT_WRONG_SERVICE] = EFFECT_DOWN,
		[VERDICT_STALE_BOOT] = EFFECT_DOWN,
		[VERDICT_REFUSED] = EFFECT_DOWN,
		[VERDICT_TIMEOUT] = EFFECT_DOWN,
		[VERDICT_UNREACHABLE] = EFFECT_DOWN,
		[VERDICT_INCONCLUSIVE] = EFFECT_NOTHING,
	};

	return (size_t)v < VERDICT_NUM ? effects[v] : EFFECT_NOTHING;
}

/* Everything the judges below need, so that each is a function of one argument. */
struct hearing {
	const struct service_spec *service;
	const struct answer *answer;
	const struct expectation *expect;
	struct judgement *j;
};

/* Room to put words together in before they are cut to a reason: a message of 256 bytes, three
 * checks of 64 and the words around them fit. */
#define WORDS_MAX 1024u

#define ELLIPSIS "…"

/* What comes in is printable by the contracts of model/report and io/prober. This is the last door
 * before a terminal and the journal, so it does not rely on them. */
static void reason_copy(char dst[static VERDICT_REASON_MAX], const char *words)
{
	size_t len = strlen(words);

	if (!utf8_printable(words, len)) {
		(void)utf8_escape(dst, VERDICT_REASON_MAX, words, len);
		return;
	}
	if (len < VERDICT_REASON_MAX) {
		memcpy(dst, words, len + 1);
		return;
	}
	len = VERDICT_REASON_MAX - sizeof(ELLIPSIS);
	while (len > 0 && ((unsigned char)words[len] & 0xc0) == 0x80)
		len--;
	memcpy(dst, words, len);
	memcpy(dst + len, ELLIPSIS, sizeof(ELLIPSIS));
}

static void judge(struct hearing *h, enum verdict verdict, const char *format, ...)
	PRINTF_LIKE(3, 4);
static void judge(struct hearing *h, enum verdict verdict, const char *format, ...)
{
	char words[WORDS_MAX];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(words, sizeof(words), format, ap);
	va_end(ap);
	h->j->verdict = verdict;
	reason_copy(h->j->reason, words);
}

/* ": detail", or nothing where the network had no words. */
#define DETAIL_FORMAT  "%s%s"
#define DETAIL_ARGS(a) (a)->detail[0] ? ": " : "", (a)->detail

static bool status_is_success(int status)
{
	return status >= 200 && status <= 299;
}

/* "message (disk failing, queue degraded and 2 more)": whatever of it the report has. */
static void describe(const struct report *r, char words[static WORDS_MAX])
{
	int n = snprintf(words, WORDS_MAX, "%s", r->message);
	unsigned shown = 0, bad = 0;

	for (unsigned i = 0; i < r->n_checks; i++) {
		if (r->checks[i].status == REPORT_OK || ++bad > 3)
			continue;
		n += snprintf(words + n, WORDS_MAX - (size_t)n, "%s%s %s",
			shown++ > 0 ? ", " : (n > 0 ? " (" : "("), r->checks[i].name,
			report_status_to_string(r->checks[i].status));
	}
	if (bad > shown)
		n += snprintf(words + n, WORDS_MAX - (size_t)n, " and %u more", bad - shown);
	if (bad > 0)
		(void)snprintf(words + n, WORDS_MAX - (size_t)n, ")");
	if (words[0] == '\0')
		(void)snprintf(words, WORDS_MAX, "the service says so and gives no message");
}

/* Is the report from where we asked? Returns false with the verdict given where it is not. */
static bool judge_identity(struct hearing *h, const struct report *r)
{
	const char *nonce = h->expect->nonce ? h->expect->nonce : "";
	const char *boot_id = h->expect->boot_id ? h->expect->boot_id : "";
	const char *past = h->expect->past_boot_id ? h->expect->past_boot_id : "";
	bool nonce_ours = nonce[0] && strcmp(r->nonce, nonce) == 0;
	bool name_ours = strcmp(r->service, h->service->name) == 0;

	if (r->has_nonce && nonce[0] && !nonce_ours) {
		judge(h, VERDICT_WRONG_SERVICE,
			"echoes nonce %s, the question had %s: not an answer to this question",
			r->nonce, nonce);
		return false;
	}
	if (r->has_service && !name_ours) {
		judge(h, VERDICT_WRONG_SERVICE, "says it is %s, not %s", r->service,
			h->service->name);
		return false;
	}
	memcpy(h->j->boot_id, r->boot_id, sizeof(h->j->boot_id));
	memcpy(h->j->version, r->version, sizeof(h->j->version));
	h->j->has_uptime = r->has_uptime;
	h->j->uptime_sec = r->uptime_sec;
	if (r->has_boot_id && boot_id[0] && strcmp(r->boot_id, boot_id) != 0) {
		judge(h, VERDICT_STALE_BOOT, "answers from boot %s, the guest's is %s", r->boot_id,
			boot_id);
		return false;
	}
	if (r->has_boot_id && !boot_id[0] && past[0] && strcmp(r->boot_id, past) == 0) {
		judge(h, VERDICT_STALE_BOOT, "answers from boot %s, which is over", r->boot_id);
		return false;
	}
	h->j->proven = r->has_nonce && nonce_ours && r->has_service && r->has_boot_id && boot_id[0];
	return true;
}

static void judge_status(struct hearing *h, const struct report *r)
{
	char words[WORDS_MAX];
	bool unavailable = h->answer->status == 503;

	describe(r, words);
	switch (r->status) {
	case REPORT_STARTING:
		judge(h, VERDICT_STARTING, "%s", words);
		return;
	case REPORT_OK:
	case REPORT_DEGRADED:
		/* The status line says "do not send me work" and the report says otherwise: the
		 * careful one counts. */
		if (unavailable)
			judge(h, VERDICT_FAILING, "HTTP 503, although the report says %s",
				report_status_to_string(r->status));
		else if (r->status == REPORT_OK)
			judge(h, VERDICT_OK, "%s", "");
		else
			judge(h, VERDICT_DEGRADED, "%s", words);
		h->j->flagged = h->j->verdict == VERDICT_DEGRADED;
		return;
	case REPORT_FAILING:
	case REPORT_STATUS_NUM:
		break;
	}
	judge(h, VERDICT_FAILING, "%s", words);
}

static void judge_report(struct hearing *h)
{
	const struct answer *a = h->answer;
	struct report_fault fault;
	struct report r;

	if (report_decode(a->body, a->body_len, &r, &fault) < 0) {
		judge(h, VERDICT_MALFORMED, "HTTP %d, but the report is refused: %s (byte %zu)",
			a->status, fault.text, fault.offset);
		return;
	}
	if (judge_identity(h, &r))
		judge_status(h, &r);
}

/* A response whose headers are whole. `cut`: its body went over the limit, so there is nothing to
 * decode. */
static void judge_response(struct hearing *h, bool cut)
{
	const struct answer *a = h->answer;
	bool cbor = h->service->probe == PROBE_CBOR;
	const char *cut_words = cut ? ", and a body over the limit" : "";

	if (cbor && a->says_cbor && (status_is_success(a->status) || a->status == 503)) {
		if (cut)
			judge(h, VERDICT_MALFORMED, "HTTP %d with a report over %u bytes",
				a->status, ANSWER_BODY_MAX);
		else
			judge_report(h);
	} else if (!status_is_success(a->status)) {
		judge(h, VERDICT_HTTP_STATUS, "HTTP %d from the service%s", a->status,
			a->status / 100 == 3 ? " (redirects are not followed)" : "");
	} else if (cbor) {
		judge(h, VERDICT_NOT_CBOR, "HTTP %d without a CBOR report%s: up, but unproven",
			a->status, cut_words);
		h->j->flagged = true;
	} else {
		judge(h, VERDICT_OK, "%s", "");
	}
}

static void judge_timeout(struct hearing *h)
{
	char span[TIMESPAN_TEXT_MAX];
	usec_t limit = h->expect->timeout > 0 ? h->expect->timeout : h->answer->latency;

	(void)format_timespan(span, sizeof(span), limit);
	judge(h, VERDICT_TIMEOUT, "no whole answer within %s", span);
}

/* Both protocols over a forward, where no whole answer came. */
static void judge_network(struct hearing *h)
{
	const struct answer *a = h->answer;

	switch (a->kind) {
	case ANSWER_UNREACHABLE:
		judge(h, VERDICT_UNREACHABLE,
			"the forward is closed: QEMU is not listening on 127.0.0.1:%u",
			h->expect->host_port);
		return;
	case ANSWER_CLOSED:
		judge(h, VERDICT_REFUSED,
			"connection reset at once: the guest is up, nobody listens on port %u",
			h->service->port);
		return;
	case ANSWER_TIMEOUT:
		judge_timeout(h);
		return;
	case ANSWER_TOO_LARGE:
		/* Body bytes come only after whole headers. */
		if (a->status > 0 && a->body_len > 0)
			judge_response(h, true);
		else
			judge(h, VERDICT_MALFORMED, "headers over %u bytes" DETAIL_FORMAT,
				ANSWER_HEADER_MAX, DETAIL_ARGS(a));
		return;
	case ANSWER_NOT_HTTP:
		judge(h, VERDICT_MALFORMED, "no whole HTTP answer" DETAIL_FORMAT, DETAIL_ARGS(a));
		return;
	case ANSWER_WHOLE:
	case ANSWER_LOCAL_ERROR:
	case ANSWER_KIND_NUM:
		break;
	}
	judge(h, VERDICT_INCONCLUSIVE, "could not ask" DETAIL_FORMAT, DETAIL_ARGS(a));
}

static void judge_http(struct hearing *h)
{
	if (h->answer->kind == ANSWER_WHOLE)
		judge_response(h, false);
	else
		judge_network(h);
}

static void judge_tcp(struct hearing *h)
{
	if (h->answer->kind == ANSWER_WHOLE)
		judge(h, VERDICT_OK, "port %u took the connection: a TCP probe proves little",
			h->service->port);
	else
		judge_network(h);
}

/* ActiveState of org.freedesktop.systemd1(5). */
static const struct {
	const char *state;
	enum verdict verdict;
} unit_states[] = {
	{ "active", VERDICT_OK },
	{ "activating", VERDICT_STARTING },
	{ "reloading", VERDICT_STARTING },
	{ "refreshing", VERDICT_STARTING },
	{ "inactive", VERDICT_FAILING },
	{ "failed", VERDICT_FAILING },
	{ "deactivating", VERDICT_FAILING },
	{ "maintenance", VERDICT_FAILING },
};

static void judge_unit_state(struct hearing *h)
{
	const char *unit = h->service->unit ? h->service->unit : h->service->name;
	const char *state = h->answer->unit_state;

	for (size_t i = 0; i < ARRAY_SIZE(unit_states); i++) {
		if (strcmp(unit_states[i].state, state) != 0)
			continue;
		if (unit_states[i].verdict == VERDICT_OK)
			judge(h, VERDICT_OK, "%s", "");
		else
			judge(h, unit_states[i].verdict, "%s is %s, says systemd in the guest",
				unit, state);
		return;
	}
	judge(h, VERDICT_MALFORMED,
		"the guest agent says %s is \"%s\", which is no state of a unit", unit, state);
}

static void judge_unit(struct hearing *h)
{
	const struct answer *a = h->answer;

	if (a->kind == ANSWER_WHOLE)
		judge_unit_state(h);
	else if (a->kind == ANSWER_TIMEOUT)
		judge_timeout(h);
	else if (a->kind == ANSWER_TOO_LARGE || a->kind == ANSWER_NOT_HTTP)
		judge(h, VERDICT_MALFORMED, "no usable answer from the guest agent" DETAIL_FORMAT,
			DETAIL_ARGS(a));
	else
		judge(h, VERDICT_INCONCLUSIVE, "the guest agent could not be asked" DETAIL_FORMAT,
			DETAIL_ARGS(a));
}

static const struct {
	enum answer_protocol protocol;
	void (*judge)(struct hearing *h);
} courts[PROBE_NUM] = {
	[PROBE_CBOR] = { ANSWER_HTTP, judge_http },
	[PROBE_HTTP] = { ANSWER_HTTP, judge_http },
	[PROBE_TCP] = { ANSWER_TCP, judge_tcp },
	[PROBE_UNIT] = { ANSWER_UNIT, judge_unit },
	[PROBE_NONE] = { ANSWER_PROTOCOL_NUM, NULL },
};

/* The guest could not be expected to answer well: what it did is told, but blames nobody. */
static void excuse(struct hearing *h, const char *why)
{
	char old[VERDICT_REASON_MAX];

	memcpy(old, h->j->reason, sizeof(old));
	judge(h, VERDICT_INCONCLUSIVE, "%s (%s)",
		why && why[0] ? why : "the guest could not run while we asked", old);
	h->j->proven = false;
}

void verdict_judge(const struct service_spec *service, const struct answer *answer,
	const struct expectation *expect, struct judgement *ret)
{
	struct judgement j = { .latency = answer->latency };
	struct hearing h = { service, answer, expect, &j };

	if ((size_t)service->probe >= PROBE_NUM || !courts[service->probe].judge)
		judge(&h, VERDICT_NONE, "not watched");
	else if (courts[service->probe].protocol != answer->protocol)
		judge(&h, VERDICT_INCONCLUSIVE,
			"the question was of another kind than Probe= is now");
	else
		courts[service->probe].judge(&h);

	enum verdict_effect effect = verdict_effect(j.verdict);
	if (expect->inconclusive && (effect == EFFECT_DOWN || effect == EFFECT_NEITHER)) {
		excuse(&h, expect->why_inconclusive);
	} else if (expect->starved && j.verdict == VERDICT_TIMEOUT) {
		excuse(&h, expect->why_starved);
		j.excused = true;
	}
	*ret = j;
}
