/* SPDX-License-Identifier: Apache-2.0 */
/* virt/ against the test driver where that is enough, and the embedded QEMU driver with a guest
 * that has no operating system. Built and run by tests/virt/run, which makes the root directory and
 * ends what is left.
 *
 * Arguments: virt_test ROOT [only this case]. ROOT/boot.img is the guest's disk. */

#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "virt/embed.h"

static char embed_uri[512];

static void test_refusals(void **state)
{
	struct rig rig;
	struct answer a;
	struct hv_request r = { .verb = HV_READ, .uuid = UUID };

	(void)state;
	rig_begin(&rig, "test:///default");
	assert_int_equal(submit(&rig, &a, &r), -ENOTCONN);
	RUN_UNTIL(&rig, rig.hints[HV_HINT_CONNECTED] > 0);
	r.uuid = "6A1F0C52-9d5e-4a40-8f6b-0d3c8e6f1a01";
	assert_int_equal(submit(&rig, &a, &r), -EINVAL);
	r.uuid = "short";
	assert_int_equal(submit(&rig, &a, &r), -EINVAL);
	r = (struct hv_request){ .verb = HV_START, .uuid = UUID };
	assert_int_equal(submit(&rig, &a, &r), -EINVAL);
	r.verb = HV_VERB_NUM;
	assert_int_equal(submit(&rig, &a, &r), -EINVAL);
	rig_end(&rig);
}

/* The test driver has a domain that runs; it knows no start in pause, so there is no starting
 * here. */
static void test_test_driver(void **state)
{
	static const char uuid[] = "6695eb01-f6a4-8304-79aa-97f2502e193f";
	struct hv_request request = { .verb = HV_READ, .uuid = uuid, .name = "test", .kib = 32768 };
	struct rig rig;
	struct answer a;

	(void)state;
	rig_connected(&rig, "test:///default");
	a = ask(&rig, HV_READ);
	assert_int_equal(a.reply.error, 0);
	assert_int_equal(a.reply.facts.state, HV_DOMAIN_ABSENT);
	a = ask(&rig, HV_ACPI);
	assert_int_equal(a.reply.error, -ENOENT);
	assert_string_not_equal(a.reply.message, "");
	a = ask(&rig, HV_DESTROY);
	assert_int_equal(a.reply.error, 0);

	a = ask_full(&rig, &request);
	assert_int_equal(a.reply.facts.state, HV_DOMAIN_RUNNING);
	assert_false(a.reply.facts.console_open);
	request.verb = HV_SETMEM;
	a = ask_full(&rig, &request);
	assert_int_equal(a.reply.error, 0);
	request.verb = HV_DESTROY;
	a = ask_full(&rig, &request);
	assert_int_equal(a.reply.error, 0);
	RUN_UNTIL(&rig, rig.hints[HV_HINT_CHANGED] > 0);
	request.verb = HV_READ;
	a = ask_full(&rig, &request);
	assert_int_equal(a.reply.facts.state, HV_DOMAIN_OFF);
	assert_int_equal(a.reply.facts.reason, HV_REASON_DESTROYED);
	request.verb = HV_SETMEM;
	a = ask_full(&rig, &request);
	assert_int_equal(a.reply.error, -ESRCH);
	rig_end(&rig);
}

static void test_namesake(void **state)
{
	static const char xml[] = "<domain type='test'><name>test</name><uuid>" UUID2
				  "</uuid><memory>65536</memory><os><type>hvm</type></os></domain>";
	struct hv_request request = {
		.verb = HV_START, .uuid = UUID2, .name = "test", .text = xml
	};
	struct rig rig;
	struct answer a;

	(void)state;
	rig_connected(&rig, "test:///default"); /* has a domain "test" */
	a = ask_full(&rig, &request);
	assert_int_equal(a.reply.error, -ENOTUNIQ);
	assert_non_null(strstr(a.reply.message, "another domain named test"));
	request.uuid = UUID;
	a = ask_full(&rig, &request);
	assert_int_equal(a.reply.error, -EINVAL);
	rig_end(&rig);
}

