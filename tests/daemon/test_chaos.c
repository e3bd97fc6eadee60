/* SPDX-License-Identifier: Apache-2.0 */
/* Everything at once, in random order: operators, saves, deploys, crashes, reboots, panics, pauses,
 * hangs, lying agents, other people's starts and provisioners, lost connections, dying daemons and
 * reloads. Whatever came, there was never a second QEMU on a disk, nor memory on a disk that is not
 * the one it was saved with (the fake hypervisor asserts both), no request was answered twice or
 * forgotten, the loop never spun, and once it is quiet the guests are as they are wanted. */
/* LINK: base model policy core io/layout io/hv io/confdir */
/* LIBS: libcbor jansson inih libsystemd */
#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/macro.h"
#include "fake_guest.h"
#include "io/layout.h"
#include "sim.h"

#define SECOND "vm-intelligence"

static uint64_t x;

/* It was started by another's hand than ours, so that it runs though it is not wanted up. By the
 * guest's place in the configuration. */
static bool foreign[2];

/* The last boot that it began by itself, of which nobody may have been told. */
static unsigned rebooted[2];

static unsigned *rebooted_of(const char *name)
{
	return &rebooted[strcmp(name, SECOND) == 0];
}

static bool *foreign_of(const char *name)
{
	return &foreign[strcmp(name, SECOND) == 0];
}

static unsigned dice(unsigned n)
{
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (unsigned)(x % n);
}

/* `virsh start`, which goes on from a save where there is one. */
static void start_by_hand(struct fake_guest *d)
{
	if (fake_guest_has_qemu(d) || d->appears || d->start_error)
		return;
	d->restoring = d->has_save && d->save_version == d->hv->version;
	d->has_save = d->restoring;
	/* That person answers for it. */
	d->save_disk = d->disk_written;
	*foreign_of(d->name) = true;
	fake_guest_start(d);
}

/* Another disk, by somebody who asks for the guest's lock and whether it runs. */
static void provision(struct sim *sim, struct fake_guest *d)
{
	CLEANUP_FREE char *lock = layout_guest_lock(sim->state_dir, d->name);
	CLEANUP_FREE char *disk = layout_disk(sim->state_dir, d->name);
	CLEANUP_CLOSE int fd = file_lock(lock);

	if (fd < 0 || fake_guest_has_qemu(d) || d->appears)
		return;
	sim_provision(sim, d->name);
	assert_int_equal(utimensat(AT_FDCWD, disk,
				 (const struct timespec[]){ { .tv_sec = (time_t)++d->disk_written },
					 { .tv_sec = (time_t)d->disk_written } },
				 0),
		0);
}

/* A service's unit was restarted, and is judged anew. */
static void deploy(struct sim *sim, const struct fake_guest *d)
{
	struct guest *g = sim->supervisor ? sim_guest(sim, d->name) : NULL;
	char message[REQUEST_MESSAGE_MAX];

	if (g && g->n_services > 0)
		(void)service_restarted(
			&g->services[dice(g->n_services)], "chaos", sim->now, message);
}

/* What the outside world does to a guest, where it can be done. */
static void disturb(struct sim *sim, struct fake_guest *d)
{
	static const enum hv_reason ends[] = { HV_REASON_CRASHED, HV_REASON_SHUTDOWN,
		HV_REASON_DESTROYED, HV_REASON_UNKNOWN };
	static const enum hv_reason pauses[] = { HV_REASON_USER, HV_REASON_SAVING,
		HV_REASON_NO_SPACE, HV_REASON_IOERROR };

	switch (dice(17)) {
	case 0:
		d->panics = dice(3);
		break;
	case 1:
		if (fake_guest_has_qemu(d))
			fake_guest_end(d, ends[dice(4)]);
		break;
	case 2:
		if (fake_guest_runs(d)) {
			fake_guest_reboot(d, dice(2));
			*rebooted_of(d->name) = d->boots;
		}
		break;
	case 3:
		if (fake_guest_runs(d))
			fake_guest_pause(d, pauses[dice(4)]);
		sim->free_kib = dice(2) ? 0 : 1024 * 1024;
		break;
	case 4:
		if (d->state == HV_DOMAIN_PAUSED)
			fake_guest_resume(d);
		break;
	case 5:
		d->sigstopped = fake_guest_runs(d);
		break;
	case 6:
		fake_guest_wake(d);
		break;
	case 7:
		d->ignores_acpi = dice(2);
		d->agent_lies = d->ignores_acpi;
		break;
	case 8:
		d->ignores_term = dice(2);
		d->stays_paused = dice(3) == 0;
		d->agent_refuses = dice(2);
		break;
	case 9:
		d->read_takes = dice(3) ? 5 * MS : 3 * S;
		break;
	case 10:
		if (fake_guest_runs(d))
			fake_guest_bark(d);
		break;
	case 11:
		if (d->state == HV_DOMAIN_RUNNING)
			fake_guest_pvpanic(d);
		break;
	case 12:
		d->save_error = dice(3) ? 0 : -ENOSPC;
		d->save_takes = dice(3) ? 4 * S : 200 * S;
		d->save_unreadable = dice(4) == 0;
		sim->saves->takes = dice(2) ? 0 : 2 * S;
		sim->saves->keep_error = dice(4) ? 0 : -ENOSPC;
		break;
	case 13:
		start_by_hand(d);
		break;
	case 14:
		provision(sim, d);
		break;
	case 15:
		deploy(sim, d);
		break;
	default:
		for (struct fake_service *f = sim->prober->services; f; f = f->next)
			f->manner = dice(4) ? MANNER_OK : (enum manner)dice(MANNER_NO_ROOM + 1);
		break;
	}
}

