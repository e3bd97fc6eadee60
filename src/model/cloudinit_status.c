/* SPDX-License-Identifier: Apache-2.0 */
/* cloud-init's status.json and result.json, by jansson. */
#include "model/cloudinit_status.h"

#include "base/macro.h"
#include "model/cloudinit.h"
#include "model/jsontext.h"
#include "model/utf8.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#define CLEANUP_JSON CLEANUP(json_decrefp)

static const char *const cloudinit_state_names[] = {
	[CLOUDINIT_UNKNOWN] = "unknown",
	[CLOUDINIT_RUNNING] = "running",
	[CLOUDINIT_DONE] = "done",
	[CLOUDINIT_DEGRADED] = "degraded",
	[CLOUDINIT_ERROR] = "error",
	[CLOUDINIT_DISABLED] = "disabled",
	[CLOUDINIT_SKIPPED] = "skipped",
};
NAME_TABLE_DEFINE(cloudinit_state, enum cloudinit_state, CLOUDINIT_STATE_NUM);

#define BOOT_ID_FILE  "/proc/sys/kernel/random/boot_id"
#define STATUS_FILE   "/run/cloud-init/status.json"
#define RESULT_FILE   "/run/cloud-init/result.json"
#define DISABLED_FILE "/run/cloud-init/disabled"

/* head -v writes "==> NAME <==" before each file that is there, and bounds each on its own. */
const char *const cloudinit_status_command[] = { "/usr/bin/head", "-v", "-c", "8192", BOOT_ID_FILE,
	STATUS_FILE, RESULT_FILE, DISABLED_FILE, NULL };
static_assert(CLOUDINIT_FILE_MAX == 8192, "the command has the number in it");

/* What head wrote of one file; NULL where it is not there. */
static const char *section(const char *output, const char *file, size_t *ret_len)
{
	char head[64];
	int len = snprintf(head, sizeof(head), "==> %s <==\n", file);
	const char *at = strstr(output, head);

	if (!at)
		return NULL;
	at += len;
	const char *end = strstr(at, "\n==> /");
	*ret_len = MIN(end ? (size_t)(end - at) : strlen(at), (size_t)CLOUDINIT_FILE_MAX);
	return at;
}

/* The "v1" of a file, borrowed from *ret_root; NULL where there is none. 0, or -ENOMEM. */
static int load(const char *text, size_t len, json_t **ret_root, const json_t **ret)
{
	int r = text ? json_read(
			       text, len, JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, ret_root)
		     : 0;

	if (r == -ENOMEM)
		return r;
	*ret = json_object_get(*ret_root, "v1");
	return 0;
}

static void quote(struct cloudinit_status *s, const json_t *message)
{
	char piece[CLOUDINIT_PIECE_MAX];
	size_t used = strlen(s->quote);
	const char *text = json_string_value(message);

	if (!text)
		return;
	size_t len = utf8_escape(piece, sizeof(piece), text, json_string_length(message));
	/* Whole pieces only: half a message misleads. */
	if (used + len + 4 <= sizeof(s->quote))
		(void)snprintf(
			s->quote + used, sizeof(s->quote) - used, "%s%s", used ? " | " : "", piece);
}

static unsigned take_messages(struct cloudinit_status *s, const json_t *list)
{
	size_t n = json_array_size(list);

	for (size_t i = 0; i < n; i++)
		quote(s, json_array_get(list, i));
	return (unsigned)n;
}

static const char *const stages[] = { "init-local", "init", "modules-config", "modules-final" };

