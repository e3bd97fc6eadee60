/* SPDX-License-Identifier: Apache-2.0 */
/* Runs gpgv, bounded, and leaves the judging of its answer to model/sums. */
#include "io/signature.h"

#include "io/program.h"

#include <errno.h>
#include <string.h>

#define GPGV_TIMEOUT    (30 * USEC_PER_SEC)
#define GPGV_MEMORY_KIB (256u * 1024u)

/* What it said without a status line, such as that the keyring is armored. */
static int explain(const struct program_result *result, int error, struct reason *reason)
{
	char said[PROGRAM_ERROR_MAX];
	size_t n = strlen(reason->text);

	(void)snprintf(said, sizeof(said), "%s", result->error);
	if (n < sizeof(reason->text) && said[0])
		(void)snprintf(reason->text + n, sizeof(reason->text) - n, " (gpgv: %.200s)", said);
	return error;
}

int signature_check(const char *keyring, const char *signature, const char *data,
	const char *fingerprint, const struct tick *tick, char ret[static SUMS_KEY],
	struct reason *reason)
{
	const char *argv[] = { "gpgv", "--status-fd", "1", "--keyring", keyring, "--", signature,
		data, NULL };
	const struct program program = {
		.argv = argv,
		.timeout = GPGV_TIMEOUT,
		.memory_max_kib = GPGV_MEMORY_KIB,
		.output_max = SUMS_STATUS_MAX,
		.tick = tick,
	};
	CLEANUP(program_result_clear) struct program_result result = { 0 };

	/* gpgv without one only says that it cannot check the signature. */
	if (access(keyring, R_OK) < 0)
		return reason_set(reason, -errno,
			"cannot read Keyring=%s: %s; gpg --export %s >%s makes one", keyring,
			strerror(errno), fingerprint, keyring);
	int r = program_run(&program, &result);
	if (r == -ENOENT)
		return reason_set(reason, r, "gpgv is not there: install the package gpgv");
	if (r < 0)
		return reason_set(reason, r, "gpgv: %s", strerror(-r));
	/* Its exit status is not asked: it is 2 where one of two signatures is by a key that is not
	 * in the keyring, and 0 says nothing of whose key it was. */
	if (result.signal)
		return reason_set(reason, -EIO, "gpgv died of signal %d", result.signal);
	r = sums_signer(result.output, result.output_len, fingerprint, ret, reason);
	return r < 0 ? explain(&result, r, reason) : 0;
}
