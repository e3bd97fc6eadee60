/* SPDX-License-Identifier: Apache-2.0 */
/* The workers' calls against a libvirt that the test plays: what it answers, refuses, and cuts off
 * in the middle; and the serial line, whose bytes are the guest's. */
/* clang-format off */
/* LINK: base model/utf8 io/reach virt/shares model/xmlwriter virt/calls virt/calls_start virt/calls_save virt/calls_backup virt/console virt/mailbox virt/facts virt/hint */
/* clang-format on */
/* LIBS: libsystemd */
#include "alloc_fail.h"

#include "virt/calls.h"

#include "base/file.h"

#include <libvirt/libvirt-qemu.h>
#include <libvirt/virterror.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define UUID  "00000000-0000-8000-8000-000000000001"
#define OTHER "00000000-0000-8000-8000-000000000002"

/* libvirt ---- */

static struct {
	bool absent, dead;
	int state, reason, active, id;
	const char *xml, *name, *namesake; /* the UUID of one that has our name */
	bool no_xml, saved, forced;
	int disk_error;     /* of the second disk */
	const char *answer; /* of the agent */
	int stats;          /* how many records */
	const char *fails;  /* the call that does, with this */
	int code;
	const char *words;
	int system_error;
	virError error;
	unsigned destroyed, resumed, defined, periods, freed, streams, removed;
	long long quota;
	unsigned long long weight;
	unsigned aborted;
	int job, job_ended, job_operation; /* that runs; the last one that ended; what they are */
	const char *job_words;
	/* The stream. */
	virStreamEventCallback callback;
	void *seat;
	const char *says; /* what the guest wrote and nobody read */
	size_t says_len;
	bool ends; /* after that */
	char heard[64];
	size_t n_heard, takes; /* so many typed bytes fit */
	bool deaf;
} lv;

static int fails(int code, const char *words)
{
	lv.error = (virError){ .code = code,
		.message = (char *)(uintptr_t)words,
		.int1 = lv.system_error };
	return -1;
}

static int answer(const char *name)
{
	return lv.fails && strcmp(lv.fails, name) == 0 ? fails(lv.code, lv.words) : 0;
}

virDomainPtr virDomainLookupByUUIDString(virConnectPtr conn, const char *uuid)
{
	(void)conn;
	assert_string_equal(uuid, UUID);
	if (lv.absent)
		(void)fails(VIR_ERR_NO_DOMAIN, "no domain");
	return lv.absent || answer("lookup") ? NULL : (virDomainPtr)(uintptr_t)&lv;
}

virDomainPtr virDomainLookupByName(virConnectPtr conn, const char *name)
{
	(void)conn;
	assert_string_equal(name, "vm");
	return lv.namesake ? (virDomainPtr)(uintptr_t)&lv : NULL;
}

int virDomainGetUUIDString(virDomainPtr dom, char *buf)
{
	(void)dom;
	strcpy(buf, lv.namesake);
	return 0;
}

int virDomainFree(virDomainPtr dom)
{
	assert_non_null(dom);
	lv.freed++;
	return 0;
}

int virDomainGetState(virDomainPtr dom, int *state, int *reason, unsigned flags)
{
	(void)dom, (void)flags;
	*state = lv.state;
	if (reason)
		*reason = lv.reason;
	return answer("state");
}

int virDomainIsActive(virDomainPtr dom)
{
	(void)dom;
	return lv.active;
}

unsigned virDomainGetID(virDomainPtr dom)
{
	(void)dom;
	return (unsigned)lv.id;
}

const char *virDomainGetName(virDomainPtr dom)
{
	(void)dom;
	return lv.name;
}

char *virDomainGetXMLDesc(virDomainPtr dom, unsigned flags)
{
	(void)dom, (void)flags;
	return lv.no_xml ? NULL : strdup(lv.xml);
}

int virDomainHasManagedSaveImage(virDomainPtr dom, unsigned flags)
{
	(void)dom, (void)flags;
	return lv.saved;
}

int virConnectGetVersion(virConnectPtr c, unsigned long *version)
{
	(void)c;
	*version = 7002022;
	return answer("version");
}

int virDomainManagedSave(virDomainPtr dom, unsigned flags)
{
	(void)dom;
	assert_int_equal(flags, 0);
	if (answer("save") < 0)
		return -1;
	lv.saved = 1;
	return 0;
}

int virDomainManagedSaveRemove(virDomainPtr dom, unsigned flags)
{
	(void)dom, (void)flags;
	if (answer("save-remove") < 0)
		return -1;
	lv.saved = 0;
	return 0;
}

int virDomainGetDiskErrors(
	virDomainPtr dom, virDomainDiskErrorPtr errors, unsigned max, unsigned flags)
{
	(void)dom, (void)flags;
	assert_true(max >= 2);
	errors[0] = (virDomainDiskError){ strdup("vda"), VIR_DOMAIN_DISK_ERROR_UNSPEC };
	errors[1] = (virDomainDiskError){ strdup("vdb"), lv.disk_error };
	return 2;
}

int virDomainSetMemoryStatsPeriod(virDomainPtr dom, int period, unsigned flags)
{
	(void)dom;
	assert_int_equal(period, CALL_STATS_PERIOD_SEC);
	assert_int_equal(flags, VIR_DOMAIN_AFFECT_LIVE);
	lv.periods++;
	return 0;
}

