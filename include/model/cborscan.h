/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The structure of CBOR (RFC 8949) from an untrusted sender: is it well-formed, is it small enough,
 * where does an item end, which keys does a map have. Values are not interpreted here.
 *
 * Nothing allocates, recurses or reads outside the buffer; every call ends after at most as many
 * steps as the buffer has bytes (comparing the keys of a map: bytes times keys).
 */
#ifndef MEDIAKIT_MODEL_CBORSCAN_H
#define MEDIAKIT_MODEL_CBORSCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Levels of nesting, the outermost item being the first. An array, a map, a tag and a string that
 * comes in chunks are each one level. */
#define CBORSCAN_DEPTH_MAX 8u

/* Data items in one buffer: everything that has a head of its own, so the map itself, each key,
 * each value, each tag, each chunk. Break codes are no items. */
#define CBORSCAN_ITEMS_MAX 256u

/* The eight kinds of head, by their number in RFC 8949 section 3.1. */
enum cborscan_major {
	CBORSCAN_UINT,
	CBORSCAN_NEGINT,
	CBORSCAN_BYTES,
	CBORSCAN_TEXT,
	CBORSCAN_ARRAY,
	CBORSCAN_MAP,
	CBORSCAN_TAG,
	CBORSCAN_SIMPLE, /* booleans, null, floats, other simple values */
	CBORSCAN_MAJOR_NUM,
};

enum cborscan_error {
	CBORSCAN_TRUNCATED, /* the buffer ends inside an item, or a length or count runs past it */
	CBORSCAN_NOT_WELL_FORMED, /* RFC 8949 appendix C, all but a premature end */
	CBORSCAN_BAD_UTF8,        /* a text, or one chunk of a text, is not UTF-8 (section 3.2.3) */
	CBORSCAN_TOO_DEEP,
	CBORSCAN_TOO_MANY_ITEMS,
	CBORSCAN_TRAILING_BYTES, /* more after the one item */
	CBORSCAN_KEY_NOT_TEXT,
	CBORSCAN_DUPLICATE_KEY,
	CBORSCAN_ERROR_NUM,
};

/* Why a buffer is refused. `wanted` and `left` are bytes: for CBORSCAN_TRUNCATED what the item at
 * `offset` still needs at least and what there is; for CBORSCAN_TRAILING_BYTES `left` counts them.
 */
struct cborscan_fault {
	enum cborscan_error error;
	size_t offset;
	uint64_t wanted;
	size_t left;
};

/* Checks that buf holds exactly one well-formed item within the limits above, with valid UTF-8 in
 * every text. Duplicate keys are not looked for: see cborscan_map_next(). Returns 0, or -EBADMSG.
 */
int cborscan_check(const uint8_t *buf, size_t len, struct cborscan_fault *ret_fault);

/* Checks the one item that starts at pos and returns in *ret_end where the next would start.
 * Returns 0, or -EBADMSG with *ret_fault written. */
int cborscan_item(const uint8_t *buf, size_t len, size_t pos, size_t *ret_end,
	struct cborscan_fault *ret_fault);

/* The kind of the item at pos, CBORSCAN_MAJOR_NUM where the buffer has already ended. */
enum cborscan_major cborscan_major(const uint8_t *buf, size_t len, size_t pos);

/* Copies the text at pos, its chunks joined, into dst: at most size bytes, with no NUL added.
 * Returns the full length of the text, which may be over size. 0 where the item is no well-formed
 * text. */
size_t cborscan_text(const uint8_t *buf, size_t len, size_t pos, char *dst, size_t size);

/* A walk over a map whose keys must be texts, each given once. Two keys are the same when their
 * characters are, whatever chunks or length encodings they come in. */
struct cborscan_map {
	const uint8_t *buf;
	size_t len, pos;
	bool indefinite;
	uint64_t left; /* pairs still to come, unless indefinite */
	unsigned n_keys;
	size_t keys[CBORSCAN_ITEMS_MAX / 2];
};

/* Starts a walk over the map at pos. The buffer is borrowed for as long as the walk lasts. Returns
 * 0, or -EINVAL when there is no map. */
int cborscan_map_open(struct cborscan_map *map, const uint8_t *buf, size_t len, size_t pos);

/* Returns 1 with the positions of the next key and its value, 0 at the end of the map, or -EBADMSG
 * with *ret_fault written; its offset is then that of the offending key. */
int cborscan_map_next(struct cborscan_map *map, size_t *ret_key, size_t *ret_value,
	struct cborscan_fault *ret_fault);

#endif
