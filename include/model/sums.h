/* SPDX-License-Identifier: Apache-2.0 */
/* What a publisher says of its files: SHA256SUMS as sha256sum(1) writes it, and gpgv's word on who
 * signed it. Both texts come from the network; nothing in them is believed that is not spelled
 * exactly. */
#ifndef MEDIAKIT_MODEL_SUMS_H
#define MEDIAKIT_MODEL_SUMS_H

#include "model/reason.h"

#define SUMS_BYTES_MAX  (1024u * 1024u) /* Ubuntu's have 13 KiB */
#define SUMS_LINE_MAX   4096u
#define SUMS_DIGEST     65u /* 64 lowercase digits and the NUL */
#define SUMS_KEY        65u /* a fingerprint of 64 digits and the NUL */
#define SUMS_STATUS_MAX (64u * 1024u)

/* The digest of the file called exactly `name`, in a line "<64 hex digits> [ *]<name>". 0; -ENOENT:
 * no such line; -EBADMSG: two lines that disagree, a NUL, or a line over its limit. Lines of
 * another form are passed over: signed sums may have others. */
int sums_find(const char *text, size_t len, const char *name, char ret[static SUMS_DIGEST],
	struct reason *reason);

/* Whether what `gpgv --status-fd` wrote shows a good signature of the key whose primary key has
 * `fingerprint` (any case). That is GOODSIG, for a key neither expired nor revoked, and with it
 * VALIDSIG, whose last field is the primary key (doc/DETAILS of GnuPG); made over the whole
 * document (class 00 or 01), by no digest that can be forged (MD5, SHA-1, RIPEMD-160). Signatures
 * of other keys beside it do not matter, unless one is bad. 0 and the fingerprint; -EKEYREJECTED
 * with the reason: a bad one, one of another key, or none at all. */
int sums_signer(const char *status, size_t len, const char *fingerprint, char ret[static SUMS_KEY],
	struct reason *reason);

#endif
