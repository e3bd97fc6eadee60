/* SPDX-License-Identifier: Apache-2.0 */
/* What the embedded driver needs and does not do itself. */
#include "virt/embed.h"

#include "base/file.h"
#include "base/macro.h"
#include "io/kvm.h"
#include "model/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define MARK          "# Written by mediakitd. Remove this line to keep changes of your own.\n"
#define QEMU_CONF_MAX (64u * 1024u)

/* No virtlogd runs in the embedded driver's world, so a start would fail on its log. A mount over
 * /dev/kvm makes the mount namespace that libvirt builds for QEMU fail. AppArmor profiles know
 * libvirtd's paths, not this root. */
static const char qemu_conf[] = MARK "stdio_handler = \"file\"\n"
				     "namespaces = []\n"
				     "security_driver = \"none\"\n";

/* One line, escaped; the first fault is the one that is told. Returns `error`. */
static int fault(char *err, size_t size, int error, const char *format, ...) PRINTF_LIKE(4, 5);

static int fault(char *err, size_t size, int error, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	(void)utf8_escape(err, size, text, strlen(text));
	return error;
}

static int hex(char c)
{
	const char *digits = "0123456789abcdef0123456789ABCDEF";
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)((p - digits) % 16) : -1;
}

/* In place. A %00 or a broken escape is no path. */
static bool percent_decode(char *s)
{
	char *to = s;

	for (; *s; s++) {
		int high, low;

		if (*s != '%') {
			*to++ = *s;
			continue;
		}
		high = hex(s[1]);
		low = high < 0 ? -1 : hex(s[2]);
		if (low < 0 || high * 16 + low == 0)
			return false;
		*to++ = (char)(high * 16 + low);
		s += 2;
	}
	*to = '\0';
	return true;
}

int virt_embed_root(const char *uri, char **ret)
{
	static const char start[] = "qemu:///embed";
	const char *p = uri + sizeof(start) - 1;
	char *root;

	if (strncmp(uri, start, sizeof(start) - 1) != 0 || (*p != '\0' && *p != '?'))
		return -ENOENT;
	while (*p && strncmp(p + 1, "root=", 5) != 0) {
		p = strpbrk(p + 1, "&;");
		if (!p)
			return -EINVAL;
	}
	if (!*p)
		return -EINVAL;
	root = strndup(p + 6, strcspn(p + 6, "&;"));
	if (!root)
		return -ENOMEM;
	if (!percent_decode(root) || root[0] != '/') {
		free(root);
		return -EINVAL;
	}
	*ret = root;
	return 0;
}

int virt_pid_dir(const char *uri, char **ret)
{
	CLEANUP_FREE char *root = NULL;
	int r = virt_embed_root(uri, &root);
	char *dir = NULL;

	if (r == -ENOMEM)
		return r;
	if (r == 0)
		dir = path_join(root, "run/qemu");
	else if (strncmp(uri, "qemu:///system", 14) == 0)
		dir = strdup("/run/libvirt/qemu");
	else
		goto out;
	if (!dir)
		return -ENOMEM;
out:
	*ret = dir;
	return 0;
}

static int write_conf(const char *root, char *err, size_t size)
{
	CLEANUP_FREE char *dir = path_join(root, "etc");
	CLEANUP_FREE char *path = path_join(root, "etc/qemu.conf");
	CLEANUP_FREE char *old = NULL;
	int r;

	if (!dir || !path)
		return fault(err, size, -ENOMEM, "no memory");
	r = file_read(path, QEMU_CONF_MAX, &old, NULL);
	if (r == 0 && (strncmp(old, MARK, sizeof(MARK) - 1) != 0 || strcmp(old, qemu_conf) == 0))
		return 0;
	if (r < 0 && r != -ENOENT)
		return fault(err, size, r, "%s: %s", path, strerror(-r));
	r = dir_make(dir, 0755);
	if (r == 0)
		r = file_write_atomic(path, qemu_conf, sizeof(qemu_conf) - 1, 0644);
	if (r < 0)
		return fault(err, size, r, "%s: cannot write it: %s", path, strerror(-r));
	return 0;
}

/* By the mode bits and the user's own group: what an ACL gives is not seen, so this is a warning,
 * no refusal. */
static bool may_search(const struct stat *st, const struct passwd *user)
{
	if (st->st_uid == user->pw_uid)
		return st->st_mode & S_IXUSR;
	if (st->st_gid == user->pw_gid)
		return st->st_mode & S_IXGRP;
	return st->st_mode & S_IXOTH;
}

/* Names the first directory on the way to the root that QEMU's user cannot pass. */
static int check_reach(const char *root, const struct passwd *user, char *err, size_t size)
{
	CLEANUP_FREE char *path = strdup(root);
	struct stat st;

	if (!path)
		return fault(err, size, -ENOMEM, "no memory");
	for (char *p = path + 1;; p++) {
		char end = *p;

		if (end != '/' && end != '\0')
			continue;
		*p = '\0';
		if (stat(path, &st) < 0)
			return fault(err, size, -errno, "%s: %s", path, strerror(errno));
		if (!may_search(&st, user))
			return fault(err, size, -EACCES,
				"%s: QEMU's user %s may not pass it: chmod o+x it, or put the root "
				"elsewhere",
				path, user->pw_name);
		if (end == '\0')
			return 0;
		*p = end;
	}
}

/* libvirt asks its own rights whether KVM is there and QEMU's answer differs: it then takes what it
 * knows of QEMU for outdated at every look-up and probes anew, seconds each. A slave of the host's
 * mounts still sees what is mounted later; nothing of ours goes the other way. What lies over the
 * device is a regular file on a read-only mount, because libvirt asks access(2), and root may write
 * any device, /dev/null included. */
static int hide_kvm(const char *conf, char *err, size_t size)
{
	char why[KVM_WHY_MAX];

	if (kvm_reachable(EMBED_QEMU_USER, EMBED_KVM_TIMEOUT, why, sizeof(why)) != -EACCES)
		return 0;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0 ||
		mount(conf, "/dev/kvm", NULL, MS_BIND, NULL) < 0 ||
		mount(NULL, "/dev/kvm", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
		return fault(err, size, -errno,
			"%s, and it cannot be hidden (%s): every start of a guest will take a "
			"minute longer",
			why, strerror(errno));
	return 0;
}

int virt_embed_prepare(const char *uri, char *err, size_t size)
{
	CLEANUP_FREE char *root = NULL, *conf = NULL;
	const struct passwd *user;
	int r = virt_embed_root(uri, &root), reach;

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return fault(err, size, r,
			"%s: an embedded driver needs root=DIR, an absolute path", uri);
	r = dir_make(root, 0755);
	if (r < 0)
		return fault(err, size, r, "%s: cannot make it: %s", root, strerror(-r));
	r = write_conf(root, err, size);
	if (r < 0 || geteuid() != 0)
		return r;
	user = getpwnam(EMBED_QEMU_USER);
	if (!user)
		return fault(err, size, -ESRCH,
			"there is no user %s: is QEMU's libvirt driver installed?",
			EMBED_QEMU_USER);
	/* Both are tried, and the last warning is the one that is told: it keeps every start from
	 * working. */
	conf = path_join(root, "etc/qemu.conf");
	r = conf ? hide_kvm(conf, err, size) : fault(err, size, -ENOMEM, "no memory");
	reach = check_reach(root, user, err, size);
	return reach < 0 ? reach : r;
}
