/* SPDX-License-Identifier: Apache-2.0 */
/* Counters and the last hour as the daemon told them: plain values, and the client's calls that
 * fetch them. */
#ifndef MEDIAKIT_CLI_TALLY_H
#define MEDIAKIT_CLI_TALLY_H

#include "cli/client.h"

#define COUNTS_MAX         32u  /* verdicts of a service, causes of a guest */
#define HISTORY_POINTS_MAX 240u /* a newer daemon's rows are cut */

/* How often each word came. Words are utf8_printable(). */
struct counts {
	struct count {
		char word[24];
		uint64_t n;
	} rows[COUNTS_MAX];
	unsigned n;
};

struct service_counters {
	char name[64];
	usec_t spent; /* on all answers */
	struct counts verdicts;
};

struct guest_counters {
	char name[64];
	uint64_t boots, restarts;
	struct counts exits;
	struct service_counters *services; /* at most VIEW_SERVICES_MAX */
	unsigned n_services;
};

struct counters {
	struct guest_counters *guests; /* at most VIEW_GUESTS_MAX */
	unsigned n_guests;
};

void counters_free(struct counters *c); /* its content; takes an empty one */
/* NULL: the daemon told nothing of it. */
const struct guest_counters *counters_guest(const struct counters *c, const char *name);
const struct service_counters *counters_service(const struct guest_counters *g, const char *name);

/* 0 and *ret, the caller's to free; or -errno with *reply saying why. */
int client_counters(struct client *c, struct counters *ret, struct client_reply *reply);

struct service_history {
	char name[64];
	uint32_t latency[HISTORY_POINTS_MAX]; /* microseconds; meaningless where effect is 0 */
	uint8_t effect[HISTORY_POINTS_MAX];   /* 0 not asked, 1 up, 2 neither, 3 down */
	unsigned n;
};

struct history {
	usec_t newest, step; /* CLOCK_REALTIME of the last point; the span between two */
	/* Oldest first, each n points; UINT32_MAX: unknown. */
	uint32_t actual_mib[HISTORY_POINTS_MAX], usable_mib[HISTORY_POINTS_MAX],
		rss_mib[HISTORY_POINTS_MAX];
	unsigned n;
	struct service_history services[VIEW_SERVICES_MAX];
	unsigned n_services;
};

/* 0 and *ret, or -errno with *reply saying why. */
int client_history(
	struct client *c, const char *guest, struct history *ret, struct client_reply *reply);

#endif
