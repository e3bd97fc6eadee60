/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots over the sockets: who may ask for what, what is no question, and what the verb prints
 * of the answers. */
/* LINK: base bus core/console core/cputune_names core/operation core/event core/eventring core/decision core/sight core/tally model policy cli/client_read cli/fields cli/view cli/args cli/verb cli/words cli/term cli/snapshot */
/* LIBS: libsystemd libcbor inih jansson */
#include "unit/bus_client.h"
#include "unit/cli_run.h"

#include "cli/asking.h"
#include "cli/session.h"
#include "cli/verb.h"

#include <jansson.h>

/* The session, by hand ---- */

static struct {
	enum client_door door;
	const char *asked;
	uint64_t id;
	unsigned opened;
} verb;

int session_open(struct session *s, int argc, char **argv, const struct args_rule *rule,
	enum client_door door)
{
	verb.opened++;
	verb.door = door;
	assert_int_equal(args_parse(argc, argv, rule, &s->args), 0);
	s->guest = s->args.operands[0];
	(void)snprintf(s->view.state_dir, sizeof(s->view.state_dir), "/s");
	s->client = (struct client *)caller(door == CLIENT_STATUS ? "status" : "control");
	return 0;
}

void session_close(struct session *s)
{
	if (s->client)
		hang_up((sd_bus *)s->client);
}

int session_request(
	struct session *s, const char *method, const uint64_t *numbers, unsigned n_numbers)
{
	(void)s;
	verb.asked = method;
	verb.id = n_numbers ? numbers[0] : 0;
	return CLI_OK;
}

int session_lost(void)
{
	return CLI_NO_DAEMON;
}

static int run_fresh(const char *const *words)
{
	memset(&verb, 0, sizeof(verb));
	return run(verb_snapshot, words);
}
#define RUN(...) run_fresh((const char *const[]){ "snapshot", "vm-mediakit", __VA_ARGS__, NULL })

#define SUM "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* 2026-11-29 07:55:01 UTC and so many hours. */
static struct snapshot_info *add(unsigned hours)
{
	struct guest_snapshotting *s = &world->guests[0].snapshotting;
	struct snapshot_info *one = &s->list[s->n++];

	assert_int_equal(snapshot_name_parse("20261129T075501Z", &one->id), 0);
	one->id += hours * USEC_PER_HOUR;
	one->at_realtime = one->id + 1;
	one->bytes = UINT64_C(3) << 30;
	one->virtual_bytes = UINT64_C(20) << 30;
	one->consistency = hours % 2 ? SNAPSHOT_CRASH : SNAPSHOT_FROZEN;
	strcpy(one->sha256, SUM);
	return one;
}

/* On the sockets ---- */

static void the_status_socket_lists_and_no_more(void **state)
{
	static const char *const methods[] = { "Snapshot", "CancelSnapshot", "DeleteSnapshot" };
	struct answer_box box;
	sd_bus *b = caller("status");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		ask(b, &box, guest_object, BUS_IFACE_GUEST, methods[i], i == 2 ? "t" : "", 1);
		assert_error(&box, BUS_ERROR_READ_ONLY, NULL);
	}
	assert_int_equal(core.requests, 0);
	ask(b, &box, guest_object, BUS_IFACE_GUEST, "ListSnapshots", "", 0);
	assert_int_equal(box.n, 1);
	assert_null(sd_bus_message_get_error(box.m));
	assert_true(sd_bus_message_has_signature(box.m, "a(ststtss)"));
	assert_true(sd_bus_message_enter_container(box.m, 'a', "(ststtss)") > 0);
	assert_true(sd_bus_message_at_end(box.m, 0) > 0);
	sd_bus_message_unref(box.m);
	hang_up(b);
}

