/* SPDX-License-Identifier: Apache-2.0 */
/* An image from URL= where something fails between the sums and the base: it is told, the next
 * mirror is tried where that may help, and nothing becomes a base that was not verified. The
 * network, gpgv and qemu-img are the test's. */
/* clang-format off */
/* LINK: base model io/layout io/digest io/record io/basecheck io/disk io/program cli/provision_trust cli/provision_fetch */
/* clang-format on */
/* LIBS: inih libcbor jansson libsystemd nettle */
#include "alloc_fail.h"

#include "provision_world.h"

#include "io/digest.h"
#include "io/fetch.h"
#include "io/signature.h"

#define IMAGE    "an image"
#define MANIFEST "glibc=2.41-12\n"

/* What the server has, and what becomes of the download of one of these. */
static struct {
	char sums[512];
	const char *broken; /* the end of a URL */
	int error;          /* 0: it is said to be there, and is not */
	int examined, renamed;
	unsigned fetched;
} world;

static bool ends_in(const char *text, const char *end)
{
	return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

static const char *content_of(const char *url)
{
	if (ends_in(url, "/SHA256SUMS"))
		return world.sums;
	if (ends_in(url, "/SHA256SUMS.gpg"))
		return "signed";
	return ends_in(url, ".manifest") ? MANIFEST : IMAGE;
}

int fetch_file(const struct fetch *fetch, struct reason *reason)
{
	world.fetched++;
	if (world.broken && ends_in(fetch->url, world.broken)) {
		if (world.error < 0)
			return reason_set(reason, world.error, "%s is broken", fetch->url);
		return 0;
	}
	const char *content = content_of(fetch->url);
	return file_write_atomic(fetch->path, content, strlen(content), 0600);
}

void fetch_discard(const char *path)
{
	(void)unlink(path);
}

int signature_check(const char *keyring, const char *signature, const char *data,
	const char *fingerprint, const struct tick *tick, char ret[static SUMS_KEY],
	struct reason *reason)
{
	(void)tick, (void)reason;
	assert_string_equal(keyring, "/keyring");
	assert_int_equal(access(signature, R_OK) + access(data, R_OK), 0);
	(void)snprintf(ret, SUMS_KEY, "%s", fingerprint);
	return 0;
}

int provision_examine(struct provision *p, const char *path, struct disk_info *ret)
{
	assert_int_equal(access(path, R_OK), 0);
	*ret = (struct disk_info){ .format = DISK_QCOW2, .virtual_bytes = 1u << 20 };
	return world.examined < 0 ? reason_set(&p->reason, world.examined, "not to be used") : 0;
}

int provision_put_base(struct provision *p, const char *temporary, const char *name)
{
	CLEANUP_FREE char *path = path_join(p->image_dir, name);

	if (world.renamed < 0)
		return reason_set(&p->reason, world.renamed, "cannot rename");
	if (!path)
		return -ENOMEM;
	p->bad_base[0] = '\0';
	return rename(temporary, path) < 0 ? -errno : 0;
}

static char first[] = "https://a.example/d/image.qcow2", second[] = "https://b.example/image.qcow2";
static char keyring[] = "/keyring", fingerprint[] = "0123456789abcdef0123456789abcdef01234567";
static char glibc_min[] = "2.36", digest[DIGEST_TEXT], base[64];

static int setup_fetch(void **state)
{
	char name[LAYOUT_BASE_NAME], manifest[DIGEST_TEXT];

	(void)setup(state);
	memset(&world, 0, sizeof(world));
	digest_buffer(IMAGE, strlen(IMAGE), digest);
	digest_buffer(MANIFEST, strlen(MANIFEST), manifest);
	(void)snprintf(world.sums, sizeof(world.sums), "%s  image.qcow2\n%s  image.manifest\n",
		digest, manifest);
	assert_int_equal(layout_base_name(digest, "qcow2", name), 0);
	(void)snprintf(base, sizeof(base), "images/vm/%s", name);
	guest.image_urls[0] = first;
	guest.image_urls[1] = second;
	guest.n_image_urls = 2;
	guest.keyring = keyring;
	guest.fingerprint = fingerprint;
	guest.glibc_min = glibc_min;
	return 0;
}

static int run(void)
{
	int r = provision_find_remote(&job);

	return r < 0 || job.source_known ? r : provision_adopt_part(&job, job.wanted);
}

static void test_verified(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(run(), 0);
	assert_string_equal(job.glibc, "2.41-12");
	assert_string_equal(job.record.sha256, digest);
	assert_string_equal(job.record.signer, fingerprint);
	assert_true(job.record.verified && job.base_is_new);
	assert_non_null(strstr(notes, "the image is verified: SHA-256 "));
	assert_int_equal(stat(path_of(base), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0444);
	assert_int_equal(world.fetched, 4);
	/* Once it is there it is not fetched a second time, but looked at. */
	begin();
	assert_int_equal(run(), 0);
	assert_true(job.source_known && job.record.verified);
	assert_non_null(strstr(notes, "the image is here already: base-"));
	assert_int_equal(world.fetched, 7);
}

/* The sums have a manifest, so the image is not taken without it. */
static void test_manifest_that_does_not_come(void **state)
{
	(void)state;
	world.broken = "image.manifest";
	world.error = -ETIMEDOUT;
	assert_told(run(), -ETIMEDOUT, "https://b.example/image.manifest is broken");
	assert_non_null(strstr(notes, "/d/image.manifest is broken; trying the next mirror"));
	assert_string_equal(job.glibc, "");
	assert_int_equal(world.fetched, 6);
	assert_false(job.record.verified);
	/* No other mirror makes room. */
	begin();
	world.error = -ENOSPC;
	assert_told(run(), -ENOSPC, "https://a.example/d/image.manifest is broken");
	assert_string_equal(notes, "");
	assert_int_equal(world.fetched, 9);
}

static void test_download_that_cannot_be_read(void **state)
{
	(void)state;
	world.broken = "image.qcow2";
	assert_told(run(), -ENOENT, "cannot read ");
	assert_non_null(strstr(job.reason.text, "/images/vm/fetch-"));
	assert_non_null(strstr(notes, "; trying the next mirror"));
	assert_false(job.record.verified);
}

/* Disks may stand on it: it stays, as it is, and no other takes its name. */
static void test_base_that_is_damaged(void **state)
{
	char command[128];

	(void)state;
	put(base, "an imagE");
	assert_told(run(), -EBADMSG, " is damaged: its SHA-256 is ");
	assert_int_equal(world.fetched, 3);
	(void)snprintf(command, sizeof(command), "grep -qx 'an imagE' %s", base);
	shell(command);
	assert_false(job.source_known);
	/* With --replace-disk another is fetched; what takes its name keeps it under another. */
	begin();
	job.replace_disk = true;
	assert_int_equal(provision_find_remote(&job), 0);
	assert_string_equal(job.bad_base, strrchr(base, '/') + 1);
	shell(command);
	assert_int_equal(provision_adopt_part(&job, job.wanted), 0);
	assert_string_equal(job.record.sha256, digest);
	begin();
	put(base, IMAGE);
	world.examined = -EUCLEAN;
	assert_told(run(), -EUCLEAN, "not to be used");
	assert_false(job.source_known || job.record.verified);
	assert_string_equal(job.record.base, "");
}

static void test_cannot_be_adopted(void **state)
{
	(void)state;
	world.renamed = -EROFS;
	assert_told(run(), -EROFS, "cannot rename");
	assert_false(job.record.verified || there(base));
	assert_int_equal(access(job.part, F_OK), 0);
	world.renamed = 0;
	assert_int_equal(unlink(job.part), 0);
	assert_int_equal(provision_adopt_part(&job, job.wanted), -ENOENT);
	assert_false(job.record.verified || there(base));
}

static void test_update_that_cannot_be_asked_for(void **state)
{
	(void)state;
	world.broken = "SHA256SUMS";
	world.error = -EHOSTUNREACH;
	assert_told(provision_check_update(&job), -EHOSTUNREACH, "b.example/SHA256SUMS is broken");
	begin();
	world.broken = NULL;
	alloc.next = 0;
	alloc.once = false;
	alloc_arm();
	int r = provision_check_update(&job);
	if (alloc_disarm())
		assert_int_equal(r, -ENOMEM);
}

/* Found or fetched: a part of it alone may be short. */
static void find_without_memory(void *userdata)
{
	(void)userdata;
	begin();
	alloc_arm();
	int r = provision_find_remote(&job);
	bool failed = alloc_disarm();
	assert_short_of_memory(r, failed);
	assert_false(job.record.verified);
	if (r >= 0) {
		assert_string_equal(job.wanted, digest);
		assert_string_equal(job.glibc, "2.41-12");
		assert_int_equal(access(job.part, F_OK), 0);
	}
	shell("rm -f images/vm/* private/vm/*");
}

static void adopt_without_memory(void *userdata)
{
	(void)userdata;
	begin();
	assert_int_equal(provision_find_remote(&job), 0);
	alloc_arm();
	int r = provision_adopt_part(&job, job.wanted);
	bool failed = alloc_disarm();
	assert_short_of_memory(r, failed);
	if (r >= 0)
		assert_true(job.record.verified && there(base));
	shell("rm -f images/vm/* private/vm/*");
}

static void test_without_memory(void **state)
{
	(void)state;
	alloc_sweep(find_without_memory, NULL, 20);
	alloc_sweep(adopt_without_memory, NULL, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup_fetch, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_verified),
		TEST(test_manifest_that_does_not_come),
		TEST(test_download_that_cannot_be_read),
		TEST(test_base_that_is_damaged),
		TEST(test_cannot_be_adopted),
		TEST(test_update_that_cannot_be_asked_for),
		TEST(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
