/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of a guest, but for its services. Every number in them is from the health protocol's or
 * the product's document, or stands with its reason. */
#include "model/conf_keys_table.h"

#include "model/conf_value.h"

#define GUEST(member) .offset = offsetof(struct guest_spec, member)

/* What follows an end of one kind. */
#define ON(key, on, preset_, when)                                                                 \
	{                                                                                          \
		.section = CONF_SECTION_RESTART, .name = (key), .type = &conf_type_word,           \
		.from_string = restart_from_string, GUEST(restart_on[on]), .preset = (preset_),    \
		.effect = CONF_LIVE, .allowed = "restart or stay", .help = (when),                 \
	}

const struct conf_key conf_keys_guest[] = {
	[CONF_KEY_HOSTNAME - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_GUEST, .name = "Hostname",
		.type = &conf_type_hostname, GUEST(hostname), .max = 64,
		.default_text = "the guest's name", .effect = CONF_PROVISION,
		.allowed = "labels of a-z, A-Z, 0-9 and '-', parted by dots, at most 63 bytes "
			"each and 64 in all",
		.help = "host name inside the guest",
	},
	[CONF_KEY_USER - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_GUEST, .name = "User",
		.type = &conf_type_user, GUEST(user), .max = 32, .preset = "foundry",
		.effect = CONF_PROVISION,
		.allowed = "a-z, 0-9, '_' and '-', not a digit or '-' first, at most 32 bytes, "
			"not root",
		.help = "login made by cloud-init: sudo without password, key only",
	},
	[CONF_KEY_MEMORY - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_GUEST, .name = "Memory",
		.type = &conf_type_size, GUEST(memory_kib), .min = 128 * MIB, .max = TIB,
		.preset = "6G", .effect = CONF_NEXT_BOOT,
		.allowed = "128M to 1T, such as 6G",
		.help = "memory of the guest; the balloon moves below it",
	},
	[CONF_KEY_CPUS - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_GUEST, .name = "CPUs",
		.type = &conf_type_number, GUEST(cpus), .min = 1, .max = 64, .preset = "2",
		.effect = CONF_NEXT_BOOT,
		.allowed = "1 to 64",
		.help = "virtual CPUs",
	},
	[CONF_KEY_CPU_WEIGHT - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_GUEST, .name = "CPUWeight",
		.type = &conf_type_number, GUEST(cpu_weight), .min = 1, .max = 10000,
		.default_text = "not set", .effect = CONF_LIVE,
		.allowed = "1 to 10000; 100 is what everything else has",
		.help = "share of CPU time against other guests and services",
	},
	[CONF_KEY_CPU_QUOTA - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_GUEST, .name = "CPUQuota",
		.type = &conf_type_percent, GUEST(cpu_quota_pct), .min = 1, .max = 6400,
		.default_text = "no limit", .effect = CONF_LIVE,
		.allowed = "1% to 6400%; 200% are two whole CPUs",
		.help = "most CPU time the guest may take, in percent of one CPU",
	},
	[CONF_KEY_DISK - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_GUEST, .name = "Disk",
		.type = &conf_type_size, GUEST(disk_kib), .min = GIB, .max = 16 * TIB,
		.preset = "20G", .effect = CONF_PROVISION,
		.allowed = "1G to 16T, such as 20G",
		.help = "size of the guest's disk when it is made",
	},
	[CONF_KEY_ACCEL - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_GUEST, .name = "Accel",
		.type = &conf_type_word, GUEST(accel), .from_string = accel_from_string,
		.preset = "auto", .effect = CONF_NEXT_BOOT,
		.allowed = "auto, tcg or kvm",
		.help = "how the guest is run; auto takes kvm where it works",
	},
	[CONF_KEY_ARCH - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_GUEST, .name = "Arch",
		.type = &conf_type_word, GUEST(arch), .from_string = arch_from_string,
		.preset = "x86_64", .effect = CONF_NEXT_BOOT,
		.allowed = "x86_64 or aarch64",
		.help = "the guest's processor",
	},
	[CONF_KEY_AUTOSTART - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_GUEST, .name = "Autostart",
		.type = &conf_type_bool, GUEST(autostart), .preset = "yes", .effect = CONF_LIVE,
		.allowed = "yes or no",
		.help = "start the guest if nobody has started or stopped it yet",
	},
	[CONF_KEY_IMAGE_PATH - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_IMAGE, .name = "Path",
		.type = &conf_type_path, GUEST(image_path), .max = PATH_BYTES,
		.default_text = "none; required unless URL= or Kernel= is set",
		.effect = CONF_PROVISION,
		.allowed = PATH_ALLOWED,
		.help = "the base image, qcow2, never written to; taken instead of URL=",
	},
	[CONF_KEY_SHA256 - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_IMAGE, .name = "SHA256",
		.type = &conf_type_sha256, GUEST(image_sha256), .max = 64,
		.default_text = "none; the image counts as unverified", .effect = CONF_PROVISION,
		.allowed = "64 hexadecimal digits, as sha256sum prints them",
		.help = "digest the base image must have",
	},
	[CONF_KEY_URL - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_IMAGE, .name = "URL",
		.type = &conf_type_urls, GUEST(image_urls),
		.extra_offset = offsetof(struct guest_spec, n_image_urls), .max = SPEC_URLS_MAX,
		.default_text = "none", .effect = CONF_PROVISION,
		.allowed = "https://HOST/…/NAME or file:///…/NAME, without user name, query and "
			"fragment, at most 2047 bytes; at most 8",
		.help = "where provision fetches the image from; mirrors are tried in this order",
	},
	[CONF_KEY_KEYRING - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_IMAGE, .name = "Keyring",
		.type = &conf_type_path, GUEST(keyring), .max = PATH_BYTES,
		.default_text = "none", .effect = CONF_PROVISION,
		.allowed = PATH_ALLOWED,
		.help = "keys for gpgv; SHA256SUMS beside URL= must be signed by one of them",
	},
	[CONF_KEY_FINGERPRINT - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_IMAGE, .name = "Fingerprint",
		.type = &conf_type_fingerprint, GUEST(fingerprint), .max = 64,
		.default_text = "none", .effect = CONF_PROVISION,
		.allowed = "40 hexadecimal digits without spaces (64 for a key of version 5), as "
			"gpg --fingerprint prints them",
		.help = "the one primary key of Keyring= that is trusted",
	},
	[CONF_KEY_GLIBC_MIN - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_IMAGE, .name = "GlibcMin",
		.type = &conf_type_glibc, GUEST(glibc_min), .max = 16,
		/* What the services' binaries are built against: Ubuntu 24.04's. */
		.preset = "2.39", .effect = CONF_NEXT_BOOT,
		.allowed = "a version such as 2.39, or none",
		.help = "a guest known to have an older C library is not provisioned, nor started",
	},
	[CONF_KEY_KERNEL - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_IMAGE, .name = "Kernel",
		.type = &conf_type_path, GUEST(kernel), .max = PATH_BYTES, .default_text = "none",
		.effect = CONF_NEXT_BOOT,
		.allowed = PATH_ALLOWED,
		.help = "kernel to boot directly, past the boot loader",
	},
	[CONF_KEY_INITRD - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_IMAGE, .name = "Initrd",
		.type = &conf_type_path, GUEST(initrd), .max = PATH_BYTES, .default_text = "none",
		.effect = CONF_NEXT_BOOT,
		.allowed = PATH_ALLOWED,
		.help = "initial RAM disk for Kernel=",
	},
	[CONF_KEY_CMDLINE - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_IMAGE, .name = "Cmdline",
		.type = &conf_type_text, GUEST(cmdline), .max = 2047, .default_text = "none",
		.effect = CONF_NEXT_BOOT,
		.allowed = "printable text of at most 2047 bytes",
		.help = "command line for Kernel=",
	},
	[CONF_KEY_BIND - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_NETWORK, .name = "Bind",
		.type = &conf_type_ipv4, GUEST(bind), .max = 15, .preset = "127.0.0.1",
		.effect = CONF_NEXT_BOOT,
		.allowed = "a numeric IPv4 address of this host, such as 127.0.0.1",
		.help = "host address of the forwards; 127.0.0.1 is always bound besides",
	},
	[CONF_KEY_PORT_OFFSET - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_NETWORK, .name = "PortOffset",
		.type = &conf_type_offset, GUEST(port_offset), .min = 0, .max = 65534,
		.preset = "10000", .effect = CONF_NEXT_BOOT,
		.allowed = "0 to 65534",
		.help = "host port = a service's Port= plus this",
	},
	[CONF_KEY_SSH_PORT - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_NETWORK, .name = "SSHPort",
		.type = &conf_type_port_or_none, GUEST(ssh_port), .min = 1, .max = 65535,
		.default_text = "22 + PortOffset", .effect = CONF_NEXT_BOOT,
		.allowed = "1 to 65535, or none",
		.help = "host port of the guest's SSH",
	},
	[CONF_KEY_EGRESS - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_NETWORK, .name = "Egress",
		.type = &conf_type_word, GUEST(egress), .from_string = egress_from_string,
		.preset = "none", .effect = CONF_NEXT_BOOT,
		.allowed = "none or all",
		.help = "what the guest may reach; all opens the host's loopback too",
	},
	[CONF_KEY_AUTHORIZED_KEYS - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_CLOUDINIT, .name = "AuthorizedKeys",
		.type = &conf_type_ssh_keys, GUEST(authorized_keys),
		.extra_offset = offsetof(struct guest_spec, n_authorized_keys),
		.max = SPEC_KEYS_MAX, .default_text = "a key made for this guest",
		.effect = CONF_PROVISION,
		.allowed = "one public key as in id_ed25519.pub: a type such as ssh-ed25519 or "
			"ssh-rsa, the key in base64, a comment; at most 16 keys",
		.help = "SSH public keys that may log in, one an assignment",
	},
	[CONF_KEY_AUTHORIZED_KEYS_FILE - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_CLOUDINIT, .name = "AuthorizedKeysFile",
		.type = &conf_type_path, GUEST(authorized_keys_file), .max = PATH_BYTES,
		.default_text = "none", .effect = CONF_PROVISION,
		.allowed = PATH_ALLOWED,
		.help = "file of more such keys, one a line",
	},
	[CONF_KEY_PACKAGES - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_CLOUDINIT, .name = "Packages",
		.type = &conf_type_packages, GUEST(packages),
		.extra_offset = offsetof(struct guest_spec, n_packages), .max = SPEC_PACKAGES_MAX,
		.default_text = "none", .effect = CONF_PROVISION,
		.allowed = "names of a-z, 0-9, '+', '-' and '.', parted by spaces, at most 64",
		.help = "packages installed at the first boot; needs Egress=all",
	},
	[CONF_KEY_VENDOR_DATA - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_CLOUDINIT, .name = "VendorData",
		.type = &conf_type_path, GUEST(vendor_data), .max = PATH_BYTES,
		.default_text = "none", .effect = CONF_PROVISION,
		.allowed = PATH_ALLOWED,
		.help = "file put into the seed as vendor-data",
	},
	[CONF_KEY_EVERY_BOOT - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_CLOUDINIT, .name = "EveryBoot",
		.type = &conf_type_word, GUEST(every_boot), .from_string = every_boot_from_string,
		.preset = "auto", .effect = CONF_PROVISION,
		.allowed = "auto, yes or no",
		.help = "auto skips cloud-init at boots at which it has nothing to do",
	},
	[CONF_KEY_MEMORY_MIN - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_MEMORY, .name = "MemoryMin",
		.type = &conf_type_size, GUEST(memory_min_kib), .min = 128 * MIB, .max = TIB,
		.default_text = "a quarter of Memory, at least 512M", .effect = CONF_LIVE,
		.allowed = "128M to Memory, such as 2G",
		.help = "floor: the guest is never pushed below it",
	},
	[CONF_KEY_MEMORY_WEIGHT - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_MEMORY, .name = "Weight",
		.type = &conf_type_number, GUEST(memory_weight), .min = 1, .max = 10000,
		.preset = "100", .effect = CONF_LIVE,
		.allowed = "1 to 10000",
		.help = "share of the pool against other guests",
	},
	[CONF_KEY_BALLOON - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_MEMORY, .name = "Balloon",
		.type = &conf_type_word, GUEST(balloon), .from_string = balloon_mode_from_string,
		/* What the pool takes it gives back before it hurts, and it takes only while the
		 * host is short, where the alternative is the host's OOM killer. */
		.preset = "auto", .effect = CONF_LIVE,
		.allowed = "auto or manual",
		.help = "auto: memory moves with need; manual: only by `mediakitd balloon`",
	},
	[CONF_KEY_RECLAIM - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_MEMORY, .name = "Reclaim",
		.type = &conf_type_word, GUEST(reclaim), .from_string = reclaim_from_string,
		.preset = "need", .effect = CONF_LIVE,
		.allowed = "need or eager",
		.help = "give memory back when the host needs it, or whenever it is idle",
	},
	[CONF_KEY_IDLE_TARGET - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_MEMORY, .name = "IdleTarget",
		.type = &conf_type_size, GUEST(idle_target_kib), .min = 128 * MIB, .max = TIB,
		.default_text = "MemoryMin", .effect = CONF_LIVE,
		.allowed = "MemoryMin to Memory, such as 3G",
		.help = "with Reclaim=eager: how small the guest gets while the host needs nothing",
	},
	[CONF_KEY_SHUTDOWN_TIMEOUT - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_SHUTDOWN, .name = "Timeout",
		.type = &conf_type_span, GUEST(shutdown_timeout),
		.min = USEC_PER_SEC, .max = USEC_PER_HOUR, .preset = "180s", .effect = CONF_LIVE,
		.allowed = "1s to 1h, such as 180s",
		.help = "how long the guest may take to go down before its power is cut",
	},
	[CONF_KEY_AGENT_TIMEOUT - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_SHUTDOWN, .name = "AgentTimeout",
		.type = &conf_type_span, GUEST(shutdown_agent),
		.min = 0, .max = USEC_PER_HOUR, .preset = "5s", .effect = CONF_LIVE,
		.allowed = "0s to 1h, such as 5s",
		.help = "how much of Timeout= the agent gets before the button is pressed as well",
	},
	[CONF_KEY_QUIT_TIMEOUT - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_SHUTDOWN, .name = "QuitTimeout",
		.type = &conf_type_span, GUEST(shutdown_quit),
		.min = 0, .max = USEC_PER_HOUR, .preset = "15s", .effect = CONF_LIVE,
		.allowed = "0s to 1h, such as 15s",
		.help = "how long QEMU may then take to write out its caches and end",
	},
	[CONF_KEY_SAVE_TIMEOUT - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_SHUTDOWN, .name = "SaveTimeout",
		.type = &conf_type_span, GUEST(shutdown_save),
		.min = USEC_PER_SEC, .max = USEC_PER_HOUR, .preset = "120s", .effect = CONF_LIVE,
		.allowed = "1s to 1h, such as 120s",
		.help = "how long saving its memory may take before it is shut down instead",
	},
	[CONF_KEY_ON_HOST_SHUTDOWN - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_SHUTDOWN, .name = "OnHostShutdown",
		.type = &conf_type_word, GUEST(on_host), .from_string = on_host_from_string,
		.preset = "shutdown", .effect = CONF_LIVE,
		.allowed = "shutdown or save",
		.help = "what its unit's stop does, and so the host's shutdown",
	},
	[CONF_KEY_RESTART_LIMIT - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_RESTART, .name = "Limit",
		.type = &conf_type_number, GUEST(restart_limit), .min = 1,
		.max = SPEC_RESTART_LIMIT_MAX, .preset = "3", .effect = CONF_LIVE,
		.allowed = "1 to 15",
		.help = "restarts inside Window= before the guest is given up",
	},
	[CONF_KEY_RESTART_WINDOW - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_RESTART, .name = "Window",
		.type = &conf_type_span, GUEST(restart_window),
		.min = USEC_PER_SEC, .max = 7 * USEC_PER_DAY, .preset = "30min",
		.effect = CONF_LIVE,
		.allowed = "1s to 7d, such as 30min",
		.help = "the time in which restarts are counted; remedies: a day at least",
	},
	[CONF_KEY_RESTART_STABLE_AFTER - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_RESTART, .name = "StableAfter",
		.type = &conf_type_span, GUEST(restart_stable_after),
		.min = USEC_PER_SEC, .max = 7 * USEC_PER_DAY, .preset = "10min",
		.effect = CONF_LIVE,
		.allowed = "1s to 7d, such as 10min",
		.help = "healthy this long, past restarts are forgotten",
	},
	[CONF_KEY_ON_POWEROFF - CONF_KEY_GUEST_FIRST] = ON(
		"OnPowerOff", ON_POWEROFF, "stay",
		"after the guest powered itself off"),
	[CONF_KEY_ON_TERMINATED - CONF_KEY_GUEST_FIRST] = ON(
		"OnTerminated", ON_TERMINATED, "restart",
		"after a SIGTERM to QEMU or a quit by its monitor"),
	[CONF_KEY_ON_DESTROY - CONF_KEY_GUEST_FIRST] = ON(
		"OnDestroy", ON_DESTROY, "stay",
		"after somebody had libvirt destroy it"),
	[CONF_KEY_ON_PANIC - CONF_KEY_GUEST_FIRST] = ON(
		"OnPanic", ON_PANIC, "restart",
		"after a panic of the guest's kernel"),
	[CONF_KEY_ON_CRASH - CONF_KEY_GUEST_FIRST] = ON(
		"OnCrash", ON_CRASH, "restart",
		"after QEMU was gone and nobody had asked for it"),
	[CONF_KEY_ON_MEMORY_KILL - CONF_KEY_GUEST_FIRST] = ON(
		"OnMemoryKill", ON_MEMORY_KILL, "restart",
		"after the host's kernel killed QEMU for memory"),
	[CONF_KEY_ON_BOOT_FAILURE - CONF_KEY_GUEST_FIRST] = ON(
		"OnBootFailure", ON_BOOT_FAILURE, "restart",
		"after a failed start, or a boot that panicked or stood still"),
	[CONF_KEY_ON_WATCHDOG - CONF_KEY_GUEST_FIRST] = ON(
		"OnWatchdog", ON_WATCHDOG, "stay",
		"when the guest stopped feeding its watchdog; a starved one does, too"),
	[CONF_KEY_DEADLINE_FACTOR - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_BOOT, .name = "DeadlineFactor",
		.type = &conf_type_number, GUEST(boot_factor), .min = 2, .max = 100,
		/* A TCG boot on a host whose cores are taken may need five times as long. */
		.preset = "5", .effect = CONF_LIVE,
		.allowed = "2 to 100",
		.help = "a stage of a boot is late after so many times what it usually takes",
	},
	[CONF_KEY_DEADLINE_MIN - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_BOOT, .name = "DeadlineMin",
		.type = &conf_type_span, GUEST(boot_least),
		.min = 10 * USEC_PER_SEC, .max = USEC_PER_DAY, .preset = "60s",
		.effect = CONF_LIVE,
		.allowed = "10s to 1d, such as 60s",
		.help = "and never sooner; a boot that moves gets so much more each time",
	},
	[CONF_KEY_ON_STUCK - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_BOOT, .name = "OnStuck",
		.type = &conf_type_word, GUEST(on_stuck), .from_string = on_stuck_from_string,
		.preset = "show", .effect = CONF_LIVE,
		.allowed = "show or restart",
		.help = "restart asks a late boot to power off, and starts it again if it does",
	},
	[CONF_KEY_QUORUM - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_RESTART, .name = "Quorum",
		.type = &conf_type_percent, GUEST(restart_quorum), .min = 1, .max = 100,
		.default_text = "none", .effect = CONF_LIVE,
		.allowed = "1% to 100%",
		.help = "active services that must be down for the guest to be restarted for them",
	},
	[CONF_KEY_QUORUM_AFTER - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_RESTART, .name = "QuorumAfter",
		.type = &conf_type_span, GUEST(restart_quorum_after),
		.min = USEC_PER_MINUTE, .max = USEC_PER_DAY, .preset = "15min",
		.effect = CONF_LIVE,
		.allowed = "1min to 1d, such as 15min",
		.help = "how long Quorum= of them must be down without a break",
	},
	[CONF_KEY_BACKUP_KEEP - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_BACKUP, .name = "Keep",
		.type = &conf_type_number, GUEST(backup_keep), .min = 1,
		.max = SPEC_SNAPSHOTS_MAX, .preset = "3", .effect = CONF_LIVE,
		.allowed = "1 to 32",
		.help = "snapshots that are kept; after a new one the oldest over it are deleted",
	},
	[CONF_KEY_BACKUP_TIMEOUT - CONF_KEY_GUEST_FIRST] = {
		.section = CONF_SECTION_BACKUP, .name = "Timeout",
		.type = &conf_type_span, GUEST(backup_timeout),
		.min = 10 * USEC_PER_SEC, .max = USEC_PER_DAY, .preset = "1h",
		.effect = CONF_LIVE,
		.allowed = "10s to 1d, such as 1h",
		.help = "how long copying the disk may take before the snapshot is given up",
	},
};
static_assert(ARRAY_SIZE(conf_keys_guest) == CONF_KEY_SERVICE_FIRST - CONF_KEY_GUEST_FIRST,
	"a key without a row");
