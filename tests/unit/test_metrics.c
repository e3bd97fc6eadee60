/* SPDX-License-Identifier: Apache-2.0 */
/* The view as metrics, in both formats. */
/* clang-format off */
/* LINK: base model policy/lifecycle policy/probe policy/verdict cli/metrics cli/exposition cli/view cli/counters */
/* clang-format on */
/* LIBS: libsystemd libcbor inih jansson */
#include "unit/cli_view.h"

#include "cli/metrics.h"
#include "policy/lifecycle.h"
#include "policy/probe.h"

static struct service_counters service_counters = {
	.name = "local-proofreader",
	.spent = 12345678,
	.verdicts = { .rows = { { "ok", 7 }, { "refused", 2 } }, .n = 2 },
};
static struct guest_counters guest_counters = {
	.name = "vm-mediakit",
	.boots = 3,
	.restarts = 1,
	.exits = { .rows = { { "qemu-crashed", 1 }, { "operator", 0 } }, .n = 2 },
	.services = &service_counters,
	.n_services = 1,
};
static const struct counters counters = { .guests = &guest_counters, .n_guests = 1 };

static char *write_text(const struct view *v, enum metrics_format format)
{
	const struct metrics m = {
		.view = v, .counters = &counters, .taken_realtime = NOW + 5, .asking = 1234
	};
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	metrics_write(f, &m, format);
	fclose(f);
	return text;
}

/* The line is there, whole. */
static void assert_line(const char *text, const char *line)
{
	size_t len = strlen(line);

	for (const char *at = text; (at = strstr(at, line)); at += len)
		if ((at == text || at[-1] == '\n') && at[len] == '\n')
			return;
	fail_msg("there is no line '%s'", line);
}

static unsigned occurrences(const char *text, const char *what)
{
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, what)); at++)
		n++;
	return n;
}

#define GUEST   "{guest=\"vm-mediakit\"}"
#define SERVICE "guest=\"vm-mediakit\",service=\"local-proofreader\""

static void numbers_are_exact_and_in_base_units(void **state)
{
	struct view v = canned_view();
	char *text = write_text(&v, METRICS_PROMETHEUS);

	(void)state;
	assert_line(text, "mediakit_guest_memory_actual_bytes" GUEST " 3221225472");
	assert_line(text, "mediakit_probe_duration_seconds{" SERVICE "} 0.000900");
	assert_line(text, "mediakit_scrape_timestamp_seconds 1800000000.000005");
	assert_line(text, "mediakit_scrape_duration_seconds 0.001234");
	assert_line(text, "mediakit_guest_active_services" GUEST " 2");
	assert_line(text, "mediakit_guest_active_services_up" GUEST " 1");
	assert_line(text, "mediakit_service_up{" SERVICE "} 0");
	assert_line(text, "mediakit_service_verdict_info{" SERVICE ",verdict=\"refused\"} 1");
	assert_line(text, "mediakit_guest_boots_total" GUEST " 3");
	assert_line(text, "mediakit_guest_restarts_total" GUEST " 1");
	assert_line(text, "mediakit_guest_exits_total{guest=\"vm-mediakit\",cause=\"operator\"} 0");
	assert_line(text, "mediakit_probes_total{" SERVICE ",verdict=\"refused\"} 2");
	assert_line(text, "mediakit_probe_time_seconds_total{" SERVICE "} 12.345678");
	free(text);
}

static void what_is_unknown_is_left_out(void **state)
{
	struct view v = canned_view();
	char *text = write_text(&v, METRICS_PROMETHEUS);

	(void)state;
	assert_null(strstr(text, "mediakit_guest_memory_available_bytes{"));
	assert_null(strstr(text, "mediakit_guest_memory_target_bytes{"));
	/* Never asked: neither a duration nor a verdict; and nobody counted it. */
	assert_null(strstr(text,
		"mediakit_probe_duration_seconds{guest=\"vm-mediakit\",service=\"system-core\""));
	assert_null(strstr(text,
		"mediakit_service_verdict_info{guest=\"vm-mediakit\",service=\"system-core\""));
	assert_null(strstr(text,
		"mediakit_probe_time_seconds_total{guest=\"vm-mediakit\",service=\"service-fs\""));
	/* But the head is there. */
	assert_non_null(strstr(text, "# TYPE mediakit_guest_memory_available_bytes gauge\n"));
	free(text);
}

