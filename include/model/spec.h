/* SPDX-License-Identifier: Apache-2.0 */
/* What the operator configured, as values: the daemon, the pool, each guest and its services. Made
 * by model/conf, which checks them too, read by everybody, changed by nobody. */
#ifndef MEDIAKIT_MODEL_SPEC_H
#define MEDIAKIT_MODEL_SPEC_H

#include "base/nametable.h"
#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Limits. A guest beyond them is a fault of the configuration, told with the limit. */
#define SPEC_GUESTS_MAX        256u
#define SPEC_SERVICES_MAX      32u /* of one guest */
#define SPEC_NAME_MAX          40u /* bytes of a guest's or service's name, as on the wire */
#define SPEC_DEPENDS_MAX       8u
#define SPEC_KEYS_MAX          16u /* authorized keys of one guest */
#define SPEC_PACKAGES_MAX      64u
#define SPEC_URLS_MAX          8u    /* mirrors of one image */
#define SPEC_SNAPSHOTS_MAX     32u   /* kept of one guest */
#define SPEC_URL_BYTES         2047u /* of one of them */
#define SPEC_RESTART_LIMIT_MAX 15u   /* one less than policy/restart remembers */
#define SPEC_UUID_TEXT         37u

enum spec_accel { ACCEL_AUTO, ACCEL_TCG, ACCEL_KVM, ACCEL_NUM };
NAME_TABLE_DECLARE(accel, enum spec_accel); /* auto tcg kvm */

enum spec_arch { ARCH_X86_64, ARCH_AARCH64, ARCH_NUM };
NAME_TABLE_DECLARE(arch, enum spec_arch); /* x86_64 aarch64 */

enum spec_egress { EGRESS_NONE, EGRESS_ALL, EGRESS_NUM };
NAME_TABLE_DECLARE(egress, enum spec_egress); /* none all */

enum spec_probe { PROBE_CBOR, PROBE_HTTP, PROBE_TCP, PROBE_UNIT, PROBE_NONE, PROBE_NUM };
NAME_TABLE_DECLARE(probe_kind, enum spec_probe); /* cbor http tcp unit none */

/* Who sets the guest's memory: the pool, or nobody but an operator. */
enum spec_balloon { BALLOON_MODE_AUTO, BALLOON_MODE_MANUAL, BALLOON_MODE_NUM };
NAME_TABLE_DECLARE(balloon_mode, enum spec_balloon); /* auto manual */

enum spec_reclaim { RECLAIM_NEED, RECLAIM_EAGER, RECLAIM_NUM };
NAME_TABLE_DECLARE(reclaim, enum spec_reclaim); /* need eager */

enum spec_expect { EXPECT_ACTIVE, EXPECT_PENDING, EXPECT_NUM };
NAME_TABLE_DECLARE(expect, enum spec_expect); /* active pending */

/* What may happen to a guest that the operator decides about, the causes of policy/restart in
 * groups a person would tell apart. */
enum spec_on {
	ON_POWEROFF,     /* the guest went down by itself */
	ON_TERMINATED,   /* SIGTERM to QEMU, or quit by its monitor */
	ON_DESTROY,      /* virsh destroy */
	ON_PANIC,        /* the guest's kernel panicked */
	ON_CRASH,        /* QEMU is gone, and nobody asked for it */
	ON_MEMORY_KILL,  /* the host's kernel killed QEMU for memory */
	ON_BOOT_FAILURE, /* the start failed, or the boot panicked or stood still */
	ON_WATCHDOG,     /* the guest stopped feeding its watchdog, and still runs */
	ON_NUM,
};
enum spec_restart { RESTART_STAY, RESTART_AGAIN, RESTART_NUM };
NAME_TABLE_DECLARE(restart, enum spec_restart); /* stay restart */

/* What is done about a boot that stands still once its disk may be written to. */
enum spec_on_stuck { ON_STUCK_SHOW, ON_STUCK_RESTART, ON_STUCK_NUM };
NAME_TABLE_DECLARE(on_stuck, enum spec_on_stuck); /* show restart */

/* Whether cloud-init runs at boots at which it was already done with this seed. */
enum spec_every_boot { EVERY_BOOT_AUTO, EVERY_BOOT_YES, EVERY_BOOT_NO, EVERY_BOOT_NUM };
NAME_TABLE_DECLARE(every_boot, enum spec_every_boot); /* auto yes no */

enum spec_on_host { ON_HOST_SHUTDOWN, ON_HOST_SAVE, ON_HOST_NUM };
NAME_TABLE_DECLARE(on_host, enum spec_on_host); /* shutdown save */

struct service_spec {
	char *name;
	char *purpose;         /* or NULL */
	char *path;            /* of the question, begins with '/'; default "/healthz" */
	char *unit;            /* systemd unit in the guest; default "<name>.service" */
	uint16_t port;         /* in the guest; 0: the service has none */
	uint16_t host_port;    /* default port + PortOffset; 0 where port is 0 */
	enum spec_probe probe; /* default cbor with a port, unit without */
	enum spec_expect expect;
	usec_t interval, fast_interval;
	usec_t timeout,
		start_budget; /* as configured; tripled at use under TCG unless set by hand */
	bool timeout_set, start_budget_set;
	unsigned rise, fall;
	bool restart_unit; /* its unit may be restarted in the guest to heal it */
	usec_t restart_unit_after;
	unsigned restart_unit_limit; /* inside [Restart] Window= */
	char *depends_on[SPEC_DEPENDS_MAX];
	unsigned n_depends;
};