/* Forgotten with work under way: it is answered, then the guest goes; asked for again, it is there
 * again. */
static void test_forget(void **state)
{
	struct rig rig;
	struct answer a, b;
	struct hv_request r = { .verb = HV_READ, .uuid = UUID };

	(void)state;
	rig_connected(&rig, "test:///default");
	assert_int_equal(submit(&rig, &a, &r), 0);
	assert_int_equal(submit(&rig, &b, &r), 0);
	rig.hv->vtable->forget(rig.hv, UUID);
	rig.hv->vtable->forget(rig.hv, UUID2);
	RUN_UNTIL(&rig, a.done && b.done);
	assert_int_equal(a.reply.error, 0);
	assert_int_equal(rig.hv->vtable->console_write(rig.hv, UUID, "x", 1), -ENOTCONN);
	a = ask(&rig, HV_READ);
	assert_int_equal(a.reply.error, 0);
	rig_end(&rig);
}

static void test_no_libvirt(void **state)
{
	struct rig rig;
	struct hv_health health;

	(void)state;
	rig_begin(&rig, "qemu+unix:///system?socket=/nonexistent/socket");
	RUN_UNTIL(&rig, rig.hints[HV_HINT_DISCONNECTED] > 0);
	rig.hv->vtable->health(rig.hv, &health);
	assert_false(health.connected);
	assert_string_not_equal(health.message, "");
	assert_responsive(&rig);
	rig_end(&rig);
}

/* The whole way of a guest that behaves. */
static void test_journey(void **state)
{
	struct rig rig;
	struct answer a = { 0 };
	struct hv_request r = { .verb = HV_SETMEM, .uuid = UUID, .kib = 48 * 1024 };

	/* Files are dated by the clock of the last tick. */
	usec_t before = now_realtime() - USEC_PER_SEC / 10;

	(void)state;
	a = rig_started(&rig, embed_uri);
	assert_int_equal(rig.lost, 0);
	assert_true(a.reply.facts.pid > 0);
	assert_int_equal(kill((pid_t)a.reply.facts.pid, 0), 0);
	assert_in_range(a.reply.facts.pid_realtime, before, now_realtime());
	assert_true(a.reply.facts.tcg);
	assert_false(a.reply.facts.agent_connected);
	a = start(&rig);
	assert_int_equal(a.reply.error, -EEXIST);
	a = ask(&rig, HV_READ);
	assert_true(a.reply.facts.console_open);

	assert_int_equal(rig.hv->vtable->console_write(rig.hv, UUID, "hello", 5), 0);
	RUN_UNTIL(&rig, strstr(rig.text, "hello"));

	a = ask(&rig, HV_STATS);
	assert_int_equal(a.reply.error, 0);
	assert_int_equal(a.reply.stats.balloon_kib, 64 * 1024);
	assert_int_equal(a.reply.stats.maximum_kib, 64 * 1024);
	assert_true(a.reply.stats.rss_kib > 1024 && a.reply.stats.rss_kib < 1024 * 1024);
	assert_true(a.reply.stats.usable_kib == HV_STAT_ABSENT);
	assert_true(a.reply.stats.vcpu_delay_nsec != HV_STAT_ABSENT);
	assert_true(
		a.reply.stats.cpu_time_nsec > 0 && a.reply.stats.cpu_time_nsec != HV_STAT_ABSENT);

	a = ask_full(&rig, &r);
	assert_int_equal(a.reply.error, 0);
	r.kib = 1024 * 1024;
	a = ask_full(&rig, &r);
	assert_int_not_equal(a.reply.error, 0);
	assert_string_not_equal(a.reply.message, "");
	a = ask(&rig, HV_ACPI);
	assert_int_equal(a.reply.error, 0);
	a = ask(&rig, HV_AGENT_SHUTDOWN);
	assert_int_equal(a.reply.error, -ENOTCONN);
	r = (struct hv_request){
		.verb = HV_AGENT, .uuid = UUID, .text = "{\"execute\":\"guest-ping\"}"
	};
	a = ask_full(&rig, &r);
	assert_int_equal(a.reply.error, -ENOTCONN);
	r = (struct hv_request){ .verb = HV_CPU_TUNE, .uuid = UUID, .weight = 100 };
	a = ask_full(&rig, &r);
	assert_true(a.reply.error == 0 || a.reply.error == -EOPNOTSUPP);

	rig.hv->vtable->console_write(rig.hv, UUID, "R", 1);
	RUN_UNTIL(&rig, rig.hints[HV_HINT_RESET] > 0);
	rig_destroyed(&rig);
}

