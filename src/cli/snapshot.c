/* SPDX-License-Identifier: Apache-2.0 */
/* `mediakitd snapshot`: asks for a copy of a guest's disk, and tells of those that are there. */
#include "base/macro.h"
#include "base/parse.h"
#include "bus/names.h"
#include "cli/asking.h"
#include "cli/client_read.h"
#include "cli/session.h"
#include "cli/verb.h"
#include "cli/words.h"
#include "model/snapshot.h"
#include "model/spec.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

const char usage_snapshot[] =
	"snapshot GUEST\n"
	"       mediakitd snapshot GUEST --list [--json]\n"
	"       mediakitd snapshot GUEST --delete=NAME\n"
	"       mediakitd snapshot GUEST --cancel\n"
	"\n"
	"Copies the disk of a guest that is up, as it is at one moment, to\n"
	"STATE/images/GUEST/snapshots/NAME.qcow2, while the guest runs on: a whole image, which\n"
	"stands on no other. Where the guest agent answers, it freezes the guest's file systems\n"
	"for that moment (a fraction of a second, 10 s at most); otherwise the copy is what the\n"
	"disk would be after a power cut. It says which. QEMU's copy is then checked by qemu-img\n"
	"check and hashed; NAME.json beside it says of what, when and how it was made. One that\n"
	"is not whole is removed. After it the oldest over [Backup] Keep= are deleted.\n"
	"\n"
	"Ctrl-C stops the waiting; the daemon goes on. A guest that is stopped, saved or ends\n"
	"meanwhile takes the copy with it. `mediakitd provision GUEST --from=FILE` makes a\n"
	"snapshot the disk again.\n"
	"\n"
	"  --list         those that are whole, newest first\n"
	"  --json         the same as {\"version\": 1, \"guest\", \"snapshots\": [{name, at_usec,\n"
	"                 consistency (frozen crash), bytes, virtual_bytes, sha256,\n"
	"                 base_sha256 (of the image the guest was provisioned from), path}]}\n"
	"  --delete=NAME  deletes one\n"
	"  --cancel       ends the one that is being made\n"
	"\n"
	"Exit status: 0 done, 1 failed, 2 usage, 3 not running, 4 no such guest, 5 timed out,\n"
	"6 no daemon, 130 Ctrl-C.\n";

struct row {
	char name[SNAPSHOT_NAME_TEXT], consistency[16], sha256[65], base_sha256[65];
	usec_t at;
	uint64_t bytes, virtual_bytes;
};

struct rows {
	struct row list[SPEC_SNAPSHOTS_MAX];
	unsigned n;
};

static int read_rows(sd_bus_message *m, struct rows *ret)
{
	const char *name, *consistency, *sha256, *base;
	struct row row = { 0 };
	int r = sd_bus_message_enter_container(m, 'a', "(ststtss)");

	while (r >= 0 && (r = sd_bus_message_read(m, "(ststtss)", &name, &row.at, &consistency,
				  &row.bytes, &row.virtual_bytes, &sha256, &base)) > 0) {
		text_take(row.name, sizeof(row.name), name);
		text_take(row.consistency, sizeof(row.consistency), consistency);
		text_take(row.sha256, sizeof(row.sha256), sha256);
		text_take(row.base_sha256, sizeof(row.base_sha256), base);
		if (ret->n < SPEC_SNAPSHOTS_MAX)
			ret->list[ret->n++] = row;
	}
	return r;
}

/* 0, or the exit status after a line on stderr. */
static int fetch(struct session *s, struct rows *ret)
{
	CLEANUP_FREE char *path = NULL;
	sd_bus_message *m = NULL, *answer = NULL;
	struct client_reply reply = { 0 };
	int r = sd_bus_path_encode_many(&path, BUS_PATTERN_GUEST, s->guest);

	if (r >= 0)
		r = sd_bus_message_new_method_call(client_bus(s->client), &m,
			client_destination(s->client), path, BUS_IFACE_GUEST, "ListSnapshots");
	r = client_ask(s->client, r, m, &reply, &answer);
	if (r < 0) {
		fprintf(stderr, "mediakitd: %s\n", reply.message);
		return reply.status;
	}
	r = read_rows(answer, ret);
	sd_bus_message_unref(answer);
	return r < 0 ? session_lost() : 0;
}

