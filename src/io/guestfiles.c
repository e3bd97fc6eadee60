/* SPDX-License-Identifier: Apache-2.0 */
/* The state file, replaced as a whole, and the console log, appended to and rotated. */
#include "io/guestfiles.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "base/macro.h"
#include "io/layout.h"
#include "io/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is not ours is not believed, and what is no plain file is not waited for. */
static int open_ours(const char *path, int flags)
{
	CLEANUP_CLOSE int fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return st.st_uid == geteuid() ? TAKE_FD(fd) : -EPERM;
}

int guestfiles_load(const char *state_dir, const char *guest, char **ret, size_t *ret_len)
{
	CLEANUP_FREE char *path = layout_path(state_dir, guest, LAYOUT_STATE);
	CLEANUP_CLOSE int fd = path ? open_ours(path, O_RDONLY) : -EINVAL;
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return fd;
	CLEANUP_FREE char *text = malloc(STORE_TEXT_MAX + 2);
	if (!text)
		return -ENOMEM;
	/* One byte more than allowed, to see that there is one. */
	while (len <= STORE_TEXT_MAX && (n = read(fd, text + len, STORE_TEXT_MAX + 1 - len)) != 0) {
		if (n < 0 && errno != EINTR)
			return -errno;
		len += n > 0 ? (size_t)n : 0;
	}
	if (len > STORE_TEXT_MAX)
		return -EFBIG;
	text[len] = '\0';
	*ret = TAKE_PTR(text);
	*ret_len = len;
	return 0;
}

static const char *kind_of(mode_t mode)
{
	return S_ISREG(mode)   ? "a file"
	       : S_ISLNK(mode) ? "a symbolic link"
	       : S_ISDIR(mode) ? "a directory"
			       : "no regular file";
}

/* "a file of uid 0, mode 0600" */
static const char *owner_words(const char *path, char buf[static 64])
{
	struct stat st;

	if (lstat(path, &st) < 0)
		(void)snprintf(buf, 64, "which cannot be looked at");
	else
		(void)snprintf(buf, 64, "%s of uid %u, mode %04o", kind_of(st.st_mode), st.st_uid,
			st.st_mode & 07777);
	return buf;
}

int guestfiles_put_aside(const char *state_dir, const char *guest, char *words, size_t size)
{
	CLEANUP_FREE char *path = layout_path(state_dir, guest, LAYOUT_STATE);
	CLEANUP_FREE char *bad = layout_path(state_dir, guest, LAYOUT_STATE_BAD);
	char owner[64];

	if (size > 0)
		words[0] = '\0';
	if (!path || !bad)
		return -ENOMEM;
	(void)owner_words(path, owner);
	int moved = rename(path, bad);
	/* A directory does not go over a file that is kept there. */
	if (moved < 0 && errno == ENOTDIR && unlink(bad) == 0)
		moved = rename(path, bad);
	if (moved < 0) {
		int r = -errno;
		(void)snprintf(words, size, "%s (%s) cannot be moved away: %s; do it by hand", path,
			owner, strerror(-r));
		return r;
	}
	(void)snprintf(words, size, "%s (%s) is kept as state.json.bad", path, owner);
	return 0;
}

void guestfiles_trouble(
	const char *state_dir, const char *guest, int error, char *words, size_t size)
{
	CLEANUP_FREE char *private =
		guest[0] ? layout_path(state_dir, guest, LAYOUT_PRIVATE_DIR) : NULL;
	const char *dir = private ? private : state_dir;
	char owner[64];

	switch (-error) {
	case ENOSPC:
	case EDQUOT:
		(void)snprintf(words, size, "cannot write in %s: %s; free some there", dir,
			strerror(-error));
		break;
	case EACCES:
	case EPERM:
		(void)snprintf(words, size,
			"cannot write in %s (%s): %s; give it and what is in it to uid %u", dir,
			owner_words(dir, owner), strerror(-error), geteuid());
		break;
	case EROFS:
		(void)snprintf(words, size, "cannot write in %s: %s; mount it writable", dir,
			strerror(-error));
		break;
	default:
		(void)snprintf(words, size, "cannot write in %s: %s", dir, strerror(-error));
	}
}

static int make_private_dir(const char *state_dir, const char *guest)
{
	CLEANUP_FREE char *dir = layout_path(state_dir, guest, LAYOUT_PRIVATE_DIR);

	return dir ? dir_make(dir, 0700) : -EINVAL;
}

int guestfiles_save(const char *state_dir, const char *guest, const char *text, size_t len)
{
	CLEANUP_FREE char *path = layout_path(state_dir, guest, LAYOUT_STATE);
	int r = make_private_dir(state_dir, guest);

	if (r < 0)
		return r;
	FAILPOINT_OR_RETURN(STATE_SAVE);
	r = path ? file_write_atomic(path, text, len, 0600) : -ENOMEM;
	FAILPOINT(STATE_SAVED);
	return r;
}