virDomainPtr virDomainDefineXML(virConnectPtr conn, const char *xml)
{
	(void)conn, (void)xml;
	lv.defined++;
	return answer("define") ? NULL : (virDomainPtr)(uintptr_t)&lv;
}

int virDomainCreateWithFlags(virDomainPtr dom, unsigned flags)
{
	(void)dom;
	/* What is to boot does, whatever lies there. */
	lv.forced = flags & VIR_DOMAIN_START_FORCE_BOOT;
	assert_int_equal(flags & ~(unsigned)VIR_DOMAIN_START_FORCE_BOOT, VIR_DOMAIN_START_PAUSED);
	if (answer("create") < 0)
		return -1;
	lv.state = VIR_DOMAIN_PAUSED;
	return 0;
}

int virDomainResume(virDomainPtr dom)
{
	(void)dom;
	lv.resumed++;
	if (answer("resume") < 0)
		return -1;
	lv.state = VIR_DOMAIN_RUNNING;
	return 0;
}

int virDomainDestroyFlags(virDomainPtr dom, unsigned flags)
{
	(void)dom, (void)flags;
	lv.destroyed++;
	return answer("destroy");
}

int virDomainShutdownFlags(virDomainPtr dom, unsigned flags)
{
	(void)dom;
	return answer(flags == VIR_DOMAIN_SHUTDOWN_GUEST_AGENT ? "agent" : "acpi");
}

int virDomainSetMemoryFlags(virDomainPtr dom, unsigned long kib, unsigned flags)
{
	(void)dom, (void)flags;
	assert_int_equal(kib, 4096);
	return answer("setmem");
}

char *virDomainQemuAgentCommand(virDomainPtr dom, const char *cmd, int timeout, unsigned flags)
{
	(void)dom, (void)timeout, (void)flags;
	assert_string_equal(cmd, "{}");
	return answer("agent") < 0 ? NULL : strdup(lv.answer);
}

