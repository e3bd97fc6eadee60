/* SPDX-License-Identifier: Apache-2.0 */
/* The owner of all state: guests by name, the hypervisor, the prober, and what is due when. Time
 * comes in as an argument, so tests run days in milliseconds. Nothing here blocks, and nothing here
 * knows that a bus exists. */
#ifndef MEDIAKIT_CORE_SUPERVISOR_H
#define MEDIAKIT_CORE_SUPERVISOR_H

#include "core/guest.h"
#include "io/bases.h"
#include "io/hostmem.h"
#include "io/saves.h"
#include "io/store.h"
#include "model/conf.h"

/* Told after every change, at most once per supervisor_run(): which objects are dirty. The observer
 * clears the flags (guest->dirty, service->dirty, supervisor->dirty). */
struct supervisor_observer {
	void (*changed)(void *userdata, struct supervisor *s);
	/* The set of guests is about to change (reload): forget pointers into it. Called before and
	 * after. */
	void (*guests_changing)(void *userdata, struct supervisor *s, bool after);
	/* Something happened; `g` NULL: to no guest in particular. Called in the middle of things:
	 * it may read and remember, and ask for nothing. */
	void (*event)(void *userdata, struct supervisor *s, const struct guest *g,
		const struct event *event);
	void *userdata;
};

struct supervisor_config {
	struct spec *spec;       /* taken over */
	const char *config_dir;  /* for reload */
	struct hv *hv;           /* borrowed */
	struct prober *prober;   /* borrowed */
	struct store *store;     /* borrowed */
	struct bases *bases;     /* borrowed; NULL: nothing is known of what disks stand on */
	struct saves *saves;     /* borrowed; NULL: no guest is saved */
	struct snapshots *snapshots; /* borrowed; NULL: no disk is copied */
	bool (*kvm_works)(void); /* is KVM seen to work here? called at most once */
	/* Is the port free to be bound? 0, or -EADDRINUSE with the owner's words ("pid 123
	 * (nginx)", "" unknown). */
	int (*port_check)(const char *address, uint16_t port, char *owner, size_t owner_size);
	const struct oomkill *oomkill;
	double (*jitter)(void); /* [0, 1) */
	/* The time somebody on this host waited for a CPU since its boot (io/pressure). 0 or
	 * -errno; NULL: never known. */
	int (*pressure)(usec_t *ret_total);
	/* The host's memory. 0 or -errno; NULL: never known, and no guest is asked for any. */
	int (*host_memory)(struct hostmem *ret);
	/* Free space where the file lies, for who is not root (io/room). 0 or -errno; NULL: never
	 * known. */
	int (*disk_room)(const char *path, uint64_t *ret_free_kib);
	void (*digest)(const void *data, size_t len, char ret[static DIGEST_TEXT]);
	void (*nonce)(char ret[static 17]);
	const char *qmp_dir; /* where each guest gets a second QMP monitor, NAME.qmp, for tests;
				NULL: none */
};

struct supervisor {
	struct spec *spec;
	char *config_dir;
	struct supervisor_config config;
	struct supervisor_observer observer;
	struct guest **guests; /* each allocated on its own: pointers stay valid across a reload */
	unsigned n_guests;
	struct guest *removed; /* that the hypervisor still owes answers */
	struct hv_health hv_health;
	usec_t hv_since_realtime; /* of the connection's present state */
	usec_t began_realtime;    /* of the daemon */
	char host_boot_id[37];    /* the host's, "" unknown */
	struct pool pool;
	struct events events; /* of no guest in particular */
	uint64_t last_seq;    /* the number of the last event of all */
	bool kvm_known, kvm;
	usec_t pressure_at; /* when pressure_usec was read; 0: never */
	uint64_t pressure_usec;
	usec_t end_by; /* the daemon is ending, and does at the latest then; USEC_INFINITY: not */
	bool dirty;
};

int supervisor_new(const struct supervisor_config *config, usec_t now, struct supervisor **ret);
/* Guests are left running. Takes NULL. */
void supervisor_free(struct supervisor *s);
void supervisor_observe(struct supervisor *s, const struct supervisor_observer *observer);

/* Does all that is due, and returns when to be called next. Also to be called after anything else
 * happened. */
usec_t supervisor_run(struct supervisor *s, usec_t now);

/* An orderly end begins: what would be left behind for nobody to end is ended, of a copy of a disk
 * above all the freeze, and no other is begun. supervisor_run() goes on until
 * supervisor_may_end(), after SUPERVISOR_ENDING_MAX at the latest. */
#define SUPERVISOR_ENDING_MAX (3 * USEC_PER_SEC)
void supervisor_end(struct supervisor *s, usec_t now);
bool supervisor_is_ending(const struct supervisor *s);
bool supervisor_may_end(const struct supervisor *s, usec_t now);

struct guest *supervisor_find(struct supervisor *s, const char *name);

/* Reads the configuration again. With any error the old one stays whole and -EINVAL is returned.
 * `faults` (errors and warnings) and `report` (malloc'd, one line per change: "guest vm-mediakit:
 * Memory: at the next boot") are the caller's. */
int supervisor_reload(
	struct supervisor *s, usec_t now, struct conf_faults *faults, char **ret_report);

#endif
