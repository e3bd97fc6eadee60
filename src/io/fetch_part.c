/* SPDX-License-Identifier: Apache-2.0 */
/* The partial file and the meta file beside it: three lines, the URL, the validator and the size.
 */
#include "io/fetch_part.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "base/parse.h"
#include "io/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define META_MAX   8192u
#define PART_MODE  0600
#define LOOK_EVERY (16u * 1024u * 1024u) /* bytes written between two looks at the space */

static char *meta_path(const char *path)
{
	char *meta = NULL;

	return asprintf(&meta, "%s" FETCH_META, path) < 0 ? NULL : meta;
}

void fetch_discard(const char *path)
{
	CLEANUP_FREE char *meta = meta_path(path);

	(void)unlink(path);
	if (meta)
		(void)unlink(meta);
}

/* The value of the header `name`, without blanks around it, where it fits and is visible ASCII. */
static bool value_of(const char *line, size_t len, const char *name, char ret[FETCH_VALIDATOR_MAX])
{
	size_t n = strlen(name);

	if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
		return false;
	for (line += n + 1, len -= n + 1; len > 0 && (*line == ' ' || *line == '\t'); line++)
		len--;
	while (len > 0 && strchr(" \t\r\n", line[len - 1]))
		len--;
	if (len == 0 || len >= FETCH_VALIDATOR_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (line[i] < ' ' || line[i] > '~')
			return false;
	memcpy(ret, line, len);
	ret[len] = '\0';
	return true;
}

/* "bytes 5-9/10" or "bytes 5-9/" and a star (RFC 9110 section 14.4). */
static void take_range(struct fetch_head *head, char *value)
{
	char *from = value + 6, *last = strchr(value, '-'), *total = strchr(value, '/');
	uint64_t end;

	if (strncasecmp(value, "bytes ", 6) != 0 || !last || !total || last > total)
		return;
	*last++ = '\0';
	*total++ = '\0';
	if (parse_u64(from, 0, INT64_MAX, &head->from) < 0 ||
		parse_u64(last, head->from, INT64_MAX, &end) < 0)
		return;
	if (parse_u64(total, end + 1, INT64_MAX, &head->total) < 0)
		head->total = UINT64_MAX;
	head->has_range = true;
}

void fetch_head_line(struct fetch_head *head, const char *line, size_t len)
{
	char value[FETCH_VALIDATOR_MAX];

	if (len >= 5 && strncmp(line, "HTTP/", 5) == 0)
		*head = (struct fetch_head){ .length = UINT64_MAX, .total = UINT64_MAX };
	/* A weak one may stand for other bytes (RFC 9110 section 13.1.5). */
	else if (value_of(line, len, "ETag", value) && value[0] == '"')
		memcpy(head->etag, value, sizeof(value));
	else if (value_of(line, len, "Last-Modified", value))
		memcpy(head->modified, value, sizeof(value));
	else if (value_of(line, len, "Content-Length", value) &&
		 parse_u64(value, 0, INT64_MAX, &head->length) < 0)
		head->length = UINT64_MAX;
	else if (value_of(line, len, "Content-Range", value))
		take_range(head, value);
}

/* How far the file is, where the meta file says that it is a part of this URL's. */
static void find_offset(struct fetch_part *part)
{
	CLEANUP_FREE char *path = meta_path(part->fetch->path), *text = NULL;
	struct stat st;
	uint64_t total = 0;

	if (!path || fstat(part->fd, &st) < 0 || st.st_size == 0 ||
		file_read_nofollow(path, META_MAX, &text, NULL) < 0)
		return;
	char *rest = text;
	const char *url = strsep(&rest, "\n"), *validator = strsep(&rest, "\n");
	const char *size = strsep(&rest, "\n");
	if (!size || strcmp(url, part->fetch->url) != 0 ||
		strlen(validator) >= FETCH_VALIDATOR_MAX ||
		parse_u64(size, 0, INT64_MAX, &total) < 0 ||
		(total > 0 && (uint64_t)st.st_size > total))
		return;
	part->total = total;
	part->whole = total > 0 && (uint64_t)st.st_size == total;
	if (!*validator && !part->whole)
		return;
	part->offset = (uint64_t)st.st_size;
	(void)snprintf(part->validator, sizeof(part->validator), "%s", validator);
}

int fetch_part_open(struct fetch_part *part, const struct fetch *fetch, struct reason *reason)
{
	part->fetch = fetch;
	part->fd = open(fetch->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, PART_MODE);
	if (part->fd < 0)
		return reason_set(
			reason, -errno, "cannot write %s: %s", fetch->path, strerror(errno));
	find_offset(part);
	return 0;
}

static int look_for_space(struct fetch_part *part, uint64_t more, struct reason *reason)
{
	char needed[SIZE_TEXT_MAX], there[SIZE_TEXT_MAX];
	struct statvfs fs;

	if (fstatvfs(part->fd, &fs) < 0)
		return -errno;
	uint64_t space = (uint64_t)fs.f_bavail * fs.f_frsize;
	uint64_t spare = part->fetch->space_spare;
	if (space < spare || space - spare < more) {
		/* What fills a disk to its end is not kept for later. */
		if (part->begun)
			fetch_discard(part->fetch->path);
		return reason_set(reason, -ENOSPC,
			"not enough space for %s: %s needed, %s available", part->fetch->path,
			format_size_kib(needed, sizeof(needed), (more + spare) / 1024 + 1),
			format_size_kib(there, sizeof(there), space / 1024));
	}
	part->free = MIN(space - spare, LOOK_EVERY);
	return 0;
}

/* Before the first byte: a meta file that speaks of older bytes than the file has would have the
 * two joined. */
static int write_meta(struct fetch_part *part, struct reason *reason)
{
	CLEANUP_FREE char *path = meta_path(part->fetch->path), *text = NULL;

	if (!path || asprintf(&text, "%s\n%s\n%ju\n", part->fetch->url, part->validator,
			     (uintmax_t)part->total) < 0)
		return -ENOMEM;
	int r = file_write_atomic(path, text, strlen(text), PART_MODE);
	return r < 0 ? reason_set(reason, r, "cannot write %s: %s", path, strerror(-r)) : 0;
}

static int begin_anew(struct fetch_part *part, const struct fetch_head *head)
{
	CLEANUP_FREE char *meta = meta_path(part->fetch->path);

	/* The old meta file goes first: it does not speak of what comes. */
	if (!meta || (unlink(meta) < 0 && errno != ENOENT) || ftruncate(part->fd, 0) < 0)
		return -errno;
	part->offset = 0;
	part->total = head->length == UINT64_MAX ? 0 : head->length;
	memcpy(part->validator, head->etag[0] ? head->etag : head->modified,
		sizeof(part->validator));
	return 0;
}

int fetch_part_begin(
	struct fetch_part *part, int status, const struct fetch_head *head, struct reason *reason)
{
	const char *url = part->fetch->url;
	char limit[SIZE_TEXT_MAX];
	int r = 0;

	if (status == 206 && part->offset > 0 && head->has_range && head->from == part->offset) {
		if (head->total != UINT64_MAX)
			part->total = head->total;
	} else if (status == 200) {
		r = begin_anew(part, head);
	} else {
		return reason_set(
			reason, -EPROTO, "%s answers %d, not the bytes asked for", url, status);
	}
	if (r >= 0 && part->total > part->fetch->bytes_max)
		return reason_set(reason, -EFBIG, "%s is too large: more than %s", url,
			format_size_kib(limit, sizeof(limit), part->fetch->bytes_max / 1024));
	if (r >= 0)
		r = look_for_space(
			part, part->total > part->offset ? part->total - part->offset : 0, reason);
	if (r >= 0)
		r = write_meta(part, reason);
	FAILPOINT(FETCH_BEGUN);
	part->begun = r >= 0;
	return r;
}

int fetch_part_write(struct fetch_part *part, const void *data, size_t len, struct reason *reason)
{
	char limit[SIZE_TEXT_MAX];
	int r = 0;

	if (part->offset + len > part->fetch->bytes_max ||
		(part->total > 0 && part->offset + len > part->total))
		return reason_set(reason, -EFBIG, "%s sends more than %s", part->fetch->url,
			part->total > 0 ? "it said it would"
					: format_size_kib(limit, sizeof(limit),
						  part->fetch->bytes_max / 1024));
	if (part->free < len)
		r = look_for_space(part, len, reason);
	if (r < 0)
		return r;
	if (lseek(part->fd, (off_t)part->offset, SEEK_SET) < 0)
		return -errno;
	r = fd_write_all(part->fd, data, len);
	if (r == -ENOSPC || r == -EDQUOT)
		fetch_discard(part->fetch->path);
	if (r < 0)
		return reason_set(
			reason, r, "cannot write %s: %s", part->fetch->path, strerror(-r));
	part->offset += len;
	part->free -= MIN(part->free, len);
	FAILPOINT(FETCH_WRITTEN);
	return 0;
}

int fetch_part_finish(struct fetch_part *part, struct reason *reason)
{
	if (part->total > 0 && part->offset < part->total)
		return reason_set(reason, -ECONNABORTED, "%s breaks off after %ju of %ju bytes",
			part->fetch->url, (uintmax_t)part->offset, (uintmax_t)part->total);
	FAILPOINT_OR_RETURN(FETCH_SYNC);
	if (fsync(part->fd) < 0)
		return reason_set(
			reason, -errno, "cannot sync %s: %s", part->fetch->path, strerror(errno));
	return 0;
}

int fetch_part_copy(const struct fetch *fetch, const char *from, struct reason *reason)
{
	CLEANUP(fetch_part_close) struct fetch_part part = { .fd = -1, .fetch = fetch };
	CLEANUP_CLOSE int fd = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return reason_set(reason, -errno, "cannot open %s: %s", from, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return reason_set(reason, -EPROTO, "%s is no regular file", from);
	if ((uint64_t)st.st_size > fetch->bytes_max)
		return reason_set(reason, -EFBIG, "%s is too large", from);
	fetch_discard(fetch->path);
	int r = fetch_part_open(&part, fetch, reason);
	if (r >= 0)
		r = look_for_space(&part, (uint64_t)st.st_blocks * 512, reason);
	fetch_discard(fetch->path);
	if (r >= 0) {
		r = copy_file(fd, fetch->path, PART_MODE, fetch->tick);
		if (r < 0)
			(void)reason_set(reason, r, "cannot copy %s to %s: %s", from, fetch->path,
				strerror(-r));
	}
	return r;
}

void fetch_part_close(struct fetch_part *part)
{
	cleanup_closep(&part->fd);
}