int virDomainListGetStats(
	virDomainPtr *doms, unsigned stats, virDomainStatsRecordPtr **ret, unsigned flags)
{
	static virTypedParameter params[] = { { "balloon.current", VIR_TYPED_PARAM_ULLONG,
		{ .ul = 4096 } } };
	static virDomainStatsRecord record = { .params = params, .nparams = 1 };
	static virDomainStatsRecordPtr records[] = { &record, NULL };

	(void)stats;
	assert_null(doms[1]);
	assert_int_equal(flags, VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
	*ret = records;
	return answer("stats") < 0 ? -1 : lv.stats;
}

void virDomainStatsRecordListFree(virDomainStatsRecordPtr *stats)
{
	assert_non_null(stats);
}

int virTypedParamsAddULLong(
	virTypedParameterPtr *params, int *n, int *max, const char *name, unsigned long long value)
{
	(void)params, (void)max;
	if (strcmp(name, VIR_DOMAIN_SCHEDULER_CPU_SHARES) == 0)
		lv.weight = value;
	++*n;
	return answer("params");
}

int virTypedParamsAddLLong(
	virTypedParameterPtr *params, int *n, int *max, const char *name, long long value)
{
	(void)params, (void)max;
	assert_string_equal(name, VIR_DOMAIN_SCHEDULER_GLOBAL_QUOTA);
	lv.quota = value;
	++*n;
	return 0;
}

void virTypedParamsFree(virTypedParameterPtr params, int n)
{
	(void)params, (void)n;
}

int virDomainSetSchedulerParametersFlags(
	virDomainPtr dom, virTypedParameterPtr params, int n, unsigned flags)
{
	(void)dom, (void)params, (void)flags;
	assert_true(n >= 2);
	return answer("cpu");
}

int virDomainGetBlockInfo(
	virDomainPtr dom, const char *disk, virDomainBlockInfoPtr info, unsigned flags)
{
	(void)dom, (void)flags;
	assert_string_equal(disk, "vda");
	*info = (virDomainBlockInfo){ .capacity = 8 << 20 };
	return answer("block");
}

int virDomainBackupBegin(
	virDomainPtr dom, const char *xml, const char *checkpoint, unsigned flags)
{
	(void)dom;
	assert_null(checkpoint);
	assert_int_equal(flags, VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL);
	/* A path is text, not markup. */
	assert_non_null(strstr(xml, "<target file='/s/a&amp;b.part'/>"));
	assert_non_null(strstr(xml, "mode='push'"));
	return answer("backup");
}

char *virDomainBackupGetXMLDesc(virDomainPtr dom, unsigned flags)
{
	(void)dom, (void)flags;
	return answer("describe") < 0 ? NULL : strdup("<target file='/s/vm-1.part'/>");
}

int virDomainAbortJob(virDomainPtr dom)
{
	(void)dom;
	lv.aborted++;
	return answer("abort");
}

int virDomainGetJobStats(
	virDomainPtr dom, int *type, virTypedParameterPtr *params, int *n, unsigned flags)
{
	static virTypedParameter job;

	(void)dom;
	*params = &job;
	*n = 1;
	*type = flags ? lv.job_ended : lv.job;
	return answer("job");
}

int virTypedParamsGetULLong(
	virTypedParameterPtr params, int n, const char *name, unsigned long long *value)
{
	(void)params, (void)n;
	*value = strcmp(name, VIR_DOMAIN_JOB_DISK_TOTAL) == 0 ? 100 : 40;
	return 1;
}

int virTypedParamsGetInt(virTypedParameterPtr params, int n, const char *name, int *value)
{
	(void)params, (void)n;
	assert_string_equal(name, VIR_DOMAIN_JOB_OPERATION);
	*value = lv.job_operation;
	return 1;
}

int virTypedParamsGetString(
	virTypedParameterPtr params, int n, const char *name, const char **value)
{
	(void)params, (void)n;
	assert_string_equal(name, VIR_DOMAIN_JOB_ERRMSG);
	*value = lv.job_words;
	return lv.job_words != NULL;
}

virErrorPtr virGetLastError(void)
{
	return lv.error.code ? &lv.error : NULL;
}

void virResetLastError(void)
{
	lv.error.code = 0;
}

virStreamPtr virStreamNew(virConnectPtr conn, unsigned flags)
{
	(void)conn;
	assert_int_equal(flags, VIR_STREAM_NONBLOCK);
	if (answer("stream") < 0)
		return NULL;
	lv.streams++;
	return (virStreamPtr)(uintptr_t)&lv;
}

int virDomainOpenConsole(virDomainPtr dom, const char *name, virStreamPtr stream, unsigned flags)
{
	(void)dom, (void)stream, (void)flags;
	assert_null(name);
	return answer("console");
}

int virStreamEventAddCallback(virStreamPtr stream, int events, virStreamEventCallback cb,
	void *opaque, virFreeCallback ff)
{
	(void)stream, (void)ff;
	assert_true(events & VIR_STREAM_EVENT_READABLE);
	lv.callback = cb;
	lv.seat = opaque;
	return answer("callback");
}

int virStreamEventRemoveCallback(virStreamPtr stream)
{
	(void)stream;
	lv.removed++;
	return 0;
}

int virStreamAbort(virStreamPtr stream)
{
	(void)stream;
	return 0;
}

int virStreamFree(virStreamPtr stream)
{
	(void)stream;
	lv.streams--;
	return 0;
}

int virStreamRecv(virStreamPtr stream, char *data, size_t size)
{
	size_t n = MIN(size, lv.says_len);

	(void)stream;
	if (n == 0)
		return lv.ends ? 0 : -2;
	memcpy(data, lv.says, n);
	lv.says += n;
	lv.says_len -= n;
	return (int)n;
}

int virStreamSend(virStreamPtr stream, const char *data, size_t size)
{
	size_t n = MIN(size, lv.takes);

	(void)stream;
	if (lv.deaf)
		return -1;
	if (n == 0)
		return -2;
	memcpy(lv.heard + lv.n_heard, data, n);
	lv.n_heard += n;
	return (int)n;
}

/* The connection ---- */

static struct link pair = { .generation = 3 };

struct link *links_get(struct links *links)
{
	return links ? &pair : NULL;
}

void link_put(struct link *link)
{
	assert_ptr_equal(link, &pair);
}

bool link_dead(struct link *link, virConnectPtr conn)
{
	(void)link, (void)conn;
	return lv.dead;
}

/* The test's side ---- */

static const char domain_xml[] =
	"<domain type='qemu' id='7'>\n<name>vm</name>\n<uuid>" UUID "</uuid>\n<devices>"
	"<channel type='unix'>\n<target type='virtio' name='org.qemu.guest_agent.0' "
	"state='connected'/>\n</channel></devices></domain>";

static struct mailbox *mailbox;
static struct memo *memo;
static struct call call;

static int setup(void **state)
{
	(void)state;
	memset(&lv, 0, sizeof(lv));
	lv.state = VIR_DOMAIN_RUNNING;
	lv.active = 1;
	lv.id = 7;
	lv.xml = domain_xml;
	lv.name = "vm";
	assert_int_equal(mailbox_new(&mailbox), 0);
	memo = memo_new(mailbox, "/nonexistent");
	assert_non_null(memo);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	console_close(memo->console);
	memo_unref(memo);
	memo_unref(NULL);
	mailbox_unref(mailbox);
	free(call.answer);
	call = (struct call){ 0 };
	assert_int_equal(lv.streams, 0);
	return 0;
}

/* Does it, and returns the error; what failed bears these words. */
/* The next start is to go on from the managed save. */
static bool restore;

static int run(enum hv_verb verb, const char *text)
{
	free(call.answer);
	call = (struct call){ .kind = CALL_REQUEST,
		.verb = verb,
		.uuid = UUID,
		.name = (char *)"vm",
		.text = (char *)(uintptr_t)text,
		.kib = 4096,
		.links = (struct links *)(uintptr_t)&pair,
		.restore = restore,
		.version = restore ? 7002022 : 0,
		.memo = memo };
	call_run(&call);
	assert_int_equal(call.reply.verb, verb);
	return call.reply.error;
}

static void fail_with(const char *what, int code, const char *words)
{
	lv.fails = what;
	lv.code = code;
	lv.words = words;
}

/* Each verb's one call fails: its error is ours, and libvirt's words come escaped. */
static void test_failures(void **state)
{
	static const struct {
		enum hv_verb verb;
		const char *call;
		int code, error;
	} rows[] = {
		{ HV_READ, "state", VIR_ERR_OPERATION_TIMEOUT, -EBUSY },
		{ HV_READ, "lookup", VIR_ERR_INTERNAL_ERROR, -EIO },
		{ HV_ACPI, "acpi", VIR_ERR_OPERATION_INVALID, -ESRCH },
		{ HV_AGENT_SHUTDOWN, "agent", VIR_ERR_ARGUMENT_UNSUPPORTED, -ENOTCONN },
		{ HV_AGENT, "agent", VIR_ERR_ARGUMENT_UNSUPPORTED, -ENOTCONN },
		{ HV_AGENT, "agent", VIR_ERR_OPERATION_DENIED, -EACCES },
		{ HV_RESUME, "resume", VIR_ERR_INTERNAL_ERROR, -EIO },
		{ HV_QUIT, "destroy", VIR_ERR_INTERNAL_ERROR, -EIO },
		{ HV_DESTROY, "destroy", VIR_ERR_INTERNAL_ERROR, -EIO },
		{ HV_SETMEM, "setmem", VIR_ERR_INVALID_ARG, -EINVAL },
		{ HV_STATS, "stats", VIR_ERR_INTERNAL_ERROR, -EIO },
		{ HV_CPU_TUNE, "cpu", VIR_ERR_NO_SUPPORT, -EOPNOTSUPP },
		{ HV_CPU_TUNE, "cpu", VIR_ERR_OPERATION_INVALID, -EOPNOTSUPP },
	};
	static const char denied[] =
		"unable to execute QEMU agent command 'guest-fsfreeze-freeze': access denied";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		lv.state = VIR_DOMAIN_PAUSED;
		lv.dead = false;
		fail_with(rows[i].call, rows[i].code, "it says \033[31mno\n");
		assert_int_equal(run(rows[i].verb, "{}"), rows[i].error);
		assert_string_equal(call.reply.message, "it says \\x1b[31mno\\x0a");
		/* Where the connection itself is gone, that is the error, whatever was said. */
		lv.dead = true;
		assert_int_equal(run(rows[i].verb, "{}"), -ENOTCONN);
	}
	lv.dead = false;
	fail_with("setmem", 0, NULL);
	assert_int_equal(run(HV_SETMEM, NULL), -EIO);
	assert_string_equal(call.reply.message, "unknown error");
	/* Words of libvirt's are worth advice; those of an agent are the guest's. */
	fail_with("setmem", VIR_ERR_INTERNAL_ERROR, denied);
	assert_int_equal(run(HV_SETMEM, NULL), -EIO);
	assert_non_null(strstr(call.reply.message, "usermod"));
	fail_with("agent", VIR_ERR_INTERNAL_ERROR, denied);
	assert_int_equal(run(HV_AGENT, "{}"), -EIO);
	assert_string_equal(call.reply.message, denied);
	assert_int_equal(run(HV_AGENT_SHUTDOWN, NULL), -EIO);
	assert_string_equal(call.reply.message, denied);
	fail_with("setmem", VIR_ERR_INTERNAL_ERROR,
		"Cannot check QEMU binary /usr/bin/qemu-system-x86_64: No such file");
	assert_int_equal(run(HV_SETMEM, NULL), -EIO);
	assert_non_null(strstr(call.reply.message, "install qemu-system-x86 ("));
}

