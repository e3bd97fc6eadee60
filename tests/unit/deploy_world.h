/* SPDX-License-Identifier: Apache-2.0 */
/* A deploy to a guest that is the test's: in the place of ssh it takes down what it is asked and
 * sent, and answers what it was told to. Included after alloc_fail.h. */
#ifndef MEDIAKIT_TESTS_DEPLOY_WORLD_H
#define MEDIAKIT_TESTS_DEPLOY_WORLD_H

#include "base/file.h"
#include "base/macro.h"
#include "cli/deploy_job.h"
#include "cli/verb.h"
#include "io/layout.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of the step called so; of any other: done, without a word. */
struct answer {
	const char *step;
	int r, exit_status, signal;
	const char *output;
	size_t output_len; /* 0: to the NUL */
	const char *error;
	void (*meanwhile)(size_t n_sent); /* before the guest takes more */
};

static struct answer answers[4];
static char command[128 * 1024], steps[256], arguments[4096];
static char sent[256 * 1024];
static size_t n_sent;

/* "STEP='look' ..." or, with sudo, ": look web". */
static inline void note_step(char ret[static 32])
{
	if (sscanf(command, "STEP='%31[a-z]'", ret) != 1 &&
		sscanf(command, ": %31[a-z]", ret) != 1)
		(void)snprintf(ret, 32, "none");
	size_t len = strlen(steps);
	(void)snprintf(steps + len, sizeof(steps) - len, "%s%s", len > 0 ? " " : "", ret);
}

static inline int take_food(const struct program *program, const struct answer *answer)
{
	ssize_t n = 1;

	while (program->feed && n > 0) {
		char chunk[1500];

		if (answer->meanwhile)
			answer->meanwhile(n_sent);
		n = program->feed(program->userdata, chunk, sizeof(chunk));
		if (n < 0)
			return (int)n;
		assert_true((size_t)n <= sizeof(chunk) && n_sent + (size_t)n <= sizeof(sent));
		memcpy(sent + n_sent, chunk, (size_t)n);
		n_sent += (size_t)n;
	}
	return 0;
}

int program_run(const struct program *program, struct program_result *ret)
{
	const struct answer *answer = &(struct answer){ 0 };
	size_t n = 0, at = 0;
	char step[32];

	for (; program->argv[n]; n++)
		at += (size_t)snprintf(arguments + at, sizeof(arguments) - at, "%.200s\n",
			program->argv[n]);
	(void)snprintf(command, sizeof(command), "%s", program->argv[n - 1]);
	note_step(step);
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		if (answers[i].step && strcmp(answers[i].step, step) == 0)
			answer = &answers[i];
	int r = take_food(program, answer);
	if (r < 0)
		return r;
	if (answer->r < 0)
		return answer->r;
	size_t len = answer->output_len ?: strlen(answer->output ?: "");
	char *output = malloc(len + 1);
	if (!output)
		return -ENOMEM;
	memcpy(output, answer->output ?: "", len);
	output[len] = '\0';
	*ret = (struct program_result){ .exit_status = answer->exit_status,
		.signal = answer->signal,
		.output = output,
		.output_len = len };
	(void)snprintf(ret->error, sizeof(ret->error), "%s", answer->error ?: "");
	return 0;
}

void program_result_clear(struct program_result *result)
{
	free(result->output);
	*result = (struct program_result){ 0 };
}

static char guest_name[] = "vm", user_name[] = "foundry";
static char service_name[] = "web", unit_name[] = "web.service";
static char dir[64];
static struct args args;
static struct spec the_spec = { .state_dir = dir };
static struct guest_spec guest;
static struct deploy d;

static inline void shell(const char *what)
{
	char line[4096];

	(void)snprintf(line, sizeof(line), "cd %s && { %s; }", dir, what);
	if (system(line) != 0)
		fail_msg("%s", line);
}

static inline void begin(void)
{
	memset(answers, 0, sizeof(answers));
	steps[0] = command[0] = arguments[0] = '\0';
	n_sent = 0;
	d = (struct deploy){ .args = &args,
		.spec = &the_spec,
		.guest = &guest,
		.service = &guest.services[0],
		.status = CLI_FAILED,
		.lock_fd = -1 };
	stageline_init(&d.line, "deploy vm web");
}

static inline void end(void)
{
	free(d.lines);
	free(d.key);
	free(d.known_hosts);
	free(d.control);
	d.lines = d.key = d.known_hosts = d.control = NULL;
	cleanup_closep(&d.lock_fd);
	d.lock_fd = -1;
}

static inline int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/test_deploy.XXXXXX");
	assert_non_null(mkdtemp(dir));
	args = (struct args){ 0 };
	guest = (struct guest_spec){ .name = guest_name,
		.user = user_name,
		.ssh_port = 10022,
		.n_services = 1 };
	guest.services[0] = (struct service_spec){ .name = service_name,
		.unit = unit_name,
		.probe = PROBE_CBOR };
	begin();
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	end();
	shell("rm -rf $PWD");
	return 0;
}

/* What is printed while it runs. */
static char said[16384];

static inline int heard(int (*run)(void))
{
	int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
	FILE *to = tmpfile();

	assert_non_null(to);
	(void)fflush(stdout);
	(void)dup2(fileno(to), STDOUT_FILENO);
	(void)dup2(fileno(to), STDERR_FILENO);
	int r = run();
	(void)fflush(stdout);
	(void)dup2(out, STDOUT_FILENO);
	(void)dup2(err, STDERR_FILENO);
	(void)close(out);
	(void)close(err);
	rewind(to);
	said[fread(said, 1, sizeof(said) - 1, to)] = '\0';
	(void)fclose(to);
	return r;
}

#endif
