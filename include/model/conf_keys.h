/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of configuration keys: parsing, suggestions, the difference of two configurations
 * and the manual all read it. */
#ifndef MEDIAKIT_MODEL_CONF_KEYS_H
#define MEDIAKIT_MODEL_CONF_KEYS_H

#include "model/conf.h"

enum conf_section {
	CONF_SECTION_DAEMON,
	CONF_SECTION_POOL,
	CONF_SECTION_GUEST,
	CONF_SECTION_IMAGE,
	CONF_SECTION_NETWORK,
	CONF_SECTION_CLOUDINIT,
	CONF_SECTION_MEMORY,
	CONF_SECTION_SHUTDOWN,
	CONF_SECTION_RESTART,
	CONF_SECTION_BOOT,
	CONF_SECTION_BACKUP,
	CONF_SECTION_SERVICE, /* written [Service NAME] */
	CONF_SECTION_NUM,
};
NAME_TABLE_DECLARE(conf_section, enum conf_section);

/* Which struct a section's keys live in: struct spec, struct guest_spec, struct service_spec. */
enum conf_object { CONF_OBJECT_DAEMON, CONF_OBJECT_GUEST, CONF_OBJECT_SERVICE };
enum conf_object conf_section_object(enum conf_section section);

/* The index of a key in the table, so that a check names its key and the compiler knows it. */
enum conf_key_id {
	CONF_KEY_CONNECTION,
	CONF_KEY_STATE_DIRECTORY,
	CONF_KEY_RUNTIME_DIRECTORY,
	CONF_KEY_RESERVE,
	CONF_KEY_CRITICAL,
	CONF_KEY_POOL_TOTAL,
	CONF_KEY_SHRINK_BELOW,
	CONF_KEY_LEAVE_ABOVE,
	CONF_KEY_GUEST_FIRST,
	CONF_KEY_HOSTNAME = CONF_KEY_GUEST_FIRST,
	CONF_KEY_USER,
	CONF_KEY_MEMORY,
	CONF_KEY_CPUS,
	CONF_KEY_CPU_WEIGHT,
	CONF_KEY_CPU_QUOTA,
	CONF_KEY_DISK,
	CONF_KEY_ACCEL,
	CONF_KEY_ARCH,
	CONF_KEY_AUTOSTART,
	CONF_KEY_IMAGE_PATH,
	CONF_KEY_SHA256,
	CONF_KEY_URL,
	CONF_KEY_KEYRING,
	CONF_KEY_FINGERPRINT,
	CONF_KEY_GLIBC_MIN,
	CONF_KEY_KERNEL,
	CONF_KEY_INITRD,
	CONF_KEY_CMDLINE,
	CONF_KEY_BIND,
	CONF_KEY_PORT_OFFSET,
	CONF_KEY_SSH_PORT,
	CONF_KEY_EGRESS,
	CONF_KEY_AUTHORIZED_KEYS,
	CONF_KEY_AUTHORIZED_KEYS_FILE,
	CONF_KEY_PACKAGES,
	CONF_KEY_VENDOR_DATA,
	CONF_KEY_EVERY_BOOT,
	CONF_KEY_MEMORY_MIN,
	CONF_KEY_MEMORY_WEIGHT,
	CONF_KEY_BALLOON,
	CONF_KEY_RECLAIM,
	CONF_KEY_IDLE_TARGET,
	CONF_KEY_SHUTDOWN_TIMEOUT,
	CONF_KEY_AGENT_TIMEOUT,
	CONF_KEY_QUIT_TIMEOUT,
	CONF_KEY_SAVE_TIMEOUT,
	CONF_KEY_ON_HOST_SHUTDOWN,
	CONF_KEY_RESTART_LIMIT,
	CONF_KEY_RESTART_WINDOW,
	CONF_KEY_RESTART_STABLE_AFTER,
	CONF_KEY_ON_POWEROFF,
	CONF_KEY_ON_TERMINATED,
	CONF_KEY_ON_DESTROY,
	CONF_KEY_ON_PANIC,
	CONF_KEY_ON_CRASH,
	CONF_KEY_ON_MEMORY_KILL,
	CONF_KEY_ON_BOOT_FAILURE,
	CONF_KEY_ON_WATCHDOG,
	CONF_KEY_DEADLINE_FACTOR,
	CONF_KEY_DEADLINE_MIN,
	CONF_KEY_ON_STUCK,
	CONF_KEY_QUORUM,
	CONF_KEY_QUORUM_AFTER,
	CONF_KEY_BACKUP_KEEP,
	CONF_KEY_BACKUP_TIMEOUT,
	CONF_KEY_SERVICE_FIRST,
	CONF_KEY_PORT = CONF_KEY_SERVICE_FIRST,
	CONF_KEY_HOST_PORT,
	CONF_KEY_PROBE,
	CONF_KEY_PROBE_PATH,
	CONF_KEY_INTERVAL,
	CONF_KEY_FAST_INTERVAL,
	CONF_KEY_TIMEOUT,
	CONF_KEY_RISE,
	CONF_KEY_FALL,
	CONF_KEY_START_BUDGET,
	CONF_KEY_EXPECT,
	CONF_KEY_DEPENDS_ON,
	CONF_KEY_UNIT,
	CONF_KEY_PURPOSE,
	CONF_KEY_RESTART_UNIT,
	CONF_KEY_RESTART_UNIT_AFTER,
	CONF_KEY_RESTART_UNIT_LIMIT,
	CONF_KEY_NUM,
};

