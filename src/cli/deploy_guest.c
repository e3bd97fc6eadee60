/* SPDX-License-Identifier: Apache-2.0 */
/* One command in the guest: ssh with nothing of the caller's configuration in it, and the script.
 */
#include "base/file.h"
#include "base/memstream.h"
#include "cli/deploy_job.h"
#include "cli/verb.h"
#include "io/layout.h"
#include "io/owner.h"

#include <errno.h>
#include <string.h>

#define OUTPUT_MAX (256u * 1024u)
/* Of 107, 17 are ssh's for a temporary name. */
#define CONTROL_MAX     90u
#define HANG_UP_TIMEOUT (5 * USEC_PER_SEC)
#define SSH_FAILED      255

extern const char deploy_script[];
__asm__(".pushsection .rodata.deploy, \"a\"\n"
	"deploy_script:\n"
	".incbin \"src/deploy/guest\"\n"
	".byte 0\n"
	".popsection\n");

static int need_file(struct deploy *d, const char *path, const char *what, const char *then)
{
	if (access(path, R_OK) == 0)
		return 0;
	int r = -errno;
	return reason_set(&d->reason, r, "%s %s: %s%s%s", what, path, strerror(-r),
		r == -ENOENT ? "; " : "", r == -ENOENT ? then : "");
}

static int find_keys(struct deploy *d)
{
	const char *name = d->guest->name;
	char then[256];

	if (d->args->identity)
		d->key = strdup(d->args->identity);
	else
		d->key = layout_path(d->spec->state_dir, name, LAYOUT_SSH_KEY);
	d->known_hosts = layout_path(d->spec->state_dir, name, LAYOUT_KNOWN_HOSTS);
	if (!d->key || !d->known_hosts)
		return -ENOMEM;
	(void)snprintf(then, sizeof(then),
		"stop the guest, `mediakitd provision %s`, and start it: that makes one and hands "
		"it over",
		name);
	int r = need_file(d, d->known_hosts, "the guest's own SSH key is not known here:", then);
	if (r >= 0)
		r = need_file(d, d->key, "the key that opens the guest:",
			"with AuthorizedKeys= none is made: give yours, --identity=FILE");
	return r;
}

/* ssh would only say "invalid format", and that the guest denied it. */
static int check_key(struct deploy *d)
{
	CLEANUP_FREE char *text = NULL;
	int r = file_read(d->key, 64u * 1024u, &text, NULL);

	if (r < 0)
		return reason_set(
			&d->reason, r, "cannot read the key %s: %s", d->key, strerror(-r));
	if (strncmp(text, "-----BEGIN ", 11) != 0 || !strstr(text, "PRIVATE KEY-----"))
		return reason_set(&d->reason, -EINVAL, "%s is no private SSH key", d->key);
	return 0;
}

/* A handshake costs an emulated guest over a second, and a deploy has five. The one that is kept
 * goes on for a while without us, should we be killed. Not where the socket's name would be too
 * long, ssh's own ending of it included, or would mean something to ssh. */
static int find_control(struct deploy *d)
{
	char *path = layout_path(d->spec->state_dir, d->guest->name, LAYOUT_SSH_SOCKET);

	/* Who does not hold the lock must not end another's. */
	if (d->args->list) {
		free(path);
		return 0;
	}
	if (path && strlen(path) <= CONTROL_MAX && !strpbrk(path, "%\"$")) {
		d->control = path;
		return 0;
	}
	free(path);
	return path ? 0 : -ENOMEM;
}

int deploy_reach(struct deploy *d)
{
	if (d->guest->ssh_port == 0)
		return reason_set(&d->reason, -EINVAL,
			"%s has no SSH forward (SSHPort=none): there is no way to take anything "
			"there",
			d->guest->name);
	int r = find_keys(d);
	if (r >= 0)
		r = check_key(d);
	/* The key of a person is that person's to use. */
	if (r >= 0 && !d->args->identity) {
		r = owner_find(d->spec->state_dir, &d->uid, &d->gid, &d->reason);
		d->as_owner = r > 0;
	}
	if (r >= 0 && !d->args->identity)
		r = find_control(d);
	return r < 0 ? r : 0;
}

/* One word for a shell. */
static void put_quoted(FILE *f, const char *s)
{
	(void)fputc('\'', f);
	for (; *s; s++)
		if (*s == '\'')
			(void)fputs("'\\''", f);
		else
			(void)fputc(*s, f);
	(void)fputc('\'', f);
}

/* The values are names, digits and the like, checked by whoever gives them. */
static char *script_of(const struct deploy *d, const struct deploy_step *step)
{
	const char *service = d->service ? d->service->name : "none";
	const char *unit = d->service ? d->service->unit : "none.service";
	char *text = NULL;

	return asprintf(&text, "STEP='%s' SERVICE='%s' UNIT='%s' %s\n%s", step->name, service, unit,
		       step->vars, deploy_script) < 0
		       ? NULL
		       : text;
}

static char *command_of(const struct deploy *d, const struct deploy_step *step)
{
	CLEANUP_FREE char *script = script_of(d, step), *text = NULL;
	size_t len = 0;
	struct memstream m;

	if (!script || !step->as_root)
		return TAKE_PTR(script);
	if (memstream_open(&m)) {
		/* The first line says to whoever reads a log what this is. */
		(void)fprintf(m.f, ": %s %s\nsudo -n sh -c ", step->name,
			d->service ? d->service->name : "");
		put_quoted(m.f, script);
	}
	return memstream_close(&m, &text, &len) < 0 ? NULL : TAKE_PTR(text);
}

