/* SPDX-License-Identifier: Apache-2.0 */
/* The checks that need more than one value. None of them judges a value that was itself a fault:
 * one slip of the hand should be one line of complaint. */
#include "model/conf_build.h"
#include "model/conf_graph.h"

#include "base/parse.h"

static bool is_set(const struct conf_item *item, enum conf_key_id id)
{
	return item->places[id].path;
}

static bool is_bad(const struct conf_item *item, enum conf_key_id id)
{
	return item->places[id].bad;
}

static void check_pool(struct conf_build *b)
{
	const struct conf_item *at = &b->daemon;
	char critical[SIZE_TEXT_MAX], reserve[SIZE_TEXT_MAX];

	if (is_bad(at, CONF_KEY_RESERVE) || is_bad(at, CONF_KEY_CRITICAL) ||
		b->spec->critical_kib <= b->spec->reserve_kib)
		return;
	/* One of the two was written: the defaults agree. */
	enum conf_key_id id = is_set(at, CONF_KEY_CRITICAL) ? CONF_KEY_CRITICAL : CONF_KEY_RESERVE;
	conf_report(b, false, conf_place_of(at, id), "Critical",
		"%s is over Reserve=%s; allowed: at most Reserve",
		format_size_kib(critical, sizeof(critical), b->spec->critical_kib),
		format_size_kib(reserve, sizeof(reserve), b->spec->reserve_kib));
}

/* Two thresholds that meet are one, and one is never at rest. */
static void check_thresholds(struct conf_build *b)
{
	const struct conf_item *at = &b->daemon;
	enum conf_key_id id =
		is_set(at, CONF_KEY_LEAVE_ABOVE) ? CONF_KEY_LEAVE_ABOVE : CONF_KEY_SHRINK_BELOW;

	if (is_bad(at, CONF_KEY_SHRINK_BELOW) || is_bad(at, CONF_KEY_LEAVE_ABOVE) ||
		b->spec->leave_above_pct > b->spec->shrink_below_pct)
		return;
	conf_report(b, false, conf_place_of(at, id), "LeaveAbove",
		"%u%% is not over ShrinkBelow=%u%%; allowed: over ShrinkBelow",
		b->spec->leave_above_pct, b->spec->shrink_below_pct);
}

/* Only against what is written: the configuration may be checked on another machine than the one it
 * is for. Against the host's memory the daemon holds it at run time. */
static void check_pool_total(struct conf_build *b)
{
	const struct conf_item *at = &b->daemon;
	char minimums[SIZE_TEXT_MAX], reserve[SIZE_TEXT_MAX], total[SIZE_TEXT_MAX];
	uint64_t sum = 0;

	if (!is_set(at, CONF_KEY_POOL_TOTAL) || is_bad(at, CONF_KEY_POOL_TOTAL) ||
		is_bad(at, CONF_KEY_RESERVE))
		return;
	for (unsigned i = 0; i < b->spec->n_guests; i++)
		if (!is_bad(&b->guests[i].own, CONF_KEY_MEMORY) &&
			!is_bad(&b->guests[i].own, CONF_KEY_MEMORY_MIN))
			sum += b->spec->guests[i].memory_min_kib;
	if (sum + b->spec->reserve_kib <= b->spec->pool_total_kib)
		return;
	conf_report(b, false, conf_place_of(at, CONF_KEY_POOL_TOTAL), "Total",
		"%s is less than the guests' MemoryMin=, together %s, and Reserve=%s; allowed: at "
		"least both",
		format_size_kib(total, sizeof(total), b->spec->pool_total_kib),
		format_size_kib(minimums, sizeof(minimums), sum),
		format_size_kib(reserve, sizeof(reserve), b->spec->reserve_kib));
}

static void check_idle(struct conf_build *b, const struct guest_spec *g, const struct conf_item *at)
{
	char idle[SIZE_TEXT_MAX], floor[SIZE_TEXT_MAX], all[SIZE_TEXT_MAX];

	if (!is_set(at, CONF_KEY_IDLE_TARGET) || is_bad(at, CONF_KEY_IDLE_TARGET) ||
		is_bad(at, CONF_KEY_RECLAIM))
		return;
	if (g->reclaim != RECLAIM_EAGER)
		conf_report(b, false, conf_place_of(at, CONF_KEY_IDLE_TARGET), "IdleTarget",
			"means nothing while memory is given back under need only; allowed: "
			"together with Reclaim=eager");
	else if (!is_bad(at, CONF_KEY_MEMORY) && !is_bad(at, CONF_KEY_MEMORY_MIN) &&
		 (g->idle_target_kib < g->memory_min_kib || g->idle_target_kib > g->memory_kib))
		conf_report(b, false, conf_place_of(at, CONF_KEY_IDLE_TARGET), "IdleTarget",
			"%s is not between MemoryMin=%s and Memory=%s; allowed: MemoryMin to "
			"Memory",
			format_size_kib(idle, sizeof(idle), g->idle_target_kib),
			format_size_kib(floor, sizeof(floor), g->memory_min_kib),
			format_size_kib(all, sizeof(all), g->memory_kib));
}

