/* SPDX-License-Identifier: Apache-2.0 */
/* The same words and colours for the same things on every screen. */
#ifndef MEDIAKIT_CLI_WORDS_H
#define MEDIAKIT_CLI_WORDS_H

#include "cli/term.h"
#include "cli/view.h"

/* What a state looks like: the sign stands for those who do not see the colour. */
struct look {
	const char *word, *sign; /* the sign is UTF-8 */
	enum term_color color;
};
struct look guest_look(const struct view_guest *g);
struct look service_look(const struct view_service *s);

/* "3s", "2h 4min": whole seconds; "" for a point in time that is 0. Returns buf. */
char *age_text(char *buf, size_t size, usec_t at, usec_t now);
/* The same with one unit only: "2h". */
char *age_short(char *buf, size_t size, usec_t at, usec_t now);
/* "0.4ms", "12ms", "1.2s". Returns buf. */
char *latency_text(char *buf, size_t size, usec_t latency);
#define AGE_TEXT_MAX 40u

/* Why a service is as it is, where that takes words; "" for a plain healthy one. Returns buf. */
char *service_reason(char *buf, size_t size, const struct view_service *s);
#define REASON_TEXT_MAX 512u

/* What cloud-init counted in this boot: "degraded, 2 warnings: no key | old"; or that it was
 * skipped, and why; "" for nothing. Returns buf. */
char *cloudinit_words(char *buf, size_t size, const struct view_guest *g);

/* Where a guest is on its way, on one line: "booting 34s: cloud-init, 34s of about 45s; 2 of 6
 * active services up; waits for local-proofreader (starting)". Returns buf. */
char *progress_text(char *buf, size_t size, const struct view_guest *g, usec_t now_realtime);
#define PROGRESS_TEXT_MAX 1024u

/* Appends to a text of `size` bytes, cutting at the end; never past it. */
void text_add(char *buf, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