/* The guest powers itself off: the reason is its own, not a destroy. */
static void test_poweroff(void **state)
{
	struct rig rig;
	struct answer a;

	(void)state;
	(void)rig_started(&rig, embed_uri);
	rig.hv->vtable->console_write(rig.hv, UUID, "S", 1);
	do {
		unsigned before = rig.hints[HV_HINT_CHANGED];

		RUN_UNTIL(&rig, rig.hints[HV_HINT_CHANGED] > before);
		a = ask(&rig, HV_READ);
	} while (a.reply.facts.state != HV_DOMAIN_OFF);
	assert_int_equal(a.reply.facts.reason, HV_REASON_SHUTDOWN);
	assert_false(a.reply.facts.console_open);
	rig_end(&rig);
}

static void test_panic(void **state)
{
	struct rig rig;
	struct answer a;

	(void)state;
	(void)rig_started(&rig, embed_uri);
	rig.hv->vtable->console_write(rig.hv, UUID, "P", 1);
	RUN_UNTIL(&rig, rig.hints[HV_HINT_PANICKED] > 0);
	do
		a = ask(&rig, HV_READ);
	while (a.reply.facts.state != HV_DOMAIN_OFF);
	rig_end(&rig);
}

static void test_killed(void **state)
{
	struct rig rig;
	struct answer a;
	unsigned before;

	(void)state;
	a = rig_started(&rig, embed_uri);
	before = rig.hints[HV_HINT_CHANGED];
	assert_int_equal(kill((pid_t)a.reply.facts.pid, SIGKILL), 0);
	RUN_UNTIL(&rig, rig.hints[HV_HINT_CHANGED] > before);
	assert_idle(&rig); /* a stream that has ended and is not yet closed */
	a = ask(&rig, HV_READ);
	assert_int_equal(a.reply.facts.state, HV_DOMAIN_OFF);
	assert_int_equal(a.reply.facts.reason, HV_REASON_CRASHED);
	assert_int_equal(a.reply.facts.pid, 0);
	assert_false(a.reply.facts.console_open);
	assert_idle(&rig);

	/* And up again, with its console. */
	rig.text_len = 0;
	memset(rig.text, 0, sizeof(rig.text));
	a = start(&rig);
	assert_int_equal(a.reply.error, 0);
	assert_true(a.reply.facts.console_open);
	RUN_UNTIL(&rig, strstr(rig.text, "MEDIAKIT-BOOT"));
	rig_destroyed(&rig);
}

/* libvirt calls it a shutdown, as it calls the guest's own: only the event tells them apart. */
static void test_terminated(void **state)
{
	struct rig rig;
	struct answer a;

	(void)state;
	a = rig_started(&rig, embed_uri);
	assert_int_equal(kill((pid_t)a.reply.facts.pid, SIGTERM), 0);
	RUN_UNTIL(&rig, rig.hints[HV_HINT_TERMINATED] > 0);
	do
		a = ask(&rig, HV_READ);
	while (a.reply.facts.state != HV_DOMAIN_OFF);
	assert_int_equal(a.reply.facts.reason, HV_REASON_SHUTDOWN);
	assert_int_equal(rig.hints[HV_HINT_POWEROFF], 0);
	rig_end(&rig);
}

