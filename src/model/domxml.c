/* SPDX-License-Identifier: Apache-2.0 */
/* The guest as a libvirt domain, element by element in the order of libvirt's own output. */
#include "model/domxml.h"

#include "base/macro.h"
#include "base/memstream.h"
#include "model/xmlwriter.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define QEMU_NAMESPACE "http://libvirt.org/schemas/domain/qemu/1.0"

#define LOOPBACK      "127.0.0.1"
#define ALL_ADDRESSES "0.0.0.0"

struct build {
	struct xmlwriter w;
	const struct guest_spec *guest;
	const struct domxml_paths *paths;
	bool kvm;
	bool cloud; /* an operating system with an agent and a watchdog daemon is expected */
};

static bool is_x86(const struct build *b)
{
	return b->guest->arch == ARCH_X86_64;
}

/* What differs between the machines. The AArch64 board is the one seL4's qemu-arm-virt is built
 * for: its processor, the second version of its interrupt controller; Linux takes both. */
static const struct {
	const char *machine, *emulator, *serial_type, *serial_model;
} machines[] = {
	[ARCH_X86_64] = { "q35", "/usr/bin/qemu-system-x86_64", "isa-serial", "isa-serial" },
	[ARCH_AARCH64] = { "virt", "/usr/bin/qemu-system-aarch64", "system-serial", "pl011" },
};
static_assert(ARRAY_SIZE(machines) == ARCH_NUM, "an architecture without a machine");

void domxml_mac(const struct guest_spec *guest, char ret[static DOMXML_MAC_TEXT])
{
	const char *tail = guest->uuid + SPEC_UUID_TEXT - 1 - 6;

	(void)snprintf(ret, DOMXML_MAC_TEXT, "52:54:00:%.2s:%.2s:%.2s", tail, tail + 2, tail + 4);
}

static void put_identity(struct build *b)
{
	struct xmlwriter *w = &b->w;

	xmlwriter_leaf(w, "name", b->guest->name);
	xmlwriter_leaf(w, "uuid", b->guest->uuid);
	xmlwriter_open(w, "metadata");
	xmlwriter_open(w, "mediakit:guest");
	xmlwriter_attr(w, "xmlns:mediakit", DOMXML_NAMESPACE);
	xmlwriter_attr(w, "name", b->guest->name);
	xmlwriter_close(w);
	xmlwriter_close(w);
}

static void put_number(struct build *b, const char *name, const char *unit, uint64_t value)
{
	char digits[24];

	(void)snprintf(digits, sizeof(digits), "%" PRIu64, value);
	xmlwriter_open(&b->w, name);
	xmlwriter_attr(&b->w, "unit", unit);
	xmlwriter_text(&b->w, digits);
	xmlwriter_close(&b->w);
}

/* Spares the guest's cloud-init the search through other data sources. Tables of SMBIOS reach an
 * AArch64 guest only through a firmware, which a direct boot has not. */
static bool has_smbios(const struct build *b)
{
	return is_x86(b) && b->paths->seed;
}

static void put_sysinfo(struct build *b)
{
	struct xmlwriter *w = &b->w;

	if (!has_smbios(b))
		return;
	xmlwriter_open(w, "sysinfo");
	xmlwriter_attr(w, "type", "smbios");
	xmlwriter_open(w, "system");
	xmlwriter_open(w, "entry");
	xmlwriter_attr(w, "name", "serial");
	xmlwriter_text(w, "ds=nocloud");
	xmlwriter_close(w);
	xmlwriter_close(w);
	xmlwriter_close(w);
}

static void put_os(struct build *b)
{
	struct xmlwriter *w = &b->w;

	xmlwriter_open(w, "os");
	xmlwriter_open(w, "type");
	xmlwriter_attr(w, "arch", arch_to_string(b->guest->arch));
	xmlwriter_attr(w, "machine", machines[b->guest->arch].machine);
	xmlwriter_text(w, "hvm");
	xmlwriter_close(w);
	if (b->paths->kernel) {
		xmlwriter_leaf(w, "kernel", b->paths->kernel);
		if (b->paths->initrd)
			xmlwriter_leaf(w, "initrd", b->paths->initrd);
		if (b->guest->cmdline)
			xmlwriter_leaf(w, "cmdline", b->guest->cmdline);
	} else {
		xmlwriter_empty(w, "boot", "dev", "hd");
	}
	if (has_smbios(b))
		xmlwriter_empty(w, "smbios", "mode", "sysinfo");
	xmlwriter_close(w);
}

