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
	enum client_door door;
	bool patient; /* it waits for a daemon that is away */
};

/* For so long: systemd's watchdog takes 30 s to end one that hangs, and some more to start the
 * next. */
#define SESSION_PATIENCE (60 * USEC_PER_SEC)

/* 0, or the exit status after a line on stderr: CLI_NO_GUEST with the nearest name where the first
 * operand is no guest. The session is to be closed in either case. */
int session_open(struct session *s, int argc, char **argv, const struct args_rule *rule,
	enum client_door door);
/* The same. As the command of a unit that is started it waits for a daemon that is away: the unit
 * would fail, and is not stopped with the host then, whereupon its guest loses its power. Not for
 * stops: while a unit stops, systemd starts nothing that the unit is ordered after. */
int session_open_patiently(struct session *s, int argc, char **argv, const struct args_rule *rule,
	enum client_door door);
void session_close(struct session *s);

/* The session's guest as it is now; NULL once it is gone (a reload removed it). */
struct view_guest *session_guest(const struct session *s);
/* Asks the session's guest, shows how it goes until the answer is there, and prints that: the exit
 * status. */
int session_request(
	struct session *s, const char *method, const uint64_t *numbers, unsigned n_numbers);
/* Says on stderr that there is no such guest; returns CLI_NO_GUEST. */
int session_no_guest(const struct session *s);
/* Says on stderr that the daemon went away; returns CLI_NO_DAEMON. */
int session_lost(void);
/* After the daemon went away. 0: it is back, and what was asked of it is to be asked again; else as
 * session_lost(), at once where the session is not patient. */
int session_regain(struct session *s);

#endif
