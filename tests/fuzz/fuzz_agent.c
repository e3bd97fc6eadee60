/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the parsers of the guest agent's answers, every byte of which is the guest's. */
/* LINK: base/parse base/time model/agent model/glibc model/jsontext */
/* LIBS: jansson */
#include "replay.h"

#include <string.h>

#include "model/agent.h"
#include "model/glibc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *json = malloc(size + 1);
	char out[64];
	struct agent_status status = { .exit_status = -1 };
	char version[GLIBC_TEXT_MAX];
	long pid;

	require(json != NULL, "there is memory");
	memcpy(json, data, size);
	json[size] = '\0';
	if (agent_parse_exec(json, &pid) == 0)
		require(pid > 0, "a pid is above 0");
	for (size_t room = 1; room <= sizeof(out); room += 21) {
		memset(out, 0x5a, sizeof(out));
		if (agent_parse_status(json, &status, out, room) < 0)
			continue;
		require(memchr(out, 0, room) != NULL, "the output ends inside its buffer");
		require(room == sizeof(out) || out[room] == 0x5a, "nothing is written behind it");
		require(status.exit_status >= 0 && status.exit_status <= 255,
			"an exit status is a byte");
	}
	if (glibc_from_answer(json, version) == 0)
		require(strspn(version, "0123456789.") == strlen(version), "a version is one");
	free(json);
	return 0;
}
