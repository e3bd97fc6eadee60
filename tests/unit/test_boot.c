/* SPDX-License-Identifier: Apache-2.0 */
/* Serial lines of real boots, good and bad, cut everywhere: which stage, what counts as
 * writable, who is dead and when. */
/* LINK: base/time model/utf8 policy/boot */
#include "policy/boot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"
#include "model/cloudinit.h"
#include "model/utf8.h"

#define S  USEC_PER_SEC
#define T0 (100 * S)

#define FIRMWARE                                                                                   \
	"SeaBIOS (version 1.16.2-debian-1.16.2-1)\r\n\r\niPXE (http://ipxe.org) "                  \
	"00:02.0\r\nBooting from ROM..\r\n"
#define KERNEL                                                                                     \
	"[    0.000000] Linux version 6.12.48+deb13-cloud-amd64 "                                  \
	"(debian-kernel@lists.debian.org)\r\n"                                                     \
	"[    0.000000] Command line: root=/dev/vda rw console=ttyS0\r\n"                          \
	"[    0.841210] smp: Bringing up secondary CPUs ...\r\n"
#define INITRD                                                                                     \
	"[    3.118821] Run /init as init process\r\nLoading, please wait...\r\n"                  \
	"[    5.503170] EXT4-fs (vda): mounted filesystem 5d0b71a4 r/w with ordered data "         \
	"mode.\r\n"
#define SYSTEMD                                                                                    \
	"[    9.018221] systemd[1]: systemd 257.8-1~deb13u2 running in system mode\r\n"            \
	"[\033[0;32m  OK  \033[0m] Reached target \033[0;1;39mlocal-fs.target\033[0m - Local "     \
	"File Systems.\r\n"
#define CLOUD_INIT                                                                                 \
	"[   21.482110] cloud-init[412]: Cloud-init v. 25.1.4 running 'init' at Mon, 01 Jan 2026 " \
	"00:00:21 +0000.\r\n"
#define LOGIN "\r\nDebian GNU/Linux 13 vm-mediakit ttyS0\r\n\r\nvm-mediakit login: "
#define DONE CLOUDINIT_FINISHED_MARK " 41.20 s\r\n"

/* What one TCG boot in 25 says (Linux 6.12, QEMU 7.2), and then spins. */
#define OOPS                                                                                       \
	"[    1.306621] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI\r\n"                               \
	"[    1.306621] CPU: 1 UID: 0 PID: 0 Comm: swapper/1 Not tainted "                         \
	"6.12.48+deb13-cloud-amd64 #1\r\n"                                                         \
	"[    1.306621] Hardware name: QEMU Standard PC (Q35 + ICH9, 2009), BIOS "                 \
	"1.16.2-debian-1.16.2-1\r\n"                                                               \
	"[    1.306621] RIP: 0010:enqueue_timer+0x6/0xd0\r\n"                                      \
	"[    1.306621] Code: 90 90 90 90 90 90 90 90 90 90 90 90 90 90 90 90 cc <1f> 44 00 "      \
	"00\r\n"                                                                                   \
	"[    1.306621] Call Trace:\r\n[    1.306621]  <IRQ>\r\n[    1.306621]  ? "                \
	"die+0x33/0x90\r\n"                                                                        \
	"[    1.306621] ---[ end trace 0000000000000000 ]---\r\n"                                  \
	"[    1.306621] Kernel panic - not syncing: Fatal exception in interrupt\r\n"
#define OOPS_HINT "[    1.306621] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI"

#define NO_ROOT                                                                                    \
	"[    2.411021] VFS: Unable to mount root fs on unknown-block(0,0)\r\n"                    \
	"[    2.411991] Kernel panic - not syncing: VFS: Unable to mount root fs on "              \
	"unknown-block(0,0)\r\n"

