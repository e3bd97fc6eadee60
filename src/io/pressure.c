/* SPDX-License-Identifier: Apache-2.0 */
/* One line of /proc/pressure/cpu. */
#include "io/pressure.h"

#include "base/file.h"
#include "base/macro.h"
#include "base/parse.h"

#include <errno.h>
#include <string.h>

/* Two lines of some 70 bytes. */
#define PRESSURE_MAX 1024u

int pressure_parse(const char *text, usec_t *ret_total)
{
	char digits[24];

	if (strncmp(text, "some ", 5) != 0)
		return -EBADMSG;
	size_t line = strcspn(text, "\n");
	const char *total = strstr(text, " total=");
	if (!total || total >= text + line)
		return -EBADMSG;
	total += strlen(" total=");
	size_t len = strcspn(total, " \n");
	if (len == 0 || len >= sizeof(digits))
		return -EBADMSG;
	memcpy(digits, total, len);
	digits[len] = '\0';
	return parse_u64(digits, 0, UINT64_MAX - 1, ret_total) < 0 ? -EBADMSG : 0;
}

int pressure_cpu(usec_t *ret_total)
{
	CLEANUP_FREE char *text = NULL;
	int r = file_read("/proc/pressure/cpu", PRESSURE_MAX, &text, NULL);

	return r < 0 ? r : pressure_parse(text, ret_total);
}
