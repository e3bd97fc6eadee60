/* SPDX-License-Identifier: Apache-2.0 */
/* From the program headers to the dynamic section, and from there to what is needed. */
#include "io/elf.h"

#include "model/utf8.h"

#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <string.h>

struct file {
	Elf *elf;
	const char *data;
	size_t len;
	size_t strings, strings_len; /* of DT_STRTAB, within the file */
	uint64_t verneed, n_verneed;
	struct elf_info *info;
	struct reason *reason;
};

static int damaged(struct file *f, const char *what)
{
	return reason_set(f->reason, -EBADMSG, "it is damaged: %s", what);
}

/* The bytes from `offset`, as libelf reads that type; NULL where they are not all there. */
static Elf_Data *chunk(struct file *f, uint64_t offset, uint64_t size, Elf_Type type)
{
	if (offset > f->len || size > f->len - offset || size == 0)
		return NULL;
	return elf_getdata_rawchunk(f->elf, (int64_t)offset, size, type);
}

/* Where an address is in the file. */
static int offset_of(struct file *f, uint64_t address, uint64_t *ret_offset, uint64_t *ret_rest)
{
	size_t n = 0;

	if (elf_getphdrnum(f->elf, &n) < 0)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr p;

		if (!gelf_getphdr(f->elf, (int)i, &p) || p.p_type != PT_LOAD ||
			address < p.p_vaddr || address - p.p_vaddr >= p.p_filesz ||
			p.p_offset > f->len || p.p_filesz > f->len - p.p_offset)
			continue;
		*ret_offset = p.p_offset + (address - p.p_vaddr);
		*ret_rest = p.p_filesz - (address - p.p_vaddr);
		return 0;
	}
	return -EBADMSG;
}

static int copy_name(const char *s, size_t max, char ret[static ELF_NAME_MAX])
{
	size_t n = strnlen(s, max);

	if (n == max || n == 0 || n >= ELF_NAME_MAX || !utf8_printable(s, n))
		return -EBADMSG;
	memcpy(ret, s, n);
	ret[n] = '\0';
	return 0;
}

static int string_at(struct file *f, uint64_t at, char ret[static ELF_NAME_MAX])
{
	if (at >= f->strings_len)
		return -EBADMSG;
	return copy_name(f->data + f->strings + at, f->strings_len - at, ret);
}

static int read_header(struct file *f)
{
	GElf_Ehdr e;

	if (!gelf_getehdr(f->elf, &e))
		return damaged(f, "no header");
	if (gelf_getclass(f->elf) != ELFCLASS64 || e.e_ident[EI_DATA] != ELFDATA2LSB ||
		(e.e_machine != EM_X86_64 && e.e_machine != EM_AARCH64))
		return reason_set(f->reason, -ENOEXEC,
			"it is for another processor (ELF machine %u, class %u); known are x86_64 "
			"and "
			"aarch64",
			e.e_machine, e.e_ident[EI_CLASS]);
	if (e.e_type != ET_EXEC && e.e_type != ET_DYN)
		return reason_set(
			f->reason, -ENOEXEC, "it is neither a program nor a shared library");
	f->info->arch = e.e_machine == EM_X86_64 ? ARCH_X86_64 : ARCH_AARCH64;
	return 0;
}

/* The tables that the dynamic section points to; its names are read when the strings are known. */
static int read_tables(struct file *f, Elf_Data *dynamic, size_t n)
{
	uint64_t strings = 0, size = 0, rest = 0, at = 0;
	GElf_Dyn d;

	for (size_t i = 0; i < n && gelf_getdyn(dynamic, (int)i, &d) && d.d_tag != DT_NULL; i++) {
		if (d.d_tag == DT_STRTAB)
			strings = d.d_un.d_ptr;
		else if (d.d_tag == DT_STRSZ)
			size = d.d_un.d_val;
		else if (d.d_tag == DT_VERNEED)
			f->verneed = d.d_un.d_ptr;
		else if (d.d_tag == DT_VERNEEDNUM)
			f->n_verneed = d.d_un.d_val;
	}
	if (!strings || offset_of(f, strings, &at, &rest) < 0)
		return damaged(f, "its strings are not in it");
	f->strings = at;
	f->strings_len = MIN(size, rest);
	return 0;
}

static int read_needed(struct file *f, Elf_Data *dynamic, size_t n)
{
	struct elf_info *info = f->info;
	GElf_Dyn d;

	for (size_t i = 0; i < n && gelf_getdyn(dynamic, (int)i, &d) && d.d_tag != DT_NULL; i++) {
		if (d.d_tag != DT_NEEDED)
			continue;
		if (info->n_needed == ELF_NEEDED_MAX)
			return reason_set(f->reason, -E2BIG, "it needs more than %u libraries",
				ELF_NEEDED_MAX);
		if (string_at(f, d.d_un.d_val, info->needed[info->n_needed]) < 0)
			return damaged(f, "a library has no proper name");
		info->n_needed++;
	}
	return 0;
}

static int read_library(
	struct file *f, Elf_Data *data, const GElf_Verneed *need, uint64_t at, unsigned *budget)
{
	char library[ELF_NAME_MAX];
	GElf_Vernaux aux;

	if (string_at(f, need->vn_file, library) < 0)
		return damaged(f, "a version is of no library");
	at += need->vn_aux;
	for (unsigned i = 0; i < need->vn_cnt; i++, at += aux.vna_next) {
		struct elf_version *v = &f->info->versions[f->info->n_versions];

		if (at > INT32_MAX || !gelf_getvernaux(data, (int)at, &aux))
			return damaged(f, "its versions are not all in it");
		if (f->info->n_versions == ELF_VERSIONS_MAX || (*budget)-- == 0)
			return reason_set(f->reason, -E2BIG, "it needs more than %u versions",
				ELF_VERSIONS_MAX);
		if (string_at(f, aux.vna_name, v->name) < 0)
			return damaged(f, "a version has no proper name");
		memcpy(v->library, library, sizeof(library));
		v->index = aux.vna_other & 0x7fff;
		v->weak = aux.vna_flags & VER_FLG_WEAK;
		f->info->n_versions++;
		if (aux.vna_next == 0)
			break;
	}
	return 0;
}

