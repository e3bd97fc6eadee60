/* SPDX-License-Identifier: Apache-2.0 */
/* The command mediakitd: its table of verbs. A verb without a usage text here answers --help
 * itself: it is another program's, at least in part. */
#include "base/macro.h"
#include "cli/asking.h"
#include "cli/verb.h"

static const struct verb verbs[] = {
	{ "status", "show guests and services", verb_status, usage_status },
	{ "start", "start a guest", verb_start, usage_start },
	{ "stop", "shut a guest down", verb_stop, usage_stop },
	{ "restart", "shut a guest down and start it", verb_restart, usage_restart },
	{ "kill", "cut a guest's power", verb_kill, usage_kill },
	{ "wait", "wait until a guest is running, ready, healthy or stopped", verb_wait,
		usage_wait },
	{ "balloon", "show or set a guest's memory", verb_balloon, NULL },
	{ "console", "join a guest's serial line", verb_console, usage_console },
	{ "events", "tell what happened", verb_events, usage_events },
	{ "why", "tell why a guest is as it is, and why it was so treated", verb_why, usage_why },
	{ "metrics", "print metrics for Prometheus", verb_metrics, usage_metrics },
	{ "reload", "have the daemon read its configuration again", verb_reload, usage_reload },
	{ "reset-failed", "let a guest that was given up be started again", verb_reset_failed,
		usage_reset_failed },
	{ "snapshot", "copy a running guest's disk", verb_snapshot, usage_snapshot },
	{ "deploy", "take a service's program to a guest", verb_exec_offline, NULL },
	{ "run", "run the daemon in the foreground", verb_exec_daemon, NULL },
	{ "provision", "make a guest's disk and seed", verb_exec_offline, NULL },
	{ "import-predecessor", "take over the disk that a shell script left",
		verb_exec_offline, NULL },
	{ "bake", "make a guest's image from packages", verb_exec_offline, NULL },
	{ "preflight", "tell whether programs would run in a guest", verb_exec_offline, NULL },
	{ "check", "find every fault of the configuration", verb_exec_offline, NULL },
	{ "xml", "print a guest as libvirt is told of it", verb_exec_offline, NULL },
	{ "decode", "print a health report as JSON", verb_exec_offline, NULL },
};

int main(int argc, char **argv)
{
	return verb_main(verbs, ARRAY_SIZE(verbs),
		"mediakitd VERB ...: keeps QEMU guests running, healthy and within their memory.\n",
		argc, argv);
}
