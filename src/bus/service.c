/* SPDX-License-Identifier: Apache-2.0 */
/* A service's object, com.pointsav.MediaKit1.Service at …/guest/<guest>/service/<name>.
 * units/com.pointsav.MediaKit1.xml says what each member means. */
#include "bus/call.h"
#include "bus/object.h"
#include "core/sight.h"

#include <string.h>

static bool watched(const struct service *sv)
{
	bool agentless = sv->spec->probe == PROBE_UNIT && !guest_state_has_qemu(sv->guest->state);

	return !agentless && !sight_unwatched(sv);
}

/* Until QEMU runs, none is in force but the one to come. */
static uint16_t host_port(const struct service *sv)
{
	return guest_state_has_qemu(sv->guest->state) ? sv->host_port : sv->spec->host_port;
}

GETTER_TEXT(name, t->service->spec->name)
GETTER_TEXT(purpose, t->service->spec->purpose ? t->service->spec->purpose : "")
GETTER_TEXT(unit, t->service->spec->unit ? t->service->spec->unit : "")
GETTER_PORT(port, t->service->spec->port)
GETTER_PORT(host_port, host_port(t->service))
GETTER_TEXT(probe, probe_kind_to_string(t->service->spec->probe))
GETTER_TEXT(expect, expect_to_string(t->service->spec->expect))
GETTER_TEXT(blocked_by, sight_blocked_by(t->service) ?: "")
GETTER_BOOL(watched, watched(t->service))
GETTER_TEXT(state, service_state_to_string(t->service->probe.state))
GETTER_U64(state_since, t->service->state_since_realtime)
GETTER_TEXT(verdict, verdict_to_string(t->service->probe.last.verdict))
GETTER_U64(verdict_at, t->service->judged_at_realtime)
GETTER_TEXT(reason, t->service->probe.last.reason)
GETTER_U64(latency, t->service->probe.last.latency)
GETTER_U32(successes, t->service->probe.successes)
GETTER_U32(failures, t->service->probe.failures)
GETTER_U32(rise, t->service->spec->rise)
GETTER_U32(fall, t->service->spec->fall)
GETTER_BOOL(restored, t->service->restored)
GETTER_BOOL(proven, t->service->probe.last.proven)
GETTER_TEXT(version, t->service->probe.last.version)

static int get_depends(sd_bus *connection, const char *path, const char *interface,
	const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	const struct service_spec *spec = ((struct bus_target *)userdata)->service->spec;
	int r = sd_bus_message_open_container(reply, 'a', "s");

	(void)connection, (void)path, (void)interface, (void)property, (void)error;
	for (unsigned i = 0; r >= 0 && i < spec->n_depends; i++)
		r = sd_bus_message_append(reply, "s", spec->depends_on[i]);
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int method_restarted(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const struct bus_target *t = userdata;
	char message[REQUEST_MESSAGE_MAX] = "", who[64];
	int r = service_restarted(
		t->service, caller_words(t->server, m, who, sizeof(who)), now_boottime(), message);

	return r < 0 ? bus_error_set(error, r, message) : sd_bus_reply_method_return(m, NULL);
}

#define CONSTANT(name, type, getter)                                                               \
	SD_BUS_PROPERTY(name, type, getter, 0, SD_BUS_VTABLE_PROPERTY_CONST)
#define CHANGING(name, type, getter)                                                               \
	SD_BUS_PROPERTY(name, type, getter, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)

const sd_bus_vtable service_vtable[] = {
	SD_BUS_VTABLE_START(0),
	CONSTANT("Name", "s", get_name),
	CHANGING("Purpose", "s", get_purpose),
	CHANGING("Unit", "s", get_unit),
	CHANGING("Port", "q", get_port),
	CHANGING("HostPort", "q", get_host_port),
	CHANGING("Probe", "s", get_probe),
	CHANGING("Expect", "s", get_expect),
	CHANGING("DependsOn", "as", get_depends),
	CHANGING("BlockedBy", "s", get_blocked_by),
	CHANGING("Watched", "b", get_watched),
	CHANGING("State", "s", get_state),
	CHANGING("StateSince", "t", get_state_since),
	CHANGING("Verdict", "s", get_verdict),
	CHANGING("VerdictAt", "t", get_verdict_at),
	CHANGING("VerdictReason", "s", get_reason),
	CHANGING("Latency", "t", get_latency),
	CHANGING("Successes", "u", get_successes),
	CHANGING("Failures", "u", get_failures),
	CHANGING("Rise", "u", get_rise),
	CHANGING("Fall", "u", get_fall),
	CHANGING("Restored", "b", get_restored),
	CHANGING("Proven", "b", get_proven),
	CHANGING("ReportVersion", "s", get_version),
	SD_BUS_METHOD("Restarted", "", "", method_restarted, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};
