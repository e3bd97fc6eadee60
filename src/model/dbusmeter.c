/* SPDX-License-Identifier: Apache-2.0 */
/* Lines, then lengths. */
#include "model/dbusmeter.h"

#include "base/macro.h"

#include <errno.h>
#include <string.h>

static const char begin[] = "BEGIN\r\n";

/* A connection begins with one byte that is null, which carries credentials elsewhere; then come
 * lines. */
static int take_handshake_byte(struct dbusmeter *m, uint8_t byte)
{
	if (++m->seen > DBUSMETER_HANDSHAKE_MAX)
		return -EMSGSIZE;
	if (m->seen == 1) {
		m->begin_line = true;
		return byte == 0 ? 0 : -EBADMSG;
	}
	m->begin_line =
		m->begin_line && m->line < sizeof(begin) - 1 && byte == (uint8_t)begin[m->line];
	m->line++;
	if (m->returned && byte == '\n') {
		bool done = m->begin_line;

		m->line = 0;
		m->begin_line = true;
		m->returned = false;
		return done;
	}
	m->returned = byte == '\r';
	return 0;
}

static int take_handshake(struct dbusmeter *m, const uint8_t *bytes, size_t len, size_t *ret_used)
{
	for (size_t i = 0; i < len; i++) {
		int r = take_handshake_byte(m, bytes[i]);
		if (r < 0)
			return r;
		if (r > 0) {
			*m = (struct dbusmeter){ .begun = true };
			*ret_used = i + 1;
			return 1;
		}
	}
	*ret_used = len;
	return 0;
}

static uint32_t header_u32(const uint8_t *header, size_t at)
{
	const uint8_t *b = header + at;

	return header[0] == 'l'
		       ? b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24
		       : b[3] | (uint32_t)b[2] << 8 | (uint32_t)b[1] << 16 | (uint32_t)b[0] << 24;
}

/* Byte order, type (0 is none), flags, version of the protocol; length of the body, serial number,
 * length of the fields, which are padded to eight. */
static int measure(struct dbusmeter *m)
{
	const uint8_t *h = m->header;

	if ((h[0] != 'l' && h[0] != 'B') || h[1] == 0 || h[3] != 1)
		return -EBADMSG;

	uint32_t body = header_u32(h, 4), fields = header_u32(h, 12);

	/* Each by itself first, so that no sum can go round. */
	if (body > DBUSMETER_MESSAGE_MAX || fields > DBUSMETER_MESSAGE_MAX)
		return -EMSGSIZE;
	m->length = DBUSMETER_HEADER + (fields + 7u) / 8u * 8u + body;
	return m->length > DBUSMETER_MESSAGE_MAX ? -EMSGSIZE : 0;
}

static int take_message(struct dbusmeter *m, const uint8_t *bytes, size_t len, size_t *ret_used)
{
	size_t used = 0;

	if (m->length == 0) {
		used = MIN(len, DBUSMETER_HEADER - m->seen);
		memcpy(m->header + m->seen, bytes, used);
		m->seen += used;
		if (m->seen == DBUSMETER_HEADER) {
			int r = measure(m);
			if (r < 0)
				return r;
		}
	}
	if (m->length > 0) {
		size_t rest = MIN(len - used, m->length - m->seen);

		m->seen += rest;
		used += rest;
	}
	*ret_used = used;
	if (m->length == 0 || m->seen < m->length)
		return 0;
	*m = (struct dbusmeter){ .begun = true };
	return 1;
}

int dbusmeter_take(struct dbusmeter *m, const uint8_t *bytes, size_t len, size_t *ret_used)
{
	return m->begun ? take_message(m, bytes, len, ret_used)
			: take_handshake(m, bytes, len, ret_used);
}
