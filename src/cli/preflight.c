/* SPDX-License-Identifier: Apache-2.0 */
/* What a binary needs, held against the guest's C library. */
#include "cli/preflight.h"

#include "base/file.h"
#include "cli/args.h"
#include "cli/verb.h"
#include "io/confdir.h"
#include "io/elf.h"
#include "io/record.h"
#include "io/store.h"
#include "model/manifest.h"
#include "model/state.h"

#include <errno.h>
#include <string.h>

const char usage_preflight[] =
	"preflight BINARY... [--guest=GUEST | --glibc=VERSION] [--config=DIR] [--state=DIR]\n"
	"\n"
	"Reads what each program needs (processor, interpreter, libraries, versions of their\n"
	"symbols) and names what would not resolve in the guest, before it is taken there. What\n"
	"the guest has is known since `provision`, from the image's manifest, or since the\n"
	"guest was ready once and its agent said so; where it is not, or for another machine,\n"
	"say it with --glibc=. Of libraries besides glibc's own it is\n"
	"known whether they are there where the manifest lists them (that of an image made by\n"
	"`bake` does), and the guest cannot install others (Egress=all); otherwise those that\n"
	"may be missing are listed, not judged.\n"
	"\n"
	"  --guest=GUEST     default: the one guest of the configuration\n"
	"  --glibc=VERSION   such as 2.39; no guest is asked about, any processor will do\n"
	"  --config=DIR      configuration, default /etc/mediakitd\n"
	"  --state=DIR       state directory, default from the configuration\n"
	"\n"
	"Exit status: 0 they would run, 1 one would not, or cannot be read, 2 command line or\n"
	"configuration, 4 no such guest.\n";

/* Of Debian's and Ubuntu's package libc6, both processors. */
static const char *const of_glibc[] = { "libc.so.6", "libm.so.6", "libmvec.so.1", "libdl.so.2",
	"libpthread.so.0", "librt.so.1", "libresolv.so.2", "libutil.so.1", "libanl.so.1",
	"libnsl.so.1", "libthread_db.so.1", "libBrokenLocale.so.1", "libnss_files.so.2",
	"libnss_dns.so.2", "libnss_compat.so.2", "libnss_hesiod.so.2", "libc_malloc_debug.so.0",
	"ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1" };

static const char *const loaders[ARCH_NUM] = {
	[ARCH_X86_64] = "/lib64/ld-linux-x86-64.so.2",
	[ARCH_AARCH64] = "/lib/ld-linux-aarch64.so.1",
};

static bool is_of_glibc(const char *library)
{
	for (size_t i = 0; i < ARRAY_SIZE(of_glibc); i++)
		if (strcmp(of_glibc[i], library) == 0)
			return true;
	return false;
}

/* The glibc a version came with. -ENOENT: it is none that a number says. */
static int came_with(const char *version, struct glibc_version *ret)
{
	if (strcmp(version, "GLIBC_ABI_DT_RELR") == 0) {
		*ret = (struct glibc_version){ 2, 36 };
		return 0;
	}
	if (strncmp(version, "GLIBC_", 6) != 0)
		return -ENOENT;
	return glibc_parse(version + 6, ret) < 0 ? -ENOENT : 0;
}

static void tell_missing(const struct elf_version *v)
{
	unsigned shown = MIN(v->n_symbols, ELF_SYMBOLS_MAX);

	printf("  %s (%s)", v->name, v->library);
	for (unsigned i = 0; i < shown; i++)
		printf("%s %s", i == 0 ? ":" : ",", v->symbols[i]);
	if (v->n_symbols > shown)
		printf(" and %u more", v->n_symbols - shown);
	printf("\n");
}

static bool is_missing(
	const struct elf_version *v, const struct glibc_version *have, struct glibc_version *most)
{
	struct glibc_version want;

	if (!is_of_glibc(v->library) || v->weak)
		return false;
	if (came_with(v->name, &want) < 0)
		return true; /* GLIBC_PRIVATE, or one that came after this was written */
	if (glibc_compare(&want, most) > 0)
		*most = want;
	return glibc_compare(&want, have) > 0;
}

static bool wrong_machine(
	const char *path, const struct elf_info *info, const struct preflight_target *target)
{
	if (target->arch != ARCH_NUM && info->arch != target->arch) {
		printf("%s would not run in %s: it is built for %s, the guest is %s\n", path,
			target->name, arch_to_string(info->arch), arch_to_string(target->arch));
		return true;
	}
	if (info->interpreter[0] && strcmp(info->interpreter, loaders[info->arch]) != 0) {
		printf("%s would not run in %s: its interpreter is %s, a glibc guest has %s\n",
			path, target->name, info->interpreter, loaders[info->arch]);
		return true;
	}
	return false;
}