static void put_tb_cache(struct build *b)
{
	if (b->kvm || b->paths->tb_cache_mib == 0)
		return;
	xmlwriter_open(&b->w, "tcg");
	put_number(b, "tb-cache", "MiB", b->paths->tb_cache_mib);
	xmlwriter_close(&b->w);
}

static void put_features(struct build *b)
{
	struct xmlwriter *w = &b->w;

	xmlwriter_open(w, "features");
	if (is_x86(b)) {
		/* The power button of a graceful stop is ACPI's. */
		xmlwriter_empty(w, "acpi", NULL, NULL);
		xmlwriter_empty(w, "apic", NULL, NULL);
	} else {
		/* The second version counts no further than eight processors. */
		xmlwriter_empty(w, "gic", "version", b->guest->cpus > 8 ? "3" : "2");
	}
	put_tb_cache(b);
	xmlwriter_close(w);
}

static void put_cpu(struct build *b)
{
	struct xmlwriter *w = &b->w;

	xmlwriter_open(w, "cpu");
	if (b->kvm) {
		xmlwriter_attr(w, "mode", "host-passthrough");
	} else if (is_x86(b)) {
		/* Everything QEMU can emulate, so that a distribution that asks for x86-64-v2 or v3
		 * runs, but for five-level paging: each miss of the emulated TLB would walk one
		 * table more, for memory that no guest of ours has, and QEMU has had faults in it.
		 */
		xmlwriter_attr(w, "mode", "maximum");
		xmlwriter_open(w, "feature");
		xmlwriter_attr(w, "policy", "disable");
		xmlwriter_attr(w, "name", "la57");
		xmlwriter_close(w);
	} else {
		xmlwriter_attr(w, "mode", "custom");
		xmlwriter_attr(w, "match", "exact");
		xmlwriter_leaf(w, "model", "cortex-a53");
	}
	xmlwriter_close(w);
}

static void put_policy(struct build *b)
{
	struct xmlwriter *w = &b->w;

	xmlwriter_empty(w, "clock", "offset", "utc");
	xmlwriter_leaf(w, "on_poweroff", "destroy");
	xmlwriter_leaf(w, "on_reboot", "restart");
	xmlwriter_leaf(w, "on_crash", "destroy");
}

/* No cache mode is given: QEMU's own keeps the host's page cache and passes the guest's flushes on,
 * which a ledger needs. */
static void put_disk(struct build *b, const char *path, const char *target, bool writable)
{
	struct xmlwriter *w = &b->w;

	if (!path)
		return;
	xmlwriter_open(w, "disk");
	xmlwriter_attr(w, "type", "file");
	xmlwriter_attr(w, "device", "disk");
	xmlwriter_open(w, "driver");
	xmlwriter_attr(w, "name", "qemu");
	xmlwriter_attr(w, "type", writable ? "qcow2" : "raw");
	if (writable) {
		xmlwriter_attr(w, "discard", "unmap");
		/* QEMU's defaults, said because core/diskpause relies on them. A full file system
		 * is mended from outside and the write is then done: the guest waits for it. A
		 * device that fails is not mended by waiting, and a guest that is told may still
		 * answer reads, remount read-only, and know that its write failed. */
		xmlwriter_attr(w, "error_policy", "enospace");
		xmlwriter_attr(w, "rerror_policy", "report");
	}
	xmlwriter_close(w);
	xmlwriter_empty(w, "source", "file", path);
	xmlwriter_open(w, "target");
	xmlwriter_attr(w, "dev", target);
	xmlwriter_attr(w, "bus", "virtio");
	xmlwriter_close(w);
	if (!writable)
		xmlwriter_empty(w, "readonly", NULL, NULL);
	xmlwriter_close(w);
}

/* A pty, because the daemon must read from the first byte and relay to operators: a log file of
 * QEMU's would grow without bound. */
