/* SPDX-License-Identifier: Apache-2.0 */
/* Which counter tells of a kill for memory, in trees as systemd and libvirt make them. */
/* LINK: base io/oomkill */
/* LIBS: libsystemd */
#include "io/oomkill.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/macro.h"

#define PID   4711
#define SCOPE "machine-qemu\\x2d1\\x2dvm.scope"

struct world {
	char dir[64], proc[128], cgroups[128];
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	(void)snprintf(w->dir, sizeof(w->dir), "/tmp/test_oomkill.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	(void)snprintf(w->proc, sizeof(w->proc), "%s/proc", w->dir);
	(void)snprintf(w->cgroups, sizeof(w->cgroups), "%s/cg", w->dir);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf '%s'", w->dir);
	assert_int_equal(system(command), 0);
	free(w);
	return 0;
}

static void put(const char *root, const char *dir, const char *file, const char *text)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", root, dir);
	assert_int_equal(dir_make(path, 0755), 0);
	(void)snprintf(path, sizeof(path), "%s/%s/%s", root, dir, file);
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0644), 0);
}

static const char events[] = "low 0\nhigh 0\nmax 3\noom 2\noom_kill 2\noom_group_kill 0\n";
static const char control[] = "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n";

static void expect(const struct world *w, const char *file, uint64_t count)
{
	char path[OOMKILL_PATH_MAX], wanted[OOMKILL_PATH_MAX];
	uint64_t n;

	assert_int_equal(oomkill_find_at(w->proc, w->cgroups, PID, path), 0);
	(void)snprintf(wanted, sizeof(wanted), "%s/%s", w->cgroups, file);
	assert_string_equal(path, wanted);
	assert_int_equal(oomkill_read(path, &n), 0);
	assert_int_equal(n, count);
}

static void test_find(void **state)
{
	static const struct {
		const char *cgroup, *dir, *file, *text, *found;
		uint64_t count;
		int error;
	} rows[] = {
		/* systemd and libvirt, second version: the slice above the scope. */
		{ "0::/machine.slice/" SCOPE "/libvirt/emulator\n", "machine.slice",
			"memory.events", events, "machine.slice/memory.events", 2, 0 },
		{ "0::/a.slice/a-b.slice/" SCOPE "\n", "a.slice/a-b.slice", "memory.events", events,
			"a.slice/a-b.slice/memory.events", 2, 0 },
		/* libvirt without systemd. */
		{ "0::/machine/qemu-1-vm.libvirt-qemu/emulator\n", "machine", "memory.events",
			events, "machine/memory.events", 2, 0 },
		/* The embedded driver: QEMU lives in the daemon's own group. */
		{ "0::/system.slice/mediakitd.service\n", "system.slice/mediakitd.service",
			"memory.events", events, "system.slice/mediakitd.service/memory.events", 2,
			0 },
		{ "3:cpu:/\n4:memory:/process/x\n0::/\n", "memory/process/x", "memory.oom_control",
			control, "memory/process/x/memory.oom_control", 7, 0 },
		/* The first version counts in the scope alone. */
		{ "4:memory:/machine.slice/" SCOPE "\n0::/machine.slice/" SCOPE "\n",
			"memory/machine.slice", "memory.oom_control", control, NULL, 0,
			-EOPNOTSUPP },
		/* The root has no counter, and what lies outside our name space none we see. */
		{ "0::/\n", "x", "memory.events", events, NULL, 0, -ENOENT },
		{ "0::/../machine.slice/" SCOPE "\n", "machine.slice", "memory.events", events,
			NULL, 0, -EOPNOTSUPP },
		{ "nonsense", "x", "y", "", NULL, 0, -EOPNOTSUPP },
		{ "0::relative\n", "x", "y", "", NULL, 0, -EOPNOTSUPP },
		{ "", "x", "y", "", NULL, 0, -EOPNOTSUPP },
		/* A file without the line, and one with another number than a number. */
		{ "0::/s.slice\n", "s.slice", "memory.events", "low 0\n", NULL, 0, -EBADMSG },
		{ "0::/t.slice\n", "t.slice", "memory.events", "oom_kill x\n", NULL, 0, -EBADMSG },
	};
	const struct world *w = *state;
	char path[OOMKILL_PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		put(w->proc, "4711", "cgroup", rows[i].cgroup);
		put(w->cgroups, rows[i].dir, rows[i].file, rows[i].text);
		if (rows[i].error)
			assert_int_equal(
				oomkill_find_at(w->proc, w->cgroups, PID, path), rows[i].error);
		else
			expect(w, rows[i].found, rows[i].count);
	}
}

/* QEMU's process is hidden from us: the groups still name it. */
static void test_hidden(void **state)
{
	const struct world *w = *state;
	char path[OOMKILL_PATH_MAX];

	put(w->cgroups, "machine.slice", "memory.events", events);
	assert_int_equal(oomkill_find_at(w->proc, w->cgroups, PID, path), -ESRCH);
	put(w->cgroups, "machine.slice/" SCOPE, "cgroup.procs", "");
	put(w->cgroups, "machine.slice/" SCOPE "/libvirt", "cgroup.procs", "1\n14711\n47111\n");
	assert_int_equal(oomkill_find_at(w->proc, w->cgroups, PID, path), -ESRCH);
	put(w->cgroups, "machine.slice/" SCOPE "/libvirt", "cgroup.procs", "1\n14711\n4711\n");
	expect(w, "machine.slice/memory.events", 2);
	assert_int_equal(oomkill_find_at(w->proc, w->cgroups, 0, path), -ESRCH);
}

/* Whatever this machine has: an answer, and no crash. */
static void test_here(void **state)
{
	char path[OOMKILL_PATH_MAX];
	uint64_t count;

	(void)state;
	if (oomkill_kernel.find(getpid(), path) == 0)
		assert_int_equal(oomkill_kernel.read(path, &count), 0);
	assert_int_equal(oomkill_kernel.read("/nonexistent", &count), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_find, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hidden, setup, teardown),
		cmocka_unit_test(test_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