static const struct {
	const char *text;
	enum boot_stage stage;
	bool writable, panicked, finished;
} boots[] = {
	{ "", BOOT_FIRMWARE, false, false, false },
	{ FIRMWARE, BOOT_FIRMWARE, false, false, false },
	{ FIRMWARE KERNEL, BOOT_KERNEL, false, false, false },
	{ FIRMWARE KERNEL OOPS, BOOT_KERNEL, false, true, false },
	{ KERNEL NO_ROOT, BOOT_KERNEL, false, true, false },
	{ FIRMWARE KERNEL INITRD, BOOT_INIT, true, false, false },
	{ KERNEL INITRD SYSTEMD, BOOT_INIT, true, false, false },
	{ KERNEL SYSTEMD, BOOT_INIT, true, false, false },
	{ KERNEL INITRD SYSTEMD CLOUD_INIT, BOOT_CLOUD_INIT, true, false, false },
	{ KERNEL INITRD SYSTEMD CLOUD_INIT LOGIN, BOOT_SERVICES, true, false, false },
	{ KERNEL INITRD SYSTEMD CLOUD_INIT LOGIN DONE, BOOT_DONE, true, false, true },
	{ KERNEL INITRD SYSTEMD CLOUD_INIT LOGIN DONE KERNEL, BOOT_DONE, true, false, true },
	{ KERNEL INITRD SYSTEMD OOPS, BOOT_INIT, true, true, false },
};

static void check(const struct boot *b, size_t i)
{
	assert_int_equal(b->stage, boots[i].stage);
	assert_int_equal(b->root_writable, boots[i].writable);
	assert_int_equal(b->panicked, boots[i].panicked);
	assert_int_equal(b->finished_mark, boots[i].finished);
	if (boots[i].panicked)
		assert_true(strcmp(b->hint, OOPS_HINT) == 0 ||
			strstr(b->hint, "VFS: Unable to mount root fs on unknown-block(0,0)"));
	else
		assert_string_equal(b->hint, "");
}

/* However the bytes are cut: in two at each place, and byte by byte. */
static void test_stages(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(boots); i++) {
		const char *text = boots[i].text;
		size_t len = strlen(text);
		struct boot b;

		for (size_t cut = 0; cut <= len; cut++) {
			boot_begin(&b, T0);
			(void)boot_console(&b, text, cut, T0);
			(void)boot_console(&b, text + cut, len - cut, T0);
			check(&b, i);
		}
		boot_begin(&b, T0);
		for (size_t k = 0; k < len; k++)
			(void)boot_console(&b, text + k, 1, T0);
		check(&b, i);
	}
}

/* "Moved" is said once per stage, when it is reached. */
static void test_moved(void **state)
{
	struct boot b;

	(void)state;
	boot_begin(&b, T0);
	assert_false(boot_console(&b, FIRMWARE, strlen(FIRMWARE), T0 + 1 * S));
	assert_true(boot_console(&b, KERNEL, strlen(KERNEL), T0 + 2 * S));
	assert_int_equal(b.stage_since, T0 + 2 * S);
	assert_false(boot_console(&b, KERNEL, strlen(KERNEL), T0 + 3 * S));
	assert_int_equal(b.stage_since, T0 + 2 * S);
	assert_int_equal(b.heard_at, T0 + 3 * S);
	assert_true(boot_userspace(&b, T0 + 4 * S));
	assert_int_equal(b.stage, BOOT_SERVICES);
	assert_true(b.root_writable);
	assert_false(boot_userspace(&b, T0 + 5 * S));
	/* Never back. */
	assert_false(boot_console(&b, INITRD, strlen(INITRD), T0 + 6 * S));
	assert_int_equal(b.stage, BOOT_SERVICES);
}

static bool dead_at(const struct boot *b, usec_t now, usec_t *look_again)
{
	const char *why = NULL;
	bool dead = boot_dead(b, now, look_again, &why);

	assert_true(!dead || (why && *why));
	return dead;
}

static void test_panic_is_dead_after_30s(void **state)
{
	usec_t again = 0;
	struct boot b;

	(void)state;
	boot_begin(&b, T0);
	(void)boot_console(&b, KERNEL, strlen(KERNEL), T0 + 1 * S);
	(void)boot_console(&b, OOPS, strlen(OOPS), T0 + 2 * S);
	assert_false(dead_at(&b, T0 + 2 * S, &again));
	/* Counted from the last stage: its going on to print its wake is no sign of life. */
	assert_int_equal(again, T0 + 31 * S);
	(void)boot_console(&b, OOPS, strlen(OOPS), T0 + 20 * S);
	assert_false(dead_at(&b, again - 1, &again));
	assert_true(dead_at(&b, T0 + 31 * S, &again));
}

