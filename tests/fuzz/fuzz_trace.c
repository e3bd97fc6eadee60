/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the reader of memory traces: what is taken is sound, what is refused has a reason with its
 * place, and a recorded row is read again as it was. */
/* LINK: base/time model/guestmem model/spec policy/balloon policy/balloon_names policy/balloon_loan policy/balloon_sense policy/balloon_share policy/balloon_trace policy/balloon_replay */
#include "replay.h"

#include <string.h>

#include "base/macro.h"
#include "policy/balloon_replay.h"

/* Steps of a closed loop cost time: short traces are run, long ones only read. */
#define RUN_SPAN (20 * USEC_PER_MINUTE)

static void check_fault(const struct trace_reader *r)
{
	require(strnlen(r->fault, sizeof(r->fault)) < sizeof(r->fault), "a fault ends");
	require(strncmp(r->fault, "t:", 2) == 0, "a fault names the file");
}

static void check_row(const struct trace_row *row)
{
	require(strnlen(row->guest, sizeof(row->guest)) < sizeof(row->guest), "a name ends");
	require(row->guest[0] != '\0', "a guest has a name");
	require((unsigned)row->in.phase < BALLOON_PHASE_NUM, "a phase is one");
	require((unsigned)row->demand.flaw < FLAW_NUM, "a flaw is one");
	require(row->time <= TRACE_TIME_MAX, "a time is bounded");
}

static void write_again(const struct trace_row *row)
{
	char text[2 * TRACE_LINE_MAX];
	struct trace_reader reader;
	struct trace_row again;
	int head = trace_write_header(text, TRACE_LINE_MAX);

	require(head > 0, "a header fits");
	int n = trace_write_row(text + head, TRACE_LINE_MAX, row);
	require(n > 0, "a row fits");
	require(trace_open(&reader, "t", text, (size_t)(head + n)) == 0, "a header is read");
	require(trace_next(&reader, &again) == 1, "a row is read");
	require(memcmp(&again.in, &row->in, sizeof(again.in)) == 0, "and says the same");
	require(again.time == row->time && again.pool.total_kib == row->pool.total_kib,
		"of the host too");
}

static void run(const char *text, size_t size)
{
	static struct replay replay;
	static struct replay_policy policy;
	const struct balloon_pool defaults = { .reserve_kib = 1 << 20, .critical_kib = 1 << 19 };
	struct replay_controller controller;
	struct replay_summary summary;
	struct trace_reader reader;

	replay_policy_init(&policy, &balloon_policy_default, &controller);
	require(trace_open(&reader, "t", text, size) == 0, "it opens twice");
	if (reader.demand)
		(void)replay_run(&replay, &reader, &defaults, &controller, NULL, &summary);
	else
		(void)replay_recorded(&replay, &reader, &defaults, &controller);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct trace_reader reader;
	struct trace_row row;
	usec_t first = USEC_INFINITY, last = 0;
	int r = trace_open(&reader, "t", text, size);

	while (r == 0 && (r = trace_next(&reader, &row)) > 0) {
		check_row(&row);
		require(row.time >= last, "time does not go back");
		last = row.time;
		first = first == USEC_INFINITY ? last : first;
		if (!reader.demand)
			write_again(&row);
		r = 0;
	}
	if (r < 0)
		check_fault(&reader);
	else if (last - MIN(first, last) <= RUN_SPAN)
		run(text, size);
	return 0;
}
