/* SPDX-License-Identifier: Apache-2.0 */
/* The status screen, drawn from a canned model and compared whole. */
/* LINK: base model/utf8 model/glibc cli/view cli/words cli/term cli/table cli/screen */
/* LIBS: smartcols libsystemd */
#include "unit/cli_view.h"

#include "cli/screen.h"

#include <locale.h>

static char *draw(const struct view *v, const struct style *style)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	screen_print(f, v, NULL, style);
	fclose(f);
	return text;
}

static void assert_drawn(const struct view *v, const struct style *style, const char *expected)
{
	char *got = draw(v, style);

	assert_string_equal(got, expected);
	free(got);
}

static const struct style pipe_style = { .utf8 = true, .now_realtime = NOW };

static void a_pipe_gets_everything_and_no_colour(void **state)
{
	struct view v = canned_view();

	(void)state;
	assert_drawn(&v, &pipe_style,
		"vm-mediakit  ready for 2h 4min, not healthy: 1 of 2 active services up\n"
		"     guest  tcg, up 2h 5min, 2 CPUs, QEMU pid 4242\n"
		"    memory  3.0 GiB of 6.0 GiB, guest uses 1.0 GiB, QEMU holds 3.0 GiB\n"
		"   network  forwards on 127.0.0.1; ssh -p 10022 foundry@127.0.0.1\n"
		" last exit  clean, ACPI, 4.1s; 2h 13min ago\n"
		"\n"
		"SERVICE                  STATE     PORT        VERDICT AGE LATENCY PROOF    SINCE "
		"REASON\n"
		"local-proofreader        down      9092->19092 refused  3s   0.9ms -         1min "
		"nobody listens: the connection was reset\n"
		"local-knowledge-projects up        9093->19093 ok       4s    12ms proven      "
		"2h\n"
		"local-bim-orchestration  pending   9096->19096 refused  4s   0.7ms -           2h "
		"pending, not counted; waits for service-fs\n"
		"service-fs               up        9100->19100 ok       2s   8.0ms unproven   12s "
		"pending, but it answers! Expect=active would count it\n"
		"system-core              unwatched -           -         -       - -            - "
		"unwatched: no guest agent\n");
}

static void the_library_is_shown_once_known(void **state)
{
	struct view v = canned_view();
	char *got;

	(void)state;
	strcpy(v.guests[0].glibc_min, "2.39");
	got = draw(&v, &pipe_style);
	assert_null(strstr(got, "glibc"));
	free(got);
	strcpy(v.guests[0].glibc, "2.41-12+deb13u1");
	got = draw(&v, &pipe_style);
	assert_non_null(strstr(got, "\n     image  glibc 2.41-12+deb13u1\n"));
	free(got);
	strcpy(v.guests[0].glibc, "2.36-9");
	got = draw(&v, &pipe_style);
	assert_non_null(strstr(
		got, "\n     image  glibc 2.36-9, and a start is refused: GlibcMin=2.39\n"));
	free(got);
	strcpy(v.guests[0].glibc_source, "guest");
	got = draw(&v, &pipe_style);
	assert_non_null(strstr(got, "\n     image  glibc 2.36-9, says the guest, and a start is "
				    "refused: GlibcMin=2.39\n"));
	free(got);
}

static void a_narrow_terminal_keeps_what_tells_most(void **state)
{
	const struct style style = {
		.terminal = true, .utf8 = true, .width = 72, .height = 40, .now_realtime = NOW
	};
	struct view v = canned_view();

	(void)state;
	assert_drawn(&v, &style,
		"● vm-mediakit  ready for 2h 4min, not healthy: 1 of 2 active services up\n"
		"     guest  tcg, up 2h 5min, 2 CPUs, QEMU pid 4242\n"
		"    memory  3.0 GiB of 6.0 GiB, guest uses 1.0 GiB, QEMU holds 3.0 GiB\n"
		"   network  forwards on 127.0.0.1; ssh -p 10022 foundry@127.0.0.1\n"
		" last exit  clean, ACPI, 4.1s; 2h 13min ago\n"
		"\n"
		"  SERVICE                    STATE     PORT       VERDICT AGE PROOF\n"
		"  ✗ local-proofreader        down      9092→19092 refused  3s -\n"
		"    ╰ nobody listens: the connection was reset\n"
		"  ● local-knowledge-projects up        9093→19093 ok       4s proven\n"
		"  ○ local-bim-orchestration  pending   9096→19096 refused  4s -\n"
		"    ╰ pending, not counted; waits for service-fs\n"
		"  ● service-fs               up        9100→19100 ok       2s unproven\n"
		"    ╰ pending, but it answers! Expect=active would count it\n"
		"  ○ system-core              unwatched -          -         - -\n"
		"    ╰ unwatched: no guest agent\n");
}

/* No line may be wider than the terminal, at any width. */
static void every_width_is_kept(void **state)
{
	struct view v = canned_view();

	(void)state;
	v.guests[0].egress[0] = 'a';
	strcpy(v.guests[0].reason, "a reason that is rather long, with "
				   "aVeryLongWordInItThatCannotBeBrokenAnywhereAtAll");
	for (unsigned width = 40; width < 200; width++) {
		const struct style style = { .terminal = true,
			.utf8 = true,
			.width = width,
			.height = 40,
			.now_realtime = NOW };
		char *text = draw(&v, &style), *save = NULL;

		for (char *line = strtok_r(text, "\n", &save); line;
			line = strtok_r(NULL, "\n", &save))
			if (text_width(line) > width)
				fail_msg("width %u: '%s' has %u columns", width, line,
					text_width(line));
		free(text);
	}
}

