/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of the serial console to stages, signs of a writable root, and words of a panic. */
#include "policy/boot.h"

#include "base/macro.h"
#include "model/cloudinit.h"
#include "model/utf8.h"

#include <string.h>

static const char *const boot_stage_names[] = {
	[BOOT_FIRMWARE] = "firmware",
	[BOOT_KERNEL] = "kernel",
	[BOOT_INIT] = "init",
	[BOOT_CLOUD_INIT] = "cloud-init",
	[BOOT_SERVICES] = "services",
	[BOOT_DONE] = "done",
};
NAME_TABLE_DEFINE(boot_stage, enum boot_stage, BOOT_STAGE_NUM);

enum sign { SIGN_STAGE, SIGN_WRITABLE, SIGN_PANIC, SIGN_FINISHED };

/* Read off Debian 13 and Ubuntu 24.04 consoles and the kernel's own sources (kernel/panic.c,
 * arch/x86/kernel/dumpstack.c, init/main.c). A line may carry several signs; all that match count.
 */
static const struct {
	const char *words;
	enum sign sign;
	enum boot_stage stage;
} signs[] = {
	{ "Linux version ", SIGN_STAGE, BOOT_KERNEL },
	{ " as init process", SIGN_STAGE, BOOT_INIT },
	{ "Loading, please wait", SIGN_STAGE, BOOT_INIT },
	{ "systemd[1]: ", SIGN_STAGE, BOOT_INIT },
	{ "  OK  ", SIGN_STAGE, BOOT_INIT },
	{ "Cloud-init v. ", SIGN_STAGE, BOOT_CLOUD_INIT },
	{ " login: ", SIGN_STAGE, BOOT_SERVICES },
	{ "Multi-User System", SIGN_STAGE, BOOT_SERVICES },
	{ "mounted filesystem", SIGN_WRITABLE, 0 },
	{ "re-mounted", SIGN_WRITABLE, 0 },
	{ "Mounting V", SIGN_WRITABLE, 0 },
	{ "BTRFS info", SIGN_WRITABLE, 0 },
	{ "Kernel panic - not syncing", SIGN_PANIC, 0 },
	{ "Oops: ", SIGN_PANIC, 0 },
	{ "BUG: unable to handle", SIGN_PANIC, 0 },
	{ "BUG: kernel NULL pointer", SIGN_PANIC, 0 },
	{ "int3: 0000", SIGN_PANIC, 0 },
	{ "invalid opcode: 0000", SIGN_PANIC, 0 },
	{ "general protection fault", SIGN_PANIC, 0 },
	{ "VFS: Unable to mount root fs", SIGN_PANIC, 0 },
	{ CLOUDINIT_FINISHED_MARK, SIGN_FINISHED, BOOT_DONE },
	{ CLOUDINIT_SKIPPED_MARK, SIGN_FINISHED, BOOT_DONE },
};

void boot_begin(struct boot *b, usec_t now)
{
	*b = (struct boot){
		.began = now,
		.stage_since = now,
		.heard_at = now,
		.moved_at = now,
		.stepped_at = now,
	};
}

void boot_step(struct boot *b, usec_t now)
{
	b->steps++;
	b->stepped_at = b->moved_at = now;
}

void boot_lives(struct boot *b, usec_t now)
{
	b->lived_at = now;
}

void boot_slept(struct boot *b, usec_t span, usec_t now)
{
	usec_t *const times[] = { &b->began, &b->stage_since, &b->heard_at, &b->moved_at,
		&b->stepped_at };

	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		*times[i] = MIN(usec_add(*times[i], span), now);
	if (b->lived_at)
		b->lived_at = MIN(usec_add(b->lived_at, span), now);
}

static bool reach(struct boot *b, enum boot_stage stage, usec_t now)
{
	if (stage <= b->stage)
		return false;
	b->took[b->stage] = usec_sub(now, b->stage_since);
	b->stage = stage;
	b->stage_since = now;
	boot_step(b, now);
	/* From here on the guest's own programs run, and may have mounted anything. */
	if (stage >= BOOT_INIT)
		b->root_writable = true;
	return true;
}

