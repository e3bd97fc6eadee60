/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to the hypervisor and where their answers land. */
#include "core/hvlink.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "core/stopping.h"
#include "core/supervisor.h"

#include <errno.h>
#include <string.h>

/* Every request is about this guest; the rest is zero until set. */
static struct hv_request request_for(const struct guest *g, enum hv_verb verb)
{
	return (struct hv_request){ .verb = verb, .uuid = g->spec->uuid, .name = g->spec->name };
}

/* libvirt holds the domain's lock while it ends a QEMU that hangs, 12 s, and who looks the domain
 * up meanwhile waits for it with the lock of the list of domains in hand: every other guest would
 * wait, too. The end of the destroy has everything read again. */
bool hvlink_is_ending(const struct guest *g)
{
	return g->destroy_in_flight || g->saving.in_flight || (g->stop_in_flight & 1u << HV_QUIT);
}

static int put(struct guest *g, const struct hv_request *request, hv_done_t done)
{
	if (hvlink_is_ending(g) && request->verb != HV_DESTROY && request->verb != HV_SAVE_ABORT)
		return -EBUSY;
	int r = hv_submit(g->supervisor->config.hv, request, done, g);

	g->hv_in_flight += r == 0;
	return r;
}

static void take_facts(struct guest *g, const struct hv_facts *facts, usec_t now)
{
	g->facts = *facts;
	g->seen_at = now;
	g->news |= NEWS_FACTS;
}

static void read_done(void *userdata, const struct hv_reply *reply, usec_t now)
{
	struct guest *g = userdata;

	g->hv_in_flight--;
	g->read_in_flight = false;
	if (reply->error == 0)
		take_facts(g, &reply->facts, now);
	else
		log_full(LOG_DEBUG, g->spec->name, NULL, "cannot be read: %s", reply->message);
	if (g->read_again) {
		g->read_again = false;
		g->read_due = now;
	}
}

void hvlink_read(struct guest *g, usec_t now)
{
	if (g->read_in_flight) {
		g->read_again = true;
		return;
	}
	struct hv_request request = request_for(g, HV_READ);
	g->read_in_flight = put(g, &request, read_done) == 0;
	/* Refused (not connected, wedged): the connection's return asks for a read, and so does the
	 * timer. */
	(void)now;
}

static void stats_done(void *userdata, const struct hv_reply *reply, usec_t now)
{
	struct guest *g = userdata;

	g->hv_in_flight--;
	g->stats_in_flight = false;
	if (reply->error != 0)
		return;
	g->stats = reply->stats;
	g->stats_at = now;
	tally_stats(g, now);
	g->news |= NEWS_STATS;
	g->dirty = true;
}

void hvlink_stats(struct guest *g, usec_t now)
{
	struct hv_request request = request_for(g, HV_STATS);

	(void)now;
	/* With the balloon's own call out it would be half an answer; that call's end asks anew. */
	if (!g->stats_in_flight && !g->ballooning.in_flight)
		g->stats_in_flight = put(g, &request, stats_done) == 0;
}

static void start_done(void *userdata, const struct hv_reply *reply, usec_t now)
{
	struct guest *g = userdata;

	FAILPOINT(START_ANSWERED);
	g->hv_in_flight--;
	g->start_in_flight = false;
	g->start_error = reply->error;
	memcpy(g->start_message, reply->message, sizeof(g->start_message));
	g->news |= NEWS_START;
	if (reply->error != 0)
		return;
	g->saving.version = reply->version;
	take_facts(g, &reply->facts, now);
}

/* Beyond the time after which core itself has it given up. */
#define SAVE_ABORT_TAKES (15 * USEC_PER_SEC)

int hvlink_save(struct guest *g, hv_done_t done)
{
	struct hv_request request = request_for(g, HV_SAVE);

	request.timeout = usec_add(g->spec->shutdown_save, SAVE_ABORT_TAKES);
	return put(g, &request, done);
}

int hvlink_agent(struct guest *g, const char *command, hv_done_t done)
{
	struct hv_request request = request_for(g, HV_AGENT);

	request.text = command;
	return put(g, &request, done);
}

int hvlink_backup(struct guest *g, enum hv_verb verb, const char *text, hv_done_t done)
{
	struct hv_request request = request_for(g, verb);

	request.text = text;
	return put(g, &request, done);
}

int hvlink_start(struct guest *g, const char *xml, bool restore)
{
	struct hv_request request = request_for(g, HV_START);

	request.text = xml;
	request.restore = restore;
	request.version = g->saving.version;
	int r = put(g, &request, start_done);
	g->start_in_flight = r == 0;
	return r;
}

static void stop_done(void *userdata, const struct hv_reply *reply, usec_t now)
{
	struct guest *g = userdata;

	g->hv_in_flight--;
	g->stop_in_flight &= ~(1u << reply->verb);
	if (reply->verb == HV_RESUME || reply->verb == HV_QUIT)
		g->read_due = now;
	if (reply->error == 0)
		return;
	log_full(LOG_DEBUG, g->spec->name, NULL, "%s: %s", hv_verb_to_string(reply->verb),
		reply->message);
	if (reply->verb == HV_AGENT_SHUTDOWN)
		stopping_refused(g, now);
}

/* One of each kind at a time: an agent that does not answer must not keep the button from being
 * pressed. */
int hvlink_stop(struct guest *g, enum hv_verb verb)
{
	struct hv_request request = request_for(g, verb);

	if (g->stop_in_flight & 1u << verb)
		return 0;
	int r = put(g, &request, stop_done);
	if (r == 0)
		g->stop_in_flight |= 1u << verb;
	return r;
}

static void destroy_done(void *userdata, const struct hv_reply *reply, usec_t now)
{
	struct guest *g = userdata;

	g->hv_in_flight--;
	g->destroy_in_flight = false;
	if (reply->error != 0)
		event_note(g, EVENT_STOP, NULL, LOG_WARNING, "QEMU could not be ended yet: %s",
			reply->message);
	g->read_due = now;
}

void hvlink_destroy(struct guest *g)
{
	struct hv_request request = request_for(g, HV_DESTROY);

	if (!g->destroy_in_flight)
		g->destroy_in_flight = put(g, &request, destroy_done) == 0;
}

static void balloon_done(void *userdata, const struct hv_reply *reply, usec_t now)
{
	struct guest *g = userdata;

	g->hv_in_flight--;
	ballooning_answered(g, reply->error, reply->message, now);
}

int hvlink_balloon(struct guest *g, uint64_t kib)
{
	struct hv_request request = request_for(g, HV_SETMEM);

	request.kib = kib;
	return put(g, &request, balloon_done);
}

static void cpu_tune_done(void *userdata, const struct hv_reply *reply, usec_t now)
{
	struct guest *g = userdata;

	g->hv_in_flight--;
	cputune_answered(g, reply->error, reply->message, now);
}

int hvlink_cpu_tune(struct guest *g, unsigned weight, unsigned quota_pct)
{
	struct hv_request request = request_for(g, HV_CPU_TUNE);

	request.weight = weight;
	request.quota_pct = quota_pct;
	return put(g, &request, cpu_tune_done);
}
