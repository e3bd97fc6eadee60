/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal: what it can do, how wide texts are on it, and its signals. */
#include "cli/term.h"

#include "base/macro.h"
#include "base/parse.h"

#include <langinfo.h>
#include <locale.h>
#include <string.h>
#include <sys/ioctl.h>
#include <wchar.h>

static unsigned env_number(const char *name)
{
	const char *text = getenv(name);
	unsigned n;

	return text && parse_uint(text, 1, 10000, &n) == 0 ? n : 0;
}

static bool wants_color(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return !(no && *no) && term && *term && strcmp(term, "dumb") != 0;
}

/* All our texts are UTF-8, so that is what the process reads and measures, whatever the terminal
 * can show. In another locale libsmartcols 2.38 never returns from measuring a text with an
 * umlaut. */
static bool read_utf8(void)
{
	static int can = -1;

	if (can < 0)
		can = setlocale(LC_CTYPE, "C.UTF-8") != NULL;
	return can;
}

static bool terminal_utf8(void)
{
	static int is = -1;

	if (is < 0) {
		(void)setlocale(LC_CTYPE, "");
		is = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	}
	return is;
}

struct style term_style(FILE *f)
{
	struct style style = { .now_realtime = now_realtime() };
	struct winsize size = { 0 };
	bool terminal = isatty(fileno(f)), shows = !terminal || terminal_utf8();

	style.utf8 = read_utf8() && shows;
	if (!terminal)
		return style;
	(void)ioctl(fileno(f), TIOCGWINSZ, &size);
	style.terminal = true;
	style.color = wants_color();
	style.width = env_number("COLUMNS");
	if (style.width == 0)
		style.width = size.ws_col ? size.ws_col : 80;
	style.height = size.ws_row ? size.ws_row : 24;
	return style;
}

const char *term_color(const struct style *style, enum term_color color)
{
	static const char *const sequences[] = {
		[COLOR_NONE] = "",
		[COLOR_BOLD] = "\033[1m",
		[COLOR_DIM] = "\033[2m",
		[COLOR_GREEN] = "\033[32m",
		[COLOR_YELLOW] = "\033[33m",
		[COLOR_RED] = "\033[1;31m",
		[COLOR_CYAN] = "\033[36m",
	};
	static_assert(ARRAY_SIZE(sequences) == COLOR_NUM, "a colour without a sequence");

	return style->color ? sequences[color] : "";
}

const char *term_reset(const struct style *style, enum term_color color)
{
	return style->color && color != COLOR_NONE ? "\033[0m" : "";
}

/* One character: its bytes, its columns. What cannot be read counts as the one '?' it becomes. */
static size_t next_char(const char *text, unsigned *ret_width)
{
	mbstate_t state = { 0 };
	wchar_t wide;
	size_t n = mbrtowc(&wide, text, strlen(text), &state);

	if (n == (size_t)-1 || n == (size_t)-2 || n == 0) {
		for (n = 1; ((unsigned char)text[n] & 0xc0) == 0x80;)
			n++;
		*ret_width = 1;
		return n;
	}
	int width = wcwidth(wide);
	*ret_width = width < 0 ? 0 : (unsigned)width;
	return n;
}

unsigned text_width(const char *text)
{
	unsigned sum = 0, width;

	while (*text) {
		text += next_char(text, &width);
		sum += width;
	}
	return sum;
}

char *text_plain(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++)
		if ((unsigned char)*from < 0x80)
			*to++ = *from;
		else if ((unsigned char)*from >= 0xc0)
			*to++ = '?';
	*to = '\0';
	return text;
}

static void put_bytes(FILE *f, const struct style *style, const char *text, size_t len)
{
	if (style->utf8) {
		(void)fwrite(text, 1, len, f);
		return;
	}
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x80)
			(void)fputc(text[i], f);
		else if ((unsigned char)text[i] >= 0xc0)
			(void)fputc('?', f);
}

void text_put(FILE *f, const struct style *style, const char *text, unsigned width)
{
	bool cut = width > 0 && text_width(text) > width;
	unsigned left = cut ? width - 1 : 0, w;

	if (!cut) {
		put_bytes(f, style, text, strlen(text));
		return;
	}
	for (size_t n; *text && (n = next_char(text, &w), w <= left); text += n, left -= w)
		put_bytes(f, style, text, n);
	(void)fputs(style->utf8 ? "…" : "~", f);
}

/* The bytes of the longest beginning that fits and ends at a word; a longer word is broken. */
static size_t line_length(const char *text, unsigned width)
{
	size_t at = 0, space = 0;
	unsigned used = 0, w;

	while (text[at]) {
		size_t n = next_char(text + at, &w);

		if (used + w > width)
			return space > 0 ? space : MAX(at, n);
		if (text[at] == ' ')
			space = at;
		used += w;
		at += n;
	}
	return at;
}

void text_wrap(
	FILE *f, const struct style *style, const char *text, unsigned width, unsigned indent)
{
	while (width > 0 && text_width(text) > width) {
		size_t len = line_length(text, width);

		put_bytes(f, style, text, len);
		text += len + strspn(text + len, " ");
		if (!*text)
			return;
		(void)fprintf(f, "\n%*s", (int)indent, "");
	}
	put_bytes(f, style, text, strlen(text));
}

static volatile sig_atomic_t ending, resized;
static sigset_t outside;
static bool watching;

static void on_signal(int number)
{
	if (number == SIGWINCH)
		resized = 1;
	else
		ending = number;
}

void term_watch_signals(void)
{
	static const int watched[] = { SIGINT, SIGTERM, SIGHUP, SIGWINCH };
	const struct sigaction action = { .sa_handler = on_signal };
	sigset_t block;

	if (watching)
		return;
	(void)sigemptyset(&block);
	for (size_t i = 0; i < ARRAY_SIZE(watched); i++) {
		(void)sigaddset(&block, watched[i]);
		(void)sigaction(watched[i], &action, NULL);
	}
	(void)sigprocmask(SIG_BLOCK, &block, &outside);
	watching = true;
}

const sigset_t *term_wait_mask(void)
{
	return watching ? &outside : NULL;
}

int term_ending(void)
{
	return ending;
}

int term_exit(void)
{
	return 128 + ending;
}

bool term_resized(void)
{
	bool was = resized;

	resized = 0;
	return was;
}
