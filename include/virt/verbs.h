/* SPDX-License-Identifier: Apache-2.0 */
/* Which queue a request goes to, and for how long. */
#ifndef MEDIAKIT_VIRT_VERBS_H
#define MEDIAKIT_VIRT_VERBS_H

#include "virt/guests.h"

struct verb_rule {
	enum queue queue;
	usec_t timeout; /* where the request does not say another */
	bool needs_text;
};
/* Never NULL; `verb` is below HV_VERB_NUM. */
const struct verb_rule *verb_rule(enum hv_verb verb);

#endif