/* What was asked for is there already, by whoever's hand: no failure, and no words. */
static void test_somebody_was_faster(void **state)
{
	(void)state;
	lv.state = VIR_DOMAIN_RUNNING;
	fail_with("resume", VIR_ERR_OPERATION_INVALID, "already running");
	assert_int_equal(run(HV_RESUME, NULL), 0);
	assert_string_equal(call.reply.message, "");
	lv.active = 0;
	fail_with("destroy", VIR_ERR_OPERATION_INVALID, "not running");
	assert_int_equal(run(HV_DESTROY, NULL), 0);
	assert_string_equal(call.reply.message, "");
	lv.absent = true;
	assert_int_equal(run(HV_QUIT, NULL), 0);
	assert_int_equal(run(HV_READ, NULL), 0);
	assert_int_equal(call.reply.facts.state, HV_DOMAIN_ABSENT);
	assert_int_equal(run(HV_ACPI, NULL), -ENOENT);
	assert_string_equal(call.reply.message, "no domain");
	call.links = NULL;
	call_run(&call);
	assert_int_equal(call.reply.error, -ENOTCONN);
}

static void test_verbs(void **state)
{
	char *huge = malloc(HV_AGENT_BYTES_MAX + 2);

	(void)state;
	assert_int_equal(run(HV_ACPI, NULL), 0);
	assert_int_equal(run(HV_AGENT_SHUTDOWN, NULL), 0);
	assert_int_equal(run(HV_RESUME, NULL), 0);
	assert_int_equal(run(HV_SETMEM, NULL), 0);
	lv.answer = "{\"return\":1}";
	assert_int_equal(run(HV_AGENT, "{}"), 0);
	assert_string_equal(call.reply.text, lv.answer);
	/* The guest's answer has a bound; at it is not over it. */
	memset(huge, 'x', HV_AGENT_BYTES_MAX + 1);
	huge[HV_AGENT_BYTES_MAX + 1] = '\0';
	lv.answer = huge;
	assert_int_equal(run(HV_AGENT, "{}"), -EMSGSIZE);
	assert_null(call.reply.text);
	huge[HV_AGENT_BYTES_MAX] = '\0';
	assert_int_equal(run(HV_AGENT, "{}"), 0);
	assert_int_equal(strlen(call.reply.text), HV_AGENT_BYTES_MAX);
	free(huge);

	lv.stats = 1;
	assert_int_equal(run(HV_STATS, NULL), 0);
	assert_int_equal(call.reply.stats.balloon_kib, 4096);
	assert_true(call.reply.stats.usable_kib == HV_STAT_ABSENT);
	lv.stats = 0;
	assert_int_equal(run(HV_STATS, NULL), -ESRCH);
	assert_non_null(strstr(call.reply.message, "no statistics"));

	assert_int_equal(run(HV_CPU_TUNE, NULL), 0);
	assert_int_equal(lv.quota, -1);
	assert_int_equal(lv.weight, 0);
	call.weight = 100;
	call.quota_pct = 150;
	call_run(&call);
	assert_int_equal(lv.quota, 150000);
	assert_true(lv.weight == 100 || lv.weight == 1024);
	assert_int_equal(lv.freed, 11);
}

