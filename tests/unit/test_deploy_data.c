/* SPDX-License-Identifier: Apache-2.0 */
/* What a deploy reads: a directory that changes under it, the guest's list of files and its list of
 * releases; and what it sends of the directory, read back by the real tar. */
/* LINK: base model io/layout io/owner cli/stageline cli/deploy_guest cli/deploy_data cli/deploy_list */
/* LIBS: inih libcbor jansson libsystemd */
#include "alloc_fail.h"
#include "open_files.h"

#include "deploy_world.h"

#include <fcntl.h>
#include <jansson.h>

static char data[80];

static void begin_data(void)
{
	end();
	begin();
	(void)snprintf(data, sizeof(data), "%s/data", dir);
	args = (struct args){ .data = data };
	d.key = strdup("key");
	d.known_hosts = strdup("hosts");
	answers[0] = (struct answer){ .step = "have" };
	answers[1] = (struct answer){ .step = "data", .output = "data done\n" };
}

static int send_data(void)
{
	return deploy_data(&d);
}

#define LIST(text) (struct answer){ .step = "have", .output = text, .output_len = sizeof(text) - 1 }

#define LONG_NAME                                                                                  \
	"a-directory-of-a-long-name-that-is-but-a-part-of-what-is-to-come/and-a-file-of-a-long-"   \
	"name-too-that-only-ends-here"

static void make_tree(void)
{
	shell("rm -rf data && mkdir -p data/deep/er data/nothing && printf one >data/a && "
	      "head -c 3000 /dev/urandom >data/deep/er/b && : >data/empty && "
	      "mkdir data/$(dirname " LONG_NAME ") && echo long >data/" LONG_NAME " && "
	      "echo odd >\"data/new$(printf '\\nline')\" && "
	      "printf '#!/bin/sh\\n' >data/run && chmod 755 data/run && rmdir data/nothing && "
	      "find data -type f -exec touch -d @1700000000 {} +");
}

/* What came over is the directory, or that of it which differs. */
static void unpack(void)
{
	CLEANUP_FREE char *tar = path_join(dir, "sent.tar");

	assert_int_equal(n_sent % 512, 0);
	assert_int_equal(file_write_atomic(tar, sent, n_sent, 0600), 0);
	shell("rm -rf out && mkdir out && tar -xf sent.tar -C out");
}

static void test_what_is_sent(void **state)
{
	(void)state;
	make_tree();
	begin_data();
	assert_int_equal(heard(send_data), 0);
	assert_non_null(strstr(said, "data: 6 of 6 files differ"));
	assert_string_equal(steps, "have data");
	unpack();
	shell("diff -r data out && test -x out/run -a ! -x out/a && "
	      "test $(stat -c %Y out/a) = 1700000000");
	/* What is there of the same size and time stays; what we have not is not ours. */
	begin_data();
	answers[0] = LIST("3 1700000000.0000000000 a\0"
			  "3000 1700000000 deep/er/b\0"
			  "1 1700000000.0 empty\0"
			  "5 1700000001.0 " LONG_NAME "\0"
			  "4 1700000000.9 new\nline\0"
			  "18446744073709551615 1700000000.0 run\0"
			  "7 7.0 ledger of the service's own\0");
	assert_int_equal(heard(send_data), 0);
	assert_non_null(strstr(said, "data: 3 of 6 files differ"));
	unpack();
	shell("test $(find out -type f | wc -l) = 3 && test -e out/empty -a -e out/run && "
	      "cmp data/" LONG_NAME " out/" LONG_NAME);
	begin_data();
	answers[0] = LIST("3 1700000000 a\0"
			  "3 1700000000 a\0"
			  "3000 1700000000 deep/er/b\0"
			  "0 1700000000 empty\0"
			  "5 1700000000 " LONG_NAME "\0"
			  "4 1700000000 new\nline\0"
			  "10 1700000000 run\0");
	assert_int_equal(heard(send_data), 0);
	assert_non_null(strstr(said, "data: 0 of 6 files differ"));
	assert_string_equal(steps, "have");
	/* Nothing is as good as any other data. */
	shell("rm -rf data && mkdir data");
	begin_data();
	answers[0] = LIST("3 1700000000 a\0");
	assert_int_equal(heard(send_data), 0);
	assert_non_null(strstr(said, "data: 0 of 0 files differ"));
}

