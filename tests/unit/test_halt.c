/* SPDX-License-Identifier: Apache-2.0 */
/* Where a shutdown is, off the serial line of systemd 252 to 257, and off hostile ones. */
/* LINK: base/time model/utf8 model/serial policy/halt */
#include "policy/halt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"
#include "model/serial.h"
#include "model/utf8.h"

/* Bytes as the line brings them. */
static void say(struct halt *h, const char *bytes, size_t len)
{
	struct serial_line line = { 0 };

	for (size_t i = 0; i < len; i++)
		if (serial_line_put(&line, bytes[i]))
			(void)halt_line(h, line.words, line.len);
}

static void test_words(void **state)
{
	static const struct {
		const char *said, *at;
	} rows[] = {
		{ "         Stopping \033[0;1;39mnginx.service\033[0m - A high performance web "
		  "server...\r\n",
			"Stopping nginx.service - A high performance web server" },
		{ "         Stopping nginx\xe2\x80\xa6\r\n", "Stopping nginx" },
		{ "[\033[0;32m  OK  \033[0m] Stopped target \033[0;1;39mmulti-user.target\033[0m - "
		  "Multi-User System.\r\n",
			"Stopped target multi-user.target - Multi-User System" },
		{ "[\033[0;32m  OK  \033[0m] Unmounted \033[0;1;39mboot-efi.mount\033[0m - "
		  "/boot/efi.\r\n",
			"Unmounted boot-efi.mount - /boot/efi" },
		{ "         Unmounting /srv...\r\n", "Unmounting /srv" },
		{ "[\033[0;1;31mFAILED\033[0m] Failed unmounting /srv.\r\n",
			"Failed unmounting /srv" },
		/* The spinner goes back a line and over it; its time is left out. */
		{ "\033M\r\033[K[\033[0;31m*\033[0;1;31m*\033[0m\033[0;31m*   \033[0m] (1 of 2) A "
		  "stop job is running for nginx (12s / 1min 30s)\r\n",
			"A stop job is running for nginx" },
		{ "[***   ] Job nginx.service/stop running (5s / 1min 30s)\r\n",
			"Job nginx.service/stop running" },
		{ "[ ***  ] (2 of 3) Job a (b).service/stop running (5s / no limit)\r\n",
			"Job a (b).service/stop running" },
		{ "[   61.204432] systemd-shutdown[1]: Sending SIGTERM to remaining "
		  "processes...\r\n",
			"Sending SIGTERM to remaining processes" },
		{ "[   61.3] systemd-shutdown[1]: Unmounting '/oldroot'.\r\n",
			"Unmounting '/oldroot'" },
		{ "[   61.4] reboot: Power down\r\n", "reboot: Power down" },
		/* No words of a shutdown. */
		{ "[\033[0;32m  OK  \033[0m] Started nginx.service.\r\n", "" },
		{ "the end: Stopping nginx\r\n", "" },
		{ "Job nginx.service/start running (5s / 1min)\r\n", "" },
		{ "Stopping nginx", "" }, /* the line has not ended */
		{ "[[[[((((", "" },
		{ "\r\n\r\n", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct halt h = { "" };

		say(&h, rows[i].said, strlen(rows[i].said));
		assert_string_equal(h.at, rows[i].at);
	}
}

static void test_last_and_news(void **state)
{
	struct halt h = { "" };

	(void)state;
	assert_true(halt_line(&h, "Stopping a...", 13));
	assert_false(halt_line(&h, "Stopping a...", 13));
	assert_false(halt_line(&h, "hello", 5));
	assert_string_equal(h.at, "Stopping a");
	assert_true(halt_line(&h, "A stop job is running for b (1s / 9s)", 37));
	assert_false(halt_line(&h, "A stop job is running for b (2s / 9s)", 37));
	assert_string_equal(h.at, "A stop job is running for b");
}

/* Whatever comes, what is kept fits and steers nobody's terminal. */
static void test_hostile(void **state)
{
	static const char *const parts[] = { "Stopping ", "[", "]", "(", ")", "\033[", "\033]", "m",
		"\xe2\x80\xae", "\xff", "\\", ".", "Job ", "/stop running", "\n", "\r", "\x9b",
		"\x07", "systemd[", ":", "A stop job is running for ", " " };
	uint64_t x = 88172645463325252u;
	unsigned kept = 0;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		struct halt h = { "" };
		char said[1200] = "";
		size_t len = 0;

		for (unsigned k = 0; k < 40 && len < sizeof(said) - 32; k++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			const char *part = parts[x % ARRAY_SIZE(parts)];
			memcpy(said + len, part, strlen(part));
			len += strlen(part);
		}
		said[len++] = '\n';
		say(&h, said, len);
		assert_true(strnlen(h.at, sizeof(h.at)) < sizeof(h.at));
		assert_true(utf8_printable(h.at, strlen(h.at)));
		kept += h.at[0] != '\0';
	}
	assert_true(kept > 1000);
	/* A line far too long is cut, and says so. */
	struct halt h = { "" };
	char *flood = malloc(100000);
	assert_non_null(flood);
	memset(flood, 'x', 100000);
	memcpy(flood, "Stopping ", 9);
	flood[99999] = '\n';
	say(&h, flood, 100000);
	assert_int_equal(strlen(h.at), HALT_WORDS_MAX - 1);
	assert_string_equal(h.at + HALT_WORDS_MAX - 4, "\xe2\x80\xa6");
	free(flood);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_last_and_news),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
