/* SPDX-License-Identifier: Apache-2.0 */
/* The rig. */
#include "rig.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define TICK (20 * USEC_PER_MSEC)

char root_dir[256];
const char *rig_disk;

/* How long this thread was ready to run and was not run: the host's doing, not the loop's. 0 where
 * the kernel does not count it. */
static usec_t waited_for_cpu(void)
{
	unsigned long long nsec = 0;
	FILE *f = fopen("/proc/thread-self/schedstat", "re");

	if (!f)
		return 0;
	if (fscanf(f, "%*u %llu", &nsec) != 1)
		nsec = 0;
	(void)fclose(f);
	return nsec / 1000;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct rig *rig = userdata;
	usec_t now = now_boottime(), waited = waited_for_cpu();
	usec_t gap = usec_sub(now - rig->last_tick, waited - rig->last_waited);

	(void)usec;
	if (rig->last_tick && gap > rig->worst_gap)
		rig->worst_gap = gap;
	rig->last_tick = now;
	rig->last_waited = waited;
	return sd_event_source_set_time_relative(source, TICK);
}

static void on_event(void *userdata, const struct hv_event *event, usec_t now)
{
	struct rig *rig = userdata;

	assert_false(rig->inside);
	assert_true(now > 0);
	rig->hints[event->hint]++;
	if (event->message && event->message[0])
		(void)snprintf(rig->message, sizeof(rig->message), "%s", event->message);
	if (getenv("VIRT_TEST_VERBOSE"))
		print_message("%llu hint %s %s %s\n", (unsigned long long)now / 1000,
			hv_hint_to_string(event->hint), event->uuid ? event->uuid : "-",
			event->message ? event->message : "");
}

static void on_console(
	void *userdata, const char *uuid, const void *data, size_t len, uint64_t lost, usec_t now)
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

void rig_begin(struct rig *rig, const char *uri)
{
	const struct hv_observer observer = { on_event, on_console, rig };

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

void rig_end(struct rig *rig)
{
	rig->inside = true;
	rig->hv->vtable->destroy(rig->hv);
	sd_event_source_disable_unref(rig->ticker);
	sd_event_unref(rig->event);
}

static void on_done(void *userdata, const struct hv_reply *reply, usec_t now)
{
	struct answer *answer = userdata;

	assert_false(answer->rig->inside);
	assert_int_equal(answer->done, 0);
	assert_true(now > 0);
	answer->done = ++answer->rig->answers;
	answer->reply = *reply;
	(void)snprintf(answer->text, sizeof(answer->text), "%s", reply->text ? reply->text : "");
}

int submit(struct rig *rig, struct answer *answer, const struct hv_request *request)
{
	int r;

	memset(answer, 0, sizeof(*answer));
	answer->rig = rig;
	rig->inside = true;
	r = hv_submit(rig->hv, request, on_done, answer);
	rig->inside = false;
	return r;
}

struct answer ask_full(struct rig *rig, const struct hv_request *request)
{
	struct answer answer;

	assert_int_equal(submit(rig, &answer, request), 0);
	RUN_UNTIL(rig, answer.done);
	if (getenv("VIRT_TEST_VERBOSE"))
		print_message("%llu %s: %d %s\n", (unsigned long long)now_boottime() / 1000,
			hv_verb_to_string(request->verb), answer.reply.error, answer.reply.message);
	return answer;
}

struct answer ask(struct rig *rig, enum hv_verb verb)
{
	return ask_full(rig, &(struct hv_request){ .verb = verb, .uuid = UUID, .name = NAME });
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
			    "<disk type='file' device='disk'><driver name='qemu' type='%s'/>"
			    "<source file='%s/%s'/><target dev='vda' "
			    "bus='virtio'/>%s</disk>"
			    "<controller type='usb' model='none'/>"
			    "<serial type='pty'/><console type='pty'/>"
			    "<channel type='unix'><target type='virtio' "
			    "name='org.qemu.guest_agent.0'/></channel>"
			    "<memballoon model='virtio'><stats period='5'/></memballoon>"
			    "<panic model='isa'/></devices></domain>",
			    name, uuid, rig_disk ? "qcow2" : "raw", root_dir,
			    rig_disk ?: "boot.img", rig_disk ? "" : "<readonly/>") > 0);
	return xml;
}

struct answer start(struct rig *rig)
{
	CLEANUP_FREE char *xml = domain_xml(UUID, NAME);

	return ask_full(rig,
		&(struct hv_request){ .verb = HV_START, .uuid = UUID, .name = NAME, .text = xml });
}

struct answer start_restored(struct rig *rig, uint64_t version)
{
	CLEANUP_FREE char *xml = domain_xml(UUID, NAME);

	return ask_full(rig, &(struct hv_request){ .verb = HV_START,
				     .uuid = UUID,
				     .name = NAME,
				     .text = xml,
				     .restore = true,
				     .version = version });
}

void rig_connected(struct rig *rig, const char *uri)
{
	rig_begin(rig, uri);
	RUN_UNTIL(rig, rig->hints[HV_HINT_CONNECTED] > 0);
}

void assert_responsive(const struct rig *rig)
{
	if (rig->worst_gap > 500 * USEC_PER_MSEC)
		fail_msg("the main loop stood still for %llu ms",
			(unsigned long long)(rig->worst_gap / USEC_PER_MSEC));
}

/* Starts the guest and reads its hello. */
struct answer rig_started(struct rig *rig, const char *uri)
{
	struct answer a;

	rig_connected(rig, uri);
	(void)ask(rig, HV_DESTROY); /* what a case that failed left */
	a = start(rig);
	assert_string_equal(a.reply.message, "");
	assert_int_equal(a.reply.error, 0);
	assert_int_equal(a.reply.facts.state, HV_DOMAIN_RUNNING);
	assert_true(a.reply.facts.console_open);
	RUN_UNTIL(rig, strstr(rig->text, "MEDIAKIT-BOOT"));
	return a;
}

void rig_destroyed(struct rig *rig)
{
	struct answer a = ask(rig, HV_DESTROY);

	assert_int_equal(a.reply.error, 0);
	a = ask(rig, HV_READ);
	assert_int_equal(a.reply.facts.state, HV_DOMAIN_OFF);
	assert_responsive(rig);
	rig_end(rig);
}

void assert_idle(struct rig *rig)
{
	usec_t end = now_boottime() + USEC_PER_SEC;
	clock_t begin = clock();

	while (now_boottime() < end)
		(void)sd_event_run(rig->event, 100 * USEC_PER_MSEC);
	assert_in_range(clock() - begin, 0, CLOCKS_PER_SEC / 5);
}

static int run_case(const struct test_case *one)
{
	const struct CMUnitTest test = { one->name, one->function, NULL, NULL, NULL };
	struct CMUnitTest tests[] = { test };
	int status;
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	if (pid == 0)
		exit(cmocka_run_group_tests_name(one->name, tests, NULL, NULL) ? 1 : 0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	if (WIFSIGNALED(status))
		print_error("%s: killed by signal %d\n", one->name, WTERMSIG(status));
	return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

int run_cases(const struct test_case *cases, size_t n, const char *only)
{
	unsigned failed = 0, passed = 0;

	for (size_t i = 0; i < n; i++) {
		if (only && strcmp(only, cases[i].name) != 0)
			continue;
		if (run_case(&cases[i]) != 0)
			failed++;
		else
			passed++;
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed > 0 || passed == 0;
}
