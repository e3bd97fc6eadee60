/* SPDX-License-Identifier: Apache-2.0 */
/* Opens and closes what every asking verb needs. */
#include "cli/session.h"

#include "cli/progress.h"
#include "cli/term.h"
#include "cli/verb.h"

#include <poll.h>
#include <stdio.h>
#include <time.h>

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

static int open_once(struct session *s, bool quietly)
{
	int r = quietly ? client_open_quietly(s->args.runtime, s->door, &s->client)
			: client_open(s->args.runtime, s->door, &s->client);

	return r != 0 ? r : client_load(s->client, &s->view);
}

static void drop(struct session *s)
{
	client_close(s->client);
	s->client = NULL;
	view_free(&s->view);
}

static int connect_patiently(struct session *s)
{
	const struct timespec nap = { .tv_nsec = 250 * 1000 * 1000 };
	usec_t until = usec_add(now_boottime(), SESSION_PATIENCE), told = 0;

	while (s->patient && now_boottime() < until && !term_ending()) {
		int r = open_once(s, true);

		if (r != CLI_NO_DAEMON)
			return r;
		drop(s);
		if (now_boottime() >= told + 5 * USEC_PER_SEC) {
			progress_extend("waiting for mediakitd, which is not running");
			told = now_boottime();
		}
		(void)ppoll(NULL, 0, &nap, term_wait_mask());
	}
	return open_once(s, false);
}

int session_regain(struct session *s)
{
	if (!s->patient || term_ending())
		return session_lost();
	fprintf(stderr, "mediakitd: the daemon went away; waiting for it to come back\n");
	drop(s);
	int r = connect_patiently(s);
	return r == 0 && s->guest && !session_guest(s) ? session_no_guest(s) : r;
}

static int open_session(struct session *s, int argc, char **argv, const struct args_rule *rule)
{
	int r = args_parse(argc, argv, rule, &s->args);
	if (r != 0)
		return r;
	s->guest = s->args.n_operands > 0 ? s->args.operands[0] : NULL;
	if ((r = connect_patiently(s)) != 0)
		return r;
	return s->guest && !session_guest(s) ? session_no_guest(s) : 0;
}

int session_open(struct session *s, int argc, char **argv, const struct args_rule *rule,
	enum client_door door)
{
	*s = (struct session){ .door = door };
	return open_session(s, argc, argv, rule);
}

int session_open_patiently(struct session *s, int argc, char **argv, const struct args_rule *rule,
	enum client_door door)
{
	*s = (struct session){ .door = door, .patient = progress_in_unit() };
	return open_session(s, argc, argv, rule);
}

void session_close(struct session *s)
{
	drop(s);
}

struct view_guest *session_guest(const struct session *s)
{
	return view_guest(&s->view, s->guest);
}
