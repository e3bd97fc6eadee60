/* SPDX-License-Identifier: Apache-2.0 */
/* What `import-predecessor` looks at before it moves anything, where the kernel or a helper fails
 * it: refused, with the reason, and nothing left open. And its last words about the old unit, which
 * are told without memory too. Real images and processes are in tests/provision. */
/* LINK: base/file base/time base/parse model/utf8 cli/args cli/verb cli/import cli/import_find cli/import_move */
#include "alloc_fail.h"
#include "open_files.h"
#include "remove_tree.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/macro.h"
#include "cli/args.h"
#include "cli/import.h"
#include "cli/import_job.h"
#include "cli/verb.h"
#include "io/holders.h"

static char dir[64], old[96], images[96], disk[128], errors[4096];

/* What fails, and what the helpers answer. */
static struct {
	int dup, fstat; /* errno; the latter of directories only */
	int holders;
	const char *who;
	unsigned header_looks;
	bool moves;
} world;

int dup(int fd)
{
	if (world.dup) {
		errno = world.dup;
		return -1;
	}
	return (int)syscall(SYS_dup, fd);
}

int fstat(int fd, struct stat *st)
{
	if (syscall(SYS_newfstatat, fd, "", st, AT_EMPTY_PATH) < 0)
		return -1;
	if (!world.fstat || !S_ISDIR(st->st_mode))
		return 0;
	errno = world.fstat;
	return -1;
}

int holders_find(int fd, char who[static HOLDERS_WHO_MAX])
{
	assert_true(fd >= 0);
	(void)snprintf(who, HOLDERS_WHO_MAX, "%s", world.who ?: "");
	return world.holders;
}

bool disk_is_qcow2(int fd, uint64_t *ret_virtual_bytes)
{
	char magic[4];

	*ret_virtual_bytes = 1u << 30;
	return pread(fd, magic, 4, 0) == 4 && memcmp(magic, "QFI\xfb", 4) == 0;
}

int disk_check_header(const char *path, struct reason *reason)
{
	(void)reason;
	assert_non_null(strstr(path, "/old/vm.qcow2"));
	world.header_looks++;
	return 0;
}

int disk_info(const char *path, enum disk_format format, const struct tick *tick,
	struct disk_info *ret, struct reason *reason)
{
	(void)path, (void)format, (void)tick, (void)ret, (void)reason;
	return 0;
}

int disk_check(
	const char *path, enum disk_format format, const struct tick *tick, struct reason *reason)
{
	(void)path, (void)format, (void)tick, (void)reason;
	return 0;
}

void stageline_note(struct stageline *line, const char *format, ...)
{
	(void)line, (void)format;
}

void record_time(usec_t realtime, bool compact, char ret[static RECORD_TIME_TEXT])
{
	(void)realtime, (void)compact;
	ret[0] = '\0';
}

