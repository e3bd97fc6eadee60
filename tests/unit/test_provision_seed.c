/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel, keys and seed where something fails on the way: it is told, what was there stays as it
 * was, and no seed is written of a part of its texts. ssh-keygen and the image's writing are the
 * test's. */
/* LINK: base model io/layout io/digest io/copy cli/provision_seed */
/* LIBS: inih libcbor jansson libsystemd nettle */
#include "alloc_fail.h"
#include "call_fail.h"

#include "provision_world.h"

#include <fcntl.h>

#include "io/program.h"
#include "io/seed.h"

#define PUBLIC                                                                                     \
	"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEfxbBn9PqFvvlDbJ3dcFEiyF3zJ2hCKUjxQdTYK6fzK vm\n"
#define PRIVATE "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----\n"

static struct {
	int keygen, exit_status, written;
	unsigned seeds;
	char seed[64 * 1024];
} world;

/* ssh-keygen's two files, at the path that is its last argument. */
int program_run(const struct program *program, struct program_result *ret)
{
	char path[256], pub[264];
	size_t n = 0;

	if (world.keygen < 0)
		return world.keygen;
	while (program->argv[n + 1])
		n++;
	(void)snprintf(path, sizeof(path), "%s", program->argv[n]);
	(void)snprintf(pub, sizeof(pub), "%s.pub", path);
	int r = file_write_atomic(path, PRIVATE, strlen(PRIVATE), 0600);
	if (r >= 0)
		r = file_write_atomic(pub, PUBLIC, strlen(PUBLIC), 0644);
	if (r >= 0)
		*ret = (struct program_result){ .exit_status = world.exit_status,
			.error = "no entropy" };
	return r;
}

void program_result_clear(struct program_result *result)
{
	free(result->output);
}

int provision_rename(const char *from, const char *to, struct reason *reason)
{
	return rename(from, to) < 0 ? reason_set(reason, -errno, "cannot rename") : 0;
}

int seed_write(const char *path, const struct seed_file *files, size_t n, struct reason *reason)
{
	world.seed[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(world.seed);

		(void)snprintf(world.seed + len, sizeof(world.seed) - len, "== %s\n%.*s",
			files[i].name, (int)files[i].len, (const char *)files[i].data);
	}
	if (world.written < 0)
		return reason_set(reason, world.written, "cannot write %s", path);
	world.seeds++;
	return world.written;
}

static char image[] = "/image.qcow2", kernel[256], keys_file[256], key[] = PUBLIC;

static int setup_seed(void **state)
{
	(void)setup(state);
	memset(&world, 0, sizeof(world));
	world.written = 1;
	guest.image_path = image;
	key[strlen(key) - 1] = '\0';
	(void)snprintf(kernel, sizeof(kernel), "%s", path_of("kernel"));
	(void)snprintf(keys_file, sizeof(keys_file), "%s", path_of("keys"));
	assert_int_equal(setenv("MEDIAKIT_TEMPLATES", "cloud-init", 1), 0);
	return 0;
}

/* Keys and texts as the guest gets them; what was not to be made is not there. */
static void test_made(void **state)
{
	(void)state;
	assert_int_equal(provision_seed(&job), 0);
	assert_non_null(strstr(world.seed, "== meta-data\n"));
	assert_non_null(strstr(world.seed, "== user-data\n"));
	assert_non_null(strstr(world.seed, key));
	assert_non_null(strstr(world.seed, job.record.instance_id));
	assert_non_null(strstr(notes, "SSH key made"));
	assert_non_null(strstr(notes, "seed renewed: instance-id iid-"));
	shell("grep -qx 'vm ssh-ed25519 .*' private/vm/known_hosts");
	assert_int_equal(world.seeds, 1);
}

/* Nothing in such a guest would read it. */
static void test_no_disk(void **state)
{
	(void)state;
	guest.image_path = NULL;
	assert_int_equal(provision_seed(&job), 0);
	assert_int_equal(world.seeds, 0);
	assert_string_equal(notes, "");
	shell("test -z \"$(ls private/vm)\"");
}

static void test_seed_that_cannot_be_written(void **state)
{
	(void)state;
	world.written = -EROFS;
	assert_told(provision_seed(&job), -EROFS, "cannot write ");
	assert_null(strstr(notes, "seed"));
}

