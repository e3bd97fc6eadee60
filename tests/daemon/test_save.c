/* SPDX-License-Identifier: Apache-2.0 */
/* Warm restarts: a save and the start that goes on from it, and everything that makes the start
 * boot instead. A save is used at most once, whoever dies when. */
/* LINK: base model policy core io/layout io/hv io/confdir */
/* LIBS: libcbor jansson inih libsystemd */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/macro.h"
#include "fake_guest.h"
#include "io/layout.h"
#include "sim.h"

static void assert_text(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

/* The guest is healthy, and then saved. */
static void save(struct sim *sim)
{
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_SAVE);

	assert_int_equal(r->accepted, 1);
	sim_wait_answer(sim, r, 60 * S);
	assert_int_equal(r->error, 0);
	assert_text(r->text, "saved in 4.");
	assert_text(r->text, "s; the next start goes on from there");
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPED);
	assert_int_equal(sim_guest(sim, VM)->want, WANT_DOWN);
	assert_int_not_equal(sim_guest(sim, VM)->saving.kept_at_realtime, 0);
	assert_true(sim_fake(sim, VM)->has_save && sim->saves->tickets[0].there);
}

static const struct sim_request *start(struct sim *sim)
{
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_START);

	assert_int_equal(r->accepted, 1);
	sim_wait_answer(sim, r, 60 * S);
	assert_int_equal(r->error, 0);
	/* Used or thrown away: nothing is left for a second time. */
	assert_false(sim->saves->tickets[0].there);
	assert_false(sim_fake(sim, VM)->has_save);
	assert_int_equal(sim_guest(sim, VM)->saving.kept_at_realtime, 0);
	return r;
}

/* It boots, with a reason that is told, kept and in the events. */
static void start_cold(struct sim *sim, const char *why)
{
	struct fake_guest *d = sim_fake(sim, VM);
	unsigned boots = d->boots, restores = d->restores;
	const struct sim_request *r = start(sim);

	assert_text(r->text, "started (cold: ");
	assert_text(r->text, why);
	assert_int_equal(d->boots, boots + 1);
	assert_int_equal(d->restores, restores);
	assert_int_equal(sim_guest(sim, VM)->saving.kind, START_COLD);
	assert_text(sim_guest(sim, VM)->saving.start_words, why);
	assert_true(sim_log_has(sim, "its save is not used, it boots: "));
	assert_text(fake_store_text(sim->store, VM)->events, why);
	sim_wait_healthy(sim, VM, 120 * S);
}

static void start_warm(struct sim *sim)
{
	struct fake_guest *d = sim_fake(sim, VM);
	unsigned boots = d->boots, restores = d->restores;
	const struct sim_request *r = start(sim);

	assert_text(r->text, "running (warm, ");
	assert_int_equal(d->boots, boots);
	assert_int_equal(d->restores, restores + 1);
	assert_int_equal(sim_guest(sim, VM)->saving.kind, START_WARM);
	assert_string_equal(sim_guest(sim, VM)->saving.start_words, "");
}

static void write_disk(struct sim *sim)
{
	char command[256];

	(void)snprintf(command, sizeof(command), "echo x >> '%s/images/%s/disk.qcow2'",
		sim->state_dir, VM);
	assert_int_equal(system(command), 0);
}

