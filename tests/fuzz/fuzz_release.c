/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes what a guest says to a deploy, and the unit file that is to go there. */
/* LINK: base model */
/* LIBS: inih libcbor jansson libsystemd */
#include "replay.h"

#include <errno.h>
#include <string.h>

#include "base/macro.h"
#include "model/conf_value.h"
#include "model/release.h"
#include "model/unitfile.h"
#include "model/utf8.h"

static void facts(const char *text, size_t len)
{
	static struct release_facts f;

	if (release_facts(text, len, &f) < 0)
		return;
	require(f.n <= RELEASES_MAX, "no more releases than there may be");
	for (unsigned i = 0; i < f.n; i++)
		require(release_name_valid(f.list[i]), "a listed release has a name");
	require(!f.current[0] || release_name_valid(f.current), "so has the current one");
	require(utf8_printable(f.exec, strlen(f.exec)) && utf8_printable(f.glibc, strlen(f.glibc)),
		"what is shown can be printed");
	const char *before = release_before(&f);
	require(!before || strcmp(before, f.current) < 0, "the one before is older");
}

static void rows(const char *text)
{
	struct release_row row;
	unsigned n = 0;

	while (release_row_next(&text, &row) > 0) {
		require(release_name_valid(row.name) && conf_name_valid(row.service),
			"a row names what can be");
		n++;
	}
	require(n <= 1u << 20, "the rows end");
}

static void unit(const char *text, size_t len)
{
	static const char program[] = "/opt/mediakit/bin/service-fs";
	struct reason reason = { "" };
	int r = unitfile_check("u", text, len, program, &reason);

	require(r == 0 || r == -EINVAL || r == -EFBIG, "a unit file is sound, or is refused");
	require(r == 0 || reason.text[0], "with a reason");
	require(r != 0 || strstr(text, program), "a sound one names the program");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	facts(text, size);
	rows(text);
	unit(text, size);
	free(text);
	return 0;
}
