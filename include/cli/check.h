/* SPDX-License-Identifier: Apache-2.0 */
/* mediakitd check: every fault of the configuration, without a daemon. */
#ifndef MEDIAKIT_CLI_CHECK_H
#define MEDIAKIT_CLI_CHECK_H

/* argv[0] is "check". Faults on stderr, a summary on stdout. The exit status: 0 fine (there may be
 * warnings), 1 out of memory, 2 faults or wrong usage. */
int verb_check(int argc, char **argv);

#endif
