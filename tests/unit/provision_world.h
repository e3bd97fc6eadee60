/* SPDX-License-Identifier: Apache-2.0 */
/* One run of `provision` on a state directory of the test's own: what its stages share, and what
 * they tell, which is taken down. Included after alloc_fail.h. */
#ifndef MEDIAKIT_TESTS_PROVISION_WORLD_H
#define MEDIAKIT_TESTS_PROVISION_WORLD_H

#include "base/file.h"
#include "base/macro.h"
#include "cli/provision_job.h"
#include "io/layout.h"

#include <string.h>
#include <unistd.h>

static char dir[64], image_dir[96], disk_path[128];
static char notes[8192];

static char guest_name[] = "vm", user_name[] = "foundry", bind_text[] = "127.0.0.1";
static struct guest_spec guest;
static struct provision job;

void stageline_begin(struct stageline *line, const char *what)
{
	(void)line, (void)what;
}

void stageline_progress(struct stageline *line, uint64_t done, uint64_t total)
{
	(void)line, (void)done, (void)total;
}

void stageline_end(struct stageline *line)
{
	(void)line;
}

void stageline_note(struct stageline *line, const char *format, ...)
{
	size_t len = strlen(notes);
	va_list ap;

	(void)line;
	va_start(ap, format);
	(void)vsnprintf(notes + len, sizeof(notes) - len, format, ap);
	va_end(ap);
}

static inline void shell(const char *what)
{
	char command[1024];

	(void)snprintf(command, sizeof(command), "cd %s && { %s; }", dir, what);
	assert_int_equal(system(command), 0);
}

static inline char *path_of(const char *name)
{
	static char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static inline void put(const char *name, const char *text)
{
	assert_int_equal(file_write_atomic(path_of(name), text, strlen(text), 0600), 0);
}

static inline bool there(const char *name)
{
	return access(path_of(name), F_OK) == 0;
}

/* A new run. */
static inline void begin(void)
{
	free(job.libraries);
	free(job.part);
	if (job.source_fd > 0)
		(void)close(job.source_fd);
	notes[0] = '\0';
	job = (struct provision){ .guest = &guest,
		.state_dir = dir,
		.image_dir = image_dir,
		.disk = disk_path,
		.lock_fd = -1,
		.source_fd = -1 };
}

static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/test_provision-XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(image_dir, sizeof(image_dir), "%s/images/vm", dir);
	(void)snprintf(disk_path, sizeof(disk_path), "%s/disk.qcow2", image_dir);
	guest = (struct guest_spec){ .name = guest_name,
		.hostname = guest_name,
		.user = user_name,
		.bind = bind_text,
		.disk_kib = 1024,
		.ssh_port = 22022 };
	begin();
	shell("mkdir -p images/vm private/vm");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	begin();
	shell("rm -rf -- \"$PWD\"");
	return 0;
}

/* The error, and words of the reason in this order. */
static inline void assert_told(int r, int error, const char *words)
{
	assert_int_equal(r, error);
	if (!strstr(job.reason.text, words))
		fail_msg("'%s' is not in '%s'", words, job.reason.text);
}

/* With the n-th allocation failing: out of memory, which is told for the first at least, or as
 * without a failure: asprintf() comes through where only what it wished for was not there. */
static inline void assert_short_of_memory(int r, bool failed)
{
	if (!failed)
		assert_true(r >= 0);
	else if (alloc.next == 0 && !alloc.once)
		assert_int_equal(r, -ENOMEM);
	else
		assert_true(r >= 0 || r == -ENOMEM);
}

#endif
