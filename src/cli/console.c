/* SPDX-License-Identifier: Apache-2.0 */
/* `mediakitd console`: a person on the guest's serial line.
 *
 * What comes from the guest is not to be trusted: on a terminal it can move the cursor, rename the
 * window, or worse. A person who types into a serial line needs exactly that (an editor, a boot
 * menu), so the interactive mode passes everything on, and says so in its usage. Where nobody
 * types, nothing needs it, so what goes to a terminal is escaped. */
#include "base/macro.h"
#include "cli/asking.h"
#include "cli/session.h"
#include "cli/term.h"
#include "cli/verb.h"
#include "model/utf8.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>

const char usage_console[] =
	"console GUEST [--tail]\n"
	"\n"
	"Joins the guest's serial line: shows its last lines and what follows, and sends what is\n"
	"typed. Ctrl-] leaves. What the guest writes reaches the terminal as it is, control\n"
	"sequences included, as on a real serial line; a guest you do not trust is better read\n"
	"with --tail, which escapes them.\n"
	"\n"
	"  --tail   print the last 64 KiB and end\n"
	"\n"
	"With no terminal to type at, the line is followed and nothing is sent.\n"
	"\n"
	"Exit status: 0 left, 1 failed, 2 usage, 4 no such guest, 6 no daemon.\n";

#define ESCAPE_KEY   '\x1d' /* Ctrl-] */
#define TAIL_LOOK    4096u  /* what an interactive console begins with */
#define TAIL_WHOLE   65536u
#define CHUNK        4096u

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* The length of an ANSI colour sequence at the beginning, 0 where there is none. Boot messages are
 * full of them, and they are noise here. */
static size_t color_length(const char *s, size_t len)
{
	size_t n = 2;

	if (len < 3 || s[0] != '\033' || s[1] != '[')
		return 0;
	while (n < len && ((s[n] >= '0' && s[n] <= '9') || s[n] == ';'))
		n++;
	return n < len && s[n] == 'm' ? n + 1 : 0;
}

static int write_line_escaped(const char *line, size_t len)
{
	char clean[CHUNK], text[CHUNK * 4 + 1];
	size_t n = 0;

	for (size_t i = 0; i < len;) {
		size_t skip = color_length(line + i, len - i);

		if (skip == 0 && line[i] != '\r')
			clean[n++] = (char)(line[i] == '\t' ? ' ' : line[i]);
		i += MAX(skip, (size_t)1);
	}
	return write_all(STDOUT_FILENO, text, utf8_escape(text, sizeof(text), clean, n));
}

/* Line by line, so that only line feeds stay. Sequences cut by the end of a chunk are escaped:
 * ugly, and safe. */
static int show(const char *data, size_t len, bool escape)
{
	if (!escape)
		return write_all(STDOUT_FILENO, data, len);
	while (len > 0) {
		const char *end = memchr(data, '\n', len);
		size_t n = MIN(end ? (size_t)(end - data) : len, (size_t)CHUNK);
		int r = write_line_escaped(data, n);

		if (r < 0)
			return r;
		data += n;
		len -= n;
		if (len > 0 && *data == '\n') {
			if ((r = write_all(STDOUT_FILENO, "\n", 1)) < 0)
				return r;
			data++;
			len--;
		}
	}
	return 0;
}

static int print_tail(struct session *s)
{
	CLEANUP_FREE char *bytes = NULL;
	struct client_reply reply = { 0 };
	size_t len = 0;
	int r = client_console_tail(s->client, s->guest, &bytes, &len, &reply);

	if (r < 0) {
		fprintf(stderr, "%s: console: %s\n", s->guest,
			reply.message[0] ? reply.message : strerror(-r));
		return reply.status == CLI_OK ? CLI_FAILED : reply.status;
	}
	return show(bytes, len, isatty(STDOUT_FILENO)) < 0 ? CLI_FAILED : CLI_OK;
}

/* 0: go on; 1: the person left; -errno. */
static int take_keys(int line)
{
	char keys[256];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

	if (n <= 0)
		return n == 0 ? 1 : -errno;
	const char *escape = memchr(keys, ESCAPE_KEY, (size_t)n);
	size_t len = escape ? (size_t)(escape - keys) : (size_t)n;
	if (len > 0 && send(line, keys, len, MSG_NOSIGNAL) < 0)
		return -errno;
	return escape ? 1 : 0;
}

/* Until the person leaves (0) or the line ends (-EPIPE). */
static int relay(int line, bool interactive)
{
	const bool escape = !interactive && isatty(STDOUT_FILENO);
	char data[CHUNK];

	for (;;) {
		struct pollfd p[] = {
			{ .fd = line, .events = POLLIN },
			{ .fd = interactive ? STDIN_FILENO : -1, .events = POLLIN },
		};
		if (ppoll(p, ARRAY_SIZE(p), NULL, term_wait_mask()) < 0) {
			if (errno == EINTR && !term_ending())
				continue;
			return errno == EINTR ? 0 : -errno;
		}
		if (p[0].revents) {
			ssize_t n = recv(line, data, sizeof(data), MSG_DONTWAIT);
			if (n == 0 || (n < 0 && errno != EAGAIN))
				return -EPIPE;
			if (n > 0 && show(data, (size_t)n, escape) < 0)
				return 0;
		}
		if (p[1].revents) {
			int r = take_keys(line);
			if (r != 0)
				return r > 0 ? 0 : r;
		}
	}
}

static int talk(int line)
{
	struct termios before, raw;

	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return -errno;
	raw = before;
	cfmakeraw(&raw);
	fprintf(stderr, "(Ctrl-] leaves)\n");
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) < 0)
		return -errno;
	int r = relay(line, true);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	fputc('\n', stderr);
	return r;
}

static int join(struct session *s)
{
	const bool interactive = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	struct client_reply reply = { 0 };
	CLEANUP_CLOSE int line = -1;
	int r = client_console_open(
		s->client, s->guest, interactive ? TAIL_LOOK : TAIL_WHOLE, &line, &reply);

	if (r < 0) {
		fprintf(stderr, "%s: console: %s\n", s->guest,
			reply.message[0] ? reply.message : strerror(-r));
		return reply.status == CLI_OK ? CLI_FAILED : reply.status;
	}
	if (!view_runs(session_guest(s)))
		fprintf(stderr, "%s is %s: the line is silent until it runs\n", s->guest,
			session_guest(s)->state);
	/* The line lives on its own; the daemon need not hold a connection for it. */
	client_close(s->client);
	s->client = NULL;
	term_watch_signals();
	r = interactive ? talk(line) : relay(line, false);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", s->guest,
			r == -EPIPE ? "the daemon ended the line" : strerror(-r));
	return r < 0 ? CLI_FAILED : CLI_OK;
}

int verb_console(int argc, char **argv)
{
	static const struct args_rule rule = { ARG_TAIL, 1, 1, "GUEST" };
	struct session s;

	int r = session_open(&s, argc, argv, &rule, CLIENT_CONTROL);
	if (r == 0)
		r = s.args.tail ? print_tail(&s) : join(&s);
	session_close(&s);
	return r;
}
