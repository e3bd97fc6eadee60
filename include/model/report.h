/* SPDX-License-Identifier: Apache-2.0 */
/* The health report a service in a guest gives: CBOR bytes in, a plain struct or a reason out. */
#ifndef MEDIAKIT_MODEL_REPORT_H
#define MEDIAKIT_MODEL_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/nametable.h"

/* The schema is health.cddl beside this file; a test holds report_fields() against it. */

/* How a service says it is. "starting" is no answer for a single check. */
enum report_status {
	REPORT_OK,
	REPORT_DEGRADED,
	REPORT_STARTING,
	REPORT_FAILING,
	REPORT_STATUS_NUM,
};

/* Bytes of CBOR in one report. */
#define REPORT_BYTES_MAX 4096u
/* Entries of "checks". */
#define REPORT_CHECKS_MAX 16u

/* The name of a check is a text of 1 to 64 bytes under the rules for all texts below. The protocol
 * sets no limit of its own; this one keeps a line of `status` a line, and is that of "version". */
struct report_check {
	char name[65];
	enum report_status status;
};

/* A fixed size and no pointers, so it can be copied and kept. Every text is NUL-terminated and is
 * utf8_printable(); where the key was absent it is "" and has_* is false. The array sizes are the
 * limits of the schema, in bytes, plus one. */
struct report {
	enum report_status status;
	char service[41], version[65], boot_id[37], nonce[17], message[257];
	bool has_service, has_version, has_boot_id, has_nonce, has_message, has_uptime;
	uint64_t uptime_sec;
	unsigned n_checks;
	struct report_check checks[REPORT_CHECKS_MAX];
};

/* Why bytes are no report, in the order in which the checks are made. */
enum report_error {
	REPORT_ERROR_EMPTY,           /* no bytes */
	REPORT_ERROR_TOO_LARGE,       /* more than REPORT_BYTES_MAX bytes; they are not looked at */
	REPORT_ERROR_TRUNCATED,       /* ends inside an item, or a length runs past the end */
	REPORT_ERROR_NOT_WELL_FORMED, /* no CBOR by RFC 8949 */
	REPORT_ERROR_BAD_UTF8,        /* in any text, also under unknown keys */
	REPORT_ERROR_TOO_DEEP, /* over CBORSCAN_DEPTH_MAX levels, the report being the first */
	REPORT_ERROR_TOO_MANY_ITEMS, /* over CBORSCAN_ITEMS_MAX */
	REPORT_ERROR_TRAILING_BYTES, /* something after the one item */
	REPORT_ERROR_NOT_A_MAP,
	REPORT_ERROR_KEY_NOT_TEXT,  /* in the report or in "checks" */
	REPORT_ERROR_DUPLICATE_KEY, /* in the report or in "checks" */
	REPORT_ERROR_WRONG_TYPE,   /* the value of a known key; a tagged value is of another type */
	REPORT_ERROR_OUT_OF_RANGE, /* the value, or the length of the text, of a known key */
	REPORT_ERROR_CONTROL_CHARACTER, /* a text we would print is not utf8_printable() */
	REPORT_ERROR_MISSING_STATUS,
	REPORT_ERROR_NUM,
};

/* `offset` is the byte the refusal is about, at most the length of the input. `text` is a sentence
 * fragment for a person, utf8_printable(), with anything quoted from the input escaped. */
struct report_fault {
	enum report_error code;
	size_t offset;
	char text[160];
};

/*
 * Decodes the len bytes at buf, which must be exactly one report. Neither result may be NULL.
 * Returns 0 with *ret written, or -EBADMSG with *ret_fault written. Allocates nothing, takes time
 * linear in len but for the comparison of keys, of which there are at most 127.
 *
 * What is decided here beyond the words of the protocol:
 *  - A text under a known key may come in chunks (indefinite length), which are joined, and numbers
 *    and lengths may be written longer than needed: RFC 8949 holds both for the same value.
 *  - A value of an unknown key may be any well-formed CBOR, maps with strange or repeated keys
 *    included. Its texts must still be UTF-8, and it counts for depth and items.
 */
int report_decode(
	const uint8_t *buf, size_t len, struct report *ret, struct report_fault *ret_fault);

/* "ok", "degraded", "starting", "failing": the words of the protocol. -EINVAL for another word. */
NAME_TABLE_DECLARE(report_status, enum report_status);
/* "too-large", "trailing-bytes" and so on. */
NAME_TABLE_DECLARE(report_error, enum report_error);

enum report_type {
	REPORT_TYPE_STATUS, /* a text, one of the words whose bit 1 << status is in `statuses` */
	REPORT_TYPE_TEXT,   /* a text of min to max bytes */
	REPORT_TYPE_UINT,   /* an unsigned number from min to max */
	REPORT_TYPE_CHECKS, /* a map of min to max entries, name to status out of `statuses` */
	REPORT_TYPE_NUM,
};

/* One known key: the decoder's own description of the schema. */
struct report_field {
	const char *key;
	enum report_type type;
	bool required;
	unsigned statuses;
	uint64_t min, max;
	size_t offset;     /* of the value in struct report */
	size_t has_offset; /* of its has_* flag, 0 where it has none */
};

/* The table the decoder works from, of *ret_n rows, for tests. Static storage. */
const struct report_field *report_fields(unsigned *ret_n);

#endif