/* How a value is kept in its field. */
enum conf_kind {
	CONF_STRING, /* char *, allocated; NULL where the key has no value */
	CONF_LIST,   /* char *[max], the number of them at extra_offset */
	CONF_SIZE,   /* uint64_t, KiB */
	CONF_SPAN,   /* usec_t */
	CONF_UINT,   /* unsigned */
	CONF_U16,    /* uint16_t */
	CONF_BOOL,   /* bool */
	CONF_ENUM,   /* an enum with a name table */
};

struct conf_key;

/* What a value has to look like. */
struct conf_type {
	const char *noun; /* "'6X' is no <noun>" */
	enum conf_kind kind;
	/* Strings and the items of a list: 0, -EINVAL, -ERANGE (too long, out of bounds). */
	int (*valid)(const struct conf_key *key, const char *value);
	bool words;         /* a list takes several items a line, parted by white space */
	bool lower;         /* kept in lower case */
	bool zero_is_none;  /* a CONF_U16 takes "none" for 0 */
	const char *suffix; /* a number is written with it, as in "50%" */
};

struct conf_key {
	enum conf_section section;
	const char *name;
	const struct conf_type *type;
	size_t offset;       /* of the field in the section's object */
	size_t extra_offset; /* CONF_LIST: of its unsigned count; else of a bool "was written", or 0
			      */
	uint64_t min, max;   /* numbers: both included; strings: bytes; lists: max items */
	int (*from_string)(const char *s); /* CONF_ENUM */
	const char *preset; /* the default, read like a written value; NULL: none, or computed */
	const char *default_text; /* for people, where preset does not say it; or NULL */
	const char *allowed;      /* ends a fault: "…; allowed: <this>" */
	enum conf_effect effect;
	const char *help; /* one line for the manual */
};

/* The row of a key; `id` is below CONF_KEY_NUM. Static storage. */
const struct conf_key *conf_key(unsigned id);

/* The row of a key of a section, or -ENOENT. Names are case-sensitive, as systemd's are. */
int conf_key_find(enum conf_section section, const char *name);

/* The default in words: default_text or preset or "none". */
const char *conf_key_default(const struct conf_key *key);

/* Edits (insert, delete, replace, swap two neighbours; case aside) that lead from a to b, or
 * UINT_MAX where one of them is longer than 64 bytes. */
unsigned conf_edit_distance(const char *a, const char *b);

/* The candidate nearest to `name`, or NULL when none is near enough to be meant: at most one edit
 * for each three letters, rounded up. */
const char *conf_nearest(const char *name, const char *const *candidates, size_t n);

#endif
