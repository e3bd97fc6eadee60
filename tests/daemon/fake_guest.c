/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a fake guest: it boots by its script, hears the button once logind runs, dies as
 * told. */
#include "fake_guest.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S USEC_PER_SEC

static const struct fake_line good_boot[] = {
	{ 50 * USEC_PER_MSEC,
		"SeaBIOS (version 1.16.2-debian-1.16.2-1)\r\nBooting from ROM..\r\n" },
	{ 150 * USEC_PER_MSEC, "[    0.000000] Linux version 6.12.48+deb13-cloud-amd64\r\n" },
	{ 7 * S, "[    3.118821] Run /init as init process\r\nLoading, please wait...\r\n" },
	{ 10 * S, "[    5.503170] EXT4-fs (vda): mounted filesystem r/w with ordered data "
		  "mode.\r\n" },
	{ 15 * S, "[\033[0;32m  OK  \033[0m] Reached target local-fs.target\r\n" },
	{ 28 * S, "[   21.482110] cloud-init[412]: Cloud-init v. 25.1.4 running 'init'\r\n" },
	{ 36 * S, "\r\nDebian GNU/Linux 13 vm ttyS0\r\n\r\nvm login: " },
	{ 43 * S, "\r\nmediakit: cloud-init finished, 43.0 s\r\n" },
	{ 0, NULL },
};

static const struct fake_line panicking_boot[] = {
	{ 50 * USEC_PER_MSEC,
		"SeaBIOS (version 1.16.2-debian-1.16.2-1)\r\nBooting from ROM..\r\n" },
	{ 150 * USEC_PER_MSEC, "[    0.000000] Linux version 6.12.48+deb13-cloud-amd64\r\n" },
	{ 1500 * USEC_PER_MSEC,
		"[    1.306621] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI\r\n"
		"[    1.306621] RIP: 0010:enqueue_timer+0x6/0xd0\r\n"
		"[    1.306621] Kernel panic - not syncing: Fatal exception in interrupt\r\n" },
	{ 0, NULL },
};

/* Its own programs run. */
static const struct fake_line late_panicking_boot[] = {
	{ 150 * USEC_PER_MSEC, "[    0.000000] Linux version 6.12.48+deb13-cloud-amd64\r\n" },
	{ 2500 * USEC_PER_MSEC, "[    2.411991] systemd[1]: Hostname set to <standin>.\r\n" },
	{ 7500 * USEC_PER_MSEC,
		"[    7.228628] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI\r\n"
		"[    7.231349] Kernel panic - not syncing: Fatal exception in interrupt\r\n" },
	{ 0, NULL },
};

void fake_guest_init(struct fake_guest *d, struct fake_hv *hv, const char *uuid, const char *name)
{
	d->hv = hv;
	(void)snprintf(d->uuid, sizeof(d->uuid), "%s", uuid);
	(void)snprintf(d->name, sizeof(d->name), "%s", name);
	d->script = good_boot;
	d->start_takes = 4500 * USEC_PER_MSEC;
	d->read_takes = 5 * USEC_PER_MSEC;
	d->network_at = 20 * S;
	d->services_at = 40 * S;
	d->agent_at = 33 * S;
	d->logind_at = 35 * S;
	d->cloudinit_at = 43 * S;
	d->off_takes = 3 * S;
	d->save_takes = 4 * S;
	d->maximum_kib = 6 * 1024 * 1024;
	d->demand = (struct guestmem_input){ .demand_kib = 700 * 1024, .hot_kib = 300 * 1024 };
	d->state = HV_DOMAIN_ABSENT;
}

bool fake_guest_has_qemu(const struct fake_guest *d)
{
	return d->state != HV_DOMAIN_ABSENT && d->state != HV_DOMAIN_OFF;
}

bool fake_guest_runs(const struct fake_guest *d)
{
	return d->state == HV_DOMAIN_RUNNING && !d->sigstopped;
}

usec_t fake_guest_age(const struct fake_guest *d)
{
	usec_t now = d->state == HV_DOMAIN_PAUSED ? d->paused_at : d->hv->timeline->now;

	return fake_guest_has_qemu(d) ? now - d->booted_at : 0;
}

struct hint {
	struct fake_guest *d;
	enum hv_hint hint;
};