static char *row_path(const struct session *s, const struct row *row)
{
	char *path = NULL;

	return asprintf(&path, "%s/images/%s/snapshots/%s.qcow2", s->view.state_dir, s->guest,
		       row->name) < 0
		       ? NULL
		       : path;
}

static int print_json(const struct session *s, const struct rows *rows)
{
	json_t *list = json_array();
	bool whole = list != NULL;

	for (unsigned i = rows->n; i > 0; i--) {
		const struct row *row = &rows->list[i - 1];
		CLEANUP_FREE char *path = row_path(s, row);

		whole &= json_array_append_new(list,
				 json_pack("{s:s, s:I, s:s, s:I, s:I, s:s, s:s, s:s}", "name",
					 row->name, "at_usec", (json_int_t)row->at, "consistency",
					 row->consistency, "bytes", (json_int_t)row->bytes,
					 "virtual_bytes", (json_int_t)row->virtual_bytes, "sha256",
					 row->sha256, "base_sha256", row->base_sha256, "path",
					 path ?: "")) == 0;
	}
	json_t *root = json_pack(
		"{s:i, s:s, s:o}", "version", 1, "guest", s->guest, "snapshots", list);
	whole &= root && json_dumpf(root, stdout, JSON_INDENT(2)) == 0;
	json_decref(root);
	(void)putchar('\n');
	return whole && fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
}

static int print_list(const struct session *s, const struct rows *rows)
{
	char size[SIZE_TEXT_MAX], age[AGE_TEXT_MAX];

	for (unsigned i = rows->n; i > 0; i--) {
		const struct row *row = &rows->list[i - 1];

		printf("%-16s  %8s ago  %-6s  %10s\n", row->name,
			age_text(age, sizeof(age), row->at, now_realtime()), row->consistency,
			format_size_kib(size, sizeof(size), (row->bytes + 1023) / 1024));
	}
	if (rows->n > 0)
		printf("in %s/images/%s/snapshots\n", s->view.state_dir, s->guest);
	else
		printf("%s has no snapshot; `mediakitd snapshot %s` makes one\n", s->guest,
			s->guest);
	return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
}

static int tell_list(struct session *s)
{
	struct rows *rows = calloc(1, sizeof(*rows));
	int r = rows ? fetch(s, rows) : CLI_FAILED;

	if (r == 0)
		r = s->args.json ? print_json(s, rows) : print_list(s, rows);
	free(rows);
	return r;
}

/* Typing errors need no daemon. 0, or the exit status. */
static int check(const struct args *a, usec_t *ret_id)
{
	*ret_id = 0;
	if ((a->list != 0) + (a->delete_name != NULL) + (a->cancel != 0) > 1) {
		fprintf(stderr,
			"mediakitd snapshot: --list, --delete= and --cancel exclude one another\n");
		return CLI_USAGE;
	}
	if (a->json && !a->list) {
		fprintf(stderr, "mediakitd snapshot: --json goes with --list\n");
		return CLI_USAGE;
	}
	if (a->delete_name && snapshot_name_parse(a->delete_name, ret_id) < 0) {
		fprintf(stderr,
			"mediakitd snapshot: '%s' is no name of a snapshot, which are like "
			"20261129T075501Z; see --list\n",
			a->delete_name);
		return CLI_USAGE;
	}
	return 0;
}

int verb_snapshot(int argc, char **argv)
{
	static const struct args_rule rule = { ARG_LIST | ARG_JSON | ARG_SNAPSHOT, 1, 1, "GUEST" };
	struct session s = { 0 };
	struct args args;
	usec_t id;

	int r = args_parse(argc, argv, &rule, &args);
	if (r == 0)
		r = check(&args, &id);
	if (r != 0)
		return r;
	r = session_open(&s, argc, argv, &rule, args.list ? CLIENT_STATUS : CLIENT_CONTROL);
	if (r == 0 && args.list)
		r = tell_list(&s);
	else if (r == 0 && args.delete_name)
		r = session_request(&s, "DeleteSnapshot", &id, 1);
	else if (r == 0)
		r = session_request(&s, args.cancel ? "CancelSnapshot" : "Snapshot", NULL, 0);
	session_close(&s);
	return r;
}
