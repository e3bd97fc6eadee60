/* SPDX-License-Identifier: Apache-2.0 */
/* Two files of /proc. */
#include "io/hostmem.h"

#include "base/file.h"
#include "base/macro.h"
#include "base/parse.h"

#include <errno.h>
#include <string.h>

/* Some 50 lines of 28 bytes; hugepage sizes add a few. */
#define MEMINFO_MAX (16u * 1024)
#define PSI_MAX     1024u

/* "Name:     123 kB", at the beginning of a line. */
static int parse_line(const char *text, const char *name, uint64_t *ret)
{
	size_t len = strlen(name);
	const char *line = text;
	char digits[24];

	while (strncmp(line, name, len) != 0 || line[len] != ':') {
		line = strchr(line, '\n');
		if (!line++)
			return -EBADMSG;
	}
	line += len + 1;
	line += strspn(line, " ");
	len = strcspn(line, " \n");
	if (len == 0 || len >= sizeof(digits) || strncmp(line + len, " kB", 3) != 0)
		return -EBADMSG;
	memcpy(digits, line, len);
	digits[len] = '\0';
	/* An exbibyte: more is no memory, and sums of it would wrap. */
	return parse_u64(digits, 0, UINT64_C(1) << 50, ret) < 0 ? -EBADMSG : 0;
}

int hostmem_parse_meminfo(const char *text, uint64_t *ret_total_kib, uint64_t *ret_available_kib)
{
	uint64_t total, available;

	if (parse_line(text, "MemTotal", &total) < 0 ||
		parse_line(text, "MemAvailable", &available) < 0 || total == 0)
		return -EBADMSG;
	*ret_total_kib = total;
	*ret_available_kib = available;
	return 0;
}

/* "some avg10=12.34 avg60=...": always two decimals. */
int hostmem_parse_psi(const char *text, uint32_t *ret_avg10)
{
	static const char head[] = "some avg10=";
	const char *at = text + strlen(head);
	uint32_t value = 0;

	if (strncmp(text, head, strlen(head)) != 0)
		return -EBADMSG;
	size_t whole = strspn(at, "0123456789");
	if (whole == 0 || whole > 3 || at[whole] != '.' ||
		strspn(at + whole + 1, "0123456789") != 2)
		return -EBADMSG;
	for (size_t i = 0; i < whole + 3; i++)
		if (i != whole)
			value = value * 10 + (uint32_t)(at[i] - '0');
	if (value > 10000)
		return -EBADMSG;
	*ret_avg10 = value;
	return 0;
}

int hostmem_read(struct hostmem *ret)
{
	CLEANUP_FREE char *meminfo = NULL, *psi = NULL;
	struct hostmem h = { .psi_some_avg10 = HOSTMEM_PSI_ABSENT };
	int r = file_read("/proc/meminfo", MEMINFO_MAX, &meminfo, NULL);

	if (r == 0)
		r = hostmem_parse_meminfo(meminfo, &h.total_kib, &h.available_kib);
	if (r < 0)
		return r;
	if (file_read("/proc/pressure/memory", PSI_MAX, &psi, NULL) == 0)
		(void)hostmem_parse_psi(psi, &h.psi_some_avg10);
	*ret = h;
	return 0;
}
