/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated world's loop, its clock, and the daemons that come and go in it. */
#include "sim.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include <cmocka.h>

#include "base/log.h"
#include "core/probing.h"
#include "io/confdir.h"

/* The one world that the functions without a userdata belong to. */
static struct sim *world;

/* 2026-01-01, for the realtime of a world in which no time has passed. */
#define REALTIME_BASE (1767225600 * S)
#define BOOTTIME_BASE (1000 * S)

/* base/time reads the clocks through this; an executable's own definition is found before the C
 * library's. */
int clock_gettime(clockid_t id, struct timespec *ts)
{
	usec_t now;

	if (!world || (id != CLOCK_BOOTTIME && id != CLOCK_REALTIME))
		return (int)syscall(SYS_clock_gettime, id, ts);
	now = world->now + (id == CLOCK_REALTIME ? REALTIME_BASE - BOOTTIME_BASE : 0);
	ts->tv_sec = (time_t)(now / S);
	ts->tv_nsec = (long)(now % S) * 1000;
	return 0;
}

static void take_line(int level, const char *guest, const char *service, const char *line)
{
	char text[8192];
	int n = snprintf(text, sizeof(text), "%7.2f <%d> %s%s%s: %s\n",
		(double)(world->now - BOOTTIME_BASE) / 1e6, level, guest ? guest : "mediakitd",
		service ? " " : "", service ? service : "", line);
	size_t len = MIN((size_t)n, sizeof(text) - 1);

	if (getenv("VERBOSE"))
		fputs(text, stderr);
	/* Bounded, for the long stories. The journal's fields come as lines of debug level. */
	if ((level > LOG_INFO && strncmp(line, "MEDIAKIT_", 9) != 0) ||
		world->log_len > 4 * 1024 * 1024)
		return;
	if (world->log_len + len + 1 > world->log_room) {
		world->log_room = 2 * (world->log_len + len + 1);
		world->log = realloc(world->log, world->log_room);
		assert_non_null(world->log);
	}
	memcpy(world->log + world->log_len, text, len + 1);
	world->log_len += len;
}

static int port_check(const char *address, uint16_t port, char *owner, size_t owner_size)
{
	assert_non_null(address);
	(void)snprintf(owner, owner_size, "%s", world->taken[port] ? "pid 4711 (nginx)" : "");
	return world->taken[port] ? -EADDRINUSE : 0;
}

static int disk_room(const char *path, uint64_t *ret_free_kib)
{
	assert_true(strstr(path, "disk") || strstr(path, "snapshots"));
	*ret_free_kib = world->free_kib;
	return world->free_kib == UINT64_MAX ? -EIO : 0;
}

static bool kvm_works(void)
{
	world->kvm_tries++;
	return world->kvm;
}

static int oom_read(const char *path, uint64_t *ret)
{
	assert_string_equal(path, "machine.slice");
	*ret = world->oom_kills;
	return world->oom_unknown ? -ENOENT : 0;
}

static int oom_find(int64_t pid, char ret_path[static OOMKILL_PATH_MAX])
{
	assert_true(pid > 0);
	(void)snprintf(ret_path, OOMKILL_PATH_MAX, "machine.slice");
	return world->oom_unknown ? -EOPNOTSUPP : 0;
}

static const struct oomkill oomkill = { .find = oom_find, .read = oom_read };

static double jitter(void)
{
	return 0.5;
}

static int pressure(usec_t *ret_total)
{
	if (world->pressure < 0)
		return -ENOENT;
	sim_pressure(world, world->pressure);
	*ret_total = world->pressure_total;
	return 0;
}

static int host_memory(struct hostmem *ret)
{
	uint64_t used = world->host.other_kib + fake_hv_rss_kib(world->hv);

	if (world->host.total_kib == 0)
		return -ENOENT;
	*ret = (struct hostmem){
		.total_kib = world->host.total_kib,
		.available_kib = world->host.total_kib - MIN(used, world->host.total_kib),
		.psi_some_avg10 = world->host.psi,
	};
	return 0;
}

