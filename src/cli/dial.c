/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting, without waiting for a daemon that is stopped. sd-bus would: a socket that listens
 * takes connections also for a process that does not run, and for the answer to its greeting sd-bus
 * waits 90 s, whatever limit its calls have. */
#include "cli/dial.h"

#include "bus/names.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	/* Not blocking: a daemon that was stopped lets its queue fill, and then connect() would
	 * wait for ever. */
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	strcpy(address.sun_path, path);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		int r = -errno;
		(void)close(fd);
		return r;
	}
	return fd;
}

static int start(sd_bus *bus)
{
	int r;

	if ((r = sd_bus_set_bus_client(bus, 0)) < 0 || (r = sd_bus_set_anonymous(bus, 1)) < 0 ||
		(r = sd_bus_negotiate_fds(bus, 1)) < 0 ||
		(r = sd_bus_set_method_call_timeout(bus, DIAL_ANSWER_WITHIN)) < 0)
		return r;
	return sd_bus_start(bus);
}

int dial_wait_ready(sd_bus *bus)
{
	usec_t until = usec_add(now_boottime(), DIAL_ANSWER_WITHIN);
	int r;

	while ((r = sd_bus_is_ready(bus)) == 0) {
		usec_t now = now_boottime();

		if (now >= until)
			return -ETIMEDOUT;
		r = sd_bus_process(bus, NULL);
		if (r == 0)
			r = sd_bus_wait(bus, usec_sub(until, now));
		if (r < 0 && r != -EINTR)
			return r;
	}
	return r < 0 ? r : 0;
}

int dial_socket(const char *path, sd_bus **ret)
{
	sd_bus *bus = NULL;
	int fd = connect_to(path), r = fd;

	if (r >= 0)
		r = sd_bus_new(&bus);
	if (r >= 0)
		r = sd_bus_set_fd(bus, fd, fd);
	if (r < 0) {
		if (fd >= 0)
			(void)close(fd);
		sd_bus_unref(bus);
		return r;
	}
	r = start(bus);
	if (r < 0) {
		sd_bus_close_unref(bus);
		return r;
	}
	*ret = bus;
	return 0;
}

int dial_system_bus(sd_bus **ret)
{
	sd_bus *bus = NULL;
	int r = sd_bus_open_system(&bus);

	if (r < 0 || (r = sd_bus_get_name_creds(bus, BUS_NAME, 0, NULL)) < 0 ||
		(r = sd_bus_set_allow_interactive_authorization(bus, 1)) < 0 ||
		(r = sd_bus_set_method_call_timeout(bus, DIAL_ANSWER_WITHIN)) < 0 ||
		(r = sd_bus_add_match(bus, NULL, "type='signal',sender='" BUS_NAME "'", NULL,
			 NULL)) < 0) {
		sd_bus_close_unref(bus);
		return r;
	}
	*ret = bus;
	return 0;
}
