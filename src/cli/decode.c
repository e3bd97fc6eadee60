/* SPDX-License-Identifier: Apache-2.0 */
/* The decoder of health reports at hand for whoever writes a service. */
#include "cli/decode.h"

#include "base/file.h"
#include "base/macro.h"
#include "cli/args.h"
#include "cli/verb.h"
#include "model/report.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>

const char usage_decode[] =
	"decode FILE|-\n"
	"\n"
	"Reads one health report, CBOR as a service answers it, and prints as JSON what the\n"
	"daemon would understand, or the reason why it is no report. Keys the daemon does not\n"
	"know are left out. For example:\n"
	"  curl -s -H 'Accept: application/cbor' http://127.0.0.1:19090/healthz | mediakitd decode "
	"-\n"
	"\n"
	"Exit status: 0 a report, 1 none, with the reason, 2 the file cannot be read.\n";

/* Reads at most one byte more than a report may have, which is enough to refuse it. 0 or -errno. */
static int read_bytes(const char *path, uint8_t *buf, size_t size, size_t *ret_len)
{
	CLEANUP_CLOSE int opened = -1;
	int fd = STDIN_FILENO;

	if (strcmp(path, "-") != 0 && (fd = opened = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return -errno;
	return fd_read_all(fd, buf, size, ret_len);
}

static void add_text(json_t *o, const char *key, bool has, const char *text)
{
	if (has)
		(void)json_object_set_new(o, key, json_string(text));
}

static json_t *report_json(const struct report *r)
{
	json_t *o = json_object();

	add_text(o, "status", true, report_status_to_string(r->status));
	add_text(o, "service", r->has_service, r->service);
	add_text(o, "version", r->has_version, r->version);
	add_text(o, "boot_id", r->has_boot_id, r->boot_id);
	add_text(o, "nonce", r->has_nonce, r->nonce);
	if (r->has_uptime) {
		/* JSON's integers here are signed; a larger number keeps its size as a real. */
		json_t *n = r->uptime_sec <= INT64_MAX ? json_integer((json_int_t)r->uptime_sec)
						       : json_real((double)r->uptime_sec);
		(void)json_object_set_new(o, "uptime", n);
	}
	add_text(o, "message", r->has_message, r->message);
	if (r->n_checks > 0) {
		json_t *checks = json_object();

		for (unsigned i = 0; i < r->n_checks; i++)
			add_text(checks, r->checks[i].name, true,
				report_status_to_string(r->checks[i].status));
		(void)json_object_set_new(o, "checks", checks);
	}
	return o;
}

int verb_decode(int argc, char **argv)
{
	static const struct args_rule rule = { 0, 1, 1, "FILE, or - for its input" };
	uint8_t buf[REPORT_BYTES_MAX + 1];
	struct report_fault fault;
	struct report report;
	struct args args;
	size_t len = 0;

	int r = args_parse(argc, argv, &rule, &args);
	if (r != 0)
		return r;
	const char *path = args.operands[0];
	if ((r = read_bytes(path, buf, sizeof(buf), &len)) < 0) {
		fprintf(stderr, "mediakitd decode: %s: %s\n", path, strerror(-r));
		return CLI_USAGE;
	}
	if (report_decode(buf, len, &report, &fault) < 0) {
		fprintf(stderr, "%s: no report: %s: %s (at byte %zu)\n",
			strcmp(path, "-") == 0 ? "input" : path, report_error_to_string(fault.code),
			fault.text, fault.offset);
		return CLI_FAILED;
	}
	json_t *o = report_json(&report);
	r = json_dumpf(o, stdout, JSON_INDENT(2));
	json_decref(o);
	return r < 0 || fputc('\n', stdout) == EOF || fflush(stdout) != 0 ? CLI_FAILED : CLI_OK;
}
