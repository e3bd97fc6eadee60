/* SPDX-License-Identifier: Apache-2.0 */
/* Ages, reasons, progress, exit statuses, options and the guess at a mistyped word. */
/* LINK: base model/utf8 cli/view cli/words cli/term cli/args cli/verb cli/progress */
/* LIBS: libsystemd */
#include "unit/cli_view.h"

#include "cli/args.h"
#include "cli/progress.h"
#include "cli/verb.h"
#include "cli/words.h"

#include <fcntl.h>
#include <locale.h>
#include <sys/mman.h>
#include <unistd.h>

static void ages(void **state)
{
	static const struct {
		usec_t age;
		const char *text, *brief;
	} rows[] = {
		{ 0, "0s", "0s" },
		{ 999999, "0s", "0s" },
		{ 9 * USEC_PER_SEC, "9s", "9s" },
		{ 34 * USEC_PER_SEC, "34s", "34s" },
		{ 3 * USEC_PER_MINUTE + 5 * USEC_PER_SEC, "3min 5s", "3min" },
		{ 50 * USEC_PER_HOUR, "2d 2h", "2d" },
	};
	char buf[AGE_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_string_equal(
			age_text(buf, sizeof(buf), NOW - rows[i].age, NOW), rows[i].text);
		assert_string_equal(
			age_short(buf, sizeof(buf), NOW - rows[i].age, NOW), rows[i].brief);
	}
	assert_string_equal(age_text(buf, sizeof(buf), 0, NOW), "");
	/* The clock was set back: not an age of centuries. */
	assert_string_equal(age_text(buf, sizeof(buf), NOW + USEC_PER_HOUR, NOW), "0s");
}

