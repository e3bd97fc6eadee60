/* SPDX-License-Identifier: Apache-2.0 */
/* Whether what is there may still be used: the base is what it was, and its C library is new
 * enough. */
#include "base/file.h"
#include "cli/provision_job.h"
#include "io/basecheck.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

int provision_remember_base(struct provision *p)
{
	CLEANUP_FREE char *path = path_join(p->image_dir, p->record.base);
	struct stat st;

	if (!path)
		return -ENOMEM;
	if (lstat(path, &st) < 0)
		return reason_set(
			&p->reason, -errno, "cannot look at %s: %s", path, strerror(errno));
	basecheck_hashed(&p->record, &st);
	return 0;
}

/* A base that cannot be used, for this reason: the end of the run, or with --replace-disk only of
 * the base and of what is recorded of it. */
static int refuse_base(struct provision *p, const char *name, int error)
{
	if (!p->replace_disk || error == -ECANCELED || error == -ENOMEM)
		return error;
	p->reason.text[0] = '\0';
	(void)snprintf(
		p->bad_base, sizeof(p->bad_base), "%.*s", (int)sizeof(p->bad_base) - 1, name);
	provision_forget_base(p, "");
	return 0;
}

int provision_find_base(struct provision *p, const char *name, const char *digest)
{
	CLEANUP_FREE char *path = path_join(p->image_dir, name);
	const struct record *record = &p->record;
	char is[DIGEST_TEXT];
	struct stat st;

	if (!path)
		return -ENOMEM;
	if (strcmp(p->bad_base, name) == 0)
		return 0;
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0
				       : reason_set(&p->reason, -errno, "cannot look at %s: %s",
						 path, strerror(errno));
	/* Just looked at by the stage before. */
	if (strcmp(record->base, name) == 0 && strcmp(record->sha256, digest) == 0 &&
		basecheck_unchanged(record, &st))
		return 1;
	stageline_begin(&p->line, "hashing the base");
	int r = digest_file(path, &p->tick, is);
	if (r < 0)
		return refuse_base(p, name,
			reason_set(&p->reason, r, "cannot read %s: %s", path, strerror(-r)));
	if (strcmp(is, digest) == 0)
		return 1;
	return refuse_base(p, name,
		reason_set(&p->reason, -EBADMSG,
			"the base %s is damaged: its SHA-256 is %s; disks may stand on it. Put the "
			"old one back, or have it put aside and a new one made by "
			"--replace-disk=%s",
			path, is, p->guest->name));
}

/* A base without a record, or with one of an earlier version, is hashed once; then its name says
 * what it has to be. */
int provision_check_base(struct provision *p)
{
	struct record *record = &p->record;
	const char *name = p->has_disk ? p->info.backing : record->base;
	CLEANUP_FREE char *path = path_join(p->image_dir, name);
	char is[DIGEST_TEXT], called[LAYOUT_BASE_NAME];
	struct stat st;

	if (!path)
		return -ENOMEM;
	if (!*name || strchr(name, '/') || lstat(path, &st) < 0)
		return 0; /* what is missing has been told, or is no base of ours */
	bool known = strcmp(record->base, name) == 0 && record->sha256[0];
	if (known && basecheck_unchanged(record, &st))
		return 0;
	stageline_begin(&p->line, "hashing the base");
	int r = digest_file(path, &p->tick, is);
	if (r < 0)
		return refuse_base(p, name,
			reason_set(&p->reason, r, "cannot read %s: %s", path, strerror(-r)));
	const char *format = strrchr(name, '.') ? strrchr(name, '.') + 1 : "";
	r = layout_base_name(is, format, called);
	if (r < 0 || strcmp(called, name) != 0 || (known && strcmp(record->sha256, is) != 0))
		return refuse_base(p, name,
			reason_set(&p->reason, -EBADMSG,
				"the base %s has been changed: its SHA-256 is %s%s%s; the disk on "
				"it cannot be trusted. Put the old base back, or begin anew with "
				"--replace-disk=%s, which puts both aside",
				path, is, known ? ", and was " : "", known ? record->sha256 : "",
				p->guest->name));
	if (!known && !provision_is_remote(p))
		return 0; /* the stage that fills the record in does it whole */
	if (!known) {
		memcpy(record->base, called, sizeof(called)); /* which is its name */
		memcpy(record->sha256, is, sizeof(is));
		record->format = (enum disk_format)disk_format_from_string(format);
	}
	basecheck_hashed(record, &st);
	return 0;
}

