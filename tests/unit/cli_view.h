/* SPDX-License-Identifier: Apache-2.0 */
/* The model of vm-mediakit as the tests of the screens draw it, at a fixed time. */
#ifndef MEDIAKIT_TESTS_CLI_VIEW_H
#define MEDIAKIT_TESTS_CLI_VIEW_H

#include "base/macro.h"
#include "cli/term.h"
#include "cli/view.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW (1800000000 * USEC_PER_SEC)
#define AGO(seconds) (NOW - (seconds) * USEC_PER_SEC)

static inline struct view canned_view(void)
{
	static struct view_service services[5];
	static struct view_guest guest;
	const struct view_service rows[] = {
		{ .name = "local-proofreader",
			.port = 9092,
			.host_port = 19092,
			.probe = "cbor",
			.expect = "active",
			.watched = true,
			.state = "down",
			.state_since = AGO(65),
			.verdict = "refused",
			.verdict_at = AGO(3),
			.latency = 900,
			.reason = "nobody listens: the connection was reset" },
		{ .name = "local-knowledge-projects",
			.port = 9093,
			.host_port = 19093,
			.probe = "cbor",
			.expect = "active",
			.watched = true,
			.state = "up",
			.state_since = AGO(7440),
			.verdict = "ok",
			.verdict_at = AGO(4),
			.latency = 12300,
			.proven = true },
		{ .name = "local-bim-orchestration",
			.port = 9096,
			.host_port = 19096,
			.probe = "cbor",
			.expect = "pending",
			.watched = true,
			.state = "down",
			.state_since = AGO(7440),
			.verdict = "refused",
			.verdict_at = AGO(4),
			.latency = 700,
			.depends_on = "service-fs",
			.blocked_by = "service-fs" },
		{ .name = "service-fs",
			.port = 9100,
			.host_port = 19100,
			.probe = "cbor",
			.expect = "pending",
			.watched = true,
			.state = "up",
			.state_since = AGO(12),
			.verdict = "ok",
			.verdict_at = AGO(2),
			.latency = 8000 },
		{ .name = "system-core",
			.probe = "unit",
			.unit = "system-core.service",
			.expect = "active",
			.state = "unknown",
			.verdict = "none" },
	};

	memcpy(services, rows, sizeof(rows));
	guest = (struct view_guest){ .name = "vm-mediakit",
		.user = "foundry",
		.cpus = 2,
		.memory_configured = 6 << 20,
		.state = "ready",
		.state_since = AGO(7440),
		.want = "up",
		.accelerator = "tcg",
		.started_at = AGO(7500),
		.boot_stage = "done",
		.pid = 4242,
		.memory_actual = 3 << 20,
		.memory_maximum = 6 << 20,
		.memory_usable = 2 << 20,
		.memory_rss = 3 << 20,
		.memory_available = VIEW_ABSENT,
		.stats_at = AGO(2),
		.exit_cause = "operator",
		.exit_words = "clean, ACPI, 4.1s",
		.exit_at = AGO(8000),
		.ssh_port = 10022,
		.bind = "127.0.0.1",
		.egress = "none",
		.agent = false,
		.seen = true,
		.services = services,
		.n_services = ARRAY_SIZE(rows) };
	return (struct view){ .version = "0",
		.connected = true,
		.uri = "qemu:///system",
		.guests = &guest,
		.n_guests = 1 };
}

#endif
