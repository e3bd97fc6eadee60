/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as libvirt 9.0 gave them, and what the operator reads. */
/* LINK: base io/reach virt/hint */
/* LIBS: libsystemd */
#include "virt/hint.h"

#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static void advice_comes_first_and_libvirt_s_words_after_it(void **state)
{
	static const struct {
		const char *message, *advice;
	} rows[] = {
		{ "Cannot check QEMU binary /usr/bin/qemu-system-x86_64: No such file or directory",
			"QEMU is missing: install qemu-system-x86 (" },
		{ "QEMU binary /usr/bin/qemu-system-aarch64 is not executable: Permission denied",
			"QEMU is missing: install qemu-system-arm (" },
		{ "no connection driver available for qemu:///embed?root=/srv/v",
			"libvirt's QEMU driver is missing: install libvirt-daemon-driver-qemu (" },
		{ "internal error: Failed to load module "
		  "'/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so': "
		  "file too short",
			"libvirt's QEMU driver is missing: install libvirt-daemon-driver-qemu (" },
		{ "Failed to connect socket to '/var/run/libvirt/libvirt-sock': No such file or "
		  "directory",
			"libvirtd is not running: start it, or install libvirt-daemon-system (" },
		{ "Failed to connect socket to '/var/run/libvirt/libvirt-sock': Connection refused",
			"libvirtd is not running: start it, or install libvirt-daemon-system (" },
		{ "Failed to connect socket to '/var/run/libvirt/libvirt-sock': Permission denied",
			"libvirt lets in the members of its group: add the user that mediakitd "
			"runs as (usermod -aG libvirt mediakitd)" },
		{ "authentication unavailable: no polkit agent available to authenticate action "
		  "'org.libvirt.unix.manage'",
			"libvirt lets in the members of its group: add the user" },
		{ "internal error: UNIX socket path "
		  "'/srv/v/lib/qemu/channel/target/domain-1-vm-one/org.qemu.guest_agent.0' too "
		  "long",
			"a path is too long: give Connection= a shorter root=" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct reason reason = { "" };

		assert_true(hint_find(rows[i].message, &reason));
		assert_int_equal(strncmp(reason.text, rows[i].advice, strlen(rows[i].advice)), 0);
		assert_non_null(strstr(reason.text, rows[i].message));
	}
}

static void other_words_are_left_alone(void **state)
{
	static const char *const messages[] = {
		"",
		"Domain not found: no domain with matching name 'vm-a'",
		"Cannot access storage file '/nowhere/disk.qcow2': No such file or directory",
		"Permission denied",
		"Cannot access storage file '/: Permission denied",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		struct reason reason = { "as it was" };

		assert_false(hint_find(messages[i], &reason));
		assert_string_equal(reason.text, "as it was");
	}
}

static void the_closed_directory_is_named(void **state)
{
	char dir[] = "/tmp/mediakit-hint.XXXXXX", message[128];
	struct reason reason = { "" };

	(void)state;
	if (geteuid() != 0 || !getpwnam("libvirt-qemu")) {
		print_message("SKIPPED: needs root and the user libvirt-qemu\n");
		skip();
	}
	assert_non_null(mkdtemp(dir)); /* 0700 */
	(void)snprintf(message, sizeof(message),
		"Cannot access storage file '%s' (as uid:64055, gid:64055): Permission denied",
		dir);
	assert_true(hint_find(message, &reason));
	assert_non_null(strstr(reason.text, dir));
	assert_non_null(strstr(reason.text, "(mode 0700"));
	/* The fault is another's then, and libvirt's words stand. */
	assert_int_equal(chmod(dir, 0711), 0);
	assert_false(hint_find(message, &reason));
	(void)rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(advice_comes_first_and_libvirt_s_words_after_it),
		cmocka_unit_test(other_words_are_left_alone),
		cmocka_unit_test(the_closed_directory_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
