/* SPDX-License-Identifier: Apache-2.0 */
/* The hypervisor goes away, hangs, refuses, comes back; ports and disks that are not there; the
 * balloon. */
/* LINK: base model policy core io/layout io/hv io/confdir */
/* LIBS: libcbor jansson inih libsystemd */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "sim.h"

#define ONE "local-proofreader"
#define GIB (1024u * 1024u)

static void connect_again(struct sim *sim)
{
	assert_int_equal(sim->hv->hv.vtable->connect(&sim->hv->hv), 0);
}

/* libvirt away for ten minutes: probing goes on, states stand, and it is read again when it is
 * back. */
static void test_disconnect(void **state)
{
	struct sim *sim = *state;
	struct fake_service *f = sim_fake_service(sim, VM, ONE);
	const struct guest *g = sim_guest(sim, VM);
	unsigned asked = f->asked;

	fake_hv_disconnect(sim->hv, "end of file while reading data");
	sim_run(sim, 300 * S);
	assert_true(f->asked - asked >= 29);
	assert_int_equal(g->state, GUEST_READY);
	assert_true(g->healthy);
	assert_false(sim->supervisor->hv_health.connected);
	assert_true(sim_log_has(sim, "end of file while reading data"));
	/* A service that dies meanwhile is seen to. */
	f->manner = MANNER_REFUSE;
	sim_wait_service(sim, VM, ONE, SERVICE_DOWN, 20 * S);
	f->manner = MANNER_OK;
	sim_wait_service(sim, VM, ONE, SERVICE_UP, 30 * S);
	sim_run(sim, 300 * S);
	assert_true(g->healthy);
	unsigned reads = sim_fake(sim, VM)->reads;
	connect_again(sim);
	sim_run(sim, S);
	assert_true(sim_fake(sim, VM)->reads > reads);
	assert_true(sim->supervisor->hv_health.connected);
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
}

/* QEMU dies with the connection: found when it is back, started again, and not counted once per
 * try. */
static void test_dies_with_connection(void **state)
{
	struct sim *sim = *state;

	fake_hv_disconnect(sim->hv, "gone");
	sim_run(sim, S);
	fake_guest_end(sim_fake(sim, VM), HV_REASON_CRASHED);
	sim_run(sim, 600 * S);
	/* Nobody said so yet, but nothing answers. */
	assert_int_equal(sim_service(sim, VM, ONE)->probe.state, SERVICE_DOWN);
	assert_int_equal(sim_service(sim, VM, ONE)->probe.last.verdict, VERDICT_UNREACHABLE);
	connect_again(sim);
	sim_wait_healthy(sim, VM, 120 * S);
	assert_int_equal(sim_fake(sim, VM)->starts, 2);
	assert_int_equal(sim_guest(sim, VM)->restart.n_faults, 1);
}

/* A retry that falls due while libvirt is away is no fault of the guest's: it waits. */
static void test_retry_waits_for_connection(void **state)
{
	struct sim *sim = *state;

	fake_guest_end(sim_fake(sim, VM), HV_REASON_CRASHED);
	sim_wait_state(sim, VM, GUEST_CRASHED, 5 * S);
	fake_hv_disconnect(sim->hv, "restarting");
	sim_run(sim, 600 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_CRASHED);
	assert_int_equal(sim_guest(sim, VM)->restart.n_faults, 1);
	connect_again(sim);
	sim_wait_healthy(sim, VM, 120 * S);
	assert_int_equal(sim_fake(sim, VM)->starts, 2);
}

/* The connection breaks under the start: its answer is lost, the guest is not. */
static void test_start_answer_lost(void **state)
{
	struct sim *sim = *state;

	sim_daemon(sim);
	sim_wait_state(sim, VM, GUEST_STARTING, 10 * S);
	sim_run(sim, S);
	fake_hv_disconnect(sim->hv, "gone");
	sim_run(sim, 20 * S);
	connect_again(sim);
	sim_wait_healthy(sim, VM, 150 * S);
	assert_int_equal(sim_fake(sim, VM)->boots, 1);
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
	/* It may have written by the time it was found, so nothing that it says can end it. */
	assert_true(sim_guest(sim, VM)->boot.root_writable);
}

