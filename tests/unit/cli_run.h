/* SPDX-License-Identifier: Apache-2.0 */
/* A verb, called as main() would, with what it prints caught. Included after bus_world.h. */
#ifndef MEDIAKIT_TESTS_CLI_RUN_H
#define MEDIAKIT_TESTS_CLI_RUN_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char output[65536], errors[4096];

static inline void read_back(FILE *f, char *buf, size_t size)
{
	rewind(f);
	buf[fread(buf, 1, size - 1, f)] = '\0';
	(void)fclose(f);
}

/* Runs a verb with its output caught. The words end with NULL. */
static inline int run(int (*verb)(int, char **), const char *const *words)
{
	int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO), argc = 0;
	FILE *to = tmpfile(), *err_to = tmpfile();

	while (words[argc])
		argc++;
	setenv("MEDIAKIT_RUNTIME", world->dir, 1);
	(void)fflush(stdout);
	dup2(fileno(to), STDOUT_FILENO);
	dup2(fileno(err_to), STDERR_FILENO);
	int status = verb(argc, (char **)words);
	(void)fflush(stdout);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	close(out);
	close(err);
	read_back(to, output, sizeof(output));
	read_back(err_to, errors, sizeof(errors));
	return status;
}

#endif