static void put_serial(struct build *b)
{
	struct xmlwriter *w = &b->w;

	xmlwriter_open(w, "serial");
	xmlwriter_attr(w, "type", "pty");
	xmlwriter_open(w, "target");
	xmlwriter_attr(w, "type", machines[b->guest->arch].serial_type);
	xmlwriter_attr(w, "port", "0");
	xmlwriter_empty(w, "model", "name", machines[b->guest->arch].serial_model);
	xmlwriter_close(w);
	xmlwriter_close(w);
	xmlwriter_open(w, "console");
	xmlwriter_attr(w, "type", "pty");
	xmlwriter_open(w, "target");
	xmlwriter_attr(w, "type", "serial");
	xmlwriter_attr(w, "port", "0");
	xmlwriter_close(w);
	xmlwriter_close(w);
}

/* The path of the socket is left to libvirt. */
static void put_agent(struct build *b)
{
	struct xmlwriter *w = &b->w;

	xmlwriter_open(w, "channel");
	xmlwriter_attr(w, "type", "unix");
	xmlwriter_open(w, "target");
	xmlwriter_attr(w, "type", "virtio");
	xmlwriter_attr(w, "name", DOMXML_AGENT_CHANNEL);
	xmlwriter_close(w);
	xmlwriter_close(w);
}

static void put_balloon(struct build *b)
{
	struct xmlwriter *w = &b->w;

	xmlwriter_open(w, "memballoon");
	xmlwriter_attr(w, "model", "virtio");
	xmlwriter_attr(w, "autodeflate", "on");
	xmlwriter_attr(w, "freePageReporting", "on");
	xmlwriter_open(w, "stats");
	xmlwriter_attrf(w, "period", "%u", DOMXML_STATS_PERIOD_SEC);
	xmlwriter_close(w);
	xmlwriter_close(w);
}

static void put_rng(struct build *b)
{
	struct xmlwriter *w = &b->w;

	xmlwriter_open(w, "rng");
	xmlwriter_attr(w, "model", "virtio");
	xmlwriter_open(w, "backend");
	xmlwriter_attr(w, "model", "random");
	xmlwriter_text(w, "/dev/urandom");
	xmlwriter_close(w);
	xmlwriter_close(w);
}

/* libvirt's own choice for a watchdog is to reset the guest, which would punish a starved one.
 * Without an action it is evidence. */
static void put_witnesses(struct build *b)
{
	struct xmlwriter *w = &b->w;

	if (b->cloud) {
		xmlwriter_open(w, "watchdog");
		xmlwriter_attr(w, "model", "i6300esb");
		xmlwriter_attr(w, "action", "none");
		xmlwriter_close(w);
	}
	if (is_x86(b))
		xmlwriter_empty(w, "panic", "model", "isa");
}

static void put_devices(struct build *b)
{
	struct xmlwriter *w = &b->w;

	xmlwriter_open(w, "devices");
	xmlwriter_leaf(w, "emulator", machines[b->guest->arch].emulator);
	put_disk(b, b->paths->disk, "vda", true);
	put_disk(b, b->paths->seed, "vdb", false);
	xmlwriter_open(w, "controller");
	xmlwriter_attr(w, "type", "usb");
	xmlwriter_attr(w, "model", "none");
	xmlwriter_close(w);
	put_serial(b);
	if (b->cloud)
		put_agent(b);
	put_balloon(b);
	put_rng(b);
	put_witnesses(b);
	xmlwriter_close(w);
}

/* QEMU splits its option strings at commas; one that belongs to a value is doubled. */
static void put_value(FILE *f, const char *value)
{
	for (; *value; value++) {
		(void)fputc(*value, f);
		if (*value == ',')
			(void)fputc(',', f);
	}
}

static void put_forward(FILE *f, const char *address, uint16_t host_port, uint16_t port)
{
	(void)fputs(",hostfwd=tcp:", f);
	put_value(f, address);
	(void)fprintf(f, ":%u-:%u", host_port, port);
}

/* On the configured address, and where that leaves 127.0.0.1 out, there too. */
static void put_forwards(FILE *f, const struct guest_spec *guest, uint16_t host_port, uint16_t port)
{
	const char *bind = guest->bind ? guest->bind : LOOPBACK;

	if (host_port == 0 || port == 0)
		return;
	put_forward(f, bind, host_port, port);
	if (strcmp(bind, LOOPBACK) != 0 && strcmp(bind, ALL_ADDRESSES) != 0)
		put_forward(f, LOOPBACK, host_port, port);
}

