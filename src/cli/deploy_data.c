/* SPDX-License-Identifier: Apache-2.0 */
/* A directory to the guest: what it lacks, or has with another size or time, as one tar. What the
 * guest has besides is the service's own, and stays. */
#include "base/file.h"
#include "base/parse.h"
#include "cli/deploy_job.h"
#include "model/tarhead.h"
#include "model/utf8.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILES_MAX      65536u
#define LISTING_MAX    (24u * 1024u * 1024u) /* of that many files */
#define DEPTH_MAX      32u
#define DATA_TIMEOUT   (5 * USEC_PER_MINUTE)
#define BYTES_PER_USEC 16 /* 16 MB a second; the time-out allows a 200th of that */

struct file {
	char *path;
	uint64_t size, mtime;
	bool executable;
};

struct files {
	struct file *list;
	size_t n, room;
};

struct sending {
	struct deploy *d;
	const struct files *files;
	const char *dir;
	size_t at; /* the file that is next */
	int fd;    /* of the one under way, or -1 */
	uint64_t left, pad;
	uint64_t done, total;
	bool ended;
};

static void cleanup_files(struct files *files)
{
	for (size_t i = 0; i < files->n; i++)
		free(files->list[i].path);
	free(files->list);
}

static int add(struct deploy *d, struct files *files, const struct file *file)
{
	if (files->n == files->room) {
		size_t room = files->room ? 2 * files->room : 64;
		struct file *list = reallocarray(files->list, room, sizeof(*list));

		if (!list)
			return -ENOMEM;
		files->list = list;
		files->room = room;
	}
	if (files->n == FILES_MAX)
		return reason_set(
			&d->reason, -E2BIG, "%s: more than %u files", d->args->data, FILES_MAX);
	files->list[files->n] = *file;
	files->list[files->n].path = strdup(file->path);
	if (!files->list[files->n].path)
		return -ENOMEM;
	files->n++;
	return 0;
}

static int refuse(struct deploy *d, int error, const char *path, const char *what)
{
	char shown[512];

	(void)utf8_escape(shown, sizeof(shown), path, strlen(path));
	return reason_set(&d->reason, error, "%s/%s: %s", d->args->data, shown, what);
}

static int walk(
	struct deploy *d, struct files *files, int dir_fd, const char *prefix, unsigned depth);

static int take_entry(struct deploy *d, struct files *files, int dir_fd, const char *name,
	const char *path, unsigned depth)
{
	unsigned char header[TAR_BLOCK];
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return refuse(d, -errno, path, strerror(errno));
	if (S_ISDIR(st.st_mode)) {
		int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0)
			return refuse(d, -errno, path, strerror(errno));
		return walk(d, files, fd, path, depth + 1);
	}
	if (!S_ISREG(st.st_mode))
		return refuse(d, -EINVAL, path,
			"neither a file nor a directory; only these are taken to a guest");
	const struct file file = { .path = (char *)(uintptr_t)path,
		.size = (uint64_t)st.st_size,
		.mtime = (uint64_t)MAX(st.st_mtim.tv_sec, (time_t)0),
		.executable = st.st_mode & 0100 };
	int r = tar_header(path, file.size, file.mtime, false, header);
	if (r < 0)
		return refuse(d, r, path,
			r == -EFBIG ? "a file over 8 GiB, or from after the year 2242"
				    : "its name is too long: 255 bytes, each part 99");
	return add(d, files, &file);
}

/* Takes dir_fd over. */
static int walk(
	struct deploy *d, struct files *files, int dir_fd, const char *prefix, unsigned depth)
{
	DIR *dir = fdopendir(dir_fd);
	const struct dirent *entry;
	int r = 0;

	if (!dir) {
		r = -errno;
		(void)close(dir_fd);
		return r;
	}
	if (depth > DEPTH_MAX)
		r = refuse(d, -ELOOP, prefix, "directories too deep in each other");
	while (r == 0 && (entry = readdir(dir))) {
		CLEANUP_FREE char *path = NULL;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (asprintf(&path, "%s%s%s", prefix, *prefix ? "/" : "", entry->d_name) < 0)
			r = -ENOMEM;
		else
			r = take_entry(d, files, dirfd(dir), entry->d_name, path, depth);
	}
	(void)closedir(dir);
	return r;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct file *)a)->path, ((const struct file *)b)->path);
}

/* "SIZE SECONDS.FRACTION PATH", ended by a NUL. */
static int parse_entry(const char *text, struct file *ret)
{
	char *end = NULL;

	errno = 0;
	ret->size = strtoull(text, &end, 10);
	if (errno || end == text || *end != ' ')
		return -EBADMSG;
	const char *time = end + 1;
	ret->mtime = strtoull(time, &end, 10);
	if (errno || end == time || (*end != '.' && *end != ' '))
		return -EBADMSG;
	end = strchr(end, ' ');
	if (!end || !end[1])
		return -EBADMSG;
	ret->path = end + 1;
	return 0;
}