/* QEMU stands still: the call that asks it is answered at the deadline, the next ones at once, the
 * loop goes on turning, and destroy gets through. */
static void test_stopped(void **state)
{
	struct hv_request r = { .verb = HV_STATS, .uuid = UUID, .timeout = 300 * USEC_PER_MSEC };
	struct rig rig;
	struct answer a, behind;
	struct hv_health health;
	usec_t begin;

	(void)state;
	a = rig_started(&rig, embed_uri);
	assert_int_equal(kill((pid_t)a.reply.facts.pid, SIGSTOP), 0);
	begin = now_boottime();
	assert_int_equal(submit(&rig, &a, &r), 0);
	assert_int_equal(submit(&rig, &behind, &r), 0);
	RUN_UNTIL(&rig, a.done && behind.done);
	assert_int_equal(a.reply.error, -ETIMEDOUT);
	assert_int_equal(behind.reply.error, -EBUSY);
	assert_in_range(now_boottime() - begin, 300 * USEC_PER_MSEC, 800 * USEC_PER_MSEC);
	assert_int_equal(submit(&rig, &a, &r), -EBUSY);
	assert_true(rig.hv->vtable->wedged(rig.hv, UUID));
	assert_false(rig.hv->vtable->wedged(rig.hv, UUID2));
	rig.hv->vtable->health(rig.hv, &health);
	assert_int_equal(health.wedged_queues, 1);
	assert_true(health.connected);
	/* Another guest's queue is its own. */
	r.verb = HV_READ;
	r.uuid = UUID2;
	a = ask_full(&rig, &r);
	assert_int_equal(a.reply.error, 0);

	begin = now_boottime();
	a = ask(&rig, HV_DESTROY);
	print_message("destroy of a stopped QEMU: %llu ms\n",
		(unsigned long long)((now_boottime() - begin) / USEC_PER_MSEC));
	assert_string_equal(a.reply.message, "");
	assert_int_equal(a.reply.error, 0);
	RUN_UNTIL(&rig, !rig.hv->vtable->wedged(rig.hv, UUID));
	a = ask(&rig, HV_READ);
	assert_int_equal(a.reply.facts.state, HV_DOMAIN_OFF);
	assert_int_equal(a.reply.facts.reason, HV_REASON_DESTROYED);
	assert_responsive(&rig);
	rig_end(&rig);
}

/* The rung before the kill: QEMU ends by itself, and libvirt says that it was made to. */
static void test_quit(void **state)
{
	struct rig rig;
	struct answer a;

	(void)state;
	(void)rig_started(&rig, embed_uri);
	a = ask(&rig, HV_QUIT);
	assert_string_equal(a.reply.message, "");
	assert_int_equal(a.reply.error, 0);
	a = ask(&rig, HV_READ);
	assert_int_equal(a.reply.facts.state, HV_DOMAIN_OFF);
	assert_int_equal(a.reply.facts.reason, HV_REASON_DESTROYED);
	a = ask(&rig, HV_QUIT); /* what is asked for already */
	assert_int_equal(a.reply.error, 0);
	rig_end(&rig);
}

/* A QEMU that stands still does not hear it. libvirt 9.0.0 forgets that it was told to be graceful
 * and kills it 25 s later; others give up after 15 s. Either way the call comes back in its time,
 * and behind it the destroy gets through. */
