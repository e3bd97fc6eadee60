/* SPDX-License-Identifier: Apache-2.0 */
/* virt/ against the real libvirt: its test driver where that is enough, and the embedded QEMU
 * driver with a guest that has no operating system. Built and run by tests/virt/run, which makes
 * the root directory and ends what is left.
 *
 * Arguments: virt_test ROOT [only this case]. ROOT/boot.img is the guest's disk. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/macro.h"
#include "virt/embed.h"
#include "virt/hypervisor.h"

#define UUID   "6a1f0c52-9d5e-4a40-8f6b-0d3c8e6f1a01"
#define NAME   "virt-test"
#define UUID2  "6a1f0c52-9d5e-4a40-8f6b-0d3c8e6f1a02"
#define PATIENCE (60 * USEC_PER_SEC)
#define TICK     (20 * USEC_PER_MSEC)

static char root_dir[256], embed_uri[512];

/* One daemon's worth: a loop, a hypervisor, and what it told. */
struct rig {
	sd_event *event;
	struct hv *hv;
	sd_event_source *ticker;
	usec_t last_tick, worst_gap;
	unsigned hints[HV_HINT_NUM];
	char text[32768]; /* of the serial line */
	size_t text_len;
	uint64_t bytes, lost;
	bool inside; /* a call into the hypervisor is under way */
};

struct answer {
	struct rig *rig;
	bool done;
	struct hv_reply reply;
	char text[256];
};

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct rig *rig = userdata;
	usec_t now = now_boottime();

	(void)usec;
	if (rig->last_tick && now - rig->last_tick > rig->worst_gap)
		rig->worst_gap = now - rig->last_tick;
	rig->last_tick = now;
	return sd_event_source_set_time_relative(source, TICK);
}

static void on_event(void *userdata, const struct hv_event *event, usec_t now)
{
	struct rig *rig = userdata;

	assert_false(rig->inside);
	assert_true(now > 0);
	rig->hints[event->hint]++;
	if (getenv("VIRT_TEST_VERBOSE"))
		print_message("%llu hint %s %s %s\n", (unsigned long long)now / 1000,
			hv_hint_to_string(event->hint), event->uuid ? event->uuid : "-",
			event->message ? event->message : "");
}

static void on_console(void *userdata, const char *uuid, const void *data, size_t len,
	uint64_t lost, usec_t now)
{
	struct rig *rig = userdata;
	size_t n = MIN(len, sizeof(rig->text) - 1 - rig->text_len);

	(void)uuid;
	(void)now;
	assert_false(rig->inside);
	assert_true(len > 0 && len <= HV_CONSOLE_CHUNK);
	memcpy(rig->text + rig->text_len, data, n);
	rig->text_len += n;
	rig->bytes += len;
	rig->lost += lost;
}

static void rig_begin(struct rig *rig, const char *uri)
{
	const struct hv_observer observer = {on_event, on_console, rig};

	memset(rig, 0, sizeof(*rig));
	assert_int_equal(sd_event_new(&rig->event), 0);
	assert_int_equal(virt_new(rig->event, uri, &rig->hv), 0);
	rig->hv->vtable->observe(rig->hv, &observer);
	assert_true(sd_event_add_time_relative(rig->event, &rig->ticker, CLOCK_BOOTTIME, TICK, 1000,
			    on_tick, rig) >= 0);
	(void)sd_event_source_set_enabled(rig->ticker, SD_EVENT_ON);
	rig->inside = true;
	assert_int_equal(rig->hv->vtable->connect(rig->hv), 0);
	rig->inside = false;
}

static void rig_end(struct rig *rig)
{
	rig->inside = true;
	rig->hv->vtable->destroy(rig->hv);
	sd_event_source_disable_unref(rig->ticker);
	sd_event_unref(rig->event);
}