static void test_requests_without_connection(void **state)
{
	struct sim *sim = *state;

	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_STOP), 30 * S);
	fake_hv_disconnect(sim->hv, "gone");
	sim_run(sim, S);
	assert_string_equal(sim_ask(sim, VM, OPERATION_STOP)->message,
		"vm-mediakit is stopped already, as last seen: libvirt is away");
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_START);
	sim_run(sim, 60 * S);
	assert_int_equal(r->answers, 0);
	assert_string_equal(sim_guest(sim, VM)->reason, "the start waits for libvirt: gone");
	connect_again(sim);
	sim_wait_answer(sim, r, 10 * S);
	assert_int_equal(r->error, 0);
	sim_wait_healthy(sim, VM, 120 * S);

	/* Taken back in time. */
	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_STOP), 30 * S);
	fake_hv_disconnect(sim->hv, "gone");
	sim_run(sim, S);
	r = sim_ask(sim, VM, OPERATION_START);
	sim_run(sim, S);
	(void)sim_ask(sim, VM, OPERATION_STOP);
	connect_again(sim);
	sim_run(sim, 60 * S);
	assert_int_equal(r->answers, 1);
	assert_int_equal(sim_fake(sim, VM)->starts, 2);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPED);
}

/* Of two requests in one turn of the loop the second one counts. */
static void test_same_turn(void **state)
{
	struct sim *sim = *state;
	const struct sim_request *r;

	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_STOP), 30 * S);
	r = sim_ask(sim, VM, OPERATION_START);
	assert_int_equal(sim_ask(sim, VM, OPERATION_STOP)->accepted, 0);
	sim_run(sim, 60 * S);
	assert_int_equal(r->error, -ECANCELED);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPED);
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
	assert_int_equal(sim_ask(sim, VM, OPERATION_STOP)->accepted, 0);
	r = sim_ask(sim, VM, OPERATION_START);
	sim_wait_answer(sim, r, 30 * S);
	assert_int_equal(r->error, 0);
	sim_wait_healthy(sim, VM, 120 * S);
}

/* A start asked for before anything was read, of a guest that runs: it is told so, and runs on. */
static void test_start_before_first_look(void **state)
{
	struct sim *sim = *state;
	struct fake_text *t = fake_store_text(sim->store, VM);

	sim_kill_daemon(sim);
	free(t->text);
	t->text = NULL;
	sim_daemon(sim);
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_START);
	sim_wait_answer(sim, r, 5 * S);
	assert_int_equal(r->error, 0);
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
	sim_wait_healthy(sim, VM, 60 * S);
}

/* A QEMU stopped by SIGSTOP: its queue is wedged and says so, the others go on, and a kill still
 * works. */
static void test_wedged(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	d->sigstopped = true;
	sim_run(sim, 60 * S);
	assert_int_equal(sim->supervisor->hv_health.wedged_queues, 1);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_READY);
	assert_int_equal(sim_service(sim, VM, ONE)->probe.state, SERVICE_DOWN);
	assert_int_equal(sim_service(sim, VM, ONE)->probe.last.verdict, VERDICT_TIMEOUT);
	const struct sim_request *r = sim_balloon(sim, VM, 3 * GIB);
	assert_int_equal(r->accepted, -EBUSY);
	/* It wakes up, and all is well. */
	fake_guest_wake(d);
	sim_wait_healthy(sim, VM, 60 * S);
	assert_int_equal(sim->supervisor->hv_health.wedged_queues, 0);
	assert_int_equal(d->starts, 1);

	d->sigstopped = true;
	sim_run(sim, 60 * S);
	r = sim_ask(sim, VM, OPERATION_KILL);
	sim_wait_answer(sim, r, 30 * S);
	assert_non_null(strstr(r->text, "killed by request"));
	assert_false(fake_guest_has_qemu(d));
}

/* While it is being ended libvirt is asked nothing about it: whoever asks holds up all guests. */
static void test_nothing_asked_while_ending(void **state)
{
	struct sim *sim = *state;

	sim_fake(sim, VM)->sigstopped = true;
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_KILL);
	sim_run(sim, S);
	uint64_t submitted = sim->hv->submitted;
	sim_run(sim, 10 * S);
	assert_int_equal(r->answers, 0);
	assert_int_equal(sim->hv->submitted, submitted);
	sim_wait_answer(sim, r, 10 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPED);
}

