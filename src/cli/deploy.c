/* SPDX-License-Identifier: Apache-2.0 */
/* The verb: command line, configuration, and the order of the stages. */
#include "cli/deploy.h"

#include "base/file.h"
#include "cli/deploy_job.h"
#include "cli/verb.h"
#include "io/confdir.h"
#include "io/elf.h"
#include "io/layout.h"
#include "model/unitfile.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

const char usage_deploy[] =
	"deploy GUEST SERVICE --binary=FILE [--unit=FILE] [--data=DIR] [--timeout=SPAN]\n"
	"deploy GUEST SERVICE --rollback [--timeout=SPAN]\n"
	"deploy GUEST --list [--json]\n"
	"\n"
	"Takes a program to a service of a guest that runs, over SSH: checks that it would run\n"
	"there (see preflight), writes it beside what is there, switches, restarts the unit, and\n"
	"waits until the daemon has seen it answer. If it does not in time, the release before is\n"
	"put back and started, and the last lines of the unit's log are shown. A first release\n"
	"that fails is removed again. One that is proven makes a pending service active: as a\n"
	"drop-in of the configuration, which the daemon then reads.\n"
	"\n"
	"In the guest /opt/mediakit/bin/SERVICE becomes a link to the release in use, below\n"
	"/opt/mediakit/releases/SERVICE; three that were proven are kept. A deploy that was cut\n"
	"off is taken back by the next one. The guest must show the SSH key that `provision`\n"
	"made for it.\n"
	"\n"
	"  --binary=FILE    the program\n"
	"  --unit=FILE      its systemd unit; ExecStart= must run /opt/mediakit/bin/SERVICE.\n"
	"                   Goes back together with the program. Without: the guest's own\n"
	"  --data=DIR       made the same in /opt/mediakit/data/SERVICE: only files whose size or\n"
	"                   time differs are sent; nothing is deleted there, nothing taken back\n"
	"  --rollback       back to the release before the one in use, judged in the same way;\n"
	"                   where a deploy was cut off, to what was there before it\n"
	"  --list           the releases in the guest, of all services\n"
	"  --json           the list as JSON: an array of service, release, bytes, and state, "
	"which\n"
	"                   is current, kept, or unproven (its deploy was cut off)\n"
	"  --timeout=SPAN   for the verdict after the restart; default 60s, 180s under TCG\n"
	"  --identity=FILE  your private key, where AuthorizedKeys= is set; used as you are\n"
	"  --config=DIR     configuration, default /etc/mediakitd\n"
	"  --state=DIR      state directory, default from the configuration\n"
	"  --runtime=DIR    where the daemon's sockets are, default from the configuration\n"
	"\n"
	"Run it as root, or as the owner of the state directory, whose key it uses.\n"
	"\n"
	"Exit status: 0 it runs and answers, 1 failed (what was there before runs), 2 command\n"
	"line or configuration, 3 the guest does not run, 4 no such guest or service, 6 no\n"
	"daemon.\n";

#define SLOWEST_BYTES 65536u        /* a second */
#define SPARE_KIB     (16u * 1024u) /* that stay free in the guest */

static volatile sig_atomic_t got_signal;

static void on_signal(int sig)
{
	got_signal = sig;
}

static int on_tick(void *userdata)
{
	struct deploy *d = userdata;

	stageline_tick(&d->line);
	return got_signal && !d->undoing ? -ECANCELED : 0;
}

static void watch_signals(void)
{
	const struct sigaction action = { .sa_handler = on_signal };

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGHUP, &action, NULL);
}

/* Refusals that need nobody else ---- */

static int read_unit(struct deploy *d)
{
	const char *path = d->args->unit;

	if (!path)
		return 0;
	int r = file_read(path, UNITFILE_BYTES_MAX + 1, &d->unit, &d->unit_len);
	if (r < 0)
		return reason_set(&d->reason, r, "--unit: %s: %s", path, file_read_error(r));
	return unitfile_check(path, d->unit, d->unit_len, d->program, &d->reason);
}

static int judge_binary(struct deploy *d)
{
	d->judged = true;
	return preflight_bytes(d->args->binary, d->binary, d->binary_len, &d->target) == 0
		       ? 0
		       : reason_set(&d->reason, -ENOEXEC, "nothing was sent");
}