/* False also where it is not known. */
static bool is_there(const char *library, const struct preflight_target *target)
{
	return is_of_glibc(library) ||
	       (target->libraries && manifest_has_library(target->libraries, library));
}

static bool missing_libraries(
	const char *path, const struct elf_info *info, const struct preflight_target *target)
{
	unsigned missing = 0;

	if (!target->libraries || target->may_have_more)
		return false;
	for (unsigned i = 0; i < info->n_needed; i++) {
		if (is_there(info->needed[i], target))
			continue;
		if (missing++ == 0)
			printf("%s would not run in %s; libraries missing there:", path,
				target->name);
		printf("%s %s", missing > 1 ? "," : "", info->needed[i]);
	}
	if (missing > 0)
		printf("\n");
	return missing > 0;
}

static int judge(
	const char *path, const struct elf_info *info, const struct preflight_target *target)
{
	struct glibc_version have = { 0 }, most = { 0 };
	unsigned missing = 0;

	if (wrong_machine(path, info, target))
		return 1;
	(void)glibc_parse(target->glibc, &have);
	for (unsigned i = 0; i < info->n_versions; i++) {
		if (!is_missing(&info->versions[i], &have, &most))
			continue;
		if (missing++ == 0)
			printf("%s would not run in %s, which has glibc %s; missing there:\n", path,
				target->name, target->glibc);
		tell_missing(&info->versions[i]);
	}
	if (missing > 0)
		return 1;
	if (missing_libraries(path, info, target))
		return 1;
	printf("%s: %s, ", path, arch_to_string(info->arch));
	if (most.major > 0)
		printf("needs glibc %u.%u, %s has %s", most.major, most.minor, target->name,
			target->glibc);
	else
		printf("needs nothing of glibc");
	const char *before = "; not known to be there: ";
	for (unsigned i = 0; i < info->n_needed; i++) {
		if (is_there(info->needed[i], target))
			continue;
		printf("%s%s", before, info->needed[i]);
		before = ", ";
	}
	printf("\n");
	return 0;
}

static int cannot_read(const char *path, int error, const struct reason *reason)
{
	fprintf(stderr, "mediakitd preflight: %s: %s\n", path,
		reason->text[0] ? reason->text : file_read_error(error));
	return error;
}

int preflight_bytes(
	const char *path, const void *bytes, size_t len, const struct preflight_target *target)
{
	CLEANUP_FREE struct elf_info *info = malloc(sizeof(*info));
	struct reason reason = { "" };
	int r = info ? elf_read(bytes, len, info, &reason) : -ENOMEM;

	return r < 0 ? cannot_read(path, r, &reason) : judge(path, info, target);
}

int preflight_file(const char *path, const struct preflight_target *target)
{
	CLEANUP_FREE char *bytes = NULL;
	size_t len = 0;
	int r = file_read(path, ELF_FILE_MAX, &bytes, &len);

	return r < 0 ? cannot_read(path, r, &(struct reason){ "" })
		     : preflight_bytes(path, bytes, len, target);
}

static int find_guest(const struct args *args, const struct spec *spec,
	struct preflight_target *target, const struct guest_spec **ret)
{
	*ret = args->guest           ? spec_find_guest(spec, args->guest)
	       : spec->n_guests == 1 ? &spec->guests[0]
				     : NULL;
	if (*ret) {
		target->arch = (*ret)->arch;
		return 0;
	}
	fprintf(stderr, "mediakitd preflight: %s%s; name one with --guest=, configured:",
		args->guest ? "there is no guest " : "which guest?", args->guest ?: "");
	for (unsigned i = 0; i < spec->n_guests; i++)
		fprintf(stderr, " %s", spec->guests[i].name);
	(void)fputc('\n', stderr);
	return args->guest ? CLI_NO_GUEST : CLI_USAGE;
}

/* What the guest said of itself, which the daemon keeps. A file that cannot be used says nothing.
 */
static void read_own_word(
	const struct spec *spec, const struct record *record, struct preflight_target *target)
{
	CLEANUP_FREE char *path = layout_path(spec->state_dir, target->name, LAYOUT_STATE);
	CLEANUP_FREE struct state_record *state = calloc(1, sizeof(*state));
	CLEANUP_FREE char *text = NULL;
	CLEANUP_FREE char *path_disk = layout_disk(spec->state_dir, target->name);
	char disk[RECORD_DISK_TEXT];
	struct glibc_version version;
	size_t len = 0;

	if (!path || !path_disk || !state ||
		file_read_nofollow(path, STORE_TEXT_MAX, &text, &len) < 0 ||
		state_from_text(text, len, state) < 0 || glibc_parse(state->glibc, &version) < 0)
		return;
	/* Of a disk before this one it says nothing here: the daemon's rule, too. */
	record_disk(record, path_disk, disk);
	if (strcmp(state->glibc_disk, disk) != 0)
		return;
	memcpy(target->glibc, state->glibc, sizeof(target->glibc));
	target->own_word = true;
}