static void tell_now(void *userdata, usec_t now)
{
	struct hint *h = userdata;
	const struct hv_event event = {
		.hint = h->hint, .uuid = h->d->uuid, .kib = fake_guest_balloon_kib(h->d)
	};
	const struct fake_hv *hv = h->d->hv;

	if (hv->connected && hv->observer.event)
		hv->observer.event(hv->observer.userdata, &event, now);
}

static void tell(struct fake_guest *d, enum hv_hint hint)
{
	struct hint *h = malloc(sizeof(*h));

	assert(h);
	*h = (struct hint){ .d = d, .hint = hint };
	(void)timeline_at_owned(d->hv->timeline, d->hv->timeline->now, tell_now, h);
}

void fake_guest_say(struct fake_guest *d, const char *text)
{
	const struct fake_hv *hv = d->hv;
	size_t len = strlen(text);

	if (!hv->connected || !hv->observer.console || !d->console_open) {
		d->console_lost += len;
		return;
	}
	for (size_t at = 0; at < len; at += HV_CONSOLE_CHUNK) {
		size_t n = len - at < HV_CONSOLE_CHUNK ? len - at : HV_CONSOLE_CHUNK;

		hv->observer.console(hv->observer.userdata, d->uuid, text + at, n, d->console_lost,
			hv->timeline->now);
		d->console_lost = 0;
	}
}

/* Says what is due, and comes back for the rest. */
static void pump(void *userdata, usec_t now)
{
	struct fake_guest *d = userdata;
	usec_t next = USEC_INFINITY;

	d->pump = NULL;
	if (!fake_guest_runs(d))
		return;
	while (d->line && d->line->text && d->line->at <= fake_guest_age(d))
		fake_guest_say(d, d->line++->text);
	if (d->line && d->line->text)
		next = d->booted_at + d->line->at;
	if (!d->agent_told && !d->no_agent && !d->panicked) {
		d->agent_told = fake_guest_age(d) >= d->agent_at;
		if (d->agent_told)
			tell(d, HV_HINT_AGENT);
		else if (d->booted_at + d->agent_at < next)
			next = d->booted_at + d->agent_at;
	}
	/* A panicked kernel says its last words and spins; with pvpanic it says so to QEMU too. */
	if (d->panicked && d->panic_tells && d->line && !d->line->text)
		fake_guest_pvpanic(d);
	if (next != USEC_INFINITY)
		d->pump = timeline_at(d->hv->timeline, next > now ? next : now, pump, d);
}

static void pump_anew(struct fake_guest *d)
{
	timeline_cancel(d->hv->timeline, d->pump);
	d->pump = NULL;
	pump(d, d->hv->timeline->now);
}

void fake_guest_go_on(struct fake_guest *d)
{
	if (fake_guest_runs(d))
		pump_anew(d);
}

/* As QEMU's virtio-balloon: a reset takes the guest's driver away, but neither what it was told nor
 * what it said last. */
static void reset_balloon(struct fake_guest *d, bool same_qemu)
{
	uint64_t said = fake_guest_balloon_kib(d);
	uint64_t told = d->told_kib ? d->told_kib : d->mem.target_kib;

	guestmem_boot(&d->mem, d->maximum_kib, 0, true, &d->demand);
	d->said_kib = same_qemu ? said : 0;
	d->told_kib = same_qemu ? told : 0;
}

static void boot(struct fake_guest *d, bool same_qemu)
{
	struct fake_hv *hv = d->hv;

	timeline_cancel(hv->timeline, d->off);
	d->off = NULL;
	d->boots++;
	d->disk_written++;
	d->booted_at = hv->timeline->now;
	d->agent_told = false;
	d->n_commands = 0;
	d->panicked = d->panics > 0;
	d->panics -= d->panicked;
	d->line = !d->panicked ? d->script : d->panics_late ? late_panicking_boot : panicking_boot;
	reset_balloon(d, same_qemu);
	d->mem_at = hv->timeline->now;
	d->frozen = false;
	(void)snprintf(d->boot_id, sizeof(d->boot_id), "%08x-0000-4000-8000-000000000000",
		++hv->next_boot);
	pump_anew(d);
}

/* It goes on where it was; only the host's side of it is new. */
static void restore(struct fake_guest *d)
{
	usec_t now = d->hv->timeline->now;

	/* Memory on a disk that is not the one it was saved with destroys that disk. */
	assert(d->has_save && d->save_disk == d->disk_written);
	d->restoring = d->has_save = false;
	d->restores++;
	d->disk_written++;
	d->booted_at = now - d->saved_age;
	d->clock_behind += now - d->saved_at;
	d->n_commands = 0;
	d->mem_at = now;
	pump_anew(d);
}

