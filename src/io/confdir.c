/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration directory into texts, in the order in which they count. */
#include "io/confdir.h"

#include "base/file.h"
#include "model/conf_value.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

/* The texts read so far; paths, guests' names and bytes are owned. */
struct texts {
	struct conf_text *list;
	size_t n, room;
	struct conf_faults *faults;
};

static void texts_done(struct texts *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free((char *)t->list[i].path);
		free((char *)t->list[i].guest);
		free((char *)t->list[i].text);
	}
	free(t->list);
}

/* "mode 0600, owner 0": what an administrator has to change, where that is it. */
static void mode_text(const char *path, char *buf, size_t size)
{
	struct stat st;

	if (stat(path, &st) < 0)
		*buf = '\0';
	else
		(void)snprintf(
			buf, size, " (mode %04o, owner uid %u)", st.st_mode & 07777, st.st_uid);
}

static int add_unreadable(struct texts *t, const char *path, int error)
{
	char mode[64];

	mode_text(path, mode, sizeof(mode));
	if (error == -EFBIG)
		return conf_faults_add(t->faults, false,
			"%s: the file is too large; allowed: at most %u bytes", path,
			CONF_FILE_MAX);
	if (error == -EINVAL)
		return conf_faults_add(t->faults, false,
			"%s: is no regular file; allowed: a file, or a link to one", path);
	return conf_faults_add(
		t->faults, false, "%s: cannot be read: %s%s", path, strerror(-error), mode);
}

static int grow(struct texts *t)
{
	size_t room = t->room ? 2 * t->room : 16;

	if (t->n < t->room)
		return 0;
	struct conf_text *list = realloc(t->list, room * sizeof(*list));
	if (!list)
		return -ENOMEM;
	t->list = list;
	t->room = room;
	return 0;
}

/* Reads one file for a guest (NULL: the daemon) and keeps it. A file that cannot be read is a
 * fault, not an error, so that the others are still judged. */
static int add_file(struct texts *t, const char *path, const char *guest)
{
	CLEANUP_FREE char *text = NULL, *path_copy = strdup(path);
	CLEANUP_FREE char *guest_copy = guest ? strdup(guest) : NULL;
	size_t len;

	if (!path_copy || (guest && !guest_copy) || grow(t) < 0)
		return -ENOMEM;
	int r = file_read(path, CONF_FILE_MAX, &text, &len);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return add_unreadable(t, path, r);
	t->list[t->n++] = (struct conf_text){ .path = TAKE_PTR(path_copy),
		.guest = TAKE_PTR(guest_copy),
		.text = TAKE_PTR(text),
		.len = len };
	return 0;
}

static bool ends_with(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	/* ".conf" alone is a hidden file without a name. */
	return n > m && strcmp(s + n - m, suffix) == 0 && s[0] != '.';
}

static int wants_conf(const struct dirent *e)
{
	return ends_with(e->d_name, ".conf");
}

