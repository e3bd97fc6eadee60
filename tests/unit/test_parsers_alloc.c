/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that reads or writes a text, when memory runs out: an error or the whole text, never a
 * part of one, nothing lost and nothing used twice. (The configuration: test_conf_alloc.) */
/* LINK: base model io/record io/disk io/digest io/program io/copy io/layout cli/view cli/json cli/words */
/* LIBS: jansson inih libcbor libsystemd nettle */
#include "alloc_fail.h"

#include <string.h>

#include "base/macro.h"
#include "cli/json.h"
#include "cli/verb.h"
#include "io/record.h"
#include "model/agent.h"
#include "model/cloudinit.h"
#include "model/cloudinit_status.h"
#include "model/domxml.h"
#include "model/state.h"
#include "model/xmlwriter.h"

/* A writer's text is compared with the one it writes when there is memory. */
struct writing {
	int (*write)(char **ret); /* 0 or -ENOMEM */
	char *whole;
};

static void attempt_writing(void *userdata)
{
	struct writing *w = userdata;
	char *text = NULL;

	alloc_arm();
	int r = w->write(&text);
	bool failed = alloc_disarm();
	assert_true(r == 0 || (r == -ENOMEM && failed));
	if (r == 0 && !w->whole) {
		w->whole = TAKE_PTR(text);
		return;
	}
	if (r == 0)
		assert_string_equal(text, w->whole);
	free(text);
}

static void sweep_writing(int (*write)(char **ret), long at_least)
{
	struct writing w = { .write = write };

	alloc_sweep(attempt_writing, &w, at_least);
	assert_true(w.whole && strlen(w.whole) > 20);
	free(w.whole);
}

static struct state_record record(void)
{
	struct state_record r = { .want = "up", .state = "ready", .n_faults = 2, .n_services = 2 };

	strcpy(r.exit_words, "cut in a character \xc3");
	strcpy(r.services[0].name, "a");
	strcpy(r.services[1].reason, "nobody listens");
	return r;
}

static int write_state(char **ret)
{
	const struct state_record r = record();

	*ret = state_to_text(&r);
	return *ret ? 0 : -ENOMEM;
}

static int write_exec(char **ret)
{
	static const char *const argv[] = { "/bin/sh", "-c", "exit", NULL };

	*ret = agent_exec_text(argv);
	return *ret ? 0 : -ENOMEM;
}

static int write_status(char **ret)
{
	*ret = agent_status_text(4242);
	return *ret ? 0 : -ENOMEM;
}

static struct guest_spec guest(void)
{
	struct guest_spec g = {
		.name = "vm-test",
		.hostname = "vm-test",
		.user = "foundry",
		.bind = "192.0.2.7",
		.memory_kib = 1 << 20,
		.cpus = 2,
		.ssh_port = 10022,
		.packages = { "nginx" },
		.n_packages = 1,
		.egress = EGRESS_ALL,
		.n_services = 1,
		.services = { { .port = 80, .host_port = 8080 } },
	};

	spec_uuid(g.name, g.uuid);
	return g;
}

static int write_domain(char **ret)
{
	const struct guest_spec g = guest();
	const struct domxml_paths paths = { .disk = "/d.qcow2", .seed = "/s.iso" };

	return domxml_build(&g, &paths, false, ret);
}

static int write_userdata(char **ret)
{
	static const char template[] =
		"h: @HOSTNAME@\n@?PACKAGES@p: @PACKAGES@\nu: @USER@ @USER_SHELL@\n"
		"k: @AUTHORIZED_KEYS@\nf: @FINISHED_MESSAGE@\n@?HOST_KEY@h: @HOST_KEY@\n";
	static const char *const keys[] = { "ssh-ed25519 AAAA a@b" };
	const struct guest_spec g = guest();
	const struct cloudinit_input in = { .guest = &g,
		.keys = keys,
		.n_keys = ARRAY_SIZE(keys),
		.host_key = "private\n",
		.host_key_pub = "public\n",
		.instance_id = "iid-1" };
	struct reason reason = { "" };

	return cloudinit_render(CLOUDINIT_USER_DATA, "t", template, &in, ret, &reason);
}

static int write_xml(char **ret)
{
	struct xmlwriter w;

	xmlwriter_begin(&w);
	xmlwriter_open(&w, "a");
	xmlwriter_attrf(
		&w, "b", "%d & <%s>", 7, "a value that is longer than any buffer in the writer");
	xmlwriter_leaf(&w, "c", "text");
	xmlwriter_empty(&w, "d", "e", "f");
	xmlwriter_close(&w);
	return xmlwriter_end(&w, ret);
}

static void test_writers(void **state)
{
	(void)state;
	sweep_writing(write_state, 20);
	sweep_writing(write_exec, 10);
	sweep_writing(write_status, 5);
	sweep_writing(write_domain, 2);
	sweep_writing(write_userdata, 2);
	sweep_writing(write_xml, 2);
}

/* The reader of what survives: a lack of memory must not look like a damaged file, which would be
 * put aside. */