/* Leaves in `files` what the guest has not. */
static int leave_out(struct deploy *d, struct files *files)
{
	const char *text = d->lines, *end = d->lines + d->lines_len;
	size_t kept = 0;

	if (files->n > 0)
		qsort(files->list, files->n, sizeof(*files->list), by_path);
	while (text < end) {
		struct file have;

		if (!memchr(text, '\0', (size_t)(end - text)) || parse_entry(text, &have) < 0)
			return reason_set(&d->reason, -EBADMSG, "%s: a list of files that is none",
				d->guest->name);
		struct file *mine = files->n == 0 ? NULL
						  : bsearch(&have, files->list, files->n,
							    sizeof(have), by_path);
		/* Marked by a size that no file has. */
		if (mine && mine->size == have.size && mine->mtime == have.mtime)
			mine->size = UINT64_MAX;
		text += strlen(text) + 1;
	}
	for (size_t i = 0; i < files->n; i++)
		if (files->list[i].size == UINT64_MAX)
			free(files->list[i].path);
		else
			files->list[kept++] = files->list[i];
	files->n = kept;
	return 0;
}

static ssize_t open_next(struct sending *s, void *buf)
{
	const struct file *file = &s->files->list[s->at++];
	CLEANUP_FREE char *path = path_join(s->dir, file->path);
	struct stat st;

	s->fd = path ? open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK) : -1;
	if (s->fd < 0 || fstat(s->fd, &st) < 0)
		return refuse(s->d, path ? -errno : -ENOMEM, file->path, strerror(errno));
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != file->size)
		return refuse(s->d, -EIO, file->path, "was changed while it was sent");
	s->left = file->size;
	s->pad = (TAR_BLOCK - file->size % TAR_BLOCK) % TAR_BLOCK;
	int r = tar_header(file->path, file->size, file->mtime, file->executable, buf);
	return r < 0 ? r : (ssize_t)TAR_BLOCK;
}

static ssize_t give_content(struct sending *s, void *buf, size_t size)
{
	ssize_t n = read(s->fd, buf, (size_t)MIN((uint64_t)size, s->left));

	if (n <= 0)
		return refuse(s->d, n < 0 ? -errno : -EIO, s->files->list[s->at - 1].path,
			n < 0 ? strerror(errno) : "was changed while it was sent");
	s->left -= (uint64_t)n;
	s->done += (uint64_t)n;
	stageline_progress(&s->d->line, s->done, s->total);
	return n;
}

/* See struct program. `size` is more than two blocks. */
static ssize_t give(void *userdata, void *buf, size_t size)
{
	struct sending *s = userdata;

	if (s->left > 0)
		return give_content(s, buf, size);
	if (s->pad > 0) {
		ssize_t n = (ssize_t)s->pad;

		memset(buf, 0, s->pad);
		s->pad = 0;
		return n;
	}
	cleanup_closep(&s->fd);
	s->fd = -1;
	if (s->at < s->files->n)
		return open_next(s, buf);
	if (s->ended)
		return 0;
	s->ended = true;
	memset(buf, 0, (size_t)2 * TAR_BLOCK);
	return (ssize_t)2 * TAR_BLOCK;
}

static int list_here(struct deploy *d, struct files *files)
{
	int fd = open(d->args->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return reason_set(
			&d->reason, -errno, "--data: %s: %s", d->args->data, strerror(errno));
	return walk(d, files, fd, "", 0);
}

int deploy_data(struct deploy *d)
{
	const struct deploy_step have = { .name = "have",
		.vars = "",
		.timeout = DATA_TIMEOUT,
		.raw = true,
		.output_max = LISTING_MAX };
	CLEANUP(cleanup_files) struct files files = { 0 };
	struct sending s = { .d = d, .files = &files, .dir = d->args->data, .fd = -1 };
	char size[SIZE_TEXT_MAX];
	int r = list_here(d, &files);
	size_t all = files.n;

	if (r >= 0)
		r = deploy_step(d, &have);
	if (r >= 0)
		r = leave_out(d, &files);
	if (r < 0)
		return r;
	for (size_t i = 0; i < files.n; i++)
		s.total += files.list[i].size;
	stageline_note(&d->line, "data: %zu of %zu files differ, %s", files.n, all,
		format_size_kib(size, sizeof(size), (s.total + 1023) / 1024));
	if (files.n == 0)
		return 0;
	const struct deploy_step send = { .name = "data",
		.vars = "",
		.feed = give,
		.userdata = &s,
		.timeout = DATA_TIMEOUT + s.total * 200 / BYTES_PER_USEC };
	r = deploy_step(d, &send);
	cleanup_closep(&s.fd);
	if (r >= 0 && !d->facts.data)
		r = reason_set(&d->reason, -EBADMSG, "%s does not say that it has the data",
			d->guest->name);
	return r;
}
