/* SPDX-License-Identifier: Apache-2.0 */
/* The last decisions about a guest, by topic: which rule was applied to which inputs, and what came
 * of it. In memory only: they are made anew as soon as the guest is looked at again. */
#ifndef MEDIAKIT_CORE_DECISION_H
#define MEDIAKIT_CORE_DECISION_H

#include "model/event.h"

#define DECISIONS_MAX       16u /* of one topic; one more and the oldest goes */
#define DECISION_RULE_MAX   64u /* bytes of each text, the NUL included; a longer one is cut */
#define DECISION_ACTION_MAX 128u
#define DECISION_INPUTS_MAX 256u

struct decision {
	usec_t first_realtime, last_realtime;
	unsigned count; /* how often in a row */
	char rule[DECISION_RULE_MAX], action[DECISION_ACTION_MAX], inputs[DECISION_INPUTS_MAX];
};

struct decisions {
	struct decision *lists[WHY_TOPIC_NUM]; /* newest first; each allocated at its first */
	unsigned n[WHY_TOPIC_NUM];
};

void decisions_free(struct decisions *d);
/* True: it differs from the topic's last one in rule or action. False: that one was renewed, or
 * there is no memory. Texts are made printable. */
bool decisions_add(struct decisions *d, enum why_topic topic, const char *rule, const char *action,
	const char *inputs, usec_t now_realtime_usec);

#endif
