/* SPDX-License-Identifier: Apache-2.0 */
/* One run of `deploy`: what its stages share. Private to src/cli/deploy*.c.
 *
 * Theory of operation. Refusals come first, and on the host: the program, the unit, the daemon, the
 * key. Then the release is written beside what runs, under a name nobody uses. Only the switch
 * changes what runs, and it writes down first, in the guest, what was there before; that journal
 * goes when the new release has proven itself, and takes everything back when it has not. A deploy
 * that ended in between, however, is found by the next one, which takes it back before it does
 * anything else. So at any moment the old release runs, or the new one does and its journal stands.
 *
 * Everything in the guest is done by one script of ours, src/deploy/guest, a step at a time over
 * SSH, whose host key is the one made at provisioning. The guest may lie: what it says decides
 * nothing but what becomes of itself, has a shape and a length, and is escaped when printed.
 * Whether the release answers is not asked there but of the daemon, by probes that are newer than
 * the restart. */
#ifndef MEDIAKIT_CLI_DEPLOY_JOB_H
#define MEDIAKIT_CLI_DEPLOY_JOB_H

#include "base/parse.h"
#include "cli/args.h"
#include "cli/client.h"
#include "cli/preflight.h"
#include "cli/stageline.h"
#include "io/digest.h"
#include "io/program.h"
#include "model/reason.h"
#include "model/release.h"
#include "model/spec.h"

#define DEPLOY_KEEP 3u /* releases that stay in the guest */
/* Sums, sync and systemd in a guest that is emulated, and slow for a while; and with a unit that
 * takes its time to stop and to start. */
#define DEPLOY_STEP_TIMEOUT (2 * USEC_PER_MINUTE)
#define DEPLOY_UNDO_TIMEOUT (5 * USEC_PER_MINUTE)

struct deploy {
	const struct args *args;
	const struct spec *spec;
	const struct guest_spec *guest;
	const struct service_spec *service; /* NULL with --list */
	char *program;                      /* "/opt/mediakit/bin/SERVICE" */
	struct stageline line;
	const char *stage; /* under way; NULL: none */
	usec_t stage_since;
	char spent[256]; /* "sending 4.0s, switching 1.2s" */
	struct tick tick;
	struct reason reason;
	int status; /* the exit status of a failure, CLI_FAILED unless one knows better */

	/* How the guest is reached. */
	char *key, *known_hosts;
	char *control; /* the socket of one connection for all steps; NULL: each makes its own */
	bool as_owner; /* ssh runs as the owner of the state directory */
	uid_t uid;
	gid_t gid;
	int lock_fd;

	struct preflight_target target;
	bool judged;         /* the program would run there */
	char *binary, *unit; /* bytes; unit NULL: the guest's own */
	size_t binary_len, unit_len;
	char sha256[DIGEST_TEXT];
	char release[RELEASE_TEXT]; /* that is to be switched to */
	bool undoing;               /* no signal ends this */
	bool is_back;               /* with --rollback: the look took the newest back */

	struct release_facts facts; /* of the last step */
	char *lines;                /* what it said, as it came, NUL-terminated */
	size_t lines_len;

	struct client *client;
	struct view view;
	bool tcg;
};

/* One step of the script in the guest; `vars` are its assignments, "" for none, `feed` its stdin or
 * NULL. 0, and d->facts and d->lines; -errno with the reason: -ECONNREFUSED where the guest could
 * not be reached or the connection broke, so that nobody knows how far it came. */
struct deploy_step {
	const char *name, *vars;
	ssize_t (*feed)(void *userdata, void *buf, size_t size);
	void *userdata;
	usec_t timeout;
	bool as_root;      /* by one sudo, all of it */
	bool raw;          /* its answer is no facts: only d->lines */
	size_t output_max; /* bytes of it; 0: enough for facts */
};
int deploy_step(struct deploy *d, const struct deploy_step *step);

/* The next stage, told; NULL: it was the last. */
void deploy_begin(struct deploy *d, const char *what);

/* Finds the keys, and as whom they are used. */
int deploy_reach(struct deploy *d);

/* Ends what deploy_step() keeps open for the next. */
void deploy_hang_up(struct deploy *d);

/* --data: sends what the guest has not, or has with another size or time. */
int deploy_data(struct deploy *d);

/* From the release before to d->release, and back unless that is proven. */
int deploy_switch(struct deploy *d);
/* d->release was started by the step before; whether it is proven. */
int deploy_judge(struct deploy *d);

/* Connects to the daemon; the guest must run. */
int deploy_ask(struct deploy *d);
/* Tells it of the restart and waits for its verdict. 0; -ETIMEDOUT, or what else came between, with
 * the reason. */
int deploy_verdict(struct deploy *d);
/* The first half of it alone. */
int deploy_told_restarted(struct deploy *d);
/* Nobody but the guest itself can tell: no probe, or one by an agent that is not there. */
bool deploy_unwatched(struct deploy *d);
/* A pending service becomes an active one, by a drop-in, and the daemon reads it. Told where that
 * is not possible; never a failure of the deploy. */
void deploy_activate(struct deploy *d);

/* --list, on stdout. An exit status. */
int deploy_list(struct deploy *d);

#endif