/* The guest would be one that nobody gets into. */
static void test_file_without_a_key(void **state)
{
	(void)state;
	put("keys", "# none yet\n\n");
	guest.authorized_keys_file = keys_file;
	assert_told(provision_seed(&job), -EINVAL, "/keys holds no key");
	assert_int_equal(world.seeds, 0);
	shell("test -z \"$(ls private/vm)\"");
	put("keys", "# one\r\n" PUBLIC);
	assert_int_equal(provision_seed(&job), 0);
	assert_non_null(strstr(world.seed, key));
	assert_null(strstr(notes, "SSH key made"));
}

static void test_keygen(void **state)
{
	(void)state;
	world.keygen = -ENOENT;
	assert_told(provision_seed(&job), -ENOENT, "install the package openssh-client");
	world.keygen = -ETIMEDOUT;
	assert_told(provision_seed(&job), -ETIMEDOUT, "ssh-keygen: ");
	world.keygen = 0;
	world.exit_status = 1;
	assert_told(provision_seed(&job), -EIO, "ssh-keygen failed: no entropy");
	assert_false(there("private/vm/ssh_key"));
	assert_int_equal(world.seeds, 0);
}

static void test_kernel_that_cannot_be_copied(void **state)
{
	(void)state;
	put("kernel", "a kernel");
	guest.kernel = kernel;
	shell("rmdir images/vm");
	assert_told(provision_boot_files(&job), -ENOENT, "cannot copy ");
	assert_non_null(strstr(job.reason.text, "/images/vm/vmlinuz.tmp"));
	assert_string_equal(notes, "");
	shell("mkdir images/vm");
	assert_int_equal(provision_boot_files(&job), 0);
	assert_non_null(strstr(notes, "takes effect at the next boot"));
	shell("cmp kernel images/vm/vmlinuz && ! test -e images/vm/vmlinuz.tmp");
}

static void boot_files_without_memory(void *userdata)
{
	(void)userdata;
	begin();
	alloc_arm();
	int r = provision_boot_files(&job);
	bool failed = alloc_disarm();
	assert_short_of_memory(r, failed);
	if (r >= 0)
		shell("cmp kernel images/vm/vmlinuz");
	shell("rm -f images/vm/*");
}

static int make_seed(void)
{
	alloc_arm();
	int r = provision_seed(&job);
	bool failed = alloc_disarm();
	assert_short_of_memory(r, failed);
	assert_int_equal(world.seeds, r >= 0);
	return r;
}

/* Half of the seed is none: what is written is as it is without a failure. */
static void seed_without_memory(void *userdata)
{
	char *whole = userdata;

	begin();
	world.seeds = 0;
	shell("cp private.whole/* private/vm");
	int r = make_seed();
	if (r >= 0)
		assert_string_equal(world.seed, whole);
	shell("rm -f private/vm/*");
}

/* The keys are made, too. */
static void keys_without_memory(void *userdata)
{
	(void)userdata;
	begin();
	world.seeds = 0;
	int r = make_seed();
	if (r >= 0)
		shell("test $(cat private/vm/*.pub private/vm/known_hosts | wc -l) = 3");
	shell("rm -f private/vm/*");
}

static void test_without_memory(void **state)
{
	(void)state;
	put("kernel", "a kernel");
	guest.kernel = kernel;
	alloc_sweep(boot_files_without_memory, NULL, 3);
	assert_int_equal(provision_seed(&job), 0);
	CLEANUP_FREE char *whole = strdup(world.seed);
	assert_non_null(whole);
	shell("cp -a private/vm private.whole; rm private/vm/*");
	alloc_sweep(seed_without_memory, whole, 20);
	alloc_sweep(keys_without_memory, NULL, 20);
}

/* A file that is there and cannot be read is no empty one. */
static void test_calls_that_fail(void **state)
{
	bool failed = true;
	long n;

	(void)state;
	put("keys", PUBLIC);
	guest.authorized_keys_file = keys_file;
	assert_int_equal(provision_seed(&job), 0);
	for (n = 0; failed; n++) {
		begin();
		world.seeds = 0;
		calls_arm(n, EIO);
		int r = provision_seed(&job);
		failed = calls_disarm();
		assert_true(r == 0 || (failed && r == -EIO));
		assert_int_equal(r < 0, job.reason.text[0] != '\0');
		assert_int_equal(world.seeds, r == 0);
	}
	assert_true(n > 12);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup_seed, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_made),
		TEST(test_no_disk),
		TEST(test_seed_that_cannot_be_written),
		TEST(test_file_without_a_key),
		TEST(test_keygen),
		TEST(test_kernel_that_cannot_be_copied),
		TEST(test_without_memory),
		TEST(test_calls_that_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