static void nonce(char ret[static 17])
{
	static unsigned long long n;

	(void)snprintf(ret, 17, "%016llx", 0xa000000000000000ull + ++n);
}

static void digest(const void *data, size_t len, char ret[static DIGEST_TEXT])
{
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ ((const uint8_t *)data)[i]) * 1099511628211u;
	(void)snprintf(ret, DIGEST_TEXT, "%064llx", (unsigned long long)hash);
}

static void changed(void *userdata, struct supervisor *s)
{
	((struct sim *)userdata)->announced++;
	s->dirty = false;
	for (unsigned i = 0; i < s->n_guests; i++) {
		s->guests[i]->dirty = false;
		for (unsigned k = 0; k < s->guests[i]->n_services; k++)
			s->guests[i]->services[k].dirty = false;
	}
}

static void shell(const char *format, const char *a)
{
	char command[256];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(command, sizeof(command), format, a);
#pragma GCC diagnostic pop
	assert_int_equal(system(command), 0);
}

struct sim *sim_new(void)
{
	struct sim *sim = calloc(1, sizeof(*sim));

	assert_non_null(sim);
	(void)snprintf(sim->dir, sizeof(sim->dir), "/tmp/test_daemon.XXXXXX");
	assert_non_null(mkdtemp(sim->dir));
	(void)snprintf(sim->state_dir, sizeof(sim->state_dir), "%s/state", sim->dir);
	(void)snprintf(sim->config_dir, sizeof(sim->config_dir), "%s/etc", sim->dir);
	shell("mkdir -p '%s'/state/images", sim->dir);
	shell("mkdir -p '%s'/etc/guests.d", sim->dir);
	sim->now = sim->timeline.now = BOOTTIME_BASE;
	sim->log = strdup("");
	/* More than any test's guests ask for, unless it says otherwise. */
	sim->host.total_kib = UINT64_C(4096) << 20;
	sim->free_kib = UINT64_C(1) << 30;
	sim->hv = fake_hv_new(&sim->timeline);
	sim->prober = fake_prober_new(&sim->timeline);
	sim->store = fake_store_new();
	sim->bases = fake_bases_new(&sim->timeline);
	sim->saves = fake_saves_new(&sim->timeline, sim->state_dir);
	sim->snapshots = fake_snapshots_new(&sim->timeline);
	world = sim;
	log_set_sink(take_line);
	return sim;
}

void sim_free(struct sim *sim)
{
	sim_kill_daemon(sim);
	timeline_clear(&sim->timeline);
	fake_prober_free(sim->prober);
	fake_hv_free(sim->hv);
	fake_store_free(sim->store);
	fake_bases_free(sim->bases);
	fake_saves_free(sim->saves);
	fake_snapshots_free(sim->snapshots);
	shell("rm -rf '%s'", sim->dir);
	log_set_sink(NULL);
	world = NULL;
	free(sim->log);
	free(sim);
}

static void register_services(struct sim *sim)
{
	struct spec *spec = sim->supervisor->spec;

	for (unsigned i = 0; i < spec->n_guests; i++) {
		const struct guest_spec *g = &spec->guests[i];
		struct fake_guest *d = fake_hv_guest(sim->hv, g->uuid, g->name);

		for (unsigned k = 0; k < g->n_services; k++)
			if (g->services[k].host_port)
				(void)fake_prober_service(sim->prober, g->services[k].host_port, d,
					g->services[k].name);
	}
}