static int read_record(const struct spec *spec, struct preflight_target *target)
{
	CLEANUP_FREE char *path = layout_path(spec->state_dir, target->name, LAYOUT_RECORD);
	CLEANUP_FREE struct record *record = calloc(1, sizeof(*record));
	int r = path && record ? record_read(path, record) : -ENOMEM;

	if (r >= 0) {
		memcpy(target->glibc, record->glibc, sizeof(target->glibc));
		if (!target->glibc[0])
			read_own_word(spec, record, target);
		return 0;
	}
	if (r == -ENOENT)
		fprintf(stderr,
			"mediakitd preflight: %s is not provisioned: `mediakitd provision %s`",
			target->name, target->name);
	else
		fprintf(stderr, "mediakitd preflight: the glibc of %s is not known: %s",
			target->name, strerror(-r));
	fprintf(stderr, "; say it with --glibc=\n");
	return CLI_FAILED;
}

/* None: the manifest listed none, or there was no manifest. */
static int read_libraries(const struct spec *spec, struct preflight_target *target)
{
	CLEANUP_FREE char *path = layout_path(spec->state_dir, target->name, LAYOUT_LIBRARIES);
	int r = path ? file_read_nofollow(path, MANIFEST_BYTES_MAX, &target->libraries, NULL)
		     : -ENOMEM;

	if (r >= 0 || r == -ENOENT)
		return 0;
	fprintf(stderr, "mediakitd preflight: cannot read %s: %s\n", path ?: "", strerror(-r));
	return CLI_FAILED;
}

int preflight_target_read(
	const struct spec *spec, const struct guest_spec *guest, struct preflight_target *ret)
{
	*ret = (struct preflight_target){ .name = guest->name,
		.arch = guest->arch,
		.may_have_more = guest->egress == EGRESS_ALL };
	int r = read_record(spec, ret);

	return r ? r : read_libraries(spec, ret);
}

static int judge_all(const struct args *args, const struct preflight_target *target)
{
	int result = CLI_OK;

	for (unsigned i = 0; i < args->n_operands; i++)
		if (preflight_file(args->operands[i], target) != 0)
			result = CLI_FAILED;
	return result;
}

static int for_guest(const struct args *args)
{
	const char *dir = args->config ?: CONFDIR_DEFAULT;
	struct preflight_target target = { .arch = ARCH_NUM };
	const struct guest_spec *guest = NULL;
	struct conf_faults faults = { 0 };
	struct spec *spec = NULL;

	int r = confdir_load(dir, args->state, args->runtime, &spec, &faults);
	for (unsigned i = 0; i < faults.n; i++)
		if (!faults.list[i].warning)
			fprintf(stderr, "%s\n", faults.list[i].text);
	if (r < 0 && faults.n_errors == 0)
		fprintf(stderr, "mediakitd preflight: %s: %s\n", dir, strerror(-r));
	conf_faults_clear(&faults);
	if (r < 0)
		return CLI_USAGE;
	r = find_guest(args, spec, &target, &guest);
	if (r == 0)
		r = preflight_target_read(spec, guest, &target);
	if (r == 0 && !target.glibc[0]) {
		fprintf(stderr,
			"mediakitd preflight: the glibc of %s is not known: its image had no "
			"manifest, and it was never up with its guest agent to say so; say it with "
			"--glibc=\n",
			target.name);
		r = CLI_FAILED;
	}
	if (r == 0)
		r = judge_all(args, &target);
	free(target.libraries);
	spec_free(spec);
	return r;
}

int verb_preflight(int argc, char **argv)
{
	static const struct args_rule rule = { .options = ARG_GUEST | ARG_GLIBC,
		.min = 1,
		.max = ARGS_OPERANDS_MAX,
		.words = "BINARY..." };
	struct preflight_target target = { .name = "the guest", .arch = ARCH_NUM };
	struct glibc_version version;
	struct args args;
	int r = args_parse(argc, argv, &rule, &args);

	if (r)
		return r;
	if (!args.glibc)
		return for_guest(&args);
	if (args.guest || strlen(args.glibc) >= sizeof(target.glibc) ||
		glibc_parse(args.glibc, &version) < 0) {
		fprintf(stderr,
			"mediakitd preflight: --glibc= takes a version such as 2.39, and no "
			"--guest= beside it\n");
		return CLI_USAGE;
	}
	memcpy(target.glibc, args.glibc, strlen(args.glibc) + 1);
	return judge_all(&args, &target);
}
