/* SPDX-License-Identifier: Apache-2.0 */
/* Tells what is being waited for: on a terminal one live line, elsewhere a line for each step, and
 * at most one a second for what changes inside it. On stderr. A unit that runs the command is given
 * more time by systemd for as long as the guest moves. */
#ifndef MEDIAKIT_CLI_PROGRESS_H
#define MEDIAKIT_CLI_PROGRESS_H

#include "cli/term.h"
#include "cli/view.h"

struct progress {
	struct style style;
	usec_t began; /* BOOTTIME */
	usec_t told_systemd;
	usec_t told_line; /* when `last` was said */
	bool painted;     /* a live line stands */
	char last[1024];  /* the plain line said last, without its times */
	char step[48];    /* and the step that it told: state, rung, press */
};

/* Is this the command of a unit, which systemd listens to? It then has to say again and again that
 * it goes on, news or not, every PROGRESS_TICK at the latest. */
bool progress_in_unit(void);
#define PROGRESS_TICK (USEC_PER_SEC / 2)
/* Asks systemd for more time, with a sentence for `systemctl status`. */
void progress_extend(const char *status);

void progress_begin(struct progress *p);
/* `g` NULL: the guest is gone. */
void progress_show(struct progress *p, const struct view_guest *g);
/* Takes the live line away. */
void progress_end(struct progress *p);

#endif