static int wants_conf_or_dropins(const struct dirent *e)
{
	return ends_with(e->d_name, ".conf") || ends_with(e->d_name, ".conf.d");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	/* Not the locale's order: which drop-in wins must not depend on it. */
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void names_free(struct dirent **names, int n)
{
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

/* The wanted names in order, at most `max` (more is a fault). The number, or -errno. */
static int list_dir(struct texts *t, const char *dir, unsigned max,
	int (*wants)(const struct dirent *), struct dirent ***ret)
{
	struct dirent **names;
	int n = scandir(dir, &names, wants, by_name);

	if (n < 0)
		return -errno;
	if ((unsigned)n > max) {
		names_free(names, n);
		int r = conf_faults_add(t->faults, false,
			"%s: holds %d configuration files; allowed: at most %u", dir, n, max);
		if (r < 0)
			return r;
		n = 0;
		names = NULL;
	}
	*ret = names;
	return n;
}

static int add_dropins(struct texts *t, const char *dir, const char *guest)
{
	struct dirent **names = NULL;
	int n = list_dir(t, dir, CONFDIR_DROPINS_MAX, wants_conf, &names), r = 0;

	if (n < 0)
		return n == -ENOMEM ? n : add_unreadable(t, dir, n);
	for (int i = 0; i < n && r == 0; i++) {
		CLEANUP_FREE char *path = path_join(dir, names[i]->d_name);
		r = path ? add_file(t, path, guest) : -ENOMEM;
	}
	names_free(names, n);
	return r;
}

/* A directory of drop-ins whose guest has no file: told once for each drop-in that would be lost.
 */
static int check_orphans(struct texts *t, const char *dir, const char *guest)
{
	struct dirent **names = NULL;
	int n = list_dir(t, dir, CONFDIR_DROPINS_MAX, wants_conf, &names), r = 0;

	if (n < 0)
		return n == -ENOMEM ? n : add_unreadable(t, dir, n);
	for (int i = 0; i < n && r == 0; i++)
		r = conf_faults_add(t->faults, false,
			"%s/%s: is a drop-in of a guest that is not there; allowed: beside "
			"guests.d/%s.conf",
			dir, names[i]->d_name, guest);
	names_free(names, n);
	return r;
}

static bool is_listed(struct dirent *const *names, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (strcmp(names[i]->d_name, name) == 0)
			return true;
	return false;
}

/* One entry of guests.d: "<guest>.conf", which brings its drop-ins, or "<guest>.conf.d". */
static int add_entry(struct texts *t, const char *dir, struct dirent *const *names, int n, int i)
{
	const char *name = names[i]->d_name;
	bool dropins = ends_with(name, ".conf.d");
	size_t stem = strlen(name) - strlen(dropins ? ".conf.d" : ".conf");
	CLEANUP_FREE char *path = path_join(dir, name), *guest = strndup(name, stem);
	CLEANUP_FREE char *other = NULL, *other_path = NULL;

	if (!path || !guest || asprintf(&other, "%s.conf%s", guest, dropins ? "" : ".d") < 0)
		return -ENOMEM;
	bool both = is_listed(names, n, other);
	if (dropins)
		return both ? 0 : check_orphans(t, path, guest);
	int r = add_file(t, path, guest);
	if (r < 0 || !both)
		return r;
	other_path = path_join(dir, other);
	return other_path ? add_dropins(t, other_path, guest) : -ENOMEM;
}

static int add_guests(struct texts *t, const char *dir)
{
	struct dirent **names = NULL;
	int n = list_dir(t, dir, CONFDIR_GUESTS_MAX, wants_conf_or_dropins, &names), r = 0;

	if (n == -ENOENT)
		return 0;
	if (n < 0)
		return n == -ENOMEM ? n : add_unreadable(t, dir, n);
	for (int i = 0; i < n && r == 0; i++)
		r = add_entry(t, dir, names, n, i);
	names_free(names, n);
	return r;
}

static int add_all(struct texts *t, const char *dir)
{
	CLEANUP_FREE char *main_file = path_join(dir, "mediakitd.conf");
	CLEANUP_FREE char *guests = path_join(dir, "guests.d");
	struct stat st;

	if (!main_file || !guests)
		return -ENOMEM;
	if (stat(dir, &st) < 0)
		return add_unreadable(t, dir, -errno);
	if (!S_ISDIR(st.st_mode))
		return add_unreadable(t, dir, -ENOTDIR);
	/* No file is the same as an empty one. lstat, so that a link to nowhere is not "no file".
	 */
	int r = lstat(main_file, &st) < 0 && errno == ENOENT ? 0 : add_file(t, main_file, NULL);
	return r < 0 ? r : add_guests(t, guests);
}

/* Puts an option's path in the place of the key's value, under the same rules. */
static int override(struct conf_faults *faults, enum conf_key_id id, const char *option,
	const char *path, struct spec *spec)
{
	const struct conf_key *key = conf_key(id);
	const char *bad;
	size_t bad_len;
	int r = path ? conf_value_set(key, spec, path, &bad, &bad_len) : 0;

	if (r < 0 && r != -ENOMEM &&
		conf_faults_add(faults, false, "%s: '%s' is no %s; allowed: %s", option, path,
			key->type->noun, key->allowed) < 0)
		return -ENOMEM;
	return r;
}

static int override_both(struct conf_faults *faults, const char *state_dir, const char *runtime_dir,
	struct spec *spec)
{
	int r = override(faults, CONF_KEY_STATE_DIRECTORY, "--state", state_dir, spec);
	int q = override(faults, CONF_KEY_RUNTIME_DIRECTORY, "--runtime", runtime_dir, spec);

	return r == -ENOMEM || q == 0 ? r : q;
}

int confdir_load(const char *dir, const char *state_dir, const char *runtime_dir, struct spec **ret,
	struct conf_faults *faults)
{
	struct texts t = { .faults = faults };
	struct spec *spec = NULL;
	int r = add_all(&t, dir);

	if (r == 0)
		r = conf_parse(t.list, t.n, &spec, faults);
	if (r == 0) {
		r = override_both(faults, state_dir, runtime_dir, spec);
		/* -ERANGE, too long a path, is a fault like any other. */
		r = r < 0 && r != -ENOMEM ? -EINVAL : r;
	}
	texts_done(&t);
	if (r < 0) {
		spec_free(spec);
		return r;
	}
	*ret = spec;
	return 0;
}
