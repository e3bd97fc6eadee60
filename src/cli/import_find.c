/* SPDX-License-Identifier: Apache-2.0 */
/* The stages that only look: which files of the directory are the guest's disk and its seed, and
 * whether the disk may be taken. */
#include "base/file.h"
#include "base/parse.h"
#include "cli/import_job.h"
#include "io/holders.h"
#include "model/utf8.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>

/* ISO 9660 (ECMA-119 8.4): the primary volume descriptor is sector 16; its label is at 40. */
#define ISO_DESCRIPTOR (16 * 2048)
#define ISO_MAGIC      "\1CD001"
#define ISO_LABEL      40u
#define ISO_LABEL_LEN  32u

struct candidate {
	char name[NAME_MAX + 1];
	uint64_t bytes; /* of the disk it holds */
};

struct listing {
	struct candidate disks[IMPORT_CANDIDATES_MAX];
	unsigned n_disks, n_seeds, n_entries;
};

static void cleanup_dirp(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

static bool is_seed(int fd)
{
	char sector[ISO_LABEL + ISO_LABEL_LEN] = "";

	if (pread(fd, sector, sizeof(sector), ISO_DESCRIPTOR) != (ssize_t)sizeof(sector) ||
		memcmp(sector, ISO_MAGIC, sizeof(ISO_MAGIC) - 1) != 0)
		return false;
	return strncasecmp(sector + ISO_LABEL, "cidata", 6) == 0 && sector[ISO_LABEL + 6] == ' ';
}

/* A regular file, which nothing is followed to. -ELOOP: a symbolic link; -EINVAL: something else.
 */
static int open_plain(int dir_fd, const char *name, struct stat *ret)
{
	CLEANUP_CLOSE int fd =
		openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 || fstat(fd, ret) < 0)
		return -errno;
	return S_ISREG(ret->st_mode) ? TAKE_FD(fd) : -EINVAL;
}

static void look_at(struct import *im, struct listing *l, const char *name)
{
	struct stat st;
	uint64_t bytes;
	int fd = open_plain(im->dir_fd, name, &st);

	if (fd < 0)
		return;
	if (disk_is_qcow2(fd, &bytes) && l->n_disks++ < IMPORT_CANDIDATES_MAX) {
		struct candidate *c = &l->disks[l->n_disks - 1];

		(void)snprintf(c->name, sizeof(c->name), "%s", name);
		c->bytes = bytes;
	} else if (is_seed(fd) && l->n_seeds++ == 0) {
		(void)snprintf(im->seed.name, sizeof(im->seed.name), "%s", name);
		im->seed.fd = TAKE_FD(fd);
		im->seed.was = st;
	}
	cleanup_closep(&fd);
}

static int list_dir(struct provision *p, struct listing *l)
{
	struct import *im = p->import;
	int fd = dup(im->dir_fd);
	CLEANUP(cleanup_dirp) DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		cleanup_closep(&fd);
		return -errno;
	}
	for (const struct dirent *e; (e = readdir(d));) {
		if (++l->n_entries > IMPORT_ENTRIES_MAX)
			return reason_set(&p->reason, -E2BIG,
				"%s has more than %u files: is it the right one? Name the disk "
				"with --disk=FILE",
				im->dir, IMPORT_ENTRIES_MAX);
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			look_at(im, l, e->d_name);
	}
	return 0;
}

/* Names what is there, and what to do. */
static int refuse_choice(struct provision *p, const struct listing *l)
{
	char wanted[SIZE_TEXT_MAX], size[SIZE_TEXT_MAX], shown[128], list[512] = "";
	size_t at = 0;

	for (unsigned i = 0; i < MIN(l->n_disks, IMPORT_CANDIDATES_MAX); i++) {
		const struct candidate *c = &l->disks[i];

		(void)utf8_escape(shown, sizeof(shown), c->name, strlen(c->name));
		at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%s of %s", i ? ", " : "",
			shown, format_size_kib(size, sizeof(size), c->bytes / 1024));
		at = MIN(at, sizeof(list) - 1);
	}
	if (l->n_disks == 0)
		return reason_set(&p->reason, -ENOENT,
			"%s holds no qcow2 image, so no disk to take over. A raw one becomes one "
			"by qemu-img convert -O qcow2",
			p->import->dir);
	return reason_set(&p->reason, -EINVAL,
		"%s holds no disk, or more than one, of the size that Disk= says (%s), but %s: "
		"name the guest's disk with --disk=FILE",
		p->import->dir, format_size_kib(wanted, sizeof(wanted), p->guest->disk_kib), list);
}

/* The script's directory has the image it downloaded as well: the disk is the one of the guest's
 * size. */
