/* SPDX-License-Identifier: Apache-2.0 */
/* What was used before may be used again only where it can be looked at, and what a manifest says
 * is kept or told to be lost. */
/* clang-format off */
/* LINK: base model io/layout io/digest io/record io/basecheck io/disk io/program cli/provision_trust */
/* clang-format on */
/* LIBS: inih libcbor jansson libsystemd nettle */
#include "alloc_fail.h"

#include "provision_world.h"

#include "io/digest.h"

#define LIBRARIES "private/vm/libraries"

/* A base that is called by what it holds, and a record of it. */
static void put_base(void)
{
	char name[LAYOUT_BASE_NAME], path[64];

	digest_buffer("a base", 6, job.record.sha256);
	assert_int_equal(layout_base_name(job.record.sha256, "qcow2", name), 0);
	memcpy(job.record.base, name, sizeof(name));
	(void)snprintf(path, sizeof(path), "images/vm/%s", name);
	put(path, "a base");
}

static void test_base_that_cannot_be_looked_at(void **state)
{
	(void)state;
	put_base();
	assert_int_equal(provision_remember_base(&job), 0);
	assert_int_equal(job.record.base_bytes, 6);
	assert_int_equal(provision_check_base(&job), 0);
	shell("rm images/vm/base-*");
	assert_told(provision_remember_base(&job), -ENOENT, "cannot look at ");
	assert_non_null(strstr(job.reason.text, job.record.base));
	assert_int_equal(job.record.base_bytes, 6);
	/* The disk's stage tells of one that is gone; one that is there and cannot be read is told
	 * here. */
	assert_int_equal(provision_check_base(&job), 0);
	char command[128];
	(void)snprintf(command, sizeof(command), "mkdir images/vm/%s", job.record.base);
	shell(command);
	assert_told(provision_check_base(&job), -EISDIR, "cannot read ");
	assert_non_null(strstr(job.reason.text, job.record.base));
	assert_int_equal(job.record.base_bytes, 6);
}

/* Libraries of another base would be believed of this one. */
static void test_old_libraries_that_stay(void **state)
{
	(void)state;
	assert_int_equal(provision_save_libraries(&job), 0);
	job.base_is_new = true;
	assert_int_equal(provision_save_libraries(&job), 0); /* none were there */
	put(LIBRARIES, "libold.so.1\n");
	assert_int_equal(provision_save_libraries(&job), 0);
	assert_false(there(LIBRARIES));
	shell("mkdir " LIBRARIES);
	int r = provision_save_libraries(&job);
	assert_true(r == -EISDIR || r == -EPERM);
	assert_told(r, r, "cannot write ");
	job.base_is_new = false;
	assert_int_equal(provision_save_libraries(&job), 0);
	job.libraries = strdup("libssl.so.3\n");
	assert_told(provision_save_libraries(&job), -EISDIR, "cannot write ");
}

/* With --replace-disk it is the base that goes, and not the run that ends; and what was recorded is
 * that of no base any more. */
static void test_base_that_is_replaced(void **state)
{
	char sha256[DIGEST_TEXT], name[LAYOUT_BASE_NAME], command[128];

	(void)state;
	put_base();
	memcpy(sha256, job.record.sha256, sizeof(sha256));
	memcpy(name, job.record.base, sizeof(name));
	assert_int_equal(provision_find_base(&job, name, sha256), 1);
	(void)snprintf(command, sizeof(command), "printf 'a Base' >images/vm/%s", name);
	shell(command);
	assert_told(provision_check_base(&job), -EBADMSG, "has been changed");
	assert_told(provision_find_base(&job, name, sha256), -EBADMSG, "is damaged");
	assert_string_equal(job.bad_base, "");
	assert_string_equal(job.record.base, name);
	/* The one stage or the other, and also where it can be read no more. */
	for (unsigned i = 0; i < 3; i++) {
		begin();
		memcpy(job.record.base, name, sizeof(name));
		memcpy(job.record.sha256, sha256, sizeof(sha256));
		memcpy(job.record.instance_id, "iid-1", sizeof("iid-1"));
		job.replace_disk = true;
		if (i == 2) {
			(void)snprintf(command, sizeof(command), "cd images/vm; rm %s; mkdir %s",
				name, name);
			shell(command);
		}
		if (i > 0)
			assert_int_equal(provision_check_base(&job), 0);
		assert_int_equal(provision_find_base(&job, name, sha256), 0);
		assert_string_equal(job.bad_base, name);
		assert_string_equal(job.record.base, "");
		assert_string_equal(job.record.instance_id, "iid-1");
		assert_string_equal(job.reason.text, "");
	}
}

