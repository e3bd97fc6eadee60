/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of `bake`; then it becomes the shell that runs the script. */
#include "cli/bake.h"

#include "base/file.h"
#include "base/macro.h"
#include "cli/args.h"
#include "cli/verb.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

const char usage_bake[] =
	"bake noble|trixie DIR [--mirror=URL] [--security=URL|none] [--keyring=FILE]\n"
	"\n"
	"Makes a guest's image in DIR from packages, natively: no emulation, no loop device. The\n"
	"suite is noble, Ubuntu 24.04, or trixie, Debian 13. Inside are nginx, build-essential,\n"
	"qemu-guest-agent, cloud-init and a kernel for virtual machines; its first boot needs no\n"
	"network. Takes one to four minutes, 4 GiB in DIR, root, and the packages it names where\n"
	"they are missing. What DIR held of the suite before is replaced only at the end, so give\n"
	"an image that guests stand on another directory: `provision` has its own copy, though.\n"
	"\n"
	"DIR then holds SUITE.qcow2 (boots by itself), vmlinuz, vmlinux, initrd.img and cmdline\n"
	"(for direct boot, the faster way), SHA256SUMS, packages, and a manifest: the packages "
	"and\n"
	"their versions, the digests, the glibc, the libraries; `provision` and `preflight` read\n"
	"it. On stdout come the lines for the guest's configuration. Where the image of the other\n"
	"suite is in DIR it is refused, since all but the image would be replaced.\n"
	"\n"
	"With the same $SOURCE_DATE_EPOCH (seconds since 1970; default now) the same packages\n"
	"make the same files, bit for bit. The archive moves on; a mirror that stands still, such\n"
	"as snapshot.debian.org or snapshot.ubuntu.com, makes them last. Of an archive that is\n"
	"named here, lists are taken though they have expired.\n"
	"\n"
	"  --mirror=URL    of the archive: http, https or file; default the one this machine's "
	"apt\n"
	"                  uses for that distribution, else mmdebstrap's or archive.ubuntu.com\n"
	"  --security=URL  of the security updates, likewise; default for noble the same mirror.\n"
	"                  none: without them. Beside a snapshot of Debian's name that of its\n"
	"                  security archive, …/archive/debian-security/TIME: the default goes on\n"
	"  --keyring=FILE  that signs the archive, for gpgv; default the distribution's package.\n"
	"                  Where there is none of Ubuntu's, its key is fetched from the mirror "
	"and\n"
	"                  known by its fingerprint\n"
	"\n"
	"Exit status: 0 made, 1 failed (what DIR held is as it was), 2 command line.\n";

#define WORK ".bake.XXXXXX"

static const char *const suites[] = { "noble", "trixie" };

/* They end up in a file of sources for apt, and in words of a shell: anything else is refused here.
 * A '@' would begin a password. */
#define OF_A_NAME "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._+-~"

static int refuse(const char *what, const char *value, const char *wanted)
{
	fprintf(stderr, "mediakitd bake: %s%s: %s\n", what, value, wanted);
	return CLI_USAGE;
}

static bool is_url(const char *s)
{
	static const char *const schemes[] = { "http://", "https://", "file:///" };

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		size_t n = strlen(schemes[i]);

		if (strncmp(s, schemes[i], n) == 0)
			return s[n] && strspn(s + n, OF_A_NAME ":") == strlen(s + n);
	}
	return false;
}

static int check(const struct args *args)
{
	static const char url[] = "wants http://HOST/…, https://HOST/… or file:///…";
	const char *suite = args->operands[0];
	bool known = false;

	for (size_t i = 0; i < ARRAY_SIZE(suites); i++)
		known |= strcmp(suite, suites[i]) == 0;
	if (!known)
		return refuse("no suite ", suite, "noble (Ubuntu 24.04) or trixie (Debian 13)");
	if (args->mirror && !is_url(args->mirror))
		return refuse("--mirror=", args->mirror, url);
	if (args->security && strcmp(args->security, "none") != 0 && !is_url(args->security))
		return refuse("--security=", args->security, url);
	if (args->keyring && (args->keyring[0] != '/' ||
				     strspn(args->keyring, OF_A_NAME) != strlen(args->keyring)))
		return refuse("--keyring=", args->keyring,
			"wants a path from the root on, of letters, digits and /._+-~");
	return 0;
}

