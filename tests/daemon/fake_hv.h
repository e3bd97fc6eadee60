/* SPDX-License-Identifier: Apache-2.0 */
/* A hypervisor in simulated time. It keeps io/hv.h's contract: queues, deadlines, wedges,
 * answers exactly once and never from inside a call; its guests boot by a script of serial lines
 * and behave as measured under TCG. */
#ifndef MEDIAKIT_TESTS_FAKE_HV_H
#define MEDIAKIT_TESTS_FAKE_HV_H

#include "io/hv.h"
#include "model/guestmem.h"
#include "timeline.h"

/* Serial text of a guest that old after its vCPUs began to run. */
struct fake_line {
	usec_t at;
	const char *text;
};

struct fake_queue {
	struct fake_request *first;
	unsigned n;
	bool wedged;
	bool hangs; /* the first one will not return by itself */
	struct happening *timer;
};

struct fake_guest {
	struct fake_guest *next;
	struct fake_hv *hv;
	char uuid[37], name[64];

	/* What a test may set, any time. Times are of the guest's own clock: since it began to
	 * run, pauses left out. */
	const struct fake_line *script; /* ends with text NULL */
	usec_t command_takes; /* of the agent: until it has exited */
	usec_t start_takes, read_takes;
	usec_t network_at, services_at, agent_at, logind_at, cloudinit_at;
	usec_t off_takes;     /* from a press that was heard to the end */
	struct guestmem_input demand; /* of its processes, from now on */
	int start_error;      /* the next starts fail so */
	const char *start_message;
	unsigned panics;  /* so many of the next boots panic in the kernel's first seconds */
	bool panics_late; /* but when its init runs already */
	bool panic_tells; /* and pvpanic says so */
	bool ignores_acpi, no_agent, agent_lies, agent_refuses, no_balloon, sigstopped;
	bool ignores_term, stays_paused; /* QEMU does not end on SIGTERM, or not run on */
	usec_t save_takes;
	int save_error;          /* saves fail so */
	bool save_unreadable;    /* libvirt cannot restore it */
	bool clock_stuck;        /* the agent cannot set it */
	int setmem_error, cpu_tune_error; /* these calls fail so */
	usec_t setmem_takes;
	const char *inactive_unit;
	const char *fs_output;  /* what the command about file systems finds */
	const char *glibc_output; /* what getconf says; NULL: nothing */
	bool no_delay;                /* the statistics have nothing of the vCPUs */
	usec_t clock_lost;            /* so far behind is the uptime its services report */
	const char *cloudinit_status; /* the text of status.json; NULL: there is none */
	int restart_exit;             /* of systemctl restart */
	int backup_error, freeze_error, thaw_error; /* these calls fail so */
	bool freeze_unanswered; /* it freezes, and its answer is lost */
	unsigned thaws_unanswered; /* the next ones do nothing */
	bool backup_breaks;        /* in the middle */
	bool no_snapshot_abort;    /* QEMU does not end the job */
	usec_t backup_begins, backup_takes; /* the call, and the copying */

	/* What is. */
	enum hv_domain_state state;
	enum hv_reason reason;
	int64_t pid;
	usec_t pid_realtime;
	char boot_id[37];
	bool panicked; /* this boot did */
	bool console_open;
	usec_t booted_at, paused_at;
	struct guestmem mem; /* up to mem_at; see fake_guest_memory() */
	usec_t mem_at;
	uint64_t maximum_kib, ordered_kib;
	/* Of the boot before: what QEMU was told and is to pass on to the driver, and what it takes
	 * for the balloon's size; 0: nothing. */
	uint64_t told_kib, said_kib;
	unsigned setmems, overlaps; /* statistics or a setmem that met another */
	unsigned cpu_weight, cpu_quota_pct;
	bool kvm; /* the last start asked for it */
	/* Of the vCPUs, as fake_guest_starve() last said, and the counter up to starve_at. */
	unsigned starve_permille;
	uint64_t delay_nsec, run_nsec;
	usec_t starve_at;
	unsigned stats_asked;
	unsigned starts, boots, presses, agent_shutdowns, quits, destroys, resumes, reads,
		agent_commands, glibc_asked, cpu_tunes, unit_restarts;
	char restarted_unit[64];
	usec_t first_press_at, last_press_at, destroyed_at, ended_at, started_at;

