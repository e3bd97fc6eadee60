/* SPDX-License-Identifier: Apache-2.0 */
/* `mediakitd import-predecessor DIR`: takes over the disk that the shell script before us left. */
#ifndef MEDIAKIT_CLI_IMPORT_H
#define MEDIAKIT_CLI_IMPORT_H

/* See struct verb. */
int verb_import(int argc, char **argv);
extern const char usage_import[];

#endif
