/* SPDX-License-Identifier: Apache-2.0 */
/* Traces of memory as text: what `mediakitd balloon --record` writes and `--replay` reads.
 *
 * CSV without quotes. '#' begins a comment line. The first other line names the columns, in any
 * order; each later line is one guest at one time, and what it says holds until its next line. A
 * cell may be empty: the statistic is absent, or the default holds. Sizes are KiB.
 *
 *   time            seconds, up to three decimals; never decreasing               (required)
 *   guest           name                                                          (required)
 *   host_total      memory of the host                                            (required)
 *   psi             host's memory pressure, some avg10, percent, two decimals
 *   reserve, critical   the pool's, where the configuration does not say it
 *   max             the guest's maximum                                           (required)
 *   min             MemoryMin; default a quarter of max
 *   limit, idle, weight, override     Memory=, IdleTarget=, Weight=, the operator's size
 *   phase           away leaving booting unwell up; default up
 *   tcg             0 or 1
 *
 * A recorded trace has besides host_available, actual, rss, usable, unused, caches, swap_in,
 * swap_out, major_faults (counters since boot), last_update (seconds) and latency (ms). Nothing in
 * it answers to a decision, so each line shows what the policy would have said then.
 *
 * A trace with a `demand` column has none of those: it drives the guests of model/guestmem, and
 * they follow the decisions. It has host_other (what else the host uses), demand (anonymous
 * memory), hot (file data in use), read (KiB/s of file data read once), swap (size; default 1 GiB)
 * and flaw (none stuck absent frozen lying greedy garbage future). */
#ifndef MEDIAKIT_POLICY_BALLOON_TRACE_H
#define MEDIAKIT_POLICY_BALLOON_TRACE_H

#include "model/guestmem.h"
#include "policy/balloon.h"

#define TRACE_BYTES_MAX   (64u * 1024 * 1024)
#define TRACE_LINE_MAX    1024u /* bytes of a line */
#define TRACE_COLUMNS_MAX 40u
#define TRACE_GUESTS_MAX  32u
#define TRACE_TIME_MAX    (3650 * USEC_PER_DAY)
#define TRACE_FAULT_MAX   256u

struct trace_row {
	usec_t time;
	char guest[SPEC_NAME_MAX + 1];
	struct balloon_pool pool; /* of it total, available, psi, reserve, critical */
	uint64_t other_kib;
	struct balloon_guest in;
	struct guestmem_input demand;
	uint64_t swap_kib;
};

struct trace_reader {
	const char *name; /* for messages */
	const char *at, *end;
	unsigned line;
	unsigned n_columns;
	unsigned char columns[TRACE_COLUMNS_MAX];
	bool demand; /* the trace drives model guests */
	usec_t last;
	char fault[TRACE_FAULT_MAX]; /* after -EINVAL: "file:line: column: reason" */
};

/* Reads the header. `text` need not end with NUL and must outlive the reader. 0 or -EINVAL. */
int trace_open(struct trace_reader *r, const char *name, const char *text, size_t len);

/* The next row. 1, 0 at the end, -EINVAL. */
int trace_next(struct trace_reader *r, struct trace_row *ret);

/* The header and a row of a recorded trace, each with its newline. The length, or -ENOSPC. A buffer
 * of TRACE_LINE_MAX is always large enough. */
int trace_write_header(char *buf, size_t size);
int trace_write_row(char *buf, size_t size, const struct trace_row *row);

#endif
