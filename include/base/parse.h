/* SPDX-License-Identifier: Apache-2.0 */
/* Strict parsers for what people write in config files and on the command line. Each takes the
 * whole string or nothing: leading and trailing bytes, signs, overflow are -EINVAL or -ERANGE, and
 * *ret is written only on success. */
#ifndef MEDIAKIT_BASE_PARSE_H
#define MEDIAKIT_BASE_PARSE_H

#include "base/time.h"

#include <stdbool.h>
#include <stdint.h>

/* Decimal digits only, within [min, max]. 0, -EINVAL (no number), -ERANGE (outside). */
int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret);
int parse_uint(const char *s, unsigned min, unsigned max, unsigned *ret);

/* 1..65535. */
int parse_port(const char *s, uint16_t *ret);

/* yes/no, true/false, on/off, 1/0, as systemd reads them. */
int parse_bool(const char *s, bool *ret);

/* "6G", "512M", "2048K", "1T", or bytes without a suffix; base 1024. The result is KiB; a size that
 * is not a whole number of KiB is -EINVAL. At most 2^53 KiB. */
int parse_size_kib(const char *s, uint64_t *ret_kib);

/* "10s", "500ms", "2min 30s", "1h", "3d"; a bare number is seconds; "infinity". systemd's syntax
 * (systemd.time(7)) without months and years. */
int parse_timespan(const char *s, usec_t *ret);

/* "6.0 GiB", "512 MiB", "64 KiB". Always terminates. Returns buf. */
char *format_size_kib(char *buf, size_t size, uint64_t kib);

#define SIZE_TEXT_MAX 24u

#endif
