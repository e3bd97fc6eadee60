/* SPDX-License-Identifier: Apache-2.0 */
/* Making a thread the way all of ours are made. Two files do, and a test may link either alone. */
#ifndef MEDIAKIT_IO_WORKER_THREAD_H
#define MEDIAKIT_IO_WORKER_THREAD_H

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>

/* The sanitizers need several times the stack. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define THREAD_STACK_FACTOR 8u
#else
#define THREAD_STACK_FACTOR 1u
#endif

/* Detached, so nobody ever waits for it; with every signal blocked, for those are the main loop's
 * signalfd's; with a stack of that size, of which only what is touched costs memory. The name is
 * cut at 15 bytes. The thread must not have ended before this returns. 0, or -EAGAIN. */
static inline int thread_start(const char *name, size_t stack_kib, void *(*run)(void *userdata),
	void *userdata)
{
	char cut[16]; /* with its NUL, pthread_setname_np(3) */
	sigset_t all, old;
	pthread_attr_t attr;
	pthread_t id;
	int r;

	r = pthread_attr_init(&attr);
	if (r != 0)
		return -EAGAIN;
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attr, stack_kib * 1024 * THREAD_STACK_FACTOR);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&id, &attr, run, userdata);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attr);
	if (r != 0)
		return -EAGAIN;
	(void)snprintf(cut, sizeof(cut), "%.15s", name);
	(void)pthread_setname_np(id, cut);
	return 0;
}

#endif