/* Of an image without a manifest only the guest itself can say. */
static int judge_late(struct deploy *d)
{
	if (d->judged)
		return 0;
	memcpy(d->target.glibc, d->facts.glibc, sizeof(d->target.glibc));
	if (d->target.glibc[0])
		return judge_binary(d);
	return reason_set(&d->reason, -EINVAL, "neither its image nor %s says which glibc it has",
		d->guest->name);
}

static int stage_files(struct deploy *d)
{
	const char *path = d->args->binary;
	int r = read_unit(d);

	if (r < 0)
		return r;
	r = file_read(path, ELF_FILE_MAX, &d->binary, &d->binary_len);
	if (r < 0)
		return reason_set(&d->reason, r, "--binary: %s: %s", path, file_read_error(r));
	digest_buffer(d->binary, d->binary_len, d->sha256);
	if (preflight_target_read(d->spec, d->guest, &d->target) != 0)
		return reason_set(&d->reason, -ENOENT, "nothing was sent");
	/* What the guest said once, it is asked again: it may have another by now. */
	return d->target.glibc[0] && !d->target.own_word ? judge_binary(d) : 0;
}

/* Refusals that need the guest ---- */

static int stage_lock(struct deploy *d)
{
	CLEANUP_FREE char *path =
		layout_path(d->spec->state_dir, d->guest->name, LAYOUT_DEPLOY_LOCK);

	if (!path)
		return -ENOMEM;
	d->lock_fd = file_lock(path);
	if (d->lock_fd == -EWOULDBLOCK)
		return reason_set(&d->reason, -EBUSY,
			"somebody else is deploying to %s (%s is locked): try again when that has "
			"ended",
			d->guest->name, path);
	if (d->lock_fd < 0)
		return reason_set(
			&d->reason, d->lock_fd, "cannot lock %s: %s", path, strerror(-d->lock_fd));
	if (d->as_owner && fchown(d->lock_fd, d->uid, d->gid) < 0)
		return reason_set(&d->reason, -errno, "%s: %s", path, strerror(errno));
	/* Of a deploy that was killed: the host key is looked at anew. */
	deploy_hang_up(d);
	return 0;
}

static int look(struct deploy *d)
{
	const struct deploy_step step = {
		.name = "look", .vars = "", .timeout = DEPLOY_UNDO_TIMEOUT
	};
	int r = deploy_step(d, &step);

	if (r >= 0 && d->facts.undone)
		stageline_note(&d->line,
			"a deploy before was cut off: what was there before it runs again");
	return r;
}

static int stage_look(struct deploy *d)
{
	uint64_t need = (d->binary_len + d->unit_len) / 1024 + SPARE_KIB;
	char shown[SIZE_TEXT_MAX];
	int r = look(d);

	if (r < 0)
		return r;
	if (d->facts.has_free && d->facts.free_kib < need)
		return reason_set(&d->reason, -ENOSPC, "%s has no room for it: %s are free in /opt",
			d->guest->name, format_size_kib(shown, sizeof(shown), d->facts.free_kib));
	/* Switching what nobody runs would look like success. */
	if (!d->unit && strcmp(d->facts.exec, d->program) != 0)
		return reason_set(&d->reason, -EINVAL,
			"the unit %s in %s runs %s, and not %s: give one that does, --unit=FILE",
			d->service->unit, d->guest->name,
			d->facts.exec[0] ? d->facts.exec : "nothing", d->program);
	release_name(now_realtime(), d->sha256, d->release);
	return judge_late(d);
}

/* What was in use may be a new release whose deploy was cut off: then the look has done it, and the
 * release in use now is not the one to leave. A rollback that was cut off, however, was asked for
 * again. */
static int stage_find_before(struct deploy *d)
{
	int r = look(d);
	const char *before = r < 0 ? NULL : release_before(&d->facts);

	if (r < 0)
		return r;
	d->is_back = d->facts.undone && d->facts.dropped;
	if (d->is_back && d->facts.current[0]) {
		memcpy(d->release, d->facts.current, sizeof(d->release));
		stageline_note(&d->line, "back to %s, and no further", d->release);
		return 0;
	}
	if (d->is_back)
		return reason_set(&d->reason, -ENOENT,
			"the first release of %s is taken back, and %s has no other",
			d->service->name, d->guest->name);
	if (!before)
		return reason_set(&d->reason, -ENOENT, "%s has no release of %s older than %s",
			d->guest->name, d->service->name,
			d->facts.current[0] ? d->facts.current : "none at all");
	memcpy(d->release, before, sizeof(d->release));
	stageline_note(&d->line, "from %s back to %s", d->facts.current, d->release);
	return 0;
}

