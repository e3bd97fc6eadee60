/* SPDX-License-Identifier: Apache-2.0 */
/* The guest agent's messages, by jansson. */
#include "model/agent.h"

#include "base/macro.h"
#include "model/jsontext.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#define CLEANUP_JSON CLEANUP(json_decrefp)

char *agent_exec_text(const char *const argv[])
{
	CLEANUP_JSON json_t *args = json_array();

	for (size_t i = 1; argv[i]; i++)
		if (json_array_append_new(args, json_string(argv[i])) < 0)
			return NULL;
	CLEANUP_JSON json_t *command = json_pack("{s:s, s:{s:s, s:O, s:b}}", "execute",
		"guest-exec", "arguments", "path", argv[0], "arg", args, "capture-output", 1);
	return command ? json_text(command, JSON_COMPACT) : NULL;
}

char *agent_status_text(long pid)
{
	CLEANUP_JSON json_t *command = json_pack("{s:s, s:{s:I}}", "execute", "guest-exec-status",
		"arguments", "pid", (json_int_t)pid);
	return command ? json_text(command, JSON_COMPACT) : NULL;
}

const char agent_freeze_text[] = "{\"execute\":\"guest-fsfreeze-freeze\"}";
const char agent_thaw_text[] = "{\"execute\":\"guest-fsfreeze-thaw\"}";

int agent_parse_count(const char *json, int64_t *ret)
{
	CLEANUP_JSON json_t *root = NULL;

	(void)json_read(json, strlen(json), JSON_REJECT_DUPLICATES, &root);
	const json_t *answer = json_object_get(root, "return");
	if (!json_is_integer(answer) || json_integer_value(answer) < 0)
		return -EBADMSG;
	*ret = json_integer_value(answer);
	return 0;
}

char *agent_get_time_text(void)
{
	return strdup("{\"execute\":\"guest-get-time\"}");
}

char *agent_set_time_text(int64_t nsec)
{
	CLEANUP_JSON json_t *command = json_pack("{s:s, s:{s:I}}", "execute", "guest-set-time",
		"arguments", "time", (json_int_t)nsec);
	return command ? json_text(command, JSON_COMPACT) : NULL;
}

int agent_parse_time(const char *json, int64_t *ret_nsec)
{
	CLEANUP_JSON json_t *root = NULL;

	(void)json_read(json, strlen(json), JSON_REJECT_DUPLICATES, &root);
	const json_t *answer = json_object_get(root, "return");
	if (!json_is_integer(answer) || json_integer_value(answer) <= 0)
		return -EBADMSG;
	*ret_nsec = json_integer_value(answer);
	return 0;
}

/* The "return" object of an answer, borrowed from *ret_root. */
static json_t *answer_of(const char *json, json_t **ret_root)
{
	/* Without memory there is no answer either. */
	(void)json_read(json, strlen(json), JSON_REJECT_DUPLICATES, ret_root);
	json_t *answer = json_object_get(*ret_root, "return");
	return json_is_object(answer) ? answer : NULL;
}

int agent_parse_exec(const char *json, long *ret_pid)
{
	CLEANUP_JSON json_t *root = NULL;
	const json_t *pid = json_object_get(answer_of(json, &root), "pid");

	if (!json_is_integer(pid) || json_integer_value(pid) <= 0)
		return -EBADMSG;
	*ret_pid = (long)json_integer_value(pid);
	return 0;
}

static int base64_value(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* No library at hand decodes base64 into a bounded buffer; this stops at the first byte that is
 * none. */
static void base64_decode(const char *in, char *out, size_t size)
{
	unsigned bits = 0, acc = 0;
	size_t n = 0;

	for (; *in && n + 1 < size; in++) {
		int v = base64_value(*in);
		if (v < 0)
			break;
		acc = acc << 6 | (unsigned)v;
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		char c = (char)(acc >> bits & 0xff);
		if (c == '\0')
			c = '?';
		out[n++] = c;
	}
	out[n] = '\0';
}

int agent_parse_status(const char *json, struct agent_status *ret, char *out, size_t size)
{
	CLEANUP_JSON json_t *root = NULL;
	const json_t *answer = answer_of(json, &root);
	const json_t *exited = json_object_get(answer, "exited");
	const json_t *code = json_object_get(answer, "exitcode");
	const json_t *signal = json_object_get(answer, "signal");
	const char *data = json_string_value(json_object_get(answer, "out-data"));

	if (!json_is_boolean(exited))
		return -EBADMSG;
	struct agent_status status = { .exited = json_is_true(exited) };
	if (json_is_integer(code))
		status.exit_status = (int)(json_integer_value(code) & 0xff);
	else if (json_is_integer(signal))
		status.exit_status = 128 + (int)(json_integer_value(signal) & 0x7f);
	base64_decode(data ? data : "", out, size);
	*ret = status;
	return 0;
}
