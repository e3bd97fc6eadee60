/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes report_decode() and utf8_escape(). With -DFUZZ_REPLAY: runs files instead, see main(). */
/* LINK: model/report model/cborscan model/utf8 */
/* LIBS: libcbor */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../vectors/sound.h"
#include "model/cborscan.h"
#include "model/report.h"
#include "model/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* assert() might be compiled out. */
static void require(bool holds, const char *what)
{
	if (!holds) {
		(void)fprintf(stderr, "does not hold: %s\n", what);
		abort();
	}
}

static void check_report(const uint8_t *data, size_t size)
{
	struct report report;
	struct report_fault fault;
	struct cborscan_fault scan_fault;

	if (report_decode(data, size, &report, &fault) < 0) {
		require(sound_fault(&fault, size), "a fault is sound");
		return;
	}
	require(sound_report(&report), "a report is sound");
	require(cborscan_check(data, size, &scan_fault) == 0, "a report is well-formed");
	/* An item is never the beginning of another one, nor of itself. */
	require(report_decode(data, size - 1, &report, &fault) < 0, "a report cut short is none");
}

/* The scanner has to be safe on bytes that nobody has checked. */
static void check_walk(const uint8_t *data, size_t size)
{
	struct cborscan_map map;
	struct cborscan_fault fault;
	size_t key, value;
	char text[32];

	if (cborscan_map_open(&map, data, size, 0) < 0)
		return;
	while (cborscan_map_next(&map, &key, &value, &fault) > 0)
		require(key < value && value < size, "keys come before values");
	for (size_t pos = 0; pos < size && pos < 64; pos++)
		(void)cborscan_text(data, size, pos, text, sizeof(text));
}

static void check_escape(const uint8_t *data, size_t size)
{
	char text[64];
	size_t room = size > 0 ? 1 + data[0] % sizeof(text) : 1;
	size_t n = utf8_escape(text, room, (const char *)data, size);

	require(n < room && strlen(text) == n && utf8_printable(text, n), "escaped is printable");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_report(data, size);
	check_walk(data, size);
	check_escape(data, size);
	return 0;
}

#ifdef FUZZ_REPLAY
/* Larger than any input that is looked at. */
#define FILE_MAX (REPORT_BYTES_MAX + 64)

static int replay_file(const char *path)
{
	static uint8_t bytes[FILE_MAX];
	FILE *f = fopen(path, "re");

	if (!f) {
		perror(path);
		return -1;
	}
	size_t n = fread(bytes, 1, sizeof(bytes), f);
	(void)fclose(f);

	/* Sized exactly, for memory checkers. */
	uint8_t *copy = malloc(n > 0 ? n : 1);
	if (!copy)
		return -1;
	memcpy(copy, bytes, n);
	(void)LLVMFuzzerTestOneInput(copy, n);
	free(copy);
	return 0;
}

/* Returns the number of files, or -1. */
static int replay_directory(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char name[4096];
	int count = 0;

	if (!dir) {
		perror(path);
		return -1;
	}
	while (count >= 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		count = replay_file(name) < 0 ? -1 : count + 1;
	}
	(void)closedir(dir);
	return count;
}

/* Each argument is a directory of inputs. An empty one is an error: it would test nothing. */
int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		int count = replay_directory(argv[i]);

		if (count <= 0) {
			(void)fprintf(stderr, "%s: nothing replayed\n", argv[i]);
			return 1;
		}
		(void)printf("%s: %d inputs\n", argv[i], count);
	}
	return argc > 1 ? 0 : 2;
}
#endif