static void attempt_state(void *userdata)
{
	const char *text = userdata;
	struct state_record r = { .n_services = 77 };

	alloc_arm();
	int error = state_from_text(text, strlen(text), &r);
	bool failed = alloc_disarm();
	if (error == 0) {
		CLEANUP_FREE char *again = state_to_text(&r);
		assert_string_equal(again, text);
	} else {
		assert_true(failed);
		assert_int_equal(error, -ENOMEM);
		assert_int_equal(r.n_services, 77);
	}
}

static void test_state(void **state)
{
	const struct state_record r = record();
	struct state_record again;
	CLEANUP_FREE char *first = state_to_text(&r);

	(void)state;
	/* Twice, because the text cut in a character is escaped by the first. */
	assert_int_equal(state_from_text(first, strlen(first), &again), 0);
	CLEANUP_FREE char *text = state_to_text(&again);
	alloc_sweep(attempt_state, text, 20);
}

/* An answer that could not be read is asked for again, whatever the reason was. */
static void attempt_agent(void *userdata)
{
	struct agent_status status = { .exit_status = -1 };
	char out[8] = "";
	struct cloudinit_status cloudinit = { .steps = 77 };
	char id[37];
	long pid = -1;

	(void)userdata;
	alloc_arm();
	int r = agent_parse_exec("{\"return\":{\"pid\":4}}", &pid);
	int s = agent_parse_status(
		"{\"return\":{\"exited\":true,\"exitcode\":3,\"out-data\":\"YQ==\"}}", &status, out,
		sizeof(out));
	int c = cloudinit_status_parse("==> /proc/sys/kernel/random/boot_id <==\n"
				       "0a1b2c3d-0000-4000-8000-00000000abcd\n"
				       "\n==> /run/cloud-init/status.json <==\n"
				       "{\"v1\":{\"init\":{\"recoverable_errors\":"
				       "{\"W\":[\"a\"]}}}}"
				       "\n==> /run/cloud-init/result.json <==\n"
				       "{\"v1\":{\"errors\":[]}}",
		id, &cloudinit);
	bool failed = alloc_disarm();
	assert_true(r == 0 ? pid == 4 : failed && r == -EBADMSG && pid == -1);
	assert_true(s == 0 ? status.exit_status == 3 && strcmp(out, "a") == 0
			   : failed && s == -EBADMSG && status.exit_status == -1);
	assert_true(c == 0 ? cloudinit.state == CLOUDINIT_DEGRADED && cloudinit.warnings == 1
			   : failed && c == -ENOMEM && cloudinit.steps == 77);
}

static void test_agent(void **state)
{
	(void)state;
	alloc_sweep(attempt_agent, NULL, 20);
}

static int fill_view(struct view *v)
{
	struct view_guest *g = view_guest_make(v, "vm-b");

	if (!g || !view_guest_make(v, "vm-a"))
		return -ENOMEM;
	/* The list may have moved. */
	g = view_guest(v, "vm-b");
	return view_service_make(g, "two") && view_service_make(g, "one") ? 0 : -ENOMEM;
}

static void attempt_view(void *userdata)
{
	struct view v = { 0 };

	(void)userdata;
	alloc_arm();
	int r = fill_view(&v);
	bool failed = alloc_disarm();
	assert_true(r == 0 || failed);
	view_sort(&v);
	for (unsigned i = 0; i < v.n_guests; i++)
		assert_int_equal(v.guests[i].memory_rss, VIEW_ABSENT);
	view_free(&v);
}

static int write_json(char **ret)
{
	struct view_service services[] = { { .name = "one", .state = "up" },
		{ .name = "two", .port = 80 } };
	struct view_guest guests[] = { { .name = "a" },
		{ .name = "b", .services = services, .n_services = 2 } };
	const struct view v = {
		.version = "1", .connected = true, .guests = guests, .n_guests = 2
	};
	/* A buffer of ours: open_memstream()'s is not what is looked at. */
	static char text[16384];
	FILE *f = fmemopen(text, sizeof(text), "w");

	if (!f)
		return -ENOMEM;
	int r = json_print(f, &v, NULL, true);
	(void)fclose(f);
	if (r == 0 && !(*ret = strdup(text)))
		r = -ENOMEM;
	return r;
}

static void test_view(void **state)
{
	(void)state;
	alloc_sweep(attempt_view, NULL, 3);
	sweep_writing(write_json, 50);
}

static void attempt_record(void *userdata)
{
	const char *path = userdata;
	struct record r = { .base = "before" };

	alloc_arm();
	int error = record_read(path, &r);
	bool failed = alloc_disarm();
	if (error == 0)
		assert_string_equal(r.base, "base.qcow2");
	else
		assert_true(failed && (error == -ENOMEM || error == -EBADMSG));
}

static void test_record(void **state)
{
	char dir[] = "/tmp/test_parsers_alloc.XXXXXX", path[64];
	const struct record r = { .base = "base.qcow2", .instance_id = "iid-1" };

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/r", dir);
	assert_int_equal(record_write(path, &r, USEC_PER_DAY), 1);
	alloc_sweep(attempt_record, path, 10);
	assert_int_equal(remove(path), 0);
	assert_int_equal(remove(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_writers),
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_agent),
		cmocka_unit_test(test_view),
		cmocka_unit_test(test_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
