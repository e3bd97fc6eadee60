/* SPDX-License-Identifier: Apache-2.0 */
/* The view as metrics. Pure: no clock, no connection; what was read goes in, text comes out.
 *
 * Names keep Prometheus' conventions: one prefix, base units with their suffix, `_total` for what
 * only grows. What may be anything, above all words that come from a guest, is never a label: a
 * label's every value is a series that is kept for weeks. So the reason of a failure is told by its
 * verdict, one of thirteen words; the sentence is in `status`. */
#ifndef MEDIAKIT_CLI_METRICS_H
#define MEDIAKIT_CLI_METRICS_H

#include "cli/tally.h"
#include "cli/view.h"

#include <stdio.h>

enum metrics_format {
	METRICS_PROMETHEUS,  /* text format 0.0.4 */
	METRICS_OPENMETRICS, /* 1.0.0 */
	METRICS_FORMAT_NUM,
};

struct metrics {
	const struct view *view;
	const struct counters *counters;
	usec_t taken_realtime; /* when the daemon answered */
	usec_t asking;         /* how long that took */
};

/* The Content-Type of a format. */
const char *metrics_type(enum metrics_format format);

/* Writes them all; bounded by the limits of the view and the counters. Errors are the stream's. */
void metrics_write(FILE *f, const struct metrics *m, enum metrics_format format);

/* The words of a guest's and a service's states, each list ending with NULL. */
extern const char *const metrics_guest_states[], *const metrics_service_states[];

#endif
