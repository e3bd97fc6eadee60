/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs that ask the daemon, with their usage texts. Each is called as struct verb says. */
#ifndef MEDIAKIT_CLI_ASKING_H
#define MEDIAKIT_CLI_ASKING_H

int verb_status(int argc, char **argv);
int verb_start(int argc, char **argv);
int verb_stop(int argc, char **argv);
int verb_restart(int argc, char **argv);
int verb_kill(int argc, char **argv);
int verb_balloon(int argc, char **argv);
int verb_reset_failed(int argc, char **argv);
int verb_wait(int argc, char **argv);
int verb_reload(int argc, char **argv);
int verb_console(int argc, char **argv);
int verb_events(int argc, char **argv);
int verb_why(int argc, char **argv);
int verb_metrics(int argc, char **argv);
int verb_snapshot(int argc, char **argv);

extern const char usage_status[], usage_start[], usage_stop[], usage_restart[], usage_kill[],
	usage_balloon[], usage_reset_failed[], usage_wait[], usage_reload[], usage_console[],
	usage_events[], usage_why[], usage_metrics[], usage_snapshot[];

/* The verbs of the other programs: replaces this process by the daemon or by the offline program,
 * which lie in ../libexec/mediakitd beside the command. */
int verb_exec_daemon(int argc, char **argv);
int verb_exec_offline(int argc, char **argv);

#endif
