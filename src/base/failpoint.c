/* SPDX-License-Identifier: Apache-2.0 */
/* What a test build does at its fail points.
 *
 *   MEDIAKIT_FAILPOINT=NAME:ACTION[:COUNT],…   ACTION: kill, stop, eio, enospc, enomem,
 * sleep=SECONDS MEDIAKIT_FAILPOINT=list                    prints every name and ends
 *   MEDIAKIT_FAILPOINT_TRACE=FILE              a line for each point when it is first passed, and
 *                                              when it fires: "passed NAME PID", "fired NAME PID"
 *   MEDIAKIT_FAILPOINT_GATE=FILE               passes count, and orders hold, only while it is
 * there
 *
 * COUNT is the pass at which it fires, 1 where it is not given; with a + behind it also every later
 * one. A fault in the variable ends the program: a test that injects nothing must not pass. */
#include "base/failpoint.h"

static const char *const failpoint_names[] = {
	[FAILPOINT_FILE_WRITE] = "file-write",
	[FAILPOINT_FILE_SYNC] = "file-sync",
	[FAILPOINT_FILE_RENAME] = "file-rename",
	[FAILPOINT_FILE_SYNC_DIR] = "file-sync-dir",
	[FAILPOINT_FILE_DONE] = "file-done",
	[FAILPOINT_LOCK] = "lock",
	[FAILPOINT_LOCKED] = "locked",
	[FAILPOINT_UNLOCK] = "unlock",
	[FAILPOINT_UNLOCKED] = "unlocked",
	[FAILPOINT_STATE_SAVE] = "state-save",
	[FAILPOINT_STATE_SAVED] = "state-saved",
	[FAILPOINT_CONSOLE_APPEND] = "console-append",
	[FAILPOINT_CONSOLE_APPENDED] = "console-appended",
	[FAILPOINT_EVENTS_APPEND] = "events-append",
	[FAILPOINT_EVENTS_APPENDED] = "events-appended",
	[FAILPOINT_WANT] = "want",
	[FAILPOINT_WANTED] = "wanted",
	[FAILPOINT_START_SUBMIT] = "start-submit",
	[FAILPOINT_START_ANSWERED] = "start-answered",
	[FAILPOINT_EXIT_RECORDED] = "exit-recorded",
	[FAILPOINT_RETRY_SCHEDULED] = "retry-scheduled",
	[FAILPOINT_DEFINE] = "define",
	[FAILPOINT_DEFINED] = "defined",
	[FAILPOINT_CREATED] = "created",
	[FAILPOINT_RESUME] = "resume",
	[FAILPOINT_RESUMED] = "resumed",
	[FAILPOINT_DESTROY] = "destroy",
	[FAILPOINT_DESTROYED] = "destroyed",
	[FAILPOINT_ACPI] = "acpi",
	[FAILPOINT_ACPI_DONE] = "acpi-done",
	[FAILPOINT_SETMEM] = "setmem",
	[FAILPOINT_SETMEM_DONE] = "setmem-done",
	[FAILPOINT_AGENT_SHUTDOWN] = "agent-shutdown",
	[FAILPOINT_AGENT_SHUTDOWN_DONE] = "agent-shutdown-done",
	[FAILPOINT_AGENT] = "agent",
	[FAILPOINT_AGENT_ANSWERED] = "agent-answered",
	[FAILPOINT_SAVE] = "save",
	[FAILPOINT_SAVE_DONE] = "save-done",
	[FAILPOINT_TICKET_TAKE] = "ticket-take",
	[FAILPOINT_TICKET_TAKEN] = "ticket-taken",
	[FAILPOINT_SAVE_DROP] = "save-drop",
	[FAILPOINT_SNAPSHOT_TARGET] = "snapshot-target",
	[FAILPOINT_SNAPSHOT_BEGIN] = "snapshot-begin",
	[FAILPOINT_SNAPSHOT_BEGUN] = "snapshot-begun",
	[FAILPOINT_SNAPSHOT_SYNC] = "snapshot-sync",
	[FAILPOINT_SNAPSHOT_RENAME] = "snapshot-rename",
	[FAILPOINT_SNAPSHOT_RENAMED] = "snapshot-renamed",
	[FAILPOINT_SNAPSHOT_DELETE] = "snapshot-delete",
	[FAILPOINT_PROVISION_STAGE] = "provision-stage",
	[FAILPOINT_PROVISION_RENAME] = "provision-rename",
	[FAILPOINT_PROVISION_RENAMED] = "provision-renamed",
	[FAILPOINT_COPY_SYNC] = "copy-sync",
	[FAILPOINT_FETCH_BEGUN] = "fetch-begun",
	[FAILPOINT_FETCH_WRITTEN] = "fetch-written",
	[FAILPOINT_FETCH_SYNC] = "fetch-sync",
	[FAILPOINT_FETCH_FETCHED] = "fetch-fetched",
	[FAILPOINT_FETCH_CHECKED] = "fetch-checked",
};
NAME_TABLE_DEFINE(failpoint, enum failpoint, FAILPOINT_NUM);

