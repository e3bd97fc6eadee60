/* SPDX-License-Identifier: Apache-2.0 */
/* The verb: command line, configuration, confirmation, and the table of stages. */
#include "cli/provision.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "cli/args.h"
#include "cli/import_job.h"
#include "cli/verb.h"
#include "io/confdir.h"
#include "io/owner.h"
#include "io/reach.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

const char usage_provision[] =
	"provision GUEST [--replace-disk[=GUEST]] [--timeout=SPAN] [--config=DIR] [--state=DIR]\n"
	"provision GUEST --from=FILE [--replace-disk[=GUEST]] [--config=DIR] [--state=DIR]\n"
	"provision GUEST --check-update [--timeout=SPAN] [--config=DIR] [--state=DIR]\n"
	"\n"
	"Makes what the guest GUEST boots from, in the state directory: a read-only base, which\n"
	"is the image of [Image], a disk of the configured size on top of it, and a seed for\n"
	"cloud-init with the host name, the user, the keys and the packages of the\n"
	"configuration. An SSH key is made once where the configuration gives none.\n"
	"\n"
	"The image is fetched from URL= if it is one whose digest is SHA256=, or is in the\n"
	"SHA256SUMS beside it, signed by the key Fingerprint= of Keyring=. A download that was\n"
	"broken off is gone on with. With Path= the image is copied from there instead.\n"
	"\n"
	"Run as root it goes on as the owner of the state directory, whose files they are.\n"
	"\n"
	"Run again, it changes only what the configuration changed: the seed, which takes\n"
	"effect at the guest's next boot. An existing disk is never overwritten, shrunk,\n"
	"grown or put on another image. The guest must not run.\n"
	"\n"
	"  --replace-disk         make a new, empty disk; the old one is kept beside it as\n"
	"                         disk.qcow2.old-<time>, and a base that was changed as\n"
	"                         base-….bad-<time>. Asks for the guest's name\n"
	"  --replace-disk=GUEST   the same without asking; GUEST is the name once more\n"
	"  --from=FILE            make the disk of a snapshot, or of another whole qcow2, and not\n"
	"                         of the image. What is recorded beside a snapshot must fit:\n"
	"                         guest, SHA-256, the image it was provisioned from. A disk that\n"
	"                         is there is only replaced with --replace-disk=GUEST, and kept\n"
	"  --check-update         change nothing; say whether the signed SHA256SUMS now have\n"
	"                         another image than the one in use. 0: no, 1: yes, or failed\n"
	"  --timeout=SPAN         how long a server may be silent, or nearly so, before the next\n"
	"                         mirror is tried; default 30s\n"
	"  --config=DIR           configuration, default /etc/mediakitd\n"
	"  --state=DIR            state directory, default from the configuration\n"
	"\n"
	"Templates of the seed are read from $MEDIAKIT_TEMPLATES where that is set. A proxy is\n"
	"taken from $https_proxy and $no_proxy, certificates from $CURL_CA_BUNDLE or\n"
	"$SSL_CERT_FILE where those are set.\n"
	"\n"
	"Exit status: 0 done or nothing to do, 1 failed (nothing is left half-made),\n"
	"2 command line or configuration, 4 no such guest.\n";

static volatile sig_atomic_t got_signal;

static void on_signal(int sig)
{
	got_signal = sig;
}

static int on_tick(void *userdata)
{
	stageline_tick(userdata);
	return got_signal ? -ECANCELED : 0;
}

/* No SA_RESTART: what waits is to return. */
static void watch_signals(void)
{
	const struct sigaction action = { .sa_handler = on_signal };

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGHUP, &action, NULL);
}

static int become_owner(struct provision *p)
{
	static const enum layout_file of[] = { LAYOUT_IMAGES, LAYOUT_PRIVATE, LAYOUT_IMAGE_DIR,
		LAYOUT_PRIVATE_DIR };

	for (size_t i = 0; i < ARRAY_SIZE(of); i++) {
		CLEANUP_FREE char *dir = layout_path(p->state_dir, p->guest->name, of[i]);
		int r = dir ? owner_give(p->state_dir, dir, &p->reason) : -ENOMEM;
		if (r < 0)
			return r;
	}
	int r = owner_give(p->state_dir, p->state_dir, &p->reason);
	return r < 0 ? r : owner_become(p->state_dir, &p->reason);
}

static int open_state(struct provision *p)
{
	int r = layout_open(p->state_dir, &p->reason);

	if (r >= 0)
		r = layout_open_guest(p->state_dir, p->guest->name, &p->reason);
	if (r < 0)
		return r;
	p->image_dir = layout_path(p->state_dir, p->guest->name, LAYOUT_IMAGE_DIR);
	p->disk = layout_disk(p->state_dir, p->guest->name);
	if (!p->image_dir || !p->disk)
		return -ENOMEM;
	/* Asked as root, who can ask for another user; everything after it as the daemon's user. */
	return reach_check(p->image_dir, REACH_QEMU_USER, &p->reason);
}