#define SSH_PORT_IN_GUEST 22

static void put_netdev(FILE *f, const struct guest_spec *guest)
{
	(void)fprintf(f, "user,id=mediakit0,ipv6=off,restrict=%s",
		guest->egress == EGRESS_ALL ? "off" : "on");
	put_forwards(f, guest, guest->ssh_port, SSH_PORT_IN_GUEST);
	for (unsigned i = 0; i < guest->n_services; i++)
		put_forwards(f, guest, guest->services[i].host_port, guest->services[i].port);
}

static void put_arg(struct build *b, const char *value)
{
	xmlwriter_empty(&b->w, "qemu:arg", "value", value);
}

/* Two arguments: the option, and its value as `write` puts it. */
static int put_option(
	struct build *b, const char *option, void (*write)(FILE *f, const struct build *b))
{
	CLEANUP_FREE char *text = NULL;
	struct memstream m;

	if (memstream_open(&m))
		write(m.f, b);
	int r = memstream_close(&m, &text, NULL);
	if (r < 0)
		return r;
	put_arg(b, option);
	put_arg(b, text);
	return 0;
}

static void write_netdev(FILE *f, const struct build *b)
{
	put_netdev(f, b->guest);
}

/* No option ROM: nothing boots from the network, and the file would be one more package to install.
 */
static void write_nic(FILE *f, const struct build *b)
{
	char mac[DOMXML_MAC_TEXT];

	domxml_mac(b->guest, mac);
	(void)fprintf(f, "virtio-net-pci,netdev=mediakit0,bus=pcie.0,addr=0x%x,mac=%s,romfile=",
		DOMXML_NIC_SLOT, mac);
}

static void write_qmp(FILE *f, const struct build *b)
{
	(void)fputs("socket,id=mediakit-qmp,server=on,wait=off,path=", f);
	put_value(f, b->paths->qmp_socket);
}

static int put_commandline(struct build *b)
{
	int r;

	xmlwriter_open(&b->w, "qemu:commandline");
	r = put_option(b, "-netdev", write_netdev);
	if (r == 0)
		r = put_option(b, "-device", write_nic);
	if (r == 0 && b->paths->qmp_socket) {
		r = put_option(b, "-chardev", write_qmp);
		put_arg(b, "-mon");
		put_arg(b, "chardev=mediakit-qmp,mode=control");
	}
	xmlwriter_close(&b->w);
	return r;
}

static int put_domain(struct build *b)
{
	struct xmlwriter *w = &b->w;
	char cpus[12];
	int r;

	(void)snprintf(cpus, sizeof(cpus), "%u", b->guest->cpus);
	xmlwriter_open(w, "domain");
	xmlwriter_attr(w, "type", b->kvm ? "kvm" : "qemu");
	xmlwriter_attr(w, "xmlns:qemu", QEMU_NAMESPACE);
	put_identity(b);
	put_number(b, "memory", "KiB", b->guest->memory_kib);
	xmlwriter_leaf(w, "vcpu", cpus);
	put_sysinfo(b);
	put_os(b);
	put_features(b);
	put_cpu(b);
	put_policy(b);
	put_devices(b);
	r = put_commandline(b);
	xmlwriter_close(w);
	return r;
}

int domxml_build(
	const struct guest_spec *guest, const struct domxml_paths *paths, bool kvm, char **ret)
{
	struct domxml_paths has = *paths;
	struct build b = { .guest = guest, .paths = &has, .kvm = kvm };
	char *text = NULL;

	if (guest->kernel && !guest_spec_has_disk(guest))
		has.disk = has.seed = NULL;
	if (!guest->name || strlen(guest->uuid) != SPEC_UUID_TEXT - 1 || guest->memory_kib == 0 ||
		guest->cpus == 0 || (size_t)guest->arch >= ARCH_NUM)
		return -EINVAL;
	if (guest->arch == ARCH_AARCH64 && !paths->kernel)
		return -EOPNOTSUPP;
	b.cloud = is_x86(&b) || has.seed;

	xmlwriter_begin(&b.w);
	int r = put_domain(&b);
	int end = xmlwriter_end(&b.w, &text);

	if (r == 0 && end == 0)
		*ret = TAKE_PTR(text);
	free(text);
	return r < 0 ? r : end;
}