/* The same without anybody asking: the graceful stop of a wedged guest ends by force, at the
 * budget's end. */
static void test_stop_wedged(void **state)
{
	struct sim *sim = *state;

	sim_fake(sim, VM)->sigstopped = true;
	sim_run(sim, 60 * S);
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_STOP);
	sim_wait_answer(sim, r, 240 * S);
	assert_non_null(strstr(r->text, "forced after 3min"));
	assert_int_equal(sim_fake(sim, VM)->destroys, 1);
}

/* Each host port is tried before anything starts, and the one that is taken is named with its
 * owner. */
static void test_taken_port(void **state)
{
	struct sim *sim = *state;

	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_STOP), 30 * S);
	static const uint16_t ports[] = { 10022, 19090, 19100, 19102 };
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		char words[32];

		sim->taken[ports[i]] = true;
		const struct sim_request *r = sim_ask(sim, VM, OPERATION_START);
		(void)supervisor_run(sim->supervisor, sim->now);
		assert_int_equal(r->answers, 1);
		assert_int_equal(r->error, -EADDRINUSE);
		(void)snprintf(words, sizeof(words), "127.0.0.1:%u", ports[i]);
		assert_non_null(strstr(r->text, words));
		assert_non_null(strstr(r->text, "pid 4711 (nginx)"));
		assert_int_equal(sim_fake(sim, VM)->starts, 1);
		assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPED);
		assert_string_equal(sim_guest(sim, VM)->reason, r->text);
		sim->taken[ports[i]] = false;
	}
	/* Not tried again by itself: it was the operator's request, and he knows. */
	sim_run(sim, 600 * S);
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_START), 30 * S);
	sim_wait_healthy(sim, VM, 120 * S);
	assert_string_equal(sim_guest(sim, VM)->reason, "");
}

/* Nobody asked, the daemon starts it by itself: it is tried again, a bounded number of times. */
static void test_taken_port_at_daemon_start(void **state)
{
	struct sim *sim = *state;

	sim->taken[19100] = true;
	sim_daemon(sim);
	sim_run(sim, 5 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_CRASHED);
	assert_non_null(strstr(sim_guest(sim, VM)->reason, "19100"));
	sim->taken[19100] = false;
	sim_wait_healthy(sim, VM, 120 * S);
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
}

static void test_not_provisioned(void **state)
{
	struct sim *sim = *state;

	sim_unprovision(sim, VM);
	sim_daemon(sim);
	sim_run(sim, 2 * S);
	assert_non_null(strstr(sim_guest(sim, VM)->reason, "mediakitd provision " VM));
	/* Trying again would make no disk. Nothing is latched either: the next step is the
	 * operator's. */
	sim_run(sim, 600 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_ABSENT);
	assert_int_equal(sim_fake(sim, VM)->starts, 0);
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_START);
	sim_wait_answer(sim, r, 5 * S);
	assert_int_equal(r->error, -ENOENT);
	assert_non_null(strstr(r->text, "mediakitd provision " VM));
	sim_provision(sim, VM);
	r = sim_ask(sim, VM, OPERATION_START);
	sim_wait_answer(sim, r, 30 * S);
	assert_int_equal(r->error, 0);
}

static const char accel_text[] = "[Guest]\nAccel=%s\n[Image]\nPath=/i.qcow2\n"
				 "[Network]\nPortOffset=20000\n[Service web]\nPort=80\n";

static void daemon_with_accel(struct sim *sim, const char *accel)
{
	char text[256];

	(void)snprintf(text, sizeof(text), accel_text, accel);
	sim_configure_text(sim, VM, text);
	sim_provision(sim, VM);
	sim_daemon(sim);
	sim_run(sim, 5 * S);
}