static void check_memory(
	struct conf_build *b, const struct guest_spec *g, const struct conf_item *at)
{
	char floor[SIZE_TEXT_MAX], all[SIZE_TEXT_MAX];

	if (is_bad(at, CONF_KEY_MEMORY) || is_bad(at, CONF_KEY_MEMORY_MIN) ||
		g->memory_min_kib <= g->memory_kib)
		return;
	conf_report(b, false, conf_place_of(at, CONF_KEY_MEMORY_MIN), "MemoryMin",
		"%s is over Memory=%s; allowed: at most Memory",
		format_size_kib(floor, sizeof(floor), g->memory_min_kib),
		format_size_kib(all, sizeof(all), g->memory_kib));
}

/* What an image must be is said by its digest, or by the key that signed the digest. */
static void check_trust(
	struct conf_build *b, const struct guest_spec *g, const struct conf_item *at)
{
	bool keyring = is_set(at, CONF_KEY_KEYRING), key = is_set(at, CONF_KEY_FINGERPRINT);
	bool digest = is_set(at, CONF_KEY_SHA256);

	if (is_bad(at, CONF_KEY_KEYRING) || is_bad(at, CONF_KEY_FINGERPRINT) ||
		is_bad(at, CONF_KEY_SHA256))
		return;
	if (keyring != key)
		conf_report(b, false,
			conf_place_of(at, keyring ? CONF_KEY_KEYRING : CONF_KEY_FINGERPRINT),
			keyring ? "Keyring" : "Fingerprint",
			"means nothing without the other of the two; allowed: Keyring= and "
			"Fingerprint= together");
	else if (g->image_path && !digest && !is_bad(at, CONF_KEY_IMAGE_PATH))
		conf_report(b, true, conf_place_of(at, CONF_KEY_IMAGE_PATH), "Path",
			"no SHA256= is given, so the image is unverified");
	else if (!g->image_path && g->n_image_urls > 0 && !digest && !keyring &&
		 !is_bad(at, CONF_KEY_URL))
		conf_report(b, false, conf_place_of(at, CONF_KEY_URL), "URL",
			"nothing says what may be fetched; add SHA256=<64 digits>, the digest of "
			"the "
			"image, or the key that signs SHA256SUMS beside it; allowed: together with "
			"SHA256=, or with Keyring= and Fingerprint=");
}

static void check_image(
	struct conf_build *b, const struct guest_spec *g, const struct conf_item *at)
{
	static const enum conf_key_id with_kernel[] = { CONF_KEY_INITRD, CONF_KEY_CMDLINE };
	bool kernel = is_set(at, CONF_KEY_KERNEL);
	bool image = is_set(at, CONF_KEY_IMAGE_PATH) || is_set(at, CONF_KEY_URL);

	if (!kernel && !image)
		conf_report(b, false, &at->opened, "Path",
			"the guest has nothing to boot; allowed: [Image] Path=, URL= or Kernel=");
	for (size_t i = 0; i < ARRAY_SIZE(with_kernel); i++)
		if (!kernel && is_set(at, with_kernel[i]))
			conf_report(b, false, conf_place_of(at, with_kernel[i]),
				conf_key(with_kernel[i])->name,
				"means nothing without a kernel; "
				"allowed: together with Kernel=");
	if (g->arch == ARCH_AARCH64 && !kernel && !is_bad(at, CONF_KEY_ARCH))
		conf_report(b, false, conf_place_of(at, CONF_KEY_ARCH), "Arch",
			"an aarch64 guest is booted directly; allowed: together with [Image] "
			"Kernel=");
	if (is_set(at, CONF_KEY_SHA256) && !image)
		conf_report(b, false, conf_place_of(at, CONF_KEY_SHA256), "SHA256",
			"there is no image to check; allowed: together with [Image] Path= or URL=");
	check_trust(b, g, at);
}