/* Errors first, so that warnings never push them out of the quote. */
static void take_stages(struct cloudinit_status *s, const json_t *v1)
{
	for (size_t i = 0; i < ARRAY_SIZE(stages); i++) {
		const json_t *stage = json_object_get(v1, stages[i]);

		s->steps += json_is_number(json_object_get(stage, "start"));
		s->steps += json_is_number(json_object_get(stage, "finished"));
		s->errors += take_messages(s, json_object_get(stage, "errors"));
	}
	/* By level: {"WARNING": […], "DEPRECATED": […]}. */
	for (size_t i = 0; i < ARRAY_SIZE(stages); i++) {
		json_t *levels =
			json_object_get(json_object_get(v1, stages[i]), "recoverable_errors");
		const char *level;
		json_t *list;

		json_object_foreach(levels, level, list) s->warnings += take_messages(s, list);
	}
	const char *now = json_string_value(json_object_get(v1, "stage"));
	if (now)
		(void)utf8_escape(s->stage, sizeof(s->stage), now, strlen(now));
}

static enum cloudinit_state state_of(const struct cloudinit_status *s, bool result, bool began)
{
	if (!result)
		return began ? CLOUDINIT_RUNNING : CLOUDINIT_UNKNOWN;
	if (s->errors > 0)
		return CLOUDINIT_ERROR;
	return s->warnings > 0 ? CLOUDINIT_DEGRADED : CLOUDINIT_DONE;
}

/* The file that keeps it from running, where that is ours, says why. */
static void take_disabled(struct cloudinit_status *s, const char *text, size_t len)
{
	const size_t mark = strlen(CLOUDINIT_SKIPPED_MARK " ");

	s->state = CLOUDINIT_DISABLED;
	if (len < mark || memcmp(text, CLOUDINIT_SKIPPED_MARK " ", mark) != 0)
		return;
	const char *end = memchr(text, '\n', len);
	s->state = CLOUDINIT_SKIPPED;
	(void)utf8_escape(s->quote, CLOUDINIT_PIECE_MAX, text + mark,
		(end ? (size_t)(end - text) : len) - mark);
}

int cloudinit_status_parse(
	const char *output, char ret_boot_id[static 37], struct cloudinit_status *ret)
{
	CLEANUP_JSON json_t *status_root = NULL;
	CLEANUP_JSON json_t *result_root = NULL;
	struct cloudinit_status s = { 0 };
	size_t id_len = 0, status_len = 0, result_len = 0, disabled_len = 0;
	const char *id = section(output, BOOT_ID_FILE, &id_len);
	const char *status = section(output, STATUS_FILE, &status_len);
	const char *result = section(output, RESULT_FILE, &result_len);
	const char *disabled = section(output, DISABLED_FILE, &disabled_len);

	if (!id || strcspn(id, "\n") != 36 || !utf8_printable(id, 36))
		return -EBADMSG;
	const json_t *v1 = NULL, *ended = NULL;
	if (load(status, status_len, &status_root, &v1) < 0 ||
		load(result, result_len, &result_root, &ended) < 0)
		return -ENOMEM;
	take_stages(&s, v1);
	/* It has the errors of all stages again. */
	if (s.errors == 0)
		s.errors = take_messages(&s, json_object_get(ended, "errors"));
	/* The file is put there whole when all is over, so it says so even where it is too long to
	 * be read here; and one of that length is full of errors. */
	if (result && !ended && result_len >= CLOUDINIT_FILE_MAX && s.errors == 0)
		s.errors = 1;
	s.state = state_of(&s, ended || result_len >= CLOUDINIT_FILE_MAX, status != NULL);
	if (s.state == CLOUDINIT_UNKNOWN && disabled)
		take_disabled(&s, disabled, disabled_len);
	if (cloudinit_state_over(s.state))
		s.stage[0] = '\0';
	memcpy(ret_boot_id, id, 36);
	ret_boot_id[36] = '\0';
	*ret = s;
	return 0;
}

bool cloudinit_state_over(enum cloudinit_state state)
{
	return state == CLOUDINIT_DONE || state == CLOUDINIT_DEGRADED || state == CLOUDINIT_ERROR ||
	       state == CLOUDINIT_DISABLED || state == CLOUDINIT_SKIPPED;
}
