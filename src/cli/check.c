/* SPDX-License-Identifier: Apache-2.0 */
/* mediakitd check: what the daemon would say of its configuration, said before it is asked to use
 * it. */
#include "cli/check.h"

#include "io/confdir.h"
#include "model/conf_keys.h"

#include <errno.h>
#include <getopt.h>

static const char usage_check[] =
	"Usage: mediakitd check [--config=DIR] [--keys]\n"
	"\n"
	"Reads the configuration the way the daemon does and reports everything wrong\n"
	"with it at once. Needs no daemon, starts nothing and changes nothing.\n"
	"\n"
	"  --config=DIR    the directory to read (default " CONFDIR_DEFAULT ")\n"
	"  --state=DIR     stands in for StateDirectory=, as for the daemon\n"
	"  --runtime=DIR   stands in for RuntimeDirectory=, as for the daemon\n"
	"  --keys          print every key there is, one a line, and check nothing:\n"
	"                  section, key, default, when a change takes effect, what is\n"
	"                  allowed, what it does; parted by tabs\n"
	"  -h, --help      this text\n"
	"\n"
	"Read are mediakitd.conf, guests.d/GUEST.conf and guests.d/GUEST.conf.d/*.conf,\n"
	"drop-ins in the order of their names; what comes later wins, and an empty\n"
	"assignment (Key=) takes back what was said before.\n"
	"\n"
	"Each fault is one line on standard error:\n"
	"\n"
	"  FILE:LINE: KEY: what is wrong; what is allowed\n"
	"  FILE:LINE: warning: KEY: what the setting means that is easily missed\n"
	"\n"
	"Standard output gets one line that counts guests, services and faults. The\n"
	"daemon refuses a configuration with faults, and a reload with faults leaves the\n"
	"old one in force; warnings stop nothing.\n"
	"\n"
	"Exit status: 0 no faults (there may be warnings), 1 out of memory, 2 faults or\n"
	"wrong usage.\n";

struct options {
	const char *config, *state, *runtime;
	bool keys;
};

/* 0: go on; 1: help was given; -EINVAL: told on stderr. */
static int parse_options(int argc, char **argv, struct options *ret)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "state", required_argument, NULL, 's' },
		{ "runtime", required_argument, NULL, 'r' },
		{ "keys", no_argument, NULL, 'k' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	/* 0 starts getopt afresh: the dispatcher may have used it before. */
	optind = 0;
	while ((c = getopt_long(argc, argv, "+h", longs, NULL)) >= 0) {
		if (c == 'c')
			ret->config = optarg;
		else if (c == 's')
			ret->state = optarg;
		else if (c == 'r')
			ret->runtime = optarg;
		else if (c == 'k')
			ret->keys = true;
		else if (c == 'h')
			return 1;
		else
			return -EINVAL;
	}
	if (optind < argc) {
		fprintf(stderr, "mediakitd check: unexpected argument '%s'; see --help\n",
			argv[optind]);
		return -EINVAL;
	}
	return 0;
}

static void print_faults(const struct conf_faults *faults)
{
	for (unsigned i = 0; i < faults->n; i++) {
		const struct conf_fault *f = &faults->list[i];

		fprintf(stderr, "%.*s%s%s\n", (int)f->where_len, f->text,
			f->warning ? "warning: " : "", f->text + f->where_len);
	}
	if (faults->n_dropped > 0)
		fprintf(stderr, "... and %u more\n", faults->n_dropped);
}

static const char *plural(unsigned n)
{
	return n == 1 ? "" : "s";
}

static void print_summary(const struct spec *spec, const struct conf_faults *faults)
{
	unsigned services = 0, warnings = 0;

	for (unsigned i = 0; i < faults->n; i++)
		warnings += faults->list[i].warning;
	if (spec) {
		for (unsigned i = 0; i < spec->n_guests; i++)
			services += spec->guests[i].n_services;
		printf("%u guest%s, %u service%s, ", spec->n_guests, plural(spec->n_guests),
			services, plural(services));
	}
	if (faults->n_errors > 0)
		printf("%u fault%s", faults->n_errors, plural(faults->n_errors));
	else
		printf("no faults");
	if (warnings > 0)
		printf(", %u warning%s", warnings, plural(warnings));
	printf("\n");
}

/* The manual is made of these lines. */
static void print_keys(void)
{
	for (unsigned i = 0; i < CONF_KEY_NUM; i++) {
		const struct conf_key *k = conf_key(i);

		printf("%s\t%s\t%s\t%s\t%s\t%s\n", conf_section_to_string(k->section), k->name,
			conf_key_default(k), conf_effect_to_string(k->effect), k->allowed, k->help);
	}
}

int verb_check(int argc, char **argv)
{
	struct options o = { .config = CONFDIR_DEFAULT };
	struct conf_faults faults = { 0 };
	struct spec *spec = NULL;
	int r = parse_options(argc, argv, &o);

	if (r > 0)
		fputs(usage_check, stdout);
	if (r != 0)
		return r < 0 ? 2 : 0;
	if (o.keys) {
		print_keys();
		return 0;
	}
	r = confdir_load(o.config, o.state, o.runtime, &spec, &faults);
	print_faults(&faults);
	if (r == -ENOMEM)
		fputs("mediakitd check: out of memory\n", stderr);
	else
		print_summary(spec, &faults);
	conf_faults_clear(&faults);
	spec_free(spec);
	if (r < 0)
		return r == -ENOMEM ? 1 : 2;
	return 0;
}