static int read_versions(struct file *f)
{
	uint64_t offset = 0, rest = 0, at = 0;
	unsigned budget = ELF_VERSIONS_MAX;
	GElf_Verneed need;

	if (!f->verneed || !f->n_verneed)
		return 0;
	if (offset_of(f, f->verneed, &offset, &rest) < 0)
		return damaged(f, "its versions are not in it");
	Elf_Data *data = chunk(f, offset, MIN(rest, (uint64_t)ELF_TABLE_MAX), ELF_T_VNEED);
	if (!data)
		return damaged(f, "its versions are not in it");
	for (uint64_t i = 0; i < MIN(f->n_verneed, (uint64_t)ELF_VERSIONS_MAX); i++) {
		if (at > INT32_MAX || !gelf_getverneed(data, (int)at, &need))
			return damaged(f, "its versions are not all in it");
		int r = read_library(f, data, &need, at, &budget);
		if (r < 0)
			return r;
		if (need.vn_next == 0)
			break;
		at += need.vn_next;
	}
	return 0;
}

static Elf_Data *section(struct file *f, uint32_t type, Elf_Type as, size_t *ret_link)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr s;

	while ((scn = elf_nextscn(f->elf, scn)))
		if (gelf_getshdr(scn, &s) && s.sh_type == type) {
			*ret_link = s.sh_link;
			return chunk(f, s.sh_offset, s.sh_size, as);
		}
	return NULL;
}

/* Which symbols want which version. For the message only: where the sections are missing or make no
 * sense, there are no names. */
static void name_symbols(struct file *f)
{
	size_t link = 0, unused;
	Elf_Data *symbols = section(f, SHT_DYNSYM, ELF_T_SYM, &link);
	Elf_Data *indices = section(f, SHT_GNU_versym, ELF_T_HALF, &unused);
	GElf_Versym index;
	GElf_Sym symbol;

	for (int i = 0; symbols && indices && i < (int)ELF_TABLE_MAX; i++) {
		if (!gelf_getsym(symbols, i, &symbol) || !gelf_getversym(indices, i, &index))
			return;
		for (unsigned k = 0; symbol.st_shndx == SHN_UNDEF && k < f->info->n_versions; k++) {
			struct elf_version *v = &f->info->versions[k];

			if (v->index != (index & 0x7fffu) || v->index < 2)
				continue;
			if (v->n_symbols >= ELF_SYMBOLS_MAX ||
				string_at(f, symbol.st_name, v->symbols[v->n_symbols]) >= 0)
				v->n_symbols++;
		}
	}
}

static int read_dynamic(struct file *f, const GElf_Phdr *p)
{
	Elf_Data *data = chunk(f, p->p_offset, p->p_filesz, ELF_T_DYN);

	if (!data)
		return damaged(f, "its dynamic section is not in it");
	size_t n = MIN(p->p_filesz / sizeof(Elf64_Dyn), (size_t)ELF_TABLE_MAX);
	int r = read_tables(f, data, n);
	if (r >= 0)
		r = read_needed(f, data, n);
	return r < 0 ? r : read_versions(f);
}

static int read_all(struct file *f)
{
	size_t n = 0;
	int r = read_header(f);

	if (r >= 0 && (elf_getphdrnum(f->elf, &n) < 0 || n == 0))
		r = damaged(f, "no program headers");
	for (size_t i = 0; r >= 0 && i < n; i++) {
		GElf_Phdr p;

		if (!gelf_getphdr(f->elf, (int)i, &p))
			return damaged(f, "its program headers are not all in it");
		if (p.p_type == PT_INTERP &&
			(p.p_offset > f->len || p.p_filesz > f->len - p.p_offset ||
				copy_name(f->data + p.p_offset, p.p_filesz, f->info->interpreter) <
					0))
			return damaged(f, "its interpreter has no proper name");
		/* A file that ends before what is to be loaded from it would end with SIGBUS. */
		if (p.p_type == PT_LOAD &&
			(p.p_offset > f->len || p.p_filesz > f->len - p.p_offset))
			return damaged(f, "it is cut off");
		if (p.p_type == PT_DYNAMIC)
			r = read_dynamic(f, &p);
	}
	if (r >= 0)
		name_symbols(f);
	return r;
}

int elf_read(const void *data, size_t len, struct elf_info *ret, struct reason *reason)
{
	/* libelf's prototype is older than const; it writes only when it is told to. */
	char *bytes = (char *)(uintptr_t)data;
	struct file f = { .data = data, .len = len, .reason = reason };

	if (len < EI_NIDENT || memcmp(data, ELFMAG, SELFMAG) != 0)
		return reason_set(reason, -ENOEXEC, "it is no ELF program");
	if (elf_version(EV_CURRENT) == EV_NONE)
		return -ENOMEM;
	f.info = calloc(1, sizeof(*f.info));
	if (!f.info)
		return -ENOMEM;
	f.elf = elf_memory(bytes, len);
	int r = f.elf ? read_all(&f)
		      : reason_set(reason, -EBADMSG, "it is damaged: %s", elf_errmsg(-1));
	if (r >= 0)
		*ret = *f.info;
	(void)elf_end(f.elf);
	free(f.info);
	return r;
}
