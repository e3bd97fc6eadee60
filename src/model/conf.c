/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration texts into a spec: sections to objects, assignments to fields, defaults, then the
 * checks. */
#include "model/conf.h"

#include "model/conf_build.h"
#include "model/conf_read.h"
#include "model/conf_value.h"
#include "model/utf8.h"

/* One text being read. */
struct parse {
	struct conf_build *build;
	const struct conf_text *text;
	struct guest_spec *guest; /* the text's, or NULL for mediakitd.conf */
	struct conf_guest *guest_places;
	enum conf_section section;
	void *object;                    /* the open section's struct; NULL: its keys go nowhere */
	struct conf_item *item;          /* its places */
	char name[CONF_SECTION_MAX + 1]; /* the open section's, for messages */
};

static struct conf_place place_at(const struct parse *p, unsigned line)
{
	return (struct conf_place){ .path = p->text->path, .line = line };
}

/* Puts every key of the object to its default. */
static int reset_all(void *object, enum conf_object type)
{
	for (unsigned i = 0; i < CONF_KEY_NUM; i++) {
		int r = conf_section_object(conf_key(i)->section) == type
				? conf_value_reset(conf_key(i), object)
				: 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_service(struct parse *p, const char *name)
{
	struct guest_spec *g = p->guest;
	struct service_spec *s = &g->services[g->n_services];

	*s = (struct service_spec){ .name = strdup(name) };
	if (!s->name)
		return -ENOMEM;
	g->n_services++;
	return reset_all(s, CONF_OBJECT_SERVICE);
}

static void open_service(struct parse *p, unsigned line, const char *name)
{
	struct conf_place at = place_at(p, line);
	struct guest_spec *g = p->guest;
	char safe[80];
	unsigned i = 0;

	(void)utf8_escape(safe, sizeof(safe), name, strlen(name));
	if (!*name) {
		conf_report(p->build, false, &at, "[Service]",
			"the name is missing; allowed: [Service NAME]");
		return;
	}
	if (!conf_name_valid(name)) {
		conf_report(p->build, false, &at, "[Service]",
			"'%s' is no service name; allowed: " CONF_NAME_ALLOWED, safe);
		return;
	}
	while (i < g->n_services && strcmp(g->services[i].name, name) != 0)
		i++;
	if (i == SPEC_SERVICES_MAX) {
		conf_report(p->build, false, &at, "[Service]",
			"'%s' is one service too many; allowed: at most %u of one guest", safe,
			SPEC_SERVICES_MAX);
		return;
	}
	if (i == g->n_services) {
		if (add_service(p, name) < 0) {
			p->build->out_of_memory = true;
			return;
		}
		p->guest_places->services[i] = (struct conf_item){ .opened = at };
	}
	p->object = &g->services[i];
	p->item = &p->guest_places->services[i];
}

static void unknown_section(struct parse *p, const struct conf_place *at, const char *name)
{
	const char *known[CONF_SECTION_NUM], *near;
	char safe[80];
	size_t n = 0;

	for (enum conf_section i = 0; i < CONF_SECTION_NUM; i++)
		if ((conf_section_object(i) == CONF_OBJECT_DAEMON) == !p->guest)
			known[n++] = conf_section_to_string(i);
	/* "[Servce foo]": the first word is what was mistyped. */
	size_t word = strcspn(name, " \t");
	char *first = strndupa(name, word);
	near = conf_nearest(first, known, n);
	(void)utf8_escape(safe, sizeof(safe), name, strlen(name));
	if (near)
		conf_report(p->build, false, at, NULL,
			"[%s] is no known section; did you mean [%s]?", safe, near);
	else
		conf_report(p->build, false, at, NULL, "[%s] is no known section; allowed: %s",
			safe,
			p->guest ? "[Guest] [Image] [Network] [CloudInit] [Memory] [Shutdown] "
				   "[Restart] [Service NAME]"
				 : "[Daemon] [Pool]");
}

static void take_section(void *userdata, unsigned line, const char *name)
{
	struct parse *p = userdata;
	struct conf_place at = place_at(p, line);

	p->object = NULL;
	if (!name)
		return;
	(void)snprintf(p->name, sizeof(p->name), "%s", name);
	size_t word = strcspn(name, " \t");
	bool service = word == strlen("Service") && strncmp(name, "Service", word) == 0;
	int section = service ? CONF_SECTION_SERVICE : conf_section_from_string(name);
	if (section < 0) {
		unknown_section(p, &at, name);
		return;
	}
	p->section = (enum conf_section)section;
	bool daemons = conf_section_object(p->section) == CONF_OBJECT_DAEMON;
	if (daemons != !p->guest) {
		conf_report(p->build, false, &at, NULL, "[%s] does not belong here; allowed: in %s",
			service ? "Service" : name,
			daemons ? "mediakitd.conf" : "guests.d/<guest>.conf and its drop-ins");
	} else if (service) {
		open_service(p, line, name + word + strspn(name + word, " \t"));
	} else if (daemons) {
		p->object = p->build->spec;
		p->item = &p->build->daemon;
	} else {
		p->object = p->guest;
		p->item = &p->guest_places->own;
	}
}

/* The key's name in a section of this object, the case ignored; or NULL. */
static const char *elsewhere(const struct parse *p, const char *name)
{
	for (unsigned i = 0; i < CONF_KEY_NUM; i++)
		if (strcasecmp(conf_key(i)->name, name) == 0 &&
			conf_key(i)->section != p->section &&
			(conf_section_object(conf_key(i)->section) == CONF_OBJECT_DAEMON) ==
				!p->guest)
			return conf_section_to_string(conf_key(i)->section);
	return NULL;
}

static void unknown_key(struct parse *p, const struct conf_place *at, const char *name)
{
	unsigned n_known = 0;
	const char *known[CONF_KEY_NUM];
	char safe[64], all[512] = "";
	size_t len = 0;

	for (unsigned i = 0; i < CONF_KEY_NUM; i++)
		if (conf_key(i)->section == p->section)
			known[n_known++] = conf_key(i)->name;
	(void)utf8_escape(safe, sizeof(safe), name, strlen(name));
	const char *near = conf_nearest(name, known, n_known);
	const char *other = elsewhere(p, name);
	if (other && !(near && strcasecmp(near, name) == 0)) {
		conf_report(p->build, false, at, safe, "is no key of [%s]; it belongs in [%s]",
			p->name, other);
		return;
	}
	if (near) {
		conf_report(p->build, false, at, safe, "is no key of [%s]; did you mean %s?",
			p->name, near);
		return;
	}
	for (unsigned i = 0; i < n_known && len < sizeof(all); i++)
		len += (size_t)snprintf(all + len, sizeof(all) - len, " %s", known[i]);
	conf_report(p->build, false, at, safe, "is no key of [%s]; allowed:%s", p->name, all);
}

static void bad_value(struct parse *p, const struct conf_place *at, const struct conf_key *key,
	int error, const char *bad, size_t bad_len)
{
	char safe[64];
	const char *hint = "";

	(void)utf8_escape(safe, sizeof(safe), bad, bad_len);
	/* inih's default was to cut such comments off, and systemd never did; here they stay. */
	if (strstr(bad, " #") || strstr(bad, " ;"))
		hint = " (a comment needs a line of its own)";
	if (error == -E2BIG)
		conf_report(p->build, false, at, key->name, "'%s' is one too many; allowed: %s",
			safe, key->allowed);
	else if (error == -ERANGE)
		conf_report(p->build, false, at, key->name, "'%s' is out of bounds; allowed: %s%s",
			safe, key->allowed, hint);
	else
		conf_report(p->build, false, at, key->name, "'%s' is no %s; allowed: %s%s", safe,
			key->type->noun, key->allowed, hint);
}

static void take_key(void *userdata, unsigned line, const char *name, const char *value)
{
	struct parse *p = userdata;
	struct conf_place at = place_at(p, line);
	const char *bad = value;
	size_t bad_len = 0;
	int r;

	if (!p->object)
		return;
	int id = conf_key_find(p->section, name);
	if (id < 0) {
		unknown_key(p, &at, name);
		return;
	}
	const struct conf_key *key = conf_key(id);
	struct conf_place *place = &p->item->places[id];
	if (!*value) {
		/* As in systemd: an empty assignment takes back what was said before. */
		*place = (struct conf_place){ 0 };
		r = conf_value_reset(key, p->object);
	} else {
		if (place->path == at.path && key->type->kind != CONF_LIST)
			conf_report(p->build, true, &at, name,
				"was set on line %u already; the last one holds", place->line);
		r = conf_value_set(key, p->object, value, &bad, &bad_len);
		*place = at;
		place->bad = r < 0;
	}
	if (r == -ENOMEM)
		p->build->out_of_memory = true;
	else if (r < 0)
		bad_value(p, &at, key, r, bad, bad_len);
}

static void take_fault(void *userdata, unsigned line, const char *text)
{
	struct parse *p = userdata;
	struct conf_place at = place_at(p, line);

	conf_report(p->build, false, &at, NULL, "%s", text);
}

static int grow(struct conf_build *b)
{
	unsigned n = b->spec->n_guests;
	struct guest_spec *guests = realloc(b->spec->guests, (n + 1) * sizeof(*guests));

	if (!guests)
		return -ENOMEM;
	b->spec->guests = guests;
	struct conf_guest *places = realloc(b->guests, (n + 1) * sizeof(*places));
	if (!places)
		return -ENOMEM;
	b->guests = places;
	guests[n] = (struct guest_spec){ 0 };
	places[n] = (struct conf_guest){ 0 };
	return 0;
}

/* The text's guest, made where this is its first text. -EINVAL: reported, there can be none. */
static int find_guest(struct parse *p)
{
	struct conf_build *b = p->build;
	struct conf_place at = place_at(p, 0);
	const char *name = p->text->guest;
	unsigned i = 0;
	char safe[80];

	(void)utf8_escape(safe, sizeof(safe), name, strlen(name));
	if (!conf_name_valid(name)) {
		conf_report(b, false, &at, NULL,
			"'%s' is no guest name; allowed: " CONF_NAME_ALLOWED, safe);
		return -EINVAL;
	}
	while (i < b->spec->n_guests && strcmp(b->spec->guests[i].name, name) != 0)
		i++;
	if (i == SPEC_GUESTS_MAX) {
		conf_report(b, false, &at, NULL, "'%s' is one guest too many; allowed: at most %u",
			safe, SPEC_GUESTS_MAX);
		return -EINVAL;
	}
	if (i == b->spec->n_guests) {
		char *copy = strdup(name);
		if (!copy || grow(b) < 0) {
			free(copy);
			return -ENOMEM;
		}
		b->spec->guests[i].name = copy;
		b->guests[i].own.opened = at;
		b->spec->n_guests++;
		spec_uuid(name, b->spec->guests[i].uuid);
		if (reset_all(&b->spec->guests[i], CONF_OBJECT_GUEST) < 0)
			return -ENOMEM;
	}
	p->guest = &b->spec->guests[i];
	p->guest_places = &b->guests[i];
	return 0;
}

static int parse_text(struct conf_build *b, const struct conf_text *text)
{
	static const struct conf_read_ops ops = { take_section, take_key, take_fault };
	struct parse p = { .build = b, .text = text };

	if (text->len > CONF_FILE_MAX) {
		struct conf_place at = place_at(&p, 0);
		conf_report(b, false, &at, NULL, "the file has %zu bytes; allowed: at most %u",
			text->len, CONF_FILE_MAX);
		return 0;
	}
	int r = text->guest ? find_guest(&p) : 0;
	if (r < 0)
		return r == -EINVAL ? 0 : r;
	return conf_read(text->text, text->len, &ops, &p);
}

static int build_all(struct conf_build *b, const struct conf_text *texts, size_t n_texts)
{
	int r = reset_all(b->spec, CONF_OBJECT_DAEMON);

	for (size_t i = 0; i < n_texts && r == 0; i++)
		r = parse_text(b, &texts[i]);
	if (r == 0)
		r = conf_fill_defaults(b);
	if (r == 0)
		conf_check(b);
	if (r == 0 && b->out_of_memory)
		r = -ENOMEM;
	return r;
}

int conf_parse(const struct conf_text *texts, size_t n_texts, struct spec **ret,
	struct conf_faults *faults)
{
	struct conf_build b = { .spec = calloc(1, sizeof(struct spec)), .faults = faults };
	int r = b.spec ? build_all(&b, texts, n_texts) : -ENOMEM;

	free(b.guests);
	if (r == 0 && faults->n_errors > 0)
		r = -EINVAL;
	if (r < 0) {
		spec_free(b.spec);
		return r;
	}
	*ret = b.spec;
	return 0;
}
