/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes report_decode() and utf8_escape(). */
/* LINK: model/report model/cborscan model/utf8 */
/* LIBS: libcbor */
#include "replay.h"

#include <string.h>

#include "../vectors/sound.h"
#include "model/cborscan.h"
#include "model/report.h"
#include "model/utf8.h"

static void check_report(const uint8_t *data, size_t size)
{
	struct report report;
	struct report_fault fault;
	struct cborscan_fault scan_fault;

	if (report_decode(data, size, &report, &fault) < 0) {
		require(sound_fault(&fault, size), "a fault is sound");
		return;
	}
	require(sound_report(&report), "a report is sound");
	require(cborscan_check(data, size, &scan_fault) == 0, "a report is well-formed");
	/* An item is never the beginning of another one, nor of itself. */
	require(report_decode(data, size - 1, &report, &fault) < 0, "a report cut short is none");
}

/* The scanner has to be safe on bytes that nobody has checked. */
static void check_walk(const uint8_t *data, size_t size)
{
	struct cborscan_map map;
	struct cborscan_fault fault;
	size_t key, value;
	char text[32];

	if (cborscan_map_open(&map, data, size, 0) < 0)
		return;
	while (cborscan_map_next(&map, &key, &value, &fault) > 0)
		require(key < value && value < size, "keys come before values");
	for (size_t pos = 0; pos < size && pos < 64; pos++)
		(void)cborscan_text(data, size, pos, text, sizeof(text));
}

static void check_escape(const uint8_t *data, size_t size)
{
	char text[64];
	size_t room = size > 0 ? 1 + data[0] % sizeof(text) : 1;
	size_t n = utf8_escape(text, room, (const char *)data, size);

	require(n < room && strlen(text) == n && utf8_printable(text, n), "escaped is printable");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_report(data, size);
	check_walk(data, size);
	check_escape(data, size);
	return 0;
}
