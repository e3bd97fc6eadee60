/* SPDX-License-Identifier: Apache-2.0 */
/* Is a detached OpenPGP signature one of the pinned key? By gpgv. */
#ifndef MEDIAKIT_IO_SIGNATURE_H
#define MEDIAKIT_IO_SIGNATURE_H

#include "io/tick.h"
#include "model/sums.h"

/* Checks `signature` over the file `data` against `keyring` (a binary one, as `gpg --export`
 * writes; gpgv reads no other), and that the signer's primary key is the one with `fingerprint`. 0
 * and the fingerprint; -EKEYREJECTED; -ENOENT (no gpgv, or no keyring); -errno; each with the
 * reason. */
int signature_check(const char *keyring, const char *signature, const char *data,
	const char *fingerprint, const struct tick *tick, char ret[static SUMS_KEY],
	struct reason *reason);

#endif
