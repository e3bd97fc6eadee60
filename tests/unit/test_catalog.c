/* SPDX-License-Identifier: Apache-2.0 */
/* Every kind of event has its entry in the journal's catalog, and systemd's own tool reads it. */
/* LINK: base model/event model/jsontext model/utf8 */
/* LIBS: jansson libsystemd */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/macro.h"
#include "model/event.h"

#define CATALOG "units/mediakitd.catalog"

/* NULL where the test does not run from the top of the tree. */
static char *catalog(void)
{
	char *text = NULL;

	return file_read(CATALOG, 65536, &text, NULL) == 0 ? text : NULL;
}

static void every_kind_has_an_entry(void **state)
{
	CLEANUP_FREE char *text = catalog();
	unsigned entries = 0;

	(void)state;
	if (!text)
		skip();
	for (int kind = 0; kind < EVENT_KIND_NUM; kind++) {
		char head[64];

		(void)snprintf(head, sizeof(head), "\n-- %s\nSubject: ", event_message_id(kind));
		const char *at = strstr(text, head);
		if (!at)
			fail_msg("no entry for %s", event_kind_to_string(kind));
		assert_null(strstr(at + 1, head));
		/* What it means, after an empty line. */
		const char *end = strstr(at + 1, "\n-- ");
		const char *body = strstr(at, "\n\n");
		assert_true(body && (!end || body < end) && strlen(body) > 60);
		for (int other = 0; other < kind; other++)
			assert_string_not_equal(event_message_id(kind), event_message_id(other));
	}
	for (const char *at = text; (at = strstr(at, "\n-- ")); at++)
		entries++;
	assert_int_equal(entries, EVENT_KIND_NUM);
	assert_null(event_message_id(EVENT_KIND_NUM));
}

/* Into a database of its own, from which the entry of one kind is asked back. */
static void journalctl_reads_it(void **state)
{
	CLEANUP_FREE char *text = catalog();
	char command[512], line[256], dir[] = "/tmp/test_catalog.XXXXXX";
	unsigned found = 0;

	(void)state;
	if (!text || system("journalctl --version >/dev/null 2>&1") != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	(void)snprintf(command, sizeof(command),
		"mkdir -p %s/usr/lib/systemd/catalog %s/var/lib/systemd/catalog && "
		"cp " CATALOG " %s/usr/lib/systemd/catalog/ && "
		"journalctl --root=%s --update-catalog 2>&1 && "
		"journalctl --root=%s --list-catalog 2>&1",
		dir, dir, dir, dir, dir);
	FILE *f = popen(command, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		for (int kind = 0; kind < EVENT_KIND_NUM; kind++)
			found += strncmp(line, event_message_id(kind), 32) == 0 &&
				 strstr(line, "mediakitd: ") != NULL;
	int status = pclose(f);
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(status, 0);
	assert_int_equal(found, EVENT_KIND_NUM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_has_an_entry),
		cmocka_unit_test(journalctl_reads_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
