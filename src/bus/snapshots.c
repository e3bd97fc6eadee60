/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked about the copies of a guest's disk, beside the making of one. */
#include "bus/snapshots.h"

#include "bus/call.h"
#include "bus/object.h"

int snapshots_method_delete(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	uint64_t id;
	int r = sd_bus_message_read(m, "t", &id);

	return r < 0 ? r : call_begin(m, userdata, OPERATION_DELETE_SNAPSHOT, id, 0, error);
}

int snapshots_method_cancel(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const struct bus_target *t = userdata;
	char who[64], message[REQUEST_MESSAGE_MAX];
	int r = guest_cancel_snapshot(t->guest, caller_words(t->server, m, who, sizeof(who)),
		now_boottime(), message);

	return r < 0 ? bus_error_set(error, r, message) : sd_bus_reply_method_return(m, NULL);
}

int snapshots_method_list(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const struct guest_snapshotting *s =
		&((struct bus_target *)userdata)->guest->snapshotting;
	sd_bus_message *reply = NULL;
	int r = sd_bus_message_new_method_return(m, &reply);

	(void)error;
	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "(" SNAPSHOTS_ROW ")");
	for (unsigned i = 0; r >= 0 && i < s->n; i++) {
		const struct snapshot_info *one = &s->list[i];
		char name[SNAPSHOT_NAME_TEXT];

		r = sd_bus_message_append(reply, "(" SNAPSHOTS_ROW ")",
			snapshot_name(one->id, name), one->at_realtime,
			snapshot_consistency_to_string(one->consistency), one->bytes,
			one->virtual_bytes, one->sha256, one->base_sha256);
	}
	if (r >= 0 && (r = sd_bus_message_close_container(reply)) >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r;
}
