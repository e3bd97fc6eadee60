/* SPDX-License-Identifier: Apache-2.0 */
/* What one answer means: the table of wire.md as a pure function. */
#ifndef MEDIAKIT_POLICY_VERDICT_H
#define MEDIAKIT_POLICY_VERDICT_H

#include "model/answer.h"
#include "model/report.h"
#include "model/spec.h"

enum verdict {
	VERDICT_NONE, /* never asked */
	VERDICT_OK,
	VERDICT_DEGRADED,
	VERDICT_NOT_CBOR,
	VERDICT_STARTING,
	VERDICT_FAILING,
	VERDICT_HTTP_STATUS,
	VERDICT_MALFORMED,
	VERDICT_WRONG_SERVICE,
	VERDICT_STALE_BOOT,
	VERDICT_REFUSED,
	VERDICT_TIMEOUT,
	VERDICT_UNREACHABLE,
	VERDICT_INCONCLUSIVE,
	VERDICT_NUM,
};
NAME_TABLE_DECLARE(verdict, enum verdict); /* wire.md's words: none ok degraded not-cbor … */

/* How a verdict counts. */
enum verdict_effect { EFFECT_NOTHING, EFFECT_UP, EFFECT_NEITHER, EFFECT_DOWN, EFFECT_NUM };
enum verdict_effect verdict_effect(enum verdict v);

#define VERDICT_REASON_MAX 256u

struct judgement {
	enum verdict verdict;
	bool proven;  /* nonce, name and boot_id all echoed and right */
	bool flagged; /* up, but not simply ok: degraded, not-cbor */
	bool excused; /* inconclusive, because the host starved the guest: it counts towards a cap
		       * (policy/probe) */
	char reason[VERDICT_REASON_MAX]; /* words for an operator; printable; "" for a plain ok */
	char boot_id[37];                /* the report's, "" without; "" also where it is another
					  * service's, so that nobody learns from it */
	char version[65];                /* likewise */
	bool has_uptime;
	uint64_t uptime_sec;
	usec_t latency;
};

/* What the question was, and what is believed of the guest. */
struct expectation {
	const char *nonce;        /* the question's */
	const char *boot_id;      /* the guest's current one, "" while unknown */
	const char *past_boot_id; /* the one before, NULL or "" unknown: such a report is stale */
	bool inconclusive;        /* the guest was paused, saving or stopping while we asked */
	const char *why_inconclusive;
	bool starved; /* the host starved the guest while we asked (policy/starve) */
	const char *why_starved;
	usec_t timeout; /* the question's, for the words only; 0: as answer.latency says */
	uint16_t host_port; /* where it was asked, for the words only */
};

/* A down verdict is turned into `inconclusive` where the expectation says so, and so is one that
 * counts as neither; an answer that counts as up stands, because it was given. Starvation excuses
 * less: a question that was missed (`timeout`) and nothing else. A reset comes from the guest's own
 * network stack, which therefore ran, and whoever answers that he fails does fail. Never fails.
 *
 * A report is checked in this order, and the first that does not hold gives the verdict: the nonce
 * (where the report has one) is the question's, the service's name (likewise) is the configured
 * one, the boot_id (likewise, and where the current one is known) is the current one; then its
 * status counts. So an answer from elsewhere is never taken for a failing service of ours.
 *
 * Where wire.md's table is silent: headers over the limit, and bytes that are no HTTP, are
 * `malformed`; a body over the limit is judged by its status and type alone, and is `malformed`
 * only where it says it is CBOR; a guest agent that is not there is `inconclusive`, because it says
 * nothing of the unit; an answer to a question of another protocol (the configuration changed in
 * between) is `inconclusive`. */
void verdict_judge(const struct service_spec *service, const struct answer *answer,
	const struct expectation *expect, struct judgement *ret);

#endif
