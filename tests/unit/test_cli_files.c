/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs that look into one file: a report, decoded, and a trace of memory, replayed. What they
 * print, and what they exit with. */
/* LINK: base model policy io/confdir cli/args cli/verb cli/decode cli/replay */
/* LIBS: inih libcbor jansson libsystemd */
#include "remove_tree.h"
#include "cli/decode.h"
#include "cli/replay.h"
#include "cli/verb.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/macro.h"

static char dir[64], output[1u << 20], errors[4096];

static void path_in(char *path, size_t size, const char *name)
{
	assert_true(snprintf(path, size, "%s/%s", dir, name) < (int)size);
}

static void put(const char *name, const void *bytes, size_t len)
{
	char path[128];

	path_in(path, sizeof(path), name);
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void put_text(const char *name, const char *text)
{
	put(name, text, strlen(text));
}

static int enter(void **state)
{
	char path[128];

	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/test_cli_files.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	path_in(path, sizeof(path), "guests.d");
	return mkdir(path, 0755);
}

static int leave(void **state)
{
	(void)state;
	return remove_tree(dir);
}

static void read_back(FILE *f, char *buf, size_t size)
{
	rewind(f);
	buf[fread(buf, 1, size - 1, f)] = '\0';
	(void)fclose(f);
}

/* The verb with these words and input (or NULL), its output caught, or sent where `to` says. */
static int run_to(const char *to, const char *input, int (*verb)(int, char **), ...)
{
	const char *words[8] = { "verb" };
	FILE *files[] = { fopen(input ?: "/dev/null", "re"), to ? fopen(to, "we") : tmpfile(),
		tmpfile() };
	int saved[3], argc = 1;
	va_list ap;

	va_start(ap, verb);
	while ((words[argc] = va_arg(ap, const char *)))
		argc++;
	va_end(ap);
	(void)fflush(NULL);
	for (int i = 0; i < 3; i++) {
		assert_non_null(files[i]);
		saved[i] = dup(i);
		(void)dup2(fileno(files[i]), i);
	}
	int r = verb(argc, (char **)words);
	(void)fflush(NULL);
	clearerr(stdout);
	for (int i = 0; i < 3; i++) {
		(void)dup2(saved[i], i);
		(void)close(saved[i]);
	}
	(void)fclose(files[0]);
	if (to)
		(void)fclose(files[1]);
	else
		read_back(files[1], output, sizeof(output));
	read_back(files[2], errors, sizeof(errors));
	return r;
}

#define run(...) run_to(NULL, NULL, __VA_ARGS__, NULL)

static const char web[] = "\xa2\x66status\x62ok\x67service\x63web";

/* All a report can say. */
static const char whole[] = "\xa8\x66status\x68"
			    "degraded\x67service\x63web\x67version\x63"
			    "1.2\x67"
			    "boot_id\x78\x24"
			    "8c7f4d1e-52f0-4f5e-9d7a-0c3c1b1f2a99\x65nonce\x70"
			    "00c0ffee00c0ffee\x66uptime\x18\x5a\x67message\x67W\xc3\xb6rter\x66"
			    "checks\xa2\x62"
			    "db\x62ok\x64"
			    "disk\x67"
			    "failing";
static const char whole_told[] = "{\"status\": \"degraded\", \"service\": \"web\", "
				 "\"version\": \"1.2\", "
				 "\"boot_id\": \"8c7f4d1e-52f0-4f5e-9d7a-0c3c1b1f2a99\", "
				 "\"nonce\": \"00c0ffee00c0ffee\", \"uptime\": 90, "
				 "\"message\": \"W\xc3\xb6rter\", "
				 "\"checks\": {\"db\": \"ok\", \"disk\": \"failing\"}}";

/* Without the line breaks and what follows them. */
static void assert_printed(const char *told)
{
	json_t *o = json_loads(output, JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(o);
	char *line = json_dumps(o, 0);
	assert_string_equal(line, told);
	free(line);
	json_decref(o);
	assert_int_equal(output[strlen(output) - 1], '\n');
	assert_string_equal(errors, "");
}

static void assert_one_line(void)
{
	assert_ptr_equal(strchr(errors, '\n'), errors + strlen(errors) - 1);
}

static void test_decode(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *told;
	} rows[] = {
		{ web, sizeof(web) - 1, "{\"status\": \"ok\", \"service\": \"web\"}" },
		{ whole, sizeof(whole) - 1, whole_told },
		/* The largest of JSON's integers here, and one more. */
		{ "\xa2\x66status\x62ok\x66uptime\x1b\x7f\xff\xff\xff\xff\xff\xff\xff", 27,
			"{\"status\": \"ok\", \"uptime\": 9223372036854775807}" },
		{ "\xa2\x66status\x62ok\x66uptime\x1b\x80\0\0\0\0\0\0\0", 27,
			"{\"status\": \"ok\", \"uptime\": 9.2233720368547758e18}" },
	};
	char path[128];

	(void)state;
	path_in(path, sizeof(path), "report");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		put("report", rows[i].bytes, rows[i].len);
		assert_int_equal(run(verb_decode, path), CLI_OK);
		assert_printed(rows[i].told);
		assert_int_equal(run_to(NULL, path, verb_decode, "-", NULL), CLI_OK);
		assert_printed(rows[i].told);
		assert_int_equal(run_to("/dev/full", path, verb_decode, "-", NULL), CLI_FAILED);
	}
}