void sim_daemon(struct sim *sim)
{
	static const struct supervisor_observer none;
	struct conf_faults faults = { 0 };
	struct supervisor_observer observer = none;
	struct supervisor_config config = {
		.config_dir = sim->config_dir,
		.hv = &sim->hv->hv,
		.prober = &sim->prober->prober,
		.store = &sim->store->store,
		.bases = &sim->bases->bases,
		.saves = &sim->saves->saves,
		.snapshots = &sim->snapshots->snapshots,
		.kvm_works = kvm_works,
		.port_check = port_check,
		.oomkill = &oomkill,
		.jitter = jitter,
		.pressure = pressure,
		.host_memory = host_memory,
		.disk_room = disk_room,
		.digest = digest,
		.nonce = nonce,
	};

	assert_null(sim->supervisor);
	int r = confdir_load(sim->config_dir, sim->state_dir, sim->dir, &config.spec, &faults);
	for (unsigned i = 0; i < faults.n; i++)
		take_line(LOG_WARNING, "config", NULL, faults.list[i].text);
	if (r < 0)
		fail_msg("the test's configuration is faulty%s", sim_story(sim));
	conf_faults_clear(&faults);
	assert_int_equal(supervisor_new(&config, sim->now, &sim->supervisor), 0);
	observer.changed = changed;
	observer.userdata = sim;
	supervisor_observe(sim->supervisor, &observer);
	register_services(sim);
	assert_int_equal(sim->hv->hv.vtable->connect(&sim->hv->hv), 0);
}

void sim_stop_daemon(struct sim *sim)
{
	if (!sim->supervisor)
		return;
	supervisor_free(sim->supervisor);
	sim->supervisor = NULL;
	fake_prober_orphan(sim->prober);
	fake_hv_orphan(sim->hv);
	fake_bases_orphan(sim->bases);
	fake_saves_orphan(sim->saves);
	fake_snapshots_orphan(sim->snapshots);
}

void sim_kill_daemon(struct sim *sim)
{
	sim->store->dead = true;
	sim_stop_daemon(sim);
	sim->store->dead = false;
}

int sim_reload(struct sim *sim)
{
	struct conf_faults faults = { 0 };
	char *report = NULL;
	int r = supervisor_reload(sim->supervisor, sim->now, &faults, &report);

	for (unsigned i = 0; i < faults.n; i++)
		take_line(LOG_WARNING, "config", NULL, faults.list[i].text);
	for (char *line = report ? strtok(report, "\n") : NULL; line; line = strtok(NULL, "\n"))
		take_line(LOG_INFO, "reload", NULL, line);
	free(report);
	conf_faults_clear(&faults);
	if (r == 0)
		register_services(sim);
	return r;
}

/* More turns than that without time passing is a loop that burns a CPU. */
#define TURNS_AT_ONCE 200u

static void call_supervisor(struct sim *sim)
{
	sim->next = sim->supervisor ? supervisor_run(sim->supervisor, sim->now) : USEC_INFINITY;
}

void sim_turn(struct sim *sim)
{
	usec_t next = MIN(sim->next, timeline_next(&sim->timeline));

	assert_int_not_equal(next, USEC_INFINITY);
	sim->turns_at_once = next <= sim->now ? sim->turns_at_once + 1 : 0;
	if (sim->turns_at_once > TURNS_AT_ONCE)
		fail_msg("the loop spins%s", sim_story(sim));
	sim->now = MAX(sim->now, next);
	sim->turns++;
	timeline_run(&sim->timeline, sim->now);
	call_supervisor(sim);
}

static void never(void *userdata, usec_t now)
{
	(void)userdata;
	(void)now;
}

bool sim_run_until(struct sim *sim, bool (*condition)(struct sim *sim, const void *arg),
	const void *arg, usec_t limit)
{
	usec_t until = sim->now + limit;
	struct happening *end = timeline_at(&sim->timeline, until, never, NULL);

	/* Whatever the test did since the last turn is looked at first. */
	call_supervisor(sim);
	while (!(condition && condition(sim, arg))) {
		/* Time stops there, and not at the next thing due. */
		if (sim->now >= until)
			return false;
		sim_turn(sim);
	}
	if (sim->now < until)
		timeline_cancel(&sim->timeline, end);
	return true;
}

void sim_run(struct sim *sim, usec_t span)
{
	(void)sim_run_until(sim, NULL, NULL, span);
}

static bool may_end(struct sim *sim, const void *arg)
{
	(void)arg;
	return supervisor_may_end(sim->supervisor, sim->now);
}

usec_t sim_end_daemon(struct sim *sim)
{
	usec_t began = sim->now;

	supervisor_end(sim->supervisor, sim->now);
	if (!sim_run_until(sim, may_end, NULL, 10 * S))
		fail_msg("it does not end%s", sim_story(sim));
	sim_stop_daemon(sim);
	return sim->now - began;
}