static int choose_disk(struct provision *p, const struct listing *l)
{
	struct import *im = p->import;
	const char *chosen = im->named;
	unsigned n = 0;

	if (im->named && strchr(im->named, '/'))
		return reason_set(&p->reason, -EINVAL,
			"--disk=%s: this is a name in the directory, without a slash", im->named);
	for (unsigned i = 0; !im->named && i < MIN(l->n_disks, IMPORT_CANDIDATES_MAX); i++)
		if (l->disks[i].bytes == p->guest->disk_kib * 1024) {
			chosen = l->disks[i].name;
			n++;
		}
	if (!im->named && (n != 1 || l->n_disks > IMPORT_CANDIDATES_MAX))
		return refuse_choice(p, l);
	(void)snprintf(im->disk.name, sizeof(im->disk.name), "%s", chosen);
	im->disk.fd = open_plain(im->dir_fd, chosen, &im->disk.was);
	if (im->disk.fd == -ELOOP)
		return reason_set(&p->reason, -ELOOP,
			"%s/%s is a symbolic link: give the directory that the disk is in", im->dir,
			chosen);
	if (im->disk.fd < 0)
		return reason_set(&p->reason, im->disk.fd, "cannot open %s/%s: %s", im->dir, chosen,
			file_read_error(im->disk.fd));
	return 0;
}

static int refuse_existing(struct provision *p)
{
	return reason_set(&p->reason, -EEXIST,
		"the guest has a disk already, %s: if it came from %s, `mediakitd provision %s` "
		"goes on from there; otherwise move it away first",
		p->disk, p->import->dir, p->guest->name);
}

int import_find(struct provision *p)
{
	struct import *im = p->import;
	struct listing l = { 0 };

	if (!guest_spec_has_disk(p->guest))
		return reason_set(&p->reason, -EINVAL,
			"the guest %s boots from its kernel alone and has no disk", p->guest->name);
	im->dir_fd = open(im->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (im->dir_fd < 0)
		return reason_set(
			&p->reason, -errno, "cannot open %s: %s", im->dir, strerror(errno));
	if (access(p->disk, F_OK) == 0)
		return refuse_existing(p);
	int r = list_dir(p, &l);
	if (r >= 0)
		r = choose_disk(p, &l);
	if (r >= 0 && l.n_seeds > 1) {
		stageline_note(&p->line, "%s holds %u seeds; they stay there, none is needed",
			im->dir, l.n_seeds);
		im->seed.name[0] = '\0';
	}
	return r;
}

/* The kernel would say so too, but after the seed had gone. */
static int check_file_system(struct provision *p)
{
	const struct import *im = p->import;
	char size[SIZE_TEXT_MAX];
	struct stat to;

	if (fstat(im->to_fd, &to) < 0)
		return -errno;
	if (to.st_dev == im->disk.was.st_dev)
		return 0;
	return import_refuse_far(
		p, format_size_kib(size, sizeof(size), (uint64_t)im->disk.was.st_blocks / 2));
}

int import_refuse_far(struct provision *p, const char *size)
{
	const struct import *im = p->import;

	return reason_set(&p->reason, -EXDEV,
		"%s and %s are on different file systems, where moving is copying (%s): set "
		"StateDirectory= to one on the file system of %s; or, with the guest down, copy "
		"it yourself (cp --sparse=always '%s/%s' into a new directory beside %s), look at "
		"the copy with qemu-img check, and import that directory",
		im->dir, p->image_dir, size, im->dir, im->dir, im->disk.name, p->image_dir);
}

/* Two names are two QEMUs on one disk, one day. */
static int check_names(struct provision *p)
{
	const struct import *im = p->import;

	if (im->disk.was.st_nlink == 1)
		return 0;
	return reason_set(&p->reason, -EMLINK,
		"%s/%s has %ju names (hard links), and whoever uses another one uses this disk: "
		"find them (find … -xdev -inum %ju) and remove them first",
		im->dir, im->disk.name, (uintmax_t)im->disk.was.st_nlink,
		(uintmax_t)im->disk.was.st_ino);
}

int import_check_free(struct provision *p)
{
	const struct import *im = p->import;
	char who[HOLDERS_WHO_MAX];
	int r = holders_find(im->disk.fd, who);

	if (r == 0)
		return 0;
	if (r == -EPERM)
		return reason_set(&p->reason, r,
			"run it as root: nobody else sees whether a process has the disk open");
	if (r < 0)
		return reason_set(&p->reason, r,
			"it cannot be known whether a process has %s/%s open%s%s: %s", im->dir,
			im->disk.name, who[0] ? ": " : "", who, strerror(-r));
	return reason_set(&p->reason, -EBUSY,
		"%s/%s is in use: %s has it open. Shut the guest down first (systemctl stop %s, "
		"for the old unit)",
		im->dir, im->disk.name, who, p->guest->name);
}

int import_check(struct provision *p)
{
	struct import *im = p->import;
	CLEANUP_FREE char *path = path_join(im->dir, im->disk.name);
	struct disk_info info;

	if (!path)
		return -ENOMEM;
	im->to_fd = open(p->image_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (im->to_fd < 0)
		return reason_set(
			&p->reason, -errno, "cannot open %s: %s", p->image_dir, strerror(errno));
	int r = check_file_system(p);
	if (r >= 0)
		r = check_names(p);
	if (r >= 0)
		r = import_check_free(p);
	if (r >= 0)
		r = disk_check_header(path, &p->reason);
	if (r >= 0)
		r = disk_info(path, DISK_QCOW2, &p->tick, &info, &p->reason);
	return r < 0 ? r : disk_check(path, DISK_QCOW2, &p->tick, &p->reason);
}