static void test_lists_that_are_none(void **state)
{
	static const struct answer lists[] = {
		LIST("3 1700000000 a"), /* cut off */
		LIST("3 1700000000 a\0003 1"),
		LIST("\0"),
		LIST("3\0"),
		LIST("3 \0"),
		LIST("x 1700000000 a\0"),
		LIST("3x 1700000000 a\0"),
		LIST("3 x a\0"),
		LIST("3 1700000000\0"),
		LIST("3 1700000000 \0"),
		LIST("3 1700000000.5\0"),
		LIST("3 1700000000.5 \0"),
		LIST("3 1700000000x a\0"),
		LIST("99999999999999999999 1 a\0"),
		LIST("3 99999999999999999999 a\0"),
		LIST("free \033[31m\nrelease ../../etc\n"),
	};

	(void)state;
	make_tree();
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		begin_data();
		answers[0] = lists[i];
		if (heard(send_data) != -EBADMSG ||
			strcmp(d.reason.text, "vm: a list of files that is none") != 0)
			fail_msg("list %zu: %s", i, d.reason.text);
		assert_string_equal(steps, "have");
	}
	begin_data();
	answers[1].output = "dat done\n";
	assert_int_equal(heard(send_data), -EBADMSG);
	assert_string_equal(d.reason.text, "vm does not say that it has the data");
	begin_data();
	answers[0].r = -EFBIG;
	assert_int_equal(heard(send_data), -EFBIG);
	assert_non_null(strstr(d.reason.text, "says more than 24576 KiB"));
}

/* A directory that changes ---- */

static struct {
	size_t at; /* bytes that were sent */
	const char *what;
} change;

static void change_it(size_t n)
{
	const char *what = change.what;

	if (!what || n < change.at)
		return;
	change.what = NULL;
	shell(what);
}

