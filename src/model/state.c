/* SPDX-License-Identifier: Apache-2.0 */
/* The state record as JSON: one table of fields serves both directions. */
#include "model/state.h"

#include "base/macro.h"
#include "model/jsontext.h"
#include "model/utf8.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

enum field_type { FIELD_TEXT, FIELD_USEC, FIELD_UINT, FIELD_BOOL };

struct field {
	const char *key;
	enum field_type type;
	size_t offset, size;
};

#define FIELD(strukt, type_, member)                                                               \
	{                                                                                          \
#member, FIELD_##type_, offsetof(struct strukt, member),                           \
			sizeof(((struct strukt *)0)->member)                                       \
	}

static const struct field guest_fields[] = {
	FIELD(state_record, TEXT, host_boot_id),
	FIELD(state_record, TEXT, want),
	FIELD(state_record, TEXT, state),
	FIELD(state_record, USEC, since_realtime),
	FIELD(state_record, USEC, started_realtime),
	FIELD(state_record, BOOL, healthy),
	FIELD(state_record, USEC, healthy_since_realtime),
	FIELD(state_record, TEXT, boot_id),
	FIELD(state_record, TEXT, past_boot_id),
	FIELD(state_record, BOOL, boot_id_by_agent),
	FIELD(state_record, TEXT, boot_stage),
	FIELD(state_record, TEXT, exit_cause),
	FIELD(state_record, TEXT, exit_rung),
	FIELD(state_record, TEXT, exit_words),
	FIELD(state_record, USEC, exit_at_realtime),
	FIELD(state_record, USEC, exit_uptime),
	FIELD(state_record, USEC, exit_took),
	FIELD(state_record, TEXT, fs_word),
	FIELD(state_record, TEXT, fs_words),
	FIELD(state_record, TEXT, boot_key),
	FIELD(state_record, USEC, balloon_override_kib),
	FIELD(state_record, USEC, balloon_override_until_realtime),
	FIELD(state_record, USEC, balloon_learned_kib),
	FIELD(state_record, USEC, balloon_fall_kib_s),
	FIELD(state_record, USEC, balloon_learned_until_realtime),
	FIELD(state_record, USEC, balloon_learned_decayed_realtime),
	FIELD(state_record, USEC, balloon_lesson_at_realtime),
	FIELD(state_record, USEC, balloon_fall_at_realtime),
	FIELD(state_record, UINT, balloon_lessons),
	FIELD(state_record, BOOL, balloon_lesson_unseen),
	FIELD(state_record, TEXT, ending),
	FIELD(state_record, TEXT, xml_sha256),
	FIELD(state_record, USEC, qemu_version),
	FIELD(state_record, TEXT, start_kind),
	FIELD(state_record, TEXT, start_words),
	FIELD(state_record, USEC, saved_realtime),
	FIELD(state_record, BOOL, save_asked),
	FIELD(state_record, BOOL, clock_wrong),
	FIELD(state_record, TEXT, glibc),
	FIELD(state_record, TEXT, glibc_disk),
	FIELD(state_record, USEC, snapshot_tried_realtime),
	FIELD(state_record, BOOL, snapshot_failed),
	FIELD(state_record, TEXT, snapshot_result),
	FIELD(state_record, BOOL, thaw_owed),
};

static const struct field boot_fields[] = {
	FIELD(state_boot, BOOL, tcg),
	FIELD(state_boot, BOOL, first),
	FIELD(state_boot, USEC, firmware),
	FIELD(state_boot, USEC, kernel),
	FIELD(state_boot, USEC, init),
	FIELD(state_boot, USEC, cloud_init),
	FIELD(state_boot, USEC, services),
};

static const struct field service_fields[] = {
	FIELD(state_service, TEXT, name),
	FIELD(state_service, TEXT, state),
	FIELD(state_service, TEXT, verdict),
	FIELD(state_service, TEXT, reason),
	FIELD(state_service, USEC, since_realtime),
	FIELD(state_service, USEC, judged_realtime),
	FIELD(state_service, USEC, latency),
	FIELD(state_service, UINT, successes),
	FIELD(state_service, UINT, failures),
	FIELD(state_service, BOOL, proven),
	FIELD(state_service, BOOL, flagged),
	FIELD(state_service, UINT, unit_restarts),
	FIELD(state_service, USEC, unit_window_realtime),
};

static const struct field forward_fields[] = {
	FIELD(state_forward, UINT, port),
	FIELD(state_forward, UINT, host_port),
};

#define CLEANUP_JSON CLEANUP(json_decrefp)

/* A text that was cut in the middle of a character is no UTF-8, which JSON can't carry; without
 * this it would cost the whole record. */
static json_t *text_to_json(const char *text, size_t size)
{
	json_t *value = json_string(text);

	if (value)
		return value;
	CLEANUP_FREE char *escaped = malloc(size);
	if (!escaped)
		return NULL;
	(void)utf8_escape(escaped, size, text, strlen(text));
	return json_string(escaped);
}

static json_t *field_to_json(const struct field *f, const void *base)
{
	const char *at = (const char *)base + f->offset;

	switch (f->type) {
	case FIELD_TEXT:
		return text_to_json(at, f->size);
	case FIELD_USEC:
		return json_integer((json_int_t)MIN(*(const usec_t *)at, (usec_t)INT64_MAX));
	case FIELD_UINT:
		return json_integer(*(const unsigned *)at);
	case FIELD_BOOL:
		return json_boolean(*(const bool *)at);
	}
	return NULL;
}