static void test_warm(void **state)
{
	struct sim *sim = *state;
	const struct guest *g = sim_guest(sim, VM);
	const struct boottime_series *s = &g->bootwatch.learned.series[1][0];
	const struct fake_guest *d = sim_fake(sim, VM);
	unsigned learned = s[0].n + s[1].n;
	char boot_id[37];

	memcpy(boot_id, d->boot_id, sizeof(boot_id));
	sim_run(sim, 60 * S);
	save(sim);
	assert_int_equal(g->last_exit.cause, CAUSE_SAVED);
	assert_string_equal(g->last_exit.words, "saved by request");
	assert_int_equal(d->presses + d->agent_shutdowns + d->quits + d->destroys, 0);
	/* It stays down, through a daemon's restart, too. */
	sim_run(sim, USEC_PER_HOUR);
	sim_stop_daemon(sim);
	sim_daemon(sim);
	sim_run(sim, 60 * S);
	g = sim_guest(sim, VM);
	assert_int_equal(g->state, GUEST_STOPPED);
	usec_t began = sim->now;
	start_warm(sim);
	sim_wait_healthy(sim, VM, 20 * S);
	assert_true(sim->now - began < 15 * S);
	/* The boot it was, by whom its services are still known; its clock is put right. */
	assert_string_equal(g->boot_id, boot_id);
	sim_run(sim, 10 * S);
	assert_int_equal(d->clock_behind, 0);
	assert_int_equal(d->clock_sets, 1);
	assert_true(sim_log_has(sim, "its clock is right; it was 1h"));
	assert_int_equal(sim_log_count(sim, "stale-boot"), 0);
	/* A restore teaches nothing about boots. */
	s = &g->bootwatch.learned.series[1][0];
	assert_int_equal(s[0].n + s[1].n, learned);
	/* And nothing hurts later: the guest boots when it is started the next time. */
	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_STOP), 60 * S);
	const struct sim_request *r = start(sim);
	assert_string_equal(r->text, "started");
	assert_int_equal(d->boots, 2);
	assert_int_equal(g->saving.kind, START_COLD);
}

/* Again and again. */
static void test_twice(void **state)
{
	struct sim *sim = *state;

	for (unsigned i = 1; i <= 3; i++) {
		save(sim);
		start_warm(sim);
		sim_wait_healthy(sim, VM, 30 * S);
		assert_int_equal(sim_fake(sim, VM)->restores, i);
	}
	assert_int_equal(sim_fake(sim, VM)->boots, 1);
}

static void test_written_disk(void **state)
{
	struct sim *sim = *state;

	save(sim);
	write_disk(sim);
	start_cold(sim, "its disk was written to since");
}

static void test_other_xml(void **state)
{
	struct sim *sim = *state;

	sim_configure(sim, VM, 10000, "[Guest]\nCPUs=3\n");
	save(sim);
	assert_int_equal(sim_reload(sim), 0);
	start_cold(sim, "configuration, or how it is run, changed since");
}

static void test_other_qemu(void **state)
{
	struct sim *sim = *state;

	save(sim);
	sim->hv->version = 8002002;
	start_cold(sim, "another QEMU made it");
}

static void test_unreadable(void **state)
{
	struct sim *sim = *state;

	save(sim);
	sim_fake(sim, VM)->save_unreadable = true;
	start_cold(sim, "libvirt could not read it");
}

static void test_lost(void **state)
{
	struct sim *sim = *state;

	save(sim);
	sim_fake(sim, VM)->has_save = false;
	start_cold(sim, "libvirt has no such save any more");
}

static void test_unreadable_ticket(void **state)
{
	struct sim *sim = *state;

	save(sim);
	sim->saves->unreadable = -EBADMSG;
	start_cold(sim, "what is recorded of it cannot be read");
}

/* `virsh managedsave`: nobody looked at the disk then. */
static void test_not_ours(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	fake_guest_end(d, HV_REASON_SAVED);
	d->has_save = true;
	d->save_version = sim->hv->version;
	sim_wait_state(sim, VM, GUEST_STOPPED, 30 * S);
	assert_int_equal(sim_guest(sim, VM)->last_exit.cause, CAUSE_SAVED);
	sim_run(sim, 30 * S);
	start_cold(sim, "mediakitd has no record of it");
}

/* Somebody's `virsh start` uses the save; the ticket must not be there for the next one. */
static void test_used_by_others(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	save(sim);
	d->restoring = true;
	fake_guest_start(d);
	sim_wait_healthy(sim, VM, 180 * S);
	assert_false(sim->saves->tickets[0].there);
	/* What it was started with nobody knows, so it is shut down. */
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_SAVE);
	sim_wait_answer(sim, r, 60 * S);
	assert_text(r->text, "clean, agent");
	assert_true(sim_log_has(sim, "cannot be saved (it is not known what it was started with"));
	assert_int_equal(d->saves, 1);
}