static void exactly_one_state_is_one(void **state)
{
	struct view v = canned_view();
	char *text = write_text(&v, METRICS_PROMETHEUS);

	(void)state;
	assert_int_equal(occurrences(text, "mediakit_guest_state{"), GUEST_STATE_NUM);
	assert_line(text, "mediakit_guest_state{guest=\"vm-mediakit\",state=\"ready\"} 1");
	assert_line(text, "mediakit_guest_state{guest=\"vm-mediakit\",state=\"failed\"} 0");
	assert_line(text, "mediakit_service_state{" SERVICE ",state=\"down\"} 1");
	assert_int_equal(occurrences(text, "\nmediakit_service_state{" SERVICE), SERVICE_STATE_NUM);
	free(text);
	/* The command does not link policy, so its words are copies. */
	for (unsigned i = 0; i < GUEST_STATE_NUM; i++)
		assert_string_equal(
			metrics_guest_states[i], guest_state_to_string((enum guest_state)i));
	assert_null(metrics_guest_states[GUEST_STATE_NUM]);
	for (unsigned i = 0; i < SERVICE_STATE_NUM; i++)
		assert_string_equal(
			metrics_service_states[i], service_state_to_string((enum service_state)i));
	assert_null(metrics_service_states[SERVICE_STATE_NUM]);
}

static void the_formats_differ_where_they_must(void **state)
{
	struct view v = canned_view();
	char *old = write_text(&v, METRICS_PROMETHEUS), *open = write_text(&v, METRICS_OPENMETRICS);

	(void)state;
	assert_line(old, "# TYPE mediakit_guest_boots_total counter");
	assert_line(open, "# TYPE mediakit_guest_boots counter");
	assert_line(old, "# TYPE mediakit_build_info gauge");
	assert_line(open, "# TYPE mediakit_build info");
	assert_line(open, "# UNIT mediakit_guest_memory_actual_bytes bytes");
	assert_null(strstr(old, "# UNIT"));
	assert_null(strstr(old, "# EOF"));
	assert_string_equal(open + strlen(open) - 6, "# EOF\n");
	/* The samples are the same. */
	assert_line(old, "mediakit_guest_boots_total" GUEST " 3");
	assert_line(open, "mediakit_guest_boots_total" GUEST " 3");
	free(old);
	free(open);
}

static void labels_are_escaped(void **state)
{
	struct view v = canned_view();

	(void)state;
	strcpy(v.version, "a\"b\\c\nd");
	char *text = write_text(&v, METRICS_PROMETHEUS);
	assert_line(text, "mediakit_build_info{version=\"a\\\"b\\\\c\\nd\"} 1");
	free(text);
}

/* A family's samples stand together under one head, and names keep the conventions. */
static void families_are_whole_and_well_named(void **state)
{
	struct view v = canned_view();
	char *text = write_text(&v, METRICS_PROMETHEUS), *save = NULL, name[96] = "", head[128];

	(void)state;
	char *copy = strdup(text);
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "# HELP %95s ", name) == 1) {
			snprintf(head, sizeof(head), "# HELP %s ", name);
			assert_int_equal(occurrences(text, head), 1);
			continue;
		}
		if (line[0] == '#')
			continue;
		assert_true(strncmp(line, "mediakit_", 9) == 0);
		assert_int_equal(strcspn(line, "{ "), strlen(name));
		assert_true(strncmp(line, name, strlen(name)) == 0);
	}
	free(copy);
	free(text);
}

static void nothing_configured_is_no_fault(void **state)
{
	struct view v = { .version = "1" };
	char *text = write_text(&v, METRICS_OPENMETRICS);

	(void)state;
	assert_line(text, "mediakit_libvirt_connected 0");
	assert_null(strstr(text, "guest=\""));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_exact_and_in_base_units),
		cmocka_unit_test(what_is_unknown_is_left_out),
		cmocka_unit_test(exactly_one_state_is_one),
		cmocka_unit_test(the_formats_differ_where_they_must),
		cmocka_unit_test(labels_are_escaped),
		cmocka_unit_test(families_are_whole_and_well_named),
		cmocka_unit_test(nothing_configured_is_no_fault),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