static void test_quit_unheard(void **state)
{
	struct hv_request r = { .verb = HV_DESTROY, .uuid = UUID };
	struct rig rig;
	struct answer a, behind;
	usec_t begin = now_boottime();

	(void)state;
	a = rig_started(&rig, embed_uri);
	assert_int_equal(kill((pid_t)a.reply.facts.pid, SIGSTOP), 0);
	begin = now_boottime();
	r.verb = HV_QUIT;
	assert_int_equal(submit(&rig, &a, &r), 0);
	r.verb = HV_DESTROY;
	assert_int_equal(submit(&rig, &behind, &r), 0);
	RUN_UNTIL(&rig, a.done);
	print_message("quit of a stopped QEMU: %d %s after %llu ms\n", a.reply.error,
		a.reply.message, (unsigned long long)((now_boottime() - begin) / USEC_PER_MSEC));
	assert_int_not_equal(a.reply.error, -ETIMEDOUT);
	assert_true(now_boottime() - begin > 14 * USEC_PER_SEC);
	RUN_UNTIL(&rig, behind.done);
	assert_true(a.done < behind.done); /* perhaps both in one turn of the loop */
	assert_int_equal(behind.reply.error, 0);
	a = ask(&rig, HV_READ);
	assert_int_equal(a.reply.facts.state, HV_DOMAIN_OFF);
	assert_responsive(&rig);
	rig_end(&rig);
}

static void test_resume(void **state)
{
	struct rig rig;
	struct answer a;
	virConnectPtr conn;
	virDomainPtr dom;

	(void)state;
	(void)rig_started(&rig, embed_uri);
	a = ask(&rig, HV_RESUME); /* runs already */
	assert_int_equal(a.reply.error, 0);
	conn = virConnectOpen(embed_uri);
	assert_non_null(conn);
	dom = virDomainLookupByUUIDString(conn, UUID);
	assert_non_null(dom);
	assert_int_equal(virDomainSuspend(dom), 0);
	a = ask(&rig, HV_READ);
	assert_int_equal(a.reply.facts.state, HV_DOMAIN_PAUSED);
	assert_int_equal(a.reply.facts.reason, HV_REASON_USER);
	a = ask(&rig, HV_RESUME);
	assert_int_equal(a.reply.error, 0);
	a = ask(&rig, HV_READ);
	assert_int_equal(a.reply.facts.state, HV_DOMAIN_RUNNING);
	(void)virDomainFree(dom);
	(void)virConnectClose(conn);
	rig_destroyed(&rig);
	/* What does not run cannot be resumed. */
	rig_connected(&rig, embed_uri);
	a = ask(&rig, HV_RESUME);
	assert_int_not_equal(a.reply.error, 0);
	rig_end(&rig);
}

/* A guest that floods its line neither stops the loop nor fills the memory. */
static void test_flood(void **state)
{
	struct rig rig;

	(void)state;
	(void)rig_started(&rig, embed_uri);
	rig.hv->vtable->console_write(rig.hv, UUID, "F", 1);
	RUN_UNTIL(&rig, rig.bytes + rig.lost > 1024 * 1024);
	print_message("flood: %llu bytes relayed, %llu lost, worst turn %llu ms\n",
		(unsigned long long)rig.bytes, (unsigned long long)rig.lost,
		(unsigned long long)(rig.worst_gap / USEC_PER_MSEC));
	rig_destroyed(&rig);
}

/* A daemon starts the guest and is killed; another one adopts it, with its console. */
static void test_adopt(void **state)
{
	struct rig rig;
	struct answer a;
	pid_t child, qemu = 0;
	int fds[2], status;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		char fd[16];

		(void)snprintf(fd, sizeof(fd), "%d", fcntl(fds[1], F_DUPFD, 0));
		execl("/proc/self/exe", "virt_test", root_dir, "first-daemon", fd, NULL);
		_exit(127);
	}
	(void)close(fds[1]);
	assert_int_equal(read(fds[0], &qemu, sizeof(qemu)), sizeof(qemu));
	(void)close(fds[0]);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);

	rig_connected(&rig, embed_uri);
	a = ask(&rig, HV_READ);
	assert_int_equal(a.reply.facts.state, HV_DOMAIN_RUNNING);
	assert_int_equal(a.reply.facts.pid, qemu);
	assert_true(a.reply.facts.console_open);
	assert_int_equal(rig.hv->vtable->console_write(rig.hv, UUID, "again", 5), 0);
	RUN_UNTIL(&rig, strstr(rig.text, "again"));
	rig_destroyed(&rig);
}