/* Facts: of a pause the reason, of the run its pid, its accelerator and its agent. */
static void test_read(void **state)
{
	char dir[] = "/tmp/test_virt-XXXXXX", path[64], text[32];

	(void)state;
	assert_int_equal(run(HV_READ, NULL), 0);
	assert_int_equal(call.reply.facts.state, HV_DOMAIN_RUNNING);
	assert_true(call.reply.facts.tcg && call.reply.facts.agent_connected);
	assert_true(call.reply.facts.console_open);
	assert_int_equal(call.reply.facts.pid, 0);
	/* The XML is asked for once, and again in doubt; the same console stays. */
	lv.xml = "<domain type='kvm'>";
	assert_int_equal(run(HV_READ, NULL), 0);
	assert_true(call.reply.facts.tcg);
	assert_int_equal(lv.periods, 1);
	atomic_store(&memo->stale, true);
	assert_int_equal(run(HV_READ, NULL), 0);
	assert_false(call.reply.facts.tcg);
	assert_int_equal(lv.periods, 1);
	lv.id = 8;
	lv.no_xml = true;
	assert_int_equal(run(HV_READ, NULL), 0);
	assert_int_equal(memo->generation, 0);
	assert_int_equal(lv.periods, 2);
	assert_int_equal(lv.streams, 1);

	assert_non_null(mkdtemp(dir));
	free(memo->pid_dir);
	memo->pid_dir = strdup(dir);
	(void)snprintf(path, sizeof(path), "%s/vm.pid", dir);
	static const struct {
		const char *before, *after;
		bool good;
	} pids[] = { { "", "", true }, { "", "\n", true }, { "-", "", false }, { "", " 1", false },
		{ "99999999999999999999", "", false }, { "pid ", "", false } };
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		(void)snprintf(
			text, sizeof(text), "%s%d%s", pids[i].before, (int)getpid(), pids[i].after);
		assert_int_equal(file_write_atomic(path, text, strlen(text), 0600), 0);
		assert_int_equal(run(HV_READ, NULL), 0);
		assert_int_equal(call.reply.facts.pid, pids[i].good ? getpid() : 0);
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);

	lv.state = VIR_DOMAIN_PAUSED;
	lv.reason = VIR_DOMAIN_PAUSED_IOERROR;
	assert_int_equal(run(HV_READ, NULL), 0);
	assert_int_equal(call.reply.facts.reason, HV_REASON_IOERROR);
	lv.disk_error = VIR_DOMAIN_DISK_ERROR_NO_SPACE;
	lv.saved = true;
	assert_int_equal(run(HV_READ, NULL), 0);
	assert_int_equal(call.reply.facts.reason, HV_REASON_NO_SPACE);
	assert_true(call.reply.facts.managed_save);
	lv.state = VIR_DOMAIN_SHUTOFF;
	assert_int_equal(run(HV_READ, NULL), 0);
	assert_false(call.reply.facts.console_open);
	assert_int_equal(lv.streams, 0);
}

