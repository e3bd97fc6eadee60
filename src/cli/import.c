/* SPDX-License-Identifier: Apache-2.0 */
/* The verb, and what it leaves to the operator: the old unit. */
#include "cli/import.h"

#include "base/file.h"
#include "cli/args.h"
#include "cli/import_job.h"
#include "cli/verb.h"

#include <errno.h>
#include <string.h>

/* The one guest the script made. */
#define GUEST "vm-mediakit"

#define UNIT_BYTES_MAX (64u * 1024u)

const char usage_import[] =
	"import-predecessor DIR [--guest=GUEST] [--disk=FILE] [--config=DIR] [--state=DIR]\n"
	"\n"
	"Takes over the disk that the shell script before us, or any QEMU run by hand, left in\n"
	"DIR: moves it to where the guest's disk lies in the state directory, and then does what\n"
	"`provision` does. The disk is renamed, never copied, and never has two names. Run it as\n"
	"root, with the old guest shut down.\n"
	"\n"
	"The disk is the one qcow2 image in DIR of the size that Disk= says; other files, such\n"
	"as the image it was once made from, stay where they are. A seed for cloud-init found\n"
	"there is kept beside the disk as seed.iso.old-<time>, and not used: the guest has\n"
	"another network card now, which its cloud-init takes up only with a new instance-id.\n"
	"So the seed is made from the configuration, and the next boot makes the user, the keys\n"
	"and the network anew. Data and packages stay, and the guest's SSH host keys but the\n"
	"ed25519 one: that becomes the one in private/GUEST/known_hosts of the state directory.\n"
	"\n"
	"It is refused, and nothing is changed, where a process has the disk open, where a\n"
	"loop device or a lock is on it, where it has another name (a hard link), where DIR is on\n"
	"another file system than the state directory, where the image is damaged or needs other\n"
	"files, and where the guest has a disk already. At whatever point it is ended, by\n"
	"kill -9 too, the disk is whole, in DIR or in its new place: run it again.\n"
	"\n"
	"  --guest=GUEST   the guest whose disk it becomes; default " GUEST "\n"
	"  --disk=FILE     a name in DIR, where the size does not tell the disk from others\n"
	"  --config=DIR    configuration, default /etc/mediakitd\n"
	"  --state=DIR     state directory, default from the configuration\n"
	"\n"
	"Exit status: 0 done, 1 refused or failed, 2 command line or configuration, 4 no such\n"
	"guest.\n";

/* A unit in these hides the one that was installed. Ours says the name of the template. */
static bool is_old_unit(const char *path)
{
	CLEANUP_FREE char *text = NULL;

	if (file_read(path, UNIT_BYTES_MAX, &text, NULL) < 0)
		return false;
	return !strstr(text, "mediakit-guest@");
}

static void tell_unit(const char *guest)
{
	static const char *const dirs[] = { "/etc/systemd/system", "/run/systemd/system",
		"/usr/local/lib/systemd/system" };
	bool found = false;

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		CLEANUP_FREE char *path = NULL;

		if (asprintf(&path, "%s/%s.service", dirs[i], guest) < 0) {
			path = NULL;
			continue;
		}
		if (!is_old_unit(path))
			continue;
		found = true;
		fprintf(stderr,
			"The old unit is still there and hides the one of mediakitd. Take it "
			"away:\n"
			"  systemctl disable --now %s\n  rm %s\n  systemctl daemon-reload\n",
			guest, path);
	}
	fprintf(stderr, "%sThen: systemctl enable --now mediakit-guest@%s\n",
		found ? ""
		      : "An old unit that starts QEMU by itself would find no disk any more: "
			"disable it.\n",
		guest);
}

int verb_import(int argc, char **argv)
{
	static const struct args_rule rule = {
		.options = ARG_GUEST | ARG_DISK, .min = 1, .max = 1, .words = "DIR"
	};
	struct args args;
	int r = args_parse(argc, argv, &rule, &args);

	if (r)
		return r;
	const char *guest = args.guest ?: GUEST;
	CLEANUP(import_clear) struct import import;
	const struct provision_options options = {
		.verb = argv[0],
		.patience = PROVISION_PATIENCE,
		.import = &import,
	};
	import_init(&import, args.operands[0], args.disk);
	r = provision_by(&args, guest, &options);
	if (import.disk.moved)
		tell_unit(guest);
	return r;
}