/* Neither libvirt nor a try knows of KVM: who insists on it hears why not, before libvirt does. */
static void test_kvm_missing(void **state)
{
	struct sim *sim = *state;
	const char *why = "Accel=kvm, but KVM does not work here: use Accel=auto or Accel=tcg";

	daemon_with_accel(sim, "kvm");
	assert_int_equal(sim_fake(sim, VM)->starts, 0);
	assert_non_null(strstr(sim_guest(sim, VM)->reason, why));
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_START);
	sim_wait_answer(sim, r, 5 * S);
	assert_int_equal(r->error, -EOPNOTSUPP);
	assert_non_null(strstr(r->text, why));
	assert_int_equal(sim_fake(sim, VM)->starts, 0);
	/* A host does not learn it: it is tried once in a daemon's life. */
	assert_int_equal(sim->kvm_tries, 1);
	/* libvirt, which did not come to answer before, is believed. */
	sim->hv->kvm = true;
	fake_hv_disconnect(sim->hv, "gone");
	connect_again(sim);
	sim_run(sim, 5 * S);
	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_START), 60 * S);
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
	assert_true(sim_fake(sim, VM)->kvm);
}

/* The same host with Accel=auto goes without. */
static void test_kvm_auto(void **state)
{
	struct sim *sim = *state;

	daemon_with_accel(sim, "auto");
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
	assert_false(sim_fake(sim, VM)->kvm);
	assert_int_equal(sim->kvm_tries, 1);
}

/* libvirt's word is enough, where we may not open the device ourselves. */
static void test_kvm_of_libvirt(void **state)
{
	struct sim *sim = *state;

	sim->hv->kvm = true;
	daemon_with_accel(sim, "kvm");
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
	assert_true(sim_fake(sim, VM)->kvm);
	assert_int_equal(sim->kvm_tries, 0);
}

/* And so is a try that holds, where libvirt says nothing. */
static void test_kvm_tried(void **state)
{
	struct sim *sim = *state;

	sim->kvm = true;
	daemon_with_accel(sim, "kvm");
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
	assert_true(sim_fake(sim, VM)->kvm);
	assert_int_equal(sim->kvm_tries, 1);
}

/* Nothing is tried for whom it does not matter. */
static void test_kvm_unwanted(void **state)
{
	struct sim *sim = *state;

	sim->hv->kvm = sim->kvm = true;
	daemon_with_accel(sim, "tcg");
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
	assert_false(sim_fake(sim, VM)->kvm);
	assert_int_equal(sim->kvm_tries, 0);
}

static int provisioners_lock(struct sim *sim)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/images/%s/lock", sim->state_dir, VM);
	return file_lock(path);
}

/* One of the two at a time: who provisions, and who runs. */
static void test_lock(void **state)
{
	struct sim *sim = *state;

	assert_int_equal(provisioners_lock(sim), -EWOULDBLOCK);
	/* A daemon that adopts it takes it again. */
	sim_kill_daemon(sim);
	sim_daemon(sim);
	sim_run(sim, 5 * S);
	assert_int_equal(provisioners_lock(sim), -EWOULDBLOCK);
	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_STOP), 30 * S);
	int fd = provisioners_lock(sim);
	assert_true(fd >= 0);
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_START);
	sim_wait_answer(sim, r, 5 * S);
	assert_int_equal(r->error, -EBUSY);
	assert_non_null(strstr(r->text, "being provisioned"));
	close(fd);
	r = sim_ask(sim, VM, OPERATION_START);
	sim_wait_answer(sim, r, 30 * S);
	assert_int_equal(r->error, 0);
	/* After a crash too, between two attempts. */
	fake_guest_end(sim_fake(sim, VM), HV_REASON_CRASHED);
	sim_wait_state(sim, VM, GUEST_CRASHED, 5 * S);
	fd = provisioners_lock(sim);
	assert_true(fd >= 0);
	close(fd);
	sim_wait_healthy(sim, VM, 120 * S);
}

/* Asked for while it is being stopped and libvirt is away: the start comes after the stop, and its
 * answer after that. */
static void test_start_while_stopping_unseen(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);
	const struct sim_request *r;

	d->ignores_acpi = d->agent_lies = true;
	(void)sim_ask(sim, VM, OPERATION_STOP);
	sim_run(sim, 10 * S);
	fake_hv_disconnect(sim->hv, "gone");
	sim_run(sim, S);
	r = sim_ask(sim, VM, OPERATION_START);
	assert_int_equal(r->accepted, 1);
	sim_run(sim, S);
	assert_int_equal(sim->hv->hv.vtable->connect(&sim->hv->hv), 0);
	sim_run(sim, 10 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPING);
	assert_int_equal(r->answers, 0);
	sim_wait_answer(sim, r, 400 * S);
	assert_int_equal(r->error, 0);
	assert_string_equal(r->text, "started");
	sim_wait_healthy(sim, VM, 200 * S);
}

