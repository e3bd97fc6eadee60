/* SPDX-License-Identifier: Apache-2.0 */
/* The stages of what is small: kernel and initrd for direct boot, keys, and the cloud-init seed. */
#include "base/file.h"
#include "cli/provision_job.h"
#include "io/copy.h"
#include "io/program.h"
#include "io/seed.h"
#include "model/conf_value.h"
#include "model/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* From PREFIX/libexec/mediakitd. */
#define TEMPLATES "../../share/mediakitd/cloud-init"

#define KEYGEN_TIMEOUT (1 * USEC_PER_MINUTE)
#define KEYS_FILE_MAX  (64u * 1024u)
#define KEYS_MAX       64u
#define BOOT_FILE_MODE 0644

/* Public keys for the guest, each an allocated line. */
struct keys {
	char *list[KEYS_MAX];
	size_t n;
};

static void cleanup_keys(struct keys *keys)
{
	for (size_t i = 0; i < keys->n; i++)
		free(keys->list[i]);
}

static int boot_file(struct provision *p, const char *from, enum layout_file file)
{
	CLEANUP_FREE char *to = layout_path(p->state_dir, p->guest->name, file);
	CLEANUP_FREE char *temporary = NULL;
	char old[DIGEST_TEXT] = "", new[DIGEST_TEXT];
	struct stat st;

	if (!to || asprintf(&temporary, "%s" LAYOUT_TEMPORARY, to) < 0)
		return -ENOMEM;
	CLEANUP_CLOSE int fd = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return reason_set(&p->reason, -errno, "cannot open %s: %s", from, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return reason_set(&p->reason, -EINVAL, "%s is empty or no regular file", from);
	int r = digest_file(from, &p->tick, new);
	if (r >= 0 && digest_file(to, &p->tick, old) >= 0 && strcmp(old, new) == 0)
		return 0;
	if (r >= 0)
		r = copy_file(fd, temporary, BOOT_FILE_MODE, &p->tick);
	if (r < 0)
		return reason_set(
			&p->reason, r, "cannot copy %s to %s: %s", from, temporary, strerror(-r));
	stageline_note(&p->line, "%s copied; takes effect at the next boot", from);
	return provision_rename(temporary, to, &p->reason);
}

int provision_boot_files(struct provision *p)
{
	int r = p->guest->kernel ? boot_file(p, p->guest->kernel, LAYOUT_KERNEL) : 0;

	if (r >= 0 && p->guest->initrd)
		r = boot_file(p, p->guest->initrd, LAYOUT_INITRD);
	return r;
}

/* A line of authorized_keys may have options before the key, with blanks in quotes: sshd(8). */
static bool authorized_key_valid(const char *line)
{
	bool quoted = false;
	const char *s = line;

	if (conf_ssh_key_valid(line))
		return true;
	for (; *s && (quoted || *s != ' '); s++)
		quoted ^= *s == '"' && (s == line || s[-1] != '\\');
	return conf_ssh_key_valid(s + strspn(s, " "));
}

/* A public key is one line; `where` is for the message. */
static int add_key(
	struct provision *p, struct keys *keys, const char *line, size_t len, const char *where)
{
	if (len == 0 || *line == '#')
		return 0;
	if (strncmp(line, "-----BEGIN", 10) == 0)
		return reason_set(&p->reason, -EINVAL,
			"%s: this is a private key; give the public one (the file ending in .pub)",
			where);
	if (!utf8_printable(line, len))
		return reason_set(
			&p->reason, -EINVAL, "%s: a key with unprintable characters", where);
	CLEANUP_FREE char *key = strndup(line, len);
	if (!key)
		return -ENOMEM;
	if (!authorized_key_valid(key))
		return reason_set(&p->reason, -EINVAL,
			"%s: '%.*s' is no SSH public key: a type such as ssh-ed25519, then the key",
			where, (int)MIN(len, (size_t)60), line);
	if (keys->n == KEYS_MAX)
		return reason_set(&p->reason, -E2BIG, "%s: more than %u keys", where, KEYS_MAX);
	keys->list[keys->n++] = TAKE_PTR(key);
	return 0;
}

static int add_key_file(struct provision *p, struct keys *keys, const char *path)
{
	CLEANUP_FREE char *text = NULL;
	size_t size = 0;
	int r = file_read(path, KEYS_FILE_MAX, &text, &size);

	if (r < 0)
		return reason_set(
			&p->reason, r, "cannot read the keys in %s: %s", path, strerror(-r));
	/* What is behind it would be left out without a word. */
	if (strlen(text) != size)
		return reason_set(&p->reason, -EINVAL, "%s: a NUL is no part of a key", path);
	for (const char *s = text; r >= 0 && *s;) {
		const char *end = strchrnul(s, '\n');
		size_t len = (size_t)(end - s);

		if (len > 0 && s[len - 1] == '\r')
			len--;
		r = add_key(p, keys, s, len, path);
		s = *end ? end + 1 : end;
	}
	return r;
}

static int run_keygen(struct provision *p, const char *temporary)
{
	const char *argv[] = { "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", p->guest->name,
		"-f", temporary, NULL };
	const struct program program = {
		.argv = argv,
		.timeout = KEYGEN_TIMEOUT,
		.output_max = 4096,
		.tick = &p->tick,
	};
	CLEANUP(program_result_clear) struct program_result result = { 0 };
	int r = program_run(&program, &result);

	if (r == -ENOENT)
		return reason_set(&p->reason, r,
			"ssh-keygen is not there: install the package openssh-client");
	if (r < 0)
		return reason_set(&p->reason, r, "ssh-keygen: %s", strerror(-r));
	if (result.signal || result.exit_status)
		return reason_set(&p->reason, -EIO, "ssh-keygen failed: %s", result.error);
	return 0;
}

/* The public half is put in place first: the private one, whose presence says that there is a key,
 * comes last. */
static int make_pair(struct provision *p, const char *key, const char *pub)
{
	CLEANUP_FREE char *temporary = NULL, *temporary_pub = NULL;

	if (asprintf(&temporary, "%s" LAYOUT_TEMPORARY, key) < 0 ||
		asprintf(&temporary_pub, "%s.pub", temporary) < 0)
		return -ENOMEM;
	int r = run_keygen(p, temporary);
	if (r >= 0)
		r = provision_rename(temporary_pub, pub, &p->reason);
	return r < 0 ? r : provision_rename(temporary, key, &p->reason);
}

static int make_key(struct provision *p, const char *key, const char *pub)
{
	int r = make_pair(p, key, pub);

	if (r >= 0)
		stageline_note(&p->line,
			"SSH key made, since no AuthorizedKeys= is set: ssh -p %u -i %s %s@%s",
			p->guest->ssh_port, key, p->guest->user, p->guest->bind);
	return r;
}

static int own_key(struct provision *p, struct keys *keys)
{
	CLEANUP_FREE char *key = layout_path(p->state_dir, p->guest->name, LAYOUT_SSH_KEY);
	CLEANUP_FREE char *pub = layout_path(p->state_dir, p->guest->name, LAYOUT_SSH_KEY_PUB);
	int r = 0;

	if (!key || !pub)
		return -ENOMEM;
	if (access(key, F_OK) < 0)
		r = make_key(p, key, pub);
	return r < 0 ? r : add_key_file(p, keys, pub);
}

static int collect_keys(struct provision *p, struct keys *keys)
{
	const struct guest_spec *guest = p->guest;
	int r = 0;

	for (unsigned i = 0; r >= 0 && i < guest->n_authorized_keys; i++)
		r = add_key(p, keys, guest->authorized_keys[i], strlen(guest->authorized_keys[i]),
			"AuthorizedKeys=");
	if (r >= 0 && guest->authorized_keys_file)
		r = add_key_file(p, keys, guest->authorized_keys_file);
	if (r >= 0 && guest->authorized_keys_file && keys->n == 0)
		return reason_set(
			&p->reason, -EINVAL, "%s holds no key", guest->authorized_keys_file);
	return r < 0 || keys->n > 0 ? r : own_key(p, keys);
}

/* The guest's own key, by which the host knows it again: nobody is trusted for being there
 * first. */
struct host_key {
	char *private, *public;
};

static void cleanup_host_key(struct host_key *key)
{
	free(key->private);
	free(key->public);
}

/* The guest's name stands for its address, which may change. */
static int write_known_hosts(struct provision *p, const char *public)
{
	CLEANUP_FREE char *path = layout_path(p->state_dir, p->guest->name, LAYOUT_KNOWN_HOSTS);
	CLEANUP_FREE char *text = NULL, *old = NULL;

	if (!path || asprintf(&text, "%s %s", p->guest->name, public) < 0)
		return -ENOMEM;
	if (file_read_nofollow(path, KEYS_FILE_MAX, &old, NULL) >= 0 && strcmp(old, text) == 0)
		return 0;
	int r = file_write_atomic(path, text, strlen(text), 0600);
	return r < 0 ? reason_set(&p->reason, r, "cannot write %s: %s", path, strerror(-r)) : 0;
}

static int read_half(struct provision *p, const char *path, char **ret)
{
	int r = file_read_nofollow(path, KEYS_FILE_MAX, ret, NULL);

	return r < 0 ? reason_set(&p->reason, r, "cannot read the guest's own key %s: %s", path,
			       strerror(-r))
		     : 0;
}

static int own_host_key(struct provision *p, struct host_key *ret)
{
	CLEANUP_FREE char *key = layout_path(p->state_dir, p->guest->name, LAYOUT_HOST_KEY);
	CLEANUP_FREE char *pub = layout_path(p->state_dir, p->guest->name, LAYOUT_HOST_KEY_PUB);
	int r = 0;

	if (!key || !pub)
		return -ENOMEM;
	if (access(key, F_OK) < 0)
		r = make_pair(p, key, pub);
	if (r >= 0)
		r = read_half(p, key, &ret->private);
	if (r >= 0)
		r = read_half(p, pub, &ret->public);
	return r < 0 ? r : write_known_hosts(p, ret->public);
}

/* The templates as read, and what was rendered from them last. */
struct texts {
	char *path[CLOUDINIT_TEXT_NUM], *template[CLOUDINIT_TEXT_NUM], *text[CLOUDINIT_TEXT_NUM];
	char *vendor;
	size_t vendor_len;
};

static void cleanup_texts(struct texts *texts)
{
	for (size_t i = 0; i < CLOUDINIT_TEXT_NUM; i++) {
		free(texts->path[i]);
		free(texts->template[i]);
		free(texts->text[i]);
	}
	free(texts->vendor);
}

static int read_texts(struct provision *p, struct texts *texts)
{
	const char *given = getenv("MEDIAKIT_TEMPLATES");
	CLEANUP_FREE char *dir = given ? strdup(given) : path_beside_program(TEMPLATES);
	const char *vendor = p->guest->vendor_data;
	int r;

	if (!dir)
		return -ENOMEM;
	for (unsigned i = 0; i < CLOUDINIT_TEXT_NUM; i++) {
		if (asprintf(&texts->path[i], "%s/%s.in", dir, cloudinit_text_to_string(i)) < 0) {
			texts->path[i] = NULL;
			return -ENOMEM;
		}
		r = file_read(texts->path[i], CLOUDINIT_TEXT_MAX, &texts->template[i], NULL);
		if (r < 0)
			return reason_set(&p->reason, r, "cannot read the template %s: %s",
				texts->path[i], strerror(-r));
	}
	r = vendor ? file_read(
			     vendor, CLOUDINIT_VENDOR_DATA_MAX, &texts->vendor, &texts->vendor_len)
		   : 0;
	if (r < 0)
		return reason_set(
			&p->reason, r, "cannot read the vendor data %s: %s", vendor, strerror(-r));
	return 0;
}

static int render(struct provision *p, struct texts *texts, const struct cloudinit_input *in)
{
	for (unsigned i = 0; i < CLOUDINIT_TEXT_NUM; i++) {
		char *text = NULL;
		int r = cloudinit_render(
			i, texts->path[i], texts->template[i], in, &text, &p -> reason);

		if (r < 0)
			return r;
		free(texts->text[i]);
		texts->text[i] = text;
	}
	return 0;
}

/* What goes into the seed, as parts to hash and as files to write. */
static size_t list_files(const struct texts *texts, struct seed_file *files)
{
	size_t n = 0;

	for (unsigned i = 0; i < CLOUDINIT_TEXT_NUM; i++)
		files[n++] = (struct seed_file){ cloudinit_text_to_string(i), texts->text[i],
			strlen(texts->text[i]) };
	if (texts->vendor)
		files[n++] = (struct seed_file){ "vendor-data", texts->vendor, texts->vendor_len };
	return n;
}

/* Rendered twice: without an id for the hash that makes the id, then with it. */
static int render_texts(struct provision *p, struct texts *texts, const struct keys *keys,
	const struct host_key *host_key)
{
	struct cloudinit_input in = {
		.guest = p->guest,
		.keys = (const char *const *)keys->list,
		.n_keys = keys->n,
		.host_key = host_key->private,
		.host_key_pub = host_key->public,
		.instance_id = "",
	};
	struct seed_file files[SEED_FILES_MAX];
	struct digest_part parts[SEED_FILES_MAX];
	char digest[DIGEST_TEXT];
	int r = render(p, texts, &in);

	if (r < 0)
		return r;
	size_t n = list_files(texts, files);
	for (size_t i = 0; i < n; i++)
		parts[i] = (struct digest_part){ files[i].data, files[i].len };
	digest_parts(parts, n, digest);
	cloudinit_instance_id(digest, p->record.instance_id);
	in.instance_id = p->record.instance_id;
	return render(p, texts, &in);
}

/* Once the guest was started the seed is QEMU's user's, and only its name can be read. That name
 * says what is in it. */
static bool is_kept(const struct provision *p, const char *path, const char *old_id)
{
	return strcmp(old_id, p->record.instance_id) == 0 && access(path, F_OK) == 0 &&
	       access(path, R_OK) < 0;
}

int provision_seed(struct provision *p)
{
	CLEANUP_FREE char *path = layout_seed(p->state_dir, p->guest->name);
	CLEANUP(cleanup_texts) struct texts texts = { 0 };
	CLEANUP(cleanup_keys) struct keys keys = { 0 };
	CLEANUP(cleanup_host_key) struct host_key host_key = { NULL, NULL };
	struct seed_file files[SEED_FILES_MAX];
	char old_id[sizeof(p->record.instance_id)];

	if (!path)
		return -ENOMEM;
	if (!guest_spec_has_disk(p->guest))
		return 0; /* nothing in such a guest reads it */
	memcpy(old_id, p->record.instance_id, sizeof(old_id));
	int r = collect_keys(p, &keys);
	if (r >= 0)
		r = own_host_key(p, &host_key);
	if (r >= 0)
		r = read_texts(p, &texts);
	if (r >= 0)
		r = render_texts(p, &texts, &keys, &host_key);
	if (r < 0)
		return r;
	if (!is_kept(p, path, old_id))
		r = seed_write(path, files, list_files(&texts, files), &p->reason);
	if (r < 0)
		return r;
	if (r == 0)
		stageline_note(&p->line, "seed unchanged: instance-id %s", p->record.instance_id);
	else
		stageline_note(&p->line,
			"seed renewed: instance-id %s; takes effect at the next boot",
			p->record.instance_id);
	return 0;
}
