/* SPDX-License-Identifier: Apache-2.0 */
/* Preflight and start. */
#include "core/starting.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "core/event.h"
#include "core/hvlink.h"
#include "core/supervisor.h"
#include "io/layout.h"
#include "model/domxml.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* A resume that fails is libvirt's or QEMU's trouble, and shows as a pause. */
#define RESUMES_MAX 3u

static bool use_kvm(struct supervisor *s, const struct guest_spec *spec)
{
	if (spec->accel == ACCEL_TCG || spec->arch != ARCH_X86_64)
		return false;
	if (s->hv_health.kvm)
		return true;
	if (!s->kvm_known) {
		s->kvm = s->config.kvm_works();
		s->kvm_known = true;
	}
	return s->kvm;
}

static int lock_guest(struct guest *g, struct reason *reason)
{
	CLEANUP_FREE char *path = layout_guest_lock(g->supervisor->spec->state_dir, g->spec->name);

	if (!path)
		return reason_set(reason, -ENOMEM, "out of memory");
	g->saving.unlock = false;
	if (g->lock_fd >= 0)
		return 0;
	int fd = file_lock(path);
	if (fd == -EWOULDBLOCK)
		return reason_set(reason, -EBUSY, "it is being provisioned: wait for that to end");
	if (fd == -ENOENT)
		return reason_set(reason, -ENOENT,
			"it is not provisioned: run `mediakitd provision %s` first", g->spec->name);
	if (fd < 0)
		return reason_set(reason, fd, "%s: %s", path, strerror(-fd));
	g->lock_fd = fd;
	return 0;
}

static int check_file(
	const char *path, const char *what, const struct guest *g, struct reason *reason)
{
	if (path && access(path, F_OK) < 0)
		return reason_set(reason, -ENOENT,
			"it has no %s: run `mediakitd provision %s` first (%s is missing)", what,
			g->spec->name, path);
	return 0;
}

static int check_port(const struct guest *g, uint16_t port, const char *what, struct reason *reason)
{
	const struct supervisor_config *c = &g->supervisor->config;
	char owner[128] = "";

	if (port == 0)
		return 0;
	int r = c->port_check(g->spec->bind, port, owner, sizeof(owner));
	if (r == -EADDRINUSE)
		return reason_set(reason, r,
			"host port %s:%u (%s) is taken%s%s: end that program, or change HostPort= "
			"or PortOffset=",
			g->spec->bind, port, what, owner[0] ? " by " : "", owner);
	if (r == -EADDRNOTAVAIL)
		return reason_set(reason, r,
			"no interface of this host has the address %s of Bind=", g->spec->bind);
	if (r < 0)
		return reason_set(reason, r, "host port %s:%u (%s) cannot be bound: %s",
			g->spec->bind, port, what, strerror(-r));
	return 0;
}

int starting_preflight(struct guest *g, struct reason *reason)
{
	const char *state = g->supervisor->spec->state_dir;
	CLEANUP_FREE char *disk = layout_disk(state, g->spec->name);
	int r = lock_guest(g, reason);

	/* A guest that is a kernel alone has none. */
	if (r == 0 && guest_spec_has_disk(g->spec))
		r = check_file(disk, "disk", g, reason);
	if (r == 0)
		r = check_port(g, g->spec->ssh_port, "SSH", reason);
	for (unsigned i = 0; r == 0 && i < g->n_services; i++)
		r = check_port(
			g, g->services[i].spec->host_port, g->services[i].spec->name, reason);
	if (r == 0 && g->spec->accel == ACCEL_KVM && !use_kvm(g->supervisor, g->spec))
		r = reason_set(reason, -EOPNOTSUPP,
			"Accel=kvm, but KVM does not work here: use Accel=auto or Accel=tcg");
	return r;
}

int starting_submit(struct guest *g, struct reason *reason)
{
	const char *state = g->supervisor->spec->state_dir;
	const char *name = g->spec->name;
	CLEANUP_FREE char *disk = layout_disk(state, name);
	CLEANUP_FREE char *seed = layout_seed(state, name);
	CLEANUP_FREE char *kernel = layout_kernel(state, name);
	CLEANUP_FREE char *initrd = layout_initrd(state, name);
	CLEANUP_FREE char *qmp = NULL;
	if (g->supervisor->config.qmp_dir &&
		asprintf(&qmp, "%s/%s.qmp", g->supervisor->config.qmp_dir, name) < 0)
		return reason_set(reason, -ENOMEM, "out of memory");
	const struct domxml_paths paths = {
		.disk = guest_spec_has_disk(g->spec) ? disk : NULL,
		.seed = seed && access(seed, F_OK) == 0 ? seed : NULL,
		.kernel = g->spec->kernel ? kernel : NULL,
		.initrd = g->spec->initrd ? initrd : NULL,
		.qmp_socket = qmp,
	};
	CLEANUP_FREE char *xml = NULL;

	int r = domxml_build(g->spec, &paths, use_kvm(g->supervisor, g->spec), &xml);
	if (r < 0)
		return reason_set(reason, r, "the domain cannot be described: %s", strerror(-r));
	bool restore = saving_decide(g, xml);
	FAILPOINT(START_SUBMIT);
	r = hvlink_start(g, xml, restore);
	if (r == -ENOTCONN)
		return reason_set(reason, r, "no connection to libvirt (%s)",
			g->supervisor->spec->connection);
	if (r == -EBUSY)
		return reason_set(reason, r,
			"an earlier call to libvirt about this guest has not returned yet");
	if (r < 0)
		return reason_set(reason, r, "the start cannot be asked for: %s", strerror(-r));
	g->saving.ticket.error = -ENOENT;
	starting_may_be_cut_short(g);
	return 0;
}

void starting_may_be_cut_short(struct guest *g)
{
	g->resumes_left = RESUMES_MAX;
}

bool starting_resumable(const struct guest *g)
{
	/* libvirt calls a domain that was created paused one that a user paused. */
	return g->facts.state == HV_DOMAIN_PAUSED &&
	       (g->facts.reason == HV_REASON_USER || g->facts.reason == HV_REASON_UNKNOWN);
}

bool starting_resume(struct guest *g)
{
	if (!starting_resumable(g) || g->want != WANT_UP || g->resumes_left == 0 ||
		hvlink_stop(g, HV_RESUME) < 0)
		return false;
	g->resumes_left--;
	event_note(g, EVENT_BOOT, NULL, LOG_NOTICE, "resuming it: %s",
		g->state == GUEST_PAUSED
			? "it was paused, and a start was asked for"
			: "found created and paused, by a start that was cut short");
	return true;
}

void starting_hold_lock(struct guest *g)
{
	struct reason reason;

	if (lock_guest(g, &reason) < 0)
		log_full(LOG_NOTICE, g->spec->name, NULL, "runs, but its lock is not ours: %s",
			reason.text);
}

void starting_release_lock(struct guest *g)
{
	g->saving.unlock = g->lock_fd >= 0 && g->saving.at_disk > 0;
	if (g->lock_fd < 0 || g->saving.unlock)
		return;
	FAILPOINT(UNLOCK);
	(void)close(g->lock_fd);
	g->lock_fd = -1;
	FAILPOINT(UNLOCKED);
}