static int rotate(const char *path, const char *old, size_t len, size_t max)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISREG(st.st_mode) || st.st_size == 0 || (uint64_t)st.st_size + len <= max)
		return 0;
	return rename(path, old) < 0 ? -errno : 0;
}

int guestfiles_append(
	const char *state_dir, const char *guest, const char *data, size_t len, uint64_t missing)
{
	CLEANUP_FREE char *path = layout_path(state_dir, guest, LAYOUT_CONSOLE);
	CLEANUP_FREE char *old = layout_path(state_dir, guest, LAYOUT_CONSOLE_OLD);
	char mark[96] = "";
	int r = make_private_dir(state_dir, guest);

	if (r < 0)
		return r;
	if (!path || !old)
		return -ENOMEM;
	if (missing > 0)
		(void)snprintf(mark, sizeof(mark),
			"\n[mediakitd: %llu bytes of the serial line were not kept]\n",
			(unsigned long long)missing);
	r = rotate(path, old, strlen(mark) + len, CONSOLE_FILE_MAX);
	if (r < 0)
		return r;
	CLEANUP_CLOSE int fd = open_ours(path, O_WRONLY | O_APPEND | O_CREAT);
	if (fd < 0)
		return fd;
	FAILPOINT_OR_RETURN(CONSOLE_APPEND);
	r = fd_write_all(fd, mark, strlen(mark));
	if (r >= 0)
		r = fd_write_all(fd, data, len);
	FAILPOINT(CONSOLE_APPENDED);
	return r;
}

/* Fills `buf` from its end with the last bytes of the file; how many. */
static size_t read_tail(int fd, char *buf, size_t size)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return 0;
	size_t want = (size_t)MIN((uint64_t)st.st_size, (uint64_t)size);
	ssize_t n = pread(fd, buf + (size - want), want, st.st_size - (off_t)want);
	return n == (ssize_t)want ? want : 0;
}

size_t guestfiles_tail(const char *state_dir, const char *guest, char *buf, size_t size)
{
	CLEANUP_FREE char *path = layout_path(state_dir, guest, LAYOUT_CONSOLE);
	CLEANUP_CLOSE int fd = path ? open_ours(path, O_RDONLY) : -EINVAL;
	size_t len = read_tail(fd, buf, size);

	memmove(buf, buf + (size - len), len);
	return len;
}

static int events_paths(const char *state_dir, const char *guest, char **ret_path, char **ret_old)
{
	*ret_path = layout_path(state_dir, guest, guest ? LAYOUT_EVENTS : LAYOUT_DAEMON_EVENTS);
	*ret_old =
		layout_path(state_dir, guest, guest ? LAYOUT_EVENTS_OLD : LAYOUT_DAEMON_EVENTS_OLD);
	return *ret_path && *ret_old ? 0 : -EINVAL;
}

/* A daemon that was killed, or a disk that was full, may have left half a line, to which the next
 * must not be glued. */
static bool ends_in_half_a_line(int fd)
{
	struct stat st;
	char last;

	return fstat(fd, &st) == 0 && st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) == 1 &&
	       last != '\n';
}

int guestfiles_append_events(
	const char *state_dir, const char *guest, const char *lines, size_t len, bool sync)
{
	CLEANUP_FREE char *path = NULL, *old = NULL;
	int r = events_paths(state_dir, guest, &path, &old);

	if (r >= 0 && guest)
		r = make_private_dir(state_dir, guest);
	if (r >= 0)
		r = rotate(path, old, len, EVENTS_FILE_MAX);
	if (r < 0)
		return r;
	CLEANUP_CLOSE int fd = open_ours(path, O_RDWR | O_APPEND | O_CREAT);
	if (fd < 0)
		return fd;
	FAILPOINT_OR_RETURN(EVENTS_APPEND);
	if (ends_in_half_a_line(fd))
		r = fd_write_all(fd, "\n", 1);
	if (r >= 0)
		r = fd_write_all(fd, lines, len);
	FAILPOINT(EVENTS_APPENDED);
	return r >= 0 && sync && fdatasync(fd) < 0 ? -errno : r;
}

int guestfiles_load_events(const char *state_dir, const char *guest, char **ret, size_t *ret_len)
{
	CLEANUP_FREE char *path = NULL, *old = NULL;
	int r = events_paths(state_dir, guest, &path, &old);

	if (r < 0)
		return r;
	CLEANUP_CLOSE int fd = open_ours(path, O_RDONLY);
	CLEANUP_CLOSE int old_fd = open_ours(old, O_RDONLY);
	/* Just rotated, there is only the old one. */
	if (fd < 0 && (fd != -ENOENT || old_fd < 0))
		return fd;
	CLEANUP_FREE char *text = malloc(EVENTS_TAIL_MAX);
	if (!text)
		return -ENOMEM;
	size_t len = read_tail(fd, text, EVENTS_TAIL_MAX);
	len += read_tail(old_fd, text, EVENTS_TAIL_MAX - len);
	memmove(text, text + (EVENTS_TAIL_MAX - len), len);
	*ret = TAKE_PTR(text);
	*ret_len = len;
	return 0;
}
