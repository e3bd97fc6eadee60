/* SPDX-License-Identifier: Apache-2.0 */
/* A command in the guest against an agent that answers anything, late, or never: it ends once, and
 * what comes afterwards is nobody's. */
/* LINK: base model/agent model/jsontext model/utf8 core/agent */
/* LIBS: jansson libsystemd */
#include "alloc_fail.h"

#include <string.h>

#include "core/agent.h"
#include "core/hvlink.h"
#include "core/supervisor.h"

#define PID  "{\"return\":{\"pid\":17}}"
#define RUNS "{\"return\":{\"exited\":false}}"
#define ENDS "{\"return\":{\"exited\":true,\"exitcode\":3,\"out-data\":\"aGVsbG8K\"}}"

static struct {
	hv_done_t done; /* what waits for an answer */
	char text[4096];
	int refuses;
	bool ending;
} hv;

static struct {
	unsigned n;
	int error, exit_status;
	char output[64];
} ended;

static int submit(struct hv *h, const struct hv_request *request, hv_done_t done, void *userdata)
{
	(void)h, (void)userdata;
	if (hv.refuses)
		return hv.refuses;
	assert_null(hv.done);
	assert_int_equal(request->verb, HV_AGENT);
	snprintf(hv.text, sizeof(hv.text), "%s", request->text);
	hv.done = done;
	return 0;
}

static const struct hv_vtable vtable = { .submit = submit };
static struct hv the_hv = { .vtable = &vtable };
static struct supervisor supervisor = { .config.hv = &the_hv };
static struct guest_spec spec = { .name = (char *)"vm" };
static struct guest guest;
static usec_t now;

bool snapshotting_wants_agent(const struct guest *g)
{
	(void)g;
	return false;
}

bool hvlink_is_ending(const struct guest *g)
{
	(void)g;
	return hv.ending;
}

static void answer(int error, const char *text)
{
	const struct hv_reply reply = { .verb = HV_AGENT, .error = error, .text = text };
	hv_done_t done = hv.done;

	assert_non_null(done);
	hv.done = NULL;
	done(&guest, &reply, now);
}

static void on_end(struct guest *g, int error, int exit_status, const char *output, usec_t at)
{
	(void)g, (void)at;
	ended.n++;
	ended.error = error;
	ended.exit_status = exit_status;
	snprintf(ended.output, sizeof(ended.output), "%s", output);
}

static const char *const command[] = { "/bin/true", "\"quoted\"", NULL };

static int begin(void)
{
	return agent_run_command(&guest, command, on_end, 1);
}

static int setup(void **state)
{
	(void)state;
	now = 1;
	memset(&hv, 0, sizeof(hv));
	memset(&ended, 0, sizeof(ended));
	guest = (struct guest){ .supervisor = &supervisor, .spec = &spec };
	guest.facts.agent_connected = true;
	return 0;
}

static void assert_ended(int error, int exit_status, const char *output)
{
	assert_int_equal(ended.n, 1);
	assert_int_equal(ended.error, error);
	assert_int_equal(ended.exit_status, exit_status);
	assert_string_equal(ended.output, output);
	assert_false(guest.agent.busy);
	assert_int_equal(guest.hv_in_flight, 0);
	assert_true(agent_tick(&guest, USEC_PER_HOUR) == USEC_INFINITY);
}

static void a_command_is_polled_until_it_ends(void **state)
{
	(void)state;
	assert_int_equal(begin(), 0);
	assert_non_null(strstr(hv.text, "\\\"quoted\\\""));
	assert_int_equal(begin(), -EBUSY);
	answer(0, PID);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ended.n, 0);
		now = agent_tick(&guest, now);
		assert_null(hv.done);
		(void)agent_tick(&guest, now);
		assert_non_null(strstr(hv.text, "17"));
		answer(0, i < 2 ? RUNS : ENDS);
	}
	assert_ended(0, 3, "hello\n");
}