/* Turns the loop until the condition holds. */
#define RUN_UNTIL(rig, condition)                                                                  \
	do {                                                                                       \
		usec_t end_ = now_boottime() + PATIENCE;                                           \
		while (!(condition)) {                                                             \
			if (now_boottime() > end_)                                                 \
				fail_msg("waited in vain for: %s", #condition);                    \
			assert_true(sd_event_run((rig)->event, USEC_PER_SEC) >= 0);                \
		}                                                                                  \
	} while (false)

static void on_done(void *userdata, const struct hv_reply *reply, usec_t now)
{
	struct answer *answer = userdata;

	assert_false(answer->rig->inside);
	assert_false(answer->done);
	assert_true(now > 0);
	answer->done = true;
	answer->reply = *reply;
	(void)snprintf(answer->text, sizeof(answer->text), "%s", reply->text ? reply->text : "");
}

static int submit(struct rig *rig, struct answer *answer, const struct hv_request *request)
{
	int r;

	memset(answer, 0, sizeof(*answer));
	answer->rig = rig;
	rig->inside = true;
	r = hv_submit(rig->hv, request, on_done, answer);
	rig->inside = false;
	return r;
}

static struct answer ask_full(struct rig *rig, const struct hv_request *request)
{
	struct answer answer;

	assert_int_equal(submit(rig, &answer, request), 0);
	RUN_UNTIL(rig, answer.done);
	if (getenv("VIRT_TEST_VERBOSE"))
		print_message("%llu %s: %d %s\n", (unsigned long long)now_boottime() / 1000,
			hv_verb_to_string(request->verb), answer.reply.error, answer.reply.message);
	return answer;
}

static struct answer ask(struct rig *rig, enum hv_verb verb)
{
	return ask_full(rig, &(struct hv_request){.verb = verb, .uuid = UUID, .name = NAME});
}

/* A guest of 64 MiB; `serial` and `name` as given. */
static char *domain_xml(const char *uuid, const char *name)
{
	char *xml = NULL;

	assert_true(asprintf(&xml,
			    "<domain type='qemu'><name>%s</name><uuid>%s</uuid>"
			    "<memory unit='MiB'>64</memory><vcpu>1</vcpu>"
			    "<os><type arch='x86_64' machine='q35'>hvm</type><boot dev='hd'/></os>"
			    "<features><acpi/></features>"
			    "<on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot>"
			    "<on_crash>destroy</on_crash>"
			    "<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>"
			    "<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
			    "<source file='%s/boot.img'/><target dev='vda' "
			    "bus='virtio'/><readonly/></disk>"
			    "<controller type='usb' model='none'/>"
			    "<serial type='pty'/><console type='pty'/>"
			    "<channel type='unix'><target type='virtio' "
			    "name='org.qemu.guest_agent.0'/></channel>"
			    "<memballoon model='virtio'><stats period='5'/></memballoon>"
			    "<panic model='isa'/></devices></domain>",
			    name, uuid, root_dir) > 0);
	return xml;
}

static struct answer start(struct rig *rig)
{
	CLEANUP_FREE char *xml = domain_xml(UUID, NAME);

	return ask_full(rig,
		&(struct hv_request){.verb = HV_START, .uuid = UUID, .name = NAME, .text = xml});
}

static void connected_rig(struct rig *rig, const char *uri)
{
	rig_begin(rig, uri);
	RUN_UNTIL(rig, rig->hints[HV_HINT_CONNECTED] > 0);
}

static void assert_responsive(const struct rig *rig)
{
	if (rig->worst_gap > 500 * USEC_PER_MSEC)
		fail_msg("the main loop stood still for %llu ms",
			(unsigned long long)(rig->worst_gap / USEC_PER_MSEC));
}

/* Starts the guest and reads its hello. */
static struct answer started_rig(struct rig *rig)
{
	struct answer a;

	connected_rig(rig, embed_uri);
	(void)ask(rig, HV_DESTROY); /* what a case that failed left */
	a = start(rig);
	assert_string_equal(a.reply.message, "");
	assert_int_equal(a.reply.error, 0);
	assert_int_equal(a.reply.facts.state, HV_DOMAIN_RUNNING);
	assert_true(a.reply.facts.console_open);
	RUN_UNTIL(rig, strstr(rig->text, "MEDIAKIT-BOOT"));
	return a;
}

static void destroyed(struct rig *rig)
{
	struct answer a = ask(rig, HV_DESTROY);

	assert_int_equal(a.reply.error, 0);
	a = ask(rig, HV_READ);
	assert_int_equal(a.reply.facts.state, HV_DOMAIN_OFF);
	assert_responsive(rig);
	rig_end(rig);
}

/* Cases. */

static void test_refusals(void **state)
{
	struct rig rig;
	struct answer a;
	struct hv_request r = {.verb = HV_READ, .uuid = UUID};

	(void)state;
	rig_begin(&rig, "test:///default");
	assert_int_equal(submit(&rig, &a, &r), -ENOTCONN);
	RUN_UNTIL(&rig, rig.hints[HV_HINT_CONNECTED] > 0);
	r.uuid = "6A1F0C52-9d5e-4a40-8f6b-0d3c8e6f1a01";
	assert_int_equal(submit(&rig, &a, &r), -EINVAL);
	r.uuid = "short";
	assert_int_equal(submit(&rig, &a, &r), -EINVAL);
	r = (struct hv_request){.verb = HV_START, .uuid = UUID};
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
	struct hv_request request = {.verb = HV_READ, .uuid = uuid, .name = "test", .kib = 32768};
	struct rig rig;
	struct answer a;

	(void)state;
	connected_rig(&rig, "test:///default");
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
	struct hv_request request = {.verb = HV_START, .uuid = UUID2, .name = "test", .text = xml};
	struct rig rig;
	struct answer a;

	(void)state;
	connected_rig(&rig, "test:///default"); /* has a domain "test" */
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
	struct hv_request r = {.verb = HV_READ, .uuid = UUID};

	(void)state;
	connected_rig(&rig, "test:///default");
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
	struct answer a = {0};
	struct hv_request r = {.verb = HV_SETMEM, .uuid = UUID, .kib = 48 * 1024};

	(void)state;
	a = started_rig(&rig);
	assert_int_equal(rig.lost, 0);
	assert_true(a.reply.facts.pid > 0);
	assert_int_equal(kill((pid_t)a.reply.facts.pid, 0), 0);
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
	r = (struct hv_request){.verb = HV_CPU_TUNE, .uuid = UUID, .weight = 100};
	a = ask_full(&rig, &r);
	assert_true(a.reply.error == 0 || a.reply.error == -EOPNOTSUPP);

	rig.hv->vtable->console_write(rig.hv, UUID, "R", 1);
	RUN_UNTIL(&rig, rig.hints[HV_HINT_RESET] > 0);
	destroyed(&rig);
}

/* The guest powers itself off: the reason is its own, not a destroy. */
static void test_poweroff(void **state)
{
	struct rig rig;
	struct answer a;

	(void)state;
	(void)started_rig(&rig);
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
	(void)started_rig(&rig);
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
	a = started_rig(&rig);
	before = rig.hints[HV_HINT_CHANGED];
	assert_int_equal(kill((pid_t)a.reply.facts.pid, SIGKILL), 0);
	RUN_UNTIL(&rig, rig.hints[HV_HINT_CHANGED] > before);
	a = ask(&rig, HV_READ);
	assert_int_equal(a.reply.facts.state, HV_DOMAIN_OFF);
	assert_int_equal(a.reply.facts.reason, HV_REASON_CRASHED);
	assert_int_equal(a.reply.facts.pid, 0);
	assert_false(a.reply.facts.console_open);

	/* And up again, with its console. */
	rig.text_len = 0;
	memset(rig.text, 0, sizeof(rig.text));
	a = start(&rig);
	assert_int_equal(a.reply.error, 0);
	assert_true(a.reply.facts.console_open);
	RUN_UNTIL(&rig, strstr(rig.text, "MEDIAKIT-BOOT"));
	destroyed(&rig);
}

/* QEMU stands still: the call that asks it is answered at the deadline, the next ones at once, the
 * loop goes on turning, and destroy gets through. */
static void test_stopped(void **state)
{
	struct hv_request r = {.verb = HV_STATS, .uuid = UUID, .timeout = 300 * USEC_PER_MSEC};
	struct rig rig;
	struct answer a, behind;
	struct hv_health health;
	usec_t begin;

	(void)state;
	a = started_rig(&rig);
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

/* A guest that floods its line neither stops the loop nor fills the memory. */
static void test_flood(void **state)
{
	struct rig rig;

	(void)state;
	(void)started_rig(&rig);
	rig.hv->vtable->console_write(rig.hv, UUID, "F", 1);
	RUN_UNTIL(&rig, rig.bytes + rig.lost > 1024 * 1024);
	print_message("flood: %llu bytes relayed, %llu lost, worst turn %llu ms\n",
		(unsigned long long)rig.bytes, (unsigned long long)rig.lost,
		(unsigned long long)(rig.worst_gap / USEC_PER_MSEC));
	destroyed(&rig);
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

	connected_rig(&rig, embed_uri);
	a = ask(&rig, HV_READ);
	assert_int_equal(a.reply.facts.state, HV_DOMAIN_RUNNING);
	assert_int_equal(a.reply.facts.pid, qemu);
	assert_true(a.reply.facts.console_open);
	assert_int_equal(rig.hv->vtable->console_write(rig.hv, UUID, "again", 5), 0);
	RUN_UNTIL(&rig, strstr(rig.text, "again"));
	destroyed(&rig);
}

/* The daemon that gets killed. An embedded driver's root has one process at a time, so this cannot
 * be a thread. */
static int first_daemon(int fd)
{
	struct rig rig;
	struct answer a;
	pid_t qemu;

	connected_rig(&rig, embed_uri);
	a = start(&rig);
	qemu = a.reply.error == 0 ? (pid_t)a.reply.facts.pid : 0;
	if (write(fd, &qemu, sizeof(qemu)) != sizeof(qemu))
		return 1;
	for (;;)
		(void)sd_event_run(rig.event, USEC_PER_SEC);
}

/* In a child: one process has room for one embedded driver, and a case that hangs must not hang the
 * others. */
static int run_case(const char *name, void (*function)(void **state))
{
	const struct CMUnitTest test = {name, function, NULL, NULL, NULL};
	struct CMUnitTest tests[] = {test};
	int status;
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	if (pid == 0)
		exit(cmocka_run_group_tests_name(name, tests, NULL, NULL) ? 1 : 0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	if (WIFSIGNALED(status))
		print_error("%s: killed by signal %d\n", name, WTERMSIG(status));
	return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

int main(int argc, char **argv)
{
#define CASE(f) {#f, f}
	static const struct {
		const char *name;
		void (*function)(void **state);
	} cases[] = {
		CASE(test_refusals), CASE(test_test_driver), CASE(test_namesake), CASE(test_forget),
		CASE(test_no_libvirt), CASE(test_journey), CASE(test_poweroff), CASE(test_panic),
		CASE(test_killed), CASE(test_stopped), CASE(test_flood), CASE(test_adopt),
	};
	char err[256] = "";
	unsigned failed = 0, passed = 0;

	if (argc < 2 || argv[1][0] != '/')
		return 2;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)snprintf(root_dir, sizeof(root_dir), "%s", argv[1]);
	(void)snprintf(embed_uri, sizeof(embed_uri), "qemu:///embed?root=%s", root_dir);
	if (virt_embed_prepare(embed_uri, err, sizeof(err)) < 0)
		print_message("warning: %s\n", err);
	if (argc == 4 && strcmp(argv[2], "first-daemon") == 0)
		return first_daemon(atoi(argv[3]));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (argc > 2 && strcmp(argv[2], cases[i].name) != 0)
			continue;
		if (run_case(cases[i].name, cases[i].function) != 0)
			failed++;
		else
			passed++;
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed > 0;
}
