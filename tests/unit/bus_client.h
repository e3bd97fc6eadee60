/* SPDX-License-Identifier: Apache-2.0 */
/* cli/client's part, played by the callers of bus_world.h: what the modules above it ask reaches
 * the server of the tests. */
#ifndef MEDIAKIT_TESTS_BUS_CLIENT_H
#define MEDIAKIT_TESTS_BUS_CLIENT_H

#include "unit/bus_world.h"

sd_bus *client_bus(struct client *c)
{
	return (sd_bus *)c;
}

const char *client_destination(const struct client *c)
{
	(void)c;
	return NULL;
}

int client_ask(struct client *c, int error, sd_bus_message *m, struct client_reply *reply,
	sd_bus_message **ret_answer)
{
	struct answer_box box = { 0 };

	assert_true(error >= 0);
	assert_true(sd_bus_call_async((sd_bus *)c, NULL, m, on_answer, &box, UINT64_MAX) >= 0);
	sd_bus_message_unref(m);
	run_dry();
	assert_int_equal(box.n, 1);
	*reply = (struct client_reply){ .done = true,
		.status = sd_bus_message_get_error(box.m) ? 1 : 0 };
	if (reply->status == 0)
		*ret_answer = box.m;
	else
		sd_bus_message_unref(box.m);
	return reply->status ? -EIO : 0;
}

#endif
