/* SPDX-License-Identifier: Apache-2.0 */
/* Values into fields: one store per kind, driven by the row of the key table. What a string may
 * look like is conf_valid.c's. */
#include "model/conf_value.h"

#include "base/parse.h"

#include <ctype.h>

static void *field_of(const struct conf_key *key, void *object)
{
	return (char *)object + key->offset;
}

static unsigned *count_of(const struct conf_key *key, void *object)
{
	return (unsigned *)((char *)object + key->extra_offset);
}

static int copy_string(const struct conf_key *key, const char *value, size_t len, char **ret)
{
	CLEANUP_FREE char *s = strndup(value, len);

	if (!s)
		return -ENOMEM;
	if (len > key->max && key->type->kind == CONF_STRING)
		return -ERANGE;
	int r = key->type->valid(key, s);
	if (r < 0)
		return r;
	for (char *c = s; key->type->lower && *c; c++)
		*c = (char)tolower((unsigned char)*c);
	*ret = TAKE_PTR(s);
	return 0;
}

static int set_string(const struct conf_key *key, void *object, const char *value)
{
	char **field = field_of(key, object), *copy;
	int r = copy_string(key, value, strlen(value), &copy);

	if (r < 0)
		return r;
	free(*field);
	*field = copy;
	return 0;
}

static int append_item(const struct conf_key *key, void *object, const char *item, size_t len)
{
	char **list = field_of(key, object), *copy;
	unsigned *n = count_of(key, object);
	int r = copy_string(key, item, len, &copy);

	if (r < 0)
		return r;
	/* A word given twice means the same as once; so a drop-in may repeat what the main file
	 * says. */
	for (unsigned i = 0; i < *n; i++) {
		if (strcmp(list[i], copy) == 0) {
			free(copy);
			return 0;
		}
	}
	if (*n >= key->max) {
		free(copy);
		return -E2BIG;
	}
	list[(*n)++] = copy;
	return 0;
}

static int set_list(const struct conf_key *key, void *object, const char *value,
	const char **ret_bad, size_t *ret_bad_len)
{
	while (*value) {
		size_t len = key->type->words ? strcspn(value, " \t") : strlen(value);
		int r = append_item(key, object, value, len);

		if (r < 0) {
			*ret_bad = value;
			*ret_bad_len = len;
			return r;
		}
		value += len;
		value += strspn(value, " \t");
	}
	return 0;
}

static int set_size(const struct conf_key *key, void *object, const char *value)
{
	uint64_t kib;
	int r = parse_size_kib(value, &kib);

	if (r < 0)
		return r;
	if (kib < key->min || kib > key->max)
		return -ERANGE;
	*(uint64_t *)field_of(key, object) = kib;
	return 0;
}

static int set_span(const struct conf_key *key, void *object, const char *value)
{
	usec_t span;
	int r = parse_timespan(value, &span);

	if (r < 0)
		return r;
	if (span < key->min || span > key->max)
		return -ERANGE;
	*(usec_t *)field_of(key, object) = span;
	return 0;
}

static int set_number(const struct conf_key *key, void *object, const char *value)
{
	char digits[16];
	uint64_t v = 0;
	const char *suffix = key->type->suffix ? key->type->suffix : "";
	size_t len = strlen(value), suffix_len = strlen(suffix);

	if (key->type->zero_is_none && strcmp(value, "none") == 0)
		goto store;
	if (len < suffix_len || strcmp(value + len - suffix_len, suffix) != 0)
		return -EINVAL;
	len -= suffix_len;
	if (len >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, value, len);
	digits[len] = '\0';
	int r = parse_u64(digits, key->min, key->max, &v);
	if (r < 0)
		return r;
store:
	if (key->type->kind == CONF_U16)
		*(uint16_t *)field_of(key, object) = (uint16_t)v;
	else
		*(unsigned *)field_of(key, object) = (unsigned)v;
	return 0;
}

