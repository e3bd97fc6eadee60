/* SPDX-License-Identifier: Apache-2.0 */
/* systemd's status lines of a shutdown. */
#include "policy/halt.h"

#include "base/macro.h"
#include "model/utf8.h"

#include <string.h>

/* Beginnings of what systemd 252 to 257 print while they go down: unit_status_printf and the job
 * messages of src/core (job.c, mount.c, manager.c), src/shutdown, and the kernel's last words
 * (kernel/reboot.c). */
static const char *const beginnings[] = {
	"Stopping ",
	"Stopped ",
	"Unmounting ",
	"Unmounted ",
	"Failed unmounting ",
	"Deactivating swap ",
	"Deactivated swap ",
	"A stop job is running for ",
	"Reached target ",
	"Sending SIG",
	"Syncing filesystems",
	"All filesystems unmounted",
	"Detaching ",
	"Waiting for process: ",
	"Powering off",
	"reboot: ",
};

struct text {
	const char *s;
	size_t len;
};

static bool begins(struct text t, const char *with)
{
	size_t n = strlen(with);

	return t.len >= n && memcmp(t.s, with, n) == 0;
}

static struct text skip(struct text t, size_t n)
{
	return (struct text){ t.s + n, t.len - n };
}

/* Past "[  OK  ]", "[   12.345678]", "[ **   ]", "systemd-shutdown[1]:" and "(1 of 2)", in any
 * number: what stands before the words. */
static struct text past_prefixes(struct text t)
{
	for (;;) {
		const char *end = NULL;

		if (begins(t, " "))
			end = t.s;
		else if (begins(t, "["))
			end = memchr(t.s, ']', t.len);
		else if (begins(t, "("))
			end = memchr(t.s, ')', t.len);
		else if (begins(t, "systemd[") || begins(t, "systemd-shutdown["))
			end = memchr(t.s, ':', t.len);
		if (!end)
			return t;
		t = skip(t, (size_t)(end - t.s) + 1);
	}
}

/* "Job nginx.service/stop running (5s / 1min 30s)", as 254 and later say it. */
static bool is_stop_job(struct text t)
{
	static const char middle[] = "/stop running";

	return begins(t, "Job ") && memmem(t.s, t.len, middle, sizeof(middle) - 1);
}

/* Without the time a job has run, which moves all the while, and the dots at the end. */
static struct text without_tail(struct text t, bool job)
{
	const char *time = job ? memrchr(t.s, '(', t.len) : NULL;

	if (time)
		t.len = (size_t)(time - t.s);
	if (t.len >= 3 && memcmp(t.s + t.len - 3, "\xe2\x80\xa6", 3) == 0)
		t.len -= 3;
	while (t.len > 0 && (t.s[t.len - 1] == '.' || t.s[t.len - 1] == ' '))
		t.len--;
	return t;
}

bool halt_line(struct halt *h, const char *words, size_t len)
{
	struct text t = past_prefixes((struct text){ words, len });
	bool job = is_stop_job(t) || begins(t, "A stop job"), known = job;
	char at[HALT_WORDS_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(beginnings) && !known; i++)
		known = begins(t, beginnings[i]);
	if (!known)
		return false;
	t = without_tail(t, job);
	(void)utf8_escape(at, sizeof(at), t.s, t.len);
	if (strcmp(at, h->at) == 0)
		return false;
	memcpy(h->at, at, sizeof(at));
	return true;
}
