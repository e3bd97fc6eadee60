/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of [Service NAME]. Every number in them is from the health protocol's or the
 * product's document, or stands with its reason. */
#include "model/conf_keys_table.h"

#include "model/conf_value.h"

#define SERVICE(member) .offset = offsetof(struct service_spec, member)

const struct conf_key conf_keys_service[] = {
	[CONF_KEY_PORT - CONF_KEY_SERVICE_FIRST] = {
		.section = CONF_SECTION_SERVICE, .name = "Port",
		.type = &conf_type_port, SERVICE(port), .min = 1, .max = 65535,
		.default_text = "none", .effect = CONF_NEXT_BOOT,
		.allowed = "1 to 65535",
		.help = "the service's TCP port in the guest",
	},
	[CONF_KEY_HOST_PORT - CONF_KEY_SERVICE_FIRST] = {
		.section = CONF_SECTION_SERVICE, .name = "HostPort",
		.type = &conf_type_port, SERVICE(host_port), .min = 1, .max = 65535,
		.default_text = "Port + PortOffset", .effect = CONF_NEXT_BOOT,
		.allowed = "1 to 65535",
		.help = "host port forwarded to Port=",
	},
	[CONF_KEY_PROBE - CONF_KEY_SERVICE_FIRST] = {
		.section = CONF_SECTION_SERVICE, .name = "Probe",
		.type = &conf_type_word, SERVICE(probe), .from_string = probe_kind_from_string,
		.default_text = "cbor with a Port, unit without", .effect = CONF_LIVE,
		.allowed = "cbor, http, tcp, unit or none",
		.help = "how the service is asked",
	},
	[CONF_KEY_PROBE_PATH - CONF_KEY_SERVICE_FIRST] = {
		.section = CONF_SECTION_SERVICE, .name = "Path",
		.type = &conf_type_url_path, SERVICE(path), .max = 256, .preset = "/healthz",
		.effect = CONF_LIVE,
		.allowed = "visible ASCII that begins with '/', at most 256 bytes, no fragment",
		.help = "what cbor and http probes ask for",
	},
	[CONF_KEY_INTERVAL - CONF_KEY_SERVICE_FIRST] = {
		.section = CONF_SECTION_SERVICE, .name = "Interval",
		.type = &conf_type_span, SERVICE(interval),
		.min = 100 * USEC_PER_MSEC, .max = USEC_PER_HOUR, .preset = "10s",
		.effect = CONF_LIVE,
		.allowed = "100ms to 1h, such as 10s",
		.help = "time between probes",
	},
	[CONF_KEY_FAST_INTERVAL - CONF_KEY_SERVICE_FIRST] = {
		.section = CONF_SECTION_SERVICE, .name = "FastInterval",
		.type = &conf_type_span, SERVICE(fast_interval),
		.min = 100 * USEC_PER_MSEC, .max = USEC_PER_HOUR,
		.preset = "1s", .default_text = "1s, at most Interval", .effect = CONF_LIVE,
		.allowed = "100ms to Interval, such as 1s",
		.help = "time between probes while the state is in doubt",
	},
	[CONF_KEY_TIMEOUT - CONF_KEY_SERVICE_FIRST] = {
		.section = CONF_SECTION_SERVICE, .name = "Timeout",
		.type = &conf_type_span, SERVICE(timeout),
		.extra_offset = offsetof(struct service_spec, timeout_set),
		.min = 100 * USEC_PER_MSEC, .max = USEC_PER_MINUTE,
		.preset = "2s", .default_text = "2s; 6s under TCG", .effect = CONF_LIVE,
		.allowed = "100ms to 60s, such as 2s",
		.help = "time for a whole answer",
	},
	[CONF_KEY_RISE - CONF_KEY_SERVICE_FIRST] = {
		.section = CONF_SECTION_SERVICE, .name = "Rise",
		.type = &conf_type_number, SERVICE(rise), .min = 1, .max = 10, .preset = "2",
		.effect = CONF_LIVE,
		.allowed = "1 to 10",
		.help = "successes in a row that bring a service up",
	},
	[CONF_KEY_FALL - CONF_KEY_SERVICE_FIRST] = {
		.section = CONF_SECTION_SERVICE, .name = "Fall",
		.type = &conf_type_number, SERVICE(fall), .min = 1, .max = 10, .preset = "3",
		.effect = CONF_LIVE,
		.allowed = "1 to 10",
		.help = "failures in a row that take it down",
	},
	[CONF_KEY_START_BUDGET - CONF_KEY_SERVICE_FIRST] = {
		.section = CONF_SECTION_SERVICE, .name = "StartBudget",
		.type = &conf_type_span, SERVICE(start_budget),
		.extra_offset = offsetof(struct service_spec, start_budget_set),
		.min = USEC_PER_SEC, .max = USEC_PER_DAY,
		.preset = "300s", .default_text = "300s; 900s under TCG", .effect = CONF_LIVE,
		.allowed = "1s to 1d, such as 300s",
		.help = "time after a boot before failures count",
	},
	[CONF_KEY_EXPECT - CONF_KEY_SERVICE_FIRST] = {
		.section = CONF_SECTION_SERVICE, .name = "Expect",
		.type = &conf_type_word, SERVICE(expect), .from_string = expect_from_string,
		.preset = "active", .effect = CONF_LIVE,
		.allowed = "active or pending",
		.help = "pending: shown and probed, never counted against health",
	},
	[CONF_KEY_DEPENDS_ON - CONF_KEY_SERVICE_FIRST] = {
		.section = CONF_SECTION_SERVICE, .name = "DependsOn",
		.type = &conf_type_names, SERVICE(depends_on),
		.extra_offset = offsetof(struct service_spec, n_depends), .max = SPEC_DEPENDS_MAX,
		.default_text = "none", .effect = CONF_LIVE,
		.allowed = "names of services of this guest, parted by spaces, at most 8",
		.help = "services of the same guest this one needs",
	},
	[CONF_KEY_UNIT - CONF_KEY_SERVICE_FIRST] = {
		.section = CONF_SECTION_SERVICE, .name = "Unit",
		.type = &conf_type_unit, SERVICE(unit), .max = 255,
		.default_text = "NAME.service", .effect = CONF_LIVE,
		.allowed = "a unit name such as nginx.service, at most 255 bytes",
		.help = "its systemd unit in the guest",
	},
	[CONF_KEY_PURPOSE - CONF_KEY_SERVICE_FIRST] = {
		.section = CONF_SECTION_SERVICE, .name = "Purpose",
		.type = &conf_type_text, SERVICE(purpose), .max = 120, .default_text = "none",
		.effect = CONF_LIVE,
		.allowed = "printable text of at most 120 bytes",
		.help = "a few words for status",
	},
	[CONF_KEY_RESTART_UNIT - CONF_KEY_SERVICE_FIRST] = {
		.section = CONF_SECTION_SERVICE, .name = "RestartUnit",
		.type = &conf_type_bool, SERVICE(restart_unit), .preset = "no",
		.effect = CONF_LIVE,
		.allowed = "yes or no",
		.help = "whether Unit= may be restarted in the guest, by its agent, to heal it",
	},
	[CONF_KEY_RESTART_UNIT_AFTER - CONF_KEY_SERVICE_FIRST] = {
		.section = CONF_SECTION_SERVICE, .name = "RestartUnitAfter",
		.type = &conf_type_span, SERVICE(restart_unit_after),
		.min = 10 * USEC_PER_SEC, .max = USEC_PER_DAY, .preset = "1min",
		.effect = CONF_LIVE,
		.allowed = "10s to 1d, such as 1min",
		.help = "how long it must be down for that; doubled each time, up to 15min",
	},
	[CONF_KEY_RESTART_UNIT_LIMIT - CONF_KEY_SERVICE_FIRST] = {
		.section = CONF_SECTION_SERVICE, .name = "RestartUnitLimit",
		.type = &conf_type_number, SERVICE(restart_unit_limit), .min = 1, .max = 10,
		.preset = "3", .effect = CONF_LIVE,
		.allowed = "1 to 10",
		.help = "how often in a day, or in [Restart] Window= where that is longer",
	},
};
static_assert(ARRAY_SIZE(conf_keys_service) == CONF_KEY_NUM - CONF_KEY_SERVICE_FIRST,
	"a key without a row");