#ifdef MEDIAKIT_FAILPOINTS
#include "base/macro.h"
#include "base/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#define ORDERS_MAX 8u

enum action { ACTION_KILL, ACTION_STOP, ACTION_FAIL, ACTION_SLEEP };

/* Written before main(), read by every thread. */
static struct order {
	enum failpoint at;
	enum action action;
	int error;
	unsigned seconds;
	unsigned count;
	bool on; /* and every later pass */
} orders[ORDERS_MAX];
static unsigned n_orders;
static int trace_fd = -1;
static const char *gate;

static atomic_bool passed[FAILPOINT_NUM];
static atomic_uint passes[FAILPOINT_NUM];

static void trace(const char *what, enum failpoint at)
{
	char line[96];
	int n = snprintf(
		line, sizeof(line), "%s %s %d\n", what, failpoint_to_string(at), (int)getpid());

	if (trace_fd >= 0 && write(trace_fd, line, (size_t)n) != n)
		abort();
}

static int act(const struct order *order)
{
	struct timespec rest = { .tv_sec = order->seconds };

	switch (order->action) {
	case ACTION_KILL:
		(void)kill(getpid(), SIGKILL);
		break;
	case ACTION_STOP:
		(void)kill(getpid(), SIGSTOP);
		break;
	case ACTION_SLEEP:
		while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
			;
		break;
	case ACTION_FAIL:
		return order->error;
	}
	return 0;
}

int failpoint_reached(enum failpoint at)
{
	if (!atomic_exchange(&passed[at], true))
		trace("passed", at);
	if (gate && access(gate, F_OK) < 0)
		return 0;
	unsigned pass = atomic_fetch_add(&passes[at], 1) + 1;

	for (unsigned i = 0; i < n_orders; i++) {
		const struct order *order = &orders[i];

		if (order->at != at || (order->on ? pass < order->count : pass != order->count))
			continue;
		trace("fired", at);
		return act(order);
	}
	return 0;
}

static bool parse_action(const char *s, struct order *order)
{
	static const struct {
		const char *name;
		enum action action;
		int error;
	} actions[] = {
		{ "kill", ACTION_KILL, 0 },
		{ "stop", ACTION_STOP, 0 },
		{ "eio", ACTION_FAIL, -EIO },
		{ "enospc", ACTION_FAIL, -ENOSPC },
		{ "enomem", ACTION_FAIL, -ENOMEM },
	};

	if (strncmp(s, "sleep=", 6) == 0) {
		order->action = ACTION_SLEEP;
		return parse_uint(s + 6, 1, 3600, &order->seconds) == 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		if (strcmp(s, actions[i].name) != 0)
			continue;
		order->action = actions[i].action;
		order->error = actions[i].error;
		return true;
	}
	return false;
}

/* NAME:ACTION[:COUNT[+]], which it takes apart. */
static bool parse_order(char *s, struct order *order)
{
	char *name = strsep(&s, ":"), *action = strsep(&s, ":"), *count = s;
	int at = failpoint_from_string(name);

	order->count = 1;
	if (count && *count && count[strlen(count) - 1] == '+') {
		order->on = true;
		count[strlen(count) - 1] = '\0';
	}
	order->at = (enum failpoint)at;
	return at >= 0 && action && parse_action(action, order) &&
	       (!count || parse_uint(count, 1, UINT32_MAX, &order->count) == 0);
}

static void parse_orders(const char *text)
{
	CLEANUP_FREE char *copy = strdup(text);
	char *rest = copy;

	while (rest && *rest) {
		char *one = strsep(&rest, ",");

		if (n_orders == ORDERS_MAX || !parse_order(one, &orders[n_orders++])) {
			(void)fprintf(stderr, "MEDIAKIT_FAILPOINT: no such order: %s\n", text);
			_exit(2);
		}
	}
}

/* Before main(), while there is one thread. */
__attribute__((constructor)) static void failpoint_setup(void)
{
	const char *text = getenv("MEDIAKIT_FAILPOINT");
	const char *path = getenv("MEDIAKIT_FAILPOINT_TRACE");

	if (text && strcmp(text, "list") == 0) {
		for (unsigned i = 0; i < FAILPOINT_NUM; i++)
			(void)printf("%s\n", failpoint_names[i]);
		exit(0);
	}
	gate = getenv("MEDIAKIT_FAILPOINT_GATE");
	if (path)
		trace_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (text)
		parse_orders(text);
}
#endif