static void run_tool(const char *format)
{
	char command[1024];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(command, sizeof(command), format, root_dir, root_dir);
#pragma GCC diagnostic pop
	assert_int_equal(system(command), 0);
}

static void make_target(void)
{
	run_tool("rm -f %1$s/vm-1.part && qemu-img create -q -f qcow2 %1$s/vm-1.part 8M && "
		 "chmod 600 %1$s/vm-1.part");
}

/* Of an overlay: what is on its base comes along, and the copy stands alone. */
static void test_backup(void **state)
{
	char path[sizeof(root_dir) + 16];
	struct rig rig;
	struct answer a;
	struct hv_request r = { .verb = HV_BACKUP, .uuid = UUID, .text = path };
	struct stat st;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/vm-1.part", root_dir);
	run_tool("cp %1$s/boot.img %1$s/base.img && truncate -s 8M %1$s/base.img && "
		 "qemu-img create -q -f qcow2 -F raw -b base.img %1$s/disk.qcow2 && qemu-io -c "
		 "'write -P 7 3M 64k' %1$s/disk.qcow2 >/dev/null && chmod 644 %1$s/base.img");
	make_target();
	rig_disk = "disk.qcow2";
	(void)rig_started(&rig, embed_uri);
	a = ask(&rig, HV_BACKUP_LOOK);
	assert_int_equal(a.reply.error, 0);
	assert_int_equal(a.reply.backup.state, HV_BACKUP_NONE);
	a = ask(&rig, HV_DISK);
	assert_int_equal(a.reply.error, 0);
	assert_int_equal(a.reply.backup.total, 8 << 20);
	a = ask_full(&rig, &r);
	assert_int_equal(a.reply.error, 0);
	do
		a = ask(&rig, HV_BACKUP_LOOK);
	while (a.reply.error == 0 && a.reply.backup.state == HV_BACKUP_RUNS);
	assert_int_equal(a.reply.error, 0);
	assert_int_equal(a.reply.backup.state, HV_BACKUP_DONE);
	/* The guest runs on, and the copy is ours again. */
	a = ask(&rig, HV_READ);
	assert_int_equal(a.reply.facts.state, HV_DOMAIN_RUNNING);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, getuid());
	assert_int_equal(st.st_mode & 0777, 0600);
	r.verb = HV_BACKUP_ABORT;
	r.text = "/vm-";
	a = ask_full(&rig, &r);
	assert_int_equal(a.reply.error, 0);
	rig_destroyed(&rig);
	rig_disk = NULL;
	run_tool("qemu-img check -q -f qcow2 %1$s/vm-1.part");
	run_tool("qemu-img compare -q -f qcow2 -F qcow2 %1$s/disk.qcow2 %1$s/vm-1.part");
	run_tool("! qemu-img info %1$s/vm-1.part | grep -q backing");
	run_tool("qemu-io -r -f qcow2 -c 'read -P 7 3M 64k' %1$s/vm-1.part | grep -qv failed");
}