/* `whole`: the line's end was seen. Words of a panic wait for it, so that the hint is never half a
 * line; the kernel ends each line that it begins. */
static bool judge_line(struct boot *b, bool whole, usec_t now)
{
	bool moved = false;

	for (size_t i = 0; i < ARRAY_SIZE(signs); i++) {
		if (!memmem(b->line, b->line_len, signs[i].words, strlen(signs[i].words)))
			continue;
		switch (signs[i].sign) {
		case SIGN_WRITABLE:
			b->root_writable = true;
			break;
		case SIGN_PANIC:
			if (!whole)
				break;
			/* The first words name the cause; what follows is its wake. */
			if (!b->panicked)
				(void)utf8_escape(b->hint, sizeof(b->hint), b->line, b->line_len);
			b->panicked = true;
			break;
		case SIGN_FINISHED:
			b->finished_mark = true;
			moved |= reach(b, signs[i].stage, now);
			break;
		case SIGN_STAGE:
			moved |= reach(b, signs[i].stage, now);
			break;
		}
	}
	return moved;
}

/* Has this boot said such a line before? Only letters count, so that time stamps, counters and
 * spinners make no new line of an old one. FNV-1a; nobody gains by finding two that collide. */
static bool is_new(struct boot *b)
{
	uint32_t hash = 2166136261u;
	size_t letters = 0;

	for (size_t i = 0; i < b->line_len; i++) {
		char c = b->line[i];

		if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z'))
			continue;
		hash = (hash ^ (unsigned char)c) * 16777619u;
		letters++;
	}
	hash = (hash ^ hash >> 16) % BOOT_SEEN_BITS;
	uint64_t bit = UINT64_C(1) << hash % 64;
	if (letters == 0 || (b->seen[hash / 64] & bit))
		return false;
	b->seen[hash / 64] |= bit;
	return true;
}

bool boot_console(struct boot *b, const void *data, size_t len, usec_t now)
{
	const char *s = data;
	bool moved = false;

	if (len > 0) {
		b->heard_at = now;
		b->spoke = true;
	}
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\n' || s[i] == '\r') {
			moved |= judge_line(b, true, now);
			if (is_new(b))
				b->moved_at = now;
			b->line_len = 0;
		} else if (b->line_len < sizeof(b->line)) {
			b->line[b->line_len++] = s[i];
		}
	}
	/* A login prompt ends without a newline. */
	if (b->line_len > 0)
		moved |= judge_line(b, false, now);
	return moved;
}

bool boot_userspace(struct boot *b, usec_t now)
{
	b->root_writable = true;
	return reach(b, BOOT_SERVICES, now);
}

bool boot_finish(struct boot *b, usec_t now)
{
	b->root_writable = true;
	return reach(b, BOOT_DONE, now);
}

bool boot_dead(const struct boot *b, usec_t now, usec_t *ret_look_again, const char **ret_why)
{
	usec_t panic_end = usec_add(b->stage_since, BOOT_DEAD_AFTER);
	usec_t silent_end = usec_add(MAX(b->heard_at, b->stage_since), BOOT_SILENT_AFTER);
	usec_t halted_end = usec_add(MAX(b->moved_at, b->lived_at), BOOT_HALTED_AFTER);

	if (b->root_writable) {
		bool watched = b->panicked && b->lived_at;

		*ret_look_again = watched ? halted_end : USEC_INFINITY;
		*ret_why = "the kernel panicked, and the guest has neither moved nor written since";
		return watched && now >= halted_end;
	}
	if (b->panicked && now >= panic_end) {
		*ret_why = "the kernel panicked before the root file system was writable";
		return true;
	}
	/* Silence counts only once the kernel has spoken: a guest without a serial console is
	 * silent and well. */
	if (b->stage == BOOT_KERNEL && now >= silent_end) {
		*ret_why = "the kernel fell silent before the root file system was writable";
		return true;
	}
	*ret_look_again = b->panicked               ? MIN(panic_end, silent_end)
			  : b->stage == BOOT_KERNEL ? silent_end
						    : USEC_INFINITY;
	return false;
}
