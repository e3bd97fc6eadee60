/* SPDX-License-Identifier: Apache-2.0 */
/* The hypervisor as core sees it: requests that are answered later, facts, and hints that something
 * changed. virt/ implements it on libvirt; tests implement it in simulated time.
 *
 * Theory of operation: no libvirt call has a time limit, so none is made on the main loop. A
 * request is queued to the guest's own worker and answered exactly once, on the main loop: with the
 * result, or with -ETIMEDOUT once its deadline passes, counted from the moment the call is made
 * (the call itself goes on and its late result is thrown away), or with -EBUSY at once while that
 * guest's queue is wedged behind such a call, or with -ENOTCONN while there is no connection.
 * Events carry no truth about the state: they only ask for it to be read again. Which of them came
 * is evidence all the same, kept until an end is read: libvirt says "shut off (shutdown)" both of a
 * guest that powered itself off and of a QEMU that got SIGTERM. */
#ifndef MEDIAKIT_IO_HV_H
#define MEDIAKIT_IO_HV_H

#include "base/nametable.h"
#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What runs, read in one request. */
enum hv_domain_state {
	HV_DOMAIN_ABSENT, /* libvirt does not know the domain */
	HV_DOMAIN_OFF,
	HV_DOMAIN_RUNNING,
	HV_DOMAIN_PAUSED,
	HV_DOMAIN_SHUTDOWN, /* QEMU is there, the guest has halted */
	HV_DOMAIN_CRASHED,  /* QEMU is there, the guest panicked */
	HV_DOMAIN_STATE_NUM,
};
NAME_TABLE_DECLARE(hv_domain_state, enum hv_domain_state);

/* Why it is in that state, as far as libvirt says. */
enum hv_reason {
	HV_REASON_UNKNOWN,
	HV_REASON_BOOTED,
	HV_REASON_RESTORED,
	HV_REASON_SHUTDOWN,  /* the guest went down on its own or on request */
	HV_REASON_DESTROYED, /* somebody asked libvirt to destroy it */
	HV_REASON_CRASHED,   /* QEMU died */
	HV_REASON_PANICKED,  /* pvpanic */
	HV_REASON_SAVED,
	HV_REASON_FAILED, /* did not start, or QEMU failed */
	HV_REASON_DAEMON, /* libvirtd lost it while it was itself away */
	HV_REASON_USER,   /* paused by a person or a program */
	HV_REASON_IOERROR,  /* paused because a disk failed a read or a write */
	HV_REASON_NO_SPACE, /* paused because a disk's file could not grow */
	HV_REASON_WATCHDOG,
	HV_REASON_SAVING,
	HV_REASON_STARTING_UP,
	HV_REASON_NUM,
};
NAME_TABLE_DECLARE(hv_reason, enum hv_reason);

struct hv_facts {
	enum hv_domain_state state;
	enum hv_reason reason;
	int64_t pid;          /* QEMU's, where the driver's pid file can be read; otherwise 0 */
	usec_t pid_realtime;  /* CLOCK_REALTIME of when QEMU wrote that file; 0 where pid is */
	bool managed_save;    /* a saved image would be restored by a start */
	bool tcg;             /* of the running domain */
	bool agent_connected; /* of the guest-agent channel */
	bool console_open;    /* we are reading the serial line */
};

/* Statistics: absent values are HV_STAT_ABSENT. Everything but rss, balloon and the vCPUs is the
 * guest's word. */
#define HV_STAT_ABSENT UINT64_MAX
struct hv_stats {
	uint64_t balloon_kib, maximum_kib, rss_kib;
	uint64_t usable_kib, unused_kib, available_kib, disk_caches_kib;
	uint64_t swap_in_kib, swap_out_kib, major_faults;
	uint64_t last_update_sec; /* CLOCK_REALTIME of QEMU */
	uint64_t vcpu_delay_nsec; /* summed over vCPUs: time they were runnable but not run */
	uint64_t cpu_time_nsec;   /* of the vCPU threads */
	uint64_t vcpus;           /* how many QEMU runs */
};

/* How far the last backup is. */
enum hv_backup_state {
	HV_BACKUP_NONE, /* libvirt knows of none */
	HV_BACKUP_RUNS,
	HV_BACKUP_DONE, /* the target holds all of it, and QEMU has let go of it */
	HV_BACKUP_FAILED,
	HV_BACKUP_STATE_NUM,
};
struct hv_backup {
	enum hv_backup_state state;
	uint64_t copied, total; /* bytes of the disk */
};

enum hv_verb {
	HV_READ,  /* → facts; also (re)opens the console of a running domain */
	HV_START, /* define `text` (domain XML), create it paused, open the console, resume. Fails
		   * with -EEXIST if it runs already, which is told before anything is redefined.
		   * It boots, and a managed save that is there is removed first; with `restore`
		   * it goes on from that save, or fails with -ESTALE and words why it cannot:
		   * then nothing runs, and the save may be gone */
	HV_ACPI,  /* press the power button once */
	HV_AGENT_SHUTDOWN, /* ask the guest agent; fails with -ENOTCONN without one */
	HV_RESUME, /* let the vCPUs of a paused domain run; 0 too where they run */
	HV_QUIT,   /* ask QEMU to end (SIGTERM: it flushes its block layer), and wait until it
		    * did. libvirt gives up after 15 s. On the queue of HV_DESTROY, which may stand
		    * behind it */
	HV_DESTROY,  /* end QEMU: SIGTERM, then SIGKILL. On a connection and a queue of its own */
	HV_SETMEM,   /* balloon target `kib`, live */
	HV_STATS,    /* → stats */
	HV_AGENT,    /* guest-agent command `text` → `text`, at most HV_AGENT_BYTES_MAX */
	HV_CPU_TUNE, /* `weight` and `quota_pct`, live; -EOPNOTSUPP where the driver has no cgroups
		      */
	HV_DISK,     /* → backup.total: the size of the guest's own disk, in bytes */
	HV_BACKUP,   /* begin to copy the disk, as it is at this moment, to the file `text`: a qcow2
		      * of that size, which is there. 0 once it is begun */
	HV_BACKUP_LOOK,  /* → backup */
	HV_BACKUP_ABORT, /* end a backup whose target has `text` in its path. 0: there is none (any
			  * more); -EINPROGRESS: it was told to end, ask again */
	HV_SAVE, /* write the guest's memory into libvirt's managed save and end QEMU. Where that
		  * fails the guest runs on. On the queue of the other calls, which all wait */
	HV_SAVE_ABORT, /* have an HV_SAVE that is under way fail; on the agent's queue */
	HV_VERB_NUM,
};
NAME_TABLE_DECLARE(hv_verb, enum hv_verb);

