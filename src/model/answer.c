/* SPDX-License-Identifier: Apache-2.0 */
/* The names of the kinds of answer, as `status` and the log say them. */
#include "model/answer.h"

static const char *const answer_kind_names[] = {
	[ANSWER_WHOLE] = "whole",
	[ANSWER_UNREACHABLE] = "unreachable",
	[ANSWER_CLOSED] = "closed",
	[ANSWER_TIMEOUT] = "timeout",
	[ANSWER_TOO_LARGE] = "too-large",
	[ANSWER_NOT_HTTP] = "not-http",
	[ANSWER_LOCAL_ERROR] = "local-error",
};
NAME_TABLE_DEFINE(answer_kind, enum answer_kind, ANSWER_KIND_NUM);
