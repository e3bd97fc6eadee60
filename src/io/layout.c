/* SPDX-License-Identifier: Apache-2.0 */
/* Paths under the state directory, its version, and its directories' modes. */
#include "io/layout.h"

#include "base/file.h"
#include "base/macro.h"
#include "base/parse.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define MODE_PASSED  0711
#define MODE_PRIVATE 0700

static const struct place {
	const char *tree; /* of the guest's directory, or NULL for what belongs to no guest */
	const char *name; /* NULL: the directory itself */
} places[] = {
	[LAYOUT_VERSION_FILE] = { NULL, "version" },
	[LAYOUT_STATE_LOCK] = { NULL, "lock" },
	[LAYOUT_IMAGES] = { NULL, "images" },
	[LAYOUT_PRIVATE] = { NULL, "private" },
	[LAYOUT_IMAGE_DIR] = { "images", NULL },
	[LAYOUT_DISK] = { "images", "disk.qcow2" },
	[LAYOUT_SEED] = { "images", "seed.iso" },
	[LAYOUT_KERNEL] = { "images", "vmlinuz" },
	[LAYOUT_INITRD] = { "images", "initrd" },
	[LAYOUT_GUEST_LOCK] = { "images", "lock" },
	[LAYOUT_SNAPSHOTS] = { "images", "snapshots" },
	[LAYOUT_PRIVATE_DIR] = { "private", NULL },
	[LAYOUT_SSH_KEY] = { "private", "ssh_key" },
	[LAYOUT_SSH_KEY_PUB] = { "private", "ssh_key.pub" },
	[LAYOUT_HOST_KEY] = { "private", "host_key" },
	[LAYOUT_HOST_KEY_PUB] = { "private", "host_key.pub" },
	[LAYOUT_KNOWN_HOSTS] = { "private", "known_hosts" },
	[LAYOUT_DEPLOY_LOCK] = { "private", "deploy.lock" },
	[LAYOUT_SSH_SOCKET] = { "private", "ssh.sock" },
	[LAYOUT_RECORD] = { "private", "provision.json" },
	[LAYOUT_LIBRARIES] = { "private", "libraries" },
	[LAYOUT_STATE] = { "private", "state.json" },
	[LAYOUT_SAVED] = { "private", "saved.json" },
	[LAYOUT_STATE_BAD] = { "private", "state.json.bad" },
	[LAYOUT_CONSOLE] = { "private", "console.log" },
	[LAYOUT_CONSOLE_OLD] = { "private", "console.log.1" },
	[LAYOUT_EVENTS] = { "private", "events.jsonl" },
	[LAYOUT_EVENTS_OLD] = { "private", "events.jsonl.1" },
	[LAYOUT_DAEMON_EVENTS] = { NULL, "events.jsonl" },
	[LAYOUT_DAEMON_EVENTS_OLD] = { NULL, "events.jsonl.1" },
};
static_assert(ARRAY_SIZE(places) == LAYOUT_FILE_NUM, "a file without a place");

char *layout_path(const char *state_dir, const char *guest, enum layout_file file)
{
	const struct place *place = &places[file];
	char *path = NULL;

	if (!place->tree)
		return path_join(state_dir, place->name);
	if (!guest || !*guest || strchr(guest, '/') || strcmp(guest, ".") == 0 ||
		strcmp(guest, "..") == 0)
		return NULL;
	if (asprintf(&path, "%s/%s/%s%s%s", state_dir, place->tree, guest, place->name ? "/" : "",
		    place->name ?: "") < 0)
		return NULL;
	return path;
}

char *layout_snapshot(
	const char *state_dir, const char *guest, const char *name, const char *suffix)
{
	CLEANUP_FREE char *dir = layout_path(state_dir, guest, LAYOUT_SNAPSHOTS);
	char *path = NULL;

	return dir && asprintf(&path, "%s/%s%s", dir, name, suffix) >= 0 ? path : NULL;
}

/* Makes one directory with exactly this mode, whatever the umask; the mode of one that is there is
 * the operator's. */
static int make_dir(const char *path, mode_t mode, struct reason *reason)
{
	struct stat st;
	bool is_new = stat(path, &st) < 0 && errno == ENOENT;
	int r = dir_make(path, mode);

	if (r >= 0 && is_new && chmod(path, mode) < 0)
		r = -errno;
	if (r < 0)
		return reason_set(
			reason, r, "cannot make the directory %s: %s", path, strerror(-r));
	return 0;
}

static int make_dir_in(const char *state_dir, const char *name, mode_t mode, struct reason *reason)
{
	CLEANUP_FREE char *path = path_join(state_dir, name);

	if (!path)
		return reason_set(reason, -ENOMEM, "%s/%s: %s", state_dir, name, strerror(ENOMEM));
	return make_dir(path, mode, reason);
}

