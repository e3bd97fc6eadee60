/* SPDX-License-Identifier: Apache-2.0 */
/* The image from URL=: what it has to be, said by a signature or a pin, and then the download. */
#include "base/failpoint.h"
#include "base/file.h"
#include "base/parse.h"
#include "cli/provision_job.h"
#include "io/fetch.h"
#include "io/signature.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define SUMS      "SHA256SUMS"
#define SIGNATURE "SHA256SUMS.gpg"
#define MANIFEST  ".manifest"

#define SIGNATURE_BYTES_MAX (64u * 1024u)
/* A qcow2 has tables besides its data; an image larger than the disk and these cannot fit it. */
#define TABLES_BYTES (64u * 1024u * 1024u)
/* What must be left on the file system: an overlay, a seed, and the guests' own growth meanwhile.
 */
#define SPARE_BYTES (16u * 1024u * 1024u)
#define BASE_MODE   0444

static void on_progress(void *userdata, const struct fetch_progress *progress)
{
	struct provision *p = userdata;

	stageline_progress(&p->line, progress->done, progress->total);
}

/* The URL of another file in the same directory. */
static char *beside(const char *url, const char *name)
{
	char *other = NULL;
	int dir = (int)(strrchr(url, '/') + 1 - url);

	return asprintf(&other, "%.*s%s", dir, url, name) < 0 ? NULL : other;
}

static const char *name_of(const char *url)
{
	return strrchr(url, '/') + 1;
}

/* A small file, anew each time, into the guest's private directory. Its path is the caller's to
 * free; the file is swept with other temporary ones. */
static int fetch_small(
	struct provision *p, const char *url, const char *name, uint64_t max, char **ret)
{
	CLEANUP_FREE char *dir = layout_path(p->state_dir, p->guest->name, LAYOUT_PRIVATE_DIR);
	CLEANUP_FREE char *from = beside(url, name), *to = NULL;

	if (!dir || !from || asprintf(&to, "%s/%s" LAYOUT_TEMPORARY, dir, name) < 0)
		return -ENOMEM;
	const struct fetch fetch = {
		.url = from,
		.path = to,
		.bytes_max = max,
		.space_spare = SPARE_BYTES,
		.patience = p->patience,
		.tick = &p->tick,
	};
	fetch_discard(to);
	int r = fetch_file(&fetch, &p->reason);
	CLEANUP_FREE char *meta = NULL;
	if (asprintf(&meta, "%s" FETCH_META, to) > 0)
		(void)unlink(meta);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(to);
	return 0;
}

/* The manifest that the same sums vouch for: NAME.manifest, with NAME's own suffix or without.
 * Without one nothing is known; that is no failure. */
static int signed_manifest(struct provision *p, const char *url, const char *sums, size_t sums_len)
{
	CLEANUP_FREE char *path = NULL, *text = NULL;
	char name[256], want[SUMS_DIGEST], is[DIGEST_TEXT];
	struct manifest manifest;
	size_t len = 0;
	const char *image = name_of(url), *dot = strrchr(image, '.');
	int stem = dot ? (int)(dot - image) : (int)strlen(image);

	if ((size_t)snprintf(name, sizeof(name), "%.*s" MANIFEST, stem, image) >= sizeof(name) ||
		sums_find(sums, sums_len, name, want, NULL) < 0)
		return 0;
	int r = fetch_small(p, url, name, MANIFEST_BYTES_MAX, &path);
	if (r >= 0)
		r = digest_file(path, &p->tick, is);
	if (r < 0)
		return r;
	if (strcmp(is, want) != 0)
		return reason_set(&p->reason, -EBADMSG,
			"%s is not the one that was signed: SHA-256 %s, signed was %s", name, is,
			want);
	r = file_read(path, MANIFEST_BYTES_MAX, &text, &len);
	if (r >= 0)
		r = manifest_parse(text, len, image, &manifest);
	if (r == -EBADMSG)
		return reason_set(&p->reason, r, "%s cannot be understood", name);
	return r < 0 ? r : provision_take_manifest(p, &manifest, text, len, name);
}