struct guest_spec {
	char *name;
	char uuid[SPEC_UUID_TEXT]; /* derived from the name, see spec_uuid() */

	/* [Guest] */
	char *hostname; /* default: the name */
	char *user;     /* default: foundry */
	uint64_t memory_kib, disk_kib;
	unsigned cpus;
	unsigned cpu_weight;    /* 1..10000, 0: not set (systemd.resource-control(5)) */
	unsigned cpu_quota_pct; /* percent of one CPU, 0: none */
	enum spec_accel accel;
	enum spec_arch arch;
	bool autostart; /* Autostart=: want is `up` for a guest nobody has started or stopped yet */

	/* [Image] */
	char *image_path;                /* or NULL; taken before image_urls */
	char *image_sha256;              /* 64 lowercase hex digits, or NULL */
	char *image_urls[SPEC_URLS_MAX]; /* https or file, in the order they are tried */
	unsigned n_image_urls;
	char *keyring;     /* what gpgv checks SHA256SUMS against, or NULL */
	char *fingerprint; /* of the primary key that must have signed them: 40 or 64 lowercase
			      hex digits, or NULL */
	char *glibc_min;   /* "2.39": a guest known to have less is refused; "none" */
	char *kernel, *initrd, *cmdline; /* direct kernel boot, or NULL */

	/* [Network] */
	char *bind; /* numeric IPv4 address */
	uint16_t port_offset;
	uint16_t ssh_port; /* default 22 + PortOffset; 0: none */
	enum spec_egress egress;

	/* [CloudInit] */
	char *authorized_keys[SPEC_KEYS_MAX];
	unsigned n_authorized_keys;
	char *authorized_keys_file; /* or NULL */
	char *packages[SPEC_PACKAGES_MAX];
	unsigned n_packages;
	char *vendor_data; /* file put into the seed as vendor-data, or NULL */
	enum spec_every_boot every_boot;

	/* [Memory] */
	uint64_t memory_min_kib; /* default a quarter of memory_kib, at least 512 MiB, at most all
				    of it */
	unsigned memory_weight;
	enum spec_balloon balloon;
	enum spec_reclaim reclaim;
	uint64_t idle_target_kib; /* 0: not set; see guest_spec_idle_kib() */

	/* [Shutdown] */
	usec_t shutdown_timeout; /* for the guest, however it is asked */
	usec_t shutdown_agent;   /* of which for the agent alone; at most all of it */
	usec_t shutdown_quit;    /* for QEMU after SIGTERM */
	usec_t shutdown_save;    /* for its memory to be saved, before it is shut down instead */
	enum spec_on_host on_host; /* what its unit's stop does, so the host's shutdown */

	/* [Restart] restarts before the guest is given up, inside a window; forgotten once it was
	 * well for stable_after */
	unsigned restart_limit;
	usec_t restart_window, restart_stable_after;
	enum spec_restart restart_on[ON_NUM];
	unsigned restart_quorum; /* percent of the active services; 0: never for them */
	usec_t restart_quorum_after;

	/* [Boot] see policy/boottime */
	unsigned boot_factor;
	usec_t boot_least;
	enum spec_on_stuck on_stuck;

	/* [Backup] */
	unsigned backup_keep;  /* snapshots; the oldest go */
	usec_t backup_timeout; /* for the copying of one */

	struct service_spec services[SPEC_SERVICES_MAX];
	unsigned n_services;
};

struct spec {
	/* [Daemon] */
	char *connection; /* libvirt URI */
	char *state_dir;
	char *runtime_dir;
	/* [Pool] */
	uint64_t reserve_kib, critical_kib;
	uint64_t pool_total_kib; /* the guests, what else runs here and the reserve; 0: all the
				    host has */
	unsigned shrink_below_pct, leave_above_pct; /* of the pool */

	struct guest_spec *guests;
	unsigned n_guests;
};

/* Takes NULL. */
void spec_free(struct spec *spec);

const struct guest_spec *spec_find_guest(const struct spec *spec, const char *name);
const struct service_spec *guest_spec_find_service(
	const struct guest_spec *guest, const char *name);

/* The UUID of a guest's libvirt domain: a pure function of its name (RFC 9562 version 8 over
 * FNV-1a-128), so that a lost state directory never leads to a second domain. */
void spec_uuid(const char *guest_name, char ret[static SPEC_UUID_TEXT]);

/* Whether it has a disk of its own; one without is a kernel alone. */
static inline bool guest_spec_has_disk(const struct guest_spec *guest)
{
	return guest->image_path || guest->n_image_urls > 0;
}

/* How small the guest gets while the host needs nothing: IdleTarget=, or MemoryMin= without one; 0
 * unless Reclaim=eager. */
uint64_t guest_spec_idle_kib(const struct guest_spec *guest);

/* Under TCG a guest is 5 to 40 times slower than hardware, so the two defaults are tripled
 * (wire.md); a value the operator wrote is taken as written. */
usec_t service_timeout(const struct service_spec *service, bool tcg);
usec_t service_start_budget(const struct service_spec *service, bool tcg);

#endif