static void test_decode_refused(void **state)
{
	char path[128], told[256];

	(void)state;
	path_in(path, sizeof(path), "report");
	put("report", web, sizeof(web)); /* with the NUL that ends it */
	(void)snprintf(told, sizeof(told), "%s: no report: trailing-bytes: ", path);
	assert_int_equal(run(verb_decode, path), CLI_FAILED);
	assert_memory_equal(errors, told, strlen(told));
	assert_non_null(strstr(errors, " (at byte 23)\n"));
	assert_int_equal(run_to(NULL, path, verb_decode, "-", NULL), CLI_FAILED);
	assert_memory_equal(errors, "input: no report: trailing-bytes: ", 34);
	assert_int_equal(run(verb_decode, dir), CLI_USAGE);
	(void)snprintf(told, sizeof(told), "mediakitd decode: %s: Is a directory\n", dir);
	assert_string_equal(errors, told);
	path_in(path, sizeof(path), "missing");
	assert_int_equal(run(verb_decode, path), CLI_USAGE);
	(void)snprintf(
		told, sizeof(told), "mediakitd decode: %s: No such file or directory\n", path);
	assert_string_equal(errors, told);
	assert_int_equal(run(verb_decode), CLI_USAGE);
	assert_non_null(strstr(errors, "FILE, or - for its input"));
	assert_one_line();
	assert_string_equal(output, "");
}

/* What the decisions of a replay, as JSON, come to. */
struct outcome {
	json_int_t least, most, most_grown; /* targets of guest a, KiB */
	json_int_t others_most;             /* of guest b */
	json_t *all;
};

static struct outcome replay_json(const char *trace, const char *config)
{
	struct outcome o = { .least = INT64_MAX };
	size_t i;
	json_t *d;

	assert_int_equal(config ? run(verb_replay, "--replay", trace, "--json", "--config", config)
				: run(verb_replay, "--replay", trace, "--json"),
		CLI_OK);
	assert_string_equal(errors, "");
	o.all = json_loads(output, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(o.all);
	json_array_foreach(json_object_get(o.all, "decisions"), i, d) {
		const char *action = json_string_value(json_object_get(d, "action"));
		json_int_t target = json_integer_value(json_object_get(d, "target_kib"));

		if (strcmp(action, "hold") == 0)
			continue;
		if (strcmp(json_string_value(json_object_get(d, "guest")), "b") == 0) {
			o.others_most = MAX(o.others_most, target);
			continue;
		}
		o.least = MIN(o.least, target);
		o.most = MAX(o.most, target);
		if (strcmp(action, "grow") == 0)
			o.most_grown = MAX(o.most_grown, target);
	}
	return o;
}

/* With the configuration of guest a, or without. */
static struct outcome replay_with(const char *trace, const char *guest)
{
	char path[128];

