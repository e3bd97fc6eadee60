/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps libvirt's scheduler parameters as the configuration has them. Never a reason not to start.
 */
#include "core/cputune.h"

#include "base/log.h"
#include "core/event.h"
#include "core/hvlink.h"
#include "core/supervisor.h"

#include <errno.h>
#include <string.h>

/* What everything else has (systemd.resource-control(5)); put back where the key was taken out. */
#define WEIGHT_DEFAULT 100u

static bool configured(const struct guest *g)
{
	return g->spec->cpu_weight || g->spec->cpu_quota_pct;
}

static void set_effect(struct guest *g, enum cputune_effect effect, const char *words)
{
	struct cputune *c = &g->cputune;

	g->dirty |= c->effect != effect || strcmp(c->words, words) != 0;
	c->effect = effect;
	(void)snprintf(c->words, sizeof(c->words), "%s", words);
}

static void want(struct guest *g, usec_t now)
{
	set_effect(g, configured(g) ? CPUTUNE_PENDING : CPUTUNE_NONE, "");
	g->cputune.due = configured(g) || g->cputune.set ? MAX(now, 1u) : 0;
}

void cputune_begin(struct guest *g, usec_t now)
{
	g->cputune.set = false;
	want(g, now);
}

void cputune_forget(struct guest *g)
{
	g->cputune.set = false;
	g->cputune.due = 0;
	set_effect(g, configured(g) ? CPUTUNE_PENDING : CPUTUNE_NONE, "");
}

void cputune_reload(struct guest *g, usec_t now)
{
	const struct cputune *c = &g->cputune;

	if (!guest_state_has_qemu(g->state) || g->state == GUEST_STARTING)
		cputune_forget(g);
	else if (c->weight != g->spec->cpu_weight || c->quota_pct != g->spec->cpu_quota_pct)
		want(g, now);
}

usec_t cputune_run(struct guest *g, usec_t now)
{
	struct cputune *c = &g->cputune;
	const struct guest_spec *spec = g->spec;

	if (c->due == 0 || c->in_flight)
		return USEC_INFINITY;
	if (now < c->due)
		return c->due;
	c->due = 0;
	c->weight = spec->cpu_weight;
	c->quota_pct = spec->cpu_quota_pct;
	unsigned weight = spec->cpu_weight == 0 && c->set ? WEIGHT_DEFAULT : spec->cpu_weight;
	int r = hvlink_cpu_tune(g, weight, spec->cpu_quota_pct);
	c->in_flight = r == 0;
	if (r == 0)
		return USEC_INFINITY;
	set_effect(g, CPUTUNE_FAILED, strerror(-r));
	return c->due = usec_add(now, CPUTUNE_RETRY);
}

void cputune_answered(struct guest *g, int error, const char *message, usec_t now)
{
	struct cputune *c = &g->cputune;
	bool was = c->effect == CPUTUNE_NO_EFFECT || c->effect == CPUTUNE_FAILED;

	c->in_flight = false;
	if (!guest_state_has_qemu(g->state))
		return;
	if (c->weight != g->spec->cpu_weight || c->quota_pct != g->spec->cpu_quota_pct) {
		want(g, now);
		return;
	}
	if (error == 0) {
		c->set = true;
		set_effect(g, configured(g) ? CPUTUNE_APPLIED : CPUTUNE_NONE, "");
		return;
	}
	bool never = error == -EOPNOTSUPP;
	set_effect(g, never ? CPUTUNE_NO_EFFECT : CPUTUNE_FAILED, message);
	if (!never)
		c->due = usec_add(now, CPUTUNE_RETRY);
	if (!was)
		log_full(LOG_NOTICE, g->spec->name, NULL,
			"CPUWeight= and CPUQuota= have no effect %s: %s", never ? "here" : "yet",
			message);
}
