/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code copied into memory that is then made executable, and called.
 *
 * No file is executed or mapped: what runs is anonymous memory (userland exec; DDexec does it from a shell through
 * /proc/self/mem).
 *
 * ---
 * tries: [B3, B4]
 * source: https://github.com/arget13/DDexec
 * rule: program
 * beyond: Code that a program brings into its own memory
 * wins: said
 */
#include "attack.h"

int main(void)
{
	/* lea eax, [rdi + rsi]; ret */
	static const unsigned char code[] = { 0x8d, 0x04, 0x37, 0xc3 };
	int (*add)(int, int) = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (add == MAP_FAILED)
		return failed("mmap");
	memcpy(add, code, sizeof(code));
	must(mprotect(add, 4096, PROT_READ | PROT_EXEC), "mprotect");
	return add(40, 2) == 42 ? won() : 1;
}
