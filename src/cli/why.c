/* SPDX-License-Identifier: Apache-2.0 */
/* `mediakitd why`: which rule was applied to which inputs, and what came of it. */
#include "base/macro.h"
#include "cli/asking.h"
#include "cli/session.h"
#include "cli/verb.h"
#include "cli/whyscreen.h"
#include "model/event.h"

#include <string.h>

const char usage_why[] =
	"why GUEST [health|memory|restart|shutdown] [--json]\n"
	"\n"
	"Tells the last decisions about a guest: the action, the rule that led to it, the values "
	"it\n"
	"was applied to, when, and how often in a row it came out so. Without a topic the newest "
	"of\n"
	"each; with one the last 16 of it. For health also each active service: state, verdict,\n"
	"reason, and how many verdicts in a row there are of how many that change its state\n"
	"(Rise=, Fall=).\n"
	"\n"
	"Decisions are kept in memory: a daemon that was restarted knows of its own.\n"
	"\n"
	"Exit status: 0 told, 2 usage, 4 no such guest, 6 no daemon.\n"
	"\n"
	"The JSON, version 1. Keys may be added, never changed; what is not known is null.\n"
	"  {\"version\": 1, \"guest\", \"state\", \"healthy\",\n"
	"   \"decisions\": [{topic, action, rule, inputs, first_usec, last_usec, count}], newest\n"
	"     first in each topic,\n"
	"   \"services\": [{name, counted, state, state_since_usec, verdict, verdict_at_usec,\n"
	"     reason, successes, rise, failures, fall}]; null unless about health}\n";

static void gather(void *userdata, const struct view_decision *d)
{
	struct why_list *list = userdata;

	if (list->n < WHY_LIST_MAX)
		list->rows[list->n++] = *d;
}

static int check_topic(const char *topic)
{
	if (!topic || why_topic_from_string(topic) >= 0)
		return 0;
	fprintf(stderr,
		"mediakitd why: there is no topic '%s'; there are health, memory, restart and "
		"shutdown\n",
		topic);
	return CLI_USAGE;
}

static int tell(struct session *s, const char *topic)
{
	const struct style style = term_style(stdout);
	struct why_list *list = calloc(1, sizeof(*list));
	struct client_reply reply = { 0 };

	if (!list)
		return CLI_FAILED;
	int r = client_why(s->client, s->guest, topic ? topic : "", gather, list, &reply);
	const struct view_guest *g = session_guest(s);
	if (r < 0) {
		r = reply.status;
		fprintf(stderr, "mediakitd: %s\n", reply.message);
	} else if (!g) {
		r = session_no_guest(s);
	} else if (s->args.json) {
		r = why_json(stdout, g, list, topic) < 0 ? CLI_FAILED : CLI_OK;
	} else {
		why_print(stdout, g, list, topic, &style);
	}
	free(list);
	return r == CLI_OK && fflush(stdout) != 0 ? CLI_FAILED : r;
}

int verb_why(int argc, char **argv)
{
	static const struct args_rule rule = { ARG_JSON, 1, 2, "GUEST [TOPIC]" };
	struct session s = { 0 };
	struct args args;

	int r = args_parse(argc, argv, &rule, &args);
	if (r != 0)
		return r;
	const char *topic = args.n_operands > 1 ? args.operands[1] : NULL;
	if ((r = check_topic(topic)) != 0)
		return r;
	r = session_open(&s, argc, argv, &rule, CLIENT_STATUS);
	if (r == 0)
		r = tell(&s, topic);
	session_close(&s);
	return r;
}
