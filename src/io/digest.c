/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 by nettle. */
#include "io/digest.h"

#include "base/macro.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>

#define CHUNK (1024u * 1024u)

static_assert(DIGEST_TEXT == 2 * SHA256_DIGEST_SIZE + 1, "two digits a byte");

static void finish(struct sha256_ctx *ctx, char ret[static DIGEST_TEXT])
{
	uint8_t digest[SHA256_DIGEST_SIZE];

	sha256_digest(ctx, sizeof(digest), digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}

void digest_parts(const struct digest_part *parts, size_t n, char ret[static DIGEST_TEXT])
{
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	for (size_t i = 0; i < n; i++) {
		uint8_t length[8];

		for (unsigned k = 0; k < 8; k++)
			length[k] = (uint8_t)((uint64_t)parts[i].len >> (56 - 8 * k));
		sha256_update(&ctx, sizeof(length), length);
		sha256_update(&ctx, parts[i].len, parts[i].data);
	}
	finish(&ctx, ret);
}

void digest_buffer(const void *data, size_t len, char ret[static DIGEST_TEXT])
{
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, len, data);
	finish(&ctx, ret);
}

int digest_file(const char *path, const struct tick *tick, char ret[static DIGEST_TEXT])
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	CLEANUP_FREE uint8_t *buf = malloc(CHUNK);
	struct sha256_ctx ctx;

	if (fd < 0)
		return -errno;
	if (!buf)
		return -ENOMEM;
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	sha256_init(&ctx);
	for (;;) {
		ssize_t n = read(fd, buf, CHUNK);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		if (n > 0)
			sha256_update(&ctx, (size_t)n, buf);
		int r = tick_call(tick);
		if (r < 0)
			return r;
	}
	finish(&ctx, ret);
	return 0;
}
