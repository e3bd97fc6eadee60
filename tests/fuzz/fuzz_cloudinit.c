/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the reader of cloud-init's files, every byte of which is the guest's. */
/* LINK: model/cloudinit_status model/jsontext model/utf8 */
/* LIBS: jansson */
#include "replay.h"

#include <string.h>

#include "model/cloudinit_status.h"
#include "model/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct cloudinit_status s;
	char id[37];

	require(text != NULL, "there is memory");
	memcpy(text, data, size);
	text[size] = '\0';
	if (cloudinit_status_parse(text, id, &s) == 0) {
		require(strlen(id) == 36 && utf8_printable(id, 36), "an id is 36 printable bytes");
		require(memchr(s.quote, 0, sizeof(s.quote)) != NULL, "the quote ends");
		require(utf8_printable(s.quote, strlen(s.quote)), "the quote is printable");
		require(memchr(s.stage, 0, sizeof(s.stage)) != NULL, "the stage ends");
		require(utf8_printable(s.stage, strlen(s.stage)), "the stage is printable");
		require(s.steps <= 8, "four stages begin and end once");
		require(s.errors + s.warnings <= size, "a message takes a byte at least");
	}
	free(text);
	return 0;
}
