/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the reader of ELF programs, which are whoever's deploys them. */
/* LINK: model/utf8 io/elf */
/* LIBS: libelf */
#include "replay.h"

#include <string.h>

#include "io/elf.h"
#include "model/utf8.h"

static void check_name(const char *name)
{
	require(memchr(name, 0, ELF_NAME_MAX) != NULL, "a name ends");
	require(utf8_printable(name, strlen(name)), "a name is printable");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct elf_info info;
	struct reason reason = { "" };

	if (elf_read(data, size, &info, &reason) < 0) {
		require(reason.text[0], "a refusal has a reason");
		return 0;
	}
	require(info.arch < ARCH_NUM, "the processor is known");
	check_name(info.interpreter);
	require(info.n_needed <= ELF_NEEDED_MAX, "libraries");
	for (unsigned i = 0; i < info.n_needed; i++)
		check_name(info.needed[i]);
	require(info.n_versions <= ELF_VERSIONS_MAX, "versions");
	for (unsigned i = 0; i < info.n_versions; i++) {
		const struct elf_version *v = &info.versions[i];

		check_name(v->library);
		check_name(v->name);
		for (unsigned k = 0; k < MIN(v->n_symbols, ELF_SYMBOLS_MAX); k++)
			check_name(v->symbols[k]);
	}
	return 0;
}
