/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker does for each request: libvirt calls, by UUID, from a look-up of its own. All of it
 * may block. */
#ifndef MEDIAKIT_VIRT_CALLS_H
#define MEDIAKIT_VIRT_CALLS_H

#include "base/macro.h"
#include "virt/console.h"
#include "virt/link.h"

#include <stdatomic.h>

#define CALL_STATS_PERIOD_SEC 2 /* of the balloon's statistics; facts: it must be set explicitly   \
				 */

/* Things to do that are no request of core's. */
enum call_kind {
	CALL_REQUEST,
	CALL_TYPE,  /* flush what was typed; reply.error > 0: bytes that wait on */
	CALL_CLOSE, /* close the console of a guest that is forgotten */
	CALL_KIND_NUM,
};

/* What is remembered of a guest from one call to the next. Counted; but for `stale`, only the
 * guest's main worker looks inside. */
struct memo {
	atomic_uint refs;
	/* Set by the main loop: what was read from the XML may no longer be so. */
	atomic_bool stale;
	struct console *console;
	char *pid_dir; /* where the driver keeps its pid files, or NULL */
	/* The run of the domain that the rest is about; generation 0: none. */
	unsigned generation;
	int id;
	bool tcg, agent;
};

/* `pid_dir` is copied and may be NULL. NULL: out of memory. */
struct memo *memo_new(struct mailbox *mailbox, const char *pid_dir);
struct memo *memo_ref(struct memo *memo);
void memo_unref(struct memo *memo); /* NULL is fine */

struct call {
	/* Given; read-only once the call is with a worker. The strings and references are the
	 * call's own. */
	enum call_kind kind;
	enum hv_verb verb;
	char uuid[VIRT_UUID_LEN + 1];
	char *name, *text;
	uint64_t kib;
	unsigned weight, quota_pct;
	bool restore;
	uint64_t version;
	struct links *links;
	struct memo *memo;
	/* Written by call_run. reply.text points at `answer`. */
	struct hv_reply reply;
	char *answer;
};

/* Makes the calls and fills in the reply, always. */
void call_run(struct call *call);

/* For the files that carry the verbs out. */

/* What a verb works with; `dom` may be NULL for the few that bear it. */
struct call_on {
	struct link *link;
	virConnectPtr conn;
	virDomainPtr dom;
};

/* -errno for libvirt's last error, and its words, escaped, into the reply. `what` may be NULL, or
 * goes before it. */
int call_failed(struct call *call, const struct call_on *on, const char *what);

/* Words of our own into the reply. Returns `error`. */
int call_refused(struct call *call, int error, const char *format, ...) PRINTF_LIKE(3, 4);

/* facts.state is ABSENT where `dom` is NULL. */
int call_read(struct call *call, const struct call_on *on);
/* `dom` is NULL where it was never defined. */
int call_start(struct call *call, const struct call_on *on);
int call_disk(struct call *call, const struct call_on *on);
int call_backup(struct call *call, const struct call_on *on);
int call_backup_look(struct call *call, const struct call_on *on);
/* `dom` may be NULL. */
int call_backup_abort(struct call *call, const struct call_on *on);
int call_save(struct call *call, const struct call_on *on);
int call_save_abort(struct call *call, const struct call_on *on);
/* Of the QEMU that libvirt would start, or started last; 0: it does not say. */
uint64_t call_version(const struct call_on *on);
/* What makes the domain, which is off, go on from its managed save or not: flags for its creation,
 * or -errno with words. -ESTALE: there is no save, or one of another QEMU. */
int call_save_flags(struct call *call, const struct call_on *on, unsigned *ret_flags);

#endif
