/* SPDX-License-Identifier: Apache-2.0 */
/* What happened to a guest, and why it was done: two bounded rings that outlive the moment, behind
 * `events` and `why`. An event is a change; a decision is a rule that was applied to inputs, also
 * when it came out as "do nothing". */
#ifndef MEDIAKIT_CORE_EVENT_H
#define MEDIAKIT_CORE_EVENT_H

#include "base/macro.h"
#include "base/nametable.h"
#include "base/time.h"

#include <stdint.h>

struct guest;
struct service;

enum event_kind {
	EVENT_STATE,      /* the guest's state changed */
	EVENT_EXIT,       /* QEMU ended */
	EVENT_RESTART,    /* a restart was scheduled, or the guest given up */
	EVENT_STOP,       /* a step of the shutdown ladder */
	EVENT_BOOT,       /* a boot moved, stood still, or is late */
	EVENT_HEALTH,     /* the guest became healthy, or ceased to be */
	EVENT_SERVICE,    /* a service's state changed */
	EVENT_REMEDY,     /* a unit in the guest, or the guest, was restarted to heal it */
	EVENT_BALLOON,    /* the balloon's target changed */
	EVENT_REQUEST,    /* an operator asked for something */
	EVENT_HYPERVISOR, /* libvirt went or came back, or a queue is wedged */
	EVENT_KIND_NUM,
};
NAME_TABLE_DECLARE(event_kind, enum event_kind);

enum why_topic { WHY_HEALTH, WHY_MEMORY, WHY_RESTART, WHY_SHUTDOWN, WHY_TOPIC_NUM };
NAME_TABLE_DECLARE(why_topic, enum why_topic);

#define EVENT_TEXT_MAX 256u

/* Records what happened, and logs it at `level` with the guest's and the service's name. `s` may be
 * NULL. The text is cut at EVENT_TEXT_MAX, and what the guest said in it must be escaped already.
 */
void event_note(struct guest *g, enum event_kind kind, const struct service *s, int level,
	const char *format, ...) PRINTF_LIKE(5, 6);

/* Records a decision: `rule` names it in words of the manual ("back-off", "quorum down"), `action`
 * is what was done ("start again in 4 s", "hold"), the format gives the inputs
 * ("faults=2/3 window=30min cause=qemu-crashed"). A decision equal to the topic's last one in rule
 * and action only renews its time, its inputs and its count. */
void why_note(struct guest *g, enum why_topic topic, const char *rule, const char *action,
	const char *inputs, ...) PRINTF_LIKE(5, 6);

#endif
