/* SPDX-License-Identifier: Apache-2.0 */
/* The one place that knows what lies where under the state directory.
 *
 *   STATE/                      0711  QEMU's user must get through it, and see nothing
 *   STATE/version                     "1\n": the version of this layout
 *   STATE/lock                        one daemon per state directory (the daemon's)
 *   STATE/images/GUEST/         0711  what QEMU opens
 *       fetch-<16 hex>.part     0600  a download of the image with that SHA-256, as far as it is;
 *                                     kept, and gone on with by the next provision
 *       fetch-<16 hex>.part.meta      of which URL it is, and what its server calls that content
 *       base-<16 hex>.qcow2     0444  copy of the image, named by its SHA-256 (or .raw); never
 *                                     replaced: kept disks (.old-…) stand on it
 *       base-<16 hex>.qcow2.bad-<time>  one that was changed, put aside by --replace-disk
 *       disk.qcow2              0600  the guest's own disk, an overlay on a base; libvirt gives it
 *                                     to QEMU's user at the start
 *       disk.qcow2.old-<time>         disks put aside by --replace-disk
 *       seed.iso                0600  the guest's own SSH key is in it; libvirt gives it to QEMU's
 *                                     user as it does the disk, and leaves it there
 *       vmlinuz, initrd         0644  copies for direct kernel boot
 *       lock                          held while the guest is provisioned and while it is started
 *       snapshots/              0711  copies of the disk (io/snapshots); TIME is 20261129T075501Z
 *           TIME.part           0600  one that is being made; libvirt lends it to QEMU's user
 *           TIME.qcow2          0600  one that is whole and stands alone
 *           TIME.json           0600  of what, when and how it was made
 *   STATE/private/GUEST/        0700  what only we open
 *       ssh_key, ssh_key.pub    0600  made once where the configuration gives no key
 *       host_key, host_key.pub  0600  the guest's own SSH key, handed over in the seed
 *       known_hosts                   its public half, under the guest's name
 *       deploy.lock                   held by the one deploy at a time
 *       ssh.sock                      the connection of the deploy under way
 *       provision.json                what the base was made of, and when
 *       libraries                     those of the image, one a line, where its manifest lists them
 *       state.json              0600  what the daemon keeps of the guest (io/filestore)
 *       state.json.bad                the last one that could not be used, as it was found
 *       saved.json              0600  what the save fits that the next start may go on from, once
 *                                     (io/saves)
 *       console.log, .log.1     0600  what the guest said on its serial line
 *
 * A file that is being made is called "….tmp" (or "….tmp.pub", which is ssh-keygen's doing);
 * whoever holds the guest's lock may remove such files. */
#ifndef MEDIAKIT_IO_LAYOUT_H
#define MEDIAKIT_IO_LAYOUT_H

#include "model/reason.h"

#include <stddef.h>

#define LAYOUT_VERSION   1u
#define LAYOUT_TEMPORARY ".tmp"

enum layout_file {
	LAYOUT_VERSION_FILE, /* these four take no guest */
	LAYOUT_STATE_LOCK,
	LAYOUT_IMAGES,
	LAYOUT_PRIVATE,
	LAYOUT_IMAGE_DIR, /* the guest's */
	LAYOUT_DISK,
	LAYOUT_SEED,
	LAYOUT_KERNEL,
	LAYOUT_INITRD,
	LAYOUT_GUEST_LOCK,
	LAYOUT_SNAPSHOTS,
	LAYOUT_PRIVATE_DIR,
	LAYOUT_SSH_KEY,
	LAYOUT_SSH_KEY_PUB,
	LAYOUT_HOST_KEY,
	LAYOUT_HOST_KEY_PUB,
	LAYOUT_KNOWN_HOSTS,
	LAYOUT_DEPLOY_LOCK,
	LAYOUT_SSH_SOCKET,
	LAYOUT_RECORD,
	LAYOUT_LIBRARIES,
	LAYOUT_STATE,
	LAYOUT_STATE_BAD,
	LAYOUT_SAVED,
	LAYOUT_CONSOLE,
	LAYOUT_CONSOLE_OLD,
	LAYOUT_EVENTS,
	LAYOUT_EVENTS_OLD,
	LAYOUT_DAEMON_EVENTS, /* these two take no guest */
	LAYOUT_DAEMON_EVENTS_OLD,
	LAYOUT_FILE_NUM,
};

/* The path, the caller's to free; `guest` is not looked at for the first four. NULL where memory
 * is out or where the name cannot be a directory's ("", ".", "..", a slash in it). */
char *layout_path(const char *state_dir, const char *guest, enum layout_file file);

static inline char *layout_disk(const char *state_dir, const char *guest)
{
	return layout_path(state_dir, guest, LAYOUT_DISK);
}

static inline char *layout_seed(const char *state_dir, const char *guest)
{
	return layout_path(state_dir, guest, LAYOUT_SEED);
}

static inline char *layout_kernel(const char *state_dir, const char *guest)
{
	return layout_path(state_dir, guest, LAYOUT_KERNEL);
}

static inline char *layout_initrd(const char *state_dir, const char *guest)
{
	return layout_path(state_dir, guest, LAYOUT_INITRD);
}

static inline char *layout_guest_lock(const char *state_dir, const char *guest)
{
	return layout_path(state_dir, guest, LAYOUT_GUEST_LOCK);
}

static inline char *layout_state_lock(const char *state_dir)
{
	return layout_path(state_dir, NULL, LAYOUT_STATE_LOCK);
}

/* One of the files of a copy called so, in the guest's snapshots/; as layout_path(). */
#define LAYOUT_SNAPSHOT_PART   ".part"
#define LAYOUT_SNAPSHOT_IMAGE  ".qcow2"
#define LAYOUT_SNAPSHOT_RECORD ".json"
char *layout_snapshot(
	const char *state_dir, const char *guest, const char *name, const char *suffix);

/* "base-<first digits of the image's SHA-256>.<format>", in the guest's image directory. -EINVAL
 * where one of the two cannot be. */
#define LAYOUT_BASE_DIGITS 16u
#define LAYOUT_BASE_FORMAT 8u
#define LAYOUT_BASE_NAME   (5u + LAYOUT_BASE_DIGITS + 1u + LAYOUT_BASE_FORMAT + 1u)
int layout_base_name(const char *sha256, const char *format, char ret[static LAYOUT_BASE_NAME]);

/* "fetch-<first digits of the image's SHA-256>.part", in the same directory. */
#define LAYOUT_FETCH_NAME (6u + LAYOUT_BASE_DIGITS + 5u + 1u)
int layout_fetch_name(const char *sha256, char ret[static LAYOUT_FETCH_NAME]);

/* Removes downloads of the guest but the one of this name; NULL: all of them. The guest's lock must
 * be held. Best effort. */
void layout_sweep_fetches(const char *state_dir, const char *guest, const char *but);

/* Makes the state directory, or checks the version of the one that is there. 0; -EPROTONOSUPPORT: a
 * newer layout; -EINVAL: its version is no number; -errno. The reason says what and what to do, for
 * every failure. */
int layout_open(const char *state_dir, struct reason *reason);

/* Makes the two directories of a guest. As layout_open(), which comes first. */
int layout_open_guest(const char *state_dir, const char *guest, struct reason *reason);

/* Removes temporary files of the guest. The guest's lock must be held. Best effort. */
void layout_sweep(const char *state_dir, const char *guest);

#endif