/* libvirt goes on with it, or gives it up. */
static void end_orphaned_save(struct fake_guest *d)
{
	if (d->state != HV_DOMAIN_PAUSED || d->reason != HV_REASON_SAVING)
		return;
	if (dice(2))
		(void)fake_guest_save(d);
	else
		fake_guest_resume(d);
}

static void disturb_daemon(struct sim *sim)
{
	switch (dice(6)) {
	case 0:
		sim_kill_daemon(sim);
		for (struct fake_guest *d = sim->hv->guests; d; d = d->next)
			end_orphaned_save(d);
		sim_run(sim, dice(20) * S + MS);
		sim_daemon(sim);
		break;
	case 1:
		sim_stop_daemon(sim);
		for (struct fake_guest *d = sim->hv->guests; d; d = d->next)
			end_orphaned_save(d);
		sim_daemon(sim);
		break;
	case 2:
		if (sim->hv->connected)
			fake_hv_disconnect(sim->hv, "chaos");
		break;
	case 3:
		if (!sim->hv->connected)
			(void)sim->hv->hv.vtable->connect(&sim->hv->hv);
		break;
	case 4:
		sim_suspend(sim, dice(7200) * S);
		break;
	default:
		(void)sim_reload(sim);
		break;
	}
}

static void request(struct sim *sim, const char *name)
{
	enum operation_kind kind;

	/* Nobody asks for more than there is room for in a test. */
	if (sim->n_requests < SIM_REQUESTS_MAX)
		kind = (enum operation_kind)dice(OPERATION_KIND_NUM);
	else
		return;
	const struct sim_request *r = sim_ask(sim, name, kind);
	if (r->accepted < 0 || !((OPERATIONS_START | OPERATIONS_STOP) & 1u << kind))
		return;
	/* "It is stopped already" may be from before somebody's start was seen. Before the first
	 * look it holds for what that finds. */
	const struct guest *g = sim_guest(sim, name);
	const struct fake_guest *d = sim_fake(sim, name);
	if (guest_state_has_qemu(g->state) || !fake_guest_has_qemu(d) || !g->seen)
		*foreign_of(name) = false;
}

/* All is mended, and there is time for whatever is still under way. */
static void calm(struct sim *sim)
{
	for (struct fake_guest *d = sim->hv->guests; d; d = d->next) {
		fake_guest_wake(d);
		if (d->state == HV_DOMAIN_PAUSED)
			fake_guest_resume(d);
		d->panics = 0;
		d->ignores_acpi = d->agent_lies = d->agent_refuses = false;
		d->ignores_term = d->stays_paused = false;
		d->save_error = 0;
		d->save_unreadable = false;
		d->save_takes = 4 * S;
		d->read_takes = 5 * MS;
	}
	for (struct fake_service *f = sim->prober->services; f; f = f->next)
		f->manner = MANNER_OK;
	if (!sim->hv->connected)
		(void)sim->hv->hv.vtable->connect(&sim->hv->hv);
	sim_run(sim, 1200 * S);
}

static void assert_settled(struct sim *sim, const char *name)
{
	const struct guest *g = sim_guest(sim, name);
	const struct fake_guest *d = sim_fake(sim, name);
	bool up = g->state == GUEST_READY && g->healthy && fake_guest_runs(d);
	bool down = (g->state == GUEST_STOPPED || g->state == GUEST_ABSENT ||
			    g->state == GUEST_FAILED) &&
		    !fake_guest_has_qemu(d);

	/* A panic whose words no daemon heard, or one that is dead: from outside that is a guest
	 * that hangs, which is left to a person. So are the words of one that is up, as far as is
	 * known, and rebooted. */
	if (guest_state_probes(g->state) && !g->healthy && d->panicked && fake_guest_runs(d) &&
		(!g->boot.panicked || d->boots == *rebooted_of(name)))
		return;
	/* What an operator asked for last is what is, unless somebody else's hand came after. */
	if (!down && g->want == WANT_DOWN && g->want_known && !*foreign_of(name))
		fail_msg("%s is %s, and wanted down%s", name, guest_state_to_string(g->state),
			sim_story(sim));
	if (!up && !down)
		fail_msg("%s is %s%s", name, guest_state_to_string(g->state), sim_story(sim));
	assert_null(g->operations.first);
}

static void live_through(uint64_t seed)
{
	struct sim *sim = sim_new();

	x = seed;
	foreign[0] = foreign[1] = false;
	rebooted[0] = rebooted[1] = 0;
	sim_configure(sim, VM, 10000, NULL);
	sim_configure(sim, SECOND, 20000, NULL);
	sim_daemon(sim);
	for (unsigned i = 0; i < 120; i++) {
		const char *name = dice(2) ? VM : SECOND;

		sim_run(sim, dice(4) ? dice(5000) * MS : dice(60) * S);
		switch (dice(5)) {
		case 0:
			request(sim, name);
			break;
		case 1:
			disturb_daemon(sim);
			break;
		default:
			disturb(sim, sim_fake(sim, name));
			break;
		}
	}
	calm(sim);
	assert_settled(sim, VM);
	assert_settled(sim, SECOND);
	for (unsigned i = 0; i < sim->n_requests; i++)
		assert_int_equal(sim->requests[i].answers, sim->requests[i].accepted == 1);
	sim_free(sim);
}

static void test_chaos(void **state)
{
	const char *given = getenv("SEED"), *rounds = getenv("ROUNDS");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 1000;
	unsigned n = rounds ? (unsigned)atoi(rounds) : 40;

	(void)state;
	for (unsigned i = 0; i < (given ? 1 : n); i++) {
		/* Before it is lived through: it is what is asked for when that fails. */
		(void)fprintf(stderr, "SEED=%llu\n", (unsigned long long)(seed + i));
		live_through(seed + i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chaos),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