/* Asks one mirror for the sums and who signed them. */
static int signed_digest(struct provision *p, const char *url)
{
	const struct guest_spec *guest = p->guest;
	CLEANUP_FREE char *sums = NULL, *signature = NULL, *text = NULL;
	size_t len = 0;
	int r = fetch_small(p, url, SUMS, SUMS_BYTES_MAX, &sums);

	if (r >= 0)
		r = fetch_small(p, url, SIGNATURE, SIGNATURE_BYTES_MAX, &signature);
	if (r < 0)
		return r;
	CLEANUP_FREE char *where = beside(url, SUMS);
	struct reason reason = { "" };
	r = signature_check(
		guest->keyring, signature, sums, guest->fingerprint, &p->tick, p->signer, &reason);
	if (r < 0)
		return reason_set(&p->reason, r, "%s: %s", where ?: SUMS, reason.text);
	r = file_read(sums, SUMS_BYTES_MAX, &text, &len);
	if (r >= 0)
		r = sums_find(text, len, name_of(url), p->wanted, &reason);
	if (r < 0)
		return reason_set(&p->reason, r, "%s: %s", where ?: SUMS,
			reason.text[0] ? reason.text : strerror(-r));
	return signed_manifest(p, url, text, len);
}

/* What no other mirror would mend. */
static bool is_final(int error)
{
	return error == -ECANCELED || error == -ENOMEM || error == -ENOSPC || error == -EROFS;
}

/* Tries the mirrors in order; what each of them failed by is told, the last is the reason. */
static int each_mirror(struct provision *p, int (*attempt)(struct provision *p, const char *url))
{
	const struct guest_spec *guest = p->guest;
	int r = -ENOENT;

	for (unsigned i = 0; i < guest->n_image_urls; i++) {
		r = attempt(p, guest->image_urls[i]);
		if (r >= 0 || is_final(r))
			return r;
		if (i + 1 < guest->n_image_urls)
			stageline_note(&p->line, "%s; trying the next mirror",
				p->reason.text[0] ? p->reason.text : strerror(-r));
	}
	return r;
}

int provision_wanted(struct provision *p)
{
	const char *pinned = p->guest->image_sha256;

	if (!p->guest->keyring) {
		memcpy(p->wanted, pinned, sizeof(p->wanted));
		return 0;
	}
	stageline_begin(&p->line, "signed sums");
	int r = each_mirror(p, signed_digest);
	if (r < 0)
		return r;
	if (pinned && strcmp(pinned, p->wanted) != 0)
		return reason_set(&p->reason, -EBADMSG,
			"SHA256= pins %s, and the signed sums have %s: if you mean to follow them, "
			"set SHA256=%s, or take it out",
			pinned, p->wanted, p->wanted);
	return 0;
}

static int check_part(struct provision *p, const char *url)
{
	char is[DIGEST_TEXT];

	FAILPOINT_OR_RETURN(FETCH_FETCHED);
	stageline_begin(&p->line, "hashing the image");
	int r = digest_file(p->part, &p->tick, is);
	if (r < 0)
		return reason_set(&p->reason, r, "cannot read %s: %s", p->part, strerror(-r));
	if (strcmp(is, p->wanted) == 0)
		return 0;
	fetch_discard(p->part);
	return reason_set(&p->reason, -EBADMSG, "wrong digest: %s has SHA-256 %s, %s %s%s", url, is,
		p->signer[0] ? "signed was" : "SHA256= wants", p->wanted,
		p->signer[0] ? "; if the publisher has just changed it, run this again" : "");
}

static int fetch_image(struct provision *p, const char *url)
{
	const struct fetch fetch = {
		.url = url,
		.path = p->part,
		.bytes_max = p->guest->disk_kib * 1024 + TABLES_BYTES,
		.space_spare = SPARE_BYTES,
		.patience = p->patience,
		.tick = &p->tick,
		.progress = on_progress,
		.userdata = p,
	};

	stageline_begin(&p->line, "fetching the image");
	stageline_note(&p->line, "from %s", url);
	int r = fetch_file(&fetch, &p->reason);
	return r < 0 ? r : check_part(p, url);
}

