/* SPDX-License-Identifier: Apache-2.0 */
/* The whole core in simulated time: a supervisor between a fake hypervisor, a fake network and a
 * fake store, and a loop that jumps from one moment at which something is due to the next. */
#ifndef MEDIAKIT_TESTS_SIM_H
#define MEDIAKIT_TESTS_SIM_H

#include "core/request.h"
#include "core/supervisor.h"
#include "fake_bases.h"
#include "fake_hv.h"
#include "fake_prober.h"
#include "fake_saves.h"
#include "fake_snapshots.h"
#include "fake_store.h"

#define S  USEC_PER_SEC
#define MS USEC_PER_MSEC

#define VM "vm-mediakit"

/* One request and what came of it. */
struct sim_request {
	int accepted;                      /* what guest_request() returned */
	char message[REQUEST_MESSAGE_MAX]; /* likewise */
	struct operation *op;
	unsigned answers;
	int error;
	char text[REQUEST_MESSAGE_MAX];
	usec_t asked_at, answered_at;
	struct sim *sim;
};

#define SIM_REQUESTS_MAX 64u

struct sim {
	struct timeline timeline;
	struct fake_hv *hv;
	struct fake_prober *prober;
	struct fake_store *store;
	struct fake_bases *bases;
	struct fake_saves *saves;
	struct fake_snapshots *snapshots;
	struct supervisor *supervisor;
	usec_t now, next; /* when the supervisor wants to be called again */
	char dir[64], state_dir[80], config_dir[80];
	struct sim_request requests[SIM_REQUESTS_MAX];
	unsigned n_requests;
	char *log; /* every line, "guest service: text\n" */
	size_t log_len, log_room;
	uint64_t turns;
	unsigned turns_at_once; /* without time passing */
	unsigned announced;     /* calls of the observer */
	bool taken[65536];      /* host ports that somebody else has */
	bool kvm;               /* it is seen to work when it is tried */
	unsigned kvm_tries;
	uint64_t free_kib; /* of the file system of the disks; UINT64_MAX: cannot be read */
	/* Of the host, in thousandths of the time from pressure_at on; below zero: no such file. */
	int pressure;
	usec_t pressure_at, pressure_total;
	/* Of the host: what else than QEMU uses memory, and PSI's some avg10. `total` 0: cannot be
	 * read. */
	struct {
		uint64_t total_kib, other_kib;
		uint32_t psi;
	} host;
	bool oom_unknown;   /* there are no control groups */
	uint64_t oom_kills; /* of the slice that all QEMUs are in */
};

/* A state directory, a configuration directory without guests, nothing running. */
struct sim *sim_new(void);
void sim_free(struct sim *sim);

/* Writes guests.d/<name>.conf. The guest of product.md, on its own port offset. `extra` is
 * appended. */
void sim_configure(struct sim *sim, const char *name, unsigned offset, const char *extra);
/* Writes the file as given. */
void sim_configure_text(struct sim *sim, const char *name, const char *text);
void sim_unconfigure(struct sim *sim, const char *name);
/* An empty file where the disk would be. sim_configure() does so too. */
void sim_provision(struct sim *sim, const char *name);
/* Something writes to its disk, at the simulated time. */
void sim_write_disk(struct sim *sim, const char *name);
void sim_unprovision(struct sim *sim, const char *name);

/* A daemon begins, with the hypervisor, the guests and the files that there are. */
void sim_daemon(struct sim *sim);
/* kill -9: nothing is saved that was not saved by then. */
void sim_kill_daemon(struct sim *sim);
/* It ends as it is, at once; what it had not saved is. */
void sim_stop_daemon(struct sim *sim);
/* SIGTERM: likewise, when it may. Returns how long that took. */
usec_t sim_end_daemon(struct sim *sim);
/* 0 or -errno; the faults or the report are appended to the log. */
int sim_reload(struct sim *sim);

/* One turn: all that is due at the next moment. */
void sim_turn(struct sim *sim);
/* Turns until `until`, or until the condition holds. False: the time is over first. */
void sim_run(struct sim *sim, usec_t span);
bool sim_run_until(struct sim *sim, bool (*condition)(struct sim *sim, const void *arg),
	const void *arg, usec_t limit);
/* From now on somebody on the host waits for a CPU so much of the time. */
void sim_pressure(struct sim *sim, int permille);
/* The host sleeps. */
void sim_suspend(struct sim *sim, usec_t span);

struct guest *sim_guest(struct sim *sim, const char *name);
struct fake_guest *sim_fake(struct sim *sim, const char *name);
struct service *sim_service(struct sim *sim, const char *guest, const char *service);
struct fake_service *sim_fake_service(struct sim *sim, const char *guest, const char *service);

struct sim_request *sim_ask(struct sim *sim, const char *guest, enum operation_kind kind);
struct sim_request *sim_delete_snapshot(struct sim *sim, const char *guest, usec_t id);
struct sim_request *sim_balloon(struct sim *sim, const char *guest, uint64_t kib);
struct sim_request *sim_balloon_for(struct sim *sim, const char *guest, uint64_t kib, usec_t span);

/* Fail with the guest's story so far. */
void sim_wait_state(struct sim *sim, const char *guest, enum guest_state state, usec_t limit);
void sim_wait_healthy(struct sim *sim, const char *guest, usec_t limit);
void sim_wait_service(struct sim *sim, const char *guest, const char *service,
	enum service_state state, usec_t limit);
void sim_wait_answer(struct sim *sim, const struct sim_request *r, usec_t limit);
/* sim_daemon() and healthy: where most stories begin. */
struct sim *sim_new_healthy(void);

/* The end of the log, which fail_msg() would cut. Returns "". */
const char *sim_story(const struct sim *sim);
bool sim_log_has(const struct sim *sim, const char *text);
unsigned sim_log_count(const struct sim *sim, const char *text);
void sim_log_clear(struct sim *sim);

/* cmocka's fixtures: sim_new_healthy() and sim_new() with VM configured, into *state. */
int sim_setup_healthy(void **state);
int sim_setup(void **state);
int sim_teardown(void **state);

#endif
