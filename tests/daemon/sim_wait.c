/* SPDX-License-Identifier: Apache-2.0 */
/* Configurations for the simulated world, waiting in it, and cmocka's fixtures. */
#include "sim.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

/* The services of product.md; the two without a port are asked for by unit. */
static const char services[] =
	"[Service local-knowledge-documentation]\nPort=9090\n"
	"[Service local-proofreader]\nPort=9092\n"
	"[Service local-knowledge-projects]\nPort=9093\n"
	"[Service local-knowledge-corporate]\nPort=9095\n"
	"[Service local-bim-orchestration]\nPort=9096\nExpect=pending\nDependsOn=service-fs\n"
	"[Service service-fs]\nPort=9100\nExpect=pending\n"
	"[Service local-marketing-pointsav]\nPort=9101\n"
	"[Service local-marketing]\nPort=9102\n"
	"[Service system-core]\nExpect=pending\n"
	"[Service system-ledger]\nExpect=pending\nDependsOn=system-core\n";

void sim_configure_text(struct sim *sim, const char *name, const char *text)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/guests.d/%s.conf", sim->config_dir, name);
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0644), 0);
}

void sim_configure(struct sim *sim, const char *name, unsigned offset, const char *extra)
{
	CLEANUP_FREE char *text = NULL;

	assert_true(asprintf(&text,
			    "[Guest]\nMemory=6G\nCPUs=2\n[Image]\nPath=/"
			    "nowhere.qcow2\n[Network]\nPortOffset=%u\n"
			    "[Memory]\nMemoryMin=2G\n%s%s",
			    offset, services, extra ? extra : "") > 0);
	sim_configure_text(sim, name, text);
	sim_provision(sim, name);
}

void sim_unconfigure(struct sim *sim, const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/guests.d/%s.conf", sim->config_dir, name);
	assert_int_equal(unlink(path), 0);
}

static char *image_path(const struct sim *sim, const char *name, const char *file)
{
	static char path[256];

	(void)snprintf(path, sizeof(path), "%s/images/%s%s%s", sim->state_dir, name,
		file ? "/" : "", file ?: "");
	return path;
}

void sim_provision(struct sim *sim, const char *name)
{
	assert_int_equal(dir_make(image_path(sim, name, NULL), 0711), 0);
	assert_int_equal(file_write_atomic(image_path(sim, name, "disk.qcow2"), "", 0, 0600), 0);
	assert_int_equal(file_write_atomic(image_path(sim, name, "seed.iso"), "", 0, 0600), 0);
}

void sim_write_disk(struct sim *sim, const char *name)
{
	usec_t now = now_realtime();
	const struct timespec at = { .tv_sec = (time_t)(now / USEC_PER_SEC),
		.tv_nsec = (long)(now % USEC_PER_SEC) * 1000 };
	const struct timespec times[2] = { at, at };

	assert_int_equal(utimensat(AT_FDCWD, image_path(sim, name, "disk.qcow2"), times, 0), 0);
}

void sim_unprovision(struct sim *sim, const char *name)
{
	assert_int_equal(unlink(image_path(sim, name, "disk.qcow2")), 0);
}

struct wanted {
	const char *guest, *service;
	int state;
};

static bool state_is(struct sim *sim, const void *arg)
{
	const struct wanted *w = arg;

	return (int)sim_guest(sim, w->guest)->state == w->state;
}

static bool is_healthy(struct sim *sim, const void *arg)
{
	return sim_guest(sim, ((const struct wanted *)arg)->guest)->healthy;
}

static bool service_is(struct sim *sim, const void *arg)
{
	const struct wanted *w = arg;

	return (int)sim_service(sim, w->guest, w->service)->probe.state == w->state;
}

static bool is_answered(struct sim *sim, const void *arg)
{
	(void)sim;
	return ((const struct sim_request *)arg)->answers > 0;
}

void sim_wait_state(struct sim *sim, const char *guest, enum guest_state state, usec_t limit)
{
	const struct wanted w = { .guest = guest, .state = (int)state };

	if (!sim_run_until(sim, state_is, &w, limit))
		fail_msg("%s is %s and not %s%s", guest,
			guest_state_to_string(sim_guest(sim, guest)->state),
			guest_state_to_string(state), sim_story(sim));
}

void sim_wait_healthy(struct sim *sim, const char *guest, usec_t limit)
{
	const struct wanted w = { .guest = guest };

	if (!sim_run_until(sim, is_healthy, &w, limit))
		fail_msg("%s is not healthy but %s%s", guest,
			guest_state_to_string(sim_guest(sim, guest)->state), sim_story(sim));
}

void sim_wait_service(struct sim *sim, const char *guest, const char *service,
	enum service_state state, usec_t limit)
{
	const struct wanted w = { .guest = guest, .service = service, .state = (int)state };

	if (!sim_run_until(sim, service_is, &w, limit))
		fail_msg("%s is %s (%s: %s) and not %s%s", service,
			service_state_to_string(sim_service(sim, guest, service)->probe.state),
			verdict_to_string(sim_service(sim, guest, service)->probe.last.verdict),
			sim_service(sim, guest, service)->probe.last.reason,
			service_state_to_string(state), sim_story(sim));
}

void sim_wait_answer(struct sim *sim, const struct sim_request *r, usec_t limit)
{
	if (r->accepted != 1)
		fail_msg("not accepted (%d): %s%s", r->accepted, r->message, sim_story(sim));
	if (!sim_run_until(sim, is_answered, r, limit))
		fail_msg("not answered%s", sim_story(sim));
}

struct sim *sim_new_healthy(void)
{
	struct sim *sim = sim_new();

	sim_configure(sim, VM, 10000, NULL);
	sim_daemon(sim);
	sim_wait_healthy(sim, VM, 120 * S);
	/* The last of the boot: everything judged twice, everything written. */
	sim_run(sim, 15 * S);
	return sim;
}

int sim_setup_healthy(void **state)
{
	*state = sim_new_healthy();
	return 0;
}

int sim_setup(void **state)
{
	struct sim *sim = sim_new();

	sim_configure(sim, VM, 10000, NULL);
	*state = sim;
	return 0;
}

int sim_teardown(void **state)
{
	sim_free(*state);
	return 0;
}
