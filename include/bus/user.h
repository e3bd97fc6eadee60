/* SPDX-License-Identifier: Apache-2.0 */
/* What the connections of one user share at one door: their right to ask. */
#ifndef MEDIAKIT_BUS_USER_H
#define MEDIAKIT_BUS_USER_H

#include "policy/ratelimit.h"

#include <sys/types.h>

#define USERS_MAX 64u /* as many as there are private peers, so that there is a place for each */

struct user {
	uid_t uid;
	unsigned door;
	unsigned peers; /* none: the place is free, and the bucket still remembers */
	struct ratelimit rate;
};

struct users {
	struct user list[USERS_MAX];
};

/* The user's place, with one connection more; with as many as USERS_MAX there already, NULL.
 * Whoever returns finds the bucket as it was, as long as nobody needed the place. */
struct user *user_enter(struct users *u, unsigned door, uid_t uid);
void user_leave(struct user *user);

#endif