static json_t *fields_to_json(const struct field *fields, size_t n, const void *base)
{
	CLEANUP_JSON json_t *object = json_object();

	for (size_t i = 0; i < n; i++)
		if (json_object_set_new(object, fields[i].key, field_to_json(&fields[i], base)) < 0)
			return NULL;
	return TAKE_PTR(object);
}

/* What we wrote is printable and fits; it is taken as it is, because escaping doubles each
 * backslash. */
static void text_from_json(const json_t *value, char *at, size_t size)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);

	if (!text)
		return;
	if (len < size && utf8_printable(text, len))
		memcpy(at, text, len + 1);
	else
		(void)utf8_escape(at, size, text, len);
}

/* A member that is missing or of another type leaves the field zero: an older version did not write
 * it. */
static void field_from_json(const struct field *f, const json_t *value, void *base)
{
	char *at = (char *)base + f->offset;
	json_int_t v = MAX(json_integer_value(value), (json_int_t)0);

	switch (f->type) {
	case FIELD_TEXT:
		text_from_json(value, at, f->size);
		break;
	case FIELD_USEC:
		*(usec_t *)at = (usec_t)v;
		break;
	case FIELD_UINT:
		*(unsigned *)at = (unsigned)MIN(v, (json_int_t)UINT32_MAX);
		break;
	case FIELD_BOOL:
		*(bool *)at = json_is_true(value);
		break;
	}
}

static void fields_from_json(const struct field *fields, size_t n, const json_t *object, void *base)
{
	for (size_t i = 0; i < n; i++)
		field_from_json(&fields[i], json_object_get(object, fields[i].key), base);
}

static json_t *faults_to_json(const struct state_record *r)
{
	CLEANUP_JSON json_t *faults = json_array();

	for (unsigned i = 0; i < MIN(r->n_faults, STATE_FAULTS); i++)
		if (json_array_append_new(faults, json_integer((json_int_t)r->fault_realtime[i])) <
			0)
			return NULL;
	return TAKE_PTR(faults);
}

static json_t *boots_to_json(const struct state_record *r)
{
	CLEANUP_JSON json_t *boots = json_array();

	for (unsigned i = 0; i < MIN(r->n_boots, STATE_BOOTS); i++)
		if (json_array_append_new(boots,
			    fields_to_json(boot_fields, ARRAY_SIZE(boot_fields), &r->boots[i])) < 0)
			return NULL;
	return TAKE_PTR(boots);
}

static json_t *services_to_json(const struct state_record *r)
{
	CLEANUP_JSON json_t *services = json_array();

	for (unsigned i = 0; i < MIN(r->n_services, SPEC_SERVICES_MAX); i++)
		if (json_array_append_new(
			    services, fields_to_json(service_fields, ARRAY_SIZE(service_fields),
					      &r->services[i])) < 0)
			return NULL;
	return TAKE_PTR(services);
}

static json_t *forwards_to_json(const struct state_record *r)
{
	CLEANUP_JSON json_t *forwards = json_array();

	for (unsigned i = 0; i < MIN(r->n_forwards, SPEC_SERVICES_MAX); i++)
		if (json_array_append_new(
			    forwards, fields_to_json(forward_fields, ARRAY_SIZE(forward_fields),
					      &r->forwards[i])) < 0)
			return NULL;
	return TAKE_PTR(forwards);
}

char *state_to_text(const struct state_record *r)
{
	CLEANUP_JSON json_t *root = fields_to_json(guest_fields, ARRAY_SIZE(guest_fields), r);

	if (json_object_set_new(root, "version", json_integer(STATE_VERSION)) < 0 ||
		json_object_set_new(root, "faults", faults_to_json(r)) < 0 ||
		json_object_set_new(root, "boots", boots_to_json(r)) < 0 ||
		json_object_set_new(root, "services", services_to_json(r)) < 0 ||
		(r->forwards_known &&
			json_object_set_new(root, "forwards", forwards_to_json(r)) < 0))
		return NULL;
	return json_text(root, JSON_INDENT(1));
}

int state_from_text(const char *text, size_t len, struct state_record *ret)
{
	CLEANUP_JSON json_t *root = NULL;
	struct state_record r = { 0 };
	const json_t *item;
	size_t i;

	int error = json_read(text, len, JSON_REJECT_DUPLICATES, &root);
	if (error < 0)
		return error;
	const json_t *version = json_object_get(root, "version");

	if (!json_is_integer(version) || json_integer_value(version) < 1)
		return -EBADMSG;
	if (json_integer_value(version) > STATE_VERSION)
		return -EPROTONOSUPPORT;
	fields_from_json(guest_fields, ARRAY_SIZE(guest_fields), root, &r);
	json_array_foreach(json_object_get(root, "faults"), i, item) if (i < STATE_FAULTS)
		r.fault_realtime[r.n_faults++] =
		(usec_t)MAX(json_integer_value(item), (json_int_t)0);
	json_array_foreach(json_object_get(root, "boots"), i, item) if (i < STATE_BOOTS)
		fields_from_json(boot_fields, ARRAY_SIZE(boot_fields), item, &r.boots[r.n_boots++]);
	json_array_foreach(json_object_get(root, "services"), i, item) if (i < SPEC_SERVICES_MAX)
		fields_from_json(service_fields, ARRAY_SIZE(service_fields), item,
			&r.services[r.n_services++]);
	const json_t *forwards = json_object_get(root, "forwards");

	r.forwards_known = json_is_array(forwards);
	json_array_foreach(forwards, i, item) if (i < SPEC_SERVICES_MAX)
		fields_from_json(forward_fields, ARRAY_SIZE(forward_fields), item,
			&r.forwards[r.n_forwards++]);
	*ret = r;
	return 0;
}
