/* SPDX-License-Identifier: Apache-2.0 */
/* Draws decisions, and beneath those about health the services that led to them. */
#include "cli/whyscreen.h"

#include "base/macro.h"
#include "cli/storyline.h"
#include "cli/words.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#define LABEL  10u /* columns before the text */
#define INDENT 12u

static unsigned room(const struct style *style, unsigned indent)
{
	return style->width > indent + 20 ? style->width - indent : 0;
}

static void row(FILE *f, const struct style *style, const char *label, const char *text)
{
	(void)fprintf(f, "%s%*s%s  ", term_color(style, COLOR_DIM), (int)LABEL, label,
		term_reset(style, COLOR_DIM));
	text_wrap(f, style, text, room(style, INDENT), INDENT);
	(void)fputc('\n', f);
}

/* "12s ago, 4 times since 2026-11-23 04:00:12". */
static void when_text(char *buf, size_t size, const struct view_decision *d, usec_t now)
{
	char at[MOMENT_TEXT_MAX], age[AGE_TEXT_MAX];

	(void)snprintf(buf, size, "%s ago, ", age_text(age, sizeof(age), d->last, now));
	if (d->count > 1)
		text_add(buf, size, "%u times in a row since %s", d->count,
			moment_text(at, sizeof(at), d->first));
	else
		text_add(buf, size, "once, %s", moment_text(at, sizeof(at), d->first));
}

static void print_newest(FILE *f, const struct style *style, const struct view_decision *d)
{
	char when[128];

	(void)fprintf(f, "%s%*s%s  ", term_color(style, COLOR_BOLD), (int)LABEL, d->topic,
		term_reset(style, COLOR_BOLD));
	text_wrap(f, style, d->action, room(style, INDENT), INDENT);
	(void)fputc('\n', f);
	row(f, style, "because", d->rule);
	row(f, style, "inputs", d->inputs);
	when_text(when, sizeof(when), d, style->now_realtime);
	row(f, style, "when", when);
}

static void print_older(FILE *f, const struct style *style, const struct view_decision *d)
{
	char text[640], at[MOMENT_TEXT_MAX];

	(void)snprintf(text, sizeof(text), "%s  %s: %s (%s)", moment_text(at, sizeof(at), d->last),
		d->action, d->rule, d->inputs);
	if (d->count > 1)
		text_add(text, sizeof(text), ", %u times", d->count);
	row(f, style, "before", text);
}

static bool counted(const struct view_service *s)
{
	return strcmp(s->expect, "active") == 0 && strcmp(s->probe, "none") != 0;
}

/* "down for 1min: refused, 3 in a row (Fall=3): nobody listens". */
static void service_text(char *buf, size_t size, const struct view_service *s, usec_t now)
{
	char age[AGE_TEXT_MAX], reason[REASON_TEXT_MAX];
	bool failing = s->failures > 0;

	if (!s->watched) {
		(void)service_reason(buf, size, s);
		return;
	}
	(void)snprintf(buf, size, "%s", service_look(s).word);
	if (s->state_since)
		text_add(buf, size, " for %s", age_text(age, sizeof(age), s->state_since, now));
	if (s->verdict[0] && strcmp(s->verdict, "none") != 0)
		text_add(buf, size, ": %s %s ago", s->verdict,
			age_text(age, sizeof(age), s->verdict_at, now));
	if (failing)
		text_add(buf, size, ", failed %u in a row (Fall=%u)", s->failures, s->fall);
	else if (s->successes > 0)
		text_add(buf, size, ", good %u in a row (Rise=%u)", s->successes, s->rise);
	(void)service_reason(reason, sizeof(reason), s);
	if (reason[0])
		text_add(buf, size, "; %s", reason);
}

static void print_services(FILE *f, const struct style *style, const struct view_guest *g)
{
	char text[REASON_TEXT_MAX + 256];
	unsigned width = 0;

	for (unsigned i = 0; i < g->n_services; i++)
		width = MAX(width, text_width(g->services[i].name));
	for (unsigned i = 0; i < g->n_services; i++) {
		const struct view_service *s = &g->services[i];
		enum term_color color = service_look(s).color;

		if (!counted(s))
			continue;
		service_text(text, sizeof(text), s, style->now_realtime);
		(void)fprintf(f, "%*s%-*s  %s", (int)INDENT, "", (int)width, s->name,
			term_color(style, color));
		text_wrap(f, style, text, room(style, INDENT + width + 2), INDENT + width + 2);
		(void)fprintf(f, "%s\n", term_reset(style, color));
	}
}

void why_print(FILE *f, const struct view_guest *g, const struct why_list *list, const char *topic,
	const struct style *style)
{
	const char *last = "";
	bool services_told = false;

	if (list->n == 0)
		(void)fprintf(f, "%s: nothing was decided%s%s since the daemon began\n", g->name,
			topic ? " about " : "", topic ? topic : "");
	for (unsigned i = 0; i < list->n; i++) {
		const struct view_decision *d = &list->rows[i];
		bool first = strcmp(last, d->topic) != 0;

		last = d->topic;
		if (first) {
			(void)fprintf(f, "%s", i > 0 ? "\n" : "");
			print_newest(f, style, d);
		} else if (topic) {
			print_older(f, style, d);
		}
		if (first && strcmp(d->topic, "health") == 0 && !services_told) {
			print_services(f, style, g);
			services_told = true;
		}
	}
}

static json_t *known(uint64_t n)
{
	return n ? json_integer((json_int_t)n) : json_null();
}

static json_t *text_or_null(const char *s)
{
	return *s ? json_string(s) : json_null();
}

static json_t *decisions_json(const struct why_list *list)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < list->n; i++) {
		const struct view_decision *d = &list->rows[i];
		(void)json_array_append_new(
			array, json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "topic", d->topic,
				       "action", d->action, "rule", d->rule, "inputs", d->inputs,
				       "first_usec", (json_int_t)d->first, "last_usec",
				       (json_int_t)d->last, "count", (json_int_t)d->count));
	}
	return array;
}

static json_t *services_json(const struct view_guest *g)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < g->n_services; i++) {
		const struct view_service *s = &g->services[i];
		bool judged = s->verdict[0] && strcmp(s->verdict, "none") != 0;
		(void)json_array_append_new(array,
			json_pack("{s:s, s:b, s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I}", "name",
				s->name, "counted", (int)counted(s), "state", s->state,
				"state_since_usec", known(s->state_since), "verdict",
				text_or_null(judged ? s->verdict : ""), "verdict_at_usec",
				known(judged ? s->verdict_at : 0), "reason",
				text_or_null(s->reason), "successes", (json_int_t)s->successes,
				"rise", (json_int_t)s->rise, "failures", (json_int_t)s->failures,
				"fall", (json_int_t)s->fall));
	}
	return array;
}

int why_json(FILE *f, const struct view_guest *g, const struct why_list *list, const char *topic)
{
	bool health = !topic || strcmp(topic, "health") == 0;
	json_t *root = json_pack("{s:i, s:s, s:s, s:b, s:o, s:o}", "version", 1, "guest", g->name,
		"state", g->state, "healthy", (int)g->healthy, "decisions", decisions_json(list),
		"services", health ? services_json(g) : json_null());
	int r = root ? json_dumpf(root, f, JSON_INDENT(2)) : -1;

	json_decref(root);
	if (r < 0)
		return -ENOMEM;
	(void)fputc('\n', f);
	return 0;
}
