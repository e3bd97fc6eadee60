/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded driver's URI and root, and whether trying out KVM says what it found. */
/* LINK: base model/utf8 io/kvm virt/embed */
/* LIBS: libsystemd */
#include "alloc_fail.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

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

static void attempt_uris(void *userdata)
{
	char *root = NULL, *dir = NULL, *other = NULL;

	(void)userdata;
	alloc_arm();
	int r = virt_embed_root("qemu:///embed?root=/a%20b", &root);
	if (r == 0)
		r = virt_pid_dir("qemu:///embed?root=/a%20b", &dir);
	if (r == 0)
		r = virt_pid_dir("qemu:///system", &other);
	bool failed = alloc_disarm();
	/* asprintf() does without its first one. */
	assert_true(r == 0 || (failed && r == -ENOMEM));
	if (r == 0)
		assert_string_equal(dir, "/a b/run/qemu");
	free(root);
	free(dir);
	free(other);
}

static void test_uris_without_memory(void **state)
{
	(void)state;
	alloc_sweep(attempt_uris, NULL, 3);
}

/* Each thing in the way is named: the root, its configuration, and who may not pass. */
static void test_in_the_way(void **state)
{
	char dir[] = "/tmp/mediakit-embed.XXXXXX", uri[128], err[256], path[128];
	const struct passwd *user = getpwnam("libvirt-qemu");

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/file", dir);
	assert_int_equal(file_write_atomic(path, "x", 1, 0600), 0);
	(void)snprintf(uri, sizeof(uri), "qemu:///embed?root=%s/file/a\n", dir);
	assert_int_equal(virt_embed_prepare(uri, err, sizeof(err)), -ENOTDIR);
	assert_non_null(strstr(err, "/file/a\\x0a: cannot make it: Not a directory"));

	(void)snprintf(uri, sizeof(uri), "qemu:///embed?root=%s", dir);
	assert_int_equal(unlink(path), 0);
	(void)snprintf(path, sizeof(path), "%s/etc", dir);
	assert_int_equal(file_write_atomic(path, "x", 1, 0600), 0);
	assert_int_equal(virt_embed_prepare(uri, err, sizeof(err)), -ENOTDIR);
	assert_non_null(strstr(err, "etc/qemu.conf: Not a directory"));
	assert_int_equal(unlink(path), 0);
	(void)snprintf(path, sizeof(path), "%s/etc/qemu.conf", dir);
	assert_int_equal(dir_make(path, 0755), 0);
	assert_int_equal(virt_embed_prepare(uri, err, sizeof(err)), -EISDIR);
	assert_non_null(strstr(err, "etc/qemu.conf: Is a directory"));
	assert_int_equal(rmdir(path), 0);

	if (geteuid() == 0 && user) {
		err[0] = '\0';
		assert_int_equal(virt_embed_prepare(uri, err, sizeof(err)), -EACCES);
		assert_non_null(strstr(err, "QEMU's user libvirt-qemu may not pass it"));
		/* By its owner, its group, or anybody; what KVM may warn of is another matter. */
		assert_int_equal(chown(dir, user->pw_uid, (gid_t)-1), 0);
		assert_true(virt_embed_prepare(uri, err, sizeof(err)) != -EACCES);
		assert_int_equal(chown(dir, 0, user->pw_gid), 0);
		assert_int_equal(chmod(dir, 0701), 0);
		assert_int_equal(virt_embed_prepare(uri, err, sizeof(err)), -EACCES);
		assert_int_equal(chmod(dir, 0710), 0);
		assert_true(virt_embed_prepare(uri, err, sizeof(err)) != -EACCES);
	}
	(void)snprintf(path, sizeof(path), "%s/etc/qemu.conf", dir);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/etc", dir);
	(void)rmdir(path);
	(void)rmdir(dir);
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
		cmocka_unit_test(test_uris_without_memory),
		cmocka_unit_test(test_prepare),
		cmocka_unit_test(test_in_the_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