static void check_network(
	struct conf_build *b, const struct guest_spec *g, const struct conf_item *at)
{
	if (is_bad(at, CONF_KEY_EGRESS))
		return;
	if (g->egress == EGRESS_NONE && is_set(at, CONF_KEY_PACKAGES))
		conf_report(b, false, conf_place_of(at, CONF_KEY_PACKAGES), "Packages",
			"a guest with Egress=none cannot fetch packages; allowed: an image that "
			"has "
			"them, or [Network] Egress=all");
	if (g->egress == EGRESS_ALL)
		conf_report(b, true, conf_place_of(at, CONF_KEY_EGRESS), "Egress",
			"all opens more than the way out: the guest reaches every service on this "
			"host's loopback, at 10.0.2.2");
	if (!is_bad(at, CONF_KEY_BIND) && strcmp(g->bind, "0.0.0.0") == 0)
		conf_report(b, true, conf_place_of(at, CONF_KEY_BIND), "Bind",
			"0.0.0.0 opens the guest's ports on every network of this host");
}

static void check_ports_of_service(
	struct conf_build *b, const struct service_spec *s, const struct conf_item *at)
{
	bool port = is_set(at, CONF_KEY_PORT);

	if (!port && is_set(at, CONF_KEY_HOST_PORT))
		conf_report(b, false, conf_place_of(at, CONF_KEY_HOST_PORT), "HostPort",
			"service %s has no port to forward to; allowed: together with Port=",
			s->name);
	if (!port && !is_bad(at, CONF_KEY_PROBE) && s->probe != PROBE_UNIT &&
		s->probe != PROBE_NONE)
		conf_report(b, false, conf_place_of(at, CONF_KEY_PROBE), "Probe",
			"service %s has no port to probe by %s; allowed: together with Port=, or "
			"unit "
			"or none",
			s->name, probe_kind_to_string(s->probe));
}

static void check_times(
	struct conf_build *b, const struct service_spec *s, const struct conf_item *at)
{
	char short_text[TIMESPAN_TEXT_MAX], long_text[TIMESPAN_TEXT_MAX];

	if (is_bad(at, CONF_KEY_INTERVAL))
		return;
	format_timespan(short_text, sizeof(short_text), s->interval);
	if (!is_bad(at, CONF_KEY_FAST_INTERVAL) && s->fast_interval > s->interval)
		conf_report(b, false, conf_place_of(at, CONF_KEY_FAST_INTERVAL), "FastInterval",
			"%s is over Interval=%s; allowed: at most Interval",
			format_timespan(long_text, sizeof(long_text), s->fast_interval),
			short_text);
	/* Only a warning: no probe starts while another is under way, so all that happens is that a
	 * service that hangs is asked less often. And only where it was written: the default is
	 * tripled under TCG, and an interval of a second is what tests and impatient people set. */
	if (s->timeout_set && !is_bad(at, CONF_KEY_TIMEOUT) && s->timeout > s->interval)
		conf_report(b, true, conf_place_of(at, CONF_KEY_TIMEOUT), "Timeout",
			"%s is over Interval=%s: a service that hangs is asked only once a Timeout",
			format_timespan(long_text, sizeof(long_text), s->timeout), short_text);
}

/* Both have a meaning, but not the one that was meant. */
static void check_remedies(
	struct conf_build *b, const struct service_spec *s, const struct conf_item *at)
{
	bool pending = s->expect == EXPECT_PENDING;

	if (!s->restart_unit || is_bad(at, CONF_KEY_RESTART_UNIT) || is_bad(at, CONF_KEY_EXPECT) ||
		is_bad(at, CONF_KEY_PROBE) || (!pending && s->probe != PROBE_NONE))
		return;
	conf_report(b, true, conf_place_of(at, CONF_KEY_RESTART_UNIT), "RestartUnit",
		"service %s is %s, so its unit is never restarted", s->name,
		pending ? "pending" : "not probed");
}

static void check_guest(
	struct conf_build *b, const struct guest_spec *g, const struct conf_guest *at)
{
	check_memory(b, g, &at->own);
	check_idle(b, g, &at->own);
	check_image(b, g, &at->own);
	check_network(b, g, &at->own);
	for (unsigned i = 0; i < g->n_services; i++) {
		check_ports_of_service(b, &g->services[i], &at->services[i]);
		check_times(b, &g->services[i], &at->services[i]);
		check_remedies(b, &g->services[i], &at->services[i]);
	}
	conf_check_depends(b, g, at);
}

void conf_check(struct conf_build *b)
{
	check_pool(b);
	check_thresholds(b);
	check_pool_total(b);
	for (unsigned i = 0; i < b->spec->n_guests; i++)
		check_guest(b, &b->spec->guests[i], &b->guests[i]);
	conf_check_host_ports(b);
}
