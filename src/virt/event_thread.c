/* SPDX-License-Identifier: Apache-2.0 */
/* libvirt's event loop in a thread of its own.
 *
 * Rejected: sd-event behind virEventRegisterImpl. libvirt calls updateHandle from whatever thread
 * makes a call, and sd-event may be touched by its own thread only. */
#include "virt/event_thread.h"

#include "base/macro.h"
#include "io/worker_thread.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pthread.h>

#define EVENT_STACK_KIB 256u /* callbacks decode one message and copy a few bytes */

static pthread_mutex_t ensure_lock = PTHREAD_MUTEX_INITIALIZER;
static bool registered, running; /* under it */

static void ignore_error(void *userdata, virErrorPtr error)
{
	(void)userdata;
	(void)error;
}

static void *event_main(void *userdata)
{
	(void)userdata;
	for (;;) {
		/* It fails only where the implementation is not registered or poll() is out of
		 * memory: never spin. */
		if (virEventRunDefaultImpl() < 0)
			(void)usleep(100 * 1000);
	}
	return NULL;
}

int event_thread_ensure(void)
{
	int r = 0;

	pthread_mutex_lock(&ensure_lock);
	if (!registered) {
		virSetErrorFunc(NULL, ignore_error);
		if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0)
			r = -EIO;
		else
			registered = true;
	}
	if (r == 0 && !running) {
		r = thread_start("virt-events", EVENT_STACK_KIB, event_main, NULL);
		running = r == 0;
	}
	pthread_mutex_unlock(&ensure_lock);
	return r;
}
