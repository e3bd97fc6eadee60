/* SPDX-License-Identifier: Apache-2.0 */
/* When a guest that its disk stopped is let run again. */
/* LINK: base/time policy/diskpause */
#include "policy/diskpause.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/macro.h"

#define S USEC_PER_SEC

#define ENOUGH DISKPAUSE_ROOM_KIB
#define FULL   DISKPAUSE_FULL
#define WAIT   DISKPAUSE_WAIT
#define RESUME DISKPAUSE_RESUME
#define NONE   DISKPAUSE_NONE

enum sees { RUNS, NOSPACE, FAILED, BLIND };

/* One story: the clock, what QEMU says and how much is free; what is done, and when to look again.
 */
static void test_story(void **state)
{
	/* clang-format off */
	static const struct {
		unsigned at;
		enum sees sees;
		uint64_t free_kib;
		enum diskpause_step step;
		unsigned next; /* 0: only a change matters */
		unsigned tries;
	} rows[] = {
		{ 100,   RUNS,    0,          NONE,   0,     0 },
		/* Full for hours: looked at, never resumed. */
		{ 200,   NOSPACE, 0,          FULL,   210,   0 },
		{ 210,   NOSPACE, 4,          FULL,   220,   0 },
		{ 9000,  NOSPACE, ENOUGH - 1, FULL,   9010,  0 },
		/* Room: at once, it has been paused for long enough. */
		{ 9010,  NOSPACE, ENOUGH,     RESUME, 9020,  1 },
		{ 9011,  RUNS,    ENOUGH,     NONE,   0,     1 },
		/* It was used up; that is no failure of the resume. */
		{ 9015,  NOSPACE, 100,        FULL,   9025,  0 },
		{ 9025,  NOSPACE, ENOUGH,     RESUME, 9035,  1 },
		/* Room on paper: each attempt waits twice as long. */
		{ 9026,  NOSPACE, ENOUGH,     WAIT,   9035,  1 },
		{ 9035,  NOSPACE, ENOUGH,     RESUME, 9045,  2 },
		{ 9045,  NOSPACE, ENOUGH,     WAIT,   9055,  2 },
		{ 9055,  NOSPACE, ENOUGH,     RESUME, 9065,  3 },
		{ 9094,  NOSPACE, ENOUGH,     WAIT,   9095,  3 },
		{ 9095,  NOSPACE, ENOUGH,     RESUME, 9105,  4 },
		/* Running for a moment does not shorten that ... */
		{ 9096,  RUNS,    ENOUGH,     NONE,   0,     4 },
		{ 9174,  NOSPACE, ENOUGH,     WAIT,   9184,  4 },
		{ 9184,  NOSPACE, ENOUGH,     RESUME, 9194,  5 },
		{ 9185,  RUNS,    ENOUGH,     NONE,   0,     5 },
		/* ... but ten minutes do. */
		{ 9784,  NOSPACE, ENOUGH,     WAIT,   9794,  0 },
		{ 9794,  NOSPACE, ENOUGH,     RESUME, 9804,  1 },
		{ 9795,  RUNS,    ENOUGH,     NONE,   0,     1 },
		/* Another error does not ask for room, nor does ENOSPC where it cannot be seen. */
		{ 19000, FAILED,  0,          WAIT,   19010, 0 },
		{ 19009, FAILED,  0,          WAIT,   19010, 0 },
		{ 19010, FAILED,  0,          RESUME, 19020, 1 },
		{ 19011, RUNS,    0,          NONE,   0,     1 },
		{ 29000, BLIND,   0,          WAIT,   29010, 0 },
		{ 29010, BLIND,   0,          RESUME, 29020, 1 },
	};
	/* clang-format on */
	struct diskpause d = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct diskpause_sight see = {
			.paused = rows[i].sees != RUNS,
			.full = rows[i].sees == NOSPACE || rows[i].sees == BLIND,
			.room_known = rows[i].sees != BLIND,
			.free_kib = rows[i].free_kib,
		};
		usec_t next;
		enum diskpause_step step = diskpause_step(&d, &see, rows[i].at * S, &next);

		if (step != rows[i].step || d.tries != rows[i].tries ||
			next != (rows[i].next ? rows[i].next * S : USEC_INFINITY))
			fail_msg("at %u: %s, %u attempts, next %ju", rows[i].at,
				diskpause_step_to_string(step), d.tries, (uintmax_t)(next / S));
	}
}

/* A day of a disk that never takes a write, though there is room: resumed ever more rarely, and at
 * least so often that a morning's repair is found. */
static void test_rate(void **state)
{
	const struct diskpause_sight see = {
		.paused = true, .room_known = true, .free_kib = ENOUGH
	};
	struct diskpause d = { 0 };
	usec_t now = 0, next, last = 0, longest = 0;
	unsigned resumes = 0;

	(void)state;
	while (now < 86400 * S) {
		if (diskpause_step(&d, &see, now, &next) == RESUME) {
			resumes++;
			longest = MAX(longest, now - last);
			last = now;
		}
		assert_true(next > now && next <= now + DISKPAUSE_LOOK_EVERY);
		now = next;
	}
	assert_in_range(resumes, 140, 155);
	assert_true(longest == DISKPAUSE_WAIT_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_story),
		cmocka_unit_test(test_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
