/* SPDX-License-Identifier: Apache-2.0 */
/* What an ELF program asks of the machine it is to run on: processor, interpreter, libraries, and
 * the versions of their symbols. By libelf.
 *
 * The file may be cut off or made to deceive: every offset and count in it is held against its
 * size, and what is kept of it has the limits below. It is read the way the dynamic loader would,
 * by its program headers; section headers, which may be stripped, only give symbols their names. */
#ifndef MEDIAKIT_IO_ELF_H
#define MEDIAKIT_IO_ELF_H

#include "model/reason.h"
#include "model/spec.h"

#define ELF_FILE_MAX     (512u * 1024u * 1024u)
#define ELF_NEEDED_MAX   64u
#define ELF_VERSIONS_MAX 128u
#define ELF_NAME_MAX     96u        /* of a library, a version, a symbol; with the NUL */
#define ELF_SYMBOLS_MAX  4u         /* named for one version; the rest is only counted */
#define ELF_TABLE_MAX    (1u << 20) /* entries looked at in any one table */

struct elf_version {
	char library[ELF_NAME_MAX], name[ELF_NAME_MAX]; /* "libc.so.6", "GLIBC_2.38" */
	unsigned index;                                 /* by which symbols name it */
	bool weak; /* the loader only warns where it is missing */
	char symbols[ELF_SYMBOLS_MAX][ELF_NAME_MAX];
	unsigned n_symbols; /* all of them */
};

struct elf_info {
	enum spec_arch arch;
	char interpreter[ELF_NAME_MAX]; /* "" for a static program or a library */
	char needed[ELF_NEEDED_MAX][ELF_NAME_MAX];
	unsigned n_needed;
	struct elf_version versions[ELF_VERSIONS_MAX];
	unsigned n_versions;
};

/* Reads the len bytes at data. 0 and *ret; -ENOEXEC: no 64-bit ELF program or library of a
 * processor we know; -EBADMSG: damaged; -E2BIG: over a limit; -ENOMEM; with the reason. Every name
 * in *ret is printable. */
int elf_read(const void *data, size_t len, struct elf_info *ret, struct reason *reason);

#endif