	path_in(path, sizeof(path), "trace");
	put_text("trace", trace);
	put_text("mediakitd.conf", "");
	if (guest)
		put_text("guests.d/a.conf", guest);
	struct outcome o = replay_json(path, guest ? dir : NULL);
	json_decref(o.all);
	return o;
}

#define GUEST "[Image]\nKernel=/k\n[Guest]\nMemory="
#define GIB   ((json_int_t)1048576)

/* Pressed by its host, and later in want of 4.6 GiB. */
static const char pressed[] = "time,guest,host_total,host_other,max,min,demand,hot,read\n"
			      "0,a,16777216,6291456,6291456,1572864,614400,307200,20000\n"
			      "160,a,16777216,6291456,6291456,1572864,614400,307200,0\n"
			      "300,a,16777216,9437184,6291456,1572864,614400,307200,0\n"
			      "1800,a,16777216,9437184,6291456,1572864,4808704,307200,0\n"
			      "2700,a,16777216,9437184,6291456,1572864,614400,307200,0\n";
static const char at_ease[] = "time,guest,host_total,max,min,demand\n"
			      "0,a,16777216,6291456,1572864,614400\n"
			      "600,a,16777216,6291456,1572864,614400\n";
static const char two[] = "time,guest,host_total,max,min,demand\n"
			  "0,a,8388608,6291456,524288,3500000\n"
			  "0,b,8388608,6291456,524288,3500000\n"
			  "900,a,8388608,6291456,524288,3500000\n";

/* What the configuration says of a guest stands above what the trace says. */
static void test_replay_configured(void **state)
{
	struct outcome o;

	(void)state;
	o = replay_with(pressed, NULL);
	assert_true(o.least < 3 * GIB);
	assert_true(o.most_grown > 5 * GIB);
	o = replay_with(pressed, GUEST "6G\n[Memory]\nMemoryMin=3G\n");
	assert_int_equal(o.least, 3 * GIB);
	o = replay_with(pressed, GUEST "4G\n");
	assert_int_equal(o.most_grown, 4 * GIB);
	o = replay_with(at_ease, NULL);
	assert_int_equal(o.most, 0); /* it is left alone */
	o = replay_with(
		at_ease, GUEST "6G\n[Memory]\nMemoryMin=1G\nReclaim=eager\nIdleTarget=2G\n");
	assert_int_equal(o.least, 2 * GIB);
	o = replay_with(two, NULL);
	assert_int_equal(o.most, o.others_most);
	o = replay_with(two, GUEST "6G\n[Memory]\nMemoryMin=512M\nWeight=1000\n");
	assert_true(o.most > o.others_most);
	assert_true(o.others_most > 0);
}

/* The words and the object say the same; how long giving back took only where something was. */
static void test_replay_summary(void **state)
{
	static const struct {
		const char *trace;
		bool given_back;
	} rows[] = {
		{ "tests/balloon/traces/antiphase.csv", true },
		{ "tests/balloon/traces/sudden.csv", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct outcome o = replay_json(rows[i].trace, NULL);
		json_t *s = json_object_get(o.all, "summary"), *back;
		char told[256];

		back = json_object_get(s, "give_back_mean_seconds");
		assert_int_equal(json_is_real(back), rows[i].given_back);
		int n = snprintf(told, sizeof(told),
			"\nfalls of demand    %d, of which %d not given back before the next "
			"change",
			(int)json_integer_value(json_object_get(s, "falls_of_demand")),
			(int)json_integer_value(json_object_get(s, "falls_not_given_back")));
		if (rows[i].given_back)
			n += snprintf(told + n, sizeof(told) - (size_t)n,
				"; the others in %.0f s on average", json_real_value(back));
		(void)snprintf(told + n, sizeof(told) - (size_t)n,
			"\nhost without memory  %.1f s\n",
			json_real_value(json_object_get(s, "host_short_seconds")));
		json_decref(o.all);
		assert_int_equal(run(verb_replay, "--replay", rows[i].trace), CLI_OK);
		assert_non_null(strstr(output, told));
	}
}

static void *no_memory(size_t size)
{
	(void)size;
	return NULL;
}

static void test_replay_refused(void **state)
{
	char path[128], told[256];

	(void)state;
	assert_int_equal(run(verb_replay), CLI_USAGE);
	assert_string_equal(errors, "mediakitd balloon: wants --replay=TRACE here\n");
	assert_int_equal(run(verb_replay, "--replay=x", "vm"), CLI_USAGE);
	assert_non_null(strstr(errors, "'vm' is one word too many"));
	assert_one_line();
	path_in(path, sizeof(path), "trace");
	put_text("trace", at_ease);
	json_set_alloc_funcs(no_memory, free);
	int r = run(verb_replay, "--replay", path);
	json_set_alloc_funcs(malloc, free);
	assert_int_equal(r, CLI_FAILED);
	assert_string_equal(output, "");
	assert_int_equal(
		run_to("/dev/full", NULL, verb_replay, "--replay", path, NULL), CLI_FAILED);
	/* Only what is wrong is told, and nothing is replayed. */
	put_text("mediakitd.conf", "");
	put_text("guests.d/a.conf", "[Guest]\nMemory=lots\n");
	(void)snprintf(told, sizeof(told), "%s/guests.d/a.conf:2: Memory: ", dir);
	assert_int_equal(run(verb_replay, "--replay", path, "--config", dir), CLI_USAGE);
	assert_memory_equal(errors, told, strlen(told));
	assert_string_equal(output, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_decode_refused),
		cmocka_unit_test(test_replay_configured),
		cmocka_unit_test(test_replay_summary),
		cmocka_unit_test(test_replay_refused),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
