/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon told: guests and services as plain values, and the few judgements that every
 * screen shares. */
#ifndef MEDIAKIT_CLI_VIEW_H
#define MEDIAKIT_CLI_VIEW_H

#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIEW_ABSENT       UINT64_MAX /* a size nobody knows */
#define VIEW_GUESTS_MAX   256u
#define VIEW_SERVICES_MAX 32u /* of one guest */

/* Field names follow the D-Bus properties (units/com.pointsav.MediaKit1.xml documents them). Every
 * text is utf8_printable(), whatever the daemon sent; longer ones are cut. */
struct view_service {
	char name[64];
	char purpose[128], unit[96], probe[16], expect[16];
	char depends_on[256]; /* names, parted by spaces */
	char blocked_by[64];
	uint16_t port, host_port;
	bool watched;
	char state[16];
	usec_t state_since;
	char verdict[24], reason[320];
	usec_t verdict_at, latency;
	bool restored, proven;
	uint32_t successes, failures, rise, fall; /* judged in a row; as many as it takes */
	char version[72];
};

struct view_guest {
	char name[64];
	char uuid[40], hostname[72], user[40], arch[16];
	uint32_t cpus;
	uint64_t memory_configured;
	char state[16];
	usec_t state_since;
	char reason[320], want[8];
	bool healthy;
	usec_t healthy_since;
	char accelerator[8];
	usec_t started_at;
	char boot_stage[16], boot_hint[160];
	usec_t boot_stage_since;
	usec_t boot_began, boot_expected, boot_deadline;
	bool boot_stuck;
	char cloudinit_status[16], cloudinit_stage[32], cloudinit_quote[400];
	uint32_t cloudinit_errors, cloudinit_warnings, boots, faults, fault_limit;
	usec_t retry_at;
	char ladder_rung[16];
	uint32_t ladder_presses;
	usec_t ladder_since, ladder_until;
	char ladder_line[128];
	uint64_t memory_actual, memory_maximum, memory_usable, memory_available, memory_rss,
		memory_target;
	usec_t stats_at;
	char balloon_mode[16], balloon_action[16], balloon_reason[24];
	usec_t balloon_until, balloon_aside_until;
	uint64_t balloon_target, balloon_floor;
	bool balloon_on_trial;
	uint32_t balloon_grows, balloon_shrinks, balloon_returns;
	uint32_t cpu_weight, cpu_quota;
	char cpu_tune[16], cpu_tune_reason[320];
	int64_t pid;
	char exit_cause[24], exit_words[320];
	char last_start[16], last_start_reason[320];
	usec_t saved_at;
	char snapshot_phase[16], snapshot_result[320];
	usec_t snapshot_since, snapshot_tried, snapshot_at;
	uint64_t snapshot_copied, snapshot_total;
	bool snapshot_failed;
	uint32_t snapshots;
	usec_t exit_at;
	char fs_word[16], fs_words[320];
	char glibc[64], glibc_min[24], glibc_source[16];
	uint16_t ssh_port;
	char bind[48], egress[8];
	bool agent, console, seen, wedged;
	usec_t seen_age;
	bool starved;
	char starved_reason[128];
	usec_t starved_since;

	struct view_service *services; /* by port, those without one last; then by name */
	unsigned n_services;
};

struct view {
	char version[32], config_dir[256], state_dir[256], uri[128];
	usec_t began;
	bool connected;
	char connection_message[320];
	usec_t connection_since;
	uint32_t wedged_queues;
	char store_trouble[320];
	uint64_t pool_reserve, pool_critical;
	uint64_t pool_total, pool_available, pool_need, pool_enter, pool_leave;
	bool pool_pressed, pool_below_critical, pool_degraded;

	struct view_guest *guests; /* by name */
	unsigned n_guests;
};

void view_free(struct view *v); /* its content; takes an empty one */

/* NULL: not there. */
struct view_guest *view_guest(const struct view *v, const char *name);
struct view_service *view_service(const struct view_guest *g, const char *name);
/* The one of that name, made where it is missing; NULL past the limits, with no memory, or for a
 * name too long. */
struct view_guest *view_guest_make(struct view *v, const char *name);
struct view_service *view_service_make(struct view_guest *g, const char *name);
void view_guest_drop(struct view *v, const char *name);
void view_service_drop(struct view_guest *g, const char *name);
void view_sort(struct view *v);

bool view_is(const char *word, const char *const *words); /* words ends with NULL */
bool view_runs(const struct view_guest *g);               /* QEMU may be there */
bool view_service_up(const struct view_service *s);       /* up or degraded */
bool view_service_pending(const struct view_service *s);
/* For its guest's health: it is active, and asked; a unit that no agent told of is not. */
bool view_service_counts(const struct view_service *s);
/* Those that count, and how many of them are up. */
void view_count(const struct view_guest *g, unsigned *ret_up, unsigned *ret_active);
/* What the exit status says of one guest: CLI_OK, CLI_FAILED or CLI_NOT_RUNNING. */
int view_guest_exit(const struct view_guest *g);
/* Of all: failed before not running before healthy. */
int view_exit(const struct view *v);

#endif
