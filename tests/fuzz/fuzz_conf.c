/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes conf_parse() and conf_diff(). */
/* LINK: base model */
/* LIBS: inih libcbor jansson libsystemd */
#include "replay.h"

#include <errno.h>
#include <string.h>

#include "model/conf.h"
#include "model/utf8.h"

/* An input is up to four texts, parted by this byte, which no good text holds. */
#define SEPARATOR 0x1e

static void check_faults(const struct conf_faults *faults, int r)
{
	require((r == -EINVAL) == (faults->n_errors > 0),
		"refused if and only if there are errors");
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
	require(guest_spec_has_disk(g) || g->kernel, "there is something to boot");
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
	struct spec none = { .connection = spec->connection,
		.state_dir = spec->state_dir,
		.runtime_dir = spec->runtime_dir,
		.reserve_kib = spec->reserve_kib,
		.critical_kib = spec->critical_kib,
		.pool_total_kib = spec->pool_total_kib,
		.shrink_below_pct = spec->shrink_below_pct,
		.leave_above_pct = spec->leave_above_pct };
	unsigned changes = 0;

	require(spec->leave_above_pct > spec->shrink_below_pct, "two thresholds");

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
