/* SPDX-License-Identifier: Apache-2.0 */
/* The Manager object, com.pointsav.MediaKit1.Manager at /com/pointsav/MediaKit1, beside the
 * ObjectManager. units/com.pointsav.MediaKit1.xml says what each member means. */
#include "base/log.h"
#include "base/notify.h"
#include "bus/call.h"
#include "bus/memory.h"
#include "bus/object.h"
#include "bus/story.h"
#include "bus/tally.h"

#include <errno.h>
#include <string.h>

#define GETTER(name, dbus_type, c_type, expr)                                                      \
	static int get_##name(sd_bus *connection, const char *path, const char *interface,         \
		const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error)  \
	{                                                                                          \
		const struct supervisor *s = ((struct bus *)userdata)->supervisor;                 \
		const c_type value = (expr);                                                       \
		(void)connection, (void)path, (void)interface, (void)property, (void)error;        \
		return sd_bus_message_append(reply, dbus_type, value);                             \
	}

static const char *store_trouble(const struct supervisor *s)
{
	struct store *store = s->config.store;

	return store ? store->vtable->trouble(store) : "";
}

GETTER(version, "s", char *, s ? MEDIAKIT_VERSION : "")
GETTER(began, "t", uint64_t, s->began_realtime)
GETTER(config_dir, "s", char *, s->config_dir ? s->config_dir : "")
GETTER(state_dir, "s", char *, s->spec->state_dir)
GETTER(uri, "s", char *, s->spec->connection)
GETTER(connected, "b", int, s->hv_health.connected)
GETTER(connection_message, "s", char *, s->hv_health.connected ? "" : s->hv_health.message)
GETTER(connection_since, "t", uint64_t, s->hv_since_realtime)
GETTER(wedged_queues, "u", uint32_t, s->hv_health.wedged_queues)
GETTER(store_trouble, "s", char *, store_trouble(s))
GETTER(pool_reserve, "t", uint64_t, s->spec->reserve_kib)
GETTER(pool_critical, "t", uint64_t, s->spec->critical_kib)
GETTER(pool_total, "t", uint64_t, s->pool.in.total_kib)
GETTER(pool_available, "t", uint64_t, s->pool.decided ? s->pool.in.available_kib : UINT64_MAX)
GETTER(pool_need, "t", uint64_t, s->pool.outcome.need_kib)
GETTER(pool_enter, "t", uint64_t, s->pool.outcome.enter_kib)
GETTER(pool_leave, "t", uint64_t, s->pool.outcome.leave_kib)
GETTER(pool_pressed, "b", int, s->pool.outcome.pressed)
GETTER(pool_below_critical, "b", int, s->pool.outcome.critical)
GETTER(pool_degraded, "b", int, s->pool.outcome.degraded)

static int method_ping(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	(void)userdata, (void)error;
	return sd_bus_reply_method_return(m, NULL);
}

static int method_list_events(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	(void)error;
	return story_list_events(m, ((struct bus *)userdata)->supervisor, NULL);
}

static int method_counters(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	(void)error;
	return tally_reply_counters(m, ((struct bus *)userdata)->supervisor);
}

static int method_balloon_inputs(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	return memory_reply_inputs(m, ((struct bus *)userdata)->supervisor, error);
}

static int append_faults(sd_bus_message *reply, const struct conf_faults *faults)
{
	int r = sd_bus_message_open_container(reply, 'a', "s");

	for (unsigned i = 0; r >= 0 && i < faults->n; i++) {
		CLEANUP_FREE char *line = NULL;

		if (asprintf(&line, "%s%s", faults->list[i].warning ? "warning: " : "",
			    faults->list[i].text) < 0) {
			line = NULL;
			return -ENOMEM;
		}
		r = sd_bus_message_append(reply, "s", line);
	}
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int reply_reload(
	sd_bus_message *m, const struct conf_faults *faults, const char *report, bool ok)
{
	sd_bus_message *reply = NULL;
	int r = sd_bus_message_new_method_return(m, &reply);

	if (r >= 0)
		r = append_faults(reply, faults);
	if (r >= 0)
		r = sd_bus_message_append(reply, "sb", report ? report : "", (int)ok);
	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r;
}

static int method_reload(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct bus *b = userdata;
	struct conf_faults faults = { 0 };
	CLEANUP_FREE char *report = NULL;
	char who[64];

	event_note_daemon(b->supervisor, EVENT_REQUEST, LOG_NOTICE, "reload asked for by %s",
		caller_words(b, m, who, sizeof(who)));
	notify_reloading();
	int r = supervisor_reload(b->supervisor, now_boottime(), &faults, &report);
	notify_ready();
	if (r < 0 && r != -EINVAL)
		r = bus_error_set(error, r, "the configuration was not read again");
	else
		r = reply_reload(m, &faults, report, r >= 0);
	conf_faults_clear(&faults);
	return r;
}

const sd_bus_vtable manager_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("Began", "t", get_began, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("ConfigDirectory", "s", get_config_dir, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("StateDirectory", "s", get_state_dir, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("ConnectionURI", "s", get_uri, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("Connected", "b", get_connected, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("ConnectionMessage", "s", get_connection_message, 0,
		SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("ConnectionSince", "t", get_connection_since, 0,
		SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY(
		"WedgedQueues", "u", get_wedged_queues, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("StoreTrouble", "s", get_store_trouble, 0, 0),
	SD_BUS_PROPERTY(
		"PoolReserve", "t", get_pool_reserve, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY(
		"PoolCritical", "t", get_pool_critical, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("PoolTotal", "t", get_pool_total, 0, 0),
	SD_BUS_PROPERTY("PoolAvailable", "t", get_pool_available, 0, 0),
	SD_BUS_PROPERTY("PoolNeed", "t", get_pool_need, 0, 0),
	SD_BUS_PROPERTY("PoolEnter", "t", get_pool_enter, 0, 0),
	SD_BUS_PROPERTY("PoolLeave", "t", get_pool_leave, 0, 0),
	SD_BUS_PROPERTY(
		"PoolPressed", "b", get_pool_pressed, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("PoolBelowCritical", "b", get_pool_below_critical, 0,
		SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY(
		"PoolDegraded", "b", get_pool_degraded, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_METHOD_WITH_NAMES("BalloonInputs", "", , MEMORY_POOL "a(" MEMORY_GUEST ")",
		SD_BUS_PARAM(now) SD_BUS_PARAM(total) SD_BUS_PARAM(available) SD_BUS_PARAM(psi)
			SD_BUS_PARAM(reserve) SD_BUS_PARAM(critical) SD_BUS_PARAM(guests),
		method_balloon_inputs, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Ping", "", "", method_ping, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_NAMES("ListEvents", "ttu",
		SD_BUS_PARAM(after) SD_BUS_PARAM(since) SD_BUS_PARAM(max), "a(" STORY_EVENT ")",
		SD_BUS_PARAM(events), method_list_events, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_NAMES("Counters", "", , TALLY_COUNTERS, SD_BUS_PARAM(guests),
		method_counters, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_SIGNAL_WITH_NAMES("Event", STORY_EVENT, STORY_EVENT_NAMES, 0),
	SD_BUS_METHOD_WITH_NAMES("Reload", "", , "assb",
		SD_BUS_PARAM(faults) SD_BUS_PARAM(report) SD_BUS_PARAM(ok), method_reload,
		SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};
