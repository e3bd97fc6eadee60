/* SPDX-License-Identifier: Apache-2.0 */
/* The part of a deploy that changes what runs: switch, verdict, settle; or all of it taken back. */
#include "cli/deploy_job.h"
#include "model/utf8.h"

#include <errno.h>
#include <string.h>

#define STAY_UNWATCHED 5u
#define LOG_SHOWN      1024u

static int stage_switch(struct deploy *d)
{
	char vars[128];
	const struct deploy_step step = {
		.name = "switch", .as_root = true, .vars = vars, .timeout = DEPLOY_UNDO_TIMEOUT
	};

	(void)snprintf(vars, sizeof(vars), "RELEASE='%s' DROP='%s'", d->release,
		d->args->rollback ? "" : "1");
	return deploy_step(d, &step);
}

static int stage_verdict(struct deploy *d)
{
	return deploy_unwatched(d) ? 0 : deploy_verdict(d);
}

/* A unit that is up for a moment, and started again, has no port to show it. */
static int stage_settle(struct deploy *d, unsigned pid)
{
	bool by_unit = d->service->probe == PROBE_UNIT || deploy_unwatched(d);
	char vars[128];
	const struct deploy_step step = {
		.name = "settle", .vars = vars, .timeout = DEPLOY_STEP_TIMEOUT
	};

	(void)snprintf(vars, sizeof(vars), "PID='%u' STAY='%u' KEEP='%u'", pid,
		by_unit ? STAY_UNWATCHED : 0, DEPLOY_KEEP);
	int r = deploy_step(d, &step);
	if (r >= 0 && !d->facts.settled)
		r = reason_set(
			&d->reason, -EBADMSG, "%s does not say that it is done", d->guest->name);
	return r;
}

static void print_log(const struct deploy *d)
{
	bool first = true;

	for (const char *s = d->lines; s && *s;) {
		size_t len = strcspn(s, "\n");
		char shown[LOG_SHOWN];

		if (strncmp(s, "log ", 4) == 0) {
			(void)utf8_escape(shown, sizeof(shown), s + 4, len - 4);
			if (first)
				fprintf(stderr, "the last lines of %s:\n", d->service->unit);
			fprintf(stderr, "  %s\n", shown);
			first = false;
		}
		s += len + (s[len] == '\n');
	}
}

/* `why` is what the operator must hear in any case. */
static int take_back(struct deploy *d, int error)
{
	const struct deploy_step step = {
		.name = "undo", .as_root = true, .vars = "", .timeout = DEPLOY_UNDO_TIMEOUT
	};
	const struct reason why = d->reason;

	d->reason = (struct reason){ "" };
	d->undoing = true;
	deploy_begin(d, "rolling back");
	int r = deploy_step(d, &step);
	stageline_end(&d->line);
	if (r >= 0)
		print_log(d);
	fprintf(stderr, "%s: %s\n", d->line.prefix, error == -ECANCELED ? "interrupted" : why.text);
	if (r < 0)
		fprintf(stderr,
			"%s: and it could not be rolled back: %s; the next deploy of %s does that "
			"first\n",
			d->line.prefix, d->reason.text, d->service->name);
	else if (!d->facts.undone)
		fprintf(stderr, "%s: nothing was switched, or it was proven already; see --list\n",
			d->line.prefix);
	else
		fprintf(stderr, "%s: rolled back: what was there before runs again\n",
			d->line.prefix);
	/* The daemon learns of this restart as well; that it cannot is no news now. */
	int status = d->status;
	if (r >= 0 && d->facts.undone && !deploy_unwatched(d))
		(void)deploy_told_restarted(d);
	d->status = status;
	return error;
}

/* What it took so far is said at the end, as far as it is anything. */
void deploy_begin(struct deploy *d, const char *what)
{
	char span[TIMESPAN_TEXT_MAX];
	usec_t now = now_boottime(), took = usec_sub(now, d->stage_since);
	size_t len = strlen(d->spent);

	if (d->stage && took >= USEC_PER_SEC / 10)
		(void)snprintf(d->spent + len, sizeof(d->spent) - len, "%s%s %s",
			len > 0 ? ", " : "", d->stage, format_timespan(span, sizeof(span), took));
	d->stage = what;
	d->stage_since = now;
	if (what)
		stageline_begin(&d->line, what);
}

int deploy_judge(struct deploy *d)
{
	unsigned pid = d->facts.pid;

	deploy_begin(d, "verdict");
	int r = stage_verdict(d);
	if (r >= 0) {
		deploy_begin(d, "settling");
		r = stage_settle(d, pid);
	}
	if (r < 0)
		return r;
	deploy_begin(d, NULL);
	stageline_note(&d->line, "%s runs and %s (%s)", d->release,
		deploy_unwatched(d) ? "stays up" : "answers", d->spent);
	deploy_activate(d);
	return 0;
}

int deploy_switch(struct deploy *d)
{
	deploy_begin(d, "switching");
	int r = stage_switch(d);
	if (r >= 0)
		r = deploy_judge(d);
	return r < 0 ? take_back(d, r) : 0;
}