static void test_start(void **state)
{
	static const struct {
		const char *call;
		unsigned destroyed;
		const char *words;
	} rows[] = {
		{ "define", 0, "to define it: no" },
		{ "create", 0, "no" },
		{ "state", 1, "no" },
		{ "resume", 1, "to resume it: no" },
	};

	(void)state;
	lv.active = 0;
	assert_int_equal(run(HV_START, "<uuid>" OTHER "</uuid>"), -EINVAL);
	assert_non_null(strstr(call.reply.message, "another UUID than " UUID));
	assert_int_equal(run(HV_START, "<domain>"), -EINVAL);
	lv.namesake = OTHER;
	assert_int_equal(run(HV_START, domain_xml), -ENOTUNIQ);
	assert_non_null(strstr(call.reply.message, OTHER));
	assert_int_equal(lv.defined, 0);
	lv.namesake = UUID;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		lv.destroyed = 0;
		fail_with(rows[i].call, VIR_ERR_INTERNAL_ERROR, "no");
		assert_int_equal(run(HV_START, domain_xml), -EIO);
		assert_string_equal(call.reply.message, rows[i].words);
		/* Nothing half-started stays. */
		assert_int_equal(lv.destroyed, rows[i].destroyed);
		assert_int_equal(lv.streams, 0);
	}
	fail_with(NULL, 0, NULL);
	lv.absent = true;
	lv.resumed = lv.destroyed = 0;
	assert_int_equal(run(HV_START, domain_xml), 0);
	assert_int_equal(call.reply.facts.state, HV_DOMAIN_RUNNING);
	assert_true(call.reply.facts.console_open);
	assert_int_equal(lv.resumed, 1);
	assert_int_equal(lv.destroyed, 0);
	lv.absent = false;
	lv.active = 1;
	assert_int_equal(run(HV_START, domain_xml), -EEXIST);
	assert_string_equal(call.reply.message, "it runs already");
}

/* A save is offered once, or removed before a start that boots. */
static void test_start_saved(void **state)
{
	(void)state;
	lv.active = 0;
	lv.saved = true;
	assert_int_equal(run(HV_START, domain_xml), 0);
	assert_true(lv.forced);
	assert_false(lv.saved);
	assert_int_equal(call.reply.version, 7002022);
	/* One that cannot be removed could be used by the next. */
	lv.saved = true;
	lv.active = 0;
	fail_with("save-remove", VIR_ERR_INTERNAL_ERROR, "no");
	assert_int_equal(run(HV_START, domain_xml), -EIO);
	assert_non_null(strstr(call.reply.message, "to remove a save that does not fit: no"));
	fail_with("save-remove", VIR_ERR_SYSTEM_ERROR, "cannot remove it");
	lv.system_error = EACCES;
	assert_int_equal(run(HV_START, domain_xml), -EACCES);
	/* libvirt believes in it still, and somebody removed its file. */
	lv.system_error = ENOENT;
	assert_int_equal(run(HV_START, domain_xml), 0);
	lv.system_error = 0;
	lv.active = 0;
	fail_with(NULL, 0, NULL);
	restore = true;
	lv.reason = VIR_DOMAIN_PAUSED_MIGRATION;
	assert_int_equal(run(HV_START, domain_xml), 0);
	assert_false(lv.forced);
	/* Booted without a word. */
	lv.reason = VIR_DOMAIN_PAUSED_USER;
	lv.destroyed = 0;
	assert_int_equal(run(HV_START, domain_xml), -ESTALE);
	assert_int_equal(lv.destroyed, 1);
	fail_with("create", VIR_ERR_INTERNAL_ERROR, "no");
	assert_int_equal(run(HV_START, domain_xml), -ESTALE);
	assert_string_equal(call.reply.message, "libvirt cannot restore it: no");
	fail_with("version", VIR_ERR_INTERNAL_ERROR, "no");
	assert_int_equal(run(HV_START, domain_xml), -ESTALE);
	fail_with(NULL, 0, NULL);
	lv.saved = false;
	assert_int_equal(run(HV_START, domain_xml), -ESTALE);
	restore = false;
	assert_int_equal(run(HV_SAVE, NULL), 0);
	assert_true(lv.saved);
}

/* There is nothing to give up where the guest is off, or the save is over. */
static void test_save_given_up(void **state)
{
	(void)state;
	fail_with("save", VIR_ERR_INTERNAL_ERROR, "no");
	assert_int_equal(run(HV_SAVE, NULL), -EIO);
	assert_false(lv.saved);
	lv.active = 1;
	assert_int_equal(run(HV_SAVE_ABORT, NULL), 0);
	assert_int_equal(lv.aborted, 1);
	fail_with("abort", VIR_ERR_INTERNAL_ERROR, "no");
	assert_int_equal(run(HV_SAVE_ABORT, NULL), -EIO);
	assert_string_equal(call.reply.message, "no");
	lv.active = 0;
	assert_int_equal(run(HV_SAVE_ABORT, NULL), 0);
	assert_string_equal(call.reply.message, "");
	lv.active = 1;
	fail_with("abort", VIR_ERR_OPERATION_INVALID, "no job is active");
	assert_int_equal(run(HV_SAVE_ABORT, NULL), 0);
	assert_int_equal(lv.aborted, 4);
}

/* Between our look and libvirt's. */
static void test_start_overtaken(void **state)
{
	(void)state;
	lv.absent = true;
	lv.active = 1;
	fail_with("create", VIR_ERR_OPERATION_INVALID, "domain is already running");
	assert_int_equal(run(HV_START, domain_xml), -EEXIST);
	assert_int_equal(lv.destroyed, 0);
}

/* The serial line ---- */

static void say(const void *bytes, size_t len)
{
	lv.says = bytes;
	lv.says_len = len;
}

static void read_event(int events)
{
	lv.callback((virStreamPtr)(uintptr_t)&lv, events, lv.seat);
}

static bool woken(void)
{
	struct pollfd p = { .fd = mailbox_fd(mailbox), .events = POLLIN };
	bool is = poll(&p, 1, 0) == 1;

	mailbox_clear(mailbox);
	return is;
}