/* Beside what runs ---- */

struct sending {
	struct deploy *d;
	size_t at; /* in the unit, then in the binary */
};

static ssize_t give(void *userdata, void *buf, size_t size)
{
	struct sending *s = userdata;
	const struct deploy *d = s->d;
	bool unit = s->at < d->unit_len;
	size_t from = unit ? s->at : s->at - d->unit_len;
	size_t n = MIN(size, (unit ? d->unit_len : d->binary_len) - from);

	memcpy(buf, (unit ? d->unit : d->binary) + from, n);
	s->at += n;
	if (!unit)
		stageline_progress(&s->d->line, from + n, d->binary_len);
	return (ssize_t)n;
}

static int stage_put(struct deploy *d)
{
	struct sending s = { .d = d };
	char vars[256];
	const struct deploy_step step = { .name = "put",
		.vars = vars,
		.feed = give,
		.userdata = &s,
		.timeout = DEPLOY_STEP_TIMEOUT + d->binary_len * USEC_PER_SEC / SLOWEST_BYTES };

	(void)snprintf(vars, sizeof(vars), "RELEASE='%s' SHA256='%s' SIZE='%zu' UNIT_SIZE='%zu'",
		d->release, d->sha256, d->binary_len, d->unit_len);
	int r = deploy_step(d, &step);
	if (r >= 0 && !d->facts.put)
		r = reason_set(&d->reason, -EBADMSG, "%s does not say that it has the release",
			d->guest->name);
	return r;
}

static int stage_data(struct deploy *d)
{
	return d->args->data ? deploy_data(d) : 0;
}

struct stage {
	const char *what;
	int (*run)(struct deploy *d);
};

static const struct stage deploy_stages[] = {
	{ "preflight", stage_files },
	{ "daemon", deploy_ask },
	{ "keys", deploy_reach },
	{ "lock", stage_lock },
	{ "guest", stage_look },
	{ "sending", stage_put },
	{ "data", stage_data },
};

static const struct stage rollback_stages[] = {
	{ "daemon", deploy_ask },
	{ "keys", deploy_reach },
	{ "lock", stage_lock },
	{ "guest", stage_find_before },
};

static const struct stage list_stages[] = {
	{ "keys", deploy_reach },
	{ "guest", deploy_list },
};

static int run_stages(struct deploy *d, const struct stage *stages, size_t n)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++) {
		deploy_begin(d, stages[i].what);
		r = stages[i].run(d);
		if (r >= 0)
			r = tick_call(&d->tick);
	}
	return r;
}

static int run_all(struct deploy *d)
{
	int r;

	if (d->args->list)
		return run_stages(d, list_stages, ARRAY_SIZE(list_stages));
	if (d->args->rollback)
		r = run_stages(d, rollback_stages, ARRAY_SIZE(rollback_stages));
	else
		r = run_stages(d, deploy_stages, ARRAY_SIZE(deploy_stages));
	if (r < 0)
		return r;
	return d->is_back ? deploy_judge(d) : deploy_switch(d);
}

static void cleanup_deploy(struct deploy *d)
{
	deploy_hang_up(d);
	client_close(d->client);
	view_free(&d->view);
	cleanup_closep(&d->lock_fd);
	free(d->program);
	free(d->target.libraries);
	free(d->key);
	free(d->known_hosts);
	free(d->control);
	free(d->binary);
	free(d->unit);
	free(d->lines);
}

