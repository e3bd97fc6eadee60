/* SPDX-License-Identifier: Apache-2.0 */
/* virt/ against a libvirtd that dies, stands still and comes back. Run by tests/virt/run in a mount
 * namespace where libvirt's directories are the test's own.
 *
 * Arguments: libvirtd_test ROOT [only this case]. ROOT/boot.img is the guest's disk,
 * ROOT/libvirtd.conf the configuration. */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define URI  "qemu:///system"
#define SOCK "/run/libvirt/libvirt-sock"

static pid_t libvirtd;

static void libvirtd_start(void)
{
	char conf[300];

	(void)snprintf(conf, sizeof(conf), "%s/libvirtd.conf", root_dir);
	(void)unlink("/run/libvirtd.pid");
	libvirtd = fork();
	assert_true(libvirtd >= 0);
	if (libvirtd == 0) {
		int null = open("/dev/null", O_RDWR);

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)dup2(null, 0);
		(void)dup2(null, 1);
		(void)dup2(null, 2);
		execlp("libvirtd", "libvirtd", "-f", conf, "-p", "/run/libvirt/libvirtd.pid", NULL);
		_exit(127);
	}
}

static void libvirtd_kill(void)
{
	assert_int_equal(kill(libvirtd, SIGKILL), 0);
	assert_int_equal(waitpid(libvirtd, NULL, 0), libvirtd);
	(void)unlink(SOCK);
}

/* libvirtd comes up while we try to connect: that has to end well, too. */
static void first(struct rig *rig)
{
	libvirtd_start();
	rig_connected(rig, URI);
}

/* The guest started, and the hints counted from now. */
static struct answer started(struct rig *rig)
{
	struct answer a;

	libvirtd_start();
	a = rig_started(rig, URI);
	memset(rig->hints, 0, sizeof(rig->hints));
	rig->message[0] = '\0';
	return a;
}

static void print_memory(const char *when)
{
	char line[256];
	FILE *f = fopen("/proc/self/smaps_rollup", "re");

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "Rss:", 4) == 0 || strncmp(line, "Pss:", 4) == 0 ||
			strncmp(line, "Private_Dirty:", 14) == 0)
			print_message("memory %s: %s", when, line);
	if (f)
		(void)fclose(f);
}

static void test_journey(void **state)
{
	struct rig rig;
	struct answer a;

	(void)state;
	a = started(&rig);
	assert_true(a.reply.facts.pid > 0);
	assert_true(a.reply.facts.tcg);
	assert_int_equal(rig.lost, 0);
	assert_int_equal(rig.hv->vtable->console_write(rig.hv, UUID, "hello", 5), 0);
	RUN_UNTIL(&rig, strstr(rig.text, "hello"));
	a = ask(&rig, HV_STATS);
	assert_int_equal(a.reply.error, 0);
	assert_int_equal(a.reply.stats.balloon_kib, 64 * 1024);
	assert_true(a.reply.stats.cpu_time_nsec != HV_STAT_ABSENT);
	print_memory("with a guest");
	rig_destroyed(&rig);
}

static void test_killed(void **state)
{
	struct hv_request r = { .verb = HV_READ, .uuid = UUID };
	struct hv_health health;
	struct rig rig;
	struct answer a;
	int64_t pid;

	(void)state;
	a = started(&rig);
	pid = a.reply.facts.pid;
	libvirtd_kill();
	RUN_UNTIL(&rig, rig.hints[HV_HINT_DISCONNECTED] > 0);
	assert_int_equal(submit(&rig, &a, &r), -ENOTCONN);
	rig.hv->vtable->health(rig.hv, &health);
	assert_false(health.connected);
	assert_string_not_equal(health.message, "");
	assert_int_equal(rig.hv->vtable->console_write(rig.hv, UUID, "x", 1), -ENOTCONN);
	assert_idle(&rig);

	libvirtd_start();
	RUN_UNTIL(&rig, rig.hints[HV_HINT_CONNECTED] == 1);
	a = ask(&rig, HV_READ);
	assert_int_equal(a.reply.facts.state, HV_DOMAIN_RUNNING);
	assert_int_equal(a.reply.facts.pid, pid);
	assert_true(a.reply.facts.console_open);
	assert_int_equal(rig.hv->vtable->console_write(rig.hv, UUID, "again", 5), 0);
	RUN_UNTIL(&rig, strstr(rig.text, "again"));
	/* Events come again, too. */
	rig.hv->vtable->console_write(rig.hv, UUID, "R", 1);
	RUN_UNTIL(&rig, rig.hints[HV_HINT_RESET] > 0);
	rig_destroyed(&rig);
}

