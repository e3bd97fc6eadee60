/* SPDX-License-Identifier: Apache-2.0 */
/* guest-exec and its polling, one command at a time. */
#include "core/agent.h"

#include "core/hvlink.h"
#include "core/supervisor.h"
#include "model/agent.h"

#include <errno.h>

static int put(struct guest *g, const char *text, hv_done_t done)
{
	struct hv_request request = {
		.verb = HV_AGENT,
		.uuid = g->spec->uuid,
		.name = g->spec->name,
		.text = text,
	};

	if (hvlink_is_ending(g))
		return -EBUSY;
	int r = hv_submit(g->supervisor->config.hv, &request, done, g);
	g->agent.waits_for_hv = r == 0;
	g->hv_in_flight += r == 0;
	return r;
}

static void finish(struct guest *g, int error, int exit_status, const char *output, usec_t now)
{
	agent_done_t done = g->agent.done;

	agent_drop(g);
	g->agent.idle_since = now;
	if (done)
		done(g, error, exit_status, output, now);
}

static void exec_done(void *userdata, const struct hv_reply *reply, usec_t now)
{
	struct guest *g = userdata;
	long pid;

	g->agent.waits_for_hv = false;
	g->hv_in_flight--;
	/* Dropped meanwhile: the guest was reset, and its pid means nothing. */
	if (!g->agent.busy || g->agent.pid != 0)
		return;
	if (reply->error != 0) {
		finish(g, reply->error, 0, "", now);
		return;
	}
	int r = agent_parse_exec(reply->text, &pid);
	if (r < 0) {
		finish(g, r, 0, "", now);
		return;
	}
	g->agent.pid = pid;
	g->agent.poll_due = usec_add(now, AGENT_POLL_EVERY);
}

int agent_run_command(struct guest *g, const char *const argv[], agent_done_t done, usec_t now)
{
	if (g->agent.busy || g->agent.waits_for_hv) {
		g->agent.turned_away = true;
		return -EBUSY;
	}
	if (!g->facts.agent_connected)
		return -ENOTCONN;
	if (snapshotting_wants_agent(g))
		return -EBUSY;
	CLEANUP_FREE char *text = agent_exec_text(argv);
	if (!text)
		return -ENOMEM;
	int r = put(g, text, exec_done);
	if (r < 0)
		return r;
	g->agent.busy = true;
	g->agent.turned_away = false;
	g->agent.pid = 0;
	g->agent.began = now;
	g->agent.poll_due = USEC_INFINITY;
	g->agent.done = done;
	return 0;
}

static void status_done(void *userdata, const struct hv_reply *reply, usec_t now)
{
	struct guest *g = userdata;
	char output[AGENT_OUTPUT_MAX];
	struct agent_status status;

	g->agent.waits_for_hv = false;
	g->hv_in_flight--;
	if (!g->agent.busy || g->agent.pid == 0)
		return;
	if (reply->error != 0) {
		finish(g, reply->error, 0, "", now);
		return;
	}
	int r = agent_parse_status(reply->text, &status, output, sizeof(output));
	if (r < 0)
		finish(g, r, 0, "", now);
	else if (status.exited)
		finish(g, 0, status.exit_status, output, now);
	else
		g->agent.poll_due = usec_add(now, AGENT_POLL_EVERY);
}

bool agent_yields(const struct guest *g, usec_t now)
{
	return g->agent.busy || g->agent.waits_for_hv ||
	       (g->agent.turned_away && now < usec_add(g->agent.idle_since, AGENT_TURN));
}

usec_t agent_tick(struct guest *g, usec_t now)
{
	usec_t end = usec_add(g->agent.began, AGENT_COMMAND_MAX);

	if (!g->agent.busy)
		return agent_yields(g, now) && !g->agent.waits_for_hv
			       ? usec_add(g->agent.idle_since, AGENT_TURN)
			       : USEC_INFINITY;
	if (now >= end) {
		finish(g, -ETIMEDOUT, 0, "", now);
		return USEC_INFINITY;
	}
	if (now < g->agent.poll_due)
		return MIN(g->agent.poll_due, end);
	g->agent.poll_due = USEC_INFINITY;
	CLEANUP_FREE char *text = agent_status_text(g->agent.pid);
	if (!text || put(g, text, status_done) < 0)
		g->agent.poll_due = usec_add(now, AGENT_POLL_EVERY);
	return MIN(g->agent.poll_due, end);
}

void agent_drop(struct guest *g)
{
	g->agent.busy = false;
	g->agent.pid = 0;
	g->agent.done = NULL;
	g->agent.poll_due = USEC_INFINITY;
}