/* A guest that writes faster than anybody reads: the newest stays, and what was lost is counted. */
static void test_flood(void **state)
{
	static char flood[CONSOLE_RING_BYTES + 1000], out[CONSOLE_RING_BYTES];
	uint64_t lost = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(flood); i++)
		flood[i] = (char)(i % 251);
	assert_int_equal(run(HV_READ, NULL), 0);
	assert_false(woken());
	assert_int_equal(console_take(memo->console, out, sizeof(out), &lost), 0);
	say(flood, sizeof(flood));
	read_event(VIR_STREAM_EVENT_READABLE);
	assert_true(woken());
	/* Others have their turn in between. */
	assert_true(lv.says_len > 0);
	while (lv.says_len > 0)
		read_event(VIR_STREAM_EVENT_READABLE);
	assert_int_equal(console_take(memo->console, out, 10, &lost), 10);
	assert_int_equal(lost, 1000);
	assert_memory_equal(out, flood + 1000, 10);
	assert_int_equal(
		console_take(memo->console, out, sizeof(out), &lost), CONSOLE_RING_BYTES - 10);
	assert_int_equal(lost, 0);
	assert_memory_equal(out, flood + 1010, CONSOLE_RING_BYTES - 10);
	assert_true(console_opened(memo->console));
}

static void test_line_ends(void **state)
{
	static const int ends[] = { VIR_STREAM_EVENT_HANGUP, VIR_STREAM_EVENT_ERROR,
		VIR_STREAM_EVENT_READABLE };
	uint64_t lost;
	char out[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		assert_int_equal(run(HV_READ, NULL), 0);
		/* A hang-up that comes with bytes: they are read first. */
		say("bye", 3);
		lv.ends = false;
		read_event(VIR_STREAM_EVENT_READABLE | VIR_STREAM_EVENT_HANGUP);
		assert_true(console_opened(memo->console));
		lv.ends = true;
		lv.removed = 0;
		read_event(ends[i]);
		assert_int_equal(lv.removed, 1);
		assert_false(console_opened(memo->console));
		assert_int_equal(console_take(memo->console, out, sizeof(out), &lost), 3);
		assert_int_equal(console_flush(memo->console), -ENOTCONN);
		assert_int_equal(console_type(memo->console, "x", 1), -ENOTCONN);
		/* The next look opens it again. */
		assert_int_equal(run(HV_READ, NULL), 0);
		assert_true(call.reply.facts.console_open);
	}
	/* An event for a line that was closed meanwhile finds nobody, and is the last. */
	call.kind = CALL_CLOSE;
	call_run(&call);
	lv.removed = 0;
	(void)woken();
	read_event(VIR_STREAM_EVENT_READABLE);
	assert_int_equal(lv.removed, 1);
	assert_false(woken());
}

static void test_typing(void **state)
{
	char keys[CONSOLE_TYPED_MAX] = "";

	(void)state;
	assert_int_equal(run(HV_READ, NULL), 0);
	call.kind = CALL_TYPE;
	call_run(&call);
	assert_int_equal(call.reply.error, 0);
	assert_int_equal(console_type(memo->console, "root\n", 5), 0);
	assert_int_equal(console_type(memo->console, keys, sizeof(keys) - 4), -ENOBUFS);
	call_run(&call);
	assert_int_equal(call.reply.error, 5);
	lv.takes = 2;
	call_run(&call);
	assert_int_equal(call.reply.error, 3);
	lv.takes = 64;
	assert_int_equal(console_type(memo->console, "x", 1), 0);
	call_run(&call);
	assert_int_equal(call.reply.error, 0);
	assert_memory_equal(lv.heard, "root\nx", 6);
	assert_int_equal(console_type(memo->console, "y", 1), 0);
	lv.deaf = true;
	call_run(&call);
	assert_int_equal(call.reply.error, -ENOTCONN);
}

/* Somebody else's session, no stream, no watching: the guest is read all the same. */
static void test_no_line(void **state)
{
	static const char *const steps[] = { "stream", "console", "callback" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		fail_with(steps[i], VIR_ERR_OPERATION_FAILED, "Active console session exists");
		assert_int_equal(run(HV_READ, NULL), 0);
		assert_int_equal(call.reply.facts.state, HV_DOMAIN_RUNNING);
		assert_false(call.reply.facts.console_open);
		assert_int_equal(lv.streams, 0);
	}
	fail_with("console", VIR_ERR_OPERATION_FAILED, "Active console session exists");
	assert_int_equal(console_open(memo->console, NULL, NULL, 3), -EBUSY);
	fail_with("console", VIR_ERR_NO_DOMAIN, "gone");
	assert_int_equal(console_open(memo->console, NULL, NULL, 3), -ENOENT);
}

static void attempt_line(void *userdata)
{
	struct memo *m = NULL;

	(void)userdata;
	alloc_arm();
	m = memo_new(mailbox, "/nonexistent");
	int r = m ? console_open(m->console, NULL, NULL, 3) : -ENOMEM;
	bool failed = alloc_disarm();
	assert_int_equal(r, failed ? -ENOMEM : 0);
	if (m) {
		assert_true(console_opened(m->console) == !failed);
		console_close(m->console);
	}
	memo_unref(memo_ref(m ? m : memo));
	memo_unref(m);
	assert_int_equal(lv.streams, 0);
}