/* Both die together: the domain is persistent and known as crashed. */
static void test_both_killed(void **state)
{
	struct rig rig;
	struct answer a;

	(void)state;
	a = started(&rig);
	libvirtd_kill();
	assert_int_equal(kill((pid_t)a.reply.facts.pid, SIGKILL), 0);
	RUN_UNTIL(&rig, rig.hints[HV_HINT_DISCONNECTED] > 0);
	libvirtd_start();
	RUN_UNTIL(&rig, rig.hints[HV_HINT_CONNECTED] == 1);
	do
		a = ask(&rig, HV_READ);
	while (a.reply.facts.state == HV_DOMAIN_RUNNING);
	assert_int_equal(a.reply.facts.state, HV_DOMAIN_OFF);
	assert_true(a.reply.facts.reason == HV_REASON_CRASHED ||
		    a.reply.facts.reason == HV_REASON_FAILED ||
		    a.reply.facts.reason == HV_REASON_DAEMON ||
		    a.reply.facts.reason == HV_REASON_UNKNOWN);
	print_message("reason: %s\n", hv_reason_to_string(a.reply.facts.reason));
	rig_end(&rig);
}

/* A libvirtd that stands still: a call is answered at its deadline, keepalive ends the connection,
 * one attempt to connect hangs and the later ones do not pile up; then it goes on. */
static void test_stopped(void **state)
{
	struct hv_request r = { .verb = HV_READ, .uuid = UUID, .timeout = 300 * USEC_PER_MSEC };
	struct hv_health health;
	struct rig rig;
	struct answer a;
	usec_t begin;

	(void)state;
	(void)started(&rig);
	assert_int_equal(kill(libvirtd, SIGSTOP), 0);
	begin = now_boottime();
	a = ask_full(&rig, &r);
	assert_int_equal(a.reply.error, -ETIMEDOUT);
	assert_int_equal(submit(&rig, &a, &r), -EBUSY);
	RUN_UNTIL(&rig, rig.hints[HV_HINT_DISCONNECTED] > 0);
	assert_in_range(now_boottime() - begin, 1 * USEC_PER_SEC, 15 * USEC_PER_SEC);
	RUN_UNTIL(&rig, !rig.hv->vtable->wedged(rig.hv, UUID));
	RUN_UNTIL(&rig, strstr(rig.message, "does not answer"));
	rig.hv->vtable->health(rig.hv, &health);
	assert_false(health.connected);
	assert_int_equal(health.wedged_queues, 1);
	assert_int_equal(kill(libvirtd, SIGCONT), 0);
	RUN_UNTIL(&rig, rig.hints[HV_HINT_CONNECTED] == 1);
	rig.hv->vtable->health(rig.hv, &health);
	assert_int_equal(health.wedged_queues, 0);
	a = ask(&rig, HV_READ);
	assert_int_equal(a.reply.facts.state, HV_DOMAIN_RUNNING);
	assert_true(a.reply.facts.console_open);
	rig_destroyed(&rig);
}

/* The console is read by somebody else: no error, and no console. When that one goes, it is
 * ours. */
static void test_console_taken(void **state)
{
	struct rig rig, other;
	struct answer a;

	(void)state;
	(void)started(&rig);
	rig_connected(&other, URI);
	a = ask(&other, HV_READ);
	assert_int_equal(a.reply.error, 0);
	assert_int_equal(a.reply.facts.state, HV_DOMAIN_RUNNING);
	assert_false(a.reply.facts.console_open);
	rig.hv->vtable->forget(rig.hv, UUID);
	do {
		(void)sd_event_run(rig.event, 10 * USEC_PER_MSEC);
		a = ask(&other, HV_READ);
	} while (!a.reply.facts.console_open);
	rig_end(&rig);
	rig_destroyed(&other);
}

static void test_idle_memory(void **state)
{
	struct rig rig;

	(void)state;
	first(&rig);
	print_memory("connected");
	rig_end(&rig);
}

/* Whatever way a case ended, its libvirtd goes with it. */
static void end_libvirtd(void)
{
	if (libvirtd > 0)
		(void)kill(libvirtd, SIGKILL);
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {
		CASE(test_idle_memory),
		CASE(test_journey),
		CASE(test_killed),
		CASE(test_both_killed),
		CASE(test_stopped),
		CASE(test_console_taken),
	};

	if (argc < 2 || argv[1][0] != '/')
		return 2;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)atexit(end_libvirtd);
	(void)snprintf(root_dir, sizeof(root_dir), "%s", argv[1]);
	return run_cases(cases, ARRAY_SIZE(cases), argc > 2 ? argv[2] : NULL);
}
