/* SPDX-License-Identifier: Apache-2.0 */
/* The guest agent's JSON, both ways: commands as text, answers as values. Every byte of an answer
 * is the guest's. */
#ifndef MEDIAKIT_MODEL_AGENT_H
#define MEDIAKIT_MODEL_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* {"execute":"guest-exec",…} that runs argv[0] with its arguments and keeps its standard output.
 * The caller's to free; NULL with no memory. */
char *agent_exec_text(const char *const argv[]);
/* {"execute":"guest-exec-status",…} */
char *agent_status_text(long pid);

/* The whole commands. The answer to either is how many file systems it took: 0, or -EBADMSG. */
extern const char agent_freeze_text[], agent_thaw_text[];
int agent_parse_count(const char *json, int64_t *ret);

/* {"execute":"guest-get-time"} and {"execute":"guest-set-time",…} with nanoseconds since
 * 1970. As above. */
char *agent_get_time_text(void);
char *agent_set_time_text(int64_t nsec);
/* The answer to guest-get-time, above 0. 0, or -EBADMSG. */
int agent_parse_time(const char *json, int64_t *ret_nsec);

/* The pid in the answer to guest-exec. 0, or -EBADMSG. */
int agent_parse_exec(const char *json, long *ret_pid);

struct agent_status {
	bool exited;
	int exit_status; /* 128 + n for signal n */
};
/* The answer to guest-exec-status. Its output, decoded from base64, is written to `out`,
 * NUL-terminated, cut at `size`; bytes 0 become '?'. 0, or -EBADMSG. */
int agent_parse_status(const char *json, struct agent_status *ret, char *out, size_t size);

#endif
