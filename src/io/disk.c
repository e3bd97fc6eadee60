/* SPDX-License-Identifier: Apache-2.0 */
/* Images, seen through their first bytes and through qemu-img. */
#include "io/disk.h"

#include "io/program.h"
#include "model/jsontext.h"
#include "model/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>

/* Far beyond what either takes on an idle machine: `info` reads a header, `check` all tables. */
#define INFO_TIMEOUT   (20 * USEC_PER_SEC)
#define CHECK_TIMEOUT  (5 * USEC_PER_MINUTE)
#define CREATE_TIMEOUT (1 * USEC_PER_MINUTE)
/* Address space. `info` on a small image is content with 50 MiB (QEMU 7.2); the rest is for tables.
 */
#define MEMORY_MAX_KIB (1024u * 1024u)

#define RAW_MIN_BYTES (1024u * 1024u)
#define SECTOR        512u

static const char *const disk_format_names[] = {
	[DISK_QCOW2] = "qcow2",
	[DISK_RAW] = "raw",
};
NAME_TABLE_DEFINE(disk_format, enum disk_format, DISK_FORMAT_NUM);

/* The qcow2 header, docs/interop/qcow2.txt of QEMU; all numbers big endian. */
static const uint8_t qcow_magic[] = { 'Q', 'F', 'I', 0xfb };
#define QCOW_VERSION           4
#define QCOW_BACKING_OFFSET    8
#define QCOW_SIZE              24
#define QCOW_CRYPT_METHOD      32
#define QCOW_INCOMPATIBLE      72
#define QCOW_HEADER_V2         72
#define QCOW_HEADER_V3         104
#define QCOW_INCOMPAT_CORRUPT  0x2u
#define QCOW_INCOMPAT_DATAFILE 0x4u

static uint64_t be(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static int read_start(const char *path, uint8_t *buf, size_t size, size_t *ret)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	ssize_t n = pread(fd, buf, size, 0);
	if (n < 0)
		return -errno;
	*ret = (size_t)n;
	return 0;
}

int disk_check_header(const char *path, struct reason *reason)
{
	uint8_t h[QCOW_HEADER_V3] = { 0 };
	size_t n = 0;
	int r = read_start(path, h, sizeof(h), &n);

	if (r < 0)
		return reason_set(reason, r, "cannot read %s: %s", path, strerror(-r));
	if (n == 0)
		return reason_set(reason, -EINVAL, "%s is empty", path);
	if (n < sizeof(qcow_magic) || memcmp(h, qcow_magic, sizeof(qcow_magic)) != 0)
		return 0;
	uint64_t version = be(h + QCOW_VERSION, 4);
	if (n < (version == 2 ? QCOW_HEADER_V2 : QCOW_HEADER_V3))
		return reason_set(reason, -EINVAL,
			"%s is a qcow2 image cut off within its header (%zu bytes)", path, n);
	if (version != 2 && version != 3)
		return reason_set(reason, -EINVAL,
			"%s is a qcow2 image of version %" PRIu64 "; 2 and 3 are known", path,
			version);
	uint64_t incompatible = version == 3 ? be(h + QCOW_INCOMPATIBLE, 8) : 0;
	if (be(h + QCOW_BACKING_OFFSET, 8) != 0)
		return reason_set(reason, -EINVAL,
			"%s has a backing file: it is not a whole image, and would open another "
			"file of this "
			"host; flatten it with qemu-img convert",
			path);
	if (incompatible & QCOW_INCOMPAT_DATAFILE)
		return reason_set(reason, -EINVAL,
			"%s keeps its data in an external file, which would be another file of "
			"this host; "
			"convert it with qemu-img convert",
			path);
	if (be(h + QCOW_CRYPT_METHOD, 4) != 0)
		return reason_set(reason, -EINVAL, "%s is encrypted", path);
	if (incompatible & QCOW_INCOMPAT_CORRUPT)
		return reason_set(reason, -EINVAL, "%s is marked corrupt", path);
	return 0;
}

bool disk_stands_alone(const char *path)
{
	uint8_t h[QCOW_HEADER_V2] = { 0 };
	size_t n = 0;

	return read_start(path, h, sizeof(h), &n) >= 0 && n == sizeof(h) &&
	       memcmp(h, qcow_magic, sizeof(qcow_magic)) == 0 &&
	       be(h + QCOW_BACKING_OFFSET, 8) == 0;
}

bool disk_is_qcow2(int fd, uint64_t *ret_virtual_bytes)
{
	uint8_t h[QCOW_SIZE + 8];

	if (pread(fd, h, sizeof(h), 0) != (ssize_t)sizeof(h) ||
		memcmp(h, qcow_magic, sizeof(qcow_magic)) != 0)
		return false;
	*ret_virtual_bytes = be(h + QCOW_SIZE, 8);
	return true;
}

