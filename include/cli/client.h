/* SPDX-License-Identifier: Apache-2.0 */
/* The command's line to the daemon. Only this module (with client_read, its other half) speaks
 * D-Bus on this floor. */
#ifndef MEDIAKIT_CLI_CLIENT_H
#define MEDIAKIT_CLI_CLIENT_H

#include "cli/view.h"

struct client;

/* How a request ended. */
struct client_reply {
	bool done;
	int status;        /* enum cli_exit */
	char message[512]; /* for a person; printable; may be "" */
};

enum client_door { CLIENT_STATUS, CLIENT_CONTROL };

/* Connects to a socket in `runtime`. 0, or the exit status after a line on stderr. */
int client_open(const char *runtime, enum client_door door, struct client **ret);
/* The same for who tries again: nothing is said. */
int client_open_quietly(const char *runtime, enum client_door door, struct client **ret);
void client_close(struct client *c); /* takes NULL */

/* Fills the view in one round trip and keeps it up to date in client_wait(), as long as the client
 * lives. 0, or the exit status after a line on stderr. */
int client_load(struct client *c, struct view *v);

/* Waits until something happened or `timeout` (relative) passed. 1: the view may have changed, or
 * the request was answered; 0: time is up, or a signal came; -errno: the daemon is gone. */
int client_wait(struct client *c, usec_t timeout);

/* Asks a guest's method; `numbers` are its arguments. The answer arrives in *reply, which
 * must live as long as the client, while client_wait() is called. -errno when it could not be
 * asked. */
int client_begin(struct client *c, const char *guest, const char *method, const uint64_t *numbers,
	unsigned n_numbers, struct client_reply *reply);

/* Asks and waits for the answer. `print` gets each fault and the report. */
int client_reload(struct client *c, void (*print)(bool is_fault, const char *line), bool *ret_ok,
	struct client_reply *reply);
/* The tail of the serial line; *ret is the caller's to free. */
int client_console_tail(struct client *c, const char *guest, char **ret, size_t *ret_len,
	struct client_reply *reply);
/* A descriptor of the serial line, the caller's to close. */
int client_console_open(struct client *c, const char *guest, unsigned tail, int *ret_fd,
	struct client_reply *reply);

#endif