static void put_record(void)
{
	job.base_is_new = false;
	job.record = (struct record){ .base = "base-0123456789abcdef.qcow2",
		.base_bytes = 6,
		.base_inode = 7,
		.base_mtime_nsec = 8,
		.verified = true,
		.signer = "A",
		.glibc = "2.41-12",
		.source = "/image",
		.instance_id = "iid-1" };
	memset(job.record.sha256, 'a', sizeof(job.record.sha256) - 1);
}

/* A disk of the same image still has its library, and the seed is the guest's in any case. */
static void test_base_that_is_no_longer_needed(void **state)
{
	char other[DIGEST_TEXT] = "", same[DIGEST_TEXT] = "";

	(void)state;
	memset(same, 'a', sizeof(same) - 1);
	memset(other, 'b', sizeof(other) - 1);
	for (unsigned i = 0; i < 3; i++) {
		const char *of = (const char *[]){ same, other, "" }[i];
		bool known = i == 0;

		put_record();
		provision_forget_base(&job, of);
		assert_string_equal(job.record.base, "");
		assert_int_equal(job.record.base_bytes, 0);
		assert_int_equal(job.record.base_inode, 0);
		assert_int_equal(job.record.base_mtime_nsec, 0);
		assert_string_equal(job.record.sha256, of);
		assert_string_equal(job.record.glibc, known ? "2.41-12" : "");
		assert_string_equal(job.record.signer, known ? "A" : "");
		assert_string_equal(job.record.source, known ? "/image" : "");
		assert_int_equal(job.record.verified, known);
		assert_string_equal(job.record.instance_id, "iid-1");
		/* And with it go the libraries. */
		assert_int_equal(job.base_is_new, !known);
	}
}

#define MANIFEST "glibc=2.41-12\nlibrary=libssl.so.3\n"

static char image[256];

static int read_manifest(struct provision *p)
{
	return provision_read_manifest(p, p->record.sha256);
}

/* In their order; one of them without memory. */
static int (*const steps[])(struct provision *p) = { provision_remember_base, provision_check_base,
	read_manifest, provision_save_libraries };

static void every_step(void *userdata)
{
	const size_t *short_one = userdata;
	bool failed = false;
	int r = 0;

	begin();
	put_base();
	guest.image_path = image;
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(steps); i++) {
		if (i == *short_one)
			alloc_arm();
		r = steps[i](&job);
		if (i == *short_one)
			failed = alloc_disarm();
		if (i == *short_one)
			assert_short_of_memory(r, failed);
		job.record.base_mtime_nsec++; /* so that it is read */
	}
	if (r < 0)
		return;
	assert_string_equal(job.glibc, "2.41-12");
	shell("grep -qx libssl.so.3 " LIBRARIES " && rm " LIBRARIES);
}

static void test_without_memory(void **state)
{
	(void)state;
	put("image.manifest", MANIFEST);
	(void)snprintf(image, sizeof(image), "%s", path_of("image.qcow2"));
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		alloc_sweep(every_step, &i, 1);
	/* That is the second of three places. */
	shell("mv image.manifest image.qcow2.manifest");
	every_step(&(size_t){ ARRAY_SIZE(steps) });
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_base_that_cannot_be_looked_at),
		TEST(test_old_libraries_that_stay),
		TEST(test_base_that_is_replaced),
		TEST(test_base_that_is_no_longer_needed),
		TEST(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