/* A new stage after the words: it moves after all. */
static void test_panic_survived(void **state)
{
	usec_t again = 0;
	struct boot b;

	(void)state;
	boot_begin(&b, T0);
	(void)boot_console(&b, OOPS, strlen(OOPS), T0);
	(void)boot_console(&b, KERNEL, strlen(KERNEL), T0 + 29 * S);
	assert_false(dead_at(&b, T0 + 30 * S, &again));
	assert_int_equal(again, T0 + 59 * S);
	(void)boot_console(&b, SYSTEMD, strlen(SYSTEMD), T0 + 40 * S);
	assert_false(dead_at(&b, T0 + 59 * S, &again));
	assert_int_equal(again, USEC_INFINITY);
}

/* The guest's own programs could have written the words: they are shown, and nothing follows,
 * ever. */
static void test_panic_later_is_a_hint(void **state)
{
	static const char *const signs[] = { INITRD, SYSTEMD, LOGIN,
		"[    4.0] EXT4-fs (vda): mounted filesystem with ordered data mode\n",
		"[    4.0] EXT4-fs (vda1): re-mounted. Opts: (null)\n",
		"[    4.0] XFS (vda1): Mounting V5 Filesystem\n",
		"[    4.0] BTRFS info (device vda): using crc32c\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(signs); i++) {
		/* The sign before the words, and after them. */
		for (int order = 0; order < 2; order++) {
			usec_t again = 0;
			struct boot b;

			boot_begin(&b, T0);
			(void)boot_console(&b, KERNEL, strlen(KERNEL), T0);
			if (order == 0)
				(void)boot_console(&b, signs[i], strlen(signs[i]), T0);
			(void)boot_console(&b, OOPS, strlen(OOPS), T0 + 1 * S);
			if (order == 1)
				(void)boot_console(&b, signs[i], strlen(signs[i]), T0 + 2 * S);
			assert_true(b.panicked);
			assert_non_null(strstr(b.hint, OOPS_HINT));
			assert_false(dead_at(&b, T0 + USEC_PER_DAY, &again));
			assert_int_equal(again, USEC_INFINITY);
		}
	}
	/* The same from a sign that is not on the serial line. */
	usec_t again = 0;
	struct boot b;
	boot_begin(&b, T0);
	(void)boot_console(&b, KERNEL OOPS, strlen(KERNEL OOPS), T0);
	(void)boot_userspace(&b, T0 + 1 * S);
	assert_false(dead_at(&b, T0 + USEC_PER_DAY, &again));
}

/* Unless the host itself sees for two minutes that the disk is left alone, and hears nothing. */
static void test_panic_later_on_a_quiet_disk(void **state)
{
	usec_t again = 0;
	struct boot b;

	(void)state;
	boot_begin(&b, T0);
	(void)boot_console(&b, KERNEL SYSTEMD, strlen(KERNEL SYSTEMD), T0);
	boot_lives(&b, T0);
	/* Without the words a quiet disk says nothing. */
	assert_false(dead_at(&b, T0 + USEC_PER_DAY, &again));
	assert_int_equal(again, USEC_INFINITY);
	(void)boot_console(&b, OOPS, strlen(OOPS), T0 + 10 * S);
	assert_false(dead_at(&b, T0 + 129 * S, &again));
	assert_int_equal(again, T0 + 130 * S);
	boot_lives(&b, T0 + 120 * S);
	assert_false(dead_at(&b, T0 + 239 * S, &again));
	(void)boot_console(&b, "something else\n", 15, T0 + 200 * S);
	assert_false(dead_at(&b, T0 + 319 * S, &again));
	/* What it said before is no news. */
	(void)boot_console(&b, "something else\n", 15, T0 + 300 * S);
	assert_true(dead_at(&b, T0 + 320 * S, &again));
	/* The host slept. */
	boot_slept(&b, 60 * S, T0 + 380 * S);
	assert_false(dead_at(&b, T0 + 379 * S, &again));
	assert_true(dead_at(&b, T0 + 380 * S, &again));
}