static void test_save_fails(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	d->save_error = -ENOSPC;
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_SAVE);
	sim_wait_answer(sim, r, 60 * S);
	assert_int_equal(r->error, 0);
	assert_text(r->text, "stopped: clean, agent");
	assert_text(r->text, "it was not saved: fake: No space");
	assert_int_equal(d->saves, 1);
	assert_false(sim->saves->tickets[0].there || d->has_save);
	assert_int_equal(sim_guest(sim, VM)->last_exit.cause, CAUSE_OPERATOR);
	assert_true(sim_log_has(sim, "could not be saved: fake: No space"));
	d->save_error = 0;
	assert_string_equal(start(sim)->text, "started");
	/* The words of that failure are not those of the next stop. */
	sim_wait_healthy(sim, VM, 120 * S);
	r = sim_ask(sim, VM, OPERATION_STOP);
	sim_wait_answer(sim, r, 60 * S);
	assert_null(strstr(r->text, "not saved"));
}

static void test_save_takes_too_long(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);
	usec_t began = sim->now;

	d->save_takes = USEC_PER_HOUR;
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_SAVE);
	sim_wait_answer(sim, r, 200 * S);
	assert_text(r->text, "stopped: clean");
	assert_text(r->text, "it was not saved");
	assert_int_equal(d->aborts, 1);
	assert_in_range(sim->now - began, 120 * S, 140 * S);
	assert_false(d->has_save);
}

/* QEMU hangs: even the abort is of no use, and the ladder ends it. */
static void test_save_hangs(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	d->sigstopped = true;
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_SAVE);
	sim_wait_answer(sim, r, 600 * S);
	assert_int_equal(r->error, 0);
	assert_text(r->text, "forced");
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPED);
}

/* Half of a boot is nothing to go on from. */
static void test_while_booting(void **state)
{
	struct sim *sim = *state;

	sim_daemon(sim);
	sim_wait_state(sim, VM, GUEST_BOOTING, 30 * S);
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_SAVE);
	sim_wait_answer(sim, r, 180 * S);
	assert_text(r->text, "clean");
	assert_int_equal(sim_fake(sim, VM)->saves, 0);
	assert_true(sim_log_has(sim, "cannot be saved (its boot is not over)"));
}

static void test_when_down(void **state)
{
	struct sim *sim = *state;

	save(sim);
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_SAVE);
	assert_int_equal(r->accepted, 0);
	assert_text(r->message, "is stopped already");
	r = sim_ask(sim, VM, OPERATION_STOP);
	assert_int_equal(r->accepted, 0);
	sim_run(sim, 10 * S);
	/* Neither threw it away; a kill does. */
	start_warm(sim);
	sim_wait_healthy(sim, VM, 30 * S);
	save(sim);
	r = sim_ask(sim, VM, OPERATION_KILL);
	assert_int_equal(r->accepted, 0);
	assert_text(r->message, "its save is thrown away, the next start boots");
	sim_run(sim, 5 * S);
	assert_false(sim->saves->tickets[0].there);
	start_cold(sim, "mediakitd has no record of it");
}

/* A second stop, with or without --save, waits for the save that is under way. */
static void test_crossing(void **state)
{
	struct sim *sim = *state;
	const struct sim_request *a = sim_ask(sim, VM, OPERATION_SAVE), *b, *c;

	sim_run(sim, S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_SAVING);
	b = sim_ask(sim, VM, OPERATION_STOP);
	c = sim_ask(sim, VM, OPERATION_SAVE);
	assert_int_equal(sim_ask(sim, VM, OPERATION_START)->accepted, -EBUSY);
	assert_int_equal(sim_ask(sim, VM, OPERATION_RESTART)->accepted, -EBUSY);
	sim_wait_answer(sim, a, 30 * S);
	assert_int_equal(b->answers + c->answers, 2);
	assert_text(b->text, "saved in");
	assert_text(c->text, "saved in");
	start_warm(sim);
}

/* A stop that joined a save has the time of both. */
static void test_joined_slow_save(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);
	const struct sim_request *r;

	d->save_takes = USEC_PER_HOUR;
	d->ignores_acpi = d->agent_lies = true;
	(void)sim_ask(sim, VM, OPERATION_SAVE);
	sim_run(sim, S);
	r = sim_ask(sim, VM, OPERATION_STOP);
	sim_wait_answer(sim, r, USEC_PER_HOUR);
	assert_int_equal(r->error, 0);
	assert_text(r->text, "forced");
}

