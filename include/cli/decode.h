/* SPDX-License-Identifier: Apache-2.0 */
/* `mediakitd decode FILE|-`: a service's health report as JSON, or why it is none. */
#ifndef MEDIAKIT_CLI_DECODE_H
#define MEDIAKIT_CLI_DECODE_H

/* See struct verb. */
int verb_decode(int argc, char **argv);
extern const char usage_decode[];

#endif
