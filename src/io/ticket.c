/* SPDX-License-Identifier: Apache-2.0 */
/* A ticket as a file: what the save was made of, and the guest's files as they were then. */
#include "base/failpoint.h"
#include "base/file.h"
#include "base/macro.h"
#include "io/filesaves.h"
#include "io/layout.h"
#include "model/jsontext.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TICKET_VERSION   1
#define TICKET_BYTES_MAX (16u * 1024u)
#define CLEANUP_JSON     CLEANUP(json_decrefp)

/* All that the guest's memory knows the content of. */
static const struct {
	enum layout_file file;
	const char *key;
} files[] = {
	{ LAYOUT_DISK, "disk" },
	{ LAYOUT_SEED, "seed" },
	{ LAYOUT_KERNEL, "kernel" },
	{ LAYOUT_INITRD, "initrd" },
};

/* An integer that is no JSON integer of ours is one that matches nothing. */
struct ident {
	bool there;
	int64_t device, inode, bytes, mtime_nsec;
};

static int look(const char *state_dir, const char *guest, enum layout_file file, struct ident *ret)
{
	CLEANUP_FREE char *path = layout_path(state_dir, guest, file);
	struct stat st;

	if (!path)
		return -ENOMEM;
	*ret = (struct ident){ .there = stat(path, &st) == 0 };
	if (!ret->there)
		return errno == ENOENT ? 0 : -errno;
	ret->device = (int64_t)st.st_dev;
	ret->inode = (int64_t)st.st_ino;
	ret->bytes = st.st_size;
	ret->mtime_nsec = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	return 0;
}

static json_t *ident_to_json(const struct ident *i)
{
	if (!i->there)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I}", "device", (json_int_t)i->device, "inode",
		(json_int_t)i->inode, "bytes", (json_int_t)i->bytes, "mtime_nsec",
		(json_int_t)i->mtime_nsec);
}

static bool is(const json_t *object, const char *key, int64_t value)
{
	const json_t *was = json_object_get(object, key);

	return json_is_integer(was) && json_integer_value(was) == value;
}

/* NULL: as it was. */
static const char *difference(const json_t *was, const struct ident *now)
{
	if (!was)
		return "is not in its record";
	if (json_is_null(was))
		return now->there ? "was not there" : NULL;
	if (!now->there)
		return "is gone";
	if (!is(was, "device", now->device) || !is(was, "inode", now->inode))
		return "is another file";
	if (!is(was, "bytes", now->bytes) || !is(was, "mtime_nsec", now->mtime_nsec))
		return "was written to since";
	return NULL;
}

static int ticket_text(
	const char *state_dir, const char *guest, const struct save_made *made, char **ret)
{
	CLEANUP_JSON json_t *idents = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct ident ident;
		int r = look(state_dir, guest, files[i].file, &ident);

		if (r < 0)
			return r;
		if (json_object_set_new(idents, files[i].key, ident_to_json(&ident)) < 0)
			return -ENOMEM;
	}
	CLEANUP_JSON json_t *root = json_pack("{s:i, s:s, s:I, s:s, s:I, s:O}", "version",
		TICKET_VERSION, "xml_sha256", made->xml_sha256, "qemu_version",
		(json_int_t)made->version, "boot_id", made->boot_id, "at_realtime",
		(json_int_t)made->at_realtime, "files", idents);
	*ret = root ? json_text(root, JSON_INDENT(2)) : NULL;
	return *ret ? 0 : -ENOMEM;
}

static bool read_made(const json_t *root, struct save_made *ret)
{
	const json_t *version = json_object_get(root, "qemu_version");
	const json_t *at = json_object_get(root, "at_realtime");

	if (!is(root, "version", TICKET_VERSION) || !json_is_integer(version) ||
		!json_is_integer(at) || json_integer_value(version) <= 0 ||
		json_integer_value(at) < 0)
		return false;
	ret->version = (uint64_t)json_integer_value(version);
	ret->at_realtime = (usec_t)json_integer_value(at);
	return json_take_text(root, "xml_sha256", ret->xml_sha256, sizeof(ret->xml_sha256)) &&
	       json_take_text(root, "boot_id", ret->boot_id, sizeof(ret->boot_id));
}

static int check_files(
	const char *state_dir, const char *guest, const json_t *idents, struct reason *reason)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct ident now;
		int r = look(state_dir, guest, files[i].file, &now);
		const char *why;

		if (r < 0)
			return reason_set(reason, r, "its %s cannot be looked at: %s", files[i].key,
				strerror(-r));
		why = difference(json_object_get(idents, files[i].key), &now);
		if (why)
			return reason_set(reason, -ESTALE, "its %s %s", files[i].key, why);
	}
	return 0;
}

/* Gone, and still gone after a power cut. */
static int remove_durably(const char *path)
{
	CLEANUP_FREE char *dir = strdup(path);
	CLEANUP_CLOSE int fd = -1;
	char *slash = dir ? strrchr(dir, '/') : NULL;

	if (!slash)
		return -ENOMEM;
	*slash = '\0';
	FAILPOINT_OR_RETURN(TICKET_TAKE);
	if (unlink(path) < 0)
		return -errno;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return -errno;
	FAILPOINT(TICKET_TAKEN);
	return 0;
}

void ticket_keep(const char *state_dir, const char *guest, const struct save_made *made,
	struct save_news *ret)
{
	CLEANUP_FREE char *path = layout_path(state_dir, guest, LAYOUT_SAVED);
	CLEANUP_FREE char *text = NULL;
	int r = path ? ticket_text(state_dir, guest, made, &text) : -ENOMEM;

	if (r == 0)
		r = file_write_atomic(path, text, strlen(text), 0600);
	*ret = (struct save_news){ .error = r };
	if (r == 0)
		return;
	(void)reason_set(&ret->reason, r, "%s: %s", path ? path : guest, strerror(-r));
	/* It may have its name already, and who is told that there is none gives up the lock. */
	if (path && remove_durably(path) < 0)
		(void)unlink(path);
}

void ticket_drop(const char *state_dir, const char *guest)
{
	CLEANUP_FREE char *path = layout_path(state_dir, guest, LAYOUT_SAVED);

	if (path)
		(void)remove_durably(path);
}

static int judge(const char *state_dir, const char *guest, const char *path, struct save_news *ret)
{
	CLEANUP_FREE char *text = NULL;
	CLEANUP_JSON json_t *root = NULL;
	size_t len;
	int r = file_read_nofollow(path, TICKET_BYTES_MAX, &text, &len);

	if (r == -ENOENT)
		return r;
	if (r == 0)
		r = json_read(text, len, JSON_REJECT_DUPLICATES, &root);
	if (r == 0 && !read_made(root, &ret->made))
		r = -EBADMSG;
	if (r < 0)
		return reason_set(&ret->reason, r, "what is recorded of it cannot be read (%s: %s)",
			path, strerror(-r));
	return check_files(state_dir, guest, json_object_get(root, "files"), &ret->reason);
}

void ticket_take(const char *state_dir, const char *guest, struct save_news *ret)
{
	CLEANUP_FREE char *path = layout_path(state_dir, guest, LAYOUT_SAVED);
	int r;

	*ret = (struct save_news){ .error = -ENOMEM };
	if (!path) {
		(void)reason_set(&ret->reason, -ENOMEM, "out of memory");
		return;
	}
	ret->error = judge(state_dir, guest, path, ret);
	r = ret->error == -ENOENT ? 0 : remove_durably(path);
	if (r < 0)
		ret->error = reason_set(&ret->reason, r,
			"its record cannot be taken away, so that it could be used twice (%s: %s)",
			path, strerror(-r));
}