/* Nobody could be asked for longer than a whole ladder takes: no time that the guest had. */
static void test_stop_without_connection(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);
	const struct sim_request *r;

	fake_hv_disconnect(sim->hv, "gone");
	sim_run(sim, S);
	r = sim_ask(sim, VM, OPERATION_STOP);
	sim_run(sim, 200 * S);
	assert_string_equal(sim_guest(sim, VM)->reason, "the stop waits for libvirt: gone");
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPING);
	connect_again(sim);
	sim_wait_answer(sim, r, 30 * S);
	assert_int_equal(r->error, 0);
	assert_non_null(strstr(r->text, "clean, agent"));
	assert_int_equal(d->quits + d->destroys, 0);
	assert_string_equal(sim_guest(sim, VM)->reason, "");
	/* It goes in the middle of the ladder, and comes back. */
	(void)sim_ask(sim, VM, OPERATION_START);
	sim_wait_healthy(sim, VM, 120 * S);
	d->ignores_acpi = d->agent_lies = true;
	r = sim_ask(sim, VM, OPERATION_STOP);
	sim_run(sim, 20 * S);
	fake_hv_disconnect(sim->hv, "gone");
	sim_run(sim, 10 * USEC_PER_MINUTE);
	assert_int_equal(r->error, -ETIMEDOUT);
	connect_again(sim);
	d->ignores_acpi = false;
	sim_wait_state(sim, VM, GUEST_STOPPED, 30 * S);
	assert_non_null(strstr(sim_guest(sim, VM)->last_exit.words, "clean, ACPI"));
	/* A kill waits for libvirt and not a moment longer. */
	(void)sim_ask(sim, VM, OPERATION_START);
	sim_wait_healthy(sim, VM, 120 * S);
	fake_hv_disconnect(sim->hv, "gone");
	r = sim_ask(sim, VM, OPERATION_KILL);
	sim_run(sim, 40 * S);
	connect_again(sim);
	sim_wait_answer(sim, r, 5 * S);
	assert_int_equal(r->error, 0);
	assert_int_equal(d->destroys, 1);
}

/* The answer to a start is lost with libvirt. Whoever stops the guest then is not told that it is
 * down before somebody looked: the start came true. */
static void lose_start(struct sim *sim, enum operation_kind kind, bool before)
{
	struct fake_guest *d = sim_fake(sim, VM);
	const struct sim_request *r;

	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_STOP), 30 * S);
	(void)sim_ask(sim, VM, OPERATION_START);
	sim_run(sim, S);
	r = before ? sim_ask(sim, VM, kind) : NULL;
	fake_hv_disconnect(sim->hv, "gone");
	sim_run(sim, 10 * S);
	assert_true(fake_guest_runs(d));
	r = before ? r : sim_ask(sim, VM, kind);
	sim_run(sim, 10 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPING);
	assert_int_equal(r->accepted, 1);
	assert_int_equal(r->answers, 0);
	connect_again(sim);
	sim_wait_answer(sim, r, 120 * S);
	assert_int_equal(r->error, 0);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPED);
	assert_false(fake_guest_has_qemu(d));
	(void)sim_ask(sim, VM, OPERATION_START);
	sim_wait_healthy(sim, VM, 120 * S);
}

static void test_stop_after_lost_start(void **state)
{
	struct sim *sim = *state;

	for (unsigned before = 0; before < 2; before++) {
		lose_start(sim, OPERATION_STOP, before);
		lose_start(sim, OPERATION_KILL, before);
		lose_start(sim, OPERATION_SAVE, before);
	}
}

/* libvirt refuses: the operator gets its words; the policy tries again and gives up in the end. */
static void test_start_fails(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_STOP), 30 * S);
	d->start_error = -EIO;
	d->start_message = "internal error: cannot load AppArmor profile";
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_START);
	sim_wait_answer(sim, r, 30 * S);
	assert_int_equal(r->error, -EIO);
	assert_non_null(strstr(r->text, "cannot load AppArmor profile"));
	sim_wait_state(sim, VM, GUEST_FAILED, 600 * S);
	assert_non_null(strstr(sim_guest(sim, VM)->reason, "cannot load AppArmor profile"));
	assert_int_equal(d->starts, 1 + 1 + sim_guest(sim, VM)->spec->restart_limit);
}

