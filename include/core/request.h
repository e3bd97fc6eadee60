/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator may ask of a guest. Each request is answered exactly once. */
#ifndef MEDIAKIT_CORE_REQUEST_H
#define MEDIAKIT_CORE_REQUEST_H

#include "core/guest.h"

#define REQUEST_MESSAGE_MAX 512u

struct request {
	enum operation_kind kind;
	uint64_t kib;    /* OPERATION_BALLOON: the size; 0: automatic */
	usec_t id;       /* OPERATION_DELETE_SNAPSHOT */
	usec_t span;     /* OPERATION_BALLOON: how long it holds; 0: until taken back */
	const char *who; /* asks, in words for the log and the events; NULL: unknown */
	operation_done_t done;
	void *userdata;
};

/* > 0: accepted; `done` is called later, once; *ret_op (not NULL) may be given to
 * operation_forget() when the caller goes away. 0: it is so already, with words in `message`;
 * `done` is not called. -errno with words in `message`: -EBUSY, -ENOENT not provisioned,
 * -EADDRINUSE a port is taken, -EPERM latched failed, -ESRCH not running (balloon), -ERANGE size
 * out of range. */
int guest_request(struct guest *g, const struct request *request, usec_t now,
	char message[static REQUEST_MESSAGE_MAX], struct operation **ret_op);

/* Its unit was restarted in the guest by who says so (a deploy): what it was judged to be before
 * counts no more, and it is asked at once. 0; -ESRCH the guest does not run, with the reason in
 * `message`. */
int service_restarted(struct service *s, const char *who, usec_t now,
	char message[static REQUEST_MESSAGE_MAX]);

/* Ends the snapshot that is being made. 0; -ESRCH: there is none to end, with words in
 * `message`. */
int guest_cancel_snapshot(struct guest *g, const char *who, usec_t now,
	char message[static REQUEST_MESSAGE_MAX]);

/* Clears the latch and the history of faults. */
void guest_reset_failed(struct guest *g, const char *who, usec_t now);

#endif
