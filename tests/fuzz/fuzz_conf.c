/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes conf_parse() and conf_diff(). With -DFUZZ_REPLAY: runs files instead, see main(). */
/* LINK: base model */
/* LIBS: inih libcbor jansson libsystemd */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/conf.h"
#include "model/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An input is up to four texts, parted by this byte, which no good text holds. */
#define SEPARATOR 0x1e

/* assert() might be compiled out. */
static void require(bool holds, const char *what)
{
	if (!holds) {
		(void)fprintf(stderr, "does not hold: %s\n", what);
		abort();
	}
}

static void check_faults(const struct conf_faults *faults, int r)
{
	require((r == -EINVAL) == (faults->n_errors > 0), "refused if and only if there are errors");
	for (unsigned i = 0; i < faults->n; i++) {
		const struct conf_fault *f = &faults->list[i];

		require(utf8_printable(f->text, strlen(f->text)), "a fault can be printed");
		require(f->where_len < strlen(f->text), "a fault says more than where");
	}
}

static void check_service(const struct service_spec *s)
{
	require(s->name && s->unit && s->path && s->path[0] == '/', "a service is whole");
	require((s->port == 0) == (s->host_port == 0), "a port has a host port");
	require(s->fast_interval <= s->interval, "fast is not slower");
	require(s->port || s->probe == PROBE_UNIT || s->probe == PROBE_NONE, "what is probed");
	require(s->n_depends <= SPEC_DEPENDS_MAX, "dependencies");
}

static void check_guest(const struct guest_spec *g)
{
	require(g->name && g->hostname && g->user && g->bind, "a guest is whole");
	require(g->image_path || g->kernel, "there is something to boot");
	require(g->memory_min_kib <= g->memory_kib, "the floor is under the ceiling");
	require(!g->n_packages || g->egress == EGRESS_ALL, "packages can be fetched");
	for (unsigned i = 0; i < g->n_services; i++)
		check_service(&g->services[i]);
}

static void no_change(void *userdata, const struct conf_change *change)
{
	(void)userdata;
	require(false, change->key);
}

static void count_change(void *userdata, const struct conf_change *change)
{
	require(strcmp(conf_effect_to_string(change->effect), "invalid") != 0, "an effect");
	++*(unsigned *)userdata;
}

static void check_spec(const struct spec *spec)
{
	struct spec none = { .connection = spec->connection, .state_dir = spec->state_dir,
		.runtime_dir = spec->runtime_dir, .reserve_kib = spec->reserve_kib,
		.critical_kib = spec->critical_kib };
	unsigned changes = 0;

	for (unsigned i = 0; i < spec->n_guests; i++)
		check_guest(&spec->guests[i]);
	conf_diff(spec, spec, no_change, NULL);
	conf_diff(spec, &none, count_change, &changes);
	require(changes == spec->n_guests, "each guest is removed");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_text texts[] = {
		{ "mediakitd.conf", NULL, "", 0 },
		{ "a.conf", "a", "", 0 },
		{ "a.conf.d/x.conf", "a", "", 0 },
		{ "b.conf", "b", "", 0 },
	};
	struct conf_faults faults = { 0 };
	struct spec *spec = NULL;
	const char *at = (const char *)data, *end = at + size;
	size_t n = 0;

	while (n < ARRAY_SIZE(texts)) {
		const char *stop = at < end ? memchr(at, SEPARATOR, (size_t)(end - at)) : NULL;

		texts[n].text = at;
		texts[n++].len = (size_t)((stop ? stop : end) - at);
		if (!stop)
			break;
		at = stop + 1;
	}
	int r = conf_parse(texts, n, &spec, &faults);
	check_faults(&faults, r);
	if (r == 0)
		check_spec(spec);
	conf_faults_clear(&faults);
	spec_free(spec);
	return 0;
}

#ifdef FUZZ_REPLAY
static int replay_file(const char *path)
{
	static uint8_t bytes[2 * CONF_FILE_MAX];
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
