/* SPDX-License-Identifier: Apache-2.0 */
/* The fake guests' agent: guest-exec of the commands that the daemon runs, and
 * guest-exec-status. */
#include "fake_hv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static char *base64(const char *text)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t len = strlen(text), n = 0;
	char *out = malloc(len * 2 + 8);

	assert(out);
	for (size_t i = 0; i < len; i += 3) {
		unsigned v = (unsigned char)text[i] << 16;

		v |= i + 1 < len ? (unsigned)(unsigned char)text[i + 1] << 8 : 0;
		v |= i + 2 < len ? (unsigned)(unsigned char)text[i + 2] : 0;
		out[n++] = digits[v >> 18 & 63];
		out[n++] = digits[v >> 12 & 63];
		out[n++] = i + 1 < len ? digits[v >> 6 & 63] : '=';
		out[n++] = i + 2 < len ? digits[v & 63] : '=';
	}
	out[n] = '\0';
	return out;
}

/* The words behind "--" in the list of arguments. */
static void remember_units(struct fake_guest *d, unsigned slot, const char *command)
{
	const char *at = strstr(command, "\"--\"");

	d->commands[slot].n_units = 0;
	for (at = at ? at + 4 : NULL; at && *at == ','; at++) {
		const char *end = strchr(at + 2, '"');

		assert(end && d->commands[slot].n_units < ARRAY_LEN(d->commands[slot].units));
		(void)snprintf(d->commands[slot].units[d->commands[slot].n_units++], 64, "%.*s",
			(int)(end - at - 2), at + 2);
		at = end;
	}
}

static char *exec_answer(struct fake_guest *d, const char *command)
{
	unsigned slot = d->n_commands++ % ARRAY_LEN(d->commands);
	char *json = NULL;

	d->agent_commands++;
	d->commands[slot].at = d->hv->timeline->now;
	d->commands[slot].cat = strstr(command, "\"/usr/bin/head\"") != NULL;
	d->commands[slot].restart = strstr(command, "\"restart\"") != NULL;
	d->commands[slot].fs = strstr(command, "errors_count") != NULL;
	d->commands[slot].glibc = strstr(command, "GNU_LIBC_VERSION") != NULL;
	d->glibc_asked += d->commands[slot].glibc;
	if (!d->commands[slot].cat && !d->commands[slot].fs && !d->commands[slot].glibc)
		remember_units(d, slot, command);
	if (d->commands[slot].restart) {
		assert(strstr(command, "\"--no-block\"") && d->commands[slot].n_units == 1);
		d->unit_restarts++;
		(void)snprintf(d->restarted_unit, sizeof(d->restarted_unit), "%s",
			d->commands[slot].units[0]);
	}
	assert(asprintf(&json, "{\"return\":{\"pid\":%u}}", 1000 + slot) > 0);
	return json;
}

static char *output_of(const struct fake_guest *d, unsigned slot)
{
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert(f);
	if (d->commands[slot].fs) {
		fprintf(f, "%s", d->fs_output ? d->fs_output : "");
	} else if (d->commands[slot].glibc) {
		fprintf(f, "%s", d->glibc_output ? d->glibc_output : "");
	} else if (d->commands[slot].cat) {
		fprintf(f, "==> /proc/sys/kernel/random/boot_id <==\n%s\n", d->boot_id);
		if (d->cloudinit_status)
			fprintf(f, "\n==> /run/cloud-init/status.json <==\n%s\n",
				d->cloudinit_status);
		if (fake_guest_age(d) >= d->cloudinit_at)
			fprintf(f, "\n==> /run/cloud-init/result.json <==\n"
				   "{\n \"v1\": {\n  \"datasource\": \"DataSourceNoCloud\",\n  "
				   "\"errors\": []\n }\n}\n");
	} else if (!d->commands[slot].restart) {
		for (unsigned i = 0; i < d->commands[slot].n_units; i++)
			fprintf(f, "%s\n",
				fake_guest_age(d) < d->services_at ? "activating"
				: d->inactive_unit && strcmp(d->inactive_unit,
							      d->commands[slot].units[i]) == 0
					? "inactive"
					: "active");
	}
	assert(fclose(f) == 0);
	return text;
}

char *fake_agent_answer(struct fake_guest *d, const char *command)
{
	const char *pid = strstr(command, "\"pid\":");
	char *json = NULL;

	/* The real one refuses them then. */
	assert(!d->frozen);
	if (strstr(command, "\"guest-get-time\"")) {
		assert(asprintf(&json, "{\"return\":%llu}",
			       (unsigned long long)(now_realtime() - d->clock_behind) * 1000) > 0);
		return json;
	}
	if (strstr(command, "\"guest-set-time\"")) {
		d->clock_sets++;
		if (!d->clock_stuck)
			d->clock_behind = 0;
		return strdup("{\"return\":{}}");
	}
	if (strstr(command, "\"guest-exec\""))
		return exec_answer(d, command);
	assert(strstr(command, "\"guest-exec-status\"") && pid);
	unsigned slot = (unsigned)strtoul(pid + 6, NULL, 10) - 1000;
	assert(slot < ARRAY_LEN(d->commands));
	if (d->hv->timeline->now < usec_add(d->commands[slot].at, d->command_takes))
		return strdup("{\"return\":{\"exited\":false}}");
	char *text = output_of(d, slot);
	char *encoded = base64(text);
	assert(asprintf(&json, "{\"return\":{\"exited\":true,\"exitcode\":%d,\"out-data\":\"%s\"}}",
		       d->commands[slot].restart ? d->restart_exit : 0, encoded) > 0);
	free(text);
	free(encoded);
	return json;
}