static int check_version(const char *state_dir, const char *text, struct reason *reason)
{
	CLEANUP_FREE char *line = strndup(text, strcspn(text, "\n"));
	unsigned version = 0;

	if (!line)
		return -ENOMEM;
	int r = parse_uint(line, 1, UINT32_MAX, &version);
	if (r < 0)
		return reason_set(reason, -EINVAL,
			"%s/version holds no version number: this is no state directory of "
			"mediakitd, or a "
			"damaged one; choose another (--state=DIR)",
			state_dir);
	if (version > LAYOUT_VERSION)
		return reason_set(reason, -EPROTONOSUPPORT,
			"the state directory %s is of version %u, made by a newer mediakitd; this "
			"one knows "
			"version %u: install the newer mediakitd again, or choose another state "
			"directory "
			"(--state=DIR)",
			state_dir, version, LAYOUT_VERSION);
	return 0;
}

static int create_version(const char *path)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%u\n", LAYOUT_VERSION);
	return file_write_atomic(path, text, strlen(text), 0644);
}

int layout_open(const char *state_dir, struct reason *reason)
{
	CLEANUP_FREE char *path = layout_path(state_dir, NULL, LAYOUT_VERSION_FILE);
	CLEANUP_FREE char *text = NULL;

	if (!path)
		return reason_set(reason, -ENOMEM, "%s: %s", state_dir, strerror(ENOMEM));
	int r = make_dir(state_dir, MODE_PASSED, reason);
	if (r < 0)
		return r;
	r = file_read(path, 4096, &text, NULL);
	if (r == -ENOENT)
		r = create_version(path);
	else if (r >= 0)
		r = check_version(state_dir, text, reason);
	if (r == -EACCES || r == -EROFS || r == -EPERM || r == -ENOSPC)
		return reason_set(reason, r, "cannot write in the state directory %s: %s",
			state_dir, strerror(-r));
	if (r < 0 && r != -EINVAL && r != -EPROTONOSUPPORT)
		return reason_set(reason, r, "cannot read %s: %s", path, strerror(-r));
	if (r >= 0)
		r = make_dir_in(state_dir, "images", MODE_PASSED, reason);
	return r < 0 ? r : make_dir_in(state_dir, "private", MODE_PRIVATE, reason);
}

int layout_open_guest(const char *state_dir, const char *guest, struct reason *reason)
{
	CLEANUP_FREE char *images = layout_path(state_dir, guest, LAYOUT_IMAGE_DIR);
	CLEANUP_FREE char *private = layout_path(state_dir, guest, LAYOUT_PRIVATE_DIR);

	if (!images || !private)
		return reason_set(reason, -EINVAL, "a guest cannot have this name: %s", guest);
	int r = make_dir(images, MODE_PASSED, reason);
	return r < 0 ? r : make_dir(private, MODE_PRIVATE, reason);
}

int layout_base_name(const char *sha256, const char *format, char ret[static LAYOUT_BASE_NAME])
{
	if (strlen(sha256) < LAYOUT_BASE_DIGITS || strlen(format) > LAYOUT_BASE_FORMAT)
		return -EINVAL;
	(void)snprintf(
		ret, LAYOUT_BASE_NAME, "base-%.*s.%s", (int)LAYOUT_BASE_DIGITS, sha256, format);
	return 0;
}

int layout_fetch_name(const char *sha256, char ret[static LAYOUT_FETCH_NAME])
{
	if (strlen(sha256) < LAYOUT_BASE_DIGITS)
		return -EINVAL;
	(void)snprintf(ret, LAYOUT_FETCH_NAME, "fetch-%.*s.part", (int)LAYOUT_BASE_DIGITS, sha256);
	return 0;
}

void layout_sweep_fetches(const char *state_dir, const char *guest, const char *but)
{
	CLEANUP_FREE char *images = layout_path(state_dir, guest, LAYOUT_IMAGE_DIR);
	DIR *dir = images ? opendir(images) : NULL;
	const struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		size_t n =
			strspn(entry->d_name + MIN(strlen(entry->d_name), 6u), "0123456789abcdef");

		if (strncmp(entry->d_name, "fetch-", 6) != 0 || n != LAYOUT_BASE_DIGITS ||
			strncmp(entry->d_name + 6 + n, ".part", 5) != 0)
			continue;
		if (!but || strncmp(entry->d_name, but, LAYOUT_FETCH_NAME - 1) != 0)
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	}
	(void)closedir(dir);
}

static bool ends_with(const char *s, const char *suffix)
{
	size_t n = strlen(s), k = strlen(suffix);

	return n > k && strcmp(s + n - k, suffix) == 0;
}

/* No looser than this: an operator's own copy of a disk may lie there under any name. */
static bool is_temporary(const char *name)
{
	return ends_with(name, LAYOUT_TEMPORARY) || ends_with(name, LAYOUT_TEMPORARY ".pub");
}

static void sweep_dir(const char *path)
{
	DIR *dir = path ? opendir(path) : NULL;
	const struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		/* The daemon may be writing the guest's state at this moment: it sweeps that
		 * itself. */
		if (is_temporary(entry->d_name) &&
			strcmp(entry->d_name, "state.json" LAYOUT_TEMPORARY) != 0)
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	(void)closedir(dir);
}

void layout_sweep(const char *state_dir, const char *guest)
{
	CLEANUP_FREE char *images = layout_path(state_dir, guest, LAYOUT_IMAGE_DIR);
	CLEANUP_FREE char *private = layout_path(state_dir, guest, LAYOUT_PRIVATE_DIR);

	sweep_dir(images);
	sweep_dir(private);
}