static int parse_format(json_t *root, enum disk_format *ret, struct reason *reason)
{
	const char *name = json_string_value(json_object_get(root, "format"));
	char shown[64];

	if (!name)
		return -EBADMSG;
	int format = disk_format_from_string(name);
	if (format < 0) {
		(void)utf8_escape(shown, sizeof(shown), name, strlen(name));
		return reason_set(reason, -EMEDIUMTYPE,
			"the image is of format %s; qcow2 and raw are taken", shown);
	}
	*ret = (enum disk_format)format;
	return 0;
}

int disk_info_parse(const char *json, size_t len, struct disk_info *ret, struct reason *reason)
{
	struct disk_info info = { 0 };
	json_t *root = NULL;
	int r = len <= DISK_JSON_MAX ? json_read(json, len, JSON_REJECT_DUPLICATES, &root)
				     : -EBADMSG;

	if (r == 0)
		r = parse_format(root, &info.format, reason);

	if (r >= 0) {
		const json_t *size = json_object_get(root, "virtual-size");
		const char *backing = json_string_value(json_object_get(root, "backing-filename"));
		const json_t *data =
			json_object_get(json_object_get(root, "format-specific"), "data");

		if (!json_is_integer(size) || json_integer_value(size) < 0)
			r = -EBADMSG;
		else
			info.virtual_bytes = (uint64_t)json_integer_value(size);
		if (backing && strlen(backing) >= sizeof(info.backing))
			r = -EBADMSG;
		else if (backing)
			(void)snprintf(info.backing, sizeof(info.backing), "%s", backing);
		info.data_file = json_object_get(data, "data-file") != NULL;
		info.corrupt = json_is_true(json_object_get(data, "corrupt"));
		info.encrypted = json_is_true(json_object_get(root, "encrypted"));
	}
	json_decref(root);
	if (r == -EBADMSG)
		(void)reason_set(reason, r, "qemu-img's answer is not understood");
	if (r >= 0)
		*ret = info;
	return r;
}

/* Runs qemu-img and turns the ways it can fail to run into words. 0 and *ret, whatever its exit
 * status. */
static int qemu_img(const char *const *argv, usec_t timeout, const struct tick *tick,
	struct program_result *ret, struct reason *reason)
{
	const struct program program = {
		.argv = argv,
		.timeout = timeout,
		.memory_max_kib = MEMORY_MAX_KIB,
		.output_max = DISK_JSON_MAX,
		.tick = tick,
	};
	int r = program_run(&program, ret);

	if (r == -ENOENT)
		return reason_set(
			reason, r, "qemu-img is not there: install the package qemu-utils");
	if (r == -ETIMEDOUT)
		return reason_set(reason, r, "qemu-img %s had not ended after %u s", argv[1],
			(unsigned)(timeout / USEC_PER_SEC));
	if (r < 0)
		return reason_set(reason, r, "qemu-img %s: %s", argv[1], strerror(-r));
	if (ret->signal) {
		r = reason_set(reason, -EIO, "qemu-img %s died of signal %d", argv[1], ret->signal);
		program_result_clear(ret);
	}
	return r;
}

/* QEMU's words when another process holds the image: "Failed to get "write" lock", "… shared
 * "write" lock". */
static bool is_locked(const char *error)
{
	return strstr(error, "Failed to get") && strstr(error, "lock");
}

int disk_info(const char *path, enum disk_format format, const struct tick *tick,
	struct disk_info *ret, struct reason *reason)
{
	const char *argv[] = { "qemu-img", "info", "--output=json", "-f",
		disk_format_to_string(format), "--", path, NULL };
	CLEANUP(program_result_clear) struct program_result result = { 0 };
	int r = qemu_img(argv, INFO_TIMEOUT, tick, &result, reason);

	if (r < 0)
		return r;
	if (result.exit_status != 0 && is_locked(result.error))
		return reason_set(reason, -EBUSY, "%s is in use by a running QEMU", path);
	if (result.exit_status != 0)
		return reason_set(
			reason, -EINVAL, "%s cannot be used as an image: %s", path, result.error);
	return disk_info_parse(result.output, result.output_len, ret, reason);
}

/* A web page saved under an image's name is "raw" to qemu-img: everything is. */
static int check_raw(const char *path, bool bootable, struct reason *reason)
{
	uint8_t sector[SECTOR] = { 0 };
	struct stat st;
	size_t n = 0;
	int r = read_start(path, sector, sizeof(sector), &n);

	if (r >= 0 && stat(path, &st) < 0)
		r = -errno;
	if (r < 0)
		return reason_set(reason, r, "cannot read %s: %s", path, strerror(-r));
	if (st.st_size < (off_t)RAW_MIN_BYTES || st.st_size % SECTOR != 0)
		return reason_set(reason, -EMEDIUMTYPE,
			"%s is no qcow2 image, and no raw one either: %jd bytes are no whole "
			"number of "
			"sectors of at least 1 MiB",
			path, (intmax_t)st.st_size);
	if (bootable && (sector[510] != 0x55 || sector[511] != 0xaa))
		return reason_set(reason, -EMEDIUMTYPE,
			"%s is no qcow2 image, and as a raw one it has no boot sector (a disk "
			"without one needs "
			"Kernel=)",
			path);
	return 0;
}