static void one_is_asked_for(void **state)
{
	struct operations *operations = &world->guests[0].operations;
	struct answer_box box;
	sd_bus *b = caller("control");

	(void)state;
	core.result = 1;
	ask(b, &box, guest_object, BUS_IFACE_GUEST, "Snapshot", "", 0);
	assert_int_equal(core.kind, OPERATION_SNAPSHOT);
	assert_int_equal(box.n, 0);
	operations_answer(operations, 1u << OPERATION_SNAPSHOT, 0, "made");
	run_dry();
	assert_text(&box, "made");

	ask(b, &box, guest_object, BUS_IFACE_GUEST, "Snapshot", "", 0);
	operations_answer(operations, 1u << OPERATION_SNAPSHOT, -ECANCELED, "the daemon is ending");
	run_dry();
	assert_error(&box, BUS_ERROR_CANCELLED, "the daemon is ending");

	ask(b, &box, guest_object, BUS_IFACE_GUEST, "DeleteSnapshot", "t", 4711);
	assert_int_equal(core.kind, OPERATION_DELETE_SNAPSHOT);
	assert_int_equal(core.id, 4711);
	operations_answer(operations, 1u << OPERATION_DELETE_SNAPSHOT, -ENOENT, "there is none");
	run_dry();
	assert_error(&box, BUS_ERROR_NOT_PROVISIONED, "there is none");

	core.result = -EBUSY;
	core.message = "one is under way";
	ask(b, &box, guest_object, BUS_IFACE_GUEST, "Snapshot", "", 0);
	assert_error(&box, BUS_ERROR_BUSY, core.message);
	ask(b, &box, guest_object, BUS_IFACE_GUEST, "DeleteSnapshot", "t", 4711);
	assert_error(&box, BUS_ERROR_BUSY, core.message);
	ask(b, &box, guest_object, BUS_IFACE_GUEST, "CancelSnapshot", "", 0);
	assert_error(&box, BUS_ERROR_NOT_RUNNING, "no snapshot is being made");
	hang_up(b);
}

static void what_is_no_question(void **state)
{
	static const char *const methods[] = { "Snapshot", "CancelSnapshot", "ListSnapshots" };
	static const char nobody[] = "/com/pointsav/MediaKit1/guest/nobody";
	struct answer_box box;
	sd_bus *b = caller("control");

	(void)state;
	core.result = 1;
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		ask(b, &box, guest_object, BUS_IFACE_GUEST, methods[i], "t", 1);
		assert_error(&box, SD_BUS_ERROR_INVALID_ARGS, NULL);
		ask(b, &box, nobody, BUS_IFACE_GUEST, methods[i], "", 0);
		assert_error(&box, SD_BUS_ERROR_UNKNOWN_OBJECT, NULL);
	}
	ask(b, &box, guest_object, BUS_IFACE_GUEST, "DeleteSnapshot", "", 0);
	assert_error(&box, SD_BUS_ERROR_INVALID_ARGS, NULL);
	ask(b, &box, guest_object, BUS_IFACE_GUEST, "DeleteSnapshot", "u", 1);
	assert_error(&box, SD_BUS_ERROR_INVALID_ARGS, NULL);
	ask(b, &box, nobody, BUS_IFACE_GUEST, "DeleteSnapshot", "t", 1);
	assert_error(&box, SD_BUS_ERROR_UNKNOWN_OBJECT, NULL);
	ask(b, &box, guest_object, BUS_IFACE_GUEST, "RestoreSnapshot", "t", 1);
	assert_error(&box, SD_BUS_ERROR_UNKNOWN_METHOD, NULL);
	assert_int_equal(core.requests, 0);
	hang_up(b);
}

/* By the verb ---- */

static void the_list(void **state)
{
	(void)state;
	assert_int_equal(RUN("--list"), CLI_OK);
	assert_string_equal(output, "vm-mediakit has no snapshot; `mediakitd snapshot vm-mediakit` "
				    "makes one\n");
	assert_int_equal(verb.door, CLIENT_STATUS);
	(void)add(0);
	(void)add(1);
	assert_int_equal(RUN("--list"), CLI_OK);
	/* The newest first; the age is of today. */
	assert_ptr_equal(strstr(output, "20261129T085501Z  "), output);
	assert_non_null(strstr(output, " ago  crash "));
	const char *second = strstr(output, "\n20261129T075501Z  ");
	assert_non_null(second);
	assert_non_null(strstr(second, " ago  frozen "));
	assert_non_null(strstr(second, "3.0 GiB\nin /s/images/vm-mediakit/snapshots\n"));
}

static json_t *parsed(void)
{
	json_error_t error;
	json_t *root = json_loads(output, 0, &error);

	if (!root)
		fail_msg("%s: %s", error.text, output);
	assert_int_equal(json_integer_value(json_object_get(root, "version")), 1);
	assert_string_equal(json_string_value(json_object_get(root, "guest")), "vm-mediakit");
	return root;
}

