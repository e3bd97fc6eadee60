/* SPDX-License-Identifier: Apache-2.0 */
/* Lines about file systems, and what they mean. */
#include "policy/fsword.h"

#include "base/macro.h"
#include "base/parse.h"
#include "model/utf8.h"

#include <string.h>

static const char *const fs_word_names[] = {
	[FS_UNKNOWN] = "unknown",
	[FS_CLEAN] = "clean",
	[FS_RECOVERED] = "recovered",
	[FS_ERRORS] = "errors",
};
NAME_TABLE_DEFINE(fs_word, enum fs_word, FS_WORD_NUM);

/* Both must stand in the line. From fs/ext4/super.c and fs/jbd2, fs/xfs/xfs_log_recover.c and
 * xfs_error.c, fs/btrfs/disk-io.c of Linux 6.8 to 6.12, and e2fsck/unix.c as systemd-fsck passes it
 * on. Left out, because they come after a clean end as well: ext4's "mounted filesystem", and its
 * "orphan cleanup" (a root that was remounted read-only keeps what was deleted while open), and
 * FAT's "not properly unmounted", which stays until somebody mends it. */
/* clang-format off */
static const struct {
	const char *who, *words;
	enum fs_word word;
} signs[] = {
	{ "EXT4-fs",   ": recovery complete",             FS_RECOVERED },
	{ "EXT4-fs",   "recovery required on readonly",   FS_RECOVERED },
	{ "EXT4-fs",   "mounting fs with errors",         FS_ERRORS },
	{ "EXT4-fs",   ": error count since last fsck: ", FS_ERRORS },
	{ "EXT4-fs error",   " (device ",                 FS_ERRORS },
	{ "EXT4-fs",   "Remounting filesystem read-only", FS_ERRORS },
	{ "XFS (",     ": Ending clean mount",            FS_CLEAN },
	{ "XFS (",     ": Starting recovery",             FS_RECOVERED },
	{ "XFS (",     "orruption",                       FS_ERRORS },
	{ "BTRFS info",  "start tree-log replay",         FS_RECOVERED },
	{ "BTRFS error", " (device ",                     FS_ERRORS },
	{ ": clean, ",   " blocks",                       FS_CLEAN },
	{ ": recovering journal", "",                     FS_RECOVERED },
	{ " was not cleanly unmounted", "",               FS_RECOVERED },
	{ ": UNEXPECTED INCONSISTENCY", "",               FS_ERRORS },
};
/* clang-format on */

static bool has(const char *words, size_t len, const char *what)
{
	return memmem(words, len, what, strlen(what)) != NULL;
}

static bool raise_to(struct fsword *f, enum fs_word word, const char *words, size_t len)
{
	if (word <= f->word)
		return false;
	f->word = word;
	(void)utf8_escape(f->line, sizeof(f->line), words, len);
	return true;
}

bool fsword_line(struct fsword *f, const char *words, size_t len)
{
	bool changed = false;

	for (size_t i = 0; i < ARRAY_SIZE(signs); i++)
		if (has(words, len, signs[i].who) && has(words, len, signs[i].words))
			changed |= raise_to(f, signs[i].word, words, len);
	return changed;
}

/* The first lines of the kernel's log and those about file systems, at most 20, each cut at 180
 * bytes, so that all of them fit what the agent may bring (core/agent). The counters are ext4's
 * own, kept over boots. sh, head, cut and grep are on every system that has an agent to ask. */
const char *const fsword_command[] = { "/bin/sh", "-c",
	"grep -H . /sys/fs/ext4/*/errors_count 2>/dev/null | head -n 4;"
	"dmesg 2>/dev/null | grep -E 'Linux version|EXT4-fs|XFS \\(|BTRFS' | head -n 20 "
	"| cut -c 1-180",
	NULL };

/* "/sys/fs/ext4/vda1/errors_count:3" */
static bool counts_errors(const char *line, size_t len)
{
	static const char mark[] = "/errors_count:";
	const char *at = memmem(line, len, mark, sizeof(mark) - 1);
	char number[24];
	uint64_t n;

	if (!at)
		return false;
	at += sizeof(mark) - 1;
	size_t left = len - (size_t)(at - line);
	if (left == 0 || left >= sizeof(number))
		return false;
	memcpy(number, at, left);
	number[left] = '\0';
	return parse_u64(number, 1, UINT64_MAX, &n) == 0;
}

bool fsword_output(struct fsword *f, const char *output)
{
	bool changed = false, whole = false, mounted = false;

	for (const char *next; *output; output = next) {
		size_t len = strcspn(output, "\n");

		next = output + len + (output[len] == '\n');
		if (counts_errors(output, len))
			changed |= raise_to(f, FS_ERRORS, output, len);
		changed |= fsword_line(f, output, len);
		whole |= has(output, len, "Linux version ");
		mounted |= has(output, len, " mounted filesystem ") ||
			   has(output, len, ": Mounting V");
	}
	if (whole && mounted)
		changed |= raise_to(f, FS_CLEAN,
			"mounted, and the kernel's log tells of nothing to mend",
			strlen("mounted, and the kernel's log tells of nothing to mend"));
	return changed;
}
