/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the progress of a boot off the serial line, and says when a boot is dead.
 *
 * Theory of operation: about one TCG boot in 25 panics in its first seconds and spins for ever, so
 * a boot must be watched. But the serial line is the guest's own word: a service with root could
 * write "Kernel panic" there at any time and have the host cut the power under a write-once ledger.
 * So words lead to a hard stop only while nothing can be lost, that is before the root file system
 * is writable in this boot, and only when no new stage came for BOOT_DEAD_AFTER. Once a sign of a
 * writable root was seen, it stays seen for that boot. Signs err to the safe side: any word of the
 * guest's init counts. From then on words alone are a hint for the screen, and it takes the host's
 * own eyes as well: a boot that said them, in which nothing answered yet, and whose disk was not
 * written to for BOOT_HALTED_AFTER, has nothing left to lose, whoever wrote the words. Rejected:
 * trusting pvpanic alone (an Oops in the idle task never reaches it, and its driver comes late in a
 * boot), and a plain time-out (a starved TCG boot may take minutes and be well).
 *
 * Movement is seen here too, for the deadlines of policy/boottime, and in two grades. A *step* is
 * something of which a boot has only so many: a new stage, the agent connecting, one service more
 * that answers. A *move* is a step, or a serial line that this boot has not said before. Lines that
 * differ only in digits, blanks or punctuation ("A start job is running (31s / 1min 30s)") are the
 * same line; each finds its bit in a field of BOOT_SEEN_BITS, so a guest can move by talking only
 * so often in a boot, whatever it says. */
#ifndef MEDIAKIT_POLICY_BOOT_H
#define MEDIAKIT_POLICY_BOOT_H

#include "base/nametable.h"
#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum boot_stage {
	BOOT_FIRMWARE, /* nothing but the firmware has spoken */
	BOOT_KERNEL,   /* "Linux version" */
	BOOT_INIT,     /* the first program of the root file system or of the initrd */
	BOOT_CLOUD_INIT,
	BOOT_SERVICES, /* a login prompt, or the default target */
	BOOT_DONE,     /* cloud-init finished, or was skipped */
	BOOT_STAGE_NUM,
};
NAME_TABLE_DECLARE(boot_stage, enum boot_stage);

/* A panicked kernel gets this long to show that it moves after all. */
#define BOOT_DEAD_AFTER (30 * USEC_PER_SEC)
/* A serial line silent for this long before the root is writable: firmware without a disk, a kernel
 * that hangs. Six times the longest silence measured in a good TCG boot on two loaded cores. */
#define BOOT_SILENT_AFTER (180 * USEC_PER_SEC)
/* A disk that was not written to for this long, and nothing new said: a running kernel writes back
 * after 30 s (vm.dirty_expire_centisecs) and commits its journal every 5 s; systemd's waits for a
 * device or a unit end after 90 s, and are told. */
#define BOOT_HALTED_AFTER (120 * USEC_PER_SEC)
#define BOOT_LINE_MAX     256u /* longer lines are judged by their beginning */
#define BOOT_HINT_MAX     128u
/* A good boot of the stand-in says 400 lines, an Ubuntu cloud image about 900; two different lines
 * that share a bit cost nothing, because others come. */
#define BOOT_SEEN_BITS 4096u

struct boot {
	enum boot_stage stage;
	usec_t began, stage_since, heard_at;
	usec_t moved_at, stepped_at;
	usec_t lived_at; /* boot_lives(); 0: nobody looks */
	unsigned steps;              /* so far */
	usec_t took[BOOT_STAGE_NUM]; /* of each stage that was left; 0: not left, or passed over */
	bool spoke;                  /* there is somebody on the serial line */
	bool unseen;              /* it began before anybody watched: the first stage may be any */
	bool root_writable;       /* may be: a sign of it was seen in this boot */
	bool panicked;            /* words of a kernel panic or Oops were seen */
	bool finished_mark;       /* cloud-init's last words were seen, or that it is skipped */
	char hint[BOOT_HINT_MAX]; /* the line that says so, printable; "" without */
	char line[BOOT_LINE_MAX]; /* being collected */
	size_t line_len;
	uint64_t seen[BOOT_SEEN_BITS / 64]; /* lines that were said in this boot */
};

void boot_begin(struct boot *b, usec_t now);
/* Serial bytes, as they come, cut anywhere. True when the stage moved. */
bool boot_console(struct boot *b, const void *data, size_t len, usec_t now);
/* Something other than the serial line shows that the guest's userspace runs: the agent connected,
 * a service answered. True when the stage moved. */
bool boot_userspace(struct boot *b, usec_t now);
/* cloud-init ended, or the guest counts as ready without its word. True when the stage moved. */
bool boot_finish(struct boot *b, usec_t now);
/* Progress that the serial line does not show. Only for what can happen a bounded number of times
 * in a boot. */
void boot_step(struct boot *b, usec_t now);
/* A sign of life that only the host sees, or that it can't tell: the disk was written to, the guest
 * was starved. Until the first, a boot whose root may be writable is never dead. */
void boot_lives(struct boot *b, usec_t now);
/* The host slept or the guest was paused for so long: time that no boot can use. What happened
 * since then, at the latest now, stands. */
void boot_slept(struct boot *b, usec_t span, usec_t now);
/* Is this boot dead? If not, *ret_look_again is when to ask next (USEC_INFINITY: never again).
 * `ret_why` is static. */
bool boot_dead(const struct boot *b, usec_t now, usec_t *ret_look_again, const char **ret_why);

#endif
