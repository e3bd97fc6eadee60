/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes what reads the serial line: the watch over the boot, and the ring that keeps the tail. How
 * the bytes are cut must not matter. */
/* LINK: base model policy core/console */
/* LIBS: libsystemd jansson inih libcbor */
#include "replay.h"

#include <string.h>

#include "base/macro.h"
#include "core/console.h"
#include "model/utf8.h"
#include "policy/boot.h"

static void check_boot(const struct boot *b)
{
	usec_t look_again;
	const char *why;

	require(b->stage < BOOT_STAGE_NUM, "a stage");
	require(b->line_len <= BOOT_LINE_MAX, "a line is bounded");
	require(memchr(b->hint, 0, sizeof(b->hint)) && utf8_printable(b->hint, strlen(b->hint)),
		"the hint can be printed");
	require(b->panicked == (b->hint[0] != '\0'), "there is a hint where there was a panic");
	require(b->stage < BOOT_INIT || b->root_writable, "a program may have written");
	bool dead = boot_dead(b, USEC_PER_DAY, &look_again, &why);
	require(!dead || !b->root_writable, "a disk that may be written to is never cut off");
}

/* In pieces of a size that changes, and byte for byte. */
static void check_cuts(const uint8_t *data, size_t size, unsigned seed)
{
	struct boot pieces, bytes;

	boot_begin(&pieces, 1);
	boot_begin(&bytes, 1);
	for (size_t at = 0; at < size;) {
		size_t n = MIN(1 + seed % 61, size - at);

		seed = seed * 1103515245 + 12345;
		(void)boot_console(&pieces, data + at, n, 2);
		at += n;
	}
	for (size_t at = 0; at < size; at++)
		(void)boot_console(&bytes, data + at, 1, 2);
	check_boot(&pieces);
	check_boot(&bytes);
	require(pieces.panicked == bytes.panicked && strcmp(pieces.hint, bytes.hint) == 0,
		"a panic is one however it was cut");
	require(pieces.stage == bytes.stage, "and so is a stage");
	require(pieces.root_writable == bytes.root_writable, "and a sign of writing");
}

static void check_ring(const uint8_t *data, size_t size, unsigned seed)
{
	static char tail[CONSOLE_RING + 1];
	struct console c = { 0 };
	size_t n = 1 + seed % 4096;

	if (size == 0)
		return;
	/* Twenty rounds, so that short inputs go round the ring too. */
	for (unsigned round = 0; round < 20; round++)
		for (size_t at = 0; at < size; at += n)
			console_write(&c, data + at, MIN(n, size - at), 0);
	size_t len = console_tail(&c, tail, 1 + seed % CONSOLE_RING);
	require(len <= 1 + seed % CONSOLE_RING && len <= CONSOLE_RING, "the tail fits");
	for (size_t i = 0; i < len; i++)
		require((uint8_t)tail[len - 1 - i] == data[size - 1 - i % size],
			"the tail is what came last");
	console_free(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned seed = size > 0 ? data[0] * 2654435761u : 0;

	check_cuts(data, size, seed);
	check_ring(data, size, seed);
	return 0;
}