static void test_killed_while_saving(void **state)
{
	struct sim *sim = *state;
	const struct sim_request *a = sim_ask(sim, VM, OPERATION_SAVE), *b;

	sim_run(sim, S);
	b = sim_ask(sim, VM, OPERATION_KILL);
	sim_wait_answer(sim, b, 60 * S);
	sim_wait_answer(sim, a, 60 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPED);
	sim_run(sim, 30 * S);
	assert_false(sim->saves->tickets[0].there);
	(void)start(sim);
	assert_int_equal(sim_fake(sim, VM)->restores, 0);
}

/* The ticket cannot be written: the guest is told to boot, and the operator is told so. */
static void test_no_ticket(void **state)
{
	struct sim *sim = *state;

	sim->saves->keep_error = -ENOSPC;
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_SAVE);
	sim_wait_answer(sim, r, 60 * S);
	assert_text(r->text, "but the next start boots: the directory is full");
	assert_true(sim_log_has(sim, "as after a power cut"));
	sim_run(sim, 30 * S);
	start_cold(sim, "mediakitd has no record of it");
}

/* Called off in the moment between taking the ticket and the start: it is put back. */
static void test_called_off(void **state)
{
	struct sim *sim = *state;

	save(sim);
	sim->saves->takes = S;
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_START);
	sim_run(sim, 500 * MS);
	assert_true(sim_guest(sim, VM)->saving.take_waits);
	(void)sim_ask(sim, VM, OPERATION_STOP);
	sim_wait_answer(sim, r, 10 * S);
	assert_int_equal(r->error, -ECANCELED);
	sim_run(sim, 5 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPED);
	assert_true(sim->saves->tickets[0].there);
	assert_int_equal(sim_fake(sim, VM)->starts, 1);
	sim->saves->takes = 0;
	start_warm(sim);
}

/* Nobody may put another disk under a guest whose ticket is on its way back: it would then fit that
 * disk. */
static void test_called_off_locked(void **state)
{
	struct sim *sim = *state;
	CLEANUP_FREE char *path = layout_guest_lock(sim->state_dir, VM);

	save(sim);
	sim->saves->takes = S;
	for (unsigned half = 0; half < 2; half++) {
		(void)sim_ask(sim, VM, OPERATION_START);
		sim_run(sim, 500 * MS);
		(void)sim_ask(sim, VM, OPERATION_STOP);
		sim_run(sim, half ? 200 * MS : S);
		assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPED);
		assert_int_equal(sim->saves->tickets[0].there, half);
		assert_int_equal(file_lock(path), -EWOULDBLOCK);
		sim_run(sim, 3 * S);
		assert_true(sim->saves->tickets[0].there);
		int fd = file_lock(path);
		assert_true(fd >= 0);
		(void)close(fd);
	}
	/* Nor where libvirt refuses to be asked for the start. */
	(void)sim_ask(sim, VM, OPERATION_START);
	sim_run(sim, 500 * MS);
	fake_hv_disconnect(sim->hv, "gone");
	sim_run(sim, S);
	assert_int_equal(file_lock(path), -EWOULDBLOCK);
	sim_run(sim, S);
	assert_true(sim->saves->tickets[0].there);
	int fd = file_lock(path);
	assert_true(fd >= 0);
	(void)close(fd);
}

/* The daemon dies in the middle of a save, and libvirt then gives the save up: the guest was to go
 * down, and nobody else will see to it. */
