/* SPDX-License-Identifier: Apache-2.0 */
/* The key table. Every number in it is from the health protocol's or the product's document, or
 * stands with its reason. */
#include "model/conf_keys.h"

#include "model/conf_value.h"

static const char *const conf_section_names[] = {
	[CONF_SECTION_DAEMON] = "Daemon",
	[CONF_SECTION_POOL] = "Pool",
	[CONF_SECTION_GUEST] = "Guest",
	[CONF_SECTION_IMAGE] = "Image",
	[CONF_SECTION_NETWORK] = "Network",
	[CONF_SECTION_CLOUDINIT] = "CloudInit",
	[CONF_SECTION_MEMORY] = "Memory",
	[CONF_SECTION_SHUTDOWN] = "Shutdown",
	[CONF_SECTION_RESTART] = "Restart",
	[CONF_SECTION_SERVICE] = "Service",
};
NAME_TABLE_DEFINE(conf_section, enum conf_section, CONF_SECTION_NUM);

static const char *const conf_effect_names[] = {
	[CONF_LIVE] = "live",
	[CONF_NEXT_BOOT] = "next-boot",
	[CONF_RESTART_DAEMON] = "restart-daemon",
	[CONF_PROVISION] = "provision",
};
NAME_TABLE_DEFINE(conf_effect, enum conf_effect, CONF_EFFECT_NUM);

#define MIB UINT64_C(1024)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)

#define SPEC(member)    .offset = offsetof(struct spec, member)
#define GUEST(member)   .offset = offsetof(struct guest_spec, member)
#define SERVICE(member) .offset = offsetof(struct service_spec, member)

/* PATH_MAX less its NUL. */
#define PATH_BYTES   4095
#define PATH_ALLOWED "a path that begins with '/', at most 4095 printable bytes"
/* sun_path holds 107 bytes and a NUL (unix(7)); the longest socket name here is "/control". */
#define RUNTIME_BYTES 99

