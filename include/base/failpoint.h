/* SPDX-License-Identifier: Apache-2.0 */
/* Places before and after each durable step, at which a test build can be made to die, stop, fail
 * or wait. In a normal build they are nothing at all; -DMEDIAKIT_FAILPOINTS makes them, and then
 * the environment says what happens (base/failpoint.c, tests/faults). */
#ifndef MEDIAKIT_BASE_FAILPOINT_H
#define MEDIAKIT_BASE_FAILPOINT_H

#include "base/nametable.h"

/* Named after the step that comes next, or, in the past tense, after the one that is done. A
 * letter: the programs and threads that come by. d the daemon's main loop, w a worker of it, p the
 * provisioner. */
enum failpoint {
	FAILPOINT_FILE_WRITE,       /* dwp: file_write_atomic() has done nothing yet */
	FAILPOINT_FILE_SYNC,        /* dwp: the temporary file is written */
	FAILPOINT_FILE_RENAME,      /* dwp: it is synced */
	FAILPOINT_FILE_SYNC_DIR,    /* dwp: it has the name, the directory is not synced */
	FAILPOINT_FILE_DONE,        /* dwp */
	FAILPOINT_LOCK,             /* dp: of the state directory, then of a guest */
	FAILPOINT_LOCKED,           /* dp */
	FAILPOINT_UNLOCK,           /* d: of a guest */
	FAILPOINT_UNLOCKED,         /* d */
	FAILPOINT_STATE_SAVE,       /* w: the guest's state text is out of the main loop's hands */
	FAILPOINT_STATE_SAVED,      /* w */
	FAILPOINT_CONSOLE_APPEND,   /* w: serial bytes, to the log */
	FAILPOINT_CONSOLE_APPENDED, /* w */
	FAILPOINT_EVENTS_APPEND,    /* w: events, to their file */
	FAILPOINT_EVENTS_APPENDED,  /* w: and not synced */
	FAILPOINT_WANT,             /* d: a request is about to change what is wanted */
	FAILPOINT_WANTED,           /* d: it is on its way to the disk */
	FAILPOINT_START_SUBMIT,     /* d: all is checked, the lock is ours */
	FAILPOINT_START_ANSWERED,   /* d: libvirt's answer is there, nothing was made of it */
	FAILPOINT_EXIT_RECORDED,    /* d: the end of a run has its cause */
	FAILPOINT_RETRY_SCHEDULED,  /* d: a fault was counted */
	FAILPOINT_DEFINE,           /* w: the domain */
	FAILPOINT_DEFINED,          /* w */
	FAILPOINT_CREATED,          /* w: QEMU is there, paused, nobody reads its console */
	FAILPOINT_RESUME,           /* w: the console is open */
	FAILPOINT_RESUMED,          /* w */
	FAILPOINT_DESTROY,          /* w: QEMU */
	FAILPOINT_DESTROYED,        /* w */
	FAILPOINT_ACPI,             /* w: press the power button */
	FAILPOINT_ACPI_DONE,        /* w */
	FAILPOINT_SETMEM,           /* w: the balloon */
	FAILPOINT_SETMEM_DONE,      /* w */
	FAILPOINT_AGENT_SHUTDOWN,   /* w: these four only with a guest agent, so with an OS */
	FAILPOINT_AGENT_SHUTDOWN_DONE,
	FAILPOINT_AGENT,
	FAILPOINT_AGENT_ANSWERED,
	FAILPOINT_SAVE,              /* w: QEMU's memory */
	FAILPOINT_SAVE_DONE,         /* w: QEMU is gone, nobody wrote down what the save fits */
	FAILPOINT_TICKET_TAKE,       /* w: the save is about to be used, or thrown away */
	FAILPOINT_TICKET_TAKEN,      /* w: nothing says any more that it may be */
	FAILPOINT_SAVE_DROP,         /* w: libvirt's own file of it */
	FAILPOINT_SNAPSHOT_TARGET,   /* w: these only with a guest that is up. An empty image is
				      * about to be made, to copy into */
	FAILPOINT_SNAPSHOT_BEGIN,    /* w: QEMU is about to copy; the guest may be frozen */
	FAILPOINT_SNAPSHOT_BEGUN,    /* w: it does */
	FAILPOINT_SNAPSHOT_SYNC,     /* w: it is over, nothing is synced or checked */
	FAILPOINT_SNAPSHOT_RENAME,   /* w: the record is written, the copy has not its name */
	FAILPOINT_SNAPSHOT_RENAMED,  /* w */
	FAILPOINT_SNAPSHOT_DELETE,   /* w: the oldest, or what is half-made */
	FAILPOINT_PROVISION_STAGE,   /* p: each of them */
	FAILPOINT_PROVISION_RENAME,  /* p: a finished file, to its name */
	FAILPOINT_PROVISION_RENAMED, /* p */
	FAILPOINT_COPY_SYNC,         /* p: a copy is whole, not synced */
	FAILPOINT_FETCH_BEGUN,       /* p: a download's meta file is written, no byte of it */
	FAILPOINT_FETCH_WRITTEN,     /* p: some bytes of it are */
	FAILPOINT_FETCH_SYNC,        /* p: all of them, not synced */
	FAILPOINT_FETCH_FETCHED,     /* p: it is synced, not checked */
	FAILPOINT_FETCH_CHECKED,     /* p: it is what was signed, and has not its name */
	FAILPOINT_NUM,
};
NAME_TABLE_DECLARE(failpoint, enum failpoint);

/* FAILPOINT(X) where a failure has no way out; FAILPOINT_OR_RETURN(X) makes the function that has
 * it return what the test asks for, a -errno. */
#ifdef MEDIAKIT_FAILPOINTS
/* 0, or the -errno to fail with. Any thread. */
int failpoint_reached(enum failpoint at);

#define FAILPOINT(name) ((void)failpoint_reached(FAILPOINT_##name))
#define FAILPOINT_OR_RETURN(name)                                                                  \
	do {                                                                                       \
		int failpoint_error_ = failpoint_reached(FAILPOINT_##name);                        \
		if (failpoint_error_ < 0)                                                          \
			return failpoint_error_;                                                   \
	} while (0)
#else
#define FAILPOINT(name)           ((void)0)
#define FAILPOINT_OR_RETURN(name) ((void)0)
#endif

#endif
