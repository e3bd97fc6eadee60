/* SPDX-License-Identifier: Apache-2.0 */
/* `mediakitd reload`. */
#include "cli/asking.h"
#include "cli/session.h"
#include "cli/verb.h"

#include <stdio.h>

const char usage_reload[] =
	"reload\n"
	"\n"
	"Has the daemon read its configuration again. With any fault the old one stays whole and\n"
	"every fault is shown. Otherwise each change is shown with when it takes effect: at once,\n"
	"at the guest's next boot, or only when something else is done.\n"
	"\n"
	"Exit status: 0 in force, 1 failed, 2 the configuration has faults, 6 no daemon.\n";

static void print_line(bool is_fault, const char *line)
{
	fprintf(is_fault ? stderr : stdout, "%s\n", line);
}

int verb_reload(int argc, char **argv)
{
	static const struct args_rule rule = { 0, 0, 0, "" };
	struct client_reply reply;
	struct client *client = NULL;
	struct args args;
	bool ok = false;

	int r = args_parse(argc, argv, &rule, &args);
	if (r != 0 || (r = client_open(args.runtime, CLIENT_CONTROL, &client)) != 0)
		return r;
	r = client_reload(client, print_line, &ok, &reply);
	client_close(client);
	if (r < 0) {
		fprintf(stderr, "mediakitd: reload: %s\n", reply.message);
		return reply.status == CLI_OK ? CLI_FAILED : reply.status;
	}
	if (!ok)
		fprintf(stderr,
			"mediakitd: the configuration has faults; the old one stays in force\n");
	return ok ? CLI_OK : CLI_USAGE;
}