/* What other formats begin with. qemu-img would find out by itself, and for some of them open the
 * other files that they name: so it is never left to it. */
static const struct {
	const char *name;
	size_t offset, len;
	const char *magic;
} others[] = {
	{ "vmdk", 0, 4, "KDMV" },
	{ "vmdk", 0, 4, "COWD" },
	{ "vmdk", 0, 21, "# Disk DescriptorFile" },
	{ "vdi", 64, 4, "\x7f\x10\xda\xbe" },
	{ "vhdx", 0, 8, "vhdxfile" },
	{ "vpc", 0, 8, "conectix" },
	{ "qed", 0, 4, "QED" },
	{ "parallels", 0, 16, "WithoutFreeSpace" },
	{ "parallels", 0, 16, "WithouFreSpacExt" },
	{ "luks", 0, 6, "LUKS\xba\xbe" },
};

static int sniff(const char *path, enum disk_format *ret, struct reason *reason)
{
	uint8_t h[128] = { 0 };
	size_t n = 0;
	int r = read_start(path, h, sizeof(h), &n);

	if (r < 0)
		return reason_set(reason, r, "cannot read %s: %s", path, strerror(-r));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (memcmp(h + others[i].offset, others[i].magic, others[i].len) == 0)
			return reason_set(reason, -EMEDIUMTYPE,
				"%s is of format %s; qcow2 and raw are taken", path,
				others[i].name);
	*ret = memcmp(h, qcow_magic, sizeof(qcow_magic)) == 0 ? DISK_QCOW2 : DISK_RAW;
	return 0;
}

int disk_inspect(const char *path, bool bootable, const struct tick *tick, struct disk_info *ret,
	struct reason *reason)
{
	struct disk_info info = { 0 };
	enum disk_format format = DISK_RAW;
	int r = disk_check_header(path, reason);

	if (r >= 0)
		r = sniff(path, &format, reason);
	if (r >= 0)
		r = disk_info(path, format, tick, &info, reason);
	if (r < 0)
		return r;
	/* The header has been asked already; this holds should it have been misread. */
	if (info.backing[0] || info.data_file || info.encrypted || info.corrupt)
		return reason_set(reason, -EINVAL, "%s %s", path,
			info.backing[0]  ? "has a backing file"
			: info.data_file ? "keeps its data in an external file"
			: info.encrypted ? "is encrypted"
					 : "is marked corrupt");
	if (info.format == DISK_RAW)
		r = check_raw(path, bootable, reason);
	if (r >= 0)
		*ret = info;
	return r;
}

int disk_check(
	const char *path, enum disk_format format, const struct tick *tick, struct reason *reason)
{
	const char *argv[] = { "qemu-img", "check", "-q", "-f", disk_format_to_string(format), "--",
		path, NULL };
	CLEANUP(program_result_clear) struct program_result result = { 0 };

	if (format == DISK_RAW)
		return 0; /* has nothing to check */
	int r = qemu_img(argv, CHECK_TIMEOUT, tick, &result, reason);
	/* 3 is leaked clusters: space lost, no data (qemu-img(1)). */
	if (r < 0 || result.exit_status == 0 || result.exit_status == 3)
		return r;
	result.error[strcspn(result.error, "\n")] = '\0';
	return reason_set(reason, -EUCLEAN,
		"%s is truncated or corrupt (qemu-img check: %.200s): take one that is whole", path,
		result.error[0] ? result.error : "errors found");
}

static int sync_file(const char *path)
{
	CLEANUP_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0 || fchmod(fd, 0600) < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

static int create(const char *path, const char *const *argv, const struct tick *tick,
	struct reason *reason)
{
	CLEANUP(program_result_clear) struct program_result result = { 0 };
	int r = qemu_img(argv, CREATE_TIMEOUT, tick, &result, reason);

	if (r >= 0 && result.exit_status != 0)
		r = reason_set(reason, -EIO, "cannot make the disk %s: %s", path, result.error);
	if (r >= 0) {
		r = sync_file(path);
		if (r < 0)
			(void)reason_set(
				reason, r, "cannot make the disk %s: %s", path, strerror(-r));
	}
	if (r < 0)
		(void)unlink(path);
	return r;
}

int disk_create(const char *path, uint64_t bytes, const struct tick *tick, struct reason *reason)
{
	char size[32];
	const char *argv[] = { "qemu-img", "create", "-q", "-f", "qcow2", "--", path, size, NULL };

	(void)snprintf(size, sizeof(size), "%" PRIu64, bytes);
	return create(path, argv, tick, reason);
}

int disk_create_overlay(const char *path, const char *base, enum disk_format base_format,
	uint64_t size_kib, const struct tick *tick, struct reason *reason)
{
	char size[32];
	const char *argv[] = { "qemu-img", "create", "-q", "-f", "qcow2", "-F",
		disk_format_to_string(base_format), "-b", base, "--", path, size, NULL };

	(void)snprintf(size, sizeof(size), "%" PRIu64 "K", size_kib);
	return create(path, argv, tick, reason);
}
