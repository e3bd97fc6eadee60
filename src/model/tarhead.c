/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of text and octal digits, and a sum over them. */
#include "model/tarhead.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], chksum[8], typeflag;
	char linkname[100], magic[6], version[2], uname[32], gname[32], devmajor[8], devminor[8];
	char prefix[155], pad[12];
};
_Static_assert(sizeof(struct header) == TAR_BLOCK, "a header is a block");

/* The path is split at a '/', so that both parts have room. */
static int put_path(struct header *h, const char *path)
{
	size_t len = strlen(path);

	if (len <= sizeof(h->name)) {
		memcpy(h->name, path, len);
		return 0;
	}
	const char *slash = strchr(path + (len - sizeof(h->name) - 1), '/');
	if (len > TAR_PATH_MAX || !slash || slash == path ||
		(size_t)(slash - path) > sizeof(h->prefix) || !slash[1])
		return -ENAMETOOLONG;
	memcpy(h->prefix, path, (size_t)(slash - path));
	memcpy(h->name, slash + 1, strlen(slash + 1));
	return 0;
}

static void put_octal(char *field, size_t size, uint64_t value)
{
	for (size_t i = size - 1; i-- > 0; value >>= 3)
		field[i] = (char)('0' + (value & 7));
}

int tar_header(const char *path, uint64_t size, uint64_t mtime, bool executable,
	unsigned char ret[static TAR_BLOCK])
{
	struct header h = { .typeflag = '0', .magic = "ustar", .version = { '0', '0' } };
	unsigned char bytes[TAR_BLOCK];
	uint64_t sum = 0;
	int r = put_path(&h, path);

	if (r < 0)
		return r;
	if (size > TAR_SIZE_MAX || mtime > TAR_SIZE_MAX)
		return -EFBIG;
	put_octal(h.mode, sizeof(h.mode), executable ? 0755 : 0644);
	put_octal(h.uid, sizeof(h.uid), 0);
	put_octal(h.gid, sizeof(h.gid), 0);
	put_octal(h.size, sizeof(h.size), size);
	put_octal(h.mtime, sizeof(h.mtime), mtime);
	memset(h.chksum, ' ', sizeof(h.chksum));
	memcpy(bytes, &h, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		sum += bytes[i];
	put_octal(h.chksum, sizeof(h.chksum) - 1, sum);
	h.chksum[6] = '\0';
	memcpy(ret, &h, TAR_BLOCK);
	return 0;
}
