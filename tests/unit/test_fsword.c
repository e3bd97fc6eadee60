/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest says of its file systems, line by line and through its agent. */
/* LINK: base/time base/parse model/utf8 policy/fsword */
#include "policy/fsword.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"
#include "model/utf8.h"

/* From consoles of Debian 13 and Ubuntu 24.04, and from the sources. */
static void test_lines(void **state)
{
	static const struct {
		const char *line;
		enum fs_word word;
	} rows[] = {
		{ "[    5.5] EXT4-fs (vda1): mounted filesystem 1a2b r/w with ordered data mode. "
		  "Quota "
		  "mode: none.",
			FS_UNKNOWN },
		{ "[    5.4] EXT4-fs (vda1): orphan cleanup on readonly fs", FS_UNKNOWN },
		{ "[    5.4] EXT4-fs (vda1): INFO: recovery required on readonly filesystem",
			FS_RECOVERED },
		{ "[    5.4] EXT4-fs (vda1): recovery complete", FS_RECOVERED },
		{ "[    5.4] EXT4-fs (vda1): warning: mounting fs with errors, running e2fsck is "
		  "recommended",
			FS_ERRORS },
		{ "[  309.1] EXT4-fs (vda1): error count since last fsck: 3", FS_ERRORS },
		{ "[    9.0] EXT4-fs error (device vda1): ext4_lookup:1785: inode #2: comm ls: bad",
			FS_ERRORS },
		{ "[    4.2] XFS (vda2): Mounting V5 Filesystem 0a0b", FS_UNKNOWN },
		{ "[    4.3] XFS (vda2): Ending clean mount", FS_CLEAN },
		{ "[    4.3] XFS (vda2): Starting recovery (logdev: internal)", FS_RECOVERED },
		{ "[    4.3] XFS (vda2): Metadata corruption detected at xfs_agf", FS_ERRORS },
		{ "[    4.3] BTRFS info (device vda1): start tree-log replay", FS_RECOVERED },
		{ "[    3.1] systemd-fsck[201]: /dev/vda1: clean, 60123/1290240 files, "
		  "700000/5242619 "
		  "blocks",
			FS_CLEAN },
		{ "[    3.1] systemd-fsck[201]: cloudimg-rootfs: recovering journal",
			FS_RECOVERED },
		{ "/dev/vda1 was not cleanly unmounted, check forced.", FS_RECOVERED },
		{ "/dev/vda1: UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY.", FS_ERRORS },
		{ "nginx: recovery complete", FS_UNKNOWN },
		{ "a room: clean, tidy", FS_UNKNOWN },
		{ "", FS_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fsword f = { .word = FS_UNKNOWN };

		assert_int_equal(fsword_line(&f, rows[i].line, strlen(rows[i].line)),
			rows[i].word != FS_UNKNOWN);
		assert_int_equal(f.word, rows[i].word);
		assert_int_equal(f.line[0] != '\0', rows[i].word != FS_UNKNOWN);
	}
}

static bool say(struct fsword *f, const char *line)
{
	return fsword_line(f, line, strlen(line));
}

/* fsck says "clean" of what it has just mended, and one bad disk is enough. */
static void test_worst_stays(void **state)
{
	struct fsword f = { .word = FS_UNKNOWN };

	(void)state;
	assert_true(say(&f, "a: clean, 1/2 files, 3/4 blocks"));
	assert_true(say(&f, "b: recovering journal"));
	assert_false(say(&f, "b: clean, 1/2 files, 3/4 blocks"));
	assert_false(say(&f, "EXT4-fs (vdb): recovery complete"));
	assert_string_equal(f.line, "b: recovering journal");
	assert_true(say(&f, "c: UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY."));
	assert_int_equal(f.word, FS_ERRORS);
}

static void test_output(void **state)
{
#define BEGAN   "[    0.000000] Linux version 6.12.48\n"
#define MOUNTED "[    5.5] EXT4-fs (vda1): mounted filesystem 1a2b r/w\n"
	static const struct {
		const char *output;
		enum fs_word word;
	} rows[] = {
		{ "", FS_UNKNOWN },
		{ "/sys/fs/ext4/vda1/errors_count:0\n", FS_UNKNOWN },
		{ "/sys/fs/ext4/vda1/errors_count:0\n" BEGAN MOUNTED, FS_CLEAN },
		/* The log's beginning is gone, or nothing was mounted: who knows. */
		{ MOUNTED, FS_UNKNOWN },
		{ BEGAN, FS_UNKNOWN },
		{ BEGAN "[ 5.4] EXT4-fs (vda1): recovery complete\n" MOUNTED, FS_RECOVERED },
		{ "/sys/fs/ext4/vda1/errors_count:7\n" BEGAN MOUNTED, FS_ERRORS },
		{ "/sys/fs/ext4/vda1/errors_count:7", FS_ERRORS },
		{ "/sys/fs/ext4/vda1/errors_count:-7\n/x/errors_count:\n/x/errors_count:1x\n"
		  "/x/errors_count:99999999999999999999999999999999\n",
			FS_UNKNOWN },
		{ "\n\n\n", FS_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fsword f = { .word = FS_UNKNOWN };

		assert_int_equal(fsword_output(&f, rows[i].output), rows[i].word != FS_UNKNOWN);
		assert_int_equal(f.word, rows[i].word);
	}
}

static void test_hostile(void **state)
{
	struct fsword f = { .word = FS_UNKNOWN };
	char line[4096];

	(void)state;
	memset(line, '\xff', sizeof(line));
	memcpy(line, "EXT4-fs: recovery complete\033[2J", 29);
	assert_true(fsword_line(&f, line, sizeof(line)));
	assert_true(strnlen(f.line, sizeof(f.line)) < sizeof(f.line));
	assert_true(utf8_printable(f.line, strlen(f.line)));
	assert_null(strchr(f.line, '\033'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_worst_stays),
		cmocka_unit_test(test_output),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
