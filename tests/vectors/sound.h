/* SPDX-License-Identifier: Apache-2.0 */
/* What holds of every outcome of report_decode(), whatever the input: for the unit test and the
 * fuzzer. */
#ifndef MEDIAKIT_TESTS_SOUND_H
#define MEDIAKIT_TESTS_SOUND_H

#include <stdbool.h>
#include <string.h>

#include "model/report.h"
#include "model/utf8.h"

/* NUL inside the array, fit to print, of min bytes or more where present, and "" where absent. */
static inline bool sound_text(const char *s, size_t size, bool has, size_t min)
{
	size_t n = strnlen(s, size);

	return n < size && utf8_printable(s, n) && (has ? n >= min : n == 0);
}

static inline bool sound_report(const struct report *r)
{
	bool sound = (unsigned)r->status < REPORT_STATUS_NUM && r->n_checks <= REPORT_CHECKS_MAX &&
		     sound_text(r->service, sizeof(r->service), r->has_service, 1) &&
		     sound_text(r->version, sizeof(r->version), r->has_version, 1) &&
		     sound_text(r->boot_id, sizeof(r->boot_id), r->has_boot_id, 36) &&
		     sound_text(r->nonce, sizeof(r->nonce), r->has_nonce, 16) &&
		     sound_text(r->message, sizeof(r->message), r->has_message, 0) &&
		     (r->has_uptime || r->uptime_sec == 0);

	for (unsigned i = 0; sound && i < r->n_checks; i++) {
		const struct report_check *check = &r->checks[i];

		sound = sound_text(check->name, sizeof(check->name), true, 1) &&
			(check->status == REPORT_OK || check->status == REPORT_DEGRADED ||
				check->status == REPORT_FAILING);
		for (unsigned j = 0; sound && j < i; j++)
			sound = strcmp(check->name, r->checks[j].name) != 0;
	}
	return sound;
}

static inline bool sound_fault(const struct report_fault *f, size_t len)
{
	return (unsigned)f->code < REPORT_ERROR_NUM && f->offset <= len && f->text[0] != '\0' &&
	       sound_text(f->text, sizeof(f->text), true, 1);
}

#endif
