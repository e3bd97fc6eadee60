/* SPDX-License-Identifier: Apache-2.0 */
/* `mediakitd xml GUEST`: the guest as libvirt would be told of it. */
#ifndef MEDIAKIT_CLI_XML_H
#define MEDIAKIT_CLI_XML_H

/* See struct verb: argv[0] is the verb; returns an enum cli_exit. Reads, and changes nothing. */
int verb_xml(int argc, char **argv);
extern const char usage_xml[];

#endif