static void test_given_up_unseen(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	(void)sim_ask(sim, VM, OPERATION_SAVE);
	sim_run(sim, S);
	sim_kill_daemon(sim);
	fake_guest_resume(d);
	sim_daemon(sim);
	sim_wait_state(sim, VM, GUEST_STOPPED, 120 * S);
	/* What was asked for is done by the next daemon. */
	assert_int_equal(sim_guest(sim, VM)->last_exit.cause, CAUSE_SAVED);
	assert_false(fake_guest_has_qemu(d));
	/* The same, given up after the new daemon looked. */
	(void)start(sim);
	sim_wait_healthy(sim, VM, 120 * S);
	(void)sim_ask(sim, VM, OPERATION_SAVE);
	sim_run(sim, S);
	sim_kill_daemon(sim);
	sim_daemon(sim);
	sim_run(sim, 20 * S);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_SAVING);
	fake_guest_resume(d);
	sim_wait_state(sim, VM, GUEST_STOPPED, 120 * S);
	assert_int_equal(sim_guest(sim, VM)->last_exit.cause, CAUSE_OPERATOR);
	/* One that somebody else began is that person's, and the guest stays as it is wanted. */
	(void)start(sim);
	sim_wait_healthy(sim, VM, 120 * S);
	fake_guest_pause(d, HV_REASON_SAVING);
	sim_wait_state(sim, VM, GUEST_SAVING, 20 * S);
	sim_kill_daemon(sim);
	fake_guest_resume(d);
	sim_daemon(sim);
	sim_wait_healthy(sim, VM, 120 * S);
}

/* A new daemon is asked before it has looked, and dies: what the one before knew of the boot is not
 * lost with it, and the next one saves. */
static void test_save_before_the_first_look(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	sim_kill_daemon(sim);
	sim_daemon(sim);
	while (!sim->supervisor->hv_health.connected)
		sim_run(sim, MS);
	(void)sim_ask(sim, VM, OPERATION_SAVE);
	sim_run(sim, MS);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_SAVING);
	assert_false(sim_guest(sim, VM)->seen);
	sim_kill_daemon(sim);
	if (d->state == HV_DOMAIN_PAUSED)
		fake_guest_resume(d);
	sim_daemon(sim);
	sim_wait_state(sim, VM, GUEST_STOPPED, 120 * S);
	assert_int_equal(sim_guest(sim, VM)->last_exit.cause, CAUSE_SAVED);
}

/* It panics while it is saved: whoever waits for it to be down is told when it is. */
static void test_panics_while_saving(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);
	const struct sim_request *r = sim_ask(sim, VM, OPERATION_SAVE);

	sim_run(sim, S);
	d->save_error = -EIO;
	fake_guest_pvpanic(d);
	sim_wait_answer(sim, r, 30 * S);
	assert_int_equal(r->error, 0);
	assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPED);
	assert_int_equal(sim_guest(sim, VM)->last_exit.cause, CAUSE_GUEST_PANIC);
}

/* The answer to a restore is lost with libvirt, and it came true: the guest is the boot it was. */
static void test_lost_answer(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	save(sim);
	d->no_agent = true;
	(void)sim_ask(sim, VM, OPERATION_START);
	sim_run(sim, S);
	fake_hv_disconnect(sim->hv, "gone");
	sim_run(sim, 10 * S);
	assert_int_equal(d->restores, 1);
	assert_int_equal(sim->hv->hv.vtable->connect(&sim->hv->hv), 0);
	sim_wait_healthy(sim, VM, 200 * S);
	assert_int_equal(sim_guest(sim, VM)->saving.kind, START_WARM);
	assert_string_equal(sim_guest(sim, VM)->boot_id, d->boot_id);
	assert_false(sim_log_has(sim, "stale-boot"));
	assert_false(sim_log_has(sim, "its save is not used"));
}

/* The daemon dies at every tenth of a second of a save and of a warm start. Whatever came of it,
 * memory is never used twice, and never with a disk that was written to since. */
