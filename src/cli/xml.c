/* SPDX-License-Identifier: Apache-2.0 */
/* The domain XML a start would define, without a daemon and without libvirt. */
#include "cli/xml.h"

#include "base/macro.h"
#include "cli/args.h"
#include "cli/verb.h"
#include "io/confdir.h"
#include "io/kvm.h"
#include "io/layout.h"
#include "model/domxml.h"
#include "virt/embed.h"

#include <string.h>

const char usage_xml[] =
	"xml GUEST [--config=DIR] [--state=DIR]\n"
	"\n"
	"Prints the libvirt domain that `mediakitd start GUEST` would define now, from the\n"
	"configuration alone. Nothing is defined, started or asked; a running guest may still\n"
	"have the domain of its last start.\n"
	"\n"
	"With Accel=auto the domain is `kvm` where KVM is seen to work: run as root it is\n"
	"tried with the rights of QEMU's user, as the daemon does, otherwise with one's own.\n"
	"A guest that is not provisioned yet is shown as it would be afterwards.\n"
	"\n"
	"  --config=DIR    configuration, default /etc/mediakitd\n"
	"  --state=DIR     state directory, default from the configuration\n"
	"\n"
	"Exit status: 0 printed, 1 it cannot be described or written, 2 command line or\n"
	"configuration, 4 no such guest.\n";

#define KVM_TRY (2 * USEC_PER_SEC)

/* As the daemon decides it: KVM only where it is seen to work. */
static bool use_kvm(const struct guest_spec *guest)
{
	char why[KVM_WHY_MAX];

	if (guest->accel == ACCEL_TCG || guest->arch != ARCH_X86_64)
		return false;
	return kvm_check(geteuid() == 0 ? EMBED_QEMU_USER : NULL, KVM_TRY, why, sizeof(why)) == 0;
}

static bool is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

static int print_guest(const struct spec *spec, const struct guest_spec *guest)
{
	CLEANUP_FREE char *disk = layout_disk(spec->state_dir, guest->name);
	CLEANUP_FREE char *seed = layout_seed(spec->state_dir, guest->name);
	CLEANUP_FREE char *kernel = layout_kernel(spec->state_dir, guest->name);
	CLEANUP_FREE char *initrd = layout_initrd(spec->state_dir, guest->name);
	CLEANUP_FREE char *xml = NULL;
	int r = -ENOMEM;

	if (disk && seed && kernel && initrd) {
		const struct domxml_paths paths = {
			.disk = disk,
			/* A provisioned guest without a seed was meant to have none. */
			.seed = is_there(seed) || !is_there(disk) ? seed : NULL,
			.kernel = guest->kernel ? kernel : NULL,
			.initrd = guest->initrd ? initrd : NULL,
		};
		r = domxml_build(guest, &paths, use_kvm(guest), &xml);
	}
	if (r < 0) {
		fprintf(stderr, "mediakitd xml: %s cannot be described: %s\n", guest->name,
			strerror(-r));
		return CLI_FAILED;
	}
	if (fputs(xml, stdout) < 0 || fflush(stdout) < 0) {
		fprintf(stderr, "mediakitd xml: %s\n", strerror(errno));
		return CLI_FAILED;
	}
	return CLI_OK;
}

static int load_spec(const struct args *args, struct spec **ret)
{
	const char *dir = args->config ?: CONFDIR_DEFAULT;
	struct conf_faults faults = { 0 };
	int r = confdir_load(dir, args->state, args->runtime, ret, &faults);

	/* Warnings are `check`'s to tell: here they would stand between the reader and the XML. */
	for (unsigned i = 0; i < faults.n; i++)
		if (!faults.list[i].warning)
			fprintf(stderr, "%s\n", faults.list[i].text);
	if (r < 0 && faults.n_errors == 0)
		fprintf(stderr, "mediakitd xml: %s: %s\n", dir, strerror(-r));
	conf_faults_clear(&faults);
	return r < 0 ? CLI_USAGE : 0;
}

static void tell_no_guest(const struct spec *spec, const char *name)
{
	fprintf(stderr, "mediakitd xml: there is no guest %s; configured: ", name);
	for (unsigned i = 0; i < spec->n_guests; i++)
		fprintf(stderr, "%s%s", i > 0 ? ", " : "", spec->guests[i].name);
	fprintf(stderr, "%s\n", spec->n_guests == 0 ? "none" : "");
}

int verb_xml(int argc, char **argv)
{
	static const struct args_rule rule = { .min = 1, .max = 1, .words = "GUEST" };
	const struct guest_spec *guest;
	struct spec *spec = NULL;
	struct args args;

	int r = args_parse(argc, argv, &rule, &args);
	if (r)
		return r;
	r = load_spec(&args, &spec);
	if (r)
		return r;
	guest = spec_find_guest(spec, args.operands[0]);
	if (guest) {
		r = print_guest(spec, guest);
	} else {
		tell_no_guest(spec, args.operands[0]);
		r = CLI_NO_GUEST;
	}
	spec_free(spec);
	return r;
}
