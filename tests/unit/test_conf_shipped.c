/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration we ship: no fault in it, the guest and the ten services it is to describe, and
 * defaults in its comments that are the defaults. */
/* LINK: base model io/confdir */
/* LIBS: inih libcbor jansson libsystemd */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "io/confdir.h"
#include "model/conf_keys.h"

static const struct {
	const char *name, *purpose;
	uint16_t port;
	enum spec_expect expect;
	const char *depends_on;
} services[] = {
	{ "local-knowledge-documentation", "documentation wiki", 9090, EXPECT_ACTIVE, NULL },
	{ "local-proofreader", "proofreader", 9092, EXPECT_ACTIVE, NULL },
	{ "local-knowledge-projects", "projects wiki", 9093, EXPECT_ACTIVE, NULL },
	{ "local-knowledge-corporate", "corporate wiki", 9095, EXPECT_ACTIVE, NULL },
	{ "local-bim-orchestration", "BIM gateway", 9096, EXPECT_PENDING, "service-fs" },
	{ "service-fs", "write-once (WORM) ledger, data ingest", 9100, EXPECT_PENDING, NULL },
	{ "local-marketing-pointsav", "PointSav marketing site", 9101, EXPECT_ACTIVE, NULL },
	{ "local-marketing", "Woodfine marketing site", 9102, EXPECT_ACTIVE, NULL },
	{ "system-core", "capability ledger substrate", 0, EXPECT_PENDING, NULL },
	{ "system-ledger", "ledger state machine", 0, EXPECT_PENDING, "system-core" },
};

static struct spec *load(void)
{
	struct conf_faults faults = { 0 };
	struct spec *spec = NULL;

	if (confdir_load("units", NULL, NULL, &spec, &faults) < 0)
		fail_msg("refused: %s", faults.n ? faults.list[0].text : "without a word");
	assert_int_equal(faults.n, 0);
	conf_faults_clear(&faults);
	return spec;
}

static void test_guest(void **state)
{
	struct spec *spec = load();
	const struct guest_spec *g = spec_find_guest(spec, "vm-mediakit");

	(void)state;
	assert_int_equal(spec->n_guests, 1);
	assert_non_null(g);
	assert_string_equal(g->hostname, "vm-mediakit");
	assert_string_equal(g->user, "foundry");
	assert_int_equal(g->memory_kib, 6144 << 10);
	assert_int_equal(g->cpus, 2);
	assert_int_equal(g->disk_kib, 20 << 20);
	assert_int_equal(g->arch, ARCH_X86_64);
	assert_string_equal(g->bind, "127.0.0.1");
	assert_int_equal(g->ssh_port, 10022);
	assert_int_equal(g->egress, EGRESS_NONE);
	assert_int_equal(g->n_packages, 0);
	spec_free(spec);
}

static void test_services(void **state)
{
	struct spec *spec = load();
	const struct guest_spec *g = &spec->guests[0];

	(void)state;
	assert_int_equal(g->n_services, ARRAY_SIZE(services));
	for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
		const struct service_spec *s = guest_spec_find_service(g, services[i].name);

		assert_non_null(s);
		assert_string_equal(s->purpose, services[i].purpose);
		assert_int_equal(s->port, services[i].port);
		assert_int_equal(s->host_port, services[i].port ? 10000 + services[i].port : 0);
		assert_int_equal(s->expect, services[i].expect);
		assert_int_equal(s->probe, services[i].port ? PROBE_CBOR : PROBE_UNIT);
		assert_int_equal(s->n_depends, services[i].depends_on != NULL);
		if (services[i].depends_on)
			assert_string_equal(s->depends_on[0], services[i].depends_on);
	}
	spec_free(spec);
}

static void count_change(void *userdata, const struct conf_change *change)
{
	(void)change;
	++*(unsigned *)userdata;
}

/* Every "#Key=value" uncommented gives the same specs: the comments name the defaults. Keys shown
 * without value have none, and the example of an SSH key is no key. */
static char *uncomment(const char *path)
{
	char *text = NULL;
	size_t len;

	assert_int_equal(file_read(path, CONF_FILE_MAX, &text, &len), 0);
	for (char *line = text; line && *line;) {
		char *end = strchr(line, '\n');
		char *equals = memchr(line, '=', (size_t)(end - line));
		bool example = strncmp(line, "#AuthorizedKeys=", 16) == 0;

		if (line[0] == '#' && line[1] >= 'A' && line[1] <= 'Z' && equals && !example)
			line[0] = ' ';
		line = end + 1;
	}
	return text;
}

static void test_commented_defaults(void **state)
{
	struct conf_faults faults = { 0 };
	struct spec *shipped = load(), *written = NULL;
	char *daemon = uncomment("units/mediakitd.conf");
	char *guest = uncomment("units/guests.d/vm-mediakit.conf");
	const struct conf_text texts[] = {
		{ "d", NULL, daemon, strlen(daemon) },
		{ "g", "vm-mediakit", guest, strlen(guest) },
	};
	unsigned changes = 0;

	(void)state;
	if (conf_parse(texts, 2, &written, &faults) < 0)
		fail_msg("%s", faults.list[0].text);
	conf_diff(shipped, written, count_change, &changes);
	assert_int_equal(changes, 0);
	spec_free(shipped);
	spec_free(written);
	conf_faults_clear(&faults);
	free(daemon);
	free(guest);
}

/* Every key there is appears in one of the two files, so that nobody has to guess. */
static void test_all_keys_shown(void **state)
{
	char *daemon = NULL, *guest = NULL, wanted[64];
	(void)state;
	assert_int_equal(file_read("units/mediakitd.conf", CONF_FILE_MAX, &daemon, NULL), 0);
	assert_int_equal(
		file_read("units/guests.d/vm-mediakit.conf", CONF_FILE_MAX, &guest, NULL), 0);
	for (unsigned i = 0; i < CONF_KEY_NUM; i++) {
		snprintf(wanted, sizeof(wanted), "%s=", conf_key(i)->name);
		if (!strstr(conf_section_object(conf_key(i)->section) == CONF_OBJECT_DAEMON ? daemon
											    : guest,
			    wanted))
			fail_msg("no word of %s", wanted);
	}
	free(daemon);
	free(guest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guest),
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_commented_defaults),
		cmocka_unit_test(test_all_keys_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
