/* SPDX-License-Identifier: Apache-2.0 */
/* A bucket for each user and not for each connection: connections are for the asking, up to the
 * door's count, and a new one would bring a full bucket. */
#include "bus/user.h"

#include <stddef.h>

struct user *user_enter(struct users *u, unsigned door, uid_t uid)
{
	struct user *place = NULL;

	for (unsigned i = 0; i < USERS_MAX; i++) {
		struct user *user = &u->list[i];

		if (user->uid == uid && user->door == door &&
			(user->peers > 0 || user->rate.used > 0)) {
			user->peers++;
			return user;
		}
		/* Of the free places, the one that remembers least. */
		if (user->peers == 0 && (!place || user->rate.used < place->rate.used))
			place = user;
	}
	if (place)
		*place = (struct user){ .uid = uid, .door = door, .peers = 1 };
	return place;
}

void user_leave(struct user *user)
{
	user->peers--;
}