static int take_lock(struct provision *p)
{
	CLEANUP_FREE char *path = layout_guest_lock(p->state_dir, p->guest->name);

	if (!path)
		return -ENOMEM;
	p->lock_fd = file_lock(path);
	if (p->lock_fd == -EWOULDBLOCK)
		return reason_set(&p->reason, -EBUSY,
			"the guest is being started, or provisioned by somebody else (%s is "
			"locked): try "
			"again when that has ended",
			path);
	if (p->lock_fd < 0)
		return reason_set(
			&p->reason, p->lock_fd, "cannot lock %s: %s", path, strerror(-p->lock_fd));
	layout_sweep(p->state_dir, p->guest->name);
	return 0;
}

static int save_record(struct provision *p)
{
	CLEANUP_FREE char *path = layout_path(p->state_dir, p->guest->name, LAYOUT_RECORD);

	if (!path)
		return -ENOMEM;
	/* First, so that a record never stands beside the libraries of an earlier image. */
	int r = provision_save_libraries(p);
	if (r < 0)
		return r;
	r = record_write(path, &p->record, now_realtime());
	if (r < 0)
		return reason_set(&p->reason, r, "cannot write %s: %s", path, strerror(-r));
	return 0;
}

struct stage {
	const char *what;
	int (*run)(struct provision *p);
};

/* Refusals first, then what takes space, then what is small. */
static const struct stage all_stages[] = {
	{ "state directory", open_state },
	{ "owner", become_owner },
	{ "lock", take_lock },
	{ "existing disk", provision_find_disk },
	{ "existing base", provision_check_base },
	{ "image", provision_find_image },
	{ "space", provision_check_space },
	{ "base", provision_base },
	{ "disk", provision_disk },
	{ "boot files", provision_boot_files },
	{ "seed", provision_seed },
	{ "record", save_record },
};

/* The disk is whole already: no image is asked for. */
static const struct stage from_stages[] = {
	{ "state directory", open_state },
	{ "owner", become_owner },
	{ "lock", take_lock },
	{ "existing disk", provision_find_disk },
	{ "snapshot", provision_find_from },
	{ "disk", provision_from },
	{ "boot files", provision_boot_files },
	{ "seed", provision_seed },
	{ "record", save_record },
};

/* Nothing is made, so a guest that runs does not matter. */
static const struct stage update_stages[] = {
	{ "state directory", open_state },
	{ "owner", become_owner },
	{ "lock", take_lock },
	{ "signed sums", provision_check_update },
};

/* By root, who alone may take a file from elsewhere and see who holds it. */
static const struct stage import_stages[] = {
	{ "state directory", open_state },
	{ "lock", take_lock },
	{ "old disk", import_find },
	{ "who holds it", import_check },
	{ "move", import_move },
};

static int run_stages(struct provision *p, const struct stage *stages, size_t n)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++) {
		stageline_begin(&p->line, stages[i].what);
		p->reason.text[0] = '\0';
		FAILPOINT_OR_RETURN(PROVISION_STAGE);
		r = stages[i].run(p);
		if (r >= 0 && got_signal)
			r = -ECANCELED;
	}
	return r;
}

/* The rest is done as the daemon's user, who takes the lock anew. */
static void end_import(struct provision *p)
{
	cleanup_closep(&p->lock_fd);
	p->lock_fd = -1;
	free(TAKE_PTR(p->image_dir));
	free(TAKE_PTR(p->disk));
}

static int run_import(struct provision *p)
{
	int r = run_stages(p, import_stages, ARRAY_SIZE(import_stages));

	if (r >= 0) {
		end_import(p);
		return 0;
	}
	/* What root made until then, the guest's lock for one, is the daemon's user's all the same.
	 */
	struct reason reason = p->reason;

	(void)become_owner(p);
	p->reason = reason;
	return r;
}

static int run_all(struct provision *p, const struct provision_options *options)
{
	int r = options->import ? run_import(p) : 0;

	if (r >= 0 && options->check_update)
		r = run_stages(p, update_stages, ARRAY_SIZE(update_stages));
	else if (r >= 0 && p->from)
		r = run_stages(p, from_stages, ARRAY_SIZE(from_stages));
	else if (r >= 0)
		r = run_stages(p, all_stages, ARRAY_SIZE(all_stages));
	return r;
}

static void cleanup_provision(struct provision *p)
{
	if (p->lock_fd >= 0)
		layout_sweep(p->state_dir, p->guest->name);
	cleanup_closep(&p->lock_fd);
	cleanup_closep(&p->source_fd);
	free(p->image_dir);
	free(p->disk);
	free(p->part);
	free(p->libraries);
}

static void tell_failure(const struct provision *p, int r)
{
	const char *prefix = p->line.prefix;

	if (got_signal)
		fprintf(stderr, "%s: interrupted; nothing was left half-made\n", prefix);
	else
		fprintf(stderr, "%s: %s\n", prefix,
			p->reason.text[0] ? p->reason.text : strerror(-r));
	if (p->import && p->import->disk.moved)
		fprintf(stderr,
			"%s: the disk has been taken over; `mediakitd provision %s` does "
			"what is left\n",
			prefix, p->guest->name);
}

