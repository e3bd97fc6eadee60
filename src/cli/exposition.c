/* SPDX-License-Identifier: Apache-2.0 */
/* Writes Prometheus' text format 0.0.4 and OpenMetrics 1.0.0, which differ in the heads of counters
 * and infos and in the end. */
#include "cli/exposition.h"

#include "base/macro.h"

static const char *suffix(enum family_type type)
{
	return type == FAMILY_COUNTER ? "_total" : type == FAMILY_INFO ? "_info" : "";
}

void exposition_head(struct exposition *e, const char *name, enum family_type type,
	const char *unit, const char *help)
{
	static const char *const types[] = {
		[FAMILY_GAUGE] = "gauge", [FAMILY_COUNTER] = "counter", [FAMILY_INFO] = "info"
	};
	bool open = e->format == METRICS_OPENMETRICS;
	/* In the older format a head bears the name of its samples, and there is no info. */
	const char *end = open ? "" : suffix(type);

	e->name = name;
	e->type = type;
	(void)fprintf(e->f, "# HELP %s%s %s\n", name, end, help);
	(void)fprintf(e->f, "# TYPE %s%s %s\n", name, end,
		type == FAMILY_INFO && !open ? "gauge" : types[type]);
	if (open && unit)
		(void)fprintf(e->f, "# UNIT %s %s\n", name, unit);
}

static void write_value(FILE *f, const char *value)
{
	for (; *value; value++) {
		if (*value == '\n')
			(void)fputs("\\n", f);
		else if (*value == '\\' || *value == '"')
			(void)fprintf(f, "\\%c", *value);
		else
			(void)fputc(*value, f);
	}
}

void exposition_sample(struct exposition *e, const struct label *labels, struct number n)
{
	const char *before = "{";

	if (n.kind == NUMBER_ABSENT)
		return;
	(void)fprintf(e->f, "%s%s", e->name, suffix(e->type));
	for (; labels->name; labels++) {
		(void)fprintf(e->f, "%s%s=\"", before, labels->name);
		write_value(e->f, labels->value);
		(void)fputc('"', e->f);
		before = ",";
	}
	if (*before == ',')
		(void)fputc('}', e->f);
	/* Integers throughout: a printed double would follow the locale and lose digits. */
	if (n.kind == NUMBER_USEC)
		(void)fprintf(e->f, " %llu.%06u\n", (unsigned long long)(n.n / USEC_PER_SEC),
			(unsigned)(n.n % USEC_PER_SEC));
	else
		(void)fprintf(e->f, " %llu\n",
			(unsigned long long)(n.kind == NUMBER_KIB ? n.n * 1024 : n.n));
}

void exposition_end(struct exposition *e)
{
	if (e->format == METRICS_OPENMETRICS)
		(void)fputs("# EOF\n", e->f);
}