static int deploy(const struct args *args, const struct spec *spec, const struct guest_spec *guest,
	const struct service_spec *service)
{
	char prefix[2 * SPEC_NAME_MAX + 32];
	CLEANUP(cleanup_deploy)
	struct deploy d = { .args = args,
		.spec = spec,
		.guest = guest,
		.service = service,
		.status = CLI_FAILED,
		.lock_fd = -1 };

	(void)snprintf(prefix, sizeof(prefix), "deploy %s%s%s", guest->name, service ? " " : "",
		service ? service->name : "");
	stageline_init(&d.line, prefix);
	d.tick = (struct tick){ .fn = on_tick, .userdata = &d };
	watch_signals();
	int r = asprintf(&d.program, "/opt/mediakit/bin/%s", service ? service->name : "") < 0
			? -ENOMEM
			: run_all(&d);
	stageline_end(&d.line);
	if (r >= 0)
		return CLI_OK;
	/* What was taken back has told so. */
	if (!d.undoing)
		fprintf(stderr, "%s: %s\n", prefix,
			got_signal && d.is_back ? "interrupted before it was judged"
			: got_signal            ? "interrupted; what runs there was not changed"
			: d.reason.text[0]      ? d.reason.text
						: strerror(-r));
	return got_signal ? 128 + got_signal : d.status;
}

static int usage_fault(const char *what)
{
	fprintf(stderr, "mediakitd deploy: %s; see `mediakitd deploy --help`\n", what);
	return CLI_USAGE;
}

static int check_args(const struct args *a)
{
	unsigned jobs = (a->binary != NULL) + a->rollback + a->list;

	if (jobs != 1)
		return usage_fault("one of --binary=FILE, --rollback and --list is wanted");
	if (a->list ? a->n_operands != 1 : a->n_operands != 2)
		return usage_fault(
			a->list ? "--list takes a GUEST and no SERVICE" : "wants GUEST SERVICE");
	if (!a->binary && (a->unit || a->data))
		return usage_fault("--unit= and --data= go with --binary=FILE");
	if (a->json && !a->list)
		return usage_fault("--json goes with --list");
	return 0;
}

static const char *service_name(const void *userdata, size_t i)
{
	return ((const struct guest_spec *)userdata)->services[i].name;
}

static int find(const struct spec *spec, const struct args *a, const struct guest_spec **ret_guest,
	const struct service_spec **ret_service)
{
	const struct guest_spec *guest = spec_find_guest(spec, a->operands[0]);

	if (!guest) {
		fprintf(stderr,
			"mediakitd deploy: there is no guest %s; configured:", a->operands[0]);
		for (unsigned i = 0; i < spec->n_guests; i++)
			fprintf(stderr, " %s", spec->guests[i].name);
		(void)fputc('\n', stderr);
		return CLI_NO_GUEST;
	}
	*ret_guest = guest;
	*ret_service = a->list ? NULL : guest_spec_find_service(guest, a->operands[1]);
	if (a->list || *ret_service)
		return 0;
	const char *near = verb_nearest(a->operands[1], service_name, guest, guest->n_services);
	fprintf(stderr, "mediakitd deploy: %s has no service %s%s%s%s\n", guest->name,
		a->operands[1], near ? "; did you mean " : "", near ?: "", near ? "?" : "");
	return CLI_NO_GUEST;
}

static int load(const struct args *args, struct spec **ret)
{
	const char *dir = args->config ?: CONFDIR_DEFAULT;
	struct conf_faults faults = { 0 };
	int r = confdir_load(dir, args->state, NULL, ret, &faults);

	for (unsigned i = 0; i < faults.n; i++)
		if (!faults.list[i].warning)
			fprintf(stderr, "%s\n", faults.list[i].text);
	if (r < 0 && faults.n_errors == 0)
		fprintf(stderr, "mediakitd deploy: %s: %s\n", dir, strerror(-r));
	conf_faults_clear(&faults);
	return r < 0 ? CLI_USAGE : 0;
}

int verb_deploy(int argc, char **argv)
{
	static const struct args_rule rule = { .options = ARG_DEPLOY | ARG_TIMEOUT | ARG_JSON,
		.min = 1,
		.max = 2,
		.words = "GUEST SERVICE" };
	const struct service_spec *service = NULL;
	const struct guest_spec *guest = NULL;
	struct spec *spec = NULL;
	struct args args;
	int r = args_parse(argc, argv, &rule, &args);

	if (r == 0)
		r = check_args(&args);
	if (r == 0)
		r = load(&args, &spec);
	if (r == 0)
		r = find(spec, &args, &guest, &service);
	if (r == 0)
		r = deploy(&args, spec, guest, service);
	spec_free(spec);
	return r;
}
