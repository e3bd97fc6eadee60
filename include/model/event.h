/* SPDX-License-Identifier: Apache-2.0 */
/* One thing that happened, as a value and as a line of JSON: what `events` tells and what the state
 * directory keeps. */
#ifndef MEDIAKIT_MODEL_EVENT_H
#define MEDIAKIT_MODEL_EVENT_H

#include "base/nametable.h"
#include "base/time.h"
#include "model/spec.h"

#include <stdint.h>

/* Each kind has a MESSAGE_ID, and an entry in units/mediakitd.catalog under it. */
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
	EVENT_SNAPSHOT,   /* a copy of its disk was begun, ended or went wrong */
	EVENT_DISK,       /* QEMU could not read or write its disk, or can again */
	EVENT_REQUEST,    /* an operator asked for something */
	EVENT_HYPERVISOR, /* libvirt went or came back, or a queue is wedged */
	EVENT_DAEMON,     /* the daemon began, ended, or read its configuration again */
	EVENT_KIND_NUM,
};
NAME_TABLE_DECLARE(event_kind, enum event_kind);

/* What a decision was about. */
enum why_topic { WHY_HEALTH, WHY_MEMORY, WHY_RESTART, WHY_SHUTDOWN, WHY_TOPIC_NUM };
NAME_TABLE_DECLARE(why_topic, enum why_topic);

#define EVENT_TEXT_MAX  256u /* bytes, the NUL included; a longer text is cut */
#define EVENT_CAUSE_MAX 32u
/* Of one line in a file; a longer one is none of ours. All of the text may be written as \u00XX. */
#define EVENT_LINE_MAX (6u * EVENT_TEXT_MAX + 512u)

struct event {
	/* Grows by one from event to event over all guests; a daemon that begins leaves a gap, so
	 * that no number is given twice even if the last lines never reached the disk. */
	uint64_t seq;
	usec_t realtime, boottime;
	enum event_kind kind;
	int level;                       /* LOG_ERR to LOG_DEBUG of syslog(3) */
	char service[SPEC_NAME_MAX + 1]; /* "" none */
	char cause[EVENT_CAUSE_MAX];     /* of an exit, "" none */
	char text[];                     /* printable, at most EVENT_TEXT_MAX with its NUL */
};

/* A copy of `like` with its strings, whose text is `text`, made printable and cut. The caller's to
 * free; NULL with no memory. */
struct event *event_new(const struct event *like, const char *text);

/* One line with its newline, the caller's to free; NULL with no memory. */
char *event_to_line(const struct event *e);
/* From `len` bytes without the newline. 0 and *ret, the caller's to free; -EBADMSG for what is not
 * a line of ours; -ENOMEM. Texts are made printable and cut, numbers checked. */
int event_from_line(const char *line, size_t len, struct event **ret);

/* The journal's MESSAGE_ID of the kind: 32 hexadecimal digits, never changed. */
const char *event_message_id(enum event_kind kind);

#endif
