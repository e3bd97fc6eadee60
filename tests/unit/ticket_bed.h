/* SPDX-License-Identifier: Apache-2.0 */
/* A state directory with a guest's disk and seed, and what a ticket for its save says. */
#ifndef MEDIAKIT_TESTS_TICKET_BED_H
#define MEDIAKIT_TESTS_TICKET_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "io/filesaves.h"

static const struct save_made made = { .xml_sha256 = "abc",
	.version = 7002022,
	.boot_id = "00000001-0000-4000-8000-000000000000",
	.at_realtime = 1767225600000000 };

static char dir[64];

static void shell(const char *what)
{
	char command[512];

	(void)snprintf(command, sizeof(command), "cd %s && %s", dir, what);
	assert_int_equal(system(command), 0);
}

static void make_bed(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/test_ticket-XXXXXX");
	assert_non_null(mkdtemp(dir));
	shell("mkdir -p images/vm private/vm; echo disk >images/vm/disk.qcow2; "
	      "echo seed >images/vm/seed.iso");
}

#endif
