/* SPDX-License-Identifier: Apache-2.0 */
/* `mediakitd provision GUEST`: makes the guest's disk and seed, or brings them up to date. */
#ifndef MEDIAKIT_CLI_PROVISION_H
#define MEDIAKIT_CLI_PROVISION_H

/* See struct verb: argv[0] is the verb; returns an enum cli_exit. Running it twice changes nothing
 * the second time. */
int verb_provision(int argc, char **argv);
extern const char usage_provision[];

#endif