/* A base of that digest may be there from an earlier disk. 1: yes, and the record speaks of it. */
static int find_base(struct provision *p)
{
	char name[LAYOUT_BASE_NAME];

	for (unsigned i = 0; i < DISK_FORMAT_NUM; i++) {
		int r = layout_base_name(p->wanted, disk_format_to_string(i), name);
		CLEANUP_FREE char *path = r < 0 ? NULL : path_join(p->image_dir, name);

		if (!path)
			return -ENOMEM;
		r = provision_find_base(p, name, p->wanted);
		if (r == 0)
			continue;
		if (r > 0)
			r = provision_examine(p, path, &p->source_info);
		if (r < 0)
			return r;
		stageline_note(&p->line, "the image is here already: %s", name);
		(void)snprintf(p->record.base, sizeof(p->record.base), "%s", name);
		p->source_known = true;
		return 1;
	}
	return 0;
}

static void remember(struct provision *p)
{
	struct record *record = &p->record;

	record->device = record->inode = record->mtime_nsec = record->ctime_nsec = 0;
	(void)snprintf(record->source, sizeof(record->source), "%s", p->guest->image_urls[0]);
	memcpy(record->sha256, p->wanted, sizeof(record->sha256));
	memcpy(record->signer, p->signer, sizeof(record->signer));
	memcpy(record->glibc, p->glibc, sizeof(record->glibc));
	record->format = p->source_info.format;
	record->virtual_bytes = p->source_info.virtual_bytes;
	record->verified = true;
	p->base_is_new = true;
}

int provision_find_remote(struct provision *p)
{
	char name[LAYOUT_FETCH_NAME];

	if (p->has_disk) {
		layout_sweep_fetches(p->state_dir, p->guest->name, NULL);
		return 0;
	}
	int r = provision_wanted(p);
	if (r >= 0)
		r = provision_gate(p, p->glibc);
	if (r >= 0)
		r = find_base(p);
	if (r > 0) {
		layout_sweep_fetches(p->state_dir, p->guest->name, NULL);
		remember(p);
		return provision_remember_base(p);
	}
	if (r >= 0)
		r = layout_fetch_name(p->wanted, name);
	if (r < 0)
		return r;
	layout_sweep_fetches(p->state_dir, p->guest->name, name);
	p->part = path_join(p->image_dir, name);
	if (!p->part)
		return -ENOMEM;
	r = each_mirror(p, fetch_image);
	if (r >= 0) {
		stageline_begin(&p->line, "checking the image");
		r = provision_examine(p, p->part, &p->source_info);
	}
	FAILPOINT(FETCH_CHECKED);
	return r;
}

int provision_adopt_part(struct provision *p, const char *digest)
{
	int r = layout_base_name(
		digest, disk_format_to_string(p->source_info.format), p->record.base);

	if (r < 0)
		return r;
	if (chmod(p->part, BASE_MODE) < 0)
		return -errno;
	r = provision_put_base(p, p->part, p->record.base);
	if (r < 0)
		return r;
	fetch_discard(p->part); /* what is left of it: the meta file */
	remember(p);
	stageline_note(&p->line, "the image is verified: SHA-256 %s, %s%s", digest,
		p->signer[0] ? "signed by " : "pinned by SHA256=", p->signer);
	return provision_remember_base(p);
}

int provision_check_update(struct provision *p)
{
	CLEANUP_FREE char *path = layout_path(p->state_dir, p->guest->name, LAYOUT_RECORD);

	if (!path)
		return -ENOMEM;
	(void)record_read(path, &p->record);
	if (!provision_is_remote(p) || !p->guest->keyring)
		return reason_set(&p->reason, -EINVAL,
			"there is nothing to ask: only URL= with Keyring= and Fingerprint= says "
			"what the publisher has now");
	int r = each_mirror(p, signed_digest);
	if (r < 0)
		return r;
	stageline_end(&p->line);
	const char *old = p->record.sha256[0] ? p->record.sha256 : p->guest->image_sha256;
	if (!old)
		printf("%s: not provisioned; the image is %s\n", p->guest->name, p->wanted);
	else if (strcmp(old, p->wanted) == 0)
		printf("%s: up to date: %s\n", p->guest->name, old);
	else
		printf("%s: the image has changed: in use is %s, signed by %s is %s; the disk "
		       "keeps its base until `mediakitd provision %s --replace-disk=%s`\n",
			p->guest->name, old, p->signer, p->wanted, p->guest->name, p->guest->name);
	return old && strcmp(old, p->wanted) != 0;
}
