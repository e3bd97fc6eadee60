/* SPDX-License-Identifier: Apache-2.0 */
/* CPUWeight= and CPUQuota= of one guest: carried out at its start, after an adoption and when they
 * are changed, and whether they have any effect here. */
#ifndef MEDIAKIT_CORE_CPUTUNE_H
#define MEDIAKIT_CORE_CPUTUNE_H

#include "base/nametable.h"
#include "base/time.h"
#include "io/hv.h"

struct guest;

enum cputune_effect {
	CPUTUNE_NONE,      /* nothing is configured */
	CPUTUNE_PENDING,   /* the guest does not run, or libvirt has yet to answer */
	CPUTUNE_APPLIED,   /* libvirt has set them */
	CPUTUNE_NO_EFFECT, /* the driver cannot: no control group for the CPU */
	CPUTUNE_FAILED,    /* it will be tried again */
	CPUTUNE_NUM,
};
NAME_TABLE_DECLARE(cputune_effect, enum cputune_effect); /* none pending applied no-effect failed */

#define CPUTUNE_RETRY (30 * USEC_PER_SEC)

struct cputune {
	enum cputune_effect effect;
	unsigned weight, quota_pct; /* as asked for last */
	bool set;                   /* something was set in this run */
	bool in_flight;
	usec_t due;               /* 0: no */
	char words[HV_ERROR_MAX]; /* libvirt's, with NO_EFFECT and FAILED */
};

/* A run begins or is taken over. */
void cputune_begin(struct guest *g, usec_t now);
void cputune_forget(struct guest *g);
/* The configuration was read again. */
void cputune_reload(struct guest *g, usec_t now);
/* Asks when it is due; returns when to look again. */
usec_t cputune_run(struct guest *g, usec_t now);
void cputune_answered(struct guest *g, int error, const char *message, usec_t now);

#endif
