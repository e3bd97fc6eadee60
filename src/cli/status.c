/* SPDX-License-Identifier: Apache-2.0 */
/* `mediakitd status`: one round trip, one screen. */
#include "cli/asking.h"
#include "cli/json.h"
#include "cli/screen.h"
#include "cli/session.h"
#include "cli/verb.h"
#include "cli/watch.h"

const char usage_status[] =
	"status [GUEST] [--json] [--watch]\n"
	"\n"
	"Shows every guest, or one, with its services. On a terminal in colour and fitted to its\n"
	"width ($NO_COLOR, TERM=dumb and $COLUMNS are honoured); in a pipe plain and whole.\n"
	"\n"
	"  --watch   stay, and show every change; on a terminal the screen is repainted, in a\n"
	"            pipe each change is printed anew. Ctrl-C ends it\n"
	"  --json    JSON for programs; with --watch one line for every change\n"
	"\n"
	"Columns: STATE is what is believed after thresholds, VERDICT what the last probe meant\n"
	"and AGE how long ago that was, PROOF whether nonce, name and boot id were echoed, SINCE\n"
	"how long the state has held. A pending service is shown and probed but never counted.\n"
	"\n"
	"Exit status: 0 healthy, 1 unhealthy, 3 not running, 4 no such guest, 6 no daemon. Of\n"
	"several guests the worst counts: unhealthy, then not running.\n"
	"\n"
	"The JSON, version 1. Keys may be added, never changed; what is not known is null. Times\n"
	"(_usec) are microseconds since 1970, latency_usec a duration, sizes (_kib) KiB.\n"
	"  {\"version\": 1,\n"
	"   \"daemon\": {version, began_usec, connection, connected, connection_since_usec,\n"
	"     connection_message, wedged_queues, store_trouble, pool: {reserve_kib, "
	"critical_kib,\n"
	"     total_kib, available_kib, need_kib, enter_kib, leave_kib, pressed,\n"
	"     below_critical, degraded}},\n"
	"   \"guests\": [{name, uuid, state, state_since_usec, reason, want, healthy,\n"
	"     healthy_since_usec, active_services, active_services_up, accelerator,\n"
	"     started_at_usec, retry_at_usec, cpus, pid,\n"
	"     memory: {configured_kib, actual_kib, maximum_kib, usable_kib, available_kib,\n"
	"       rss_kib, target_kib, at_usec, mode, until_usec, action, reason, wanted_kib,\n"
	"       floor_kib, on_trial, aside_until_usec, grows, shrinks, returns},\n"
	"     cpu: {weight, quota_percent, effect, words},\n"
	"     boot: {stage, stage_since_usec, hint, cloud_init (as it says itself, or skipped),\n"
	"       cloud_init_quote, cloud_init_errors, attempts},\n"
	"     last_exit: null or {cause, words, at_usec},\n"
	"     last_start (unknown cold warm), last_start_reason (why a save was not used),\n"
	"     saved_at_usec (a save waits for the next start),\n"
	"     snapshot {phase (none preparing freezing copying checking ending), since_usec,\n"
	"     copied_bytes, total_bytes, kept, newest_usec, tried_usec, failed, result},\n"
	"     file_system (unknown clean recovered errors: the guest's own word at this boot),\n"
	"     file_system_words,\n"
	"     glibc (of its image), glibc_source (image: its manifest; guest: its own word),\n"
	"     glibc_min (what the configuration asks for),\n"
	"     bind, ssh_port, egress, agent_connected, wedged,\n"
	"     starved, starved_reason, starved_since_usec,\n"
	"     services: [{name, purpose, port, host_port, probe, expect, depends_on: [name],\n"
	"       blocked_by, watched, state, state_since_usec, up, verdict, verdict_at_usec,\n"
	"       reason, latency_usec, proven, restored, version}]}]}\n"
	"guest state: absent stopped starting booting running ready stopping saving paused\n"
	"  crashed failed. service state: unknown starting up degraded down.\n"
	"verdict: ok degraded not-cbor starting failing http-status malformed wrong-service\n"
	"  stale-boot refused timeout unreachable inconclusive.\n";

static int show(const struct session *s)
{
	const struct style style = term_style(stdout);
	const struct view_guest *g = s->guest ? session_guest(s) : NULL;

	if (!s->args.json)
		screen_print(stdout, &s->view, s->guest, &style);
	else if (json_print(stdout, &s->view, s->guest, false) < 0)
		return CLI_FAILED;
	/* A pipe that was cut short is no answer. */
	if (fflush(stdout) != 0)
		return CLI_FAILED;
	return g ? view_guest_exit(g) : view_exit(&s->view);
}

int verb_status(int argc, char **argv)
{
	static const struct args_rule rule = { ARG_JSON | ARG_WATCH, 0, 1, "[GUEST]" };
	struct session s;

	int r = session_open(&s, argc, argv, &rule, CLIENT_STATUS);
	if (r == 0)
		r = s.args.watch ? watch_run(&s) : show(&s);
	session_close(&s);
	return r;
}