static bool says(const struct program_result *result, const char *words)
{
	return strstr(result->error, words) != NULL;
}

static int ssh_failed(struct deploy *d, const struct program_result *result)
{
	const char *name = d->guest->name;

	if (says(result, "HOST IDENTIFICATION HAS CHANGED") ||
		says(result, "no matching host key") ||
		says(result, "Host key verification failed"))
		return reason_set(&d->reason, -ECONNREFUSED,
			"what answers on port %u does not have the SSH key that was given to %s: a "
			"guest that was not restarted since `mediakitd provision %s` made the key "
			"(restart it), or somebody else. Nothing was sent",
			d->guest->ssh_port, name, name);
	if (says(result, "Permission denied"))
		return reason_set(&d->reason, -ECONNREFUSED,
			"%s does not let %s in with the key %s: %s", name, d->guest->user, d->key,
			result->error);
	return reason_set(&d->reason, -ECONNREFUSED, "ssh to %s, port %u: %s", name,
		d->guest->ssh_port, result->error[0] ? result->error : "it ended without a word");
}

static int take_result(
	struct deploy *d, const struct deploy_step *step, struct program_result *result)
{
	if (result->signal)
		return reason_set(
			&d->reason, -ECONNREFUSED, "ssh was ended by signal %d", result->signal);
	if (result->exit_status == SSH_FAILED)
		return ssh_failed(d, result);
	free(d->lines);
	d->lines = TAKE_PTR(result->output);
	d->lines_len = result->output_len;
	if (result->exit_status != 0)
		return reason_set(&d->reason, -EIO, "in %s, at %s: %s", d->guest->name, step->name,
			result->error[0] ? result->error : "it failed without a word");
	if (!step->raw && release_facts(d->lines, d->lines_len, &d->facts) < 0)
		return reason_set(&d->reason, -EBADMSG,
			"%s says what no guest of ours says, at %s; somebody changed its shell, or "
			"it "
			"is not to be trusted",
			d->guest->name, step->name);
	return 0;
}

void deploy_hang_up(struct deploy *d)
{
	CLEANUP(program_result_clear) struct program_result result = { 0 };
	CLEANUP_FREE char *control = NULL;

	if (!d->control || d->lock_fd < 0 || access(d->control, F_OK) < 0 ||
		asprintf(&control, "ControlPath=\"%s\"", d->control) < 0)
		return;
	const char *argv[] = { "ssh", "-F", "/dev/null", "-o", control, "-O", "exit", "--",
		"127.0.0.1", NULL };
	const struct program program = { .argv = argv,
		.timeout = HANG_UP_TIMEOUT,
		.output_max = 4096,
		.as_user = d->as_owner,
		.uid = d->uid,
		.gid = d->gid };

	/* One that is dead already leaves only its name, which the next ssh removes. */
	(void)program_run(&program, &result);
}

int deploy_step(struct deploy *d, const struct deploy_step *step)
{
	CLEANUP_FREE char *command = command_of(d, step), *known = NULL, *alias = NULL;
	CLEANUP_FREE char *control = NULL, *user = NULL;
	CLEANUP(program_result_clear) struct program_result result = { 0 };
	char port[8], span[TIMESPAN_TEXT_MAX];

	(void)snprintf(port, sizeof(port), "%u", d->guest->ssh_port);
	if (!command || asprintf(&known, "UserKnownHostsFile=\"%s\"", d->known_hosts) < 0 ||
		asprintf(&alias, "HostKeyAlias=%s", d->guest->name) < 0 ||
		asprintf(&control, "ControlPath=\"%s\"", d->control ?: "none") < 0 ||
		asprintf(&user, "%s@127.0.0.1", d->guest->user) < 0)
		return -ENOMEM;
	const char *argv[] = { "ssh", "-F", "/dev/null", "-T", "-a", "-x", "-i", d->key, "-p", port,
		"-o", known, "-o", alias, "-o", "GlobalKnownHostsFile=/dev/null", "-o",
		"StrictHostKeyChecking=yes", "-o", "HostKeyAlgorithms=ssh-ed25519", "-o",
		"UpdateHostKeys=no", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o",
		"IdentityAgent=none", "-o", "ClearAllForwardings=yes", "-o", "ConnectTimeout=20",
		"-o", "ServerAliveInterval=15", "-o", "LogLevel=ERROR", "-o", control, "-o",
		"ControlMaster=auto", "-o", "ControlPersist=30", "--", user, command, NULL };
	const struct program program = {
		.argv = argv,
		.timeout = step->timeout,
		.output_max = step->output_max ?: OUTPUT_MAX,
		.tick = &d->tick,
		.feed = step->feed,
		.userdata = step->userdata,
		.as_user = d->as_owner,
		.uid = d->uid,
		.gid = d->gid,
	};

	d->facts = (struct release_facts){ 0 };
	int r = program_run(&program, &result);
	if (r >= 0)
		return take_result(d, step, &result);
	/* Who feeds it has said why already. */
	if (r == -ECANCELED || d->reason.text[0])
		return r;
	if (r == -ENOENT)
		return reason_set(
			&d->reason, r, "ssh is not there: install the package openssh-client");
	if (r == -ETIMEDOUT)
		return reason_set(&d->reason, -ECONNREFUSED, "%s, at %s: not done after %s",
			d->guest->name, step->name,
			format_timespan(span, sizeof(span), step->timeout));
	if (r == -EFBIG)
		return reason_set(&d->reason, r, "%s, at %s: says more than %u KiB", d->guest->name,
			step->name, (unsigned)(program.output_max / 1024));
	return reason_set(&d->reason, r, "ssh: %s", strerror(-r));
}