/* One that does not get anywhere is ended by us, and only by who began it. */
static void test_backup_aborted(void **state)
{
	char path[sizeof(root_dir) + 16];
	struct rig rig;
	struct answer a;
	struct hv_request r = { .verb = HV_BACKUP, .uuid = UUID, .text = path };

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/vm-1.part", root_dir);
	run_tool("cp %1$s/boot.img %1$s/base.img && truncate -s 8M %1$s/base.img && "
		 "qemu-img create -q -f qcow2 -F raw -b base.img %1$s/disk.qcow2 && chmod 644 "
		 "%1$s/base.img && truncate -s 0 %1$s/vm-1.part");
	rig_disk = "disk.qcow2";
	a = rig_started(&rig, embed_uri);
	/* No image: told in libvirt's words, and nothing stays. */
	a = ask_full(&rig, &r);
	assert_int_not_equal(a.reply.error, 0);
	assert_string_not_equal(a.reply.message, "");
	make_target();
	a = ask(&rig, HV_READ);
	a = ask_full(&rig, &r);
	assert_int_equal(a.reply.error, 0);
	r.verb = HV_BACKUP_ABORT;
	r.text = "/another-";
	a = ask_full(&rig, &r);
	assert_int_equal(a.reply.error, 0);
	r.text = "/vm-";
	do
		a = ask_full(&rig, &r);
	while (a.reply.error == -EINPROGRESS);
	assert_int_equal(a.reply.error, 0);
	a = ask(&rig, HV_BACKUP_LOOK);
	assert_int_not_equal(a.reply.backup.state, HV_BACKUP_RUNS);
	rig_destroyed(&rig);
	rig_disk = NULL;
	r.verb = HV_BACKUP_ABORT;
}

/* What it had in memory is there again: it goes on with its echo, and does not say hello. */
static void assert_goes_on(struct rig *rig, const char *typed)
{
	memset(rig->text, 0, sizeof(rig->text));
	rig->text_len = 0;
	assert_int_equal(
		rig->hv->vtable->console_write(rig->hv, UUID, typed, strlen(typed)), 0);
	RUN_UNTIL(rig, strstr(rig->text, typed));
	assert_null(strstr(rig->text, "MEDIAKIT-BOOT"));
}

static void save(struct rig *rig)
{
	struct answer a = ask(rig, HV_SAVE);

	assert_string_equal(a.reply.message, "");
	assert_int_equal(a.reply.error, 0);
	a = ask(rig, HV_READ);
	assert_int_equal(a.reply.facts.state, HV_DOMAIN_OFF);
	assert_int_equal(a.reply.facts.reason, HV_REASON_SAVED);
	assert_true(a.reply.facts.managed_save);
}

static void assert_off(struct rig *rig, bool managed_save)
{
	struct answer a = ask(rig, HV_READ);

	assert_int_equal(a.reply.facts.state, HV_DOMAIN_OFF);
	assert_int_equal(a.reply.facts.managed_save, managed_save);
}

static void test_save(void **state)
{
	struct rig rig;
	struct answer a = rig_started(&rig, embed_uri);
	uint64_t version = a.reply.version;

	(void)state;
	assert_in_range(version, 7000000, 99000000);
	save(&rig);
	a = ask(&rig, HV_SAVE);
	assert_int_equal(a.reply.error, -ESRCH);
	a = start_restored(&rig, version);
	assert_string_equal(a.reply.message, "");
	assert_int_equal(a.reply.error, 0);
	assert_int_equal(a.reply.version, version);
	assert_int_equal(a.reply.facts.state, HV_DOMAIN_RUNNING);
	assert_false(a.reply.facts.managed_save);
	assert_goes_on(&rig, "warm");
	/* Once. */
	a = ask(&rig, HV_DESTROY);
	a = start_restored(&rig, version);
	assert_int_equal(a.reply.error, -ESTALE);
	assert_non_null(strstr(a.reply.message, "no such save any more"));
	assert_off(&rig, false);
	a = ask(&rig, HV_SAVE_ABORT);
	assert_int_equal(a.reply.error, 0);
	rig_destroyed(&rig);
}

/* One that does not fit is not touched before somebody decides to boot instead; then it is gone. */
static void test_save_of_other_qemu(void **state)
{
	struct rig rig;
	struct answer a = rig_started(&rig, embed_uri);
	uint64_t version = a.reply.version;

	(void)state;
	save(&rig);
	a = start_restored(&rig, version - 1);
	assert_int_equal(a.reply.error, -ESTALE);
	assert_non_null(strstr(a.reply.message, "made it, and QEMU is "));
	assert_off(&rig, true);
	memset(rig.text, 0, sizeof(rig.text));
	rig.text_len = 0;
	a = start(&rig);
	assert_int_equal(a.reply.error, 0);
	assert_false(a.reply.facts.managed_save);
	RUN_UNTIL(&rig, strstr(rig.text, "MEDIAKIT-BOOT"));
	rig_destroyed(&rig);
}