static int failed(const char *path, int error)
{
	fprintf(stderr, "mediakitd bake: %s: %s\n", path, strerror(error));
	return CLI_FAILED;
}

/* Makes the directory and holds it: the descriptor goes on to the shell and all it runs, so that
 * the lock ends with the last of them. */
static int take_directory(const char *given, char **ret)
{
	int r = dir_make(given, 0755);

	if (r < 0)
		return failed(given, -r);
	char *out = realpath(given, NULL);
	if (!out)
		return failed(given, errno);
	if (strspn(out, OF_A_NAME) != strlen(out)) {
		(void)refuse("", out, "wants a directory of letters, digits and /._+-~");
		free(out);
		return CLI_USAGE;
	}
	int fd = open(out, O_RDONLY | O_DIRECTORY); /* NOLINT: not close-on-exec, see above */
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			fprintf(stderr, "mediakitd bake: %s: another bake is at work there\n", out);
		else
			(void)failed(out, errno);
		if (fd >= 0)
			(void)close(fd);
		free(out);
		return CLI_FAILED;
	}
	*ret = out;
	return 0;
}

/* The kernel, the initrd and the rest have the same names for every suite. */
static int refuse_beside_another(const char *out, const char *suite)
{
	for (size_t i = 0; i < ARRAY_SIZE(suites); i++) {
		CLEANUP_FREE char *image = NULL;

		if (strcmp(suite, suites[i]) == 0)
			continue;
		if (asprintf(&image, "%s/%s.qcow2", out, suites[i]) < 0)
			return failed(out, ENOMEM);
		if (access(image, F_OK) < 0)
			continue;
		fprintf(stderr,
			"mediakitd bake: %s: the kernel and the initrd beside it are its own; give "
			"%s another directory\n",
			image, suite);
		return CLI_FAILED;
	}
	return 0;
}

static int write_scripts(const char *work)
{
	/* mmdebstrap goes through it as apt's user. */
	if (chmod(work, 0755) < 0)
		return failed(work, errno);
	for (const struct bake_file *f = bake_files; f->name; f++) {
		CLEANUP_FREE char *path = path_join(work, f->name);
		int r = path ? file_write_atomic(path, f->text, (size_t)(f->end - f->text), 0755)
			     : -ENOMEM;

		if (r < 0)
			return failed(work, -r);
	}
	return 0;
}

static void remove_scripts(const char *work)
{
	for (const struct bake_file *f = bake_files; f->name; f++) {
		CLEANUP_FREE char *path = path_join(work, f->name);

		if (path)
			(void)unlink(path);
	}
	(void)rmdir(work);
}

/* Returns only where it failed. */
static int become(const struct args *args, const char *out, char *work)
{
	CLEANUP_FREE char *script = path_join(work, "bake");
	char *argv[] = { (char[]){ "sh" }, script, (char *)(uintptr_t)args->operands[0],
		(char *)(uintptr_t)out, work, (char *)(uintptr_t)(args->mirror ?: ""),
		(char *)(uintptr_t)(args->security ?: ""), (char *)(uintptr_t)(args->keyring ?: ""),
		NULL };

	if (script)
		(void)execv("/bin/sh", argv);
	return failed("/bin/sh", script ? errno : ENOMEM);
}

int verb_bake(int argc, char **argv)
{
	static const struct args_rule rule = {
		.options = ARG_BAKE, .min = 2, .max = 2, .words = "noble|trixie DIR"
	};
	CLEANUP_FREE char *out = NULL, *work = NULL;
	struct args args;
	int r = args_parse(argc, argv, &rule, &args);

	if (r == 0)
		r = check(&args);
	if (r == 0 && geteuid() != 0) {
		fprintf(stderr, "mediakitd bake: must run as root: the guest's files get their "
				"owners here\n");
		r = CLI_FAILED;
	}
	if (r == 0)
		r = take_directory(args.operands[1], &out);
	if (r == 0)
		r = refuse_beside_another(out, args.operands[0]);
	if (r)
		return r;
	work = path_join(out, WORK);
	if (!work || !mkdtemp(work))
		return failed(out, work ? errno : ENOMEM);
	r = write_scripts(work);
	if (r == 0)
		r = become(&args, out, work);
	remove_scripts(work);
	return r;
}