static void reasons(void **state)
{
	static const struct {
		struct view_service s;
		const char *text;
	} rows[] = {
		{ { .expect = "active",
			  .watched = true,
			  .state = "up",
			  .verdict = "ok",
			  .probe = "cbor" },
			"" },
		{ { .expect = "active",
			  .watched = true,
			  .state = "up",
			  .verdict = "ok",
			  .probe = "tcp" },
			"Probe=tcp proves little" },
		{ { .expect = "active",
			  .watched = true,
			  .state = "down",
			  .reason = "reset",
			  .blocked_by = "a" },
			"waits for a; reset" },
		{ { .expect = "active", .watched = true, .state = "up", .blocked_by = "a" }, "" },
		{ { .expect = "active", .state = "unknown", .probe = "none" },
			"unwatched: Probe=none" },
		{ { .expect = "active", .state = "unknown", .probe = "http" },
			"unwatched: forwarded from the next start on" },
		{ { .expect = "pending", .watched = true, .state = "down", .reason = "reset" },
			"pending, not counted" },
		{ { .expect = "pending", .watched = true, .state = "degraded" },
			"pending, but it answers! Expect=active would count it" },
		{ { .expect = "active",
			  .watched = true,
			  .state = "down",
			  .reason = "reset",
			  .restored = true },
			"reset; from before the daemon's restart" },
	};
	char buf[REASON_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(service_reason(buf, sizeof(buf), &rows[i].s), rows[i].text);
}

static void assert_progress(const struct view_guest *g, const char *text)
{
	char buf[PROGRESS_TEXT_MAX];

	assert_string_equal(progress_text(buf, sizeof(buf), g, NOW), text);
}

static void progress(void **state)
{
	struct view v = canned_view();
	struct view_guest *g = &v.guests[0];

	(void)state;
	strcpy(g->state, "booting");
	strcpy(g->boot_stage, "cloud-init");
	g->state_since = AGO(34);
	assert_progress(g, "booting 34s: cloud-init; 1 of 2 active services up; waits for "
			   "local-proofreader (down: refused)");
	g->boot_began = AGO(38);
	g->boot_expected = 45 * USEC_PER_SEC;
	strcpy(g->cloudinit_status, "running");
	strcpy(g->cloudinit_stage, "modules-final");
	assert_progress(g, "booting 34s: cloud-init, 38s of about 45s; cloud-init: running "
			   "modules-final; 1 of 2 active services up; waits for "
			   "local-proofreader (down: refused)");
	g->boot_expected = 0;
	g->cloudinit_stage[0] = '\0';
	strcpy(g->boot_hint, "Kernel panic - not syncing");
	g->n_services = 2;
	assert_progress(g, "booting 34s: cloud-init; 1 of 2 active services up; waits for "
			   "local-proofreader (down: "
			   "refused); serial line: Kernel panic - not syncing");

	strcpy(g->state, "stopping");
	g->ladder_since = AGO(12);
	g->ladder_until = NOW + 168 * USEC_PER_SEC;
	g->ladder_presses = 3;
	strcpy(g->ladder_rung, "ACPI");
	g->state_since = AGO(12);
	assert_progress(
		g, "stopping 12s: power button pressed 3 times; at most 2min 48s more");
	strcpy(g->ladder_line, "Stopping nginx.service");
	assert_progress(g, "stopping 12s: power button pressed 3 times; it says \"Stopping "
			   "nginx.service\"; at most 2min 48s more");
	g->ladder_line[0] = '\0';
	strcpy(g->ladder_rung, "quit");
	assert_progress(g, "stopping 12s: the power is cut, QEMU writes out its caches; at most "
			   "2min 48s more");
	strcpy(g->ladder_rung, "resume");
	assert_progress(g, "stopping 12s: it was paused, and runs on to hear of it; at most "
			   "2min 48s more");
	strcpy(g->ladder_rung, "forced");
	g->ladder_until = AGO(1);
	assert_progress(g, "stopping 12s: the power is cut");

	strcpy(g->state, "crashed");
	strcpy(g->reason, "the kernel panicked");
	g->retry_at = NOW + 8 * USEC_PER_SEC;
	assert_progress(g, "crashed 12s: the kernel panicked; starts again in 8s");

	strcpy(g->state, "ready");
	g->healthy = true;
	assert_progress(g, "ready 12s: healthy; 1 of 2 active services up");
}

/* A service that nobody asks is no reason to wait, and none to call a guest well or not. */
static void what_is_not_asked_does_not_count(void **state)
{
	struct view v = canned_view();
	struct view_guest *g = &v.guests[0];
	/* A unit that no agent told of; of one that it did, the last state stands. */
	static const struct {
		const char *probe, *state;
		unsigned active;
	} rows[] = { { "unit", "unknown", 2 }, { "unit", "starting", 2 }, { "unit", "down", 3 },
		{ "none", "unknown", 2 }, { "cbor", "unknown", 2 } };
	unsigned up, active;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
		for (unsigned i = 0; i < g->n_services; i++) {
			if (strcmp(g->services[i].name, "system-core") != 0)
				continue;
			strcpy(g->services[i].probe, rows[k].probe);
			strcpy(g->services[i].state, rows[k].state);
		}
		view_count(g, &up, &active);
		assert_int_equal(active, rows[k].active);
	}
	strcpy(g->state, "running");
	g->state_since = AGO(34);
	assert_progress(g, "running 34s: done; 1 of 2 active services up; waits for "
			   "local-proofreader (down: refused)");
}

static void cloudinit(void **state)
{
	struct view_guest g = { .cloudinit_status = "done" };
	char buf[PROGRESS_TEXT_MAX];

	(void)state;
	assert_string_equal(cloudinit_words(buf, sizeof(buf), &g), "");
	g = (struct view_guest){ .cloudinit_status = "degraded", .cloudinit_warnings = 1 };
	assert_string_equal(cloudinit_words(buf, sizeof(buf), &g), "degraded, 1 warning");
	g = (struct view_guest){ .cloudinit_status = "error",
		.cloudinit_errors = 2,
		.cloudinit_warnings = 3,
		.cloudinit_quote = "one | two" };
	assert_string_equal(
		cloudinit_words(buf, sizeof(buf), &g), "error, 2 errors, 3 warnings: one | two");
	g = (struct view_guest){ .cloudinit_status = "skipped", .cloudinit_quote = "a" };
	assert_string_equal(cloudinit_words(buf, sizeof(buf), &g), "skipped: a");
}

/* However much there is to say, it ends inside its buffer. */
static void progress_is_bounded(void **state)
{
	struct view v = canned_view();
	char buf[64];

	(void)state;
	strcpy(v.guests[0].state, "booting");
	(void)progress_text(buf, sizeof(buf), &v.guests[0], NOW);
	assert_int_equal(strlen(buf), sizeof(buf) - 1);
}

