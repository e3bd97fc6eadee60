/* SPDX-License-Identifier: Apache-2.0 */
/* The network and the services behind it, in simulated time: what a question to a port comes to
 * follows from the fake guest's age and the service's manners. Reports are written here, by
 * hand, not by the code under test. */
#ifndef MEDIAKIT_TESTS_FAKE_PROBER_H
#define MEDIAKIT_TESTS_FAKE_PROBER_H

#include "fake_hv.h"
#include "io/prober.h"

enum manner {
	MANNER_OK,
	MANNER_DEGRADED,
	MANNER_STARTING,
	MANNER_FAILING,
	MANNER_FAILING_503,
	MANNER_PLAIN,       /* 200 ok, text/plain */
	MANNER_ERROR_500,
	MANNER_MALFORMED,   /* says CBOR, is none */
	MANNER_WRONG_NAME,
	MANNER_WRONG_NONCE,
	MANNER_STALE_BOOT,  /* an answer from a boot before */
	MANNER_NO_PROOF,    /* a report of nothing but its status */
	MANNER_REFUSE,      /* nobody listens in the guest */
	MANNER_HANG,        /* takes the connection, and that is all: the prober times out */
	MANNER_NEVER,       /* not even the prober comes back */
	MANNER_CUT_OFF,     /* QEMU does not listen */
	MANNER_NO_ROOM,     /* the question cannot be put */
};

struct fake_service {
	struct fake_service *next;
	struct fake_guest *guest;
	uint16_t port;
	char name[64];
	enum manner manner;
	usec_t latency;
	usec_t began_late; /* its own uptime is that much less than the guest's age */
	/* What is. */
	unsigned asked, in_flight, cancelled;
	usec_t asked_at;
	char nonce[17];
};

struct fake_prober {
	struct prober prober;
	struct timeline *timeline;
	struct fake_service *services;
	unsigned in_flight;
	uint64_t asked;
	struct question_slot *slots; /* in flight */
};

struct fake_prober *fake_prober_new(struct timeline *timeline);
void fake_prober_free(struct fake_prober *p);
/* The service on a port, made where it is not there yet. */
struct fake_service *fake_prober_service(
	struct fake_prober *p, uint16_t port, struct fake_guest *guest, const char *name);
struct fake_service *fake_prober_find(struct fake_prober *p, uint16_t port);
/* The daemon died: what is in flight is answered to nobody. */
void fake_prober_orphan(struct fake_prober *p);

#endif
