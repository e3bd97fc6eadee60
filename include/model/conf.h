/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration texts to specs. Buffers in, specs and faults out: the files are read by io/confdir.
 */
#ifndef MEDIAKIT_MODEL_CONF_H
#define MEDIAKIT_MODEL_CONF_H

#include "base/macro.h"
#include "model/spec.h"

#define CONF_FILE_MAX   (256u * 1024u) /* bytes of one file */
#define CONF_FAULTS_MAX 256u           /* kept; the rest is counted */

/* One text to read, in order of precedence (later wins). */
struct conf_text {
	const char *path;  /* for messages */
	const char *guest; /* NULL: mediakitd.conf; otherwise the guest this file or drop-in belongs
			      to */
	const char *text;
	size_t len;
};

struct conf_fault {
	bool warning;
	char *text; /* "file:line: key: what is wrong, what is allowed", or without line and key */
	size_t where_len; /* bytes of text that are "file:line: ", for who puts a word behind them;
			     or 0 */
};

struct conf_faults {
	struct conf_fault *list;
	unsigned n, n_dropped;
	unsigned n_errors; /* faults that are no warnings, dropped ones included */
};
/* Frees the texts and leaves an empty list; takes one that is all zero. */
void conf_faults_clear(struct conf_faults *faults);
/* 0, or -ENOMEM; the fault is counted in any case, so that an error is never lost for want of
 * memory. */
int conf_faults_add(struct conf_faults *faults, bool warning, const char *format, ...)
	PRINTF_LIKE(3, 4);

/* Reads every text, then checks the whole (ports across guests, dependency cycles, …). All faults
 * of all texts are reported in one go. Returns 0 and *ret (the caller's, spec_free) when there is
 * no error (there may be warnings); -EINVAL when faults->n_errors > 0; -ENOMEM. */
int conf_parse(const struct conf_text *texts, size_t n_texts, struct spec **ret,
	struct conf_faults *faults);

/* How a change of configuration takes effect. */
enum conf_effect {
	CONF_LIVE,
	CONF_NEXT_BOOT,
	CONF_RESTART_DAEMON,
	CONF_PROVISION,
	CONF_EFFECT_NUM
};
NAME_TABLE_DECLARE(conf_effect, enum conf_effect);

struct conf_change {
	const char *guest;   /* into the specs compared; NULL: the daemon */
	const char *service; /* or NULL */
	const char
		*key; /* "Memory", "Interval", …; "guest added", "service removed" and the like */
	enum conf_effect effect;
};

/* Calls `each` for every difference between two valid specs. What counts is the value in force, so
 * a default that follows another key (MemoryMin, SSHPort) is told when that key moves it; only
 * HostPort keeps quiet then, because it would repeat PortOffset or Port once per service. */
void conf_diff(const struct spec *from, const struct spec *to,
	void (*each)(void *userdata, const struct conf_change *change), void *userdata);

#endif
