/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded driver's URI and root, and whether trying out KVM says what it found. */
/* LINK: base model/utf8 io/kvm virt/embed */
/* LIBS: libsystemd */
#include "virt/embed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/macro.h"
#include "io/kvm.h"

static void test_root(void **state)
{
	static const struct {
		const char *uri;
		int error;
		const char *root;
	} rows[] = {
		{ "qemu:///embed?root=/var/lib/x", 0, "/var/lib/x" },
		{ "qemu:///embed?a=b&root=/x", 0, "/x" },
		{ "qemu:///embed?a=b;root=/x;c=d", 0, "/x" },
		{ "qemu:///embed?root=/a%20b%2Fc", 0, "/a b/c" },
		{ "qemu:///embed?root=/a%2", -EINVAL, NULL },
		{ "qemu:///embed?root=/a%zz", -EINVAL, NULL },
		{ "qemu:///embed?root=/a%00b", -EINVAL, NULL },
		{ "qemu:///embed?root=a", -EINVAL, NULL },
		{ "qemu:///embed?root=", -EINVAL, NULL },
		{ "qemu:///embed?xroot=/a", -EINVAL, NULL },
		{ "qemu:///embed", -EINVAL, NULL },
		{ "qemu:///embedded?root=/a", -ENOENT, NULL },
		{ "qemu:///system", -ENOENT, NULL },
		{ "test:///default", -ENOENT, NULL },
		{ "", -ENOENT, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP_FREE char *root = NULL;

		assert_int_equal(virt_embed_root(rows[i].uri, &root), rows[i].error);
		if (rows[i].root)
			assert_string_equal(root, rows[i].root);
		else
			assert_null(root);
	}
}

static void test_pid_dir(void **state)
{
	static const struct {
		const char *uri, *dir;
	} rows[] = {
		{ "qemu:///embed?root=/x", "/x/run/qemu" },
		{ "qemu:///system", "/run/libvirt/qemu" },
		{ "qemu:///session", NULL },
		{ "test:///default", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP_FREE char *dir = NULL;

		assert_int_equal(virt_pid_dir(rows[i].uri, &dir), 0);
		if (rows[i].dir)
			assert_string_equal(dir, rows[i].dir);
		else
			assert_null(dir);
	}
}

/* As root it may warn that QEMU's user is missing, and then works in a mount namespace of its
 * own. */
static void test_prepare(void **state)
{
	static const char ours[] = "stdio_handler = \"file\"";
	static const char theirs[] = "# mine\nuser = \"root\"\n";
	char dir[] = "/tmp/mediakit-embed.XXXXXX";
	CLEANUP_FREE char *conf = NULL, *text = NULL, *kept = NULL;
	char uri[128], err[256];

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(uri, sizeof(uri), "qemu:///embed?root=%s/a/b", dir);
	(void)virt_embed_prepare(uri, err, sizeof(err));
	assert_true(asprintf(&conf, "%s/a/b/etc/qemu.conf", dir) > 0);
	assert_int_equal(file_read(conf, 4096, &text, NULL), 0);
	assert_non_null(strstr(text, ours));

	/* What a person wrote stays. */
	assert_int_equal(file_write_atomic(conf, theirs, sizeof(theirs) - 1, 0644), 0);
	(void)virt_embed_prepare(uri, err, sizeof(err));
	assert_int_equal(file_read(conf, 4096, &kept, NULL), 0);
	assert_string_equal(kept, theirs);

	/* Without a root there is nothing to prepare, and one line that says so. */
	err[0] = '\0';
	assert_int_equal(virt_embed_prepare("qemu:///embed", err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "root=DIR"));
	assert_int_equal(virt_embed_prepare("qemu:///system", err, sizeof(err)), 0);

	(void)unlink(conf);
	for (const char *const *p = (const char *const[]){ "a/b/etc", "a/b", "a", ".", NULL }; *p;
		p++) {
		char path[128];

		(void)snprintf(path, sizeof(path), "%s/%s", dir, strcmp(*p, ".") ? *p : "");
		(void)rmdir(path);
	}
}

/* Runs KVM where there is one. What it finds is the machine's; that it says so is ours. */
static void test_kvm(void **state)
{
	char why[KVM_WHY_MAX] = "";
	int r = kvm_check(NULL, 5 * USEC_PER_SEC, why, sizeof(why));

	(void)state;
	assert_true(r <= 0);
	assert_int_equal(r == 0, why[0] == '\0');
	print_message("KVM: %s\n", r == 0 ? "works" : why);

	r = kvm_check("no-such-user", USEC_PER_SEC, why, sizeof(why));
	assert_true(r == -ESRCH || r == -ENOENT);
	assert_string_not_equal(why, "");
	if (geteuid() != 0)
		return;
	r = kvm_reachable("nobody", USEC_PER_SEC, why, sizeof(why));
	assert_true(r == 0 || r == -ENOENT || r == -EACCES);
}

int main(void)
{
	/* test_prepare may hide /dev/kvm, so it comes last. */
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root),
		cmocka_unit_test(test_pid_dir),
		cmocka_unit_test(test_kvm),
		cmocka_unit_test(test_prepare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
