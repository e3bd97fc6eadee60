/* SPDX-License-Identifier: Apache-2.0 */
/* With -DFUZZ_REPLAY a fuzzer's inputs are files: each argument is a directory of them. */
#ifndef MEDIAKIT_FUZZ_REPLAY_H
#define MEDIAKIT_FUZZ_REPLAY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* assert() might be compiled out. */
static inline void require(bool holds, const char *what)
{
	if (!holds) {
		/* Not stderr, which a target may have turned away. */
		(void)dprintf(STDERR_FILENO, "does not hold: %s\n", what);
		abort();
	}
}

#ifdef FUZZ_REPLAY
#include <dirent.h>
#include <string.h>

#define REPLAY_FILE_MAX (1024u * 1024u)

static bool replay_file(const char *path)
{
	static uint8_t bytes[REPLAY_FILE_MAX];
	FILE *f = fopen(path, "rb");
	size_t len = f ? fread(bytes, 1, sizeof(bytes), f) : 0;
	/* An allocation of the very size: a sanitizer then sees a read behind the end. */
	uint8_t *copy = malloc(len ? len : 1);

	if (f)
		(void)fclose(f);
	if (f && copy) {
		memcpy(copy, bytes, len);
		(void)LLVMFuzzerTestOneInput(copy, len);
	}
	free(copy);
	return f && copy;
}

/* An empty directory is an error: it would test nothing. */
int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);
		const struct dirent *entry;
		char path[4096];
		int n = 0;

		while (dir && (entry = readdir(dir))) {
			if (entry->d_name[0] == '.')
				continue;
			(void)snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
			if (!replay_file(path)) {
				perror(path);
				return 1;
			}
			n++;
		}
		if (dir)
			(void)closedir(dir);
		if (n == 0) {
			(void)fprintf(stderr, "%s: nothing replayed\n", argv[i]);
			return 1;
		}
		(void)printf("%s: %d inputs\n", argv[i], n);
	}
	return argc > 1 ? 0 : 2;
}
#endif

#endif
