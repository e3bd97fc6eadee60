/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets of saved guests, as core sees them: what a save of memory fits, written down when it was
 * made and taken away before it is offered to the hypervisor. io/filesaves implements it on a
 * worker, because both end in a sync; tests implement it in simulated time.
 *
 * Theory of operation: memory that meets another disk than the one it was saved with destroys that
 * disk's file system, while memory that is lost is a power cut. So a save is worth something only
 * with its ticket, a ticket is gone from the disk, synced, before anybody may use the save, and one
 * that cannot be proven to fit is not used. A daemon that dies at any point in between leaves a
 * save without a ticket, or a ticket without a save: both boot. */
#ifndef MEDIAKIT_IO_SAVES_H
#define MEDIAKIT_IO_SAVES_H

#include "base/time.h"
#include "io/digest.h"
#include "model/reason.h"

#include <stdint.h>

/* What core knows of a save; the state of the guest's files is the implementation's to add. */
struct save_made {
	char xml_sha256[DIGEST_TEXT]; /* of the domain's description it was started with */
	uint64_t version;             /* of its QEMU, as hv_reply has it */
	char boot_id[37];             /* the guest's; "" unknown */
	usec_t at_realtime;
};

struct save_news {
	/* Of keep(): 0 or -errno. Of take(): 0: there was a ticket, and the guest's files are those
	 * of then; -ENOENT: none; -ESTALE: a file is another or was written since; -EBADMSG: it
	 * cannot be understood; -errno: it could not be taken away, or the disk does not answer. */
	int error;
	struct save_made made; /* of take(), with 0 */
	struct reason reason;  /* of an error but -ENOENT */
};

/* On the main loop, exactly once, never inside keep() or take(). */
typedef void (*save_done_t)(void *userdata, const struct save_news *news, usec_t now);

struct saves;
struct saves_vtable {
	/* Answers nothing any more. */
	void (*destroy)(struct saves *s);
	/* Looks at the guest's files, while nobody writes to them, and writes the ticket. 0: done()
	 * will be called; -errno: it will not. */
	int (*keep)(struct saves *s, const char *guest, const struct save_made *made,
		save_done_t done, void *userdata);
	/* Reads the ticket, holds it against the files and takes it away, durably, whatever it
	 * says. As keep(). */
	int (*take)(struct saves *s, const char *guest, save_done_t done, void *userdata);
};

struct saves {
	const struct saves_vtable *vtable;
};

#endif