static void appears(void *userdata, usec_t now)
{
	struct fake_guest *d = userdata;

	d->appears = NULL;
	/* Two QEMUs on one write-once disk is what must never be. */
	assert(!fake_guest_has_qemu(d));
	d->state = HV_DOMAIN_RUNNING;
	d->reason = HV_REASON_BOOTED;
	d->pid = d->hv->next_pid++;
	d->pid_realtime = now_realtime();
	d->started_at = now;
	d->appeared = d->console_open = true;
	d->sigstopped = false;
	if (d->restoring)
		restore(d);
	else
		boot(d, false);
	tell(d, HV_HINT_CHANGED);
}

void fake_guest_create(struct fake_guest *d, usec_t takes)
{
	struct timeline *t = d->hv->timeline;

	d->starts++;
	/* libvirt has one start of a domain at a time: one that a dead daemon asked for goes on. */
	if (fake_guest_has_qemu(d) || d->appears)
		return;
	/* Defined, if nothing else. */
	d->state = HV_DOMAIN_OFF;
	if (d->start_error)
		return;
	usec_t before = takes > 300 * USEC_PER_MSEC ? 300 * USEC_PER_MSEC : takes;
	d->appears = timeline_at(t, t->now + takes - before, appears, d);
}

void fake_guest_start(struct fake_guest *d)
{
	appears(d, d->hv->timeline->now);
	d->appeared = false;
}

void fake_guest_end(struct fake_guest *d, enum hv_reason reason)
{
	timeline_cancel(d->hv->timeline, d->pump);
	timeline_cancel(d->hv->timeline, d->off);
	d->pump = d->off = NULL;
	d->state = HV_DOMAIN_OFF;
	d->reason = reason;
	d->agent_told = d->console_open = d->sigstopped = d->frozen = false;
	/* With its monitor closed, a call that hung on it returns. */
	fake_hv_unhang(d);
	d->ended_at = d->hv->timeline->now;
	tell(d, HV_HINT_CHANGED);
}

int fake_guest_save(struct fake_guest *d)
{
	int error = d->aborted ? -ECANCELED : d->save_error;

	d->saves++;
	d->aborted = false;
	if (!fake_guest_has_qemu(d))
		return -ENOENT;
	/* It panicked meanwhile, or somebody let it run. */
	if (error == 0 && d->state != HV_DOMAIN_PAUSED)
		error = -EIO;
	/* It would be frozen for ever. */
	assert(!d->frozen);
	if (error < 0 && d->state == HV_DOMAIN_PAUSED)
		fake_guest_resume(d);
	if (error < 0)
		return error;
	d->saved_age = fake_guest_age(d);
	d->saved_at = d->hv->timeline->now;
	d->save_version = d->hv->version;
	d->save_disk = d->disk_written;
	d->has_save = true;
	fake_guest_end(d, HV_REASON_SAVED);
	return 0;
}

void fake_guest_starve(struct fake_guest *d, unsigned permille)
{
	usec_t now = d->hv->timeline->now, span = now - d->starve_at;

	/* Thousandths of microseconds are nanoseconds; two vCPUs. */
	d->delay_nsec += 2 * span * d->starve_permille;
	d->run_nsec += 2 * span * (1000 - d->starve_permille) / 10;
	d->starve_at = now;
	d->starve_permille = permille;
}

void fake_guest_shut_down(struct fake_guest *d, enum hv_hint who)
{
	tell(d, who);
	fake_guest_end(d, HV_REASON_SHUTDOWN);
}

void fake_guest_bark(struct fake_guest *d)
{
	tell(d, HV_HINT_WATCHDOG);
}

void fake_guest_disk_error(struct fake_guest *d)
{
	tell(d, HV_HINT_DISK);
}

void fake_guest_pause(struct fake_guest *d, enum hv_reason reason)
{
	assert(d->state == HV_DOMAIN_RUNNING);
	d->state = HV_DOMAIN_PAUSED;
	d->reason = reason;
	d->paused_at = d->hv->timeline->now;
	timeline_cancel(d->hv->timeline, d->pump);
	d->pump = NULL;
	tell(d, HV_HINT_CHANGED);
}

