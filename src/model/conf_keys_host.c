/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of [Daemon] and [Pool]. Every number in them is from the health protocol's or the
 * product's document, or stands with its reason. */
#include "model/conf_keys_table.h"

#include "model/conf_value.h"

#define SPEC(member) .offset = offsetof(struct spec, member)

const struct conf_key conf_keys_host[] = {
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
		.help = "free memory of the host no guest grows into; near it they give back fast",
	},
	[CONF_KEY_POOL_TOTAL] = {
		.section = CONF_SECTION_POOL, .name = "Total",
		.type = &conf_type_size, SPEC(pool_total_kib), .min = 128 * MIB,
		.max = 16 * TIB,
		.default_text = "all the host has", .effect = CONF_LIVE,
		.allowed = "128M to 16T, such as 12G",
		.help = "memory that guests and Reserve= share, if not all the host has",
	},
	/* Where MOM (20 % free) and Proxmox (80 % used) begin, and a distance neither keeps. */
	[CONF_KEY_SHRINK_BELOW] = {
		.section = CONF_SECTION_POOL, .name = "ShrinkBelow",
		.type = &conf_type_percent, SPEC(shrink_below_pct), .min = 1, .max = 90,
		.preset = "20%", .effect = CONF_LIVE,
		.allowed = "1% to 90%, such as 20%",
		.help = "free share of the pool below which guests are asked for memory",
	},
	[CONF_KEY_LEAVE_ABOVE] = {
		.section = CONF_SECTION_POOL, .name = "LeaveAbove",
		.type = &conf_type_percent, SPEC(leave_above_pct), .min = 2, .max = 95,
		.preset = "25%", .effect = CONF_LIVE,
		.allowed = "2% to 95%, over ShrinkBelow, such as 25%",
		.help = "free share of the pool from which on they are left alone again",
	},
};
static_assert(ARRAY_SIZE(conf_keys_host) == CONF_KEY_GUEST_FIRST, "a key without a row");
