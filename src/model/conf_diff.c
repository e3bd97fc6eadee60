/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between two specs, key by key, and when each difference takes hold. */
#include "model/conf_value.h"

struct diff {
	void (*each)(void *userdata, const struct conf_change *change);
	void *userdata;
	const char *guest, *service;
	bool ports_moved; /* of the service at hand: Port or PortOffset says it already */
};

static void tell(const struct diff *d, const char *key, enum conf_effect effect)
{
	struct conf_change change = {
		.guest = d->guest, .service = d->service, .key = key, .effect = effect
	};

	d->each(d->userdata, &change);
}

static void diff_object(
	const struct diff *d, enum conf_object type, const void *from, const void *to)
{
	for (unsigned i = 0; i < CONF_KEY_NUM; i++) {
		if (conf_section_object(conf_key(i)->section) != type ||
			conf_value_equal(conf_key(i), from, to) ||
			(i == CONF_KEY_HOST_PORT && d->ports_moved))
			continue;
		tell(d, conf_key(i)->name, conf_key(i)->effect);
	}
}

static void diff_services(
	struct diff *d, const struct guest_spec *from, const struct guest_spec *to)
{
	for (unsigned i = 0; i < from->n_services; i++) {
		const struct service_spec *was = &from->services[i];
		const struct service_spec *is = guest_spec_find_service(to, was->name);

		d->service = was->name;
		d->ports_moved =
			is && (was->port != is->port || from->port_offset != to->port_offset);
		if (is)
			diff_object(d, CONF_OBJECT_SERVICE, was, is);
		else
			tell(d, "service removed", CONF_LIVE);
	}
	for (unsigned i = 0; i < to->n_services; i++) {
		const struct service_spec *is = &to->services[i];

		d->service = is->name;
		/* A forward is made when QEMU starts; what has none can be watched at once. */
		if (!guest_spec_find_service(from, is->name))
			tell(d, "service added", is->port ? CONF_NEXT_BOOT : CONF_LIVE);
	}
	d->service = NULL;
}

void conf_diff(const struct spec *from, const struct spec *to,
	void (*each)(void *userdata, const struct conf_change *change), void *userdata)
{
	struct diff d = { .each = each, .userdata = userdata };

	diff_object(&d, CONF_OBJECT_DAEMON, from, to);
	for (unsigned i = 0; i < from->n_guests; i++) {
		const struct guest_spec *was = &from->guests[i];
		const struct guest_spec *is = spec_find_guest(to, was->name);

		d.guest = was->name;
		if (!is) {
			tell(&d, "guest removed", CONF_LIVE);
			continue;
		}
		diff_object(&d, CONF_OBJECT_GUEST, was, is);
		diff_services(&d, was, is);
	}
	for (unsigned i = 0; i < to->n_guests; i++) {
		d.guest = to->guests[i].name;
		if (!spec_find_guest(from, d.guest))
			tell(&d, "guest added", CONF_LIVE);
	}
}
