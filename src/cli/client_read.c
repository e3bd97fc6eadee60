/* SPDX-License-Identifier: Apache-2.0 */
/* Takes the daemon's messages apart into the view. A daemon newer or older than this command is no
 * fault: what is not known is skipped, what is not told stays unknown. */
#include "cli/client_read.h"

#include "base/macro.h"
#include "bus/names.h"
#include "cli/fields.h"
#include "model/utf8.h"

#include <string.h>

void text_take(char *dst, size_t size, const char *src)
{
	size_t len = strlen(src);

	if (len < size && utf8_printable(src, len))
		memcpy(dst, src, len + 1);
	else
		(void)utf8_escape(dst, size, src, len);
}

static int list_take(sd_bus_message *m, char *dst, size_t size)
{
	char all[1024] = "";
	size_t len = 0;
	const char *word;
	int r = sd_bus_message_enter_container(m, 'a', "s");

	while (r >= 0 && (r = sd_bus_message_read(m, "s", &word)) > 0)
		if (len + strlen(word) + 2 < sizeof(all))
			len += (size_t)sprintf(all + len, "%s%s", len ? " " : "", word);
	text_take(dst, size, all);
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int field_read(sd_bus_message *m, const struct field *f, void *base)
{
	void *at = (char *)base + f->offset;
	const char *text;
	int flag, r;

	switch (f->type) {
	case 'a':
		return list_take(m, at, f->size);
	case 's':
		if ((r = sd_bus_message_read(m, "s", &text)) >= 0)
			text_take(at, f->size, text);
		return r;
	case 'b':
		if ((r = sd_bus_message_read(m, "b", &flag)) >= 0)
			*(bool *)at = flag;
		return r;
	default:
		/* The numbers have their D-Bus width in the view too. */
		return sd_bus_message_read_basic(m, f->type, at);
	}
}

/* Reads a{sv}. Properties we do not know, or of another type, belong to a newer daemon and are
 * skipped. */
static int properties_read(sd_bus_message *m, const struct field *fields, void *base)
{
	int r = sd_bus_message_enter_container(m, 'a', "{sv}");

	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		const char *name, *type;
		char wanted[] = { 0, 0, 0 };

		if ((r = sd_bus_message_read(m, "s", &name)) < 0 ||
			(r = sd_bus_message_peek_type(m, NULL, &type)) < 0)
			return r;
		const struct field *f = base ? field_find(fields, name) : NULL;
		if (f) {
			wanted[0] = f->type;
			wanted[1] = f->type == 'a' ? 's' : '\0';
		}
		if (!f || strcmp(type, wanted) != 0)
			r = sd_bus_message_skip(m, "v");
		else if ((r = sd_bus_message_enter_container(m, 'v', type)) >= 0 &&
			 (r = field_read(m, f, base)) >= 0)
			r = sd_bus_message_exit_container(m);
		if (r < 0 || (r = sd_bus_message_exit_container(m)) < 0)
			return r;
	}
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* A path can spell any byte. What could not be printed is the name of no guest and no service. */
static bool is_name(const char *name)
{
	return *name && utf8_printable(name, strlen(name));
}

/* Where the properties of an object's interface go; *ret NULL: we do not show them. */
static const struct field *target_find(
	struct view *v, const char *path, const char *interface, void **ret)
{
	CLEANUP_FREE char *guest = NULL, *service = NULL;
	struct view_guest *g;

	*ret = NULL;
	if (strcmp(interface, BUS_IFACE_MANAGER) == 0) {
		*ret = v;
		return manager_fields;
	}
	if (strcmp(interface, BUS_IFACE_GUEST) == 0 &&
		sd_bus_path_decode_many(path, BUS_PATTERN_GUEST, &guest) > 0) {
		*ret = is_name(guest) ? view_guest_make(v, guest) : NULL;
		return guest_fields;
	}
	if (strcmp(interface, BUS_IFACE_SERVICE) == 0 &&
		sd_bus_path_decode_many(path, BUS_PATTERN_SERVICE, &guest, &service) > 0 &&
		is_name(guest) && is_name(service) && (g = view_guest_make(v, guest)))
		*ret = view_service_make(g, service);
	return service_fields;
}

int object_read(sd_bus_message *m, struct view *v)
{
	const char *path, *interface;
	void *base;
	int r;

	if ((r = sd_bus_message_read(m, "o", &path)) < 0)
		return r;
	r = sd_bus_message_enter_container(m, 'a', "{sa{sv}}");
	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sa{sv}")) > 0) {
		if ((r = sd_bus_message_read(m, "s", &interface)) < 0)
			return r;
		const struct field *fields = target_find(v, path, interface, &base);
		if ((r = properties_read(m, fields, base)) < 0 ||
			(r = sd_bus_message_exit_container(m)) < 0)
			return r;
	}
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

int removed_read(sd_bus_message *m, struct view *v)
{
	CLEANUP_FREE char *guest = NULL, *service = NULL;
	struct view_guest *g;
	const char *path;
	int r = sd_bus_message_read(m, "o", &path);

	if (r < 0)
		return r;
	if (sd_bus_path_decode_many(path, BUS_PATTERN_SERVICE, &guest, &service) > 0) {
		if ((g = view_guest(v, guest)))
			view_service_drop(g, service);
		return 0;
	}
	if (sd_bus_path_decode_many(path, BUS_PATTERN_GUEST, &guest) > 0)
		view_guest_drop(v, guest);
	return 0;
}

int changed_read(sd_bus_message *m, struct view *v)
{
	const char *interface;
	void *base;
	int r = sd_bus_message_read(m, "s", &interface);

	if (r < 0)
		return r;
	const struct field *fields = target_find(v, sd_bus_message_get_path(m), interface, &base);
	return properties_read(m, fields, base);
}

int manager_read(sd_bus_message *m, struct view *v)
{
	return properties_read(m, manager_fields, v);
}