static void the_list_as_json(void **state)
{
	(void)state;
	assert_int_equal(RUN("--list", "--json"), CLI_OK);
	json_t *root = parsed();
	assert_int_equal(json_array_size(json_object_get(root, "snapshots")), 0);
	json_decref(root);

	for (unsigned i = 0; i < SPEC_SNAPSHOTS_MAX; i++)
		(void)add(i);
	assert_int_equal(RUN("--list", "--json"), CLI_OK);
	root = parsed();
	const json_t *list = json_object_get(root, "snapshots");
	assert_int_equal(json_array_size(list), SPEC_SNAPSHOTS_MAX);
	const json_t *last = json_array_get(list, SPEC_SNAPSHOTS_MAX - 1);
	assert_string_equal(json_string_value(json_object_get(last, "name")), "20261129T075501Z");
	assert_string_equal(json_string_value(json_object_get(last, "path")),
		"/s/images/vm-mediakit/snapshots/20261129T075501Z.qcow2");
	assert_string_equal(json_string_value(json_object_get(last, "consistency")), "frozen");
	assert_string_equal(json_string_value(json_object_get(last, "sha256")), SUM);
	assert_string_equal(json_string_value(json_object_get(last, "base_sha256")), "");
	assert_int_equal(json_integer_value(json_object_get(last, "at_usec")),
		world->guests[0].snapshotting.list[0].at_realtime);
	assert_int_equal(json_integer_value(json_object_get(last, "bytes")), UINT64_C(3) << 30);
	assert_int_equal(
		json_integer_value(json_object_get(last, "virtual_bytes")), UINT64_C(20) << 30);
	json_decref(root);
}

/* A record is refused by io/snapshotrecord long before; who speaks for a daemon here is believed
 * nothing all the same. */
static void hostile_text(void **state)
{
	struct snapshot_info *one = add(0);

	(void)state;
	strcpy(one->sha256, "\033[2J\n\"x\", \"name\": \"\x07");
	strcpy(one->base_sha256, "\xc2\x9b"
				 "31m \xe2\x80\xae");
	one->bytes = UINT64_MAX;
	one->at_realtime = USEC_INFINITY - 1;
	assert_int_equal(RUN("--list"), CLI_OK);
	assert_null(strpbrk(output, "\033\x07"));
	assert_int_equal(RUN("--list", "--json"), CLI_OK);
	json_t *root = parsed();
	const json_t *row = json_array_get(json_object_get(root, "snapshots"), 0);
	const char *sum = json_string_value(json_object_get(row, "sha256"));
	const char *base = json_string_value(json_object_get(row, "base_sha256"));
	assert_non_null(strstr(sum, "\\x1b[2J"));
	assert_null(strpbrk(sum, "\033\n\x07"));
	assert_null(strstr(base, "\xc2\x9b"));
	assert_null(strstr(base, "\xe2\x80\xae"));
	json_decref(root);
}

static void what_is_asked(void **state)
{
	usec_t id;

	(void)state;
	assert_int_equal(
		run_fresh((const char *const[]){ "snapshot", "vm-mediakit", NULL }), CLI_OK);
	assert_string_equal(verb.asked, "Snapshot");
	assert_int_equal(verb.door, CLIENT_CONTROL);
	assert_int_equal(RUN("--cancel"), CLI_OK);
	assert_string_equal(verb.asked, "CancelSnapshot");
	assert_int_equal(RUN("--delete=20261129T075501Z"), CLI_OK);
	assert_string_equal(verb.asked, "DeleteSnapshot");
	assert_int_equal(snapshot_name_parse("20261129T075501Z", &id), 0);
	assert_int_equal(verb.id, id);
	assert_int_equal(verb.door, CLIENT_CONTROL);
}

static void typing_errors(void **state)
{
	static const struct {
		const char *a, *b, *words;
	} rows[] = {
		{ "--delete=x", NULL, "'x' is no name of a snapshot, which are like 2026" },
		{ "--delete=", NULL, "--delete= wants a value" },
		{ "--delete=../../etc/passwd", NULL, "is no name of a snapshot" },
		{ "--delete=20261329T075501Z", NULL, "is no name of a snapshot" },
		{ "--json", NULL, "--json goes with --list" },
		{ "--list", "--cancel", "exclude one another" },
		{ "--delete=20261129T075501Z", "--cancel", "exclude one another" },
		{ "--lst", NULL, "did you mean --list" },
		{ "vm-two", NULL, "'vm-two' is one word too many" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(RUN(rows[i].a, rows[i].b), CLI_USAGE);
		if (!strstr(errors, rows[i].words))
			fail_msg("%s: %s", rows[i].a, errors);
		assert_int_equal(verb.opened, 0);
		assert_string_equal(output, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_status_socket_lists_and_no_more),
		TEST(one_is_asked_for),
		TEST(what_is_no_question),
		TEST(the_list),
		TEST(the_list_as_json),
		TEST(hostile_text),
		TEST(what_is_asked),
		TEST(typing_errors),
	};

	log_set_sink(take_line);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
