/* SPDX-License-Identifier: Apache-2.0 */
/* provision.json, by jansson. */
#include "io/record.h"

#include "base/file.h"
#include "model/jsontext.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define RECORD_BYTES_MAX (64u * 1024u)
#define RECORD_VERSION   1

/* Those of the second half came later: a record without them is one all the same. */
enum field_kind {
	FIELD_TEXT,
	FIELD_NUMBER,
	FIELD_BOOL,
	FIELD_NEW_TEXT,
	FIELD_NEW_NUMBER,
};

/* One table for both directions. Numbers are JSON integers, which jansson keeps in 64 bits. */
static const struct field {
	const char *name;
	enum field_kind kind;
	size_t offset, size;
} fields[] = {
#define FIELD(key, field_kind_, member)                                                            \
	{                                                                                          \
		key, field_kind_, offsetof(struct record, member),                                 \
			sizeof(((struct record *)0)->member)                                       \
	}
	FIELD("base", FIELD_TEXT, base),
	FIELD("sha256", FIELD_TEXT, sha256),
	FIELD("base_bytes", FIELD_NUMBER, base_bytes),
	FIELD("virtual_bytes", FIELD_NUMBER, virtual_bytes),
	FIELD("verified", FIELD_BOOL, verified),
	FIELD("source", FIELD_TEXT, source),
	FIELD("device", FIELD_NUMBER, device),
	FIELD("inode", FIELD_NUMBER, inode),
	FIELD("source_bytes", FIELD_NUMBER, source_bytes),
	FIELD("mtime_nsec", FIELD_NUMBER, mtime_nsec),
	FIELD("ctime_nsec", FIELD_NUMBER, ctime_nsec),
	FIELD("instance_id", FIELD_TEXT, instance_id),
	FIELD("signer", FIELD_NEW_TEXT, signer),
	FIELD("base_inode", FIELD_NEW_NUMBER, base_inode),
	FIELD("base_mtime_nsec", FIELD_NEW_NUMBER, base_mtime_nsec),
	FIELD("glibc", FIELD_NEW_TEXT, glibc),
#undef FIELD
};

static int load_field(const json_t *root, const struct field *field, struct record *record)
{
	const json_t *value = json_object_get(root, field->name);
	char *to = (char *)record + field->offset;

	if (!value && field->kind >= FIELD_NEW_TEXT)
		return 0;
	switch (field->kind) {
	case FIELD_TEXT:
	case FIELD_NEW_TEXT:
		if (!json_is_string(value) || json_string_length(value) >= field->size)
			return -EBADMSG;
		memcpy(to, json_string_value(value), json_string_length(value) + 1);
		return 0;
	case FIELD_NUMBER:
	case FIELD_NEW_NUMBER:
		if (!json_is_integer(value))
			return -EBADMSG;
		*(uint64_t *)to = (uint64_t)json_integer_value(value);
		return 0;
	case FIELD_BOOL:
		if (!json_is_boolean(value))
			return -EBADMSG;
		*(bool *)to = json_is_true(value);
		return 0;
	}
	return -EBADMSG;
}

static int load_root(const json_t *root, struct record *record)
{
	if (json_integer_value(json_object_get(root, "version")) != RECORD_VERSION)
		return -EBADMSG;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		int r = load_field(root, &fields[i], record);
		if (r < 0)
			return r;
	}
	const char *format = json_string_value(json_object_get(root, "format"));
	int value = disk_format_from_string(format);
	if (value < 0 || strchr(record->base, '/'))
		return -EBADMSG;
	record->format = (enum disk_format)value;
	return 0;
}

int record_read(const char *path, struct record *ret)
{
	CLEANUP_FREE char *text = NULL;
	struct record record = { 0 };
	size_t len = 0;
	int r = file_read_nofollow(path, RECORD_BYTES_MAX, &text, &len);

	if (r < 0)
		return r;
	json_t *root = NULL;
	r = json_read(text, len, 0, &root);
	if (r == 0)
		r = load_root(root, &record);
	json_decref(root);
	if (r >= 0)
		*ret = record;
	return r;
}

static json_t *to_json(const struct record *record)
{
	json_t *root = json_pack("{s:i, s:s}", "version", RECORD_VERSION, "format",
		disk_format_to_string(record->format));

	for (size_t i = 0; root && i < ARRAY_SIZE(fields); i++) {
		const char *from = (const char *)record + fields[i].offset;
		json_t *value = NULL;

		switch (fields[i].kind) {
		case FIELD_TEXT:
		case FIELD_NEW_TEXT:
			value = json_string(from);
			break;
		case FIELD_BOOL:
			value = json_boolean(*(const bool *)from);
			break;
		case FIELD_NUMBER:
		case FIELD_NEW_NUMBER:
			value = json_integer((json_int_t) * (const uint64_t *)from);
			break;
		}

		/* A path need not be UTF-8, which JSON is; such a record is not kept. */
		if (json_object_set_new(root, fields[i].name, value) < 0) {
			json_decref(root);
			return NULL;
		}
	}
	return root;
}

static bool is_same(const char *path, const json_t *root)
{
	struct record old;

	if (record_read(path, &old) < 0)
		return false;
	json_t *known = to_json(&old);
	bool same = known && json_equal(known, root);
	json_decref(known);
	return same;
}

static int write_root(const char *path, json_t *root, usec_t realtime)
{
	char time[RECORD_TIME_TEXT];
	int r = -ENOMEM;

	record_time(realtime, false, time);
	if (json_object_set_new(root, "time", json_string(time)) == 0) {
		CLEANUP_FREE char *text = json_text(root, JSON_INDENT(2));
		if (text)
			r = file_write_atomic(path, text, strlen(text), 0600);
	}
	return r < 0 ? r : 1;
}

int record_write(const char *path, const struct record *record, usec_t now_realtime_usec)
{
	json_t *root = to_json(record);

	if (!root)
		return -EINVAL;
	int r = is_same(path, root) ? 0 : write_root(path, root, now_realtime_usec);
	json_decref(root);
	return r;
}

void record_disk(
	const struct record *record, const char *disk_path, char ret[static RECORD_DISK_TEXT])
{
	static_assert(RECORD_DISK_TEXT > 16 + 1 + LAYOUT_BASE_NAME, "a base's name is cut");
	struct stat st = { 0 };

	/* A guest without one is what it is: zero. */
	(void)lstat(disk_path, &st);
	(void)snprintf(
		ret, RECORD_DISK_TEXT, "%llx %s", (unsigned long long)st.st_ino, record->base);
}

void record_time(usec_t realtime, bool compact, char ret[static RECORD_TIME_TEXT])
{
	time_t seconds = (time_t)(realtime / USEC_PER_SEC);
	struct tm tm = { 0 };

	(void)gmtime_r(&seconds, &tm);
	if (strftime(ret, RECORD_TIME_TEXT, compact ? "%Y%m%dT%H%M%SZ" : "%Y-%m-%dT%H:%M:%SZ",
		    &tm) == 0)
		(void)snprintf(ret, RECORD_TIME_TEXT, "0");
}
