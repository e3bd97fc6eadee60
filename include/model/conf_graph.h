/* SPDX-License-Identifier: Apache-2.0 */
/* The checks that need more than one object: who depends on whom, and who holds which host port. */
#ifndef MEDIAKIT_MODEL_CONF_GRAPH_H
#define MEDIAKIT_MODEL_CONF_GRAPH_H

#include "model/conf_build.h"

/* Reports every dependency that is unknown or on the service itself, and every cycle once. */
void conf_check_depends(
	struct conf_build *b, const struct guest_spec *g, const struct conf_guest *at);

/* Reports every host port asked for a second time, by a service or by SSH, of any guest. Addresses
 * do not matter: every forward is bound on 127.0.0.1 too. */
void conf_check_host_ports(struct conf_build *b);

#endif