/* The rest of the verb is over, and it may be that memory is, too. */
int provision_by(const struct args *args, const char *name, const struct provision_options *options)
{
	assert_string_equal(args->operands[0], old);
	assert_string_equal(name, "vm-of-no-unit");
	options->import->disk.moved = world.moves;
	alloc_arm();
	return CLI_FAILED;
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int enter(void **state)
{
	char path[128];

	(void)state;
	world = (typeof(world)){ 0 };
	(void)snprintf(dir, sizeof(dir), "/tmp/test_cli_import.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(old, sizeof(old), "%s/old", dir);
	(void)snprintf(images, sizeof(images), "%s/images", dir);
	(void)snprintf(disk, sizeof(disk), "%s/disk.qcow2", images);
	if (mkdir(old, 0755) < 0 || mkdir(images, 0755) < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/vm.qcow2", old);
	put(path, "QFI\xfb");
	(void)snprintf(path, sizeof(path), "%s/serial.log", old);
	put(path, "login:");
	return 0;
}

static int leave(void **state)
{
	(void)state;
	return remove_tree(dir);
}

/* The two stages, as the table of provision.c runs them. */
struct looks {
	struct import import;
	struct provision p;
	int found, checked;
};

static struct looks look(void)
{
	static const struct guest_spec guest = {
		.name = "vm", .image_path = "/image", .disk_kib = 1u << 20
	};
	static struct import import;
	struct looks t = {
		.p = { .guest = &guest, .image_dir = images, .disk = disk, .import = &import }
	};

	world.header_looks = 0;
	import_init(&import, old, NULL);
	t.found = import_find(&t.p);
	t.checked = t.found < 0 ? t.found : import_check(&t.p);
	t.import = import;
	import_clear(&import);
	return t;
}

/* Both passed. */
static void assert_taken(const struct looks *t)
{
	assert_int_equal(t->found, 0);
	assert_int_equal(t->checked, 0);
	assert_string_equal(t->import.disk.name, "vm.qcow2");
	assert_string_equal(t->p.reason.text, "");
	assert_int_equal(world.header_looks, 1);
}

/* The second stage said no, before anything of the disk was believed. */
static void assert_refused(const struct looks *t, int error, const char *words)
{
	assert_int_equal(t->found, 0);
	assert_int_equal(t->checked, error);
	assert_string_equal(t->p.reason.text, words);
	assert_int_equal(world.header_looks, 0);
}

static void test_no_descriptor(void **state)
{
	unsigned files = open_files();
	struct looks t;

	(void)state;
	world.dup = EMFILE;
	t = look();
	assert_int_equal(t.found, -EMFILE);
	assert_string_equal(t.import.disk.name, "");
	assert_int_equal(t.import.disk.fd, -1);
	assert_int_equal(open_files(), files);
	world.dup = 0;
	t = look();
	assert_taken(&t);
	assert_int_equal(open_files(), files);
}

static void attempt(void *userdata)
{
	unsigned files = open_files();

	(void)userdata;
	alloc_arm();
	struct looks t = look();
	bool failed = alloc_disarm();
	assert_int_equal(open_files(), files);
	/* The C library does without some of its own. */
	if (t.checked == 0)
		assert_taken(&t);
	else
		assert_true(failed && t.checked == -ENOMEM && world.header_looks == 0);
}

static void test_without_memory(void **state)
{
	(void)state;
	alloc_sweep(attempt, NULL, 1);
}

static void test_holders(void **state)
{
	static const struct {
		int answer;
		const char *who;
		int error;
		const char *words; /* after the disk's path, where there is a %s */
	} rows[] = {
		{ -EPERM, "", -EPERM,
			"run it as root: nobody else sees whether a process has the disk open" },
		{ -EACCES, "pid 5 (x)", -EACCES,
			"it cannot be known whether a process has OLD/vm.qcow2 open: pid 5 (x): "
			"Permission denied" },
		{ -E2BIG, "", -E2BIG,
			"it cannot be known whether a process has OLD/vm.qcow2 open: "
			"Argument list too long" },
		{ 1, "pid 5 (qemu)", -EBUSY,
			"OLD/vm.qcow2 is in use: pid 5 (qemu) has it open. Shut the guest down "
			"first (systemctl stop vm, for the old unit)" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *at = strstr(rows[i].words, "OLD");
		int before = at ? (int)(at - rows[i].words) : 0;
		char words[512];

		(void)snprintf(words, sizeof(words), "%.*s%s%s", before, rows[i].words,
			at ? old : "", at ? at + 3 : rows[i].words);
		world.holders = rows[i].answer;
		world.who = rows[i].who;
		struct looks t = look();
		assert_refused(&t, rows[i].error, words);
	}
}

/* The state directory goes, or will not be looked at. */
static void test_no_place(void **state)
{
	unsigned files = open_files();
	char words[256];
	struct looks t;

	(void)state;
	world.fstat = EIO;
	t = look();
	world.fstat = 0;
	assert_refused(&t, -EIO, "");
	assert_int_equal(rmdir(images), 0);
	t = look();
	(void)snprintf(words, sizeof(words), "cannot open %s: No such file or directory", images);
	assert_refused(&t, -ENOENT, words);
	assert_int_equal(symlink(old, images), 0);
	t = look();
	(void)snprintf(words, sizeof(words), "cannot open %s: %s", images, strerror(ENOTDIR));
	assert_refused(&t, -ENOTDIR, words);
	assert_int_equal(unlink(images), 0);
	assert_int_equal(open_files(), files);
}

#define LAST_WORDS                                                                                 \
	"An old unit that starts QEMU by itself would find no disk any more: disable it.\n"        \
	"Then: systemctl enable --now mediakit-guest@vm-of-no-unit\n"

static void attempt_verb(void *userdata)
{
	const char *const words[] = { "import-predecessor", old, "--guest=vm-of-no-unit", NULL };
	FILE *to = tmpfile();
	int saved = dup(STDERR_FILENO);

	(void)userdata;
	assert_non_null(to);
	(void)dup2(fileno(to), STDERR_FILENO);
	int r = verb_import(3, (char **)(uintptr_t)words);
	(void)alloc_disarm();
	(void)dup2(saved, STDERR_FILENO);
	(void)close(saved);
	rewind(to);
	errors[fread(errors, 1, sizeof(errors) - 1, to)] = '\0';
	(void)fclose(to);
	assert_int_equal(r, CLI_FAILED); /* what provisioning said */
	assert_string_equal(errors, world.moves ? LAST_WORDS : "");
}

static void test_last_words(void **state)
{
	(void)state;
	world.moves = true;
	alloc_sweep(attempt_verb, NULL, 2);
	world.moves = false;
	attempt_verb(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_descriptor, enter, leave),
		cmocka_unit_test_setup_teardown(test_without_memory, enter, leave),
		cmocka_unit_test_setup_teardown(test_holders, enter, leave),
		cmocka_unit_test_setup_teardown(test_no_place, enter, leave),
		cmocka_unit_test_setup_teardown(test_last_words, enter, leave),
	};

	return cmocka_run_group_tests_name("import", tests, NULL, NULL);
}
