/* SPDX-License-Identifier: Apache-2.0 */
/* `mediakitd balloon --replay=TRACE`: the policy of memory on a recorded or thought-out hour. */
#ifndef MEDIAKIT_CLI_REPLAY_H
#define MEDIAKIT_CLI_REPLAY_H

/* See struct verb: argv[0] is the verb; returns an enum cli_exit. Reads, and changes nothing. */
int verb_replay(int argc, char **argv);
extern const char usage_replay[];

#endif