static void answers_that_are_none(void **state)
{
	static const char *const bad[] = { "", "x", "{}", "[]", "{\"return\":{}}",
		"{\"return\":{\"pid\":\"17\"}}", "{\"return\":{\"pid\":-1}}",
		"{\"return\":{\"exited\":1}}", "{\"error\":{}}" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		for (int later = 0; later < 2; later++) {
			setup(state);
			assert_int_equal(begin(), 0);
			if (later) {
				answer(0, PID);
				(void)agent_tick(&guest, 1 + AGENT_POLL_EVERY);
			}
			answer(0, bad[i]);
			if (ended.n != 1)
				fail_msg("'%s' was taken", bad[i]);
			assert_ended(-EBADMSG, 0, "");
		}
}

static void calls_that_fail(void **state)
{
	assert_int_equal(begin(), 0);
	answer(-ENOTCONN, NULL);
	assert_ended(-ENOTCONN, 0, "");
	setup(state);
	assert_int_equal(begin(), 0);
	answer(0, PID);
	(void)agent_tick(&guest, 1 + AGENT_POLL_EVERY);
	answer(-ETIMEDOUT, NULL);
	assert_ended(-ETIMEDOUT, 0, "");

	setup(state);
	hv.refuses = -EBUSY;
	assert_int_equal(begin(), -EBUSY);
	hv.refuses = 0;
	hv.ending = true;
	assert_int_equal(begin(), -EBUSY);
	hv.ending = false;
	guest.facts.agent_connected = false;
	assert_int_equal(begin(), -ENOTCONN);
	assert_false(guest.agent.busy);

	/* Refused only when it is polled: it is tried again. */
	setup(state);
	assert_int_equal(begin(), 0);
	answer(0, PID);
	hv.refuses = -EBUSY;
	usec_t next = agent_tick(&guest, 1 + AGENT_POLL_EVERY);
	assert_true(next == 1 + 2 * AGENT_POLL_EVERY);
	hv.refuses = 0;
	(void)agent_tick(&guest, next);
	answer(0, ENDS);
	assert_ended(0, 3, "hello\n");
}

static void nobody_waits_for_ever(void **state)
{
	assert_int_equal(begin(), 0);
	assert_int_equal(ended.n, 0);
	(void)agent_tick(&guest, 1 + AGENT_COMMAND_MAX);
	assert_int_equal(ended.n, 1);
	assert_int_equal(ended.error, -ETIMEDOUT);
	/* The hypervisor's answer is still to come: nothing new before that. */
	assert_int_equal(begin(), -EBUSY);
	answer(0, PID);
	assert_ended(-ETIMEDOUT, 0, "");
	assert_int_equal(begin(), 0);

	/* The guest was reset between the two. */
	setup(state);
	assert_int_equal(begin(), 0);
	answer(0, PID);
	(void)agent_tick(&guest, 1 + AGENT_POLL_EVERY);
	agent_drop(&guest);
	answer(0, ENDS);
	assert_int_equal(ended.n, 0);
	assert_int_equal(guest.hv_in_flight, 0);
}

static void attempt(void *userdata)
{
	setup(userdata);
	alloc_arm();
	int r = begin();
	if (r == 0) {
		answer(0, PID);
		now = agent_tick(&guest, 1 + AGENT_POLL_EVERY);
	}
	bool failed = alloc_disarm();
	if (r == 0 && ended.n == 0) {
		/* Where it could not be asked, it is asked again. */
		if (!hv.done)
			(void)agent_tick(&guest, now);
		answer(0, ENDS);
	}
	assert_true(r == 0 || (r == -ENOMEM && failed && !guest.agent.busy));
	if (r == 0) {
		assert_int_equal(ended.n, 1);
		assert_true(ended.error == 0 || failed);
		assert_true(ended.error != 0 || ended.exit_status == 3);
	}
	assert_int_equal(guest.hv_in_flight, 0);
}

static void without_memory(void **state)
{
	alloc_sweep(attempt, state, 4);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		TEST(a_command_is_polled_until_it_ends),
		TEST(answers_that_are_none),
		TEST(calls_that_fail),
		TEST(nobody_waits_for_ever),
		TEST(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
