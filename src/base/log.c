/* SPDX-License-Identifier: Apache-2.0 */
/* The log's one exit: a sink for tests, the journal, or stderr. */
#include "base/log.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

struct log_origin {
	int level;
	const char *guest, *service, *message_id;
};

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

bool log_takes_fields(void)
{
	return !log_sink && stderr_is_journal();
}

/* MESSAGE=, PRIORITY=, MESSAGE_ID= and the two names stand before the caller's fields. */
#define FIELDS_OWN 5u

static struct iovec field_of(char *field)
{
	return (struct iovec){ .iov_base = field, .iov_len = strlen(field) };
}

static void log_to_journal(
	const struct log_origin *from, const char *const fields[], const char *line)
{
	char priority[16], message[LOG_LINE_MAX + 128], id[64], guest[80], service[80];
	struct iovec iov[FIELDS_OWN + LOG_FIELDS_MAX];
	int n = 0;

	(void)snprintf(priority, sizeof(priority), "PRIORITY=%d", from->level);
	(void)snprintf(message, sizeof(message), "MESSAGE=%s%s%s%s%s%s%s",
		from->guest ? "guest " : "", from->guest ?: "", from->guest ? ": " : "",
		from->service ? "service " : "", from->service ?: "", from->service ? ": " : "",
		line);
	iov[n++] = field_of(priority);
	iov[n++] = field_of(message);
	if (from->message_id) {
		(void)snprintf(id, sizeof(id), "MESSAGE_ID=%s", from->message_id);
		iov[n++] = field_of(id);
	}
	if (from->guest) {
		(void)snprintf(guest, sizeof(guest), "MEDIAKIT_GUEST=%s", from->guest);
		iov[n++] = field_of(guest);
	}
	if (from->service) {
		(void)snprintf(service, sizeof(service), "MEDIAKIT_SERVICE=%s", from->service);
		iov[n++] = field_of(service);
	}
	for (unsigned i = 0; fields && fields[i] && i < LOG_FIELDS_MAX; i++)
		/* An iovec cannot say that it is only read. */
		iov[n++] = field_of((char *)(uintptr_t)fields[i]);
	(void)sd_journal_sendv(iov, n);
}

static PRINTF_LIKE(3, 0) void log_any(
	const struct log_origin *from, const char *const fields[], const char *format, va_list ap)
{
	char line[LOG_LINE_MAX];

	if (from->level > max_level)
		return;
	(void)vsnprintf(line, sizeof(line), format, ap);
	if (log_sink) {
		log_sink(from->level, from->guest, from->service, line);
		for (unsigned i = 0; fields && fields[i] && i < LOG_FIELDS_MAX; i++)
			log_sink(LOG_DEBUG, from->guest, from->service, fields[i]);
	} else if (stderr_is_journal()) {
		log_to_journal(from, fields, line);
	} else {
		log_to_stderr(from->level, from->guest, from->service, line);
	}
}

void log_full(int level, const char *guest, const char *service, const char *format, ...)
{
	const struct log_origin from = { .level = level, .guest = guest, .service = service };
	va_list ap;

	va_start(ap, format);
	log_any(&from, NULL, format, ap);
	va_end(ap);
}

void log_struct(int level, const char *guest, const char *service, const char *message_id,
	const char *const fields[], const char *format, ...)
{
	const struct log_origin from = {
		.level = level, .guest = guest, .service = service, .message_id = message_id
	};
	va_list ap;

	va_start(ap, format);
	log_any(&from, fields, format, ap);
	va_end(ap);
}
