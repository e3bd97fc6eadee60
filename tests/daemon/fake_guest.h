/* SPDX-License-Identifier: Apache-2.0 */
/* The fake guests' side that only the fake hypervisor calls. */
#ifndef MEDIAKIT_TESTS_FAKE_GUEST_H
#define MEDIAKIT_TESTS_FAKE_GUEST_H

#include "fake_hv.h"

void fake_guest_init(struct fake_guest *d, struct fake_hv *hv, const char *uuid, const char *name);
/* A start begins that will return after `takes`; QEMU is there and its vCPUs run a little before
 * that. */
void fake_guest_create(struct fake_guest *d, usec_t takes);
/* Its vCPUs run again: what it says meanwhile it says now. */
void fake_guest_go_on(struct fake_guest *d);
int fake_guest_press(struct fake_guest *d);
int fake_guest_agent_shutdown(struct fake_guest *d);
int fake_guest_save(struct fake_guest *d);
int fake_guest_setmem(struct fake_guest *d, uint64_t kib);

#endif