static void exit_statuses(void **state)
{
	static const struct {
		const char *a, *b; /* states; "+" in front: healthy */
		int status;
	} rows[] = {
		{ "+ready", "+ready", CLI_OK },
		{ "+ready", "ready", CLI_FAILED },
		{ "+ready", "stopped", CLI_NOT_RUNNING },
		{ "stopped", "+ready", CLI_NOT_RUNNING },
		{ "absent", "booting", CLI_FAILED },
		{ "stopped", "failed", CLI_FAILED },
		{ "crashed", "+ready", CLI_FAILED },
		{ "absent", "stopped", CLI_NOT_RUNNING },
	};
	struct view v = { 0 };

	(void)state;
	assert_int_equal(view_exit(&v), CLI_OK);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct view_guest *a = view_guest_make(&v, "a");
		strcpy(a->state, rows[i].a + (rows[i].a[0] == '+'));
		a->healthy = rows[i].a[0] == '+';
		struct view_guest *b = view_guest_make(&v, "b");
		strcpy(b->state, rows[i].b + (rows[i].b[0] == '+'));
		b->healthy = rows[i].b[0] == '+';
		assert_int_equal(view_exit(&v), rows[i].status);
	}
	view_free(&v);
}

static void the_view_is_bounded(void **state)
{
	struct view v = { 0 };
	char name[128];

	(void)state;
	for (unsigned i = 0; i < VIEW_GUESTS_MAX; i++) {
		snprintf(name, sizeof(name), "g%03u", VIEW_GUESTS_MAX - i);
		assert_non_null(view_guest_make(&v, name));
	}
	assert_null(view_guest_make(&v, "one-more"));
	struct view_guest *g = &v.guests[7];
	for (unsigned i = 0; i < VIEW_SERVICES_MAX; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		view_service_make(g, name)->port = (uint16_t)(i == 3 ? 0 : 9000 - i);
	}
	assert_null(view_service_make(g, "one-more"));
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	view_guest_drop(&v, "g001");
	assert_null(view_guest_make(&v, name));
	view_service_drop(g, "s5");
	assert_null(view_service(g, "s5"));
	view_sort(&v);
	assert_string_equal(v.guests[0].name, "g002");
	g = view_guest(&v, "g249");
	assert_int_equal(g->n_services, VIEW_SERVICES_MAX - 1);
	assert_int_equal(g->services[0].port, 9000 - 31);
	assert_string_equal(g->services[g->n_services - 1].name, "s3"); /* no port: last */
	view_free(&v);
}

static void options(void **state)
{
	static const struct {
		const char *argv[8];
		int status;
	} rows[] = {
		{ { "wait", "g", "--for=ready", "--timeout=5min" }, 0 },
		{ { "wait", "--timeout", "90s", "g", "--for", "ready" }, 0 },
		{ { "wait", "--", "--strange" }, 0 },
		{ { "wait" }, CLI_USAGE },
		{ { "wait", "a", "b" }, CLI_USAGE },
		{ { "wait", "g", "--json" }, CLI_USAGE },   /* an option, but not this verb's */
		{ { "wait", "g", "--timeout=soon" }, CLI_USAGE },
		{ { "wait", "g", "--timeout" }, CLI_USAGE },
		{ { "wait", "g", "--for=" }, CLI_USAGE },
		{ { "wait", "g", "--yes=1" }, CLI_USAGE },
		{ { "wait", "g", "-f" }, CLI_USAGE },
		{ { "wait", "-" }, 0 },
	};
	const struct args_rule rule = { ARG_FOR | ARG_TIMEOUT | ARG_YES, 1, 1, "GUEST" };
	struct args a;

	(void)state;
	/* The complaints are not looked at. */
	int err = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);
	dup2(null, STDERR_FILENO);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int argc = 0;

		while (argc < 8 && rows[i].argv[argc])
			argc++;
		assert_int_equal(
			args_parse(argc, (char **)rows[i].argv, &rule, &a), rows[i].status);
	}
	assert_int_equal(args_parse(6, (char **)rows[1].argv, &rule, &a), 0);
	assert_string_equal(a.for_what, "ready");
	assert_true(a.timeout == 90 * USEC_PER_SEC);
	assert_string_equal(a.operands[0], "g");
	setenv("MEDIAKIT_RUNTIME", "/elsewhere", 1);
	assert_int_equal(args_parse(2, (char *[]){ "wait", "g" }, &rule, &a), 0);
	assert_string_equal(a.runtime, "/elsewhere");
	assert_int_equal(args_parse(3, (char *[]){ "wait", "g", "--runtime=/here" }, &rule, &a), 0);
	assert_string_equal(a.runtime, "/here");
	dup2(err, STDERR_FILENO);
	close(err);
	close(null);
}

