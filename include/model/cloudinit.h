/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of a NoCloud seed, made from templates and a guest's spec. Buffers in, buffers out: who
 * reads the templates and writes the seed is io's business. */
#ifndef MEDIAKIT_MODEL_CLOUDINIT_H
#define MEDIAKIT_MODEL_CLOUDINIT_H

#include "base/nametable.h"
#include "model/reason.h"
#include "model/spec.h"

/* What the guest prints on its serial line when cloud-init has ended, at every boot: this mark,
 * then " instance <instance-id>, up <seconds> seconds". A line of the guest is a hint, never a
 * proof. */
#define CLOUDINIT_FINISHED_MARK "mediakit: cloud-init finished,"
/* What it prints instead at a boot at which cloud-init was not run, because all was done (the
 * template of user-data says how that is known): this, then " instance <instance-id> is complete
 * since <time>". */
#define CLOUDINIT_SKIPPED_MARK "mediakit: cloud-init skipped,"

#define CLOUDINIT_TEXT_MAX (1024u * 1024u) /* bytes of a template or of a rendered text */
#define CLOUDINIT_VENDOR_DATA_MAX                                                                  \
	(8u * 1024u * 1024u) /* cloud-init holds it in the guest's memory */

/* "iid-" and this many hex digits of the SHA-256 over the rendered texts: 80 bits, more than enough
 * to tell two seeds of one guest apart. */
#define CLOUDINIT_ID_DIGITS 20u
#define CLOUDINIT_ID_TEXT   (4u + CLOUDINIT_ID_DIGITS + 1u)

/* The texts made from templates. The name is the file's name in the seed; its template is called
 * "<name>.in". NoCloud skips a seed that lacks one of the two. */
enum cloudinit_text { CLOUDINIT_META_DATA, CLOUDINIT_USER_DATA, CLOUDINIT_TEXT_NUM };
NAME_TABLE_DECLARE(cloudinit_text, enum cloudinit_text); /* meta-data user-data */

struct cloudinit_input {
	const struct guest_spec *guest;
	/* Public keys that open the guest: those of the spec, of its file, or a generated one. */
	const char *const *keys;
	size_t n_keys;
	/* The guest's own SSH key, both halves as ssh-keygen writes them; NULL: it makes one
	 * itself, which nobody knows. */
	const char *host_key, *host_key_pub;
	/* "" while the texts are rendered in order to be hashed; NULL: a template that uses it is
	 * refused. */
	const char *instance_id;
};

/* Renders one template. Its language:
 *   @NAME@     the value of a variable, written as one YAML scalar or one flow sequence (a JSON
 * string is a valid double-quoted YAML scalar), so that no value can end its scalar; @USER_SHELL@
 * is quoted for sh instead
 *   @?NAME@    at the start of a line: the line is kept only where NAME is set, a list only where
 * not empty
 *   @#         at the start of a line: a comment, dropped
 *   @@         one @
 * `name` is for messages. 0 and *ret (NUL-terminated, the caller's to free); -EINVAL for an unknown
 * variable, one without a value here, one that this text must use and does not, a stray @, or a
 * value that cannot be written (not UTF-8; for sh: a control character): the reason names template,
 * line and variable; -EFBIG; -ENOMEM. */
int cloudinit_render(enum cloudinit_text kind, const char *name, const char *template,
	const struct cloudinit_input *in, char **ret, struct reason *reason);

/* Writes s as a JSON string into f, in the subset that YAML 1.1 and 1.2 read alike: raw UTF-8, and
 * \uXXXX for all that YAML calls a line break or unprintable. 0; -EILSEQ where s is not UTF-8. */
int cloudinit_write_scalar(FILE *f, const char *s);

/* Takes the hex digits of a SHA-256, at least CLOUDINIT_ID_DIGITS. */
void cloudinit_instance_id(const char *digest_hex, char ret[static CLOUDINIT_ID_TEXT]);

#endif