static void colour_says_what_is_wrong(void **state)
{
	const struct style style = { .terminal = true,
		.color = true,
		.utf8 = true,
		.width = 160,
		.height = 40,
		.now_realtime = NOW };
	struct view v = canned_view();
	char *text = draw(&v, &style);

	(void)state;
	assert_non_null(strstr(text, "\033[1;31m✗\033[0m local-proofreader"));
	assert_non_null(strstr(text, "\033[32m●\033[0m local-knowledge-projects"));
	assert_non_null(strstr(text, "\033[2m○ local-bim-orchestration"));
	assert_non_null(strstr(text, "\033[36m●\033[0m service-fs")); /* pending, but it answers */
	assert_non_null(strstr(text, "\033[33m●\033[0m \033[1mvm-mediakit"));
	free(text);
	v.guests[0].healthy = true;
	text = draw(&v, &style);
	assert_non_null(strstr(text, "\033[32m●\033[0m \033[1mvm-mediakit"));
	free(text);
}

static void a_terminal_without_utf8_gets_ascii(void **state)
{
	const struct style style = {
		.terminal = true, .width = 80, .height = 40, .now_realtime = NOW
	};
	struct view v = canned_view();

	(void)state;
	strcpy(v.guests[0].services[0].reason, "Fehler: ungültig \xe2\x9c\x93");
	strcpy(v.guests[0].exit_words, "grün");
	char *text = draw(&v, &style);
	for (const char *c = text; *c; c++)
		assert_true((unsigned char)*c < 0x80);
	assert_non_null(strstr(text, "Fehler: ung?ltig ?"));
	free(text);
}

static void a_guest_at_rest_is_short(void **state)
{
	struct view v = canned_view();

	(void)state;
	strcpy(v.guests[0].state, "stopped");
	strcpy(v.guests[0].want, "down");
	for (unsigned i = 0; i < v.guests[0].n_services; i++)
		strcpy(v.guests[0].services[i].state, "unknown");
	assert_drawn(&v, &pipe_style,
		"vm-mediakit  stopped for 2h 4min\n"
		" last exit  clean, ACPI, 4.1s; 2h 13min ago\n"
		"  services  5, not asked while the guest is stopped\n");
}

static void trouble_comes_first(void **state)
{
	struct view v = canned_view();

	(void)state;
	v.n_guests = 0;
	v.connected = false;
	v.connection_since = AGO(180);
	strcpy(v.connection_message, "Failed to connect socket");
	assert_drawn(&v, &pipe_style,
		"    daemon  libvirt (qemu:///system) is not connected for 3min: Failed to connect "
		"socket; guests are shown "
		"as last seen\n"
		"\n"
		"no guest is configured; add /etc/mediakitd/guests.d/NAME.conf and `mediakitd "
		"reload`\n");
	v = canned_view();
	strcpy(v.guests[0].state, "failed");
	strcpy(v.guests[0].reason, "5 faults in 10min");
	char *text = draw(&v, &pipe_style);
	assert_non_null(strstr(text, "    reason  5 faults in 10min\n"));
	assert_non_null(strstr(text, "given up; `mediakitd reset-failed vm-mediakit` and then "
				     "`mediakitd start vm-mediakit`"));
	free(text);
}

static void memory_says_why(void **state)
{
	const struct style style = { .now_realtime = NOW };
	struct view v = canned_view();
	struct view_guest *g = &v.guests[0];

	(void)state;
	strcpy(g->balloon_mode, "override");
	strcpy(g->balloon_action, "shrink");
	strcpy(g->balloon_reason, "override");
	g->balloon_target = 2560 << 10;
	g->balloon_floor = 2 << 20;
	g->balloon_on_trial = true;
	g->balloon_until = NOW + 7200 * USEC_PER_SEC;
	g->balloon_aside_until = NOW + 65 * USEC_PER_SEC;
	g->cpu_weight = 50;
	strcpy(g->cpu_tune, "no-effect");
	strcpy(g->cpu_tune_reason, "cgroup CPU controller is not mounted");
	v.pool_pressed = v.pool_degraded = true;
	v.pool_available = 1 << 20;
	v.pool_total = 8 << 20;
	v.pool_leave = 2 << 20;
	char *text = draw(&v, &style);
	assert_non_null(strstr(text,
		"   balloon  shrink to 2.5 GiB: override, on trial, floor 2.0 GiB, usable 2.0 GiB; "
		"automatic again in 2h; set aside for another 1min 5s\n"));
	assert_non_null(strstr(text, "       cpu  CPUWeight= has no effect here: cgroup CPU "
				     "controller is not mounted\n"));
	assert_non_null(strstr(text, "      pool  1.0 GiB of 8.0 GiB available, 2.0 GiB wanted; "
				     "too small for the guests' "
				     "MemoryMin= and the reserve\n"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pipe_gets_everything_and_no_colour),
		cmocka_unit_test(the_library_is_shown_once_known),
		cmocka_unit_test(a_narrow_terminal_keeps_what_tells_most),
		cmocka_unit_test(every_width_is_kept),
		cmocka_unit_test(colour_says_what_is_wrong),
		cmocka_unit_test(a_terminal_without_utf8_gets_ascii),
		cmocka_unit_test(a_guest_at_rest_is_short),
		cmocka_unit_test(trouble_comes_first),
		cmocka_unit_test(memory_says_why),
	};

	/* What term_style() does for the command. */
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