#define HV_AGENT_BYTES_MAX (64u * 1024u)
#define HV_ERROR_MAX       256u
#define HV_QUEUE_MAX       16u /* requests waiting for one guest; one more is -ENOBUFS */

struct hv_request {
	enum hv_verb verb;
	const char *uuid;
	const char *name; /* domain name, for messages */
	const char *text; /* copied before hv_submit returns; or NULL */
	uint64_t kib;
	unsigned weight, quota_pct;
	bool restore;     /* HV_START: from the managed save, */
	uint64_t version; /* which a QEMU of this version made, as hv_reply had it */
	usec_t timeout;   /* relative; 0: the verb's default */
};

struct hv_reply {
	enum hv_verb verb;
	int error;                  /* 0 or -errno */
	char message[HV_ERROR_MAX]; /* libvirt's words, escaped; "" where there are none */
	struct hv_facts facts;      /* after HV_READ, HV_START */
	uint64_t version; /* after HV_START: of QEMU, as libvirt counts it (1000000 * major + 1000 *
			   * minor + release); 0: not known */
	struct hv_stats stats;      /* after HV_STATS */
	struct hv_backup backup;    /* after HV_DISK, HV_BACKUP_LOOK */
	const char *text;           /* after HV_AGENT; valid during the callback only */
};
typedef void (*hv_done_t)(void *userdata, const struct hv_reply *reply, usec_t now);

enum hv_hint {
	HV_HINT_CONNECTED,    /* (again): read everything */
	HV_HINT_DISCONNECTED, /* `message` says why; requests fail with -ENOTCONN until connected */
	HV_HINT_CHANGED,      /* read this domain again */
	HV_HINT_RESET,        /* the guest rebooted itself */
	HV_HINT_PANICKED,     /* pvpanic */
	HV_HINT_POWEROFF,     /* the guest powered itself off; QEMU is about to end */
	HV_HINT_TERMINATED,   /* QEMU was told to end: by SIGTERM, or by its monitor */
	HV_HINT_WATCHDOG, /* the guest stopped feeding its watchdog; nothing was done about it */
	HV_HINT_DISK, /* a disk failed a read or a write, and the guest was told so */
	HV_HINT_AGENT,    /* the agent connected or went: read again */
	HV_HINT_BALLOON,  /* `kib` is the balloon's size now */
	HV_HINT_NUM,
};
NAME_TABLE_DECLARE(hv_hint, enum hv_hint);

struct hv_event {
	enum hv_hint hint;
	const char *uuid; /* NULL for the connection's own */
	uint64_t kib;
	const char *message;
};

/* Set once, before hv_connect. Called on the main loop only, never from inside a call into the
 * hypervisor. */
struct hv_observer {
	void (*event)(void *userdata, const struct hv_event *event, usec_t now);
	/* Bytes of the guest's serial line, at most HV_CONSOLE_CHUNK at a time; `lost` bytes before
	 * them did not fit the ring. */
	void (*console)(void *userdata, const char *uuid, const void *data, size_t len,
		uint64_t lost, usec_t now);
	void *userdata;
};
#define HV_CONSOLE_CHUNK 4096u

/* The state of the connection and of the queues, for status. */
struct hv_health {
	bool connected;
	bool kvm; /* libvirt says that KVM works there; false of an embedded driver, which says
		     what we could see ourselves */
	unsigned wedged_queues;
	char message[HV_ERROR_MAX]; /* why not connected */
};

struct hv;
struct hv_vtable {
	void (*destroy)(struct hv *hv);
	void (*observe)(struct hv *hv, const struct hv_observer *observer);
	/* Begins to connect and goes on re-connecting with back-off until destroyed. */
	int (*connect)(struct hv *hv);
	/* 0 when queued: `done` will be called exactly once, later. -errno when not: `done` will
	 * not be called. */
	int (*submit)(
		struct hv *hv, const struct hv_request *request, hv_done_t done, void *userdata);
	/* Bytes typed by an operator; best effort, bounded. 0 or -errno (-ENOTCONN: console not
	 * open). */
	int (*console_write)(struct hv *hv, const char *uuid, const void *data, size_t len);
	/* Forget everything about a guest that was removed from the configuration. */
	void (*forget)(struct hv *hv, const char *uuid);
	void (*health)(struct hv *hv, struct hv_health *ret);
	/* Is this guest's queue wedged behind a call that does not return? */
	bool (*wedged)(struct hv *hv, const char *uuid);
};

/* Implementations embed this first. */
struct hv {
	const struct hv_vtable *vtable;
};

static inline int hv_submit(
	struct hv *hv, const struct hv_request *request, hv_done_t done, void *userdata)
{
	return hv->vtable->submit(hv, request, done, userdata);
}

#endif
