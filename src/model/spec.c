/* SPDX-License-Identifier: Apache-2.0 */
/* Specs: names of their enums, their end, their UUID, and the two defaults that depend on TCG. */
#include "model/spec.h"

#include "base/macro.h"

static const char *const accel_names[] = {
	[ACCEL_AUTO] = "auto",
	[ACCEL_TCG] = "tcg",
	[ACCEL_KVM] = "kvm",
};
NAME_TABLE_DEFINE(accel, enum spec_accel, ACCEL_NUM);

static const char *const arch_names[] = {
	[ARCH_X86_64] = "x86_64",
	[ARCH_AARCH64] = "aarch64",
};
NAME_TABLE_DEFINE(arch, enum spec_arch, ARCH_NUM);

static const char *const egress_names[] = {
	[EGRESS_NONE] = "none",
	[EGRESS_ALL] = "all",
};
NAME_TABLE_DEFINE(egress, enum spec_egress, EGRESS_NUM);

static const char *const probe_kind_names[] = {
	[PROBE_CBOR] = "cbor",
	[PROBE_HTTP] = "http",
	[PROBE_TCP] = "tcp",
	[PROBE_UNIT] = "unit",
	[PROBE_NONE] = "none",
};
NAME_TABLE_DEFINE(probe_kind, enum spec_probe, PROBE_NUM);

static const char *const balloon_mode_names[] = {
	[BALLOON_MODE_AUTO] = "auto",
	[BALLOON_MODE_MANUAL] = "manual",
};
NAME_TABLE_DEFINE(balloon_mode, enum spec_balloon, BALLOON_MODE_NUM);

static const char *const reclaim_names[] = {
	[RECLAIM_NEED] = "need",
	[RECLAIM_EAGER] = "eager",
};
NAME_TABLE_DEFINE(reclaim, enum spec_reclaim, RECLAIM_NUM);

static const char *const expect_names[] = {
	[EXPECT_ACTIVE] = "active",
	[EXPECT_PENDING] = "pending",
};
NAME_TABLE_DEFINE(expect, enum spec_expect, EXPECT_NUM);

static const char *const restart_names[] = {
	[RESTART_STAY] = "stay",
	[RESTART_AGAIN] = "restart",
};
NAME_TABLE_DEFINE(restart, enum spec_restart, RESTART_NUM);

static const char *const on_stuck_names[] = {
	[ON_STUCK_SHOW] = "show",
	[ON_STUCK_RESTART] = "restart",
};
NAME_TABLE_DEFINE(on_stuck, enum spec_on_stuck, ON_STUCK_NUM);

static const char *const every_boot_names[] = {
	[EVERY_BOOT_AUTO] = "auto",
	[EVERY_BOOT_YES] = "yes",
	[EVERY_BOOT_NO] = "no",
};
NAME_TABLE_DEFINE(every_boot, enum spec_every_boot, EVERY_BOOT_NUM);

static const char *const on_host_names[] = {
	[ON_HOST_SHUTDOWN] = "shutdown",
	[ON_HOST_SAVE] = "save",
};
NAME_TABLE_DEFINE(on_host, enum spec_on_host, ON_HOST_NUM);

/* wire.md, "From verdicts to state": both defaults are tripled under TCG. */
#define TCG_FACTOR 3u

static void service_done(struct service_spec *s)
{
	free(s->name);
	free(s->purpose);
	free(s->path);
	free(s->unit);
	for (unsigned i = 0; i < s->n_depends; i++)
		free(s->depends_on[i]);
}

static void guest_done(struct guest_spec *g)
{
	free(g->name);
	free(g->hostname);
	free(g->user);
	free(g->image_path);
	free(g->image_sha256);
	for (unsigned i = 0; i < g->n_image_urls; i++)
		free(g->image_urls[i]);
	free(g->keyring);
	free(g->fingerprint);
	free(g->glibc_min);
	free(g->kernel);
	free(g->initrd);
	free(g->cmdline);
	free(g->bind);
	for (unsigned i = 0; i < g->n_authorized_keys; i++)
		free(g->authorized_keys[i]);
	free(g->authorized_keys_file);
	for (unsigned i = 0; i < g->n_packages; i++)
		free(g->packages[i]);
	free(g->vendor_data);
	for (unsigned i = 0; i < g->n_services; i++)
		service_done(&g->services[i]);
}

void spec_free(struct spec *spec)
{
	if (!spec)
		return;
	free(spec->connection);
	free(spec->state_dir);
	free(spec->runtime_dir);
	for (unsigned i = 0; i < spec->n_guests; i++)
		guest_done(&spec->guests[i]);
	free(spec->guests);
	free(spec);
}

const struct guest_spec *spec_find_guest(const struct spec *spec, const char *name)
{
	for (unsigned i = 0; i < spec->n_guests; i++)
		if (strcmp(spec->guests[i].name, name) == 0)
			return &spec->guests[i];
	return NULL;
}

const struct service_spec *guest_spec_find_service(const struct guest_spec *guest, const char *name)
{
	for (unsigned i = 0; i < guest->n_services; i++)
		if (strcmp(guest->services[i].name, name) == 0)
			return &guest->services[i];
	return NULL;
}

static unsigned __int128 fnv1a_128(unsigned __int128 hash, const char *s)
{
	/* The prime 2^88 + 2^8 + 0x3b of draft-eastlake-fnv. */
	const unsigned __int128 prime = ((unsigned __int128)1 << 88) + 0x13b;

	for (; *s; s++) {
		hash ^= (unsigned char)*s;
		hash *= prime;
	}
	return hash;
}

void spec_uuid(const char *guest_name, char ret[static SPEC_UUID_TEXT])
{
	unsigned __int128 hash = (unsigned __int128)UINT64_C(0x6c62272e07bb0142) << 64 |
				 UINT64_C(0x62b821756295c58d);
	unsigned char b[16];
	char *at = ret;

	/* The prefix keeps our UUIDs apart from whoever else hashes bare guest names. */
	hash = fnv1a_128(fnv1a_128(hash, "mediakitd/"), guest_name);
	for (int i = 15; i >= 0; i--) {
		b[i] = (unsigned char)hash;
		hash >>= 8;
	}
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x80); /* version 8: ours to fill */
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80); /* variant of RFC 9562 */
	for (unsigned i = 0; i < sizeof(b); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		at += snprintf(at, 3, "%02x", b[i]);
	}
}

uint64_t guest_spec_idle_kib(const struct guest_spec *guest)
{
	if (guest->reclaim != RECLAIM_EAGER)
		return 0;
	return guest->idle_target_kib ? guest->idle_target_kib : guest->memory_min_kib;
}

usec_t service_timeout(const struct service_spec *service, bool tcg)
{
	return tcg && !service->timeout_set ? service->timeout * TCG_FACTOR : service->timeout;
}

usec_t service_start_budget(const struct service_spec *service, bool tcg)
{
	return tcg && !service->start_budget_set ? service->start_budget * TCG_FACTOR
						 : service->start_budget;
}
