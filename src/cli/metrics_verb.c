/* SPDX-License-Identifier: Apache-2.0 */
/* `mediakitd metrics`: what the daemon knows and counted, for Prometheus. */
#include "cli/asking.h"
#include "cli/metrics.h"
#include "cli/session.h"
#include "cli/verb.h"

const char usage_metrics[] =
	"metrics [--openmetrics]\n"
	"\n"
	"Prints metrics of the daemon, of every guest and service in Prometheus' text format\n"
	"0.0.4, for a textfile collector or a look by hand. `# HELP` says what each one means.\n"
	"\n"
	"  --openmetrics   OpenMetrics 1.0.0 instead\n"
	"\n"
	"For scraping there is mediakitd-metrics.socket, off until it is enabled:\n"
	"  systemctl enable --now mediakitd-metrics.socket\n"
	"It serves, on 127.0.0.1:9464 and to localhost alone, /metrics, the status page at /,\n"
	"/status.json (what `status --json` prints) and /history.json (the page's plots).\n"
	"Behind a proxy under another name: a drop-in for mediakitd-metrics.service that adds\n"
	"--host=NAME[:PORT] to ExecStart=. Other Host headers are refused.\n"
	"\n"
	"Counters (_total) count from the daemon's start. A reason for a failure is told by its\n"
	"verdict, mediakit_service_verdict_info; its sentence is in `status`. Examples of alerts\n"
	"and of a Grafana dashboard lie in the documentation's directory examples/.\n"
	"\n"
	"Exit status: 0 printed, 1 failed, 6 no daemon.\n";

int verb_metrics(int argc, char **argv)
{
	static const struct args_rule rule = { ARG_OPENMETRICS, 0, 0, "no operands" };
	struct client_reply reply;
	struct counters counters = { 0 };
	struct session s;
	usec_t began = now_boottime();

	int r = session_open(&s, argc, argv, &rule, CLIENT_STATUS);
	if (r == CLI_OK && client_counters(s.client, &counters, &reply) < 0) {
		(void)fprintf(stderr, "mediakitd: no counters: %s\n", reply.message);
		r = CLI_FAILED;
	}
	if (r == CLI_OK) {
		const struct metrics m = { .view = &s.view,
			.counters = &counters,
			.taken_realtime = now_realtime(),
			.asking = usec_sub(now_boottime(), began) };

		metrics_write(
			stdout, &m, s.args.openmetrics ? METRICS_OPENMETRICS : METRICS_PROMETHEUS);
		/* A pipe that was cut short is no answer. */
		r = fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
	}
	counters_free(&counters);
	session_close(&s);
	return r;
}
