/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes state_from_text(): what is taken is sound, and survives being written and read again. */
/* LINK: model/state model/jsontext model/utf8 */
/* LIBS: jansson */
#include "replay.h"

#include <string.h>

#include "model/state.h"
#include "model/utf8.h"

static void check_text(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	require(len < size, "a text ends inside its field");
	require(utf8_printable(text, len), "a text is printable");
}

#define CHECK(field) check_text(field, sizeof(field))

static void check_record(const struct state_record *r)
{
	CHECK(r->host_boot_id);
	CHECK(r->want);
	CHECK(r->state);
	CHECK(r->boot_id);
	CHECK(r->past_boot_id);
	CHECK(r->boot_stage);
	CHECK(r->exit_cause);
	CHECK(r->exit_rung);
	CHECK(r->exit_words);
	require(r->n_faults <= STATE_FAULTS, "faults are bounded");
	require(r->n_services <= SPEC_SERVICES_MAX, "services are bounded");
	for (unsigned i = 0; i < r->n_services; i++) {
		CHECK(r->services[i].name);
		CHECK(r->services[i].state);
		CHECK(r->services[i].verdict);
		CHECK(r->services[i].reason);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct state_record r, again;

	memset(&r, 0, sizeof(r));
	memset(&again, 0, sizeof(again));
	if (state_from_text((const char *)data, size, &r) < 0)
		return 0;
	check_record(&r);
	char *text = state_to_text(&r);
	require(text != NULL, "what was read can be written");
	require(state_from_text(text, strlen(text), &again) == 0, "what was written can be read");
	char *text_again = state_to_text(&again);
	require(text_again && strcmp(text, text_again) == 0, "and says the same");
	free(text);
	free(text_again);
	return 0;
}
