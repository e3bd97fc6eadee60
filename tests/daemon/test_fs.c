/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's own word on its file systems at a boot, held against our record of the last stop. */
/* LINK: base model policy core io/layout io/hv io/confdir */
/* LIBS: libcbor jansson inih libsystemd */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "sim.h"

#define BEGAN   "[    0.000000] Linux version 6.12.48\n"
#define MOUNTED "[    5.5] EXT4-fs (vda1): mounted filesystem 1a2b r/w\n"

static const struct fake_line recovering_boot[] = {
	{ 150 * MS, "[    0.000000] Linux version 6.12.48+deb13-cloud-amd64\r\n" },
	{ 7 * S, "[    3.118821] Run /init as init process\r\n" },
	{ 10 * S, "[    5.503170] EXT4-fs (vda1): recovery complete\r\n" },
	{ 36 * S, "vm login: " },
	{ 43 * S, "\r\nmediakit: cloud-init finished, 43.0 s\r\n" },
	{ 0, NULL },
};

static void begin(struct sim *sim, const char *fs_output)
{
	sim_daemon(sim);
	sim_fake(sim, VM)->fs_output = fs_output;
	sim_wait_healthy(sim, VM, 120 * S);
	sim_run(sim, 120 * S);
}

static void start_again(struct sim *sim)
{
	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_START), 30 * S);
	sim_wait_healthy(sim, VM, 120 * S);
	sim_run(sim, 120 * S);
}

static void test_clean(void **state)
{
	struct sim *sim = *state;

	begin(sim, "/sys/fs/ext4/vda1/errors_count:0\n" BEGAN MOUNTED);
	assert_int_equal(sim_guest(sim, VM)->hearing.fs.word, FS_CLEAN);
	/* Once in a boot, and kept over our own death. */
	sim_fake(sim, VM)->fs_output = "EXT4-fs (vda1): recovery complete\n";
	sim_run(sim, 600 * S);
	assert_int_equal(sim_guest(sim, VM)->hearing.fs.word, FS_CLEAN);
	sim_kill_daemon(sim);
	sim_daemon(sim);
	assert_int_equal(sim_guest(sim, VM)->hearing.fs.word, FS_CLEAN);
}

/* Our record says clean, the guest had to mend: the record was wrong, and that is told. */
static void test_record_was_wrong(void **state)
{
	struct sim *sim = *state;
	struct guest *g = sim_guest(sim, VM);
	struct fake_guest *d = sim_fake(sim, VM);

	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_STOP), 30 * S);
	d->script = recovering_boot;
	start_again(sim);
	assert_int_equal(g->hearing.fs.word, FS_RECOVERED);
	assert_non_null(
		strstr(g->hearing.fs_words, "though the last stop was recorded as clean: "));
	assert_non_null(strstr(g->hearing.fs_words, "EXT4-fs (vda1): recovery complete"));
	assert_int_equal(sim_log_count(sim, "file system: recovered"), 1);
	/* Nothing is done about it. */
	assert_int_equal(d->starts, 2);
	assert_true(g->healthy);
	/* The next boot's word is its own. */
	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_STOP), 30 * S);
	d->script = recovering_boot + 4;
	start_again(sim);
	assert_int_equal(g->hearing.fs.word, FS_UNKNOWN);
	assert_string_equal(g->hearing.fs_words, "");
}

/* After a forced stop, a crash or a reset a replay is what a journal is for. */
static void test_expected(void **state)
{
	struct sim *sim = *state;
	struct guest *g = sim_guest(sim, VM);
	struct fake_guest *d = sim_fake(sim, VM);

	d->script = recovering_boot;
	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_KILL), 60 * S);
	start_again(sim);
	assert_int_equal(g->hearing.fs.word, FS_RECOVERED);
	assert_null(strstr(g->hearing.fs_words, "though"));
	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_STOP), 30 * S);
	d->script = recovering_boot + 4;
	start_again(sim);
	d->script = recovering_boot;
	fake_guest_reboot(d, true);
	sim_run(sim, 200 * S);
	assert_int_equal(g->hearing.fs.word, FS_RECOVERED);
	assert_null(strstr(g->hearing.fs_words, "though"));
}

/* Who knows what ran meanwhile: our record is of another run. */
static void test_started_by_somebody(void **state)
{
	struct sim *sim = *state;
	const struct guest *g = sim_guest(sim, VM);
	struct fake_guest *d = sim_fake(sim, VM);

	sim_wait_answer(sim, sim_ask(sim, VM, OPERATION_STOP), 30 * S);
	d->script = recovering_boot;
	fake_guest_start(d);
	sim_run(sim, 200 * S);
	assert_int_equal(g->hearing.fs.word, FS_RECOVERED);
	assert_null(strstr(g->hearing.fs_words, "though"));
}

static void test_errors(void **state)
{
	struct sim *sim = *state;

	begin(sim, "/sys/fs/ext4/vda1/errors_count:2\n" BEGAN MOUNTED);
	const struct guest *g = sim_guest(sim, VM);
	assert_int_equal(g->hearing.fs.word, FS_ERRORS);
	assert_non_null(strstr(g->hearing.fs_words, "errors_count:2"));
	assert_true(g->healthy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_clean, sim_setup, sim_teardown),
		cmocka_unit_test_setup_teardown(
			test_record_was_wrong, sim_setup_healthy, sim_teardown),
		cmocka_unit_test_setup_teardown(test_expected, sim_setup_healthy, sim_teardown),
		cmocka_unit_test_setup_teardown(
			test_started_by_somebody, sim_setup_healthy, sim_teardown),
		cmocka_unit_test_setup_teardown(test_errors, sim_setup, sim_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
