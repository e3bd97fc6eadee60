/* SPDX-License-Identifier: Apache-2.0 */
/* Which version of cgroups the host has, and a weight on its scale. */
#include "virt/shares.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

unsigned long long shares_of_weight(const char *cgroups, unsigned weight)
{
	char path[PATH_MAX];

	/* At the root of the second version alone (cgroups(7)). */
	(void)snprintf(path, sizeof(path), "%s/cgroup.controllers", cgroups);
	return access(path, F_OK) == 0 ? weight : weight * 1024ULL / 100;
}
