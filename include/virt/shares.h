/* SPDX-License-Identifier: Apache-2.0 */
/* CPUWeight= as the host's cgroups count it. */
#ifndef MEDIAKIT_VIRT_SHARES_H
#define MEDIAKIT_VIRT_SHARES_H

#define SHARES_CGROUPS "/sys/fs/cgroup"

/* libvirt hands the number to the cgroup as it is. Version 2 takes systemd's scale, 1 to 10000
 * around 100; version 1, also where version 2 is mounted beside it, takes shares around 1024
 * (systemd.resource-control(5)). `weight` 1 to 10000; `cgroups` is SHARES_CGROUPS
 * except in tests. Where nothing is mounted libvirt refuses whatever it is. */
unsigned long long shares_of_weight(const char *cgroups, unsigned weight);

#endif
