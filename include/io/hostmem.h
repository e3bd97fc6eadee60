/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of this host, as its kernel counts it. */
#ifndef MEDIAKIT_IO_HOSTMEM_H
#define MEDIAKIT_IO_HOSTMEM_H

#include <stdint.h>

#define HOSTMEM_PSI_ABSENT UINT32_MAX

struct hostmem {
	uint64_t total_kib;      /* MemTotal */
	uint64_t available_kib;  /* MemAvailable: what can be had without swapping */
	uint32_t psi_some_avg10; /* hundredths of a percent of the last 10 s in which somebody
				  * waited for memory, or HOSTMEM_PSI_ABSENT without PSI */
};

/* /proc/meminfo (proc(5)) and the line `some` of /proc/pressure/memory
 * (Documentation/accounting/psi.rst). 0 or -errno; -EBADMSG where meminfo says something else. A
 * kernel without PSI is no error. Reading takes some 50 us. */
int hostmem_read(struct hostmem *ret);

/* The same of texts. 0 or -EBADMSG; *ret is written only on success. */
int hostmem_parse_meminfo(const char *text, uint64_t *ret_total_kib, uint64_t *ret_available_kib);
int hostmem_parse_psi(const char *text, uint32_t *ret_avg10);

#endif
