/* SPDX-License-Identifier: Apache-2.0 */
/* The words of core/cputune, for those who link nothing else of it. */
#include "core/cputune.h"

static const char *const cputune_effect_names[] = {
	[CPUTUNE_NONE] = "none",
	[CPUTUNE_PENDING] = "pending",
	[CPUTUNE_APPLIED] = "applied",
	[CPUTUNE_NO_EFFECT] = "no-effect",
	[CPUTUNE_FAILED] = "failed",
};
NAME_TABLE_DEFINE(cputune_effect, enum cputune_effect, CPUTUNE_NUM);
