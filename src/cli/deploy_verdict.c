/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's part in a deploy: it is told of the restart, judges the service anew, and reads the
 * drop-in that makes a pending service active. */
#include "base/file.h"
#include "bus/names.h"
#include "cli/client_read.h"
#include "cli/deploy_job.h"
#include "cli/verb.h"
#include "io/confdir.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define VERDICT_TIMEOUT (60 * USEC_PER_SEC)
#define TCG_FACTOR      3u
#define LOOK_EVERY      (USEC_PER_SEC / 2)

static const struct view_service *service_of(const struct deploy *d)
{
	const struct view_guest *g = view_guest(&d->view, d->guest->name);

	return g ? view_service(g, d->service->name) : NULL;
}

int deploy_ask(struct deploy *d)
{
	static const char *const up[] = { "running", "ready", NULL };
	const char *runtime = d->args->runtime_given ? d->args->runtime : d->spec->runtime_dir;
	int status = client_open(runtime, CLIENT_CONTROL, &d->client);

	if (status == 0)
		status = client_load(d->client, &d->view);
	if (status != 0) {
		d->status = status;
		return reason_set(&d->reason, -ENOTCONN,
			"without the daemon nobody can tell whether it answers");
	}
	const struct view_guest *g = view_guest(&d->view, d->guest->name);
	if (!g || !service_of(d)) {
		d->status = CLI_NO_GUEST;
		return reason_set(&d->reason, -ENOENT,
			"the daemon does not know %s of %s: `mediakitd reload`", d->service->name,
			d->guest->name);
	}
	d->tcg = strcmp(g->accelerator, "tcg") == 0;
	if (view_is(g->state, up))
		return 0;
	d->status = view_runs(g) ? CLI_FAILED : CLI_NOT_RUNNING;
	return reason_set(&d->reason, -ESRCH, "%s is %s: `mediakitd %s %s` first", g->name,
		g->state, view_runs(g) ? "wait" : "start", g->name);
}

bool deploy_unwatched(struct deploy *d)
{
	const struct view_service *s = service_of(d);

	return !s || !s->watched;
}

/* What is learned from here on is newer than the restart. */
int deploy_told_restarted(struct deploy *d)
{
	CLEANUP_FREE char *path = NULL;
	struct client_reply reply = { 0 };
	sd_bus_message *m = NULL, *answer = NULL;
	int r = sd_bus_path_encode_many(
		&path, BUS_PATTERN_SERVICE, d->guest->name, d->service->name);

	if (r >= 0)
		r = sd_bus_message_new_method_call(client_bus(d->client), &m,
			client_destination(d->client), path, BUS_IFACE_SERVICE, "Restarted");
	r = client_ask(d->client, r, m, &reply, &answer);
	sd_bus_message_unref(answer);
	if (r >= 0)
		return 0;
	d->status = reply.status ?: CLI_FAILED;
	return reason_set(&d->reason, r, "the daemon could not be told: %s", reply.message);
}

static void tell_verdict(struct deploy *d, const struct view_service *s, char *last, size_t size)
{
	char text[512];

	if (strcmp(s->verdict, "none") == 0)
		return;
	(void)snprintf(
		text, sizeof(text), "%s%s%s", s->verdict, s->reason[0] ? ": " : "", s->reason);
	if (strcmp(text, last) == 0)
		return;
	(void)snprintf(last, size, "%s", text);
	stageline_note(&d->line, "%s: %s", s->name, text);
}

static int give_up(struct deploy *d, const struct view_service *s, usec_t waited)
{
	char span[TIMESPAN_TEXT_MAX];

	(void)format_timespan(span, sizeof(span), waited);
	if (!s)
		return reason_set(&d->reason, -ENOENT, "the daemon no longer knows the service");
	return reason_set(&d->reason, -ETIMEDOUT, "%s does not answer well after %s: %s, %s%s%s",
		s->name, span, s->state, s->verdict, s->reason[0] ? ": " : "", s->reason);
}

static usec_t patience(const struct deploy *d)
{
	if (d->args->timeout != USEC_INFINITY)
		return d->args->timeout;
	return d->tcg ? VERDICT_TIMEOUT * TCG_FACTOR : VERDICT_TIMEOUT;
}

