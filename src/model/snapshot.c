/* SPDX-License-Identifier: Apache-2.0 */
/* Names of copies from times, and back. */
#include "model/snapshot.h"

#include <stdio.h>
#include <time.h>

static const char *const snapshot_consistency_names[] = {
	[SNAPSHOT_CRASH] = "crash",
	[SNAPSHOT_FROZEN] = "frozen",
};
NAME_TABLE_DEFINE(
	snapshot_consistency, enum snapshot_consistency, SNAPSHOT_CONSISTENCY_NUM);

static const char *const snapshot_phase_names[] = {
	[SNAPSHOT_UNKNOWN] = "unknown",
	[SNAPSHOT_NONE] = "none",
	[SNAPSHOT_PREPARING] = "preparing",
	[SNAPSHOT_FREEZING] = "freezing",
	[SNAPSHOT_COPYING] = "copying",
	[SNAPSHOT_CHECKING] = "checking",
	[SNAPSHOT_ENDING] = "ending",
};
NAME_TABLE_DEFINE(snapshot_phase, enum snapshot_phase, SNAPSHOT_PHASE_NUM);

char *snapshot_name(usec_t id, char buf[static SNAPSHOT_NAME_TEXT])
{
	time_t seconds = (time_t)(id / USEC_PER_SEC);
	struct tm tm = { 0 };

	(void)gmtime_r(&seconds, &tm);
	if (strftime(buf, SNAPSHOT_NAME_TEXT, "%Y%m%dT%H%M%SZ", &tm) == 0)
		(void)snprintf(buf, SNAPSHOT_NAME_TEXT, "0");
	return buf;
}

int snapshot_name_parse(const char *name, usec_t *ret)
{
	struct tm tm = { 0 };
	char again[SNAPSHOT_NAME_TEXT];
	const char *end = strptime(name, "%Y%m%dT%H%M%SZ", &tm);
	time_t seconds = end && *end == '\0' ? timegm(&tm) : -1;

	if (seconds < 0)
		return -EINVAL;
	usec_t id = (usec_t)seconds * USEC_PER_SEC;
	/* strptime() takes a day of one digit, and a 61st second. */
	if (strcmp(snapshot_name(id, again), name) != 0)
		return -EINVAL;
	*ret = id;
	return 0;
}
