/* SPDX-License-Identifier: Apache-2.0 */
/* What the values of configuration keys look like, and how one is put into its field. */
#ifndef MEDIAKIT_MODEL_CONF_VALUE_H
#define MEDIAKIT_MODEL_CONF_VALUE_H

#include "model/conf_keys.h"

extern const struct conf_type conf_type_uri;      /* libvirt connection URI */
extern const struct conf_type conf_type_path;     /* absolute path on the host */
extern const struct conf_type conf_type_text;     /* printable, one line */
extern const struct conf_type conf_type_hostname; /* RFC 1123 */
extern const struct conf_type conf_type_user;     /* useradd(8)'s portable names, not root */
extern const struct conf_type conf_type_sha256;
extern const struct conf_type conf_type_fingerprint; /* of an OpenPGP key */
extern const struct conf_type conf_type_glibc;       /* two numbers, or none */
extern const struct conf_type conf_type_urls;        /* list of https and file URLs */
extern const struct conf_type conf_type_ipv4;
extern const struct conf_type conf_type_url_path; /* path and query of a request target */
extern const struct conf_type conf_type_unit;     /* systemd.unit(5) */
extern const struct conf_type
	conf_type_ssh_keys; /* list, one key a line, sshd(8) without options */
extern const struct conf_type conf_type_packages; /* list of Debian package names */
extern const struct conf_type conf_type_names;    /* list of service names */
extern const struct conf_type conf_type_size;
extern const struct conf_type conf_type_span;
extern const struct conf_type conf_type_number;
extern const struct conf_type conf_type_percent;
extern const struct conf_type conf_type_port;
extern const struct conf_type conf_type_port_or_none;
extern const struct conf_type conf_type_offset;
extern const struct conf_type conf_type_bool;
extern const struct conf_type conf_type_word; /* an enum's word */

/* Whether it may be the name of a guest or service: [a-z0-9-], 1 to SPEC_NAME_MAX bytes, a letter
 * or digit first and last, because a guest's name is its default host name. */
bool conf_name_valid(const char *name);
#define CONF_NAME_ALLOWED "1 to 40 of a-z, 0-9 and '-', a letter or digit first and last"

/* Whether it is an SSH public key, its type first and a comment behind it, without options. */
bool conf_ssh_key_valid(const char *s);

/* Puts the value (not empty) into its field of `object`. Lists grow. 0; -EINVAL (not of the type);
 * -ERANGE (outside the bounds); -E2BIG (list full); -ENOMEM. On failure a scalar keeps what it had,
 * a list what it had before the item that failed; *ret_bad is then that item, for the message: it
 * points into `value`, with its length in *ret_bad_len. */
int conf_value_set(const struct conf_key *key, void *object, const char *value,
	const char **ret_bad, size_t *ret_bad_len);

/* Puts the default back: the preset, or nothing. 0 or -ENOMEM. */
int conf_value_reset(const struct conf_key *key, void *object);

/* Whether both objects hold the same value. */
bool conf_value_equal(const struct conf_key *key, const void *a, const void *b);

#endif
