/* SPDX-License-Identifier: Apache-2.0 */
/* A guest as libvirt reads it: the domain XML, made from the configuration alone. */
#ifndef MEDIAKIT_MODEL_DOMXML_H
#define MEDIAKIT_MODEL_DOMXML_H

#include "model/spec.h"

/* Our tag in <metadata>: a domain that has it, with its name, is one of ours. */
#define DOMXML_NAMESPACE "https://pointsav.com/xmlns/mediakit/domain/1"

/* The channel the guest agent listens on: QEMU's own documented name. */
#define DOMXML_AGENT_CHANNEL "org.qemu.guest_agent.0"

/* Seconds between two balloon statistics. */
#define DOMXML_STATS_PERIOD_SEC 2u

/* Where the network card sits on the root bus. It is made by an argument that libvirt does not look
 * into, so the slot must be one libvirt does not give away itself: it counts up from 1. */
#define DOMXML_NIC_SLOT 0x10u

/* Absolute paths QEMU's user can reach. NULL: the guest has none. They are not opened here. Disk
 * and seed are left out where the guest boots from its kernel alone (Kernel= without Path=). */
struct domxml_paths {
	const char *disk;   /* qcow2; its backing file is read from its own header by libvirt */
	const char *seed;   /* cloud-init's NoCloud image, raw, attached read-only */
	const char *kernel; /* direct boot; needed for aarch64 */
	const char *initrd;
	const char *qmp_socket; /* a second QMP monitor, for tests; a path with a free name */
	unsigned tb_cache_mib;  /* TCG's cache of translated code; 0: QEMU's own choice */
};

/*
 * The persistent domain of a guest. *ret is the caller's to free. 0; -EINVAL: a value holds what
 * XML can't carry, or memory, name or UUID are missing; -EOPNOTSUPP: an aarch64 guest without a
 * kernel (its firmware is not ours to choose yet); -ENOMEM.
 *
 * What was decided:
 *  - Forwards are arguments of QEMU (slirp): libvirt's own port forwarding needs passt, which
 *    Debian 12 compiles out and AppArmor breaks on Ubuntu 24.04. Each listens on Bind= and, unless
 *    that is 127.0.0.1 or all addresses, on 127.0.0.1 too, where the probes ask.
 *  - CPU weight and quota are not in the XML: where the host has no cpu controller the start would
 *    fail with them. They are set on the running guest.
 *  - An aarch64 guest without a seed is no cloud image but a microkernel system or the like: no
 *    agent channel, no watchdog.
 *  - Nothing a guest does leads QEMU to reset it or to keep it as a corpse: the watchdog has no
 *    action, a crash destroys. The daemon decides about restarts.
 */
int domxml_build(
	const struct guest_spec *guest, const struct domxml_paths *paths, bool kvm, char **ret);

/* The MAC of a guest's card: 52:54:00, QEMU's range, and the last three bytes of its UUID. */
#define DOMXML_MAC_TEXT 18u
void domxml_mac(const struct guest_spec *guest, char ret[static DOMXML_MAC_TEXT]);

#endif