/* The host slept, and the kernel came up before anybody counted the sleep: its panic is as young as
 * it is, not an hour younger. */
static void test_panic_after_sleep(void **state)
{
	usec_t again = 0;
	struct boot b;

	(void)state;
	boot_begin(&b, T0);
	(void)boot_console(&b, KERNEL OOPS, strlen(KERNEL OOPS), T0 + 3600 * S);
	boot_slept(&b, 3600 * S, T0 + 3601 * S);
	assert_false(dead_at(&b, T0 + 3625 * S, &again));
	assert_true(again <= T0 + 3631 * S);
	assert_true(dead_at(&b, T0 + 3631 * S, &again));
}

/* No serial console configured in the guest, or a boot loader that waits: silence alone is no
 * verdict. */
static void test_silent_is_not_dead(void **state)
{
	usec_t again = 0;
	struct boot b;

	(void)state;
	boot_begin(&b, T0);
	assert_false(dead_at(&b, T0 + USEC_PER_DAY, &again));
	assert_int_equal(again, USEC_INFINITY);
	(void)boot_console(&b, FIRMWARE, strlen(FIRMWARE), T0);
	assert_false(dead_at(&b, T0 + USEC_PER_DAY, &again));
	assert_int_equal(again, USEC_INFINITY);
}

/* A kernel that spoke and then fell silent before its first program is another matter. */
static void test_kernel_hangs(void **state)
{
	usec_t again = 0;
	struct boot b;

	(void)state;
	boot_begin(&b, T0);
	(void)boot_console(&b, KERNEL, strlen(KERNEL), T0 + 1 * S);
	assert_false(dead_at(&b, T0 + 2 * S, &again));
	assert_int_equal(again, T0 + 1 * S + BOOT_SILENT_AFTER);
	(void)boot_console(&b, "[  100.0] still here\n", 21, T0 + 100 * S);
	assert_false(dead_at(&b, again, &again));
	assert_int_equal(again, T0 + 100 * S + BOOT_SILENT_AFTER);
	assert_true(dead_at(&b, again, &again));
}

/* A hint is shown on terminals: nothing in it steers one. */
static void test_hostile_hint(void **state)
{
	static const char bad[] = "\033]0;owned\007\033[2J\0\x9b"
				  "31m Kernel panic - not syncing: \xff\xfe\x80 \xe2\x80\xae\n";
	struct boot b;

	(void)state;
	boot_begin(&b, T0);
	(void)boot_console(&b, bad, sizeof(bad) - 1, T0);
	assert_true(b.panicked);
	assert_true(utf8_printable(b.hint, strlen(b.hint)));
	assert_non_null(strstr(b.hint, "\\x1b"));
	assert_true(strlen(b.hint) < BOOT_HINT_MAX);
}

/* No line end for ever: bounded, judged by its beginning, and the next line is heard again. */
static void test_endless_line(void **state)
{
	struct boot b;
	char junk[4096];

	(void)state;
	memset(junk, 'x', sizeof(junk));
	boot_begin(&b, T0);
	for (int i = 0; i < 1000; i++)
		(void)boot_console(&b, junk, sizeof(junk), T0);
	assert_true(b.line_len <= BOOT_LINE_MAX);
	(void)boot_console(&b, "Linux version ", 14, T0);
	assert_int_equal(b.stage, BOOT_FIRMWARE);
	(void)boot_console(&b, "\nLinux version 6\n", 17, T0);
	assert_int_equal(b.stage, BOOT_KERNEL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stages),
		cmocka_unit_test(test_moved),
		cmocka_unit_test(test_panic_is_dead_after_30s),
		cmocka_unit_test(test_panic_survived),
		cmocka_unit_test(test_panic_later_is_a_hint),
		cmocka_unit_test(test_panic_later_on_a_quiet_disk),
		cmocka_unit_test(test_panic_after_sleep),
		cmocka_unit_test(test_silent_is_not_dead),
		cmocka_unit_test(test_kernel_hangs),
		cmocka_unit_test(test_hostile_hint),
		cmocka_unit_test(test_endless_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