static const struct conf_key keys[] = {
	[CONF_KEY_CONNECTION] = {
		.section = CONF_SECTION_DAEMON, .name = "Connection",
		.type = &conf_type_uri, SPEC(connection), .max = 1024, .preset = "qemu:///system",
		.effect = CONF_RESTART_DAEMON,
		.allowed = "a libvirt URI such as qemu:///system or "
			"qemu:///embed?root=/srv/embed",
		.help = "the libvirt driver that runs the guests",
	},
	[CONF_KEY_STATE_DIRECTORY] = {
		.section = CONF_SECTION_DAEMON, .name = "StateDirectory",
		.type = &conf_type_path, SPEC(state_dir), .max = PATH_BYTES,
		.preset = "/var/lib/mediakitd", .effect = CONF_RESTART_DAEMON,
		.allowed = PATH_ALLOWED,
		.help = "what outlives the daemon: disks, seeds, verdicts, records",
	},
	[CONF_KEY_RUNTIME_DIRECTORY] = {
		.section = CONF_SECTION_DAEMON, .name = "RuntimeDirectory",
		.type = &conf_type_path, SPEC(runtime_dir), .max = RUNTIME_BYTES,
		.preset = "/run/mediakitd", .effect = CONF_RESTART_DAEMON,
		.allowed = "a path that begins with '/', at most 99 bytes, because sockets are "
			"made in it",
		.help = "the daemon's sockets",
	},
	[CONF_KEY_RESERVE] = {
		.section = CONF_SECTION_POOL, .name = "Reserve",
		.type = &conf_type_size, SPEC(reserve_kib), .min = 0, .max = 16 * TIB,
		.preset = "1G", .effect = CONF_LIVE,
		.allowed = "0 to 16T, such as 1G",
		.help = "memory of the host the guests are to leave free",
	},
	[CONF_KEY_CRITICAL] = {
		.section = CONF_SECTION_POOL, .name = "Critical",
		.type = &conf_type_size, SPEC(critical_kib), .min = 0, .max = 16 * TIB,
		.preset = "512M", .effect = CONF_LIVE,
		.allowed = "0 to Reserve, such as 512M",
		.help = "free memory of the host below which guests give memory back at once",
	},
	[CONF_KEY_HOSTNAME] = {
		.section = CONF_SECTION_GUEST, .name = "Hostname",
		.type = &conf_type_hostname, GUEST(hostname), .max = 64,
		.default_text = "the guest's name", .effect = CONF_PROVISION,
		.allowed = "labels of a-z, A-Z, 0-9 and '-', parted by dots, at most 63 bytes "
			"each and 64 in all",
		.help = "host name inside the guest",
	},
	[CONF_KEY_USER] = {
		.section = CONF_SECTION_GUEST, .name = "User",
		.type = &conf_type_user, GUEST(user), .max = 32, .preset = "foundry",
		.effect = CONF_PROVISION,
		.allowed = "a-z, 0-9, '_' and '-', not a digit or '-' first, at most 32 bytes, "
			"not root",
		.help = "login made by cloud-init: sudo without password, key only",
	},
	[CONF_KEY_MEMORY] = {
		.section = CONF_SECTION_GUEST, .name = "Memory",
		.type = &conf_type_size, GUEST(memory_kib), .min = 128 * MIB, .max = TIB,
		.preset = "6G", .effect = CONF_NEXT_BOOT,
		.allowed = "128M to 1T, such as 6G",
		.help = "memory of the guest; the balloon moves below it",
	},
	[CONF_KEY_CPUS] = {
		.section = CONF_SECTION_GUEST, .name = "CPUs",
		.type = &conf_type_number, GUEST(cpus), .min = 1, .max = 64, .preset = "2",
		.effect = CONF_NEXT_BOOT,
		.allowed = "1 to 64",
		.help = "virtual CPUs",
	},
	[CONF_KEY_CPU_WEIGHT] = {
		.section = CONF_SECTION_GUEST, .name = "CPUWeight",
		.type = &conf_type_number, GUEST(cpu_weight), .min = 1, .max = 10000,
		.default_text = "not set", .effect = CONF_LIVE,
		.allowed = "1 to 10000; 100 is what everything else has",
		.help = "share of CPU time against other guests and services",
	},
	[CONF_KEY_CPU_QUOTA] = {
		.section = CONF_SECTION_GUEST, .name = "CPUQuota",
		.type = &conf_type_percent, GUEST(cpu_quota_pct), .min = 1, .max = 6400,
		.default_text = "no limit", .effect = CONF_LIVE,
		.allowed = "1% to 6400%; 200% are two whole CPUs",
		.help = "most CPU time the guest may take, in percent of one CPU",
	},
	[CONF_KEY_DISK] = {
		.section = CONF_SECTION_GUEST, .name = "Disk",
		.type = &conf_type_size, GUEST(disk_kib), .min = GIB, .max = 16 * TIB,
		.preset = "20G", .effect = CONF_PROVISION,
		.allowed = "1G to 16T, such as 20G",
		.help = "size of the guest's disk when it is made",
	},
	[CONF_KEY_ACCEL] = {
		.section = CONF_SECTION_GUEST, .name = "Accel",
		.type = &conf_type_word, GUEST(accel), .from_string = accel_from_string,
		.preset = "auto", .effect = CONF_NEXT_BOOT,
		.allowed = "auto, tcg or kvm",
		.help = "how the guest is run; auto takes kvm where it works",
	},
	[CONF_KEY_ARCH] = {
		.section = CONF_SECTION_GUEST, .name = "Arch",
		.type = &conf_type_word, GUEST(arch), .from_string = arch_from_string,
		.preset = "x86_64", .effect = CONF_NEXT_BOOT,
		.allowed = "x86_64 or aarch64",
		.help = "the guest's processor",
	},
	[CONF_KEY_AUTOSTART] = {
		.section = CONF_SECTION_GUEST, .name = "Autostart",
		.type = &conf_type_bool, GUEST(autostart), .preset = "yes", .effect = CONF_LIVE,
		.allowed = "yes or no",
		.help = "start the guest if nobody has started or stopped it yet",
	},
	[CONF_KEY_IMAGE_PATH] = {
		.section = CONF_SECTION_IMAGE, .name = "Path",
		.type = &conf_type_path, GUEST(image_path), .max = PATH_BYTES,
		.default_text = "none; required unless Kernel= is set", .effect = CONF_PROVISION,
		.allowed = PATH_ALLOWED,
		.help = "the base image, qcow2, never written to",
	},
	[CONF_KEY_SHA256] = {
		.section = CONF_SECTION_IMAGE, .name = "SHA256",
		.type = &conf_type_sha256, GUEST(image_sha256), .max = 64,
		.default_text = "none; the image counts as unverified", .effect = CONF_PROVISION,
		.allowed = "64 hexadecimal digits, as sha256sum prints them",
		.help = "digest the base image must have",
	},
	[CONF_KEY_KERNEL] = {
		.section = CONF_SECTION_IMAGE, .name = "Kernel",
		.type = &conf_type_path, GUEST(kernel), .max = PATH_BYTES, .default_text = "none",
		.effect = CONF_NEXT_BOOT,
		.allowed = PATH_ALLOWED,
		.help = "kernel to boot directly, past the boot loader",
	},
	[CONF_KEY_INITRD] = {
		.section = CONF_SECTION_IMAGE, .name = "Initrd",
		.type = &conf_type_path, GUEST(initrd), .max = PATH_BYTES, .default_text = "none",
		.effect = CONF_NEXT_BOOT,
		.allowed = PATH_ALLOWED,
		.help = "initial RAM disk for Kernel=",
	},
	[CONF_KEY_CMDLINE] = {
		.section = CONF_SECTION_IMAGE, .name = "Cmdline",
		.type = &conf_type_text, GUEST(cmdline), .max = 2047, .default_text = "none",
		.effect = CONF_NEXT_BOOT,
		.allowed = "printable text of at most 2047 bytes",
		.help = "command line for Kernel=",
	},
	[CONF_KEY_BIND] = {
		.section = CONF_SECTION_NETWORK, .name = "Bind",
		.type = &conf_type_ipv4, GUEST(bind), .max = 15, .preset = "127.0.0.1",
		.effect = CONF_NEXT_BOOT,
		.allowed = "a numeric IPv4 address of this host, such as 127.0.0.1",
		.help = "host address of the forwards; 127.0.0.1 is always bound besides",
	},
	[CONF_KEY_PORT_OFFSET] = {
		.section = CONF_SECTION_NETWORK, .name = "PortOffset",
		.type = &conf_type_offset, GUEST(port_offset), .min = 0, .max = 65534,
		.preset = "10000", .effect = CONF_NEXT_BOOT,
		.allowed = "0 to 65534",
		.help = "host port = a service's Port= plus this",
	},
	[CONF_KEY_SSH_PORT] = {
		.section = CONF_SECTION_NETWORK, .name = "SSHPort",
		.type = &conf_type_port_or_none, GUEST(ssh_port), .min = 1, .max = 65535,
		.default_text = "22 + PortOffset", .effect = CONF_NEXT_BOOT,
		.allowed = "1 to 65535, or none",
		.help = "host port of the guest's SSH",
	},
	[CONF_KEY_EGRESS] = {
		.section = CONF_SECTION_NETWORK, .name = "Egress",
		.type = &conf_type_word, GUEST(egress), .from_string = egress_from_string,
		.preset = "none", .effect = CONF_NEXT_BOOT,
		.allowed = "none or all",
		.help = "what the guest may reach; all opens the host's loopback too",
	},
	[CONF_KEY_AUTHORIZED_KEYS] = {
		.section = CONF_SECTION_CLOUDINIT, .name = "AuthorizedKeys",
		.type = &conf_type_ssh_keys, GUEST(authorized_keys),
		.extra_offset = offsetof(struct guest_spec, n_authorized_keys),
		.max = SPEC_KEYS_MAX, .default_text = "a key made for this guest",
		.effect = CONF_PROVISION,
		.allowed = "one public key as in id_ed25519.pub: a type such as ssh-ed25519 or "
			"ssh-rsa, the key in base64, a comment; at most 16 keys",
		.help = "SSH public keys that may log in, one an assignment",
	},
	[CONF_KEY_AUTHORIZED_KEYS_FILE] = {
		.section = CONF_SECTION_CLOUDINIT, .name = "AuthorizedKeysFile",
		.type = &conf_type_path, GUEST(authorized_keys_file), .max = PATH_BYTES,
		.default_text = "none", .effect = CONF_PROVISION,
		.allowed = PATH_ALLOWED,
		.help = "file of more such keys, one a line",
	},
	[CONF_KEY_PACKAGES] = {
		.section = CONF_SECTION_CLOUDINIT, .name = "Packages",
		.type = &conf_type_packages, GUEST(packages),
		.extra_offset = offsetof(struct guest_spec, n_packages), .max = SPEC_PACKAGES_MAX,
		.default_text = "none", .effect = CONF_PROVISION,
		.allowed = "names of a-z, 0-9, '+', '-' and '.', parted by spaces, at most 64",
		.help = "packages installed at the first boot; needs Egress=all",
	},
	[CONF_KEY_VENDOR_DATA] = {
		.section = CONF_SECTION_CLOUDINIT, .name = "VendorData",
		.type = &conf_type_path, GUEST(vendor_data), .max = PATH_BYTES,
		.default_text = "none", .effect = CONF_PROVISION,
		.allowed = PATH_ALLOWED,
		.help = "file put into the seed as vendor-data",
	},
	[CONF_KEY_MEMORY_MIN] = {
		.section = CONF_SECTION_MEMORY, .name = "MemoryMin",
		.type = &conf_type_size, GUEST(memory_min_kib), .min = 128 * MIB, .max = TIB,
		.default_text = "a quarter of Memory, at least 512M", .effect = CONF_LIVE,
		.allowed = "128M to Memory, such as 2G",
		.help = "floor: the guest is never pushed below it",
	},
	[CONF_KEY_MEMORY_WEIGHT] = {
		.section = CONF_SECTION_MEMORY, .name = "Weight",
		.type = &conf_type_number, GUEST(memory_weight), .min = 1, .max = 10000,
		.preset = "100", .effect = CONF_LIVE,
		.allowed = "1 to 10000",
		.help = "share of the pool against other guests",
	},
	[CONF_KEY_SHUTDOWN_TIMEOUT] = {
		.section = CONF_SECTION_SHUTDOWN, .name = "Timeout",
		.type = &conf_type_span, GUEST(shutdown_timeout),
		.min = USEC_PER_SEC, .max = USEC_PER_HOUR, .preset = "180s", .effect = CONF_LIVE,
		.allowed = "1s to 1h, such as 180s",
		.help = "how long a graceful stop may take before the hard one",
	},
	[CONF_KEY_RESTART_LIMIT] = {
		.section = CONF_SECTION_RESTART, .name = "Limit",
		.type = &conf_type_number, GUEST(restart_limit), .min = 1,
		.max = SPEC_RESTART_LIMIT_MAX, .preset = "3", .effect = CONF_LIVE,
		.allowed = "1 to 15",
		.help = "boot attempts inside Window= before the guest is given up",
	},
	[CONF_KEY_RESTART_WINDOW] = {
		.section = CONF_SECTION_RESTART, .name = "Window",
		.type = &conf_type_span, GUEST(restart_window),
		.min = USEC_PER_SEC, .max = 7 * USEC_PER_DAY, .preset = "30min",
		.effect = CONF_LIVE,
		.allowed = "1s to 7d, such as 30min",
		.help = "the time in which attempts are counted",
	},
	[CONF_KEY_PORT] = {
		.section = CONF_SECTION_SERVICE, .name = "Port",
		.type = &conf_type_port, SERVICE(port), .min = 1, .max = 65535,
		.default_text = "none", .effect = CONF_NEXT_BOOT,
		.allowed = "1 to 65535",
		.help = "the service's TCP port in the guest",
	},
	[CONF_KEY_HOST_PORT] = {
		.section = CONF_SECTION_SERVICE, .name = "HostPort",
		.type = &conf_type_port, SERVICE(host_port), .min = 1, .max = 65535,
		.default_text = "Port + PortOffset", .effect = CONF_NEXT_BOOT,
		.allowed = "1 to 65535",
		.help = "host port forwarded to Port=",
	},
	[CONF_KEY_PROBE] = {
		.section = CONF_SECTION_SERVICE, .name = "Probe",
		.type = &conf_type_word, SERVICE(probe), .from_string = probe_kind_from_string,
		.default_text = "cbor with a Port, unit without", .effect = CONF_LIVE,
		.allowed = "cbor, http, tcp, unit or none",
		.help = "how the service is asked",
	},
	[CONF_KEY_PROBE_PATH] = {
		.section = CONF_SECTION_SERVICE, .name = "Path",
		.type = &conf_type_url_path, SERVICE(path), .max = 256, .preset = "/healthz",
		.effect = CONF_LIVE,
		.allowed = "visible ASCII that begins with '/', at most 256 bytes, no fragment",
		.help = "what cbor and http probes ask for",
	},
	[CONF_KEY_INTERVAL] = {
		.section = CONF_SECTION_SERVICE, .name = "Interval",
		.type = &conf_type_span, SERVICE(interval),
		.min = 100 * USEC_PER_MSEC, .max = USEC_PER_HOUR, .preset = "10s",
		.effect = CONF_LIVE,
		.allowed = "100ms to 1h, such as 10s",
		.help = "time between probes",
	},
	[CONF_KEY_FAST_INTERVAL] = {
		.section = CONF_SECTION_SERVICE, .name = "FastInterval",
		.type = &conf_type_span, SERVICE(fast_interval),
		.min = 100 * USEC_PER_MSEC, .max = USEC_PER_HOUR,
		.preset = "1s", .default_text = "1s, at most Interval", .effect = CONF_LIVE,
		.allowed = "100ms to Interval, such as 1s",
		.help = "time between probes while the state is in doubt",
	},
	[CONF_KEY_TIMEOUT] = {
		.section = CONF_SECTION_SERVICE, .name = "Timeout",
		.type = &conf_type_span, SERVICE(timeout),
		.extra_offset = offsetof(struct service_spec, timeout_set),
		.min = 100 * USEC_PER_MSEC, .max = USEC_PER_MINUTE,
		.preset = "2s", .default_text = "2s; 6s under TCG", .effect = CONF_LIVE,
		.allowed = "100ms to 60s, such as 2s",
		.help = "time for a whole answer",
	},
	[CONF_KEY_RISE] = {
		.section = CONF_SECTION_SERVICE, .name = "Rise",
		.type = &conf_type_number, SERVICE(rise), .min = 1, .max = 10, .preset = "2",
		.effect = CONF_LIVE,
		.allowed = "1 to 10",
		.help = "successes in a row that bring a service up",
	},
	[CONF_KEY_FALL] = {
		.section = CONF_SECTION_SERVICE, .name = "Fall",
		.type = &conf_type_number, SERVICE(fall), .min = 1, .max = 10, .preset = "3",
		.effect = CONF_LIVE,
		.allowed = "1 to 10",
		.help = "failures in a row that take it down",
	},
	[CONF_KEY_START_BUDGET] = {
		.section = CONF_SECTION_SERVICE, .name = "StartBudget",
		.type = &conf_type_span, SERVICE(start_budget),
		.extra_offset = offsetof(struct service_spec, start_budget_set),
		.min = USEC_PER_SEC, .max = USEC_PER_DAY,
		.preset = "300s", .default_text = "300s; 900s under TCG", .effect = CONF_LIVE,
		.allowed = "1s to 1d, such as 300s",
		.help = "time after a boot before failures count",
	},
	[CONF_KEY_EXPECT] = {
		.section = CONF_SECTION_SERVICE, .name = "Expect",
		.type = &conf_type_word, SERVICE(expect), .from_string = expect_from_string,
		.preset = "active", .effect = CONF_LIVE,
		.allowed = "active or pending",
		.help = "pending: shown and probed, never counted against health",
	},
	[CONF_KEY_DEPENDS_ON] = {
		.section = CONF_SECTION_SERVICE, .name = "DependsOn",
		.type = &conf_type_names, SERVICE(depends_on),
		.extra_offset = offsetof(struct service_spec, n_depends), .max = SPEC_DEPENDS_MAX,
		.default_text = "none", .effect = CONF_LIVE,
		.allowed = "names of services of this guest, parted by spaces, at most 8",
		.help = "services of the same guest this one needs",
	},
	[CONF_KEY_UNIT] = {
		.section = CONF_SECTION_SERVICE, .name = "Unit",
		.type = &conf_type_unit, SERVICE(unit), .max = 255,
		.default_text = "NAME.service", .effect = CONF_LIVE,
		.allowed = "a unit name such as nginx.service, at most 255 bytes",
		.help = "its systemd unit in the guest",
	},
	[CONF_KEY_PURPOSE] = {
		.section = CONF_SECTION_SERVICE, .name = "Purpose",
		.type = &conf_type_text, SERVICE(purpose), .max = 120, .default_text = "none",
		.effect = CONF_LIVE,
		.allowed = "printable text of at most 120 bytes",
		.help = "a few words for status",
	},
};
static_assert(ARRAY_SIZE(keys) == CONF_KEY_NUM, "a key without a row");

const struct conf_key *conf_keys(unsigned *ret_n)
{
	*ret_n = CONF_KEY_NUM;
	return keys;
}

enum conf_object conf_section_object(enum conf_section section)
{
	switch (section) {
	case CONF_SECTION_DAEMON:
	case CONF_SECTION_POOL:
		return CONF_OBJECT_DAEMON;
	case CONF_SECTION_SERVICE:
		return CONF_OBJECT_SERVICE;
	default:
		return CONF_OBJECT_GUEST;
	}
}

int conf_key_find(enum conf_section section, const char *name)
{
	for (int i = 0; i < CONF_KEY_NUM; i++)
		if (keys[i].section == section && strcmp(keys[i].name, name) == 0)
			return i;
	return -ENOENT;
}

const char *conf_key_default(const struct conf_key *key)
{
	if (key->default_text)
		return key->default_text;
	return key->preset ? key->preset : "none";
}
