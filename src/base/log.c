/* SPDX-License-Identifier: Apache-2.0 */
/* The log's one exit: a sink for tests, the journal, or stderr. */
#include "base/log.h"

#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>

static int max_level = LOG_INFO;
static void (*log_sink)(int level, const char *guest, const char *service, const char *line);

void log_set_max_level(int level)
{
	max_level = level;
}

void log_set_sink(void (*sink)(int level, const char *guest, const char *service, const char *line))
{
	log_sink = sink;
}

/* $JOURNAL_STREAM holds the device and inode of the journal's stream; when stderr is that very file
 * the journal's own socket serves us better, because it takes fields (systemd.exec(5)). */
static bool stderr_is_journal(void)
{
	static int answer = -1;

	if (answer < 0) {
		const char *e = getenv("JOURNAL_STREAM");
		unsigned long long dev, ino;
		struct stat st;

		answer = e && sscanf(e, "%llu:%llu", &dev, &ino) == 2 &&
			 fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
	}
	return answer;
}

static void log_to_stderr(int level, const char *guest, const char *service, const char *line)
{
	/* systemd and the console of a container both read <N>; a person should not have to. */
	static int tty = -1;
	char prefix[8] = "";

	if (tty < 0)
		tty = isatty(STDERR_FILENO);
	if (!tty)
		(void)snprintf(prefix, sizeof(prefix), "<%d>", level);
	if (guest && service)
		fprintf(stderr, "%sguest %s: service %s: %s\n", prefix, guest, service, line);
	else if (guest)
		fprintf(stderr, "%sguest %s: %s\n", prefix, guest, line);
	else
		fprintf(stderr, "%s%s\n", prefix, line);
}

void log_full(int level, const char *guest, const char *service, const char *format, ...)
{
	char line[LOG_LINE_MAX];
	va_list ap;

	if (level > max_level)
		return;
	va_start(ap, format);
	(void)vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);

	if (log_sink)
		log_sink(level, guest, service, line);
	else if (stderr_is_journal())
		(void)sd_journal_send("PRIORITY=%d", level, "MESSAGE=%s%s%s%s%s%s%s",
			guest ? "guest " : "", guest ? guest : "", guest ? ": " : "",
			service ? "service " : "", service ? service : "", service ? ": " : "",
			line, guest ? "MEDIAKIT_GUEST=%s" : NULL, guest,
			service ? "MEDIAKIT_SERVICE=%s" : NULL, service, NULL);
	else
		log_to_stderr(level, guest, service, line);
}