	/* Of its file systems, and of its backup. */
	bool frozen, backup_frozen; /* now; when the copy began */
	usec_t frozen_at, thawed_at;
	unsigned freezes, thaws, backups, backup_aborts;
	enum hv_backup_state backup;
	usec_t backup_at;
	char backup_target[256];
	/* Its managed save, and what is in it. */
	bool has_save;
	uint64_t save_version;
	/* Grows with each run, and with what a person or a provisioner does to the disk; as it was
	 * when the save was made. */
	unsigned disk_written, save_disk;
	usec_t saved_at, saved_age;
	usec_t clock_behind; /* the guest's clock */
	unsigned saves, aborts, restores, clock_sets;

	/* The machinery's own. */
	bool restoring, stale, aborted;
	struct fake_queue calls, agent, destroy;
	const struct fake_line *line;
	bool agent_told, appeared;
	struct happening *pump, *off, *appears;
	uint64_t console_lost;
	struct {
		bool cat, restart, fs, glibc;
		usec_t at;
		char units[40][64];
		unsigned n_units;
	} commands[8];
	unsigned n_commands;
};

struct fake_hv {
	struct hv hv;
	struct timeline *timeline;
	struct hv_observer observer;
	bool connected;
	bool kvm; /* libvirt says that KVM works */
	uint64_t version; /* of QEMU */
	char message[HV_ERROR_MAX];
	struct fake_guest *guests;
	int64_t next_pid;
	unsigned next_boot;
	uint64_t submitted;
};

struct fake_hv *fake_hv_new(struct timeline *timeline);
void fake_hv_free(struct fake_hv *hv);

/* The domain's model, made with the measured times where it is not there yet. */
struct fake_guest *fake_hv_guest(struct fake_hv *hv, const char *uuid, const char *name);

/* The daemon died: requests and callbacks of its are forgotten, guests run on. */
void fake_hv_orphan(struct fake_hv *hv);
void fake_hv_disconnect(struct fake_hv *hv, const char *why);
/* The host was suspended for so long. */
void fake_hv_shift(struct fake_hv *hv, usec_t by);

/* What the outside world and the guest do. */
bool fake_guest_has_qemu(const struct fake_guest *d);
bool fake_guest_runs(const struct fake_guest *d);
usec_t fake_guest_age(const struct fake_guest *d); /* of this boot, on the guest's clock */
void fake_guest_pause(struct fake_guest *d, enum hv_reason reason);
void fake_guest_resume(struct fake_guest *d);
void fake_guest_end(struct fake_guest *d, enum hv_reason reason); /* QEMU is gone */
/* As libvirt reads both, "shut off (shutdown)": the guest's own power-off, or SIGTERM to QEMU. With
 * HV_HINT_CHANGED it does not say which. */
void fake_guest_shut_down(struct fake_guest *d, enum hv_hint who);
/* QEMU hands an error of its disk to it. */
void fake_guest_disk_error(struct fake_guest *d);
void fake_guest_bark(struct fake_guest *d); /* the watchdog */
void fake_guest_reboot(struct fake_guest *d, bool tells);
void fake_guest_pvpanic(struct fake_guest *d);
void fake_guest_say(struct fake_guest *d, const char *text);
/* From now on the host gives it so little: each of its two vCPUs waits for this share of the time,
 * in thousandths, and runs for a tenth of the rest. */
void fake_guest_starve(struct fake_guest *d, unsigned permille);
/* Its memory as it is now. */
struct guestmem *fake_guest_memory(struct fake_guest *d);
/* As QEMU has it. */
uint64_t fake_guest_balloon_kib(const struct fake_guest *d);
/* What all the QEMUs hold. */
uint64_t fake_hv_rss_kib(struct fake_hv *hv);
/* A call that hung returns after all. */
void fake_guest_wake(struct fake_guest *d);
void fake_hv_unhang(struct fake_guest *d);
/* Somebody starts it without us. */
void fake_guest_start(struct fake_guest *d);

/* fake_backup.c: what the calls do. */
int fake_backup_begin(struct fake_guest *d, const char *target);
void fake_backup_look(struct fake_guest *d, struct hv_backup *ret);
int fake_backup_abort(struct fake_guest *d, const char *marker);
/* NULL: it is none of the commands about freezing. *ret_error: the command fails so. */
char *fake_freeze_answer(struct fake_guest *d, const char *command, int *ret_error);

/* fake_agent.c: the guest agent's answer, the caller's to free. */
char *fake_agent_answer(struct fake_guest *d, const char *command);

#endif