void provision_forget_base(struct provision *p, const char *sha256)
{
	struct record *record = &p->record;
	struct record known = { 0 };

	if (*sha256 && strcmp(record->sha256, sha256) == 0) {
		record->base[0] = '\0';
		record->base_bytes = record->base_inode = record->base_mtime_nsec = 0;
		return;
	}
	(void)snprintf(known.sha256, sizeof(known.sha256), "%s", sha256);
	memcpy(known.instance_id, record->instance_id, sizeof(known.instance_id));
	*record = known;
	p->base_is_new = true; /* none: the libraries of an earlier one are not this disk's */
}

int provision_take_manifest(struct provision *p, const struct manifest *manifest, const char *text,
	size_t len, const char *name)
{
	char *libraries = NULL;
	int r = manifest_libraries(text, len, &libraries);

	if (r < 0)
		return reason_set(&p->reason, r, "the libraries in %s cannot be understood", name);
	free(p->libraries);
	p->libraries = libraries;
	memcpy(p->glibc, manifest->glibc, sizeof(p->glibc));
	return 0;
}

/* They go with the record. A manifest that lists none says nothing about a base that stayed. */
int provision_save_libraries(struct provision *p)
{
	CLEANUP_FREE char *path = layout_path(p->state_dir, p->guest->name, LAYOUT_LIBRARIES);
	int r = 0;

	if (!path)
		return -ENOMEM;
	if (p->libraries)
		r = file_write_atomic(path, p->libraries, strlen(p->libraries), 0600);
	else if (p->base_is_new && unlink(path) < 0 && errno != ENOENT)
		r = -errno;
	return r < 0 ? reason_set(&p->reason, r, "cannot write %s: %s", path, strerror(-r)) : 0;
}

static int read_one(struct provision *p, const char *path, const char *digest, bool bound)
{
	CLEANUP_FREE char *text = NULL;
	const char *image = strrchr(p->guest->image_path, '/') + 1;
	struct manifest manifest;
	size_t len = 0;
	int r = file_read(path, MANIFEST_BYTES_MAX, &text, &len);

	if (r < 0)
		return r == -ENOENT ? 0
				    : reason_set(&p->reason, r, "cannot read %s: %s", path,
					      strerror(-r));
	r = manifest_parse(text, len, image, &manifest);
	if (r < 0)
		return reason_set(&p->reason, r, "the manifest %s cannot be understood", path);
	/* One that names a digest speaks of that image; a plain "manifest" must. */
	if (manifest.sha256[0] ? strcmp(manifest.sha256, digest) != 0 : bound) {
		stageline_note(&p->line, "%s speaks of another image, and is not used", path);
		return 0;
	}
	r = provision_take_manifest(p, &manifest, text, len, path);
	return r < 0 ? r : p->glibc[0] != '\0';
}

int provision_read_manifest(struct provision *p, const char *digest)
{
	const char *image = p->guest->image_path;
	const char *slash = strrchr(image, '/'), *dot = strrchr(slash, '.');
	const struct {
		int length;
		const char *suffix;
		bool bound;
	} candidates[] = {
		{ (int)strlen(image), ".manifest", false },
		{ dot ? (int)(dot - image) : (int)strlen(image), ".manifest", false },
		{ (int)(slash + 1 - image), "manifest", true },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(candidates); i++) {
		CLEANUP_FREE char *path = NULL;

		if (asprintf(&path, "%.*s%s", candidates[i].length, image, candidates[i].suffix) <
			0)
			return -ENOMEM;
		r = read_one(p, path, digest, candidates[i].bound);
	}
	return r < 0 ? r : 0;
}

int provision_gate(struct provision *p, const char *glibc)
{
	if (!glibc_is_under(glibc, p->guest->glibc_min))
		return 0;
	return reason_set(&p->reason, -ENOEXEC,
		"the image has glibc %s, and GlibcMin= asks for %s: binaries built against that "
		"would "
		"not run in this guest (Debian 12 has 2.36, Ubuntu 24.04 2.39). Take a newer image",
		glibc, p->guest->glibc_min);
}
