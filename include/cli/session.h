/* SPDX-License-Identifier: Apache-2.0 */
/* What every asking verb begins with: options, a connection, the objects, and a guest
 * that exists. */
#ifndef MEDIAKIT_CLI_SESSION_H
#define MEDIAKIT_CLI_SESSION_H

#include "cli/args.h"
#include "cli/client.h"

struct session {
	struct args args;
	struct client *client;
	struct view view;
	/* the first operand; NULL without. Never points into the view, which moves */
	const char *guest;
};

/* 0, or the exit status after a line on stderr: CLI_NO_GUEST with the nearest name where the first
 * operand is no guest. The session is to be closed in either case. */
int session_open(struct session *s, int argc, char **argv, const struct args_rule *rule,
	enum client_door door);
void session_close(struct session *s);

/* The session's guest as it is now; NULL once it is gone (a reload removed it). */
struct view_guest *session_guest(const struct session *s);
/* Says on stderr that there is no such guest; returns CLI_NO_GUEST. */
int session_no_guest(const struct session *s);
/* Says on stderr that the daemon went away; returns CLI_NO_DAEMON. */
int session_lost(void);

#endif