static void test_balloon(void **state)
{
	struct sim *sim = *state;
	const struct sim_request *r = sim_balloon(sim, VM, 3 * GIB);

	/* Accepted at once; answered when the statistics say so, not when the command returned. */
	assert_int_equal(r->accepted, 1);
	sim_run(sim, 10 * S);
	assert_int_equal(r->answers, 0);
	sim_wait_answer(sim, r, 60 * S);
	assert_int_equal(r->error, 0);
	assert_non_null(strstr(r->text, "3.0 GiB"));
	assert_int_equal(sim_guest(sim, VM)->stats.balloon_kib, 3 * GIB);
	/* Back to all of it. */
	r = sim_balloon(sim, VM, 0);
	sim_wait_answer(sim, r, 60 * S);
	assert_int_equal(sim_guest(sim, VM)->stats.balloon_kib, 6 * GIB);

	assert_int_equal(sim_balloon(sim, VM, 1 * GIB)->accepted, -ERANGE);
	assert_int_equal(sim_balloon(sim, VM, 7 * GIB)->accepted, -ERANGE);

	/* A second size takes the place of the first. */
	r = sim_balloon(sim, VM, 3 * GIB);
	sim_run(sim, S);
	const struct sim_request *second = sim_balloon(sim, VM, 4 * GIB);
	assert_int_equal(r->answers, 1);
	assert_int_equal(r->error, -ECANCELED);
	sim_wait_answer(sim, second, 60 * S);
	assert_int_equal(second->error, 0);
	assert_non_null(strstr(second->text, "4.0 GiB"));

	/* The guest goes away under it. */
	r = sim_balloon(sim, VM, 3 * GIB);
	sim_run(sim, S);
	fake_guest_end(sim_fake(sim, VM), HV_REASON_SHUTDOWN);
	sim_wait_answer(sim, r, 5 * S);
	assert_int_equal(r->error, -ESRCH);
	assert_int_equal(sim_balloon(sim, VM, 3 * GIB)->accepted, -ESRCH);
}

/* No driver in the guest: libvirt says yes, nothing moves, and that is what the operator hears. */
static void test_balloon_without_driver(void **state)
{
	struct sim *sim = *state;

	sim_fake(sim, VM)->no_balloon = true;
	const struct sim_request *r = sim_balloon(sim, VM, 3 * GIB);
	sim_wait_answer(sim, r, 200 * S);
	assert_int_equal(r->error, -EAGAIN);
	assert_non_null(strstr(r->text, "is virtio_balloon loaded in it?"));
	assert_int_equal(sim_guest(sim, VM)->stats.balloon_kib, 6 * GIB);
}

int main(void)
{
#define FRESH(f)   cmocka_unit_test_setup_teardown(f, sim_setup, sim_teardown)
#define HEALTHY(f) cmocka_unit_test_setup_teardown(f, sim_setup_healthy, sim_teardown)
	const struct CMUnitTest tests[] = {
		HEALTHY(test_disconnect),
		HEALTHY(test_start_while_stopping_unseen),
		HEALTHY(test_stop_without_connection),
		HEALTHY(test_same_turn),
		HEALTHY(test_stop_after_lost_start),
		HEALTHY(test_dies_with_connection),
		HEALTHY(test_retry_waits_for_connection),
		FRESH(test_start_answer_lost),
		HEALTHY(test_requests_without_connection),
		HEALTHY(test_start_before_first_look),
		HEALTHY(test_wedged),
		HEALTHY(test_nothing_asked_while_ending),
		HEALTHY(test_stop_wedged),
		HEALTHY(test_taken_port),
		FRESH(test_taken_port_at_daemon_start),
		FRESH(test_not_provisioned),
		FRESH(test_kvm_missing),
		FRESH(test_kvm_auto),
		FRESH(test_kvm_of_libvirt),
		FRESH(test_kvm_tried),
		FRESH(test_kvm_unwanted),
		HEALTHY(test_lock),
		HEALTHY(test_start_fails),
		HEALTHY(test_balloon),
		HEALTHY(test_balloon_without_driver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
