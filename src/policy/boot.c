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
	{ "Run /init as init process", SIGN_STAGE, BOOT_INIT },
	{ "Run /sbin/init as init process", SIGN_STAGE, BOOT_INIT },
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
};

void boot_begin(struct boot *b, usec_t now)
{
	*b = (struct boot){ .began = now, .stage_since = now, .heard_at = now };
}

static bool reach(struct boot *b, enum boot_stage stage, usec_t now)
{
	if (stage <= b->stage)
		return false;
	b->stage = stage;
	b->stage_since = now;
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

bool boot_console(struct boot *b, const void *data, size_t len, usec_t now)
{
	const char *s = data;
	bool moved = false;

	if (len > 0)
		b->heard_at = now;
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\n' || s[i] == '\r') {
			moved |= judge_line(b, true, now);
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

bool boot_dead(const struct boot *b, usec_t now, usec_t *ret_look_again, const char **ret_why)
{
	usec_t panic_end = usec_add(b->stage_since, BOOT_DEAD_AFTER);
	usec_t silent_end = usec_add(MAX(b->heard_at, b->stage_since), BOOT_SILENT_AFTER);

	if (b->root_writable) {
		*ret_look_again = USEC_INFINITY;
		return false;
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
