/* SPDX-License-Identifier: Apache-2.0 */
/* The three parts of the key table, for model/conf_keys alone. Each is in the order of enum
 * conf_key_id, from its first key on. */
#ifndef MEDIAKIT_MODEL_CONF_KEYS_TABLE_H
#define MEDIAKIT_MODEL_CONF_KEYS_TABLE_H

#include "model/conf_keys.h"

#define MIB UINT64_C(1024)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)

/* PATH_MAX less its NUL. */
#define PATH_BYTES   4095
#define PATH_ALLOWED "a path that begins with '/', at most 4095 printable bytes"
/* sun_path holds 107 bytes and a NUL (unix(7)); the longest socket name here is "/control". */
#define RUNTIME_BYTES 99

extern const struct conf_key conf_keys_host[];
extern const struct conf_key conf_keys_guest[];
extern const struct conf_key conf_keys_service[];

#endif