int deploy_verdict(struct deploy *d)
{
	char last[512] = "";
	usec_t began = now_boottime(), until = usec_add(began, patience(d));
	bool anew = false;
	int r = deploy_told_restarted(d);
	usec_t told_at = now_realtime();

	/* What the view says may be of before the restart: the reply comes before the news. What
	 * was judged later than the reply, or follows a word of its being judged anew, is not. */
	while (r >= 0) {
		usec_t left = usec_sub(until, now_boottime());
		const struct view_service *s;

		r = client_wait(d->client, MIN(left, LOOK_EVERY));
		if (r >= 0)
			r = tick_call(&d->tick);
		if (r == -ECANCELED)
			return r;
		if (r < 0)
			break;
		s = service_of(d);
		anew |= s && (strcmp(s->verdict, "none") == 0 || strcmp(s->state, "starting") == 0);
		if (s && (anew || s->verdict_at > told_at))
			tell_verdict(d, s, last, sizeof(last));
		if (s && view_service_up(s) && (anew || s->verdict_at > told_at))
			return 0;
		if (!s || left == 0)
			return give_up(d, s, usec_sub(now_boottime(), began));
	}
	if (d->reason.text[0])
		return r;
	d->status = CLI_NO_DAEMON;
	return reason_set(&d->reason, r, "the daemon went away before it could judge");
}

static int write_dropin(struct deploy *d, char **ret_path)
{
	const char *dir = d->args->config ?: CONFDIR_DEFAULT;
	CLEANUP_FREE char *place = NULL, *text = NULL;
	char stamp[32] = "";
	time_t now = (time_t)(now_realtime() / USEC_PER_SEC);
	struct tm tm;

	if (gmtime_r(&now, &tm))
		(void)strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S UTC", &tm);
	if (asprintf(&place, "%s/guests.d/%s.conf.d", dir, d->guest->name) < 0)
		return -ENOMEM;
	if (asprintf(ret_path, "%s/90-deployed-%s.conf", place, d->service->name) < 0) {
		*ret_path = NULL;
		return -ENOMEM;
	}
	if (asprintf(&text,
		    "# Written by `mediakitd deploy`, when its first release was proven:\n"
		    "# %s, %s\n[Service %s]\nExpect=active\n",
		    d->release, stamp, d->service->name) < 0)
		return -ENOMEM;
	int r = dir_make(place, 0755);
	return r < 0 ? r : file_write_atomic(*ret_path, text, strlen(text), 0644);
}

static void print_line(bool is_fault, const char *line)
{
	(void)is_fault;
	fprintf(stderr, "%s\n", line);
}

/* Another drop-in, of a name that comes later, may say otherwise. */
static bool is_active(const struct deploy *d)
{
	struct conf_faults faults = { 0 };
	struct spec *spec = NULL;
	int r = confdir_load(
		d->args->config ?: CONFDIR_DEFAULT, d->args->state, NULL, &spec, &faults);
	const struct guest_spec *guest = r < 0 ? NULL : spec_find_guest(spec, d->guest->name);
	const struct service_spec *service =
		guest ? guest_spec_find_service(guest, d->service->name) : NULL;
	bool active = service && service->expect == EXPECT_ACTIVE;

	conf_faults_clear(&faults);
	spec_free(spec);
	return active;
}

void deploy_activate(struct deploy *d)
{
	CLEANUP_FREE char *path = NULL;
	struct client_reply reply = { 0 };
	bool ok = false;

	if (d->service->expect != EXPECT_PENDING)
		return;
	int r = write_dropin(d, &path);
	if (r < 0) {
		stageline_note(&d->line,
			"it stays pending, since %s cannot be written (%s): put `[Service %s]` and "
			"`Expect=active` there and `mediakitd reload`",
			path ?: "a drop-in", strerror(-r), d->service->name);
		return;
	}
	r = client_reload(d->client, print_line, &ok, &reply);
	if (r < 0 || !ok)
		stageline_note(&d->line, "%s is written, but the daemon did not take it: %s", path,
			r < 0 ? reply.message : "see the faults above");
	else if (!is_active(d))
		stageline_note(&d->line,
			"%s is written, and another drop-in after it says Expect=pending", path);
	else
		stageline_note(&d->line, "no longer pending, but active: %s", path);
}
