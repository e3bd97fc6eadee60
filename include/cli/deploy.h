/* SPDX-License-Identifier: Apache-2.0 */
/* `mediakitd deploy`: takes a service's program to a guest, and back where it does not answer. */
#ifndef MEDIAKIT_CLI_DEPLOY_H
#define MEDIAKIT_CLI_DEPLOY_H

/* See struct verb. */
int verb_deploy(int argc, char **argv);
extern const char usage_deploy[];

#endif