static void die_at(usec_t after, bool starting, bool lost)
{
	struct sim *sim = sim_new_healthy();
	struct fake_guest *d = sim_fake(sim, VM);

	sim->saves->takes = 200 * MS;
	if (starting)
		save(sim);
	(void)sim_ask(sim, VM, starting ? OPERATION_START : OPERATION_SAVE);
	sim_run(sim, after);
	sim_kill_daemon(sim);
	/* What libvirt was asked for it does; or, inside the daemon, dies with it. */
	bool died_saving = d->state == HV_DOMAIN_PAUSED && d->reason == HV_REASON_SAVING;
	if (died_saving && lost)
		fake_guest_resume(d);
	else if (died_saving)
		(void)fake_guest_save(d);
	sim_run(sim, 2 * S);
	unsigned restores = d->restores;
	sim_daemon(sim);
	sim_run(sim, 30 * S);
	/* What was asked for is brought to its end. */
	if (sim_guest(sim, VM)->want == WANT_DOWN)
		assert_int_equal(sim_guest(sim, VM)->state, GUEST_STOPPED);
	if (sim_guest(sim, VM)->state == GUEST_STOPPED) {
		bool ticket = sim->saves->tickets[0].there;
		(void)sim_ask(sim, VM, OPERATION_START);
		sim_run(sim, 20 * S);
		assert_int_equal(d->restores, restores + ticket);
	}
	sim_wait_healthy(sim, VM, 240 * S);
	assert_true(d->restores <= 1);
	assert_false(sim->saves->tickets[0].there || d->has_save);
	if (d->clock_behind >= S)
		fail_msg("after %u, starting %d: the clock%s", (unsigned)(after / MS), starting,
			sim_story(sim));
	sim_free(sim);
}

static void test_daemon_dies(void **state)
{
	(void)state;
	for (usec_t after = 0; after < 5 * S; after += 100 * MS) {
		die_at(after, false, false);
		die_at(after, false, true);
		die_at(after, true, false);
	}
}

/* The agent cannot set it: said, once, and nothing else suffers. */
static void test_clock(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	d->clock_stuck = true;
	save(sim);
	sim_run(sim, 120 * S);
	start_warm(sim);
	sim_wait_healthy(sim, VM, 30 * S);
	sim_run(sim, 60 * S);
	assert_int_equal(d->clock_sets, 3);
	assert_int_equal(sim_log_count(sim, "behind, and its agent cannot set it"), 1);
	d->no_agent = true;
	save(sim);
	start_warm(sim);
	sim_wait_healthy(sim, VM, 30 * S);
	sim_run(sim, 180 * S);
	assert_int_equal(sim_log_count(sim, "it has no guest agent that answers"), 1);
}

/* A guest that was restored and then reboots itself is a guest that boots. */
static void test_reboot_after(void **state)
{
	struct sim *sim = *state;
	struct fake_guest *d = sim_fake(sim, VM);

	save(sim);
	start_warm(sim);
	sim_wait_healthy(sim, VM, 30 * S);
	fake_guest_reboot(d, true);
	sim_wait_state(sim, VM, GUEST_BOOTING, 10 * S);
	sim_wait_healthy(sim, VM, 120 * S);
	save(sim);
	start_warm(sim);
	sim_wait_healthy(sim, VM, 30 * S);
	assert_int_equal(d->restores, 2);
}

int main(void)
{
#define HEALTHY(test) cmocka_unit_test_setup_teardown(test, sim_setup_healthy, sim_teardown)
	const struct CMUnitTest tests[] = {
		HEALTHY(test_warm),
		HEALTHY(test_twice),
		HEALTHY(test_written_disk),
		HEALTHY(test_other_xml),
		HEALTHY(test_other_qemu),
		HEALTHY(test_unreadable),
		HEALTHY(test_lost),
		HEALTHY(test_unreadable_ticket),
		HEALTHY(test_not_ours),
		HEALTHY(test_used_by_others),
		HEALTHY(test_save_fails),
		HEALTHY(test_save_takes_too_long),
		HEALTHY(test_save_hangs),
		cmocka_unit_test_setup_teardown(test_while_booting, sim_setup, sim_teardown),
		HEALTHY(test_when_down),
		HEALTHY(test_crossing),
		HEALTHY(test_joined_slow_save),
		HEALTHY(test_lost_answer),
		HEALTHY(test_killed_while_saving),
		HEALTHY(test_no_ticket),
		HEALTHY(test_called_off),
		HEALTHY(test_called_off_locked),
		HEALTHY(test_given_up_unseen),
		HEALTHY(test_save_before_the_first_look),
		HEALTHY(test_panics_while_saving),
		HEALTHY(test_clock),
		HEALTHY(test_reboot_after),
		cmocka_unit_test(test_daemon_dies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
