/* SPDX-License-Identifier: Apache-2.0 */
/* `deploy GUEST --list`: what is kept in the guest, of the services that the configuration knows.
 */
#include "base/parse.h"
#include "cli/deploy_job.h"
#include "cli/verb.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#define LIST_TIMEOUT (2 * USEC_PER_MINUTE)

static void print_row(const struct release_row *row)
{
	char size[SIZE_TEXT_MAX];

	printf("%-30s %-29s %10s  %s\n", row->service, row->name,
		format_size_kib(size, sizeof(size), (row->bytes + 1023) / 1024), row->mark);
}

static int add_json(json_t *list, const struct release_row *row)
{
	return json_array_append_new(
		list, json_pack("{s:s, s:s, s:I, s:s}", "service", row->service, "release",
			      row->name, "bytes", (json_int_t)row->bytes, "state", row->mark));
}

static int print_all(const struct deploy *d, json_t *list)
{
	const char *text = d->lines;
	struct release_row row;
	int r;

	while ((r = release_row_next(&text, &row)) > 0) {
		if (!guest_spec_find_service(d->guest, row.service))
			continue;
		if (row.bytes > INT64_MAX || (list && add_json(list, &row) < 0))
			return -EBADMSG;
		if (!list)
			print_row(&row);
	}
	return r;
}

int deploy_list(struct deploy *d)
{
	const struct deploy_step step = {
		.name = "list", .vars = "", .timeout = LIST_TIMEOUT, .raw = true
	};
	json_t *list = NULL;
	int r = deploy_step(d, &step);

	if (r < 0)
		return r;
	stageline_end(&d->line);
	if (d->args->json && !(list = json_array()))
		return -ENOMEM;
	r = print_all(d, list);
	if (r < 0)
		(void)reason_set(&d->reason, r, "%s: a list of releases that is none",
			d->guest->name);
	/* Half of one would be taken for all there are. */
	else if ((list && (json_dumpf(list, stdout, JSON_INDENT(2)) < 0 || puts("") < 0)) ||
		 fflush(stdout) != 0)
		r = reason_set(&d->reason, -EIO, "the list could not be written");
	json_decref(list);
	return r;
}
