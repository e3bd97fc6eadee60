/* SPDX-License-Identifier: Apache-2.0 */
/* What is written beside a copy of a disk, as JSON. */
#include "base/file.h"
#include "base/macro.h"
#include "io/snapshotfile.h"
#include "model/jsontext.h"
#include "model/utf8.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#define RECORD_VERSION   1
#define RECORD_BYTES_MAX (16u * 1024u)
#define CLEANUP_JSON     CLEANUP(json_decrefp)

static bool take_number(const json_t *root, const char *key, uint64_t *ret)
{
	const json_t *value = json_object_get(root, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*ret = (uint64_t)json_integer_value(value);
	return true;
}

/* "" is a digest that is not known. */
static bool is_digest(const char *text)
{
	size_t n = strspn(text, "0123456789abcdef");

	return text[n] == '\0' && (n == 0 || n == DIGEST_TEXT - 1);
}

static int from_root(const json_t *root, struct snapshot_info *ret)
{
	struct snapshot_info info = { 0 };
	uint64_t version = 0;
	char word[16] = "";

	if (!take_number(root, "version", &version) || version != RECORD_VERSION ||
		!take_number(root, "name_usec", &info.id) ||
		!take_number(root, "at_usec", &info.at_realtime) ||
		!take_number(root, "bytes", &info.bytes) ||
		!take_number(root, "virtual_bytes", &info.virtual_bytes) ||
		!json_take_text(root, "consistency", word, sizeof(word)) ||
		!json_take_text(root, "sha256", info.sha256, sizeof(info.sha256)) ||
		!json_take_text(root, "base_sha256", info.base_sha256, sizeof(info.base_sha256)) ||
		!json_take_text(root, "guest", info.guest, sizeof(info.guest)))
		return -EBADMSG;
	int consistency = snapshot_consistency_from_string(word);
	if (consistency < 0 || !info.sha256[0] || !is_digest(info.sha256) ||
		!is_digest(info.base_sha256) || !utf8_printable(info.guest, strlen(info.guest)))
		return -EBADMSG;
	info.consistency = (enum snapshot_consistency)consistency;
	*ret = info;
	return 0;
}

int snapshot_record_read(const char *path, struct snapshot_info *ret)
{
	CLEANUP_FREE char *text = NULL;
	CLEANUP_JSON json_t *root = NULL;
	size_t len;
	int r = file_read_nofollow(path, RECORD_BYTES_MAX, &text, &len);

	if (r == 0)
		r = json_read(text, len, JSON_REJECT_DUPLICATES, &root);
	return r < 0 ? r : from_root(root, ret);
}

int snapshot_record_write(const char *path, const struct snapshot_info *info)
{
	CLEANUP_JSON json_t *root = json_pack("{s:i, s:s, s:I, s:I, s:s, s:I, s:I, s:s, s:s}",
		"version", RECORD_VERSION, "guest", info->guest, "name_usec", (json_int_t)info->id,
		"at_usec", (json_int_t)info->at_realtime, "consistency",
		snapshot_consistency_to_string(info->consistency), "bytes", (json_int_t)info->bytes,
		"virtual_bytes", (json_int_t)info->virtual_bytes, "sha256", info->sha256,
		"base_sha256", info->base_sha256);
	CLEANUP_FREE char *text = root ? json_text(root, JSON_INDENT(2)) : NULL;

	return text ? file_write_atomic(path, text, strlen(text), 0600) : -ENOMEM;
}