static void test_line_without_memory(void **state)
{
	(void)state;
	alloc_sweep(attempt_line, NULL, 3);
}

static void a_backup_is_begun_and_looked_at(void **state)
{
	(void)state;
	assert_int_equal(run(HV_DISK, NULL), 0);
	assert_int_equal(call.reply.backup.total, 8 << 20);
	fail_with("block", VIR_ERR_OPERATION_INVALID, "not running");
	assert_int_equal(run(HV_DISK, NULL), -ESRCH);
	lv.fails = NULL;
	assert_int_equal(run(HV_BACKUP, "/s/a&b.part"), 0);
	assert_int_equal(run(HV_BACKUP, "/s/\x01.part"), -EINVAL);
	fail_with("backup", VIR_ERR_OPERATION_UNSUPPORTED, "no incremental backup");
	assert_int_equal(run(HV_BACKUP, "/s/a&b.part"), -EOPNOTSUPP);
	assert_string_equal(call.reply.message, "no incremental backup");

	static const struct {
		int runs, ended, operation;
		enum hv_backup_state is;
	} rows[] = {
		{ VIR_DOMAIN_JOB_UNBOUNDED, 0, VIR_DOMAIN_JOB_OPERATION_BACKUP, HV_BACKUP_RUNS },
		{ 0, VIR_DOMAIN_JOB_COMPLETED, VIR_DOMAIN_JOB_OPERATION_BACKUP, HV_BACKUP_DONE },
		{ 0, VIR_DOMAIN_JOB_FAILED, VIR_DOMAIN_JOB_OPERATION_BACKUP, HV_BACKUP_FAILED },
		{ 0, VIR_DOMAIN_JOB_CANCELLED, VIR_DOMAIN_JOB_OPERATION_BACKUP, HV_BACKUP_FAILED },
		{ 0, 0, VIR_DOMAIN_JOB_OPERATION_BACKUP, HV_BACKUP_NONE },
		/* A save's or a dump's is not ours. */
		{ 0, VIR_DOMAIN_JOB_COMPLETED, VIR_DOMAIN_JOB_OPERATION_SAVE, HV_BACKUP_NONE },
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		lv.job = rows[i].runs;
		lv.job_ended = rows[i].ended;
		lv.job_operation = rows[i].operation;
		assert_int_equal(run(HV_BACKUP_LOOK, NULL), 0);
		assert_int_equal(call.reply.backup.state, rows[i].is);
	}
	lv.job_operation = VIR_DOMAIN_JOB_OPERATION_BACKUP;
	lv.job_ended = VIR_DOMAIN_JOB_FAILED;
	assert_int_equal(run(HV_BACKUP_LOOK, NULL), 0);
	assert_int_equal(call.reply.backup.copied, 40);
	assert_int_equal(call.reply.backup.total, 100);
	assert_string_not_equal(call.reply.message, "");
	lv.job_words = "No space left on device";
	assert_int_equal(run(HV_BACKUP_LOOK, NULL), 0);
	assert_string_equal(call.reply.message, "No space left on device");
	fail_with("job", VIR_ERR_OPERATION_TIMEOUT, "cannot acquire");
	assert_int_equal(run(HV_BACKUP_LOOK, NULL), -EBUSY);
}

static void only_our_backup_is_aborted(void **state)
{
	(void)state;
	assert_int_equal(run(HV_BACKUP_ABORT, "/vm-"), -EINPROGRESS);
	assert_int_equal(lv.aborted, 1);
	assert_int_equal(run(HV_BACKUP_ABORT, "/other-"), 0);
	assert_int_equal(lv.aborted, 1);
	fail_with("abort", VIR_ERR_OPERATION_INVALID, "no job is active");
	assert_int_equal(run(HV_BACKUP_ABORT, "/vm-"), -EINPROGRESS);
	fail_with("abort", VIR_ERR_OPERATION_TIMEOUT, "cannot acquire");
	assert_int_equal(run(HV_BACKUP_ABORT, "/vm-"), -EBUSY);
	fail_with("describe", VIR_ERR_NO_DOMAIN_BACKUP, "no domain backup job present");
	assert_int_equal(run(HV_BACKUP_ABORT, "/vm-"), 0);
	fail_with("describe", VIR_ERR_OPERATION_TIMEOUT, "cannot acquire");
	assert_int_equal(run(HV_BACKUP_ABORT, "/vm-"), -EBUSY);
	lv.active = 0;
	assert_int_equal(run(HV_BACKUP_ABORT, "/vm-"), 0);
	lv.absent = true;
	assert_int_equal(run(HV_BACKUP_ABORT, "/vm-"), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_failures),
		TEST(test_somebody_was_faster),
		TEST(test_verbs),
		TEST(test_read),
		TEST(test_start),
		TEST(test_start_saved),
		TEST(test_save_given_up),
		TEST(test_start_overtaken),
		TEST(test_flood),
		TEST(test_line_ends),
		TEST(test_typing),
		TEST(test_no_line),
		TEST(test_line_without_memory),
		TEST(a_backup_is_begun_and_looked_at),
		TEST(only_our_backup_is_aborted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