static const char *word_at(const void *words, size_t i)
{
	return ((const char *const *)words)[i];
}

static void the_nearest_word(void **state)
{
	static const char *const words[] = { "status", "start", "stop", "restart", "vm-mediakit" };
	static const struct {
		const char *word, *near;
	} rows[] = {
		{ "stauts", "status" },
		{ "sotp", "stop" },
		{ "strat", "start" },
		{ "vm-mediakti", "vm-mediakit" },
		{ "mediakit", "vm-mediakit" },
		{ "x", NULL },
		{ "", NULL },
		{ "frobnicate", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *got = verb_nearest(rows[i].word, word_at, words, ARRAY_SIZE(words));

		if (!rows[i].near)
			assert_null(got);
		else
			assert_string_equal(got, rows[i].near);
	}
}

/* How many plain lines progress_show() has written so far. */
static unsigned lines_in(int fd)
{
	char text[16384];
	unsigned n = 0;
	ssize_t size = pread(fd, text, sizeof(text), 0);

	assert_in_range(size, 0, sizeof(text) - 1);
	for (ssize_t i = 0; i < size; i++)
		n += text[i] == '\n';
	return n;
}

/* Not a terminal: each step is told at once, and what a guest says inside one once a second. */
static void plain_lines(void **state)
{
	struct view_guest *g = calloc(1, sizeof(*g));
	struct progress p;
	int was = dup(STDERR_FILENO), fd = memfd_create("lines", MFD_CLOEXEC);
	unsigned first, chatter, later, rung, same;

	(void)state;
	assert_non_null(g);
	assert_true(was >= 0 && fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	strcpy(g->name, "vm-mediakit");
	strcpy(g->state, "stopping");
	strcpy(g->ladder_rung, "agent");
	g->ladder_since = AGO(1);
	progress_begin(&p);
	p.style.terminal = false;
	progress_show(&p, g);
	first = lines_in(fd);
	for (int i = 0; i < 50; i++) {
		(void)snprintf(g->ladder_line, sizeof(g->ladder_line), "Stopping unit %d", i);
		p.told_line = now_boottime(); /* no second has passed, however slow we are */
		progress_show(&p, g);
	}
	chatter = lines_in(fd);
	p.told_line -= 2 * USEC_PER_SEC;
	progress_show(&p, g); /* the last of them is not lost */
	later = lines_in(fd);
	strcpy(g->ladder_rung, "ACPI");
	p.told_line = now_boottime();
	progress_show(&p, g);
	rung = lines_in(fd);
	p.told_line -= 2 * USEC_PER_SEC;
	progress_show(&p, g);
	same = lines_in(fd);
	assert_true(dup2(was, STDERR_FILENO) >= 0);
	assert_int_equal(first, 1);
	assert_int_equal(chatter, 1);
	assert_int_equal(later, 2);
	assert_int_equal(rung, 3);
	assert_int_equal(same, 3);
	(void)close(was);
	(void)close(fd);
	free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ages),
		cmocka_unit_test(reasons),
		cmocka_unit_test(progress),
		cmocka_unit_test(progress_is_bounded),
		cmocka_unit_test(what_is_not_asked_does_not_count),
		cmocka_unit_test(plain_lines),
		cmocka_unit_test(cloudinit),
		cmocka_unit_test(exit_statuses),
		cmocka_unit_test(the_view_is_bounded),
		cmocka_unit_test(options),
		cmocka_unit_test(the_nearest_word),
	};

	(void)setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
