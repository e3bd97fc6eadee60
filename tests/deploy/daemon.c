/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon for tests/deploy/run: the real door over a supervisor filled by hand, whose services are
 * as what is deployed says: daemon ROOT. A program with GOOD in it answers, any other refuses; one
 * with DEAD in it takes the daemon along. Prints its runtime directory; ends with its stdin. */
/* LINK: base bus core/console core/cputune_names core/operation core/event core/eventring core/decision core/sight core/tally model policy cli/client_read cli/fields cli/view */
/* LIBS: libsystemd libcbor inih jansson */
#include "unit/bus_world.h"

#include "base/file.h"

/* A question takes its time. */
#define ANSWER_AFTER (50 * USEC_PER_MSEC)

static bool has(const char *bytes, size_t len, const char *word)
{
	return bytes && memmem(bytes, len, word, strlen(word)) != NULL;
}

static void announce(struct service *s)
{
	s->dirty = true;
	world->supervisor.observer.changed(world->supervisor.observer.userdata, &world->supervisor);
}

static int on_asked(sd_event_source *source, uint64_t now, void *userdata)
{
	struct service *s = userdata;
	CLEANUP_FREE char *path = NULL, *bytes = NULL;
	size_t len = 0;

	(void)source, (void)now;
	assert_true(asprintf(&path, "%s/opt/mediakit/bin/%s", getenv("ROOT"), s->spec->name) > 0);
	(void)file_read(path, 64u << 20, &bytes, &len);
	if (has(bytes, len, "DEAD"))
		exit(1);
	bool good = has(bytes, len, "GOOD");
	s->probe.state = good ? SERVICE_UP : SERVICE_STARTING;
	s->probe.last.verdict = good ? VERDICT_OK : VERDICT_REFUSED;
	snprintf(s->probe.last.reason, sizeof(s->probe.last.reason), "%s",
		good ? "" : "nobody listens on its port");
	s->judged_at_realtime = now_realtime();
	announce(s);
	return 0;
}

/* What was known of it is gone, and the answer comes a while later. Until then nobody is told: the
 * caller of Restarted() may have its reply long before the news. */
static void judge_anew(void)
{
	struct service *s = (struct service *)(uintptr_t)core.restarted;

	core.restarted = NULL;
	s->probe.state = SERVICE_STARTING;
	s->probe.last = (struct judgement){ .verdict = VERDICT_NONE };
	s->judged_at_realtime = 0;
	/* Of another service there is news meanwhile. */
	announce(s == &world->guests[0].services[0] ? s + 1 : s - 1);
	(void)sd_event_add_time_relative(
		world->event, NULL, CLOCK_BOOTTIME, ANSWER_AFTER, 1, on_asked, s);
}

static int on_stdin(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)source, (void)fd, (void)events, (void)userdata;
	return sd_event_exit(world->event, 0);
}

int main(int argc, char **argv)
{
	int reloads = 0;

	if (argc != 2 || setup(NULL) != 0)
		return 2;
	log_set_sink(take_line);
	(void)setenv("ROOT", argv[1], 1);
	for (unsigned i = 0; i < 2; i++)
		for (unsigned j = 0; j < 2; j++)
			world->guest_specs[i].services[j].probe = PROBE_CBOR;
	/* As a service whose forward was asked before, and answered. */
	world->guests[0].services[0].judged_at_realtime = now_realtime();
	printf("%s\n", world->dir);
	(void)fflush(stdout);
	(void)sd_event_add_io(world->event, NULL, STDIN_FILENO, EPOLLIN, on_stdin, NULL);
	while (sd_event_get_state(world->event) != SD_EVENT_FINISHED &&
		sd_event_run(world->event, UINT64_MAX) >= 0) {
		if (core.restarted)
			judge_anew();
		for (; reloads < (int)core.reloads; reloads++)
			printf("reload\n");
		(void)fflush(stdout);
	}
	return teardown(NULL);
}