static void test_changed_meanwhile(void **state)
{
	static const struct {
		size_t at;
		const char *what;
		int error;
		const char *says;
	} rows[] = {
		{ 0, "rm data/a", -ENOENT, "/data/a: No such file or directory" },
		{ 0, "rm data/a; ln -s /etc/passwd data/a", -ELOOP, "/data/a: Too many levels" },
		{ 0, "rm data/a; mkfifo data/a", -EIO, "/data/a: was changed while it was sent" },
		{ 0, "rm data/a; mkdir data/a", -EIO, "/data/a: was changed while it was sent" },
		{ 0, "printf x >>data/a", -EIO, "/data/a: was changed while it was sent" },
		{ 0, "truncate -s 4999 data/a", -EIO, "/data/a: was changed while it was sent" },
		{ 512, ": >data/a", -EIO, "/data/a: was changed while it was sent" },
		{ 2012, "truncate -s 2000 data/a", -EIO, "/data/a: was changed while" },
		/* What comes later is the next deploy's. */
		{ 512, "echo more >>data/a", 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		shell("rm -rf data && mkdir data && head -c 5000 /dev/zero >data/a");
		begin_data();
		answers[1].meanwhile = change_it;
		change.at = rows[i].at;
		change.what = rows[i].what;
		unsigned before = open_files();
		int r = heard(send_data);
		assert_null(change.what);
		if (r != rows[i].error || !strstr(d.reason.text, rows[i].says))
			fail_msg("row %zu: %d %s", i, r, d.reason.text);
		assert_int_equal(open_files(), before);
	}
	unpack();
	shell("test $(stat -c %s out/a) = 5000");
}

/* What is not taken to a guest ---- */

static void test_directories_that_are_none(void **state)
{
	static const struct {
		const char *what;
		int error;
		const char *says;
	} rows[] = {
		{ "true", -ENOENT, "--data: " },
		{ "echo x >data", -ENOTDIR, "data: Not a directory" },
		{ "mkdir data && mkfifo data/pipe", -EINVAL, "data/pipe: neither a file nor" },
		{ "mkdir data && ln -s /etc/passwd data/link", -EINVAL,
			"data/link: neither a file nor a directory" },
		{ "mkdir data && ln -s . data/link", -EINVAL, "data/link: neither a file nor" },
		{ "mkdir data && : >data/$(printf '\\033%0120d' 1)", -ENAMETOOLONG, "/\\x1b0000" },
		{ "mkdir -p data/$(printf '%0090d/%0090d/%0090d' 1 2 3) && "
		  ": >data/$(printf '%0090d/%0090d/%0090d' 1 2 3)/a", -ENAMETOOLONG,
			"its name is too long" },
		{ "mkdir -p data/$(printf 'd/%.0s' $(seq 33)) && : >data/$(printf 'd/%.0s' "
		  "$(seq 33))/a", -ELOOP, "directories too deep in each other" },
		{ "mkdir data && truncate -s 8G data/big", -EFBIG, "data/big: a file over 8 GiB" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		shell("rm -rf data");
		shell(rows[i].what);
		begin_data();
		unsigned before = open_files();
		int r = heard(send_data);
		if (r != rows[i].error || !strstr(d.reason.text, rows[i].says))
			fail_msg("%s: %d %s", rows[i].what, r, d.reason.text);
		assert_null(strchr(d.reason.text, '\033'));
		assert_string_equal(steps, "");
		assert_int_equal(open_files(), before);
	}
	/* As deep as may be. */
	shell("rm -rf data && mkdir -p data/$(printf 'd/%.0s' $(seq 32)) && "
	      ": >data/$(printf 'd/%.0s' $(seq 32))/a");
	begin_data();
	assert_int_equal(heard(send_data), 0);
	/* From before there was time. */
	shell("rm -rf data && mkdir data && : >data/a && touch -d 1960-01-01 data/a");
	begin_data();
	assert_int_equal(heard(send_data), 0);
	unpack();
	shell("test $(stat -c %Y out/a) = 0");
}

static void attempt(void *userdata)
{
	(void)userdata;
	begin_data();
	answers[0] = LIST("3 1700000000 a\0"
			  "7 7.0 ledger\0");
	unsigned before = open_files();
	alloc_arm();
	int r = deploy_data(&d);
	bool failed = alloc_disarm();
	assert_int_equal(open_files(), before);
	assert_true(r == 0 || (failed && r < 0));
	if (r == 0)
		unpack();
	end();
}

static void test_without_memory(void **state)
{
	(void)state;
	shell("rm -rf data && mkdir -p data/deep && printf one >data/a && echo b >data/deep/b && "
	      "touch -d @1700000000 data/a");
	alloc_sweep(attempt, NULL, 10);
}

/* Releases ---- */

#define RELEASE "20261124T044100Z-0123456789ab"

static int list(void)
{
	return deploy_list(&d);
}

static void begin_list(const char *text)
{
	begin_data();
	answers[0] = (struct answer){ .step = "list", .output = text };
}

static void test_list(void **state)
{
	static const char *const none[] = {
		"release web " RELEASE " 1\n",
		"release web " RELEASE " 1 kept more\n",
		"release web " RELEASE " 1 running\n",
		"release web " RELEASE " x kept\n",
		"release web " RELEASE " -1 kept\n",
		"release web " RELEASE " 9223372036854775808 kept\n",
		"release web 20261124T044100Z-0123456789aG 1 kept\n",
		"release web ../../../etc 1 kept\n",
		"release ../web " RELEASE " 1 kept\n",
		"release \033[2J " RELEASE " 1 kept\n",
	};

	(void)state;
	begin_list("Welcome!\nrelease web " RELEASE " 2048 current\n"
		   "release other " RELEASE " 9 kept\n");
	assert_int_equal(heard(list), 0);
	assert_non_null(strstr(said, "web "));
	assert_non_null(strstr(said, RELEASE));
	assert_non_null(strstr(said, "  current\n"));
	/* Of a service that is not configured nothing is shown. */
	assert_null(strstr(said, "other"));
	args.json = true;
	assert_int_equal(heard(list), 0);
	const char *at = strchr(said, '[');
	assert_non_null(at);
	json_t *rows = json_loads(at, 0, NULL);
	assert_int_equal(json_array_size(rows), 1);
	json_t *row = json_array_get(rows, 0);
	assert_string_equal(json_string_value(json_object_get(row, "service")), "web");
	assert_string_equal(json_string_value(json_object_get(row, "release")), RELEASE);
	assert_int_equal(json_integer_value(json_object_get(row, "bytes")), 2048);
	assert_string_equal(json_string_value(json_object_get(row, "state")), "current");
	json_decref(rows);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(none); i++) {
		begin_list(none[i / 2]);
		args.json = i % 2;
		if (heard(list) != -EBADMSG ||
			strcmp(d.reason.text, "vm: a list of releases that is none") != 0)
			fail_msg("%s: %s", none[i / 2], d.reason.text);
		assert_null(strchr(said, '\033'));
		assert_null(strchr(said, '['));
	}
	begin_list(NULL);
	answers[0].exit_status = 1;
	assert_int_equal(heard(list), -EIO);
}

static int print_to(const char *path)
{
	int out = dup(STDOUT_FILENO);
	int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(to >= 0);
	(void)fflush(stdout);
	(void)dup2(to, STDOUT_FILENO);
	(void)close(to);
	alloc_arm();
	int r = deploy_list(&d);
	bool failed = alloc_disarm();
	(void)fflush(stdout);
	(void)dup2(out, STDOUT_FILENO);
	(void)close(out);
	clearerr(stdout);
	assert_true(r == 0 || failed || strcmp(path, "/dev/full") == 0);
	return r;
}

/* All of it, or an error. */
static void attempt_list(void *userdata)
{
	CLEANUP_FREE char *path = path_join(dir, "list");

	(void)userdata;
	begin_list("release web " RELEASE " 2048 current\n");
	args.json = true;
	if (print_to(path) == 0) {
		json_t *rows = json_load_file(path, 0, NULL);
		assert_int_equal(json_array_size(rows), 1);
		json_decref(rows);
	}
	end();
}

static void test_list_without_room(void **state)
{
	(void)state;
	for (int json = 0; json < 2; json++) {
		begin_list("release web " RELEASE " 2048 current\n");
		args.json = json;
		alloc.next = -1;
		assert_int_equal(print_to("/dev/full"), -EIO);
		assert_string_equal(d.reason.text, "the list could not be written");
	}
}

static void test_list_without_memory(void **state)
{
	(void)state;
	alloc_sweep(attempt_list, NULL, 5);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_sent),
		TEST(test_lists_that_are_none),
		TEST(test_changed_meanwhile),
		TEST(test_directories_that_are_none),
		TEST(test_without_memory),
		TEST(test_list),
		TEST(test_list_without_memory),
		TEST(test_list_without_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