static int provision(const struct spec *spec, const struct guest_spec *guest,
	const struct provision_options *options)
{
	char prefix[SPEC_NAME_MAX + 32];
	CLEANUP(cleanup_provision)
	struct provision p = {
		.guest = guest,
		.state_dir = spec->state_dir,
		.replace_disk = options->replace != NULL,
		.import = options->import,
		.from = options->from,
		.patience = options->patience,
		.lock_fd = -1,
		.source_fd = -1,
	};

	(void)snprintf(prefix, sizeof(prefix), "%s %s", options->verb, guest->name);
	stageline_init(&p.line, prefix);
	p.tick = (struct tick){ .fn = on_tick, .userdata = &p.line };
	watch_signals();
	int r = run_all(&p, options);
	stageline_end(&p.line);
	if (r >= 0)
		return options->check_update && r > 0 ? CLI_FAILED : CLI_OK;
	tell_failure(&p, r);
	return CLI_FAILED;
}

static bool name_is_typed(const char *guest)
{
	char line[SPEC_NAME_MAX + 2];

	fprintf(stderr,
		"The disk of %s is put aside and a new one made. Type the guest's name: ",
		guest);
	if (!fgets(line, sizeof(line), stdin))
		return false;
	line[strcspn(line, "\n")] = '\0';
	return strcmp(line, guest) == 0;
}

/* `confirmed`: the option's value, "" where it has none. 0, or CLI_USAGE. */
static int confirm_replace(const char *guest, const char *confirmed)
{
	if (*confirmed ? strcmp(confirmed, guest) == 0
		       : isatty(STDIN_FILENO) && isatty(STDERR_FILENO) && name_is_typed(guest))
		return 0;
	fprintf(stderr,
		"mediakitd provision: the disk is not replaced: write --replace-disk=%s, the name "
		"of the guest "
		"whose disk it is\n",
		guest);
	return CLI_USAGE;
}

/* Takes --replace-disk[=GUEST] out of argv, the one option whose value may be missing. */
static int take_replace(int argc, char **argv, const char **ret)
{
	static const char option[] = "--replace-disk";
	size_t len = sizeof(option) - 1;
	int n = 0;

	for (int i = 0; i < argc; i++) {
		bool match = strncmp(argv[i], option, len) == 0;
		if (match && argv[i][len] == '\0')
			*ret = "";
		else if (match && argv[i][len] == '=')
			*ret = argv[i] + len + 1;
		else
			argv[n++] = argv[i];
	}
	return n;
}

static int load_spec(const struct args *args, const char *verb, struct spec **ret)
{
	const char *dir = args->config ?: CONFDIR_DEFAULT;
	struct conf_faults faults = { 0 };
	int r = confdir_load(dir, args->state, args->runtime, ret, &faults);

	for (unsigned i = 0; i < faults.n; i++)
		fprintf(stderr, "%s%s\n", faults.list[i].warning ? "warning: " : "",
			faults.list[i].text);
	if (faults.n_dropped > 0)
		fprintf(stderr, "and %u more\n", faults.n_dropped);
	if (r < 0 && faults.n_errors == 0)
		fprintf(stderr, "mediakitd %s: %s: %s\n", verb, dir, strerror(-r));
	conf_faults_clear(&faults);
	return r < 0 ? CLI_USAGE : 0;
}

static int provision_named(
	const struct spec *spec, const char *name, const struct provision_options *options)
{
	const struct guest_spec *guest = spec_find_guest(spec, name);

	if (!guest) {
		fprintf(stderr, "mediakitd %s: there is no guest %s; configured: ", options->verb,
			name);
		for (unsigned i = 0; i < spec->n_guests; i++)
			fprintf(stderr, "%s%s", i > 0 ? ", " : "", spec->guests[i].name);
		fprintf(stderr, "%s\n", spec->n_guests == 0 ? "none" : "");
		return CLI_NO_GUEST;
	}
	int r = options->replace ? confirm_replace(guest->name, options->replace) : 0;
	return r ? r : provision(spec, guest, options);
}

int provision_by(const struct args *args, const char *name, const struct provision_options *options)
{
	struct spec *spec = NULL;
	int r = load_spec(args, options->verb, &spec);

	if (r)
		return r;
	r = provision_named(spec, name, options);
	spec_free(spec);
	return r;
}

int verb_provision(int argc, char **argv)
{
	static const struct args_rule rule = {
		.options = ARG_TIMEOUT | ARG_CHECK_UPDATE | ARG_FROM,
		.min = 1,
		.max = 1,
		.words = "GUEST",
	};
	struct provision_options options = { .verb = argv[0], .patience = PROVISION_PATIENCE };
	struct args args;

	argc = take_replace(argc, argv, &options.replace);
	int r = args_parse(argc, argv, &rule, &args);
	if (r)
		return r;
	if (args.from && args.check_update) {
		fprintf(stderr,
			"mediakitd provision: --from= and --check-update exclude one another\n");
		return CLI_USAGE;
	}
	options.check_update = args.check_update;
	options.from = args.from;
	if (args.timeout != USEC_INFINITY)
		options.patience = args.timeout;
	return provision_by(&args, args.operands[0], &options);
}