/* libvirt throws an incomplete one away and would boot without a word. */
static void test_save_unreadable(void **state)
{
	static const char *const dds[] = {
		"bs=1 seek=0 count=16 if=/dev/zero", /* its magic */
		"bs=4096 seek=8 count=4000 if=/dev/urandom", /* the guest's memory */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(dds) + 2; i++) {
		char command[512];
		struct rig rig;
		struct answer a = rig_started(&rig, embed_uri);
		uint64_t version = a.reply.version;

		save(&rig);
		if (i < ARRAY_SIZE(dds))
			(void)snprintf(command, sizeof(command),
				"dd %s conv=notrunc status=none of=%s/lib/qemu/save/" NAME ".save",
				dds[i], root_dir);
		else
			(void)snprintf(command, sizeof(command),
				"truncate -s %s %s/lib/qemu/save/" NAME ".save",
				i == ARRAY_SIZE(dds) ? "100" : "-50000", root_dir);
		assert_int_equal(system(command), 0);
		a = start_restored(&rig, version);
		print_message("%s: %s\n", command, a.reply.message);
		assert_int_equal(a.reply.error, -ESTALE);
		a = ask(&rig, HV_READ);
		assert_int_equal(a.reply.facts.state, HV_DOMAIN_OFF);
		memset(rig.text, 0, sizeof(rig.text));
		rig.text_len = 0;
		a = start(&rig);
		assert_int_equal(a.reply.error, 0);
		assert_false(a.reply.facts.managed_save);
		RUN_UNTIL(&rig, strstr(rig.text, "MEDIAKIT-BOOT"));
		rig_destroyed(&rig);
	}
}

/* The daemon that gets killed. An embedded driver's root has one process at a time, so this cannot
 * be a thread. */
static int first_daemon(int fd)
{
	struct rig rig;
	struct answer a;
	pid_t qemu;

	rig_connected(&rig, embed_uri);
	a = start(&rig);
	qemu = a.reply.error == 0 ? (pid_t)a.reply.facts.pid : 0;
	if (write(fd, &qemu, sizeof(qemu)) != sizeof(qemu))
		return 1;
	for (;;)
		(void)sd_event_run(rig.event, USEC_PER_SEC);
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {
		CASE(test_refusals),
		CASE(test_test_driver),
		CASE(test_namesake),
		CASE(test_forget),
		CASE(test_no_libvirt),
		CASE(test_journey),
		CASE(test_poweroff),
		CASE(test_panic),
		CASE(test_killed),
		CASE(test_terminated),
		CASE(test_stopped),
		CASE(test_quit),
		CASE(test_quit_unheard),
		CASE(test_resume),
		CASE(test_flood),
		CASE(test_adopt),
		CASE(test_backup),
		CASE(test_backup_aborted),
		CASE(test_save),
		CASE(test_save_of_other_qemu),
		CASE(test_save_unreadable),
	};
	char err[256] = "";

	if (argc < 2 || argv[1][0] != '/')
		return 2;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)snprintf(root_dir, sizeof(root_dir), "%s", argv[1]);
	(void)snprintf(embed_uri, sizeof(embed_uri), "qemu:///embed?root=%s", root_dir);
	if (virt_embed_prepare(embed_uri, err, sizeof(err)) < 0)
		print_message("warning: %s\n", err);
	if (argc == 4 && strcmp(argv[2], "first-daemon") == 0)
		return first_daemon(atoi(argv[3]));
	return run_cases(cases, ARRAY_SIZE(cases), argc > 2 ? argv[2] : NULL);
}