void sim_pressure(struct sim *sim, int permille)
{
	if (sim->pressure > 0)
		sim->pressure_total += (sim->now - sim->pressure_at) * (usec_t)sim->pressure / 1000;
	sim->pressure_at = sim->now;
	sim->pressure = permille;
}

void sim_suspend(struct sim *sim, usec_t span)
{
	fake_hv_shift(sim->hv, span);
	sim->now += span;
	sim->timeline.now += span;
}

struct guest *sim_guest(struct sim *sim, const char *name)
{
	struct guest *g = supervisor_find(sim->supervisor, name);

	assert_non_null(g);
	return g;
}

struct fake_guest *sim_fake(struct sim *sim, const char *name)
{
	char uuid[SPEC_UUID_TEXT];

	spec_uuid(name, uuid);
	return fake_hv_guest(sim->hv, uuid, name);
}

struct service *sim_service(struct sim *sim, const char *guest, const char *service)
{
	struct guest *g = sim_guest(sim, guest);

	for (unsigned i = 0; i < g->n_services; i++)
		if (strcmp(g->services[i].spec->name, service) == 0)
			return &g->services[i];
	fail_msg("no service %s", service);
	return NULL;
}

struct fake_service *sim_fake_service(struct sim *sim, const char *guest, const char *service)
{
	return fake_prober_find(sim->prober, sim_service(sim, guest, service)->spec->host_port);
}

static void request_done(void *userdata, int error, const char *message)
{
	struct sim_request *r = userdata;

	/* Exactly once, and never before guest_request() returned. */
	assert_int_equal(r->accepted, 1);
	assert_int_equal(++r->answers, 1);
	r->error = error;
	(void)snprintf(r->text, sizeof(r->text), "%s", message);
	r->answered_at = r->sim->now;
}

static struct sim_request *ask_fully(struct sim *sim, const char *guest, struct request request)
{
	assert_true(sim->n_requests < SIM_REQUESTS_MAX);
	struct sim_request *r = &sim->requests[sim->n_requests++];

	request.done = request_done;
	request.userdata = r;
	r->sim = sim;
	r->asked_at = sim->now;
	r->accepted = guest_request(sim_guest(sim, guest), &request, sim->now, r->message, &r->op);
	return r;
}

static struct sim_request *ask(
	struct sim *sim, const char *guest, enum operation_kind kind, uint64_t kib, usec_t span)
{
	return ask_fully(
		sim, guest, (struct request){ .kind = kind, .kib = kib, .span = span });
}

struct sim_request *sim_delete_snapshot(struct sim *sim, const char *guest, usec_t id)
{
	return ask_fully(sim, guest,
		(struct request){ .kind = OPERATION_DELETE_SNAPSHOT, .id = id });
}

struct sim_request *sim_ask(struct sim *sim, const char *guest, enum operation_kind kind)
{
	return ask(sim, guest, kind, 0, 0);
}

struct sim_request *sim_balloon(struct sim *sim, const char *guest, uint64_t kib)
{
	return ask(sim, guest, OPERATION_BALLOON, kib, 0);
}

struct sim_request *sim_balloon_for(struct sim *sim, const char *guest, uint64_t kib, usec_t span)
{
	return ask(sim, guest, OPERATION_BALLOON, kib, span);
}

#define STORY_MAX 4000u

const char *sim_story(const struct sim *sim)
{
	size_t from = sim->log_len > STORY_MAX ? sim->log_len - STORY_MAX : 0;

	fprintf(stderr, "%s%s", from ? "[...]" : "", sim->log + from);
	return "";
}

bool sim_log_has(const struct sim *sim, const char *text)
{
	return strstr(sim->log, text) != NULL;
}

unsigned sim_log_count(const struct sim *sim, const char *text)
{
	unsigned n = 0;

	for (const char *at = strstr(sim->log, text); at; at = strstr(at + 1, text))
		n++;
	return n;
}

void sim_log_clear(struct sim *sim)
{
	sim->log[0] = '\0';
	sim->log_len = 0;
}
