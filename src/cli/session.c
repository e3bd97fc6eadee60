/* SPDX-License-Identifier: Apache-2.0 */
/* Opens and closes what every asking verb needs. */
#include "cli/session.h"

#include "cli/verb.h"

#include <stdio.h>

static const char *guest_name(const void *userdata, size_t i)
{
	return ((const struct view *)userdata)->guests[i].name;
}

int session_no_guest(const struct session *s)
{
	const char *near = verb_nearest(s->guest, guest_name, &s->view, s->view.n_guests);

	fprintf(stderr, "mediakitd: there is no guest '%s'", s->guest);
	if (near)
		fprintf(stderr, "; did you mean '%s'?\n", near);
	else if (s->view.n_guests == 0)
		fprintf(stderr, "; none is configured\n");
	else
		fprintf(stderr, "; see `mediakitd status`\n");
	return CLI_NO_GUEST;
}

int session_lost(void)
{
	fprintf(stderr, "mediakitd: the daemon went away; guests it started go on running\n");
	return CLI_NO_DAEMON;
}

int session_open(struct session *s, int argc, char **argv, const struct args_rule *rule,
	enum client_door door)
{
	*s = (struct session){ 0 };
	int r = args_parse(argc, argv, rule, &s->args);
	if (r != 0)
		return r;
	s->guest = s->args.n_operands > 0 ? s->args.operands[0] : NULL;
	if ((r = client_open(s->args.runtime, door, &s->client)) != 0)
		return r;
	if ((r = client_load(s->client, &s->view)) != 0)
		return r;
	return s->guest && !session_guest(s) ? session_no_guest(s) : 0;
}

void session_close(struct session *s)
{
	client_close(s->client);
	view_free(&s->view);
}

struct view_guest *session_guest(const struct session *s)
{
	return view_guest(&s->view, s->guest);
}