void fake_guest_resume(struct fake_guest *d)
{
	assert(d->state == HV_DOMAIN_PAUSED);
	d->booted_at += d->hv->timeline->now - d->paused_at;
	d->state = HV_DOMAIN_RUNNING;
	d->reason = HV_REASON_BOOTED;
	tell(d, HV_HINT_CHANGED);
	pump_anew(d);
}

void fake_guest_reboot(struct fake_guest *d, bool tells)
{
	assert(fake_guest_runs(d));
	d->frozen = false;
	if (tells)
		tell(d, HV_HINT_RESET);
	boot(d, true);
}

void fake_guest_pvpanic(struct fake_guest *d)
{
	d->state = HV_DOMAIN_CRASHED;
	d->reason = HV_REASON_PANICKED;
	d->panicked = true;
	tell(d, HV_HINT_PANICKED);
}

static void goes_off(void *userdata, usec_t now)
{
	struct fake_guest *d = userdata;

	(void)now;
	d->off = NULL;
	fake_guest_shut_down(d, HV_HINT_POWEROFF);
}

static void power_off(struct fake_guest *d)
{
	struct timeline *t = d->hv->timeline;

	if (!d->off)
		d->off = timeline_at(t, t->now + d->off_takes, goes_off, d);
}

/* Lost, unless logind runs to hear it. */
int fake_guest_press(struct fake_guest *d)
{
	d->last_press_at = d->hv->timeline->now;
	if (d->presses++ == 0)
		d->first_press_at = d->last_press_at;
	if (fake_guest_runs(d) && !d->panicked && !d->ignores_acpi &&
		fake_guest_age(d) >= d->logind_at)
		power_off(d);
	return 0;
}

int fake_guest_agent_shutdown(struct fake_guest *d)
{
	d->agent_shutdowns++;
	if (!d->agent_told)
		return -ENOTCONN;
	if (d->agent_refuses)
		return -EOPNOTSUPP;
	if (fake_guest_runs(d) && !d->agent_lies)
		power_off(d);
	return 0;
}

/* Of a long silence only the end is computed. */
#define CATCH_UP (20 * USEC_PER_MINUTE)

uint64_t fake_guest_balloon_kib(const struct fake_guest *d)
{
	return d->said_kib ? d->said_kib : guestmem_actual_kib(&d->mem);
}

/* It follows at once what QEMU was told long ago; only where there is something to do QEMU hears of
 * it. */
static void load_driver(struct fake_guest *d)
{
	if (d->told_kib < d->maximum_kib)
		d->said_kib = 0;
	guestmem_order(&d->mem, d->told_kib);
	d->told_kib = 0;
}

struct guestmem *fake_guest_memory(struct fake_guest *d)
{
	usec_t now = d->hv->timeline->now;
	struct guestmem_input in = d->demand;

	if (d->no_balloon || fake_guest_age(d) < d->network_at)
		in.flaw = FLAW_ABSENT;
	else if (d->told_kib)
		load_driver(d);
	if (!fake_guest_runs(d))
		d->mem_at = now;
	if (now - d->mem_at > CATCH_UP)
		d->mem_at = now - CATCH_UP;
	for (; d->mem_at + GUESTMEM_STEP <= now; d->mem_at += GUESTMEM_STEP)
		guestmem_step(&d->mem, &in, d->mem_at, 2 * S);
	return &d->mem;
}

uint64_t fake_hv_rss_kib(struct fake_hv *hv)
{
	uint64_t sum = 0;

	for (struct fake_guest *d = hv->guests; d; d = d->next)
		if (fake_guest_has_qemu(d))
			sum += guestmem_rss_kib(fake_guest_memory(d));
	return sum;
}

/* The command succeeds whether or not there is a driver in the guest. */
int fake_guest_setmem(struct fake_guest *d, uint64_t kib)
{
	d->setmems++;
	d->ordered_kib = kib;
	struct guestmem *m = fake_guest_memory(d);
	if (d->told_kib) {
		d->told_kib = kib;
		return d->setmem_error;
	}
	if (kib != m->target_kib)
		d->said_kib = 0;
	guestmem_order(m, kib);
	return d->setmem_error;
}

void fake_hv_shift(struct fake_hv *hv, usec_t by)
{
	timeline_shift(hv->timeline, by);
	for (struct fake_guest *d = hv->guests; d; d = d->next) {
		d->booted_at += by;
		d->paused_at += by;
	}
}
