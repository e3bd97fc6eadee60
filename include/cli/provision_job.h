/* SPDX-License-Identifier: Apache-2.0 */
/* One run of `provision`: what its stages share. Private to src/cli/provision*.c.
 *
 * Theory of operation. The disk is a write-once ledger, so the order is: refuse first, change last.
 * The stages stand in a table and pass one after the other; each returns 0, or -errno with a reason
 * that ends the run. Whatever is made is made under a temporary name, synced, and renamed into
 * place, so that an end at any point (a failure, a signal, a power cut) leaves the old state or the
 * new one; temporary files are swept at the end of every run and at the beginning of the next. No
 * stage opens an existing disk for writing, and none gives an existing base or disk another
 * content: a base is named by its digest; a disk that is replaced, and a base that is found to be
 * no longer what its name says, keep their content under another name. */
#ifndef MEDIAKIT_CLI_PROVISION_JOB_H
#define MEDIAKIT_CLI_PROVISION_JOB_H

#include "cli/stageline.h"
#include "io/disk.h"
#include "io/record.h"
#include "io/tick.h"
#include "model/spec.h"

#include <sys/stat.h>

struct args;
struct import;

struct provision {
	const struct guest_spec *guest;
	const char *state_dir;
	bool replace_disk;
	usec_t patience; /* for a server that says nothing */
	struct stageline line;
	struct tick tick;
	struct reason reason;

	struct import *import; /* of import-predecessor, or NULL */
	const char *from;      /* what the disk is made of instead of the image, or NULL */

	char *image_dir, *disk; /* paths */
	int lock_fd;

	bool has_disk;         /* one that stays: false with --replace-disk */
	bool old_disk;         /* one that is put aside, whatever it holds */
	struct disk_info info; /* of either, where it can be told */
	struct record record;  /* what is known; all zero where nothing is */
	/* With --replace-disk: a base that is not what its name says, "" for none. It is used no
	 * more, and put aside when the new one, or the new disk, is made. */
	char bad_base[LAYOUT_BASE_NAME];

	int source_fd; /* of the image, or -1: gone, or none configured */
	struct stat source;
	bool source_known; /* the file the record speaks of, untouched, and its base is there */
	struct disk_info source_info; /* where !source_known */

	/* Of an image from URL=. */
	char wanted[DIGEST_TEXT];   /* the digest that is pinned or signed */
	char signer[SUMS_KEY];      /* "" where it is only pinned */
	char glibc[GLIBC_TEXT_MAX]; /* what the image's manifest says; "" for nothing */
	char *libraries;            /* likewise, see manifest_libraries(); or NULL */
	bool base_is_new;           /* the record speaks of another base than before */
	char *part;                 /* the download, whole and checked, or NULL */
};

/* Path=, or the first URL=, for messages. */
static inline const char *provision_image_name(const struct provision *p)
{
	return p->guest->image_path ?: p->guest->image_urls[0];
}

static inline bool provision_is_remote(const struct provision *p)
{
	return !p->guest->image_path && p->guest->n_image_urls > 0;
}

/* Those of --from=: is it an image that fits, then the disk made of it. */
int provision_find_from(struct provision *p);
int provision_from(struct provision *p);
/* Gives the finished file the disk's name; the disk that is there is kept under another. */
int provision_put_disk(struct provision *p, const char *temporary);
/* Gives the finished file this name in the image directory; `bad_base`, if it is that, is kept
 * under another. */
int provision_put_base(struct provision *p, const char *temporary, const char *name);
/* After the disk was replaced: a bad base whose name nobody needed is put aside as well. */
int provision_drop_bad_base(struct provision *p);

/* The stages, in the order of the table in provision.c. */
int provision_find_disk(struct provision *p);
int provision_find_image(struct provision *p);
int provision_check_space(struct provision *p);
int provision_base(struct provision *p);
int provision_disk(struct provision *p);
int provision_boot_files(struct provision *p);
int provision_seed(struct provision *p);

/* Of an image from URL=: what is wanted (with the manifest, where the signed sums have one), and
 * the file, fetched unless its base is there. */
int provision_wanted(struct provision *p);
int provision_find_remote(struct provision *p);
/* Makes the download the base, called `name`; the record is filled in. */
int provision_adopt_part(struct provision *p, const char *digest);

/* The base that the record speaks of: is it what it was? Hashed where inode, size or time differ.
 */
int provision_check_base(struct provision *p);
/* The file that is called as the base with this digest is. 1: it is that base; 0: there is none, or
 * with --replace-disk a damaged one; -EBADMSG: a damaged one; -errno. */
int provision_find_base(struct provision *p, const char *name, const char *digest);
/* Notes what the base looks like now. */
int provision_remember_base(struct provision *p);

/* The disk stands on no base. What is known of the image that its content came from stays known if
 * that is the one of this digest ("": nobody knows); nothing is known otherwise. */
void provision_forget_base(struct provision *p, const char *sha256);

/* Keeps what a manifest says; `name` is its, for a message. */
int provision_take_manifest(struct provision *p, const struct manifest *manifest, const char *text,
	size_t len, const char *name);
/* Beside the record, for preflight. */
int provision_save_libraries(struct provision *p);
/* What is said of a local image beside it, into p->glibc and p->libraries. */
int provision_read_manifest(struct provision *p, const char *digest);
/* Refuses what is known to have an older C library than GlibcMin=. */
int provision_gate(struct provision *p, const char *glibc);

/* Looks at an image before it is used: qemu-img info and check, and whether it fits the disk. */
int provision_examine(struct provision *p, const char *path, struct disk_info *ret);
bool provision_has_base(const struct provision *p, const char *name, uint64_t bytes);

/* `--check-update`: 0 the same, 1 changed, both told on stdout; -errno. */
int provision_check_update(struct provision *p);

/* A mirror that is nearly dead is worse than the next one; one that is only slow is not. */
#define PROVISION_PATIENCE (30 * USEC_PER_SEC)

struct provision_options {
	const char *verb;
	const char *replace; /* the option's value, "" where it has none, NULL: not given */
	bool check_update;
	const char *from;
	usec_t patience;
	struct import *import; /* what comes before provisioning, or NULL */
};

/* The whole for one guest, reading the configuration: an enum cli_exit, all told. */
int provision_by(
	const struct args *args, const char *name, const struct provision_options *options);

/* Renames and syncs the directory, so that the name is as durable as the content. */
int provision_rename(const char *from, const char *to, struct reason *reason);

#endif