static int set_enum(const struct conf_key *key, void *object, const char *value)
{
	int v = key->from_string(value);

	if (v < 0)
		return v;
	/* gcc and clang give an enum without negative values the type unsigned int. */
	*(unsigned *)field_of(key, object) = (unsigned)v;
	return 0;
}

int conf_value_set(const struct conf_key *key, void *object, const char *value,
	const char **ret_bad, size_t *ret_bad_len)
{
	int r = -EINVAL;

	switch (key->type->kind) {
	case CONF_STRING:
		r = set_string(key, object, value);
		break;
	case CONF_LIST:
		return set_list(key, object, value, ret_bad, ret_bad_len);
	case CONF_SIZE:
		r = set_size(key, object, value);
		break;
	case CONF_SPAN:
		r = set_span(key, object, value);
		break;
	case CONF_UINT:
	case CONF_U16:
		r = set_number(key, object, value);
		break;
	case CONF_BOOL:
		r = parse_bool(value, field_of(key, object));
		break;
	case CONF_ENUM:
		r = set_enum(key, object, value);
		break;
	}
	if (r < 0) {
		*ret_bad = value;
		*ret_bad_len = strlen(value);
	}
	return r;
}

static void clear(const struct conf_key *key, void *object)
{
	void *field = field_of(key, object);

	switch (key->type->kind) {
	case CONF_STRING:
		free(*(char **)field);
		*(char **)field = NULL;
		break;
	case CONF_LIST:
		for (unsigned *n = count_of(key, object); *n > 0; (*n)--)
			free(((char **)field)[*n - 1]);
		break;
	case CONF_SIZE:
	case CONF_SPAN:
		*(uint64_t *)field = 0;
		break;
	case CONF_UINT:
	case CONF_ENUM:
		*(unsigned *)field = 0;
		break;
	case CONF_U16:
		*(uint16_t *)field = 0;
		break;
	case CONF_BOOL:
		*(bool *)field = false;
		break;
	}
}

int conf_value_reset(const struct conf_key *key, void *object)
{
	const char *bad;
	size_t bad_len;

	clear(key, object);
	if (!key->preset)
		return 0;
	int r = conf_value_set(key, object, key->preset, &bad, &bad_len);
	/* The presets are ours; a test sets each of them. */
	assert(r == 0 || r == -ENOMEM);
	return r;
}

static bool string_equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool list_equal(const struct conf_key *key, const void *a, const void *b)
{
	unsigned n = *(const unsigned *)((const char *)a + key->extra_offset);
	const char *const *la = (const void *)((const char *)a + key->offset);
	const char *const *lb = (const void *)((const char *)b + key->offset);

	if (n != *(const unsigned *)((const char *)b + key->extra_offset))
		return false;
	for (unsigned i = 0; i < n; i++)
		if (strcmp(la[i], lb[i]) != 0)
			return false;
	return true;
}

bool conf_value_equal(const struct conf_key *key, const void *a, const void *b)
{
	const char *fa = (const char *)a + key->offset, *fb = (const char *)b + key->offset;

	if (key->type->kind == CONF_LIST)
		return list_equal(key, a, b);
	/* A default written out is another value where only the default follows the accelerator. */
	if (key->extra_offset &&
		*((const bool *)a + key->extra_offset) != *((const bool *)b + key->extra_offset))
		return false;
	switch (key->type->kind) {
	case CONF_STRING:
		return string_equal(*(const char *const *)fa, *(const char *const *)fb);
	case CONF_SIZE:
	case CONF_SPAN:
		return *(const uint64_t *)fa == *(const uint64_t *)fb;
	case CONF_UINT:
	case CONF_ENUM:
		return *(const unsigned *)fa == *(const unsigned *)fb;
	case CONF_U16:
		return *(const uint16_t *)fa == *(const uint16_t *)fb;
	case CONF_BOOL:
		return *(const bool *)fa == *(const bool *)fb;
	default:
		return true;
	}
}
